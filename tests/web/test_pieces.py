from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.routing import Route

from service.web.pieces import PIECE, PieceResponse
from tests.support.service import json_log, serving
from tests.support.waiting import eventually
from tests.support.wire import connect, receive_all

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from starlette.responses import Response

    from service.state import Request

# More than the buffers of a connection take, of both its ends.
MANY = 500
THREADS = ThreadPoolExecutor(2)


class Made:
    """The pieces that a response has made so far, and whether it was told to make no more."""

    def __init__(self) -> None:
        self.pieces = 0

    def make(self, count: int, fault_at: int | None) -> Generator[bytes]:
        for number in range(count):
            if number == fault_at:
                raise RuntimeError("a fault on the way")
            self.pieces += 1
            yield f"{number:08}".encode() * (PIECE // 8)


MADE = Made()


async def pieces(request: Request) -> Response:
    count = int(request.query_params.get("count", MANY))
    fault_at = request.query_params.get("fault_at")
    is_known = "unknown" not in request.query_params
    return PieceResponse(
        MADE.make(count, None if fault_at is None else int(fault_at)),
        count * PIECE if is_known else None,
        threads=THREADS,
        media_type="text/plain",
        headers={"ETag": '"t"'},
    )


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    MADE.pieces = 0
    with serving(database, Route("/pieces", pieces)) as client:
        yield client


def whole(count: int) -> bytes:
    return b"".join(f"{number:08}".encode() * (PIECE // 8) for number in range(count))


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
@pytest.mark.parametrize("query", ["", "&unknown"])
def test_a_body_in_pieces_arrives_whole(client: httpx.Client, accepted: str, query: str) -> None:
    headers = {"Accept-Encoding": accepted}
    response = client.get(f"/pieces?count=20{query}", headers=headers)
    assert response.content == whole(20)
    is_compressed = accepted == "gzip"
    assert response.headers.get("content-encoding") == ("gzip" if is_compressed else None)
    assert response.headers["etag"] == ('"t-gzip"' if is_compressed else '"t"')
    assert set(response.headers["vary"].split(", ")) == {"Origin", "Accept-Encoding"}
    # What is compressed on the way has no length before it ends.
    has_length = not is_compressed and not query
    assert ("content-length" in response.headers) == has_length
    head = client.head(f"/pieces?count=20{query}", headers=headers)
    for each in (response, head):
        for name in ("date", "x-request-id", "transfer-encoding"):
            each.headers.pop(name, None)
    assert head.headers == response.headers
    assert head.content == b""


def test_head_makes_no_piece(client: httpx.Client) -> None:
    assert client.head("/pieces").status_code == 200
    assert MADE.pieces == 0


def test_pieces_are_made_as_the_client_reads(client: httpx.Client) -> None:
    with connect(str(client.base_url), receive_buffer=65536) as connection:
        connection.sendall(b"GET /pieces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        eventually(lambda: MADE.pieces > 2)
        before = -1
        while before != MADE.pieces:  # until the buffers are full
            before = MADE.pieces
            time.sleep(0.5)
        assert before < MANY / 4
        body = receive_all(connection).partition(b"\r\n\r\n")[2]
    assert body == whole(MANY)


def test_no_piece_is_made_for_a_client_that_is_gone(database: str) -> None:
    MADE.pieces = 0
    with json_log() as log, serving(database, Route("/pieces", pieces)) as client:
        with connect(str(client.base_url)) as connection:
            connection.sendall(b"GET /pieces HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert connection.recv(1)
        # The request ends, which its log line tells, without the other pieces.
        eventually(lambda: '"route": "/pieces"' in log())
    assert MADE.pieces < MANY / 4
    assert "error" not in {json.loads(line)["level"] for line in log().splitlines()}


def test_a_body_that_is_refused_meanwhile_does_not_cut_the_response(client: httpx.Client) -> None:
    with connect(str(client.base_url)) as connection:
        connection.sendall(
            b"GET /pieces HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
            b"transfer-encoding: chunked\r\n\r\n200000\r\n%b\r\n0\r\n\r\n" % bytes(0x200000)
        )
        assert receive_all(connection).endswith(f"{MANY - 1:08}".encode())


@pytest.mark.parametrize("accepted", ["identity", "gzip"])
@pytest.mark.parametrize("query", ["", "&unknown"])
def test_a_fault_on_the_way_leaves_the_body_incomplete(
    database: str, accepted: str, query: str
) -> None:
    with json_log() as log, serving(database, Route("/pieces", pieces)) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"/pieces?fault_at=3{query}", headers={"Accept-Encoding": accepted})
        assert client.get("/api/health").status_code == 200
    [fault] = [line for line in log().splitlines() if "unhandled_error" in line]
    assert "a fault on the way" in fault


@pytest.mark.parametrize("path", ["/docs/assets/redoc.js", "/docs/assets/swagger_bundle.js"])
def test_large_assets_come_in_pieces_with_their_length(client: httpx.Client, path: str) -> None:
    response = client.get(path, headers={"Accept-Encoding": "identity"})
    assert len(response.content) == int(response.headers["content-length"]) > 10 * PIECE
