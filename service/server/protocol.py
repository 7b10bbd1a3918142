"""uvicorn's HTTP protocol, with what is not HTTP, or too slow, answered as every other error is."""

import asyncio
import json
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, cast

import httptools
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.web.request_context import SECURITY_HEADERS

if TYPE_CHECKING:
    from array import array

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

log = structlog.stdlib.get_logger()


MAX_HEAD_BYTES: Final = 64 * 1024

# Of a body that comes after the answer, and goes nowhere.
MAX_UNREAD_BYTES: Final = 16 * 1024 * 1024

# Requests that may wait for the one before them on their connection. Each takes some kB.
MAX_WAITING: Final = 100

# How long a client may take, in seconds. An idle connection is kept for longer than load balancers
# keep theirs (nginx, AWS and others: 60), or they would send a request into one that just closed.
KEEP_ALIVE_SECONDS: Final = 75
HEAD_SECONDS: Final = 10.0
# The body of a request that nobody reads; who reads one has a shorter limit: see BodyLimit.
BODY_SECONDS: Final = 90.0
# Without taking one byte of an answer.
STALL_SECONDS: Final = 30.0


class HeadTooLargeError(Exception):
    """A request line and headers that came whole, and are larger than MAX_HEAD_BYTES."""


class TooManyWaitingError(Exception):
    """More than MAX_WAITING requests were sent before the first of them was answered."""


class Parser(httptools.HttpRequestParser):
    """httptools' parser, without what it makes of an offer to upgrade to another protocol.

    It takes what follows, the body too, for that protocol. uvicorn, which ignores the offer, as it
    may, would lose what came with the head, and take what comes later for the next request.
    """

    def __init__(self, protocol: "HttpProtocol") -> None:
        super().__init__(protocol)
        self._protocol = protocol

    def feed_data(self, data: "bytes | bytearray | memoryview | array[int]") -> None:
        """Parse; after a head with an offer, once more without it."""
        rest = data
        while True:
            try:
                super().feed_data(rest)
            except httptools.HttpParserUpgrade as upgrade:
                super().feed_data(self._protocol.take_head_without_offer())
                rest = memoryview(rest)[upgrade.args[0] :]
            else:
                return


class HttpProtocol(HttpToolsProtocol):
    """A request that cannot be parsed never reaches the application, nor its problem documents."""

    _is_in_head = True
    _is_offer = False  # of another protocol
    _head_bytes = 0  # of a head, or of trailers, that have not ended
    _is_new = False  # a head, a piece of a body or an end, in what came last
    _is_head_too_large = False
    _unread_bytes = 0  # of a body that comes after the answer
    _running: "RequestResponseCycle | None" = None  # `cycle` is the last that came
    # What the client was seen to be slow with, and since when; see end_if_late.
    _delay: tuple[object, ...] | None = None
    _delayed_since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Parse by a parser of ours."""
        super().connection_made(transport)
        self.parser = Parser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered, too: uvicorn tells only the last that came."""
        self.pipeline.clear()
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
            if not self._running.response_started:
                cast("dict[str, Any]", self._running.scope)["state"]["is_gone"] = True
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: "RequestResponseCycle", app: "ASGI3Application") -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def data_received(self, data: bytes) -> None:
        """Parse what came, and give up on a request line, headers or trailers that do not end."""
        self._is_new = False
        self._head_bytes += len(data)
        super().data_received(data)
        # The parser takes any number of bytes, in time that grows with their square.
        if self._is_new:
            self._head_bytes = 0
        elif self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Take note that the head is complete, and give up on one that came whole and is large."""
        self._is_new = True
        is_connect = self.parser.get_method() == b"CONNECT"
        self._is_offer = self.parser.should_upgrade() and not is_connect
        if self._is_offer:
            return  # it comes again: see Parser
        self._is_in_head = False
        if self._head_bytes > MAX_HEAD_BYTES:  # it may be, and what came with it may be
            separators = len(": \r\n")
            size = sum(len(name) + len(value) + separators for name, value in self.headers)
            if len(self.url) + size > MAX_HEAD_BYTES:
                self._is_head_too_large = True
                raise HeadTooLargeError  # the parser ends, and send_400_response is called
        if len(self.pipeline) >= MAX_WAITING:
            raise TooManyWaitingError  # those before it get their answers: see _refuse
        super().on_headers_complete()
        self._unread_bytes = 0
        self.headers = []  # of trailers, which are no headers of the request (RFC 9110, 6.5.1)
        # What follows a CONNECT is no HTTP. And whoever keeps connections open must have turned
        # elsewhere before the service ends.
        if is_connect or self.app_state["health"].is_shutting_down:
            self.cycle.keep_alive = False

    def take_head_without_offer(self) -> bytes:
        """Return the head that offered to upgrade, for the parser to take as any other."""
        if not self._is_offer:
            return b""
        version = self.parser.get_http_version().encode()
        line = b"%b %b HTTP/%b\r\n" % (self.parser.get_method(), self.url, version)
        kept = [b"%b: %b\r\n" % header for header in self.headers if header[0] != b"upgrade"]
        return b"".join([line, *kept, b"\r\n"])

    def on_body(self, body: bytes) -> None:
        """Take note that the body goes on."""
        self._is_new = True
        if self.cycle.response_complete:
            self._unread_bytes += len(body)
            if self._unread_bytes > MAX_UNREAD_BYTES:
                self.transport.close()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take note that the next head may begin."""
        if self._is_offer:
            return
        self._is_new = True
        super().on_message_complete()
        self._is_in_head = True

    def end_if_late(self) -> None:
        """End the connection if its client keeps the service waiting for too long.

        Called about once a second, so that requests need no timers of their own.
        """
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first request
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            delay, allowed = ("answer", cycle, unsent), STALL_SECONDS
        elif not self._is_in_head:
            delay, allowed = ("body", cycle), BODY_SECONDS
        elif cycle is None or self._is_head_begun():
            delay, allowed = ("head", cycle), HEAD_SECONDS
        elif cycle.response_complete:
            # uvicorn's own timer does not start again after a body that nobody read.
            delay, allowed = ("request", cycle), KEEP_ALIVE_SECONDS
        else:
            self._delay = None
            return
        now = time.monotonic()
        if delay != self._delay:
            self._delay, self._delayed_since = delay, now
        elif now - self._delayed_since > allowed and (unsent or not self.transport.is_closing()):
            self._end_late(delay[0])

    def _end_late(self, what: object) -> None:
        if what == "head" and self._is_head_begun():
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request did not come whole in time.")
            return
        if what in ("answer", "body"):
            log.info("client_too_slow", waited_for=what, client=self._client_host())
        if what == "answer":
            self.transport.abort()  # closing would wait until the client takes the rest
        else:
            self.transport.close()

    def _is_head_begun(self) -> bool:
        # What came last was all of it, or there is a scope, which uvicorn makes for each request as
        # soon as it begins.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return self._head_bytes > 0 or self.scope is not (cycle.scope if cycle else None)

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, or what the parser was told to give up."""
        if self._is_head_too_large:
            self._refuse_head()
            return
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
                # The requests before this one are whole. They get their answers, the last of
                # which then closes the connection.
                cycle.keep_alive = False
                return
            if cycle.response_started or self.pipeline:
                # It would be taken for the rest of one answer, or for the one to another request.
                self.transport.close()
                return
        # There is no path: `instance` is the id.
        request_id = uuid.uuid4()
        log.info(
            "request_malformed",
            request_id=request_id.hex,
            status=int(status),
            client=self._client_host(),
        )
        self.app_state["metrics"].count_refused(int(status))
        body = json.dumps(
            {
                "type": "about:blank",
                "title": status.phrase,
                "status": int(status),
                "detail": detail,
                "instance": request_id.urn,
                "request_id": request_id.hex,
            }
        )
        headers = SECURITY_HEADERS | {
            "Content-Type": "application/problem+json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            "Cache-Control": "no-store",
            "X-Request-ID": request_id.hex,
        }
        lines = [f"{name}: {value}" for name, value in headers.items()]
        answer = "\r\n".join([f"HTTP/1.1 {int(status)} {status.phrase}", *lines, "", body])
        self.transport.write(answer.encode("ascii"))
        self.transport.close()

    def _client_host(self) -> str | None:
        return self.client[0] if self.client else None
