"""How far a project is: its stories by status and by epic, and what the last sync changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

from service.routes.board_sql import (
    ACTIVITY,
    COUNT_STATUSES,
    COUNTED,
    SOURCE,
    STORY_FIGURES,
    SUM_STATUSES,
    done_at_cut,
    find_document,
)
from service.routes.shared import MISSING_PROJECT, read_id
from service.schemas.progress import EXAMPLE_PROGRESS, ProgressSchema
from service.web.bodies import json_response
from service.web.operation import ResponseSpec, operation

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request

EPICS_SHOWN: Final = 1000


# How many stories of a source were done when a week began, and when the next one did.
_DONE: Final[LiteralString] = """coalesce(
    (
        select done
        from burnup_day
        where project_doc_id = source_id and day < week{later}
        order by day desc
        limit 1
    ),
    {at_cut}
)""".replace("{at_cut}", done_at_cut("source_id"))
DONE_BEFORE: Final[LiteralString] = _DONE.replace("{later}", "")
DONE_BEFORE_NEXT: Final[LiteralString] = _DONE.replace("{later}", " + interval '1 week'")


@operation(
    tag="progress",
    responses={
        200: ResponseSpec(
            description="The progress.",
            schema=ProgressSchema,
            examples={"progress": EXAMPLE_PROGRESS},
        )
    },
)
async def get_progress(request: Request) -> Response:
    """Get the progress of a project.

    Of all its sources together, and by epic: the first 1,000 of them, in build order. Archived
    stories count nowhere, cancelled ones not in `share_done`.
    """
    progress = await read_progress(request.state["database"], read_id(request, "project_id"))
    return json_response(progress)


async def read_progress(queries: Queries, project_id: UUID) -> str:
    """Return the progress of a project, as JSON: see ProgressSchema.

    Raises the Problem `not_found` without such a project.
    """
    row = await queries.fetch_row_or_404(
        f"""
        with source as materialized (
            select number, id as source_id, name as source_name
            from project_doc
            where project_id = $1
        ), counted as materialized (
            -- Of stories without an epic the place is empty, and each tree has its own.
            select source_id, coalesce(epic_place, '') as place,
                   case when epic_place is null then coalesce(item -> 'tree', 'null') end as tree,
                   {COUNT_STATUSES}
            from source
            join story on project_doc_id = source_id
            where not is_archived
            group by 1, 2, 3
        ), listed as (
            select source_id, place, item -> 'tree' as tree, item -> 'id' as id,
                   item -> 'title' as title, item #> '{{documents,0}}' as described, {COUNTED}
            from source
            join epic on project_doc_id = source_id
            left join counted using (source_id, place)
            union all
            select source_id, place, tree, 'null', 'null', null, {COUNTED}
            from counted
            where place = ''
        )
        select (
            jsonb_build_object(
                'totals', jsonb_build_object(
                    'stories', total -> 'stories_total',
                    'done', total -> 'stories_by_status' -> 'done',
                    'built', total -> 'stories_built',
                    'share_done', total -> 'share_done'
                ),
                'by_status', total -> 'stories_by_status',
                'by_epic', (
                    select coalesce(
                        jsonb_agg(item order by number, place = '', place, tree), '[]'
                    )
                    from (
                        select number, place, tree, jsonb_build_object(
                            'id', id, 'title', title, 'tree', tree, 'source', {SOURCE},
                            'path', described -> 'path', 'line', described -> 'line',
                            'anchor', described -> 'anchor',
                            'document_id', {find_document("described ->> 'path'")}
                        ) || {STORY_FIGURES} as item
                        from listed
                        join source using (source_id)
                        order by number, place = '', place, tree
                        limit $2
                    ) as by_epic
                ),
                'velocity', (
                    select coalesce(
                        jsonb_agg(
                            jsonb_build_object('week', week, 'done', until_end - until_start)
                            order by week
                        ) filter (
                            -- Without any day of a history nothing is known.
                            where exists (
                                select from source join burnup_day on project_doc_id = source_id
                            )
                        ),
                        '[]'
                    )
                    from (
                        select week::date as week,
                               (select coalesce(sum({DONE_BEFORE}), 0)::bigint from source)
                                   as until_start,
                               (select coalesce(sum({DONE_BEFORE_NEXT}), 0)::bigint from source)
                                   as until_end
                        from generate_series(
                            date_trunc('week', now() at time zone 'UTC') - interval '7 weeks',
                            date_trunc('week', now() at time zone 'UTC'),
                            interval '1 week'
                        ) as week
                    ) as by_week
                ),
                'epics_total', (select count(*) from listed where place <> ''),
                'last_changes', (
                    select {ACTIVITY}
                    from source
                    join activity on project_doc_id = source_id
                    order by at desc, run_id desc
                    limit 1
                )
            )
        )::text as progress
        from project
        cross join (
            select {STORY_FIGURES} as total
            from (select {SUM_STATUSES} from counted) as counted
        ) as totals
        where id = $1
        """,
        project_id,
        EPICS_SHOWN,
        missing=MISSING_PROJECT,
    )
    return row["progress"]
