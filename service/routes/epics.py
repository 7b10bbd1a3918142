"""The epics of a project, each with the number of its stories."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from service.routes.board_sql import (
    COUNT_STATUSES,
    SOURCE,
    STORY_FIGURES,
    add_document_ids,
    is_in_tree,
)
from service.routes.shared import MISSING_PROJECT, TREE_PARAMETER, read_id, read_tree
from service.schemas.epics import EXAMPLE_EPIC, EpicSchema
from service.web.bodies import invalid
from service.web.cursors import (
    SORTED_COLUMNS,
    SortedItems,
    SortedList,
    SortedPage,
    fetch_sorted,
    read_sorted_page,
    sorted_page_response,
)
from service.web.operation import operation
from service.web.paging import PAGE_PARAMETERS, page_spec
from service.web.query_string import read_query_string

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries, Row
    from service.state import Request

EPICS: Final = SortedList("epics", (0, ""), 100)

EPICS_RESPONSE: Final = replace(
    page_spec("The epics.", EpicSchema, {"epics": [EXAMPLE_EPIC]}),
    parameters=(TREE_PARAMETER, *PAGE_PARAMETERS),
)


@operation(tag="progress", responses={200: EPICS_RESPONSE})
async def list_epics(request: Request) -> Response:
    """List a project's epics.

    In build order, source by source: up to `limit`, which is 100 if it is not given. Epics of
    different sources, and of different folders that count from 1 again, are different epics.
    """
    project_id = read_id(request, "project_id")
    given = read_query_string(request)
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, EPICS, problems)
    if problems:
        raise invalid(problems)
    items = await read_epics(request.state["database"], page, project_id, tree=read_tree(given))
    return sorted_page_response(request, given, items)


async def read_epics(
    queries: Queries, page: SortedPage, project_id: UUID, *, tree: str | None = None
) -> SortedItems:
    """Return a page of the list EPICS of a project, as JSON: see EpicSchema.

    Raises the Problem `not_found` without such a project.
    """
    return await fetch_sorted(
        queries,
        f"""
        with counted as materialized (
            select story.project_doc_id as source_id, epic_place as place, {COUNT_STATUSES}
            from project_doc
            join story on story.project_doc_id = project_doc.id
            where project_doc.project_id = $5 and epic_place is not null and not is_archived
            group by story.project_doc_id, epic_place
        )
        select exists (select from project where id = $5) as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(number, place)::text as cursor, (
                '{{"tree": null}}' || item || {STORY_FIGURES} || jsonb_build_object(
                    'source', {SOURCE},
                    'documents', {add_document_ids("item -> 'documents'")},
                    'status_evidence', {add_document_ids("item -> 'status_evidence'")}
                )
            )::text as item
            from (
                select source.number, source.id as source_id, source.name as source_name, epic.*
                from project_doc as source
                cross join lateral (
                    select place, item
                    from epic
                    where project_doc_id = source.id
                        and place > case when source.number = $3::bigint then $4 else '' end
                        and {is_in_tree("$6")}
                    order by place
                    limit $1::bigint + 1
                ) as epic
                where source.project_id = $5 and source.number >= $3::bigint
                order by source.number, place
                limit $1::bigint + 1
            ) as found
            left join counted using (source_id, place)
            order by number, place
        ) as page
        """,
        page,
        MISSING_PROJECT,
        project_id,
        tree,
    )


async def read_described(queries: Queries, stories: Sequence[tuple[UUID, str, str]]) -> list[Row]:
    """Return where documents of epics describe stories that have no file of their own.

    `stories` are the source, the tree and the id of each. `source_id`, `tree`, `id`, `path`,
    `document_id` and `anchor`, which is null where the story is no heading: the first place of each
    story that has one. The ids are text.
    """
    return await queries.fetch(
        """
        with wanted as materialized (
            select distinct story.project_doc_id, item ->> 'tree' as tree, story.id, epic_place
            from unnest($1::uuid[], $2::text[], $3::text[]) as given (source_id, tree, id)
            join story on story.project_doc_id = source_id and story.id = given.id
            where file_path is null and item ->> 'tree' = given.tree
        ), described as materialized (
            select project_doc_id, epic_place, number, document.id as document_id, file_path,
                   listed ->> 'id' as story_id, listed ->> 'anchor' as anchor
            from (select distinct project_doc_id, epic_place from wanted) as of_epic
            join epic using (project_doc_id)
            cross join lateral jsonb_array_elements(epic.item -> 'documents')
                with ordinality as about (document, number)
            join document using (project_doc_id)
            cross join lateral jsonb_path_query(
                reading, '$.epics[*].stories[*] ? (@.id != "")'
            ) as listed
            where epic.place = epic_place and file_path = about.document ->> 'path'
        )
        select distinct on (wanted.project_doc_id, tree, wanted.id)
               wanted.project_doc_id::text as source_id, tree, wanted.id, file_path as path,
               document_id::text, anchor
        from wanted
        join described using (project_doc_id, epic_place)
        where lower(story_id) = lower(wanted.id)
        order by wanted.project_doc_id, tree, wanted.id, anchor is null, number
        """,
        [source_id for source_id, _, _ in stories],
        [tree for _, tree, _ in stories],
        [story_id for _, _, story_id in stories],
    )
