"""The stories of a project, in build order, and which of them come next."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, LiteralString

from service.bmad.identity import fold_id
from service.bmad.readings import MAX_ID, STATUSES
from service.routes.board_sql import STORY, is_in_tree
from service.routes.shared import (
    MISSING_PROJECT,
    TREE_PARAMETER,
    read_choice,
    read_id,
    read_tree,
)
from service.schemas.stories import EXAMPLE_NEXT, EXAMPLE_STORY, NextSchema, StorySchema
from service.web.bodies import invalid, json_response
from service.web.cursors import (
    SORTED_COLUMNS,
    SortedItems,
    SortedList,
    SortedPage,
    fetch_sorted,
    read_sorted_page,
    sorted_page_response,
)
from service.web.operation import ResponseSpec, operation, parameter
from service.web.paging import PAGE_PARAMETERS, page_spec
from service.web.query_string import read_query_string

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping, Sequence
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request

STORIES: Final = SortedList("stories", (0, ""), 100)
MAX_WORDS: Final = 256  # characters

# Of each list of what comes next, and of the stories to prepare.
NEXT_SHOWN: Final = 100
TO_PREPARE_SHOWN: Final = 10

_LISTS: Final[tuple[LiteralString, ...]] = ("ready", "in_progress", "blocked", "to_prepare")
_LISTED_STORIES: Final[LiteralString] = ", ".join(
    f"'{each}', coalesce((select stories from shown where list = '{each}'), '[]')"
    for each in _LISTS
)
# No story is left out silently: those of an unknown status are counted.
_LISTED_TOTALS: Final[LiteralString] = ", ".join(
    f"'{each}', count(*) filter (where list = '{each}')" for each in (*_LISTS, "unknown")
)

STATUS_RULE: Final = f"must be one of {', '.join(STATUSES)}."
WORDS_RULE: Final = f"must have at most {MAX_WORDS} characters."
EPIC_RULE: Final = f"must have at most {MAX_ID} characters."

STORIES_RESPONSE: Final = replace(
    page_spec("The stories.", StorySchema, {"stories": [EXAMPLE_STORY]}),
    parameters=(
        parameter(
            "status", "query", "Only with this status.", {"type": "string", "enum": [*STATUSES]}
        ),
        parameter(
            "epic",
            "query",
            "Only of this epic, by its id, however that is written; if empty, only those without "
            "an epic.",
            {"type": "string", "maxLength": MAX_ID},
            example="2",
        ),
        parameter(
            "q",
            "query",
            "Only with each of these words in the id or the title, whatever their case.",
            {"type": "string", "maxLength": MAX_WORDS},
            example="refund",
        ),
        TREE_PARAMETER,
        *PAGE_PARAMETERS,
    ),
)


@operation(
    tag="progress",
    responses={200: STORIES_RESPONSE},
    problems={"invalid": f"status: {STATUS_RULE}"},
)
async def list_stories(request: Request) -> Response:
    """List a project's stories.

    In build order, source by source: up to `limit`, which is 100 if it is not given. Archived
    stories are there, and count nowhere.
    """
    project_id = read_id(request, "project_id")
    given = read_query_string(request)
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, STORIES, problems)
    status = read_choice(given, "status", STATUSES, problems)
    epic, words = read_epic_filter(given, problems), read_words_filter(given, problems)
    if problems:
        raise invalid(problems)
    items = await read_stories(
        request.state["database"],
        page,
        project_id,
        status=status,
        epic=epic,
        words=words,
        tree=read_tree(given),
    )
    return sorted_page_response(request, given, items)


async def read_stories(
    queries: Queries,
    page: SortedPage,
    project_id: UUID,
    *,
    status: str | None = None,
    epic: str | None = None,
    words: Sequence[str] = (),
    tree: str | None = None,
) -> SortedItems:
    """Return a page of the list STORIES of a project, as JSON: see StorySchema.

    `epic` is the id of an epic, however that is written; empty for stories without one. `words` are
    those of the id or the title. Raises the Problem `not_found` without such a project.
    """
    return await fetch_sorted(
        queries,
        f"""
        select exists (select from project where id = $5) as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(number, place)::text as cursor, {STORY}::text as item
            from (
                select source.number, source.id as source_id, source.name as source_name, story.*
                from project_doc as source
                cross join lateral (
                    select place, file_path, item, status_since, changed_at
                    from story
                    where project_doc_id = source.id
                        and place > case when source.number = $3::bigint then $4 else '' end
                        and ($6::text is null or status = $6)
                        and ($7::text is null or epic = $7)
                        and {is_in_tree("$9")}
                        and not exists (
                            select
                            from unnest($8::text[]) as word
                            where strpos(lower(id || ' ' || title), lower(word)) = 0
                        )
                    order by place
                    limit $1::bigint + 1
                ) as story
                where source.project_id = $5 and source.number >= $3::bigint
                order by source.number, place
                limit $1::bigint + 1
            ) as found
            order by number, place
        ) as page
        """,
        page,
        MISSING_PROJECT,
        project_id,
        status,
        None if epic is None else fold_id(epic),
        words,
        tree,
    )


@operation(
    tag="progress",
    responses={
        200: ResponseSpec(
            description="What comes next.", schema=NextSchema, examples={"next": EXAMPLE_NEXT}
        )
    },
)
async def get_next(request: Request) -> Response:
    """Get what comes next in a project.

    In build order: the stories that can start now; those under way, and in review; those that are
    blocked, or wait for others; and the first 10 drafts to prepare. Up to 100 each, with their
    total numbers. Stories of an unknown status are in none of the lists, and `totals` counts them:
    `stories?status=unknown` lists them. Archived stories are in no list and no total.
    """
    row = await read_next(request.state["database"], read_id(request, "project_id"))
    return json_response(row)


async def read_next(queries: Queries, project_id: UUID, shown: int = NEXT_SHOWN) -> str:
    """Return what comes next in a project, as JSON, up to `shown` of each list: see NextSchema.

    Raises the Problem `not_found` without such a project.
    """
    row = await queries.fetch_row_or_404(
        f"""
        with listed as materialized (
            -- Without `item`, which would be sorted with the rows that are not shown.
            select *, row_number() over (partition by list order by number, place) as rank
            from (
                select source.number, source.id as source_id, source.name as source_name, place,
                       case
                           when status in ('in_progress', 'review') then 'in_progress'
                           when status in ('blocked', 'unknown') then status
                           when (item ->> 'is_ready')::boolean then 'ready'
                           when jsonb_array_length(item -> 'waits_for') > 0 then 'blocked'
                           when status in ('draft', 'approved') then 'to_prepare'
                       end as list
                from project_doc as source
                join story on story.project_doc_id = source.id
                where source.project_id = $1 and not is_archived
                    and status not in ('done', 'cancelled')
            ) as found
            where list is not null
        ), shown as (
            -- Their text, since to put them together as jsonb copies them at each step.
            select list, json_agg({STORY} order by number, place) as stories
            from (
                select listed.*, file_path, item, status_since, changed_at
                from listed
                join story
                    on story.project_doc_id = source_id and story.place = listed.place
                where list <> 'unknown'
                    and rank <= case list when 'to_prepare' then $3::bigint else $2 end
            ) as found
            group by list
        )
        select (
            json_build_object(
                {_LISTED_STORIES},
                'totals', (
                    select json_build_object({_LISTED_TOTALS})
                    from listed
                )
            )
        )::text as next
        from project
        where id = $1
        """,
        project_id,
        shown,
        min(shown, TO_PREPARE_SHOWN),
        missing=MISSING_PROJECT,
    )
    return row["next"]


def read_epic_filter(
    given: Mapping[str, str], problems: MutableMapping[str, list[str]]
) -> str | None:
    """Return the id of the epic that `epic` names, None without it; add a problem if too long."""
    epic = given.get("epic")
    if epic is not None and len(epic) > MAX_ID:
        problems["epic"] = [EPIC_RULE]
    return epic


def read_words_filter(
    given: Mapping[str, str], problems: MutableMapping[str, list[str]]
) -> list[str]:
    """Return the words of the parameter `q`; add a problem if it is too long."""
    text = given.get("q", "")
    if len(text) > MAX_WORDS:
        problems["q"] = [WORDS_RULE]
    return text.split()
