"""Upper bounds: the health response as a constant.

`static` is a Starlette route without the service's middleware and database; `bare` has no
framework, only uvicorn and the bytes of the response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

BODY = {
    "status": "ok",
    "database": "connected",
    "timestamp": "2026-11-22T03:00:00.123456+00:00",
}
RENDERED = bytes(JSONResponse(BODY).body)


async def get_health(_: Request) -> JSONResponse:
    return JSONResponse(BODY)


static = Starlette(routes=[Route("/api/health", get_health)])


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "lifespan":
        for phase in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{phase}.complete"})
        return
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(RENDERED)).encode()),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": RENDERED})
