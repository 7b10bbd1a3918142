"""What happens to every request: an id, a log line, headers, limits. Pure ASGI, for speed."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from service.problems import Problem, internal_error_response, problem_response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = structlog.stdlib.get_logger()

MAX_BODY_BYTES: Final = 1024 * 1024

# How much more is read of a body that is too large, and for how long, before the answer.
DISCARD_BYTES: Final = 16 * MAX_BODY_BYTES
DISCARD_SECONDS: Final = 2.0

# What a client may name its request: nothing that could forge a line or a field in a log.
REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")

# What fits an API whatever it answers; a page of ours sets a policy that lets it work.
SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}

# Asked every few seconds by every monitor there is: not worth a line while all is well.
QUIET_ROUTES: Final = frozenset({"/api/health", "/api/health/live"})


class RequestContext:
    """Give each request an id, its security headers and one line in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        # Each request runs in a task, and so in a context, of its own: nothing to unbind.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        scope["path"] = scope["path"].rstrip("/") or "/"  # a slash at the end makes no difference
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            _log_request(scope, status, time.perf_counter() - started)


class Cors(CORSMiddleware):
    """Starlette's, but a preflight that is refused gets a problem document."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "OPTIONS":
            headers = Headers(scope=scope)
            if "origin" in headers and "access-control-request-method" in headers:
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
        await super().__call__(scope, receive, send)


class ErrorBoundary:
    """Turn what no route foresaw into a 500, logged once with its traceback and not sent."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_started = False

        async def send_and_note(message: Message) -> None:
            nonlocal is_started
            is_started = is_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        except ClientDisconnect:
            log.info("client_disconnected")
        except Exception:
            log.exception("unhandled_error")
            # A response that is under way cannot be taken back: uvicorn cuts the connection, and
            # the client sees that the body is not whole.
            if not is_started:
                await internal_error_response(scope)(scope, receive, send)


class BodyLimit:
    """Refuse a body of more than MAX_BODY_BYTES, by its Content-Length or as it comes in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        # uvicorn lets nothing through but digits.
        if int(headers.get("content-length", "0")) > MAX_BODY_BYTES:
            if "expect" not in headers:  # who waits for leave to send has not begun
                await _discard(receive)
            problem = _too_large()
            await problem_response(scope, problem.status, problem.detail, headers=problem.headers)(
                scope, receive, send
            )
            return
        received = 0

        async def receive_within_limit() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BODY_BYTES:
                if message.get("more_body", False):
                    await _discard(receive)
                raise _too_large()
            return message

        await self.app(scope, receive_within_limit, send)


async def _discard(receive: Receive) -> None:
    # Closing a connection on which something is still to be read resets it, and the client, busy
    # with sending, may never see the answer (RFC 9112, section 9.6).
    discarded = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while discarded < DISCARD_BYTES:
                message = await receive()
                discarded += len(message.get("body", b""))
                if not message.get("more_body", False):
                    return


def _too_large() -> Problem:
    return Problem(
        "too_large",
        f"The body is larger than {MAX_BODY_BYTES} bytes.",
        # What is left of the body is not read, so nothing can follow on this connection.
        headers={"Connection": "close"},
    )


def _request_id(proposed: str | None) -> str:
    if proposed is not None and REQUEST_ID.fullmatch(proposed):
        return proposed
    return uuid.uuid4().hex


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    route = scope.get("route")
    path = route.path if route is not None else None
    write = log.debug if status == 200 and path in QUIET_ROUTES else log.info
    client = scope.get("client")
    write(
        "request",
        method=scope["method"],
        route=path,
        status=status,
        duration_ms=round(seconds * 1000, 1),
        client=client[0] if client else None,
    )
