"""Middleware: CORS, exceptions as problems, the limits of bodies. Pure ASGI, for speed."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from service.database.errors import DatabaseUnavailable, log_unavailable
from service.problems import Problem
from service.web.authorization import WEBHOOK
from service.web.media_types import choose_media_type
from service.web.problem_response import (
    FAULT,
    PROBLEM_TYPE,
    problem_response,
    response_to_problem,
)
from service.web.references import MAX_SLASHES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    ProblemPage: TypeAlias = Callable[[Scope, Problem], Awaitable[Response]]

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

MAX_BODY_BYTES: Final = 1024 * 1024

# GitHub's own limit: https://docs.github.com/en/webhooks/webhook-events-and-payloads. The route
# keeps no more than MAX_BODY_BYTES of it in memory.
MAX_WEBHOOK_BYTES: Final = 25 * 1024 * 1024

# Of a message to /mcp, which anyone may send who may read. A call has less than 3 KB, and to parse
# a megabyte of small values takes a tenth of a second.
MAX_MESSAGE_BYTES: Final = 64 * 1024
MESSAGES: Final = re.compile("/mcp/?")

BODY_SECONDS: Final = 60.0  # enough for MAX_BODY_BYTES at 17 kB/s

# What programs read has problems as JSON, whatever the client accepts.
FOR_PROGRAMS: Final = re.compile(r"/(api|mcp|metrics|openapi\.json)(/|$)")

BODY_HEADERS: Final = frozenset({b"content-length", b"transfer-encoding"})

# How much of a body that is too large is read and dropped before the response, and for how long.
DISCARD_BYTES: Final = 16 * MAX_BODY_BYTES
DISCARD_SECONDS: Final = 2.0


class Cors(CORSMiddleware):
    """Starlette's CORS; a refused preflight gets a problem."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A request without an Origin needs no CORS headers; RequestContext adds its Vary.
        if scope["type"] != "http" or b"origin" not in scope["state"]["headers"]:
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            response = self.preflight_response(request_headers=headers)
            if response.status_code == 400:
                kept = {
                    name: response.headers[name]
                    for name in response.headers
                    if name not in {"content-length", "content-type"}
                }
                response = problem_response(
                    scope, 400, f"{bytes(response.body).decode()}.", headers=kept
                )
            await response(scope, receive, send)
            return
        await self.simple_response(scope, receive, send, request_headers=headers)

    async def send(self, message: Message, send: Send, request_headers: Headers) -> None:
        """Add the CORS headers to a copy: a route may send the same response again."""
        if message["type"] == "http.response.start":
            message = {**message, "headers": list(message["headers"])}
        await super().send(message, send, request_headers)


class ErrorBoundary:
    """Turn every exception into a problem; log its cause once, and never send the cause.

    Replaces Starlette's two middlewares for exceptions: see Application. A client that prefers HTML
    gets the response of `make_page`, except where programs read.
    """

    def __init__(self, app: ASGIApp, make_page: ProblemPage | None = None) -> None:
        self.app = app
        self._make_page = make_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except ClientDisconnect:
            log.info("client_disconnected")
        except (Exception, asyncio.CancelledError) as error:
            if scope["type"] != "http":
                raise
            problem = _log_as_problem(error)
            # A response that has begun cannot be replaced: uvicorn closes the connection, and the
            # client sees an incomplete body.
            if scope["state"]["status"] is None:
                response = await self._respond(scope, problem)
                await response(scope, receive, send)

    async def _respond(self, scope: Scope, problem: Problem) -> Response:
        if self._make_page is not None and prefers_page(scope):
            try:
                return await self._make_page(scope, problem)
            except Exception:
                log.exception("problem_page_failed")
        return response_to_problem(scope, problem)


def prefers_page(scope: Scope) -> bool:
    """Return whether a problem of this request is to be a page: a browser shows it to a person."""
    accept = scope["state"]["headers"].get(b"accept", b"")
    if b"text/html" not in accept or FOR_PROGRAMS.match(scope["path"]):
        return False
    if scope["path"].count("/") > MAX_SLASHES:
        return False
    offered = (PROBLEM_TYPE, "application/json", "text/html")
    return choose_media_type(accept.decode("latin-1"), offered) == "text/html"


def _log_as_problem(error: BaseException) -> Problem:
    """Log the cause of a response with an error; return the problem that the response has."""
    match error:
        case DatabaseUnavailable():
            log_unavailable(error)
            return error
        case Problem():
            return error
        case asyncio.CancelledError():
            # The service stops, and this request took too long. The cancellation ends here: uvicorn
            # would log it as a fault, and send a 500 in plain text.
            log.warning("request_cut_off")
            return Problem("unavailable", "The service stops now.")
        case _:
            log.error("unhandled_error", exc_info=error)
            return Problem("internal", FAULT)


class BodyLimit:
    """Refuse a body that is too large, or incomplete after BODY_SECONDS."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Without one of these headers a request has no body (RFC 9112, section 6.3).
        if scope["type"] != "http" or BODY_HEADERS.isdisjoint(scope["state"]["headers"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = _find_limit(scope["path"])
        # uvicorn refuses anything but digits. int() raises ValueError for thousands of them, and
        # leading zeros count.
        if int(headers.get("content-length", "").strip().lstrip("0") or 0) > limit:
            # A client that sent `Expect: 100-continue` has not begun the body.
            if "expect" not in headers:
                await _discard(receive)
            raise too_large(limit)
        deadline = asyncio.get_running_loop().time() + BODY_SECONDS
        received = 0
        is_complete = False

        async def receive_within_limits() -> Message:
            nonlocal received, is_complete
            if is_complete:  # the next message is the disconnect, which has no deadline
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                raise too_slow() from None
            is_complete = not message.get("more_body", False)
            received += len(message.get("body", b""))
            if received > limit:
                if not is_complete:
                    await _discard(receive)
                raise too_large(limit)
            return message

        await self.app(scope, receive_within_limits, send)


async def _discard(receive: Receive) -> None:
    # Closing a connection with unread data resets it, and the client, which is still sending, may
    # never see the response (RFC 9112, section 9.6).
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < DISCARD_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


# The rest of a refused body stays unread, so the connection cannot take another request.
CLOSE: Final = {"Connection": "close"}


def _find_limit(path: str) -> int:
    """Return how many bytes a body may have for the route at a path."""
    if MESSAGES.fullmatch(path):
        return MAX_MESSAGE_BYTES
    return MAX_WEBHOOK_BYTES if WEBHOOK.fullmatch(path) else MAX_BODY_BYTES


def too_large(limit: int) -> Problem:
    """Return the Problem for a body of more than `limit` bytes."""
    return Problem("too_large", f"The body is larger than {limit} bytes.", headers=CLOSE)


def too_slow() -> Problem:
    """Return the Problem for a body that is incomplete after BODY_SECONDS."""
    detail = f"The body did not come whole within {BODY_SECONDS:g} s."
    return Problem("timeout", detail, headers=CLOSE)
