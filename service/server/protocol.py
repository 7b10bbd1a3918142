"""uvicorn's HTTP protocol, with limits on slow clients, and with problems for malformed requests.

A connection is in one of these states, and its client may keep it there for a limited time:

    head     a request line or headers have begun and not ended, or the connection is new and has
             had no request: HEAD_SECONDS, MAX_HEAD_BYTES
    body     the headers have ended, the body has not: UNREAD_BODY_SECONDS. The part of a body
             that comes after its response is dropped: MAX_UNREAD_BYTES
    running  the request is complete, its response is not: no limit here. More requests may wait
             in uvicorn's pipeline: MAX_WAITING
    stalled  the client does not read what the service sent: STALL_SECONDS. One that reads slowly
             is cut off where others wait for the room of its response; see web/large_bodies.py
    idle     every response is sent: KEEP_ALIVE_SECONDS

A new connection is in head. A request takes it through head, body and running to idle, and the
next request's first byte back to head. While bytes of a response wait for the client to read them,
the connection is stalled, whichever state it was in.
"""

from __future__ import annotations

import fcntl
import re
import sys
import termios
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.web.hosts import read_host
from service.web.large_bodies import READING, address_of
from service.web.problem_response import PROBLEM_TYPE, problem_bytes, status_name
from service.web.request_context import SECURITY_HEADERS

if TYPE_CHECKING:
    import asyncio
    from array import array

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

ABSOLUTE_TARGET: Final = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*://(?P<host>[^/?#]*)")

MAX_HEAD_BYTES: Final = 64 * 1024
MAX_UNREAD_BYTES: Final = 16 * 1024 * 1024
MAX_WAITING: Final = 100  # requests on one connection; each takes some kB

# Load balancers keep idle connections for up to 60 s (nginx, AWS and others). With a shorter time
# here they would send requests into connections that the service just closed.
KEEP_ALIVE_SECONDS: Final = 75
HEAD_SECONDS: Final = 10.0
UNREAD_BODY_SECONDS: Final = 90.0  # for a body that no route reads; BodyLimit has a shorter limit
STALL_SECONDS: Final = 30.0


class HeadTooLargeError(Exception):
    """A complete request line and headers are larger than MAX_HEAD_BYTES."""


class BadHostError(Exception):
    """A request has no valid `Host`, or several of them."""


class TooManyWaitingError(Exception):
    """More than MAX_WAITING requests wait for the response before theirs."""


class Parser(httptools.HttpRequestParser):
    """httptools' parser, made to ignore an Upgrade header, as a server may (RFC 9110, section 7.8).

    After such a head httptools takes all that follows, the body included, for the other protocol.
    uvicorn would drop the bytes that came with the head, and parse later ones as the next request.
    """

    def __init__(self, protocol: HttpProtocol) -> None:
        super().__init__(protocol)
        self._protocol = protocol
        # As uvicorn does: data after a request with `Connection: close` is no error.
        self.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes | bytearray | memoryview | array[int]) -> None:
        """Parse `data`. Parse a head with an Upgrade header a second time, without the header.

        A new parser does so. The one that saw the header has ended its message: it drops all that
        follows where the request asks to close the connection or is of HTTP/1.0.
        """
        parser, rest = self, data
        while True:
            try:
                super(Parser, parser).feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                rest = memoryview(rest)[upgrade.args[0] :]
            else:
                return
            head = self._protocol.head_without_upgrade()
            if not head:
                return  # what follows a CONNECT is not HTTP
            parser = self._protocol.renew_parser()
            super(Parser, parser).feed_data(head)


class HttpProtocol(HttpToolsProtocol):
    """One connection. A request that cannot be parsed is refused here, without the application."""

    # Parsing. From the end of a message to the end of the next head:
    _is_in_head = True
    # From a head with an Upgrade header until that head is parsed again without the header:
    _is_upgrade = False
    # Bytes since the parser last progressed: those of an unfinished head or unfinished trailers:
    _head_bytes = 0
    # Whether the last data ended a head or a message, or had a part of a body:
    _has_progressed = False
    # Bytes of the last request's body that came after its response:
    _unread_bytes = 0

    # Responding. The request that the application works on or has responded to; uvicorn's `cycle`
    # is the last one that came, which may still wait:
    _running: RequestResponseCycle | None = None

    # Time. The state that end_if_late last saw, with its request and the number of unsent bytes
    # (None in running, which has no limit), and the time since which these have been the same:
    _seen: tuple[str, RequestResponseCycle | None, int] | None = None
    _seen_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Replace uvicorn's parser with Parser."""
        super().connection_made(transport)
        self.renew_parser()

    def renew_parser(self) -> Parser:
        """Parse what follows with a new parser, and return it."""
        self.parser = parser = Parser(self)
        return parser

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the running request of the disconnect: uvicorn tells only the last one received."""
        self.pipeline.clear()
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
            if not self._running.response_started:
                cast("dict[str, Any]", self._running.scope)["state"]["is_client_gone"] = True
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Parse `data`; refuse a request line, headers or trailers without an end."""
        self._has_progressed = False
        self._head_bytes += len(data)
        super().data_received(data)
        # The parser itself has no limit, and its time grows with the square of the bytes.
        if self._has_progressed:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Begin the request; refuse a complete head that is too large."""
        self._has_progressed = True
        is_connect = self.parser.get_method() == b"CONNECT"
        self._is_upgrade = self.parser.should_upgrade() and not is_connect
        if self._is_upgrade:
            return  # Parser parses this head again, without the Upgrade header
        self._is_in_head = False
        if self._head_bytes > MAX_HEAD_BYTES:  # the bytes may include a body: measure the head
            separators = len(": \r\n")
            size = sum(len(name) + len(value) + separators for name, value in self.headers)
            if len(self.url) + size > MAX_HEAD_BYTES:
                self._refuse_head()
                raise HeadTooLargeError  # ends the parser; uvicorn calls send_400_response
        if not self._take_host():
            self._refuse(
                HTTPStatus.BAD_REQUEST, "A request needs one Host header, with a host's name."
            )
            raise BadHostError
        if len(self.pipeline) >= MAX_WAITING:
            raise TooManyWaitingError  # as above; the waiting requests get their responses
        super().on_headers_complete()
        self._unread_bytes = 0
        self.headers = []  # for trailers, which are no headers of the request (RFC 9110, 6.5.1)
        # The bytes after a CONNECT are not HTTP. While the service drains, clients must move to
        # another copy.
        if is_connect or self.app_state["health"].is_shutting_down:
            self.cycle.keep_alive = False

    def _take_host(self) -> bool:
        """Return whether `Host` is as RFC 9112, section 3.2, demands; HTTP/1.0 may leave it out.

        The host of an absolute request target takes its place (RFC 9112, section 3.2.2).
        """
        hosts = [value for name, value in self.headers if name == b"host"]
        if not hosts:
            is_valid = self.parser.get_http_version() == "1.0"
        else:
            is_valid = len(hosts) == 1 and read_host(hosts[0]) is not None
        if is_valid and not self.url.startswith(b"/"):
            target = ABSOLUTE_TARGET.match(self.url)
            if target is not None:
                is_valid = read_host(target["host"]) is not None
                # In place: the scope has this list.
                self.headers[:] = [header for header in self.headers if header[0] != b"host"]
                self.headers.append((b"host", target["host"]))
        return is_valid

    def head_without_upgrade(self) -> bytes:
        """Return the head as bytes, without its Upgrade header."""
        if not self._is_upgrade:
            return b""
        version = self.parser.get_http_version().encode()
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join([line, *kept, b"\r\n"])

    def on_body(self, body: bytes) -> None:
        """Pass on a part of a body; count it as unread if its response was sent already."""
        self._has_progressed = True
        if self.cycle.response_complete:
            self._unread_bytes += len(body)
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self.transport.close()
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Start the request that waits, if any.

        Replaces uvicorn's, which starts a timer for each response: end_if_late needs none.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def on_message_complete(self) -> None:
        """End the request: the next head may begin."""
        if self._is_upgrade:
            return
        self._has_progressed = True
        super().on_message_complete()
        self._is_in_head = True
        if not self.parser.should_keep_alive():
            # Trailers, too, may have `Connection: close`: the parser drops all that follows.
            self.cycle.keep_alive = False
            if self.cycle.response_complete:
                self.transport.close()

    def end_if_late(self) -> None:
        """Close the connection if its client has kept it in a state for too long.

        Called about once a second, so that requests need no timers of their own.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        unsent = self.transport.get_write_buffer_size()
        if unsent and self._is_in_the_way(unsent):
            self._end_late("stalled")
            return
        if unsent:
            state, allowed = "stalled", STALL_SECONDS
        elif not self._is_in_head:
            state, allowed = "body", UNREAD_BODY_SECONDS
        elif cycle is None or self._is_head_begun():
            state, allowed = "head", HEAD_SECONDS
        elif cycle.response_complete:
            state, allowed = "idle", KEEP_ALIVE_SECONDS
        else:  # running
            self._seen = None
            return
        now = time.monotonic()
        if self._seen != (state, cycle, unsent):
            self._seen, self._seen_since = (state, cycle, unsent), now
        elif now - self._seen_since > allowed and (unsent or not self.transport.is_closing()):
            self._end_late(state)

    def _is_in_the_way(self, unsent: int) -> bool:
        """Return whether others lack the room that this client's slow reading takes."""
        running = self._running
        if running is None or running.response_complete:
            return False
        scope = cast("dict[str, Any]", running.scope)
        reading, room = scope["state"].get(READING), self.app_state["large_bodies"].room
        if reading is None or not room.is_short:
            return False
        lowest_speed = room.lowest_speed(address_of(scope))
        return reading.is_slow(unsent + self._count_queued(), time.monotonic(), lowest_speed)

    def _count_queued(self) -> int:
        """Return the bytes that the kernel has taken, and the client has not; 0 if not known."""
        if sys.platform != "linux":
            return 0
        count = fcntl.ioctl(self.transport.get_extra_info("socket"), termios.TIOCOUTQ, bytes(4))
        return int.from_bytes(count, sys.byteorder)

    def _end_late(self, state: str) -> None:
        if state == "head" and self._is_head_begun():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not come whole in time.")
        elif state == "stalled":
            log.info("client_too_slow", waited_for="response", client=self._client_host())
            self.transport.abort()  # closing would wait until the client reads the rest
        else:
            if state == "body":
                log.info("client_too_slow", waited_for="body", client=self._client_host())
            self.transport.close()

    def _is_head_begun(self) -> bool:
        # A head may begin in the data that ended the message before it. Those bytes are not
        # counted, but uvicorn makes a scope at the first byte of each request.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return self._head_bytes > 0 or self.scope is not (cycle.scope if cycle else None)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed, unless it was refused already."""
        if not self.transport.is_closing():
            self._refuse(HTTPStatus.BAD_REQUEST, "This is not a valid HTTP request.")

    def _refuse_head(self) -> None:
        self._refuse(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"The request line and the headers are larger than {MAX_HEAD_BYTES} bytes.",
        )

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        cycle = self.cycle
        if cycle and not cycle.response_complete:
            if not cycle.more_body:
                # The requests before this one are complete. They get their responses, and the last
                # response closes the connection.
                cycle.keep_alive = False
                return
            if cycle.response_started or self.pipeline:
                # The client would take the refusal for a part of the response under way, or for
                # the response to a request that waits.
                self.transport.close()
                return
        request_id = uuid.uuid4()
        log.info(
            "request_refused",
            request_id=request_id.hex,
            status=int(status),
            client=self._client_host(),
        )
        self.app_state["metrics"].count_refused(int(status))
        # The path is unknown, so `instance` is the request id.
        body = problem_bytes(status, detail, request_id.urn, request_id.hex)
        headers = SECURITY_HEADERS | {
            "Content-Type": PROBLEM_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Request-ID": request_id.hex,
        }
        lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
        head = "".join([f"HTTP/1.1 {int(status)} {status_name(status)}\r\n", *lines, "\r\n"])
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()

    def _client_host(self) -> str | None:
        return self.client[0] if self.client else None
