"""All projects at a glance: how far they are, and whether their last sync failed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.routes.board_sql import (
    JOIN_APPEARED,
    STORY_FIGURES,
    SUM_PROBLEMS,
    SUM_SOURCES,
    VERSION,
    done_at_cut,
)
from service.schemas.overview import EXAMPLE_OVERVIEW, ProjectOverviewSchema
from service.web.operation import operation
from service.web.paging import (
    LIMIT_RANGE,
    PAGE_COLUMNS,
    fetch_page,
    page_response,
    page_spec,
    read_page,
)

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request
    from service.web.paging import Items, Page

PROJECTS_PER_PAGE: Final = 100

# The numbers of stories that were done at the end of each of the last days, today included.
SPARKLINE_DAYS: Final = "30"

# Of each project. All of them are counted.
SOURCES_SHOWN: Final = 100


@operation(
    tag="progress",
    responses={
        200: page_spec("The projects.", ProjectOverviewSchema, {"overview": [EXAMPLE_OVERVIEW]})
    },
    problems={"invalid": f"limit: {LIMIT_RANGE}"},
)
async def get_overview(request: Request) -> Response:
    """Get all projects at a glance.

    Newest first: up to `limit`, which is 100 if it is not given. Each with the numbers of its last
    completed syncs, and with up to 100 of its sources.
    """
    page = read_page(request, PROJECTS_PER_PAGE)
    return page_response(request, page, await read_overview(request.state["database"], page))


async def read_overview_version(queries: Queries, page: Page) -> str:
    """Return a text that changes whenever read_overview() returns anything else for this page."""
    row = await queries.fetch_row(
        f"""
        select md5(string_agg({VERSION}, ' ' order by number desc)) as version
        from (
            select *
            from project
            where number < $1
            order by number desc
            limit $2::bigint + 1
        ) as project
        """,
        page.before,
        page.limit,
    )
    assert row is not None  # of an aggregate
    return row["version"] or "no projects"


async def read_overview(queries: Queries, page: Page) -> Items:
    """Return a page of projects at a glance, as JSON: see ProjectOverviewSchema."""
    return await fetch_page(
        queries,
        f"""
        select {PAGE_COLUMNS}
        from (
            select number, (
                jsonb_build_object(
                    'id', id, 'name', name, 'documents', coalesce(documents, 0),
                    'problems', jsonb_build_object(
                        'error', coalesce(errors, 0),
                        'warning', coalesce(warnings, 0),
                        'info', coalesce(infos, 0)
                    ),
                    'sparkline', sparkline, 'last_sync', last_sync,
                    'sources', coalesce(sources, '[]'),
                    'sources_total', sources_total, 'sources_failed', sources_failed
                ) || {STORY_FIGURES}
            )::text as item
            from (
                select number, id, name
                from project
                where number < $1
                order by number desc
                limit $2::bigint + 1
            ) as project
            cross join lateral (
                select sum(documents) as documents, {SUM_SOURCES},
                       {SUM_PROBLEMS},
                       (array_agg(last_sync order by finished_at desc nulls last))[1] as last_sync,
                       jsonb_agg(
                           jsonb_build_object('id', id, 'name', name, 'last_sync', last_sync)
                           order by number
                       ) filter (where position <= $4) as sources,
                       count(*) as sources_total,
                       count(*) filter (where last_sync ->> 'status' = 'failed') as sources_failed
                from (
                    select id, name, number, row_number() over (order by number) as position
                    from project_doc
                    where project_id = project.id
                ) as source
                left join source_progress on source_progress.project_doc_id = source.id
                {JOIN_APPEARED}
                left join lateral (
                    select finished_at, jsonb_build_object(
                        'at', finished_at, 'status', status, 'error', error
                    ) as last_sync
                    from sync_run
                    where project_doc_id = source.id and finished_at is not null
                    order by number desc
                    limit 1
                ) as run on true
            ) as counted
            cross join lateral (
                -- Without any day of a history nothing is known.
                select case when bool_or(is_known) then array_agg(done order by day) else '{{}}' end
                           as sparkline
                from (
                    select day, bool_or(at_end.done is not null) as is_known,
                           coalesce(
                               sum(coalesce(done, {done_at_cut("source.id")})), 0
                           )::bigint as done
                    from generate_series(0, {SPARKLINE_DAYS} - 1) as back
                    cross join lateral (
                        select (now() at time zone 'UTC')::date - back as day
                    ) as on_day
                    left join project_doc as source on source.project_id = project.id
                    left join lateral (
                        select done
                        from burnup_day
                        where burnup_day.project_doc_id = source.id and burnup_day.day <= on_day.day
                        order by burnup_day.day desc
                        limit 1
                    ) as at_end on true
                    group by day
                ) as by_day
            ) as line
            order by number desc
        ) as page
        """,
        page,
        SOURCES_SHOWN,
    )
