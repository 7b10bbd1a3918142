"""Requests with an Upgrade header, which the service ignores: each gets its response at once.

RFC 9110, section 7.8. A body is never read as the next request, and a request that follows is
answered unless the one before it asked to close the connection.
"""

from __future__ import annotations

import uuid
from itertools import product
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.service import run_service
from tests.support.waiting import eventually
from tests.support.wire import (
    connect,
    parse_responses,
    receive_all,
    receive_response,
    send,
    unharmed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres
    from tests.support.service import Service

CLOSING = (
    b"upgrade, close",
    b"close, upgrade",
    b"Close,UPGRADE",
    b"keep-alive, upgrade, close",
    b"close, keep-alive, upgrade",
    b"upgrade\r\nconnection: close",
    b"close\r\nConnection: upgrade",
    b"keep-alive\r\nconnection: Upgrade\r\nconnection: close",
    b"upgrade, http2-settings, close",
    b", ,upgrade,, close,",
    b"\tupgrade\t, close",
    b"upgrade;x=1, close",
    b"close",
)
KEEPING = (
    b"upgrade",
    b"upgrade, keep-alive",
    b"keep-alive\r\nconnection: upgrade",
    b"upgrade, http2-settings",
    b"keep-alive",
    b"x-upgrade",
)
PROTOCOLS = (
    b"upgrade: websocket\r\nsec-websocket-key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n",
    b"upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    b"Upgrade: HTTP/2.0, TLS/1.0\r\n",
    b"upgrade: websocket\r\nupgrade: h2c\r\n",
    b"upgrade:\r\n",
    b"",
)

# A body that would be a request of its own.
SMUGGLED = b"DELETE /api/projects HTTP/1.1\r\nhost: localhost\r\n\r\n"
CHUNKS = b"%x\r\n%b\r\n0\r\n" % (len(SMUGGLED), SMUGGLED)
PREFLIGHT = b"origin: http://localhost:3000\r\naccess-control-request-method: GET\r\n"
POST = b"POST /echo"
# Each with the start of its line, headers and body.
REQUESTS = {
    "GET": (b"GET /api/health/live", b"", b""),
    "HEAD": (b"HEAD /api/health/live", b"", b""),
    "OPTIONS": (b"OPTIONS /api/projects", PREFLIGHT, b""),
    "no body": (POST, b"content-length: 0\r\n", b""),
    "a body": (POST, b"content-length: %d\r\n" % len(SMUGGLED), SMUGGLED),
    "an awaited body": (POST, b"expect: 100-continue\r\ncontent-length: 1\r\n", b"x"),
    "chunks": (POST, b"transfer-encoding: chunked\r\n", CHUNKS + b"\r\n"),
    "trailers": (POST, b"transfer-encoding: chunked\r\n", CHUNKS + b"upgrade: h2c\r\nx: y\r\n\r\n"),
}
FOLLOWER = b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
UPGRADE = b"connection: upgrade\r\nupgrade: h2c\r\n"


@pytest.fixture(scope="module")
def service(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("upgrades") / "log"
    url = postgres.create_database(template="migrated")
    with run_service(log, "-m", "tests.support.attackable", DATABASE_URL=url) as service:
        yield service


def statuses(service: Service, *pieces: bytes, is_head: bool = False) -> list[int]:
    """Return the statuses of the responses to what is sent in pieces, until the service closes."""
    with connect(service.url) as connection:
        for piece in pieces:
            send(connection, piece)
        responses = parse_responses(receive_all(connection), may_be_head=is_head)
    return [response.status for response in responses]


def head(line: bytes, version: bytes, *headers: bytes) -> bytes:
    return b"%b HTTP/%b\r\nhost: localhost\r\n%b\r\n" % (line, version, b"".join(headers))


@pytest.mark.parametrize("name", REQUESTS)
def test_a_complete_request_is_answered_whatever_it_asks_to_upgrade_to(
    service: Service, name: str
) -> None:
    line, headers, body = REQUESTS[name]
    is_head = name == "HEAD"
    with unharmed(service):
        for connection, protocol, version in product(
            (*CLOSING, *KEEPING), PROTOCOLS, (b"1.1", b"1.0")
        ):
            if version == b"1.0" and b"chunked" in headers:
                continue
            is_last = connection in CLOSING or version == b"1.0"
            expected = [200] if is_last else [200, 200]
            whole = head(line, version, b"connection: %b\r\n" % connection, protocol, headers)
            sent = whole + body + FOLLOWER
            assert statuses(service, sent, is_head=is_head) == expected, sent
            if protocol == PROTOCOLS[0] and version == b"1.1":
                bytes_alone = [sent[at : at + 1] for at in range(len(sent))]
                assert statuses(service, *bytes_alone, is_head=is_head) == expected, sent
                assert statuses(service, whole, body, FOLLOWER, is_head=is_head) == expected, sent


def test_pipelined_requests_to_upgrade_are_all_answered(service: Service) -> None:
    get = head(b"GET /api/health/live", b"1.1", UPGRADE)
    post = head(POST, b"1.1", UPGRADE, b"content-length: 1\r\n") + b"x"
    with unharmed(service):
        assert statuses(service, (get + post) * 40 + FOLLOWER) == [200] * 81


def test_each_of_several_workers_answers_requests_to_upgrade(database: str, tmp_path: Path) -> None:
    variables = {"DATABASE_URL": database, "WEB_CONCURRENCY": "2"}
    line, _, _ = REQUESTS["GET"]
    with run_service(tmp_path / "log", **variables) as service:
        eventually(service.is_healthy)
        for connection, protocol in product((*CLOSING, *KEEPING), PROTOCOLS):
            sent = head(line, b"1.1", b"connection: %b\r\n" % connection, protocol) + FOLLOWER
            assert statuses(service, sent) == ([200] if connection in CLOSING else [200, 200])


def test_what_follows_a_connect_is_no_request(service: Service) -> None:
    for headers in (b"", UPGRADE, b"connection: upgrade, close\r\nupgrade: websocket\r\n"):
        with unharmed(service):
            sent = head(b"CONNECT localhost:1", b"1.1", headers)
            assert statuses(service, sent + SMUGGLED + FOLLOWER) == [400]
    # Nor is it executed without a response.
    assert statuses(service, FOLLOWER) == [200]
    assert "DELETE" not in {line.get("method") for line in service.entries()}


def test_what_follows_a_request_that_closes_is_dropped_without_a_word(service: Service) -> None:
    closing = head(b"GET /api/health/live", b"1.1", b"connection: close\r\n")
    # Lines are written in order, by a thread: those of earlier tests are there before this one.
    marker = str(uuid.uuid4())
    assert httpx.get(f"{service.url}/api/none", headers={"X-Request-ID": marker}).status_code == 404
    eventually(lambda: marker in {line["request_id"] for line in service.find("request")})
    before = len(service.find("request_refused"))
    with unharmed(service):
        assert statuses(service, closing + FOLLOWER) == [200]
        assert statuses(service, closing, FOLLOWER) == [200]
        assert statuses(service, closing + b"\0 no HTTP") == [200]
    assert len(service.find("request_refused")) == before


def test_trailers_that_close_the_connection_end_it_after_the_response(service: Service) -> None:
    trailers = b"0\r\nconnection: close\r\n\r\n"
    sent = head(POST, b"1.1", b"transfer-encoding: chunked\r\n") + trailers
    with unharmed(service), connect(service.url) as connection:
        send(connection, sent + FOLLOWER)
        (response,) = parse_responses(receive_all(connection))
        assert (response.status, response.is_last) == (200, True)


def test_trailers_after_their_response_close_the_connection(service: Service) -> None:
    sent = head(b"POST /api/health/live", b"1.1", b"transfer-encoding: chunked\r\n")
    with unharmed(service), connect(service.url) as connection:
        send(connection, sent)
        assert receive_response(connection).status == 405
        send(connection, b"0\r\nconnection: close\r\n\r\n")
        assert receive_all(connection) == b""
