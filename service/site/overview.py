"""The overview: all projects at a glance, and what to do while there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

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

    from service.database.database import Queries
    from service.state import Request
    from service.web.paging import Items

# Of all overviews that a worker keeps as HTML, about: one of 100 projects has 200 kB.
KEPT_BYTES: Final = 2 * 1024 * 1024
OVERHEAD: Final = 1_000  # of one: its key, and what holds it
RENDERED_AT_ONCE: Final = 4
TURN_SECONDS: Final = 5.0
TOO_MANY: Final = "Too many overviews are being rendered: try again soon."


class Overview(NamedTuple):
    """An overview as HTML, and the version of what it shows."""

    version: str
    html: bytes


def kept_overviews() -> KeptValues[Any]:
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

    async def make() -> Made[Overview]:
        async def read(queries: Queries) -> tuple[str, Items]:
            return await read_overview_version(queries, page), await read_overview(queries, page)

        # In one snapshot, whose version is the page's tag. A run may have ended since the first
        # version was read: then nothing keeps the HTML, since it has another key.
        shown_version, items = await database.run_repeatable(read)
        variables = {
            "projects": [orjson.loads(text) for text in items.texts],
            "is_first": is_first,
            "limit": page.limit,
            "next_cursor": cursor_after(items),
        }
        html = (await render(request.scope, "overview.html", variables)).encode()
        size = OVERHEAD + len(html) if shown_version == version else KEPT_BYTES
        return Made(Overview(shown_version, html), size)

    # The links depend on the request's path: see reference_to().
    key = (version, page, is_first, reference_to(request.scope, "/"))
    overview = await request.state["kept_overviews"].get(key, make)
    return respond_with(overview.html, overview.version)
