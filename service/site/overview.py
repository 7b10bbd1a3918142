"""The overview: all projects at a glance, and what to do while there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson

from service.routes.overview import PROJECTS_PER_PAGE, read_overview, read_overview_version
from service.site.templating import not_modified_page, page_spec_of, render, respond_with
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.kept_values import KeptValues, Made
from service.web.operation import operation
from service.web.paging import LIMIT_RANGE, PAGE_PARAMETERS, cursor_after, read_page
from service.web.references import reference_to
from service.web.turns import Turns

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

# Of all overviews that a worker keeps as HTML, about: one of 100 projects has 200 kB.
KEPT_BYTES: Final = 2 * 1024 * 1024
OVERHEAD: Final = 1_000  # of one: its key, and what holds it
RENDERED_AT_ONCE: Final = 4
TURN_SECONDS: Final = 5.0
TOO_MANY: Final = "Too many overviews are being rendered: try again soon."


def kept_overviews() -> KeptValues[bytes]:
    """Return what keeps the overviews as HTML, for the state of a worker."""
    return KeptValues(KEPT_BYTES, Turns(RENDERED_AT_ONCE, TURN_SECONDS, TOO_MANY))


@operation(
    tag="pages",
    parameters=PAGE_PARAMETERS,
    responses={
        200: page_spec_of("The page with the projects."),
        304: NOT_MODIFIED_RESPONSE,
    },
    problems={"invalid": f"limit: {LIMIT_RANGE}"},
)
async def show_overview(request: Request) -> Response:
    """Look at all projects at a glance.

    Newest first: up to `limit`, and no more than 100. Each with its stories by status, its problems
    and its last sync.
    """
    page = read_page(request, PROJECTS_PER_PAGE)
    # Rendering 100 of them takes 10 ms, in which all other requests of the worker wait.
    page = page._replace(limit=min(page.limit, PROJECTS_PER_PAGE))
    database = request.state["database"]
    version = await read_overview_version(database, page)
    if (unchanged := not_modified_page(request, version)) is not None:
        return unchanged
    is_first = "cursor" not in request.query_params

    async def make() -> Made[bytes]:
        items = await read_overview(database, page)
        variables = {
            "projects": [orjson.loads(text) for text in items.texts],
            "is_first": is_first,
            "limit": page.limit,
            "next_cursor": cursor_after(items),
        }
        html = (await render(request.scope, "overview.html", variables)).encode()
        return Made(html, OVERHEAD + len(html))

    # The links depend on the request's path: see reference_to().
    key = (version, page, is_first, reference_to(request.scope, "/"))
    return respond_with(await request.state["kept_overviews"].get(key, make), version)
