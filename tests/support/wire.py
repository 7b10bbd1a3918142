"""HTTP as bytes on sockets: requests that no HTTP client sends, and a strict response parser."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Generator

    import httpx

    from tests.support.service import Service

# RFC 9112, sections 4 and 5, without the leniency that the RFC allows.
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e]*\r\n")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)\r\n")

# How long a response, or the end of a connection, may take on a busy machine.
TIMEOUT_SECONDS = 20.0


@contextmanager
def unharmed(service: Service) -> Generator[None]:
    """Check that the service is healthy after the block, and that it logged no error."""
    before = service.log.stat().st_size
    yield
    assert service.process.poll() is None
    health = b"GET /api/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    assert [response.status for response in parse_responses(exchange(service.url, health))] == [200]
    assert_no_logged_error(service, before)


def assert_no_logged_error(service: Service, before: int = 0) -> None:
    """Check that the log has no error and no traceback after its first `before` bytes."""
    with service.log.open("rb") as log:
        log.seek(before)
        for line in log:
            assert b"Traceback" not in line, line
            assert json.loads(line)["level"] not in {"error", "critical"}, line


@dataclass(frozen=True)
class WireResponse:
    """A response, with the names of its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        """Whether the service announces that it closes the connection."""
        return self.headers.get("connection") == "close"


def connect(url: str, receive_buffer: int | None = None) -> socket.socket:
    """Return a connection that sends each piece at once (TCP_NODELAY)."""
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(TIMEOUT_SECONDS)
    connection.connect((parts.hostname, parts.port))
    return connection


def send(connection: socket.socket, data: bytes) -> None:
    """Send, even if the service has closed the connection already."""
    with suppress(ConnectionError):
        connection.sendall(data)


def is_readable(connection: socket.socket, seconds: float) -> bool:
    return bool(select.select([connection], [], [], seconds)[0])


def receive_all(connection: socket.socket, seconds: float = TIMEOUT_SECONDS) -> bytes:
    """Return all bytes until the service closes the connection; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    data = bytearray()
    with suppress(ConnectionError):
        while is_readable(connection, max(0.0, deadline - time.monotonic())):
            piece = connection.recv(1_000_000)
            if not piece:
                break
            data += piece
        else:
            raise AssertionError(f"not closed after {seconds} s: {bytes(data[:500])!r}")
    return bytes(data)


def receive_response(connection: socket.socket) -> WireResponse:
    """Return the one response on a connection that stays open."""
    data = b""
    while True:
        piece = connection.recv(1_000_000)
        assert piece, data
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: ([0-9]+)", head)
        if end and length and len(body) >= int(length[1]):
            responses = parse_responses(data)
            assert len(responses) == 1
            return responses[0]


def exchange(url: str, *pieces: bytes) -> bytes:
    """Send each piece after a response to the one before; return all bytes that come back."""
    with connect(url) as connection:
        for number, piece in enumerate(pieces):
            if number:
                assert is_readable(connection, TIMEOUT_SECONDS)
            send(connection, piece)
        return receive_all(connection)


def send_raw(client: httpx.Client, *pieces: bytes) -> bytes:
    """Send the pieces to the service of `client` until it responds; return its first bytes."""
    with connect(str(client.base_url)) as connection:
        for piece in pieces:
            if is_readable(connection, 0):
                break
            connection.sendall(piece)
        return connection.recv(65536)


def parse_responses(data: bytes, *, may_be_head: bool = False) -> list[WireResponse]:
    """Return the responses that `data` consists of; fail on any byte that is not HTTP.

    If `may_be_head`, a response may lack its body, as one to HEAD does.
    """
    responses: list[WireResponse] = []
    while data:
        line = STATUS_LINE.match(data)
        assert line, data[:500]
        end = line.end()
        headers: dict[str, str] = {}
        while header := HEADER.match(data, end):
            name = header[1].decode().lower()
            assert name not in {"content-length", "content-type", "connection"} & headers.keys()
            headers[name] = header[2].decode("latin-1")
            end = header.end()
        assert data.startswith(b"\r\n", end), data[:500]
        data = data[end + 2 :]
        status = int(line[1])
        if status == 100:
            assert not headers
            continue
        assert "transfer-encoding" not in headers, "no route here needs it"
        length = int(headers["content-length"]) if status not in {204, 304} else 0
        if may_be_head and (not data or STATUS_LINE.match(data)):
            length = 0
        assert len(data) >= length, data[:500]
        responses.append(WireResponse(status, headers, data[:length]))
        data = data[length:]
    return responses


def assert_no_server_error(responses: list[WireResponse]) -> None:
    """Check that no status is 5xx, and that error responses are problem documents.

    Or errors of JSON-RPC, as those of /mcp.
    """
    for response in responses:
        assert response.status < 500, response
        assert response.headers["x-request-id"], response
        if response.status < 400:
            continue
        if response.body.startswith(b'{"jsonrpc":"2.0"'):
            assert response.headers["content-type"] == "application/json", response
            assert isinstance(json.loads(response.body)["error"]["message"], str), response
            continue
        assert response.headers["content-type"] == "application/problem+json", response
        if response.body:
            problem = json.loads(response.body)
            assert problem["status"] == response.status
            assert problem["request_id"] == response.headers["x-request-id"]
    # A response that announces the end of the connection is the last one.
    assert not any(response.is_last for response in responses[:-1])
