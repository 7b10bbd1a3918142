"""A command that starts the service with changed limits and additional routes to attack:

python -m tests.support.attackable service.server.protocol.HEAD_SECONDS=0.5 …
"""

from __future__ import annotations

import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

from service.app import create_app
from service.problems import Problem
from service.server import worker
from service.server.serve import serve
from service.server.sockets import listen
from service.settings import Settings, load_settings
from service.web.router import SegmentRouter

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.applications import Starlette

    from service.state import Request
    from service.telemetry.shared_values import SharedValues


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


async def store(request: Request) -> JSONResponse:
    """Read the body, then query the database."""
    size = len(await request.body())
    return JSONResponse(await request.state["database"].fetch_value("select $1::int", size))


async def hold_connection(request: Request) -> PlainTextResponse:
    """Hold a database connection for `seconds`."""
    seconds = request.query_params.get("seconds", "0")
    if not re.fullmatch(r"[01](\.[0-9]{1,3})?", seconds):
        raise Problem("invalid", "This is no number of seconds, or too large.")
    await request.state["database"].execute("select pg_sleep($1)", float(seconds))
    return PlainTextResponse("held")


async def stream(request: Request) -> StreamingResponse:
    """Send rows of a query while the response holds a database connection."""

    async def pieces() -> AsyncIterator[str]:
        async with request.state["database"].connection() as connection:
            for _ in range(1000):
                yield await connection.fetch_value("select repeat('x', 65536)")

    return StreamingResponse(pieces())


async def large(request: Request) -> PlainTextResponse:
    """Send more bytes than the buffers of any system take from a client that does not read."""
    return PlainTextResponse(bytes(16_000_000))


ROUTES = [
    Route("/echo", echo, methods=["POST"]),
    Route("/store", store, methods=["POST"]),
    Route("/hold", hold_connection),
    Route("/stream", stream),
    Route("/large", large),
]


def create_attackable_app(settings: Settings, shared: SharedValues | None = None) -> Starlette:
    app = create_app(settings, shared)
    # Not in the routes of the service: every one of those must be in the OpenAPI document.
    app.router.default = SegmentRouter(ROUTES)
    return app


def main() -> int:
    for argument in sys.argv[1:]:
        name, _, value = argument.partition("=")
        module, _, constant = name.rpartition(".")
        assert hasattr(import_module(module), constant), name
        setattr(import_module(module), constant, float(value))
    worker.create_app = create_attackable_app
    return serve(load_settings(), listen("127.0.0.1", 0))


if __name__ == "__main__":
    sys.exit(main())
