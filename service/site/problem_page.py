"""The page with a problem, for a browser: as little as possible, since anything may have failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from service.site.templating import PAGE_POLICY, render
from service.web.problem_response import status_name

if TYPE_CHECKING:
    from starlette.types import Scope

    from service.problems import Problem


async def respond_with_problem_page(scope: Scope, problem: Problem) -> Response:
    """Return the response with a problem as a page: it has the problem's status and headers.

    It asks the database for nothing.
    """
    page = await render(
        scope,
        "problem.html",
        {
            "status": int(problem.status),
            "title": status_name(problem.status),
            "detail": problem.detail,
            "errors": problem.errors or {},
            "retry_after": problem.headers.get("Retry-After"),
            "request_id": scope["state"]["request_id"],
        },
    )
    headers = {
        "Content-Security-Policy": PAGE_POLICY,
        "Cache-Control": "no-store",
        **problem.headers,
    }
    return Response(page, int(problem.status), headers, media_type="text/html")
