"""HTTP as bytes on sockets: what no HTTP client sends, and a strict reader of what comes back."""

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

    from tests.support.service import Service

# RFC 9112, sections 4 and 5, and no more than what it says.
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [\t\x20-\x7e]*\r\n")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)\r\n")

# How long an answer, or the end of a connection, may take on a machine that is busy.
PATIENCE = 20.0


@contextmanager
def unharmed(service: Service) -> Generator[None]:
    """Check that after the block the service is well, and that its log has no fault."""
    before = service.log.stat().st_size
    yield
    assert service.process.poll() is None
    health = b"GET /api/health HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    assert [answer.status for answer in read_answers(ask(service.url, health))] == [200]
    assert_no_fault(service, before)


def assert_no_fault(service: Service, before: int = 0) -> None:
    with service.log.open("rb") as log:
        log.seek(before)
        for line in log:
            assert b"Traceback" not in line, line
            assert json.loads(line)["level"] not in {"error", "critical"}, line


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_last(self) -> bool:
        return self.headers.get("connection") == "close"


def connect(url: str, receive_buffer: int | None = None) -> socket.socket:
    """Return a connection on which each piece that is sent goes its own way."""
    parts = urlsplit(url)
    connection = socket.socket()
    if receive_buffer is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.settimeout(PATIENCE)
    connection.connect((parts.hostname, parts.port))
    return connection


def send(connection: socket.socket, data: bytes) -> None:
    """Send as much as the service takes: it may have ended the connection already."""
    with suppress(ConnectionError):
        connection.sendall(data)


def is_readable(connection: socket.socket, seconds: float) -> bool:
    return bool(select.select([connection], [], [], seconds)[0])


def read_to_end(connection: socket.socket, seconds: float = PATIENCE) -> bytes:
    """Return all that comes until the service ends the connection; fail if it does not."""
    deadline = time.monotonic() + seconds
    data = bytearray()
    with suppress(ConnectionError):
        while is_readable(connection, max(0.0, deadline - time.monotonic())):
            piece = connection.recv(1_000_000)
            if not piece:
                break
            data += piece
        else:
            raise AssertionError(f"not ended after {seconds} s: {bytes(data[:500])!r}")
    return bytes(data)


def read_one(connection: socket.socket) -> Answer:
    """Return the one answer that comes on a connection that stays open."""
    data = b""
    while True:
        piece = connection.recv(1_000_000)
        assert piece, data
        data += piece
        head, end, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: ([0-9]+)", head)
        if end and length and len(body) >= int(length[1]):
            answers = read_answers(data)
            assert len(answers) == 1
            return answers[0]


def ask(url: str, *pieces: bytes) -> bytes:
    """Send the first piece, the others each after something came back, and read to the end."""
    with connect(url) as connection:
        for number, piece in enumerate(pieces):
            if number:
                assert is_readable(connection, PATIENCE)
            send(connection, piece)
        return read_to_end(connection)


def read_answers(data: bytes, *, may_be_head: bool = False) -> list[Answer]:
    """Take `data` apart into answers, with nothing left over; fail on whatever is not HTTP.

    Where `may_be_head`, an answer may end where its body would begin.
    """
    answers: list[Answer] = []
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
        answers.append(Answer(status, headers, data[:length]))
        data = data[length:]
    return answers


def assert_fair(answers: list[Answer]) -> None:
    """Check that none is a fault of the service, and that the errors are problem documents."""
    for answer in answers:
        assert answer.status < 500, answer
        assert answer.headers["x-request-id"], answer
        if answer.status < 400:
            continue
        assert answer.headers["content-type"] == "application/problem+json", answer
        if answer.body:
            problem = json.loads(answer.body)
            assert problem["status"] == answer.status
            assert problem["request_id"] == answer.headers["x-request-id"]
    # Nothing follows an answer that says so.
    assert not any(answer.is_last for answer in answers[:-1])
