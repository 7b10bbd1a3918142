"""The outermost middleware: what every request and every response has, and no route adds."""

from __future__ import annotations

import logging
import random
import re
import time
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final, cast

import structlog
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from service.telemetry.logs import REQUEST_FIELDS
from service.web.compression import Compression, depends_on_encoding, vary_if_tagged
from service.web.large_bodies import READING, RELEASES, WHOLE, release_all, take_room
from service.web.pieces import send_in_pieces
from service.web.references import MAX_SLASHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from service.telemetry.metrics import Metrics
    from service.web.compression import GzipStream, RawHeaders
    from service.web.router import SegmentRouter

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
stdlib_log = logging.getLogger(__name__)  # its isEnabledFor is faster than structlog's

# The request ids that a client may choose: none can forge a line or a field of the log.
REQUEST_ID = re.compile(rb"[A-Za-z0-9._:+/=-]{1,128}")

# https://www.w3.org/TR/trace-context/#traceparent-header: version, trace-id, parent-id, flags;
# version ff and ids of only zeros are invalid, and versions after 00 may continue with a dash.
TRACEPARENT = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    rb"-(?!0{16})(?P<parent_id>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)

# For every response. The pages of the documentation set a Content-Security-Policy of their own.
SECURITY_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
RAW_SECURITY_HEADERS: Final = [
    (name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()
]
POLICY: Final = b"content-security-policy"
# Tells caches that a response's CORS headers depend on the request's Origin.
VARY_ORIGIN: Final = (b"vary", b"Origin")

# Monitors request these every few seconds, so a 200 is logged at level debug.
QUIET_ROUTES: Final = frozenset({"/api/health", "/api/health/live", "/metrics"})

# nginx's code for a client that disconnected before the response. No client receives it.
CLIENT_CLOSED_REQUEST: Final = 499


class RequestContext:
    """Give each request an id, a trace and a line in the log, and count it.

    Its response gets security headers, and is compressed.
    """

    def __init__(
        self, app: ASGIApp, metrics: Metrics, trusted_proxies: Sequence[str], root_path: str
    ) -> None:
        self.app = app
        self._metrics = metrics
        self._root_path = root_path
        self._compression = Compression()
        # uvicorn's types of an ASGI application are narrower than Starlette's.
        self._read_forwarded = cast(
            "ASGIApp", ProxyHeadersMiddleware(cast("Any", _do_nothing), list(trusted_proxies))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        if b"x-forwarded-for" in headers or b"x-forwarded-proto" in headers:
            peer = scope["client"]
            # Sets the scope's client and scheme if the peer is a trusted proxy.
            await self._read_forwarded(scope, receive, send)
            if not _is_address(scope["client"]):
                scope["client"] = peer
        fields = _log_fields(headers)
        # Never reset: each request runs in a task with its own context.
        REQUEST_FIELDS.set(fields)
        request_id = fields["request_id"]
        state = scope["state"]
        state["headers"] = headers
        state["request_id"] = request_id
        state["status"] = None
        if scope.setdefault("root_path", "") or self._root_path:
            self._take_root_path(scope)
        path = scope["path"]
        if path[-1:] == "/" and path.count("/") <= MAX_SLASHES:
            scope["path"] = path.rstrip("/") or "/"
        own_headers = [*RAW_SECURITY_HEADERS, (b"x-request-id", request_id.encode())]
        if b"origin" not in headers:
            own_headers.append(VARY_ORIGIN)
        start: Message | None = None
        stream: GzipStream | None = None

        async def send_response(message: Message) -> None:
            nonlocal start, stream
            if message["type"] == "http.response.start":
                start = message  # its headers depend on the first part of the body
                return
            if start is not None:
                if len(message.get("body", b"")) > WHOLE and start["status"] < 400:
                    take_room(scope, message)
                first, start = start, None
                given = first["headers"]
                if depends_on_encoding(headers, message):
                    given, message, stream = await self._compression.apply(scope, given, message)
                else:
                    given = vary_if_tagged(given)
                first["headers"] = _add_own_headers(given, own_headers)
                # Only now: until then an error can still replace the response.
                state["status"] = first["status"]
                await send(first)
            elif stream is not None:
                message = await stream.compress(message)
            target = state[READING].sending(send) if READING in state else send
            if len(message.get("body", b"")) > WHOLE:
                await send_in_pieces(target, message)
            else:
                await target(message)

        self._metrics.requests_in_flight += 1
        try:
            await self.app(scope, receive, send_response)
        finally:
            self._metrics.requests_in_flight -= 1
            if RELEASES in state:
                release_all(scope)
            self._record(scope, time.perf_counter() - started)

    def _take_root_path(self, scope: Scope) -> None:
        # ASGI's `path` has the prefix that the application is at, WSGI's SCRIPT_NAME; everything
        # from here on has the path without it. Behind a proxy that removes the prefix, the path
        # does not have it.
        root = scope["root_path"].rstrip("/") or self._root_path
        path = scope["path"]
        scope["root_path"] = ""
        if root and path.startswith(root) and path[len(root) :][:1] in ("", "/"):
            scope["root_path"] = root
            scope["path"] = path[len(root) :] or "/"

    def _record(self, scope: Scope, seconds: float) -> None:
        route = scope.get("route")
        # Without one, a middleware responded before the router: a 401, a 413, a preflight.
        template = route.path if route is not None else _find_template(scope)
        state = scope["state"]
        # uvicorn silently drops a response to a client that has disconnected.
        status = CLIENT_CLOSED_REQUEST if "is_client_gone" in state else state["status"]
        status = status or CLIENT_CLOSED_REQUEST
        self._metrics.observe_request(scope["method"], template or "", status, seconds)
        is_quiet = status == 200 and template in QUIET_ROUTES
        if is_quiet and not stdlib_log.isEnabledFor(logging.DEBUG):
            return
        client = scope.get("client")
        (log.debug if is_quiet else log.info)(
            "request",
            method=scope["method"],
            route=template,
            status=status,
            duration_ms=round(seconds * 1000, 1),
            client=client[0] if client else None,
        )


def add_log_fields(**fields: str) -> None:
    """Add fields to the lines that are logged from now on during this request.

    Their values must be bounded, and hold nothing that a client chose freely.
    """
    REQUEST_FIELDS.set({**REQUEST_FIELDS.get(), **fields})


def _find_template(scope: Scope) -> str | None:
    router = cast("SegmentRouter", scope["app"].router)
    return router.find_template(scope["path"], scope["method"])


def _is_address(client: tuple[str, int] | None) -> bool:
    try:
        ip_address(client[0] if client else "")
    except ValueError:
        return False
    return True


async def _do_nothing(scope: Scope, receive: Receive, send: Send) -> None:
    pass


def _add_own_headers(headers: RawHeaders, own: RawHeaders) -> RawHeaders:
    # Returns a new list: a route may send the same response again.
    if POLICY in dict(headers):
        return [*headers, *(header for header in own if header[0] != POLICY)]
    return headers + own


def _log_fields(headers: dict[bytes, bytes]) -> dict[str, str]:
    """Return the fields that every log line of the request has: its id, and its trace if any."""
    proposed = headers.get(b"x-request-id")
    if proposed is not None and REQUEST_ID.fullmatch(proposed):
        fields = {"request_id": proposed.decode()}
    else:
        fields = {"request_id": f"{random.getrandbits(128):032x}"}
    if b"traceparent" in headers:
        trace = TRACEPARENT.fullmatch(headers[b"traceparent"])
        if trace and not (trace["version"] == b"00" and trace["more"]):
            fields["trace_id"] = trace["trace_id"].decode()
            fields["parent_id"] = trace["parent_id"].decode()
    return fields
