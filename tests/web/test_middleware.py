from __future__ import annotations

import json
import select
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from service.problems import Problem
from service.web.middleware import MAX_BODY_BYTES
from tests.support.problems import assert_problem
from tests.support.service import Service, json_log, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from service.state import Request

ORIGIN = "http://localhost:3000"
LIFECYCLE = {"listening", "stopping", "stopped"}


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


async def take_down(request: Request) -> JSONResponse:
    return JSONResponse(await request.state["database"].fetch_value("select pg_sleep(0)"))


ROUTES = [
    Route("/echo", echo, methods=["POST"]),
    Route("/echo", refuse, methods=["PUT"]),
    Route("/fail", fail),
    Route("/half", fail_half_way),
    Route("/refuse", refuse),
    Route("/database", take_down),
]


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with serving(database, *ROUTES) as client:
        yield client


def test_an_unknown_path_is_a_problem_document(client: httpx.Client) -> None:
    assert_problem(client.get("/api/nothing"), 404)


def test_a_method_that_the_path_has_not_is_a_problem_document(client: httpx.Client) -> None:
    response = client.delete("/api/health")
    assert_problem(response, 405)
    assert response.headers["allow"] == "GET, HEAD"


def test_allow_names_the_methods_of_all_routes_on_a_path(client: httpx.Client) -> None:
    response = client.get("/echo")
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST, PUT"


def test_a_fault_is_a_problem_document_that_tells_nothing(client: httpx.Client) -> None:
    response = client.get("/fail", headers={"origin": ORIGIN})
    body = assert_problem(response, 500)
    assert "hunter2" not in response.text
    assert "RuntimeError" not in response.text
    assert "errors" not in body
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_after_a_fault_half_way_the_client_sees_that_the_body_is_not_whole(
    client: httpx.Client,
) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/half")
    assert client.get("/api/health/live").status_code == 200


def test_a_validation_error_names_the_fields(client: httpx.Client) -> None:
    body = assert_problem(client.get("/refuse"), 400)
    assert body["detail"] == "Two fields are wrong."
    assert body["errors"] == {"name": ["is missing"]}


def test_a_database_that_is_gone_is_a_503_to_try_again(database: str) -> None:
    with serving(database.replace("host=", "host=/nowhere"), *ROUTES) as client:
        response = client.get("/database")
        assert_problem(response, 503)
        assert response.headers["retry-after"] == "5"
        assert "nowhere" not in response.text


def test_a_body_of_just_the_limit_is_read(client: httpx.Client) -> None:
    response = client.post("/echo", content=bytes(MAX_BODY_BYTES))
    assert response.json() == {"bytes": MAX_BODY_BYTES}


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 10_000_000])
def test_a_larger_body_is_refused_by_its_announced_length(size: int, client: httpx.Client) -> None:
    response = client.post("/echo", content=bytes(size), headers={"origin": ORIGIN})
    assert_problem(response, 413)
    assert response.headers["connection"] == "close"
    assert response.headers["access-control-allow-origin"] == ORIGIN


def test_a_larger_body_is_refused_while_it_comes_in_chunks(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(MAX_BODY_BYTES // 65536 + 1):
            yield bytes(65536)

    assert_problem(client.post("/echo", content=chunks()), 413)


def test_a_body_that_passes_the_limit_with_its_last_piece_is_refused_at_once(
    client: httpx.Client,
) -> None:
    def chunks() -> Iterator[bytes]:
        yield bytes(MAX_BODY_BYTES)
        yield b"!"

    response = client.post("/echo", content=chunks())
    assert_problem(response, 413)
    # Not after waiting for more of it, which is done for 2 s.
    assert response.elapsed.total_seconds() < 1.5


def test_an_absurd_content_length_is_refused(client: httpx.Client) -> None:
    head = f"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: {'9' * 18}\r\n\r\n"
    assert raw(client, head.encode()).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_hangs_up_in_the_middle_is_no_fault(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    parts = urlsplit(service.url)
    for _ in range(10):
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(
                b"GET /api/health HTTP/1.1\r\nhost: test\r\ncontent-length: 99\r\n\r\n"
            )
    service.process.terminate()
    assert service.wait() == 0
    assert not [entry for entry in service.entries() if entry["level"] == "error"]


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\r\nbroken header\r\n\r\n",
        b"\x16\x03\x01 this is TLS\r\n\r\n",
        b"GET /caf\xe9 HTTP/1.1\r\nhost: test\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        b"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: -1\r\n\r\n",
    ],
)
def test_what_is_not_http_is_a_problem_document(request_: bytes, client: httpx.Client) -> None:
    head, _, body = raw(client, request_).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"Content-Type: application/problem+json" in head
    assert b"Connection: close" in head
    assert json.loads(body)["status"] == 400


def test_a_chunk_that_is_not_one_is_a_problem_document(client: httpx.Client) -> None:
    request = b"POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"
    assert raw(client, request).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_headers_without_end_are_refused(client: httpx.Client) -> None:
    endless = b"x: " + b"a" * 8000 + b"\r\n"
    answer = raw(client, b"GET /api/health/live HTTP/1.1\r\nhost: test\r\n", *[endless] * 9)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert client.get("/api/health/live").status_code == 200


@pytest.mark.parametrize("large", [b"GET /%b HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nx: %b\r\n"])
def test_a_large_head_that_comes_whole_is_refused_too(large: bytes, client: httpx.Client) -> None:
    request = large % (b"a" * 65_537) + b"content-length: 4\r\n\r\nbody"
    head, _, body = raw(client, request).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert json.loads(body)["status"] == 431
    request = large % (b"a" * 65_000) + b"content-length: 4\r\n\r\nbody"
    assert not raw(client, request).startswith(b"HTTP/1.1 431 ")


@pytest.mark.parametrize(
    "bad", [b"not http\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 65_537 + b"\r\n\r\n"]
)
def test_whole_requests_before_a_bad_one_are_answered(bad: bytes, client: httpx.Client) -> None:
    body = b"content-length: 4\r\n\r\nbody"
    good = b"GET /api/health/live HTTP/1.1\r\nhost: test\r\n"
    request = good + body + b"POST /echo HTTP/1.1\r\nhost: test\r\n" + body + good + b"\r\n" + bad
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(request)
        answers = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == answers.count(b"HTTP/1.1 ") == 3
    assert answers.count(b"connection: close") == 1


def test_a_bad_one_is_not_answered_in_the_place_of_the_one_before(client: httpx.Client) -> None:
    before = b"POST /database HTTP/1.1\r\nhost: test\r\ncontent-length: 0\r\n\r\n"
    bad = b"POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n"
    assert not raw(client, before + bad).startswith(b"HTTP/1.1 400 ")


def test_many_requests_on_one_connection_are_not_taken_for_one_large_head(
    client: httpx.Client,
) -> None:
    for _ in range(200):
        response = client.get("/api/health/live", headers={"x": "a" * 1000})
        assert response.status_code == 200


def test_what_is_not_http_is_one_line_in_the_log(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    parts = urlsplit(service.url)
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall(b"not http\r\n\r\n")
        body = connection.recv(65536).partition(b"\r\n\r\n")[2]
    service.process.terminate()
    assert service.wait() == 0
    lines = [entry for entry in service.entries() if entry["message"] not in LIFECYCLE]
    assert [line["message"] for line in lines] == ["request_malformed"]
    assert lines[0]["request_id"] == json.loads(body)["request_id"]


def test_a_client_that_hangs_up_in_its_body_is_no_fault(database: str) -> None:
    with json_log() as read_log, serving(database, *ROUTES) as client:
        parts = urlsplit(str(client.base_url))
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            head = b"POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 99\r\n\r\n"
            connection.sendall(head + b"half")
        eventually(lambda: "client_disconnected" in read_log())
        assert '"error"' not in read_log()


def raw(client: httpx.Client, *request: bytes) -> bytes:
    """Send the parts, and return what comes first."""
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        for part in request:
            if select.select([connection], [], [], 0)[0]:
                break  # it has been answered already
            connection.sendall(part)
        return connection.recv(65536)


@pytest.mark.parametrize(
    ("path", "instance"),
    [
        ("/api/a%20b%ff", "/api/a%20b%ff"),
        ("/%zz%4", "/%25zz%254"),
        ('/a"<b>|', "/a%22%3Cb%3E%7C"),
        ("/a@b:c;d=(1),$&'*+!~", "/a@b:c;d=(1),$&'*+!~"),
        ("//evil.example/x", "/.//evil.example/x"),
    ],
)
def test_the_instance_is_a_reference_to_what_was_asked_for(
    path: str, instance: str, client: httpx.Client
) -> None:
    request = f"GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
    _, _, body = raw(client, request.encode()).partition(b"\r\n\r\n")
    assert json.loads(body)["instance"] == instance
    assert urlsplit(instance).netloc == ""


@pytest.mark.parametrize(
    "path", ["/%00", "/%ff", "/api/health%2f..", "/" + "a" * 20_000, "//", "/api//health", "/%"]
)
def test_a_strange_path_is_a_client_error(path: str, client: httpx.Client) -> None:
    answer = raw(client, f"GET {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n".encode())
    assert answer.split()[1] in {b"400", b"404", b"307"}
    assert client.get("/api/health").status_code == 200


@pytest.mark.parametrize("path", ["/metrics%0a", "/api/health/live%0A", "/%0a"])
def test_a_newline_at_the_end_is_another_path(path: str, client: httpx.Client) -> None:
    assert_problem(client.get(path), 404)


def test_a_slash_at_the_end_makes_no_difference(client: httpx.Client) -> None:
    assert client.get("/api/health/").json()["status"] == "ok"
    assert client.get("/docs/").status_code == 200


@pytest.mark.parametrize("path", ["/api/health", "/api/nothing", "/fail", "/refuse"])
def test_an_allowed_origin_may_read_answers_and_errors(path: str, client: httpx.Client) -> None:
    headers = client.get(path, headers={"origin": ORIGIN}).headers
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-allow-credentials"] == "true"
    assert "X-Request-ID" in headers["access-control-expose-headers"]
    assert "Origin" in headers["vary"]


def test_another_origin_may_not(client: httpx.Client) -> None:
    response = client.get("/api/health", headers={"origin": "http://evil.example"})
    assert "access-control-allow-origin" not in response.headers


def preflight(client: httpx.Client, origin: str) -> httpx.Response:
    headers = {
        "origin": origin,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, authorization",
    }
    return client.options("/api/health", headers=headers)


def test_a_preflight_of_an_allowed_origin_is_answered(client: httpx.Client) -> None:
    response = preflight(client, ORIGIN)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN
    assert "PUT" in response.headers["access-control-allow-methods"]
    assert "authorization" in response.headers["access-control-allow-headers"]


def test_a_preflight_of_another_origin_is_a_problem_document(client: httpx.Client) -> None:
    response = preflight(client, "http://evil.example")
    assert assert_problem(response, 400)["detail"] == "Disallowed CORS origin."
    assert "access-control-allow-origin" not in response.headers


def test_every_configured_origin_is_allowed(database: str) -> None:
    origins = ("https://one.example", "https://two.example:8443")
    with serving(database, cors_origins=origins) as client:
        for origin in origins:
            headers = client.get("/api/health", headers={"origin": origin}).headers
            assert headers["access-control-allow-origin"] == origin
