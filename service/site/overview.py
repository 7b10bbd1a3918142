"""The overview: all projects at a glance, and what to do while there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from service.routes.overview import PROJECTS_PER_PAGE, read_overview
from service.site.templating import page_spec_of, render_page
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.operation import operation
from service.web.paging import LIMIT_RANGE, PAGE_PARAMETERS, cursor_after, read_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request


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
    items = await read_overview(request.state["database"], page)
    return await render_page(
        request,
        "overview.html",
        projects=[orjson.loads(text) for text in items.texts],
        is_first="cursor" not in request.query_params,
        limit=page.limit,
        next_cursor=cursor_after(items),
    )
