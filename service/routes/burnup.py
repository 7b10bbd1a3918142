"""The burn-up of a project: as JSON, as CSV and as a chart."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import orjson

from service.drawing.burnup import BURNUP_POLICY, burnup_csv, draw_burnup
from service.routes.shared import MISSING_PROJECT, read_id
from service.schemas.burnup import EXAMPLE_BURN_UP, BurnUpSchema
from service.web.entity_tags import CACHED, NOT_MODIFIED_RESPONSE, tagged_response
from service.web.media_types import choose_media_type
from service.web.operation import ResponseSpec, operation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request

JSON: Final = "application/json"
CSV: Final = "text/csv"
SVG: Final = "image/svg+xml"
VARY: Final = {"Vary": "Accept"}

# The most days of a project: those of SYNC_HISTORY_COMMITS at its most in a hundred sources.
DAYS_SHOWN: Final = 20_000

HEADERS: Final = {"ETag": "Identifies the burn-up's state.", "Cache-Control": CACHED}
EXAMPLE_CSV: Final = "date,scope,done\r\n2026-11-02,3,0\r\n2026-11-09,4,1\r\n"
EXAMPLE_SVG: Final = '<svg xmlns="http://www.w3.org/2000/svg"><title>Burn-up</title></svg>'

BURN_UP_RESPONSE: Final = ResponseSpec(
    description="The burn-up.",
    schema=BurnUpSchema,
    headers=HEADERS,
    examples={"burn-up": EXAMPLE_BURN_UP},
    others={CSV: EXAMPLE_CSV, SVG: EXAMPLE_SVG},
)
CSV_RESPONSE: Final = ResponseSpec(
    description="The days, one on each line.",
    schema={"type": "string"},
    media_type=CSV,
    headers=HEADERS,
    examples={"days": EXAMPLE_CSV},
)
SVG_RESPONSE: Final = replace(
    CSV_RESPONSE,
    description="The chart, which reads well in light and dark.",
    media_type=SVG,
    examples={"chart": EXAMPLE_SVG},
)


@operation(tag="progress", responses={200: BURN_UP_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_burn_up(request: Request) -> Response:
    """Get the burn-up of a project.

    How many stories there were and how many were done, day by day, from the history of the
    repositories: by the dates of the branch's commits, in UTC. With `Accept: text/csv` or
    `image/svg+xml` the response is that of the next two routes.
    """
    chosen = choose_media_type(request.headers.get("accept", ""), (JSON, CSV, SVG))
    return await _respond(request, chosen, VARY)


@operation(tag="progress", responses={200: CSV_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_burn_up_csv(request: Request) -> Response:
    """Get the burn-up of a project as CSV."""
    return await _respond(request, CSV, {})


@operation(tag="progress", responses={200: SVG_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_burn_up_chart(request: Request) -> Response:
    """Get the burn-up of a project as a chart."""
    return await _respond(request, SVG, {})


async def _respond(request: Request, media_type: str, headers: Mapping[str, str]) -> Response:
    name, burn_up = await read_burn_up(request.state["database"], read_id(request, "project_id"))
    if media_type == JSON:
        return tagged_response(request, burn_up, JSON, headers)
    found: dict[str, Any] = orjson.loads(burn_up)
    days = [
        (date.fromisoformat(each["date"]), each["scope"], each["done"]) for each in found["days"]
    ]
    if media_type == CSV:
        return tagged_response(request, burnup_csv(days), "text/csv; header=present", headers)
    headers = {**headers, "Content-Security-Policy": BURNUP_POLICY}
    return tagged_response(request, draw_burnup(days, f"{name}: burn-up"), SVG, headers)


async def read_burn_up(queries: Queries, project_id: UUID) -> tuple[str, str]:
    """Return the name of a project, and its burn-up as JSON: see BurnUpSchema.

    Raises the Problem `not_found` without such a project.
    """
    row = await queries.fetch_row_or_404(
        """
        with source as materialized (
            select id, name, number from project_doc where project_id = $1
        ), change as (
            -- How the numbers of a source change on a day: the sum of all until then is the
            -- project's, whichever days the others have.
            select day,
                   scope - lag(scope, 1, 0::bigint) over by_day as scope,
                   done - lag(done, 1, 0::bigint) over by_day as done
            from source
            join burnup_day on project_doc_id = source.id
            window by_day as (partition by project_doc_id order by day)
        ), total as (
            select day, sum(sum(scope)) over by_day as scope, sum(sum(done)) over by_day as done
            from (
                select * from change
                union all
                -- Today has the numbers of the last day before.
                select (now() at time zone 'UTC')::date, 0, 0 where exists (select from change)
            ) as each
            group by day
            window by_day as (order by day)
        )
        select project.name, jsonb_build_object(
            'days', (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object('date', day, 'scope', scope, 'done', done) order by day
                    ),
                    '[]'
                )
                from (select * from total order by day desc limit $2) as newest
            ),
            'sources', (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object(
                            'source', jsonb_build_object('id', source.id, 'name', source.name),
                            'is_cut', is_cut, 'note', note
                        ) order by number
                    ),
                    '[]'
                )
                from source
                join work_history on project_doc_id = source.id
            )
        )::text as burn_up
        from project
        where id = $1
        """,
        project_id,
        DAYS_SHOWN,
        missing=MISSING_PROJECT,
    )
    return row["name"], row["burn_up"]
