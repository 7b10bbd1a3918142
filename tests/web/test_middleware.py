from __future__ import annotations

import asyncio
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from service.problems import Problem
from service.web import middleware
from service.web.middleware import MAX_BODY_BYTES
from tests.support.problems import assert_problem
from tests.support.service import Service, json_log, serving
from tests.support.waiting import assert_in_time, eventually, within
from tests.support.wire import exchange, parse_responses, send_raw

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from service.state import Request

ORIGIN = "http://localhost:3000"
POST = b"POST /echo HTTP/1.1\r\nhost: localhost\r\n"


async def echo(request: Request) -> JSONResponse:
    return JSONResponse({"bytes": len(await request.body())})


async def fail(request: Request) -> JSONResponse:
    raise RuntimeError("the secret is hunter2")


async def fail_half_way(request: Request) -> StreamingResponse:
    async def body() -> AsyncIterator[bytes]:
        yield b"half"
        raise RuntimeError("the secret is hunter2")

    return StreamingResponse(body(), headers={"content-length": "8"})


async def refuse(request: Request) -> JSONResponse:
    raise Problem("invalid", "Two fields are wrong.", errors={"name": ["is missing"]})


ROUTES = [
    Route("/echo", echo, methods=["POST"]),
    Route("/fail", fail),
    Route("/half", fail_half_way),
    Route("/refuse", refuse),
]


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with serving(database, *ROUTES) as client:
        yield client


def test_a_fault_is_a_500_without_its_cause(client: httpx.Client) -> None:
    response = client.get("/fail", headers={"origin": ORIGIN})
    body = assert_problem(response, 500)
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text
    assert "errors" not in body
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_a_fault_within_a_response_closes_the_connection(
    client: httpx.Client,
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/half")
    assert client.get("/api/health/live").status_code == 200


def test_a_fault_within_a_response_is_logged_once(database: str) -> None:
    with (
        json_log() as read_log,
        serving(database, *ROUTES) as client,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        client.get("/half")
    entries = [json.loads(line) for line in read_log().splitlines()]
    # uvicorn, too, would log an exception if the service began a second response.
    assert [entry["message"] for entry in entries if "exception" in entry] == ["unhandled_error"]


def test_a_body_of_exactly_the_limit_is_read(client: httpx.Client) -> None:
    response = client.post("/echo", content=bytes(MAX_BODY_BYTES))
    assert response.json() == {"bytes": MAX_BODY_BYTES}


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 10_000_000])
def test_a_larger_body_is_refused_by_its_content_length(size: int, client: httpx.Client) -> None:
    response = client.post("/echo", content=bytes(size), headers={"origin": ORIGIN})
    assert_problem(response, 413)
    assert response.headers["connection"] == "close"
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_a_larger_chunked_body_is_refused(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield bytes(65536)

    assert_problem(client.post("/echo", content=chunks()), 413)


def test_a_body_whose_last_chunk_exceeds_the_limit_is_refused_at_once(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "DISCARD_SECONDS", 20.0)

    def chunks() -> Iterator[bytes]:
        yield bytes(MAX_BODY_BYTES)
        yield b"!"

    response = client.post("/echo", content=chunks())
    assert_problem(response, 413)
    # Without the time in which the rest of a body is discarded: there is no rest.
    assert_in_time(response.elapsed.total_seconds(), 10)


def test_a_content_length_of_18_digits_is_refused(client: httpx.Client) -> None:
    head = f"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {'9' * 18}\r\n\r\n"
    assert send_raw(client, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_thousands_of_leading_zeros_of_a_content_length_are_ignored(client: httpx.Client) -> None:
    head = POST + b"connection: close\r\ncontent-length: %b4\r\n\r\n" % (b"0" * 5000)
    received = exchange(str(client.base_url), head + b"body")
    assert [response.body for response in parse_responses(received)] == [b'{"bytes":4}']


def test_a_larger_body_that_waits_for_100_continue_is_refused_at_once(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "DISCARD_SECONDS", 20.0)
    length = MAX_BODY_BYTES + 1
    head = POST + b"expect: 100-continue\r\ncontent-length: %d\r\n\r\n" % length
    with within(10):  # without the time in which a body is discarded: the client has not begun it
        assert send_raw(client, head).startswith(b"HTTP/1.1 413 ")


def test_the_deadline_of_a_body_does_not_end_a_longer_response(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.5)

    async def stream(request: Request) -> StreamingResponse:
        await request.body()

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(4):
                await asyncio.sleep(0.2)
                yield b"part"

        return StreamingResponse(parts())

    with serving(database, Route("/stream", stream, methods=["POST"])) as client:
        assert client.post("/stream", content=b"body").text == "part" * 4


def test_a_disconnect_before_the_body_is_no_fault(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    parts = urlsplit(service.url)
    for _ in range(10):
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(
                b"GET /api/health HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n"
            )
    service.process.terminate()
    assert service.wait() == 0
    assert not [entry for entry in service.entries() if entry["level"] == "error"]


def test_a_disconnect_within_the_body_is_no_fault(database: str) -> None:
    with json_log() as read_log, serving(database, *ROUTES) as client:
        parts = urlsplit(str(client.base_url))
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n"
            connection.sendall(head + b"half")
        eventually(lambda: "client_disconnected" in read_log())
        assert '"error"' not in read_log()


@pytest.mark.parametrize("path", ["/metrics%0a", "/api/health/live%0A", "/%0a"])
def test_a_path_that_ends_with_a_newline_is_a_404(path: str, client: httpx.Client) -> None:
    assert_problem(client.get(path), 404)


@pytest.mark.parametrize("path", ["/api/health", "/api/nothing", "/fail", "/refuse"])
def test_an_allowed_origin_may_read_responses_and_errors(path: str, client: httpx.Client) -> None:
    headers = client.get(path, headers={"origin": ORIGIN}).headers
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-credentials"] == "true"
    assert "X-Request-ID" in headers["access-control-expose-headers"]
    assert "Origin" in headers["vary"]


def test_another_origin_gets_no_cors_headers(client: httpx.Client) -> None:
    response = client.get("/api/health", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, authorization",
    }
    return client.options("/api/health", headers=headers)


def test_a_preflight_of_an_allowed_origin_is_accepted(client: httpx.Client) -> None:
    response = preflight(client, ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "PUT" in response.headers["access-control-allow-methods"]
    assert "authorization" in response.headers["access-control-allow-headers"]


def test_a_preflight_of_another_origin_is_a_problem_document(client: httpx.Client) -> None:
    response = preflight(client, "http://evil.example")
    assert assert_problem(response, 400)["detail"] == "Disallowed CORS origin."
    assert "access-control-allow-origin" not in response.headers


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (400, {"Content-Type": "application/json"}, b"{}"),
        (409, {"Content-Type": "application/json"}, b'{"name": "Payments"}'),
        (413, {"Content-Type": "application/json"}, b" " * 2_000_000),
        (415, {"Content-Type": "text/plain"}, b"{}"),
    ],
)
def test_an_allowed_origin_may_read_a_refusal(
    client: httpx.Client, status: int, headers: dict[str, str], body: bytes
) -> None:
    assert client.post("/api/projects", json={"name": "Payments"}).status_code == 201
    origin = "http://localhost:3000"
    response = client.post("/api/projects", content=body, headers=headers | {"Origin": origin})
    assert_problem(response, status)
    assert response.headers["access-control-allow-origin"] == origin
    assert response.headers["access-control-allow-credentials"] == "true"
    elsewhere = {"Origin": "http://localhost:3001"}
    refused = client.post("/api/projects", content=body, headers=headers | elsewhere)
    assert "access-control-allow-origin" not in refused.headers


def test_every_configured_origin_is_allowed(database: str) -> None:
    origins = ("https://one.example", "https://two.example:8443")
    with serving(database, cors_origins=origins) as client:
        for origin in origins:
            headers = client.get("/api/health", headers={"origin": origin}).headers
            assert headers["access-control-allow-origin"] == origin
