"""What each run of a project's sources changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.routes.board_sql import ACTIVITY
from service.routes.shared import MISSING_PROJECT, read_id
from service.schemas.activity import EXAMPLE_ACTIVITY, ActivitySchema
from service.web.bodies import invalid
from service.web.cursors import (
    MAX_NUMBER,
    SORTED_COLUMNS,
    fetch_sorted,
    read_sorted_page,
    sorted_page_response,
)
from service.web.operation import operation
from service.web.paging import page_spec
from service.web.query_string import read_query_string

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from service.state import Request
    from service.web.cursors import SortedItems

RUNS_PER_PAGE: Final = 20

# Sorts after the id of every run, in lower case.
AFTER_EVERY_ID: Final = "g"

ACTIVITY_RESPONSE: Final = page_spec(
    "What runs changed.", ActivitySchema, {"activity": [EXAMPLE_ACTIVITY]}
)


@operation(tag="progress", responses={200: ACTIVITY_RESPONSE})
async def list_activity(request: Request) -> Response:
    """List what changed in a project, run by run.

    Newest first: up to `limit`, which is 20 if it is not given. Runs that changed nothing are not
    there. The service keeps 100 of each source.
    """
    given = read_query_string(request)
    return sorted_page_response(request, given, await _read_activity(request, given))


async def _read_activity(request: Request, given: Mapping[str, str]) -> SortedItems:
    project_id = read_id(request, "project_id")
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, (MAX_NUMBER, AFTER_EVERY_ID), RUNS_PER_PAGE, problems)
    if problems:
        raise invalid(problems)
    return await fetch_sorted(
        request.state["database"],
        f"""
        select exists (select from project where id = $5) as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(microseconds, run_id)::text as cursor, {ACTIVITY}::text as item
            from (
                select *
                from (
                    select source.id as source_id, source.name as source_name, activity.*,
                           (extract(epoch from at) * 1000000)::bigint as microseconds
                    from project_doc as source
                    join activity on activity.project_doc_id = source.id
                    where source.project_id = $5
                ) as activity
                where (microseconds, run_id::text collate "C") < ($3::bigint, $4)
                order by microseconds desc, run_id::text collate "C" desc
                limit $1::bigint + 1
            ) as found
            order by microseconds desc, run_id::text collate "C" desc
        ) as page
        """,
        page,
        MISSING_PROJECT,
        project_id,
    )
