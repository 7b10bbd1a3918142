"""uvicorn's HTTP protocol, with what is not HTTP answered as every other error is."""

import json
import uuid
from http import HTTPStatus
from typing import Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.middleware import SECURITY_HEADERS

log = structlog.stdlib.get_logger()


MAX_HEAD_BYTES: Final = 64 * 1024


class HeadTooLargeError(Exception):
    """A request line and headers that came whole, and are larger than MAX_HEAD_BYTES."""


class HttpProtocol(HttpToolsProtocol):
    """A request that cannot be parsed never reaches the application, nor its problem documents."""

    _is_in_head = True
    _is_boundary_seen = False
    _head_bytes = 0
    _is_head_too_large = False

    def data_received(self, data: bytes) -> None:
        """Parse what came, and give up on a request line and headers that do not end."""
        self._is_boundary_seen = False
        super().data_received(data)
        # The parser takes any number of bytes, in time that grows with their square.
        is_all_head = self._is_in_head and not self._is_boundary_seen
        self._head_bytes = self._head_bytes + len(data) if is_all_head else 0
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """Take note that the head is complete, and give up on one that came whole and is large."""
        self._is_in_head, self._is_boundary_seen = False, True
        separators = len(": \r\n")
        size = sum(len(name) + len(value) + separators for name, value in self.headers)
        if len(self.url) + size > MAX_HEAD_BYTES:
            self._is_head_too_large = True
            raise HeadTooLargeError  # the parser ends with it, and send_400_response is called
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Take note that the next head may begin."""
        super().on_message_complete()
        self._is_in_head, self._is_boundary_seen = True, True

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
            client=self.client[0] if self.client else None,
        )
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
