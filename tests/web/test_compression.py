from __future__ import annotations

import gzip
import json
import os
import threading
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from service.web.compression import LONGEST_AT_ONCE, SHORTEST, read_accepted
from tests.support.problems import assert_problem
from tests.support.service import json_log, serving
from tests.support.wire import exchange, parse_responses

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from starlette.types import Receive, Scope, Send

    from service.state import Request

LINE = b"a line of text that repeats itself\n"


async def sized(request: Request) -> Response:
    size = int(request.query_params["size"])
    kind = request.query_params.get("type", "text/plain")
    text = (LINE * (size // len(LINE) + 1))[:size]
    return Response(text, media_type=kind, headers={"ETag": request.query_params.get("tag", '"t"')})


async def stream(request: Request) -> Response:
    async def parts() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield LINE

    return StreamingResponse(parts(), media_type="text/plain")


async def encoded(request: Request) -> Response:
    headers = {"Content-Encoding": "gzip"}
    return Response(gzip.compress(LINE * 1000), media_type="text/plain", headers=headers)


async def fault(request: Request) -> Response:
    return PlainTextResponse(LINE * 1000, status_code=500)


COMPRESSING = threading.Event()


async def hardly_compressible(request: Request) -> Response:
    # Some 3 s of work.
    body = os.urandom(1_000_000).hex() * 70
    COMPRESSING.set()
    return Response(body, media_type="text/plain")


class Unsendable:
    """A response whose body is no bytes, which the compression finds."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"99999")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": "x" * 99999})


KEPT = JSONResponse(["x" * 5000])


async def kept(request: Request) -> Response:
    return KEPT


ROUTES = [
    Route("/sized", sized),
    Route("/stream", stream),
    Route("/encoded", encoded),
    Route("/fault", fault),
    Route("/kept", kept),
    Route("/hardly", hardly_compressible),
    Route("/unsendable", Unsendable(), methods=["GET"]),
]


@pytest.fixture
def real(database: str) -> Iterator[httpx.Client]:
    """The service without routes of this test, which the OpenAPI document cannot describe."""
    with serving(database) as client:
        client.headers.pop("accept-encoding")
        yield client


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    with serving(database, *ROUTES) as client:
        client.headers.pop("accept-encoding")
        yield client


class Received(NamedTuple):
    """A response's headers, and its body after decompression."""

    headers: httpx.Headers
    content: bytes


def get(client: httpx.Client, path: str, accepted: str | None, method: str = "GET") -> Received:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    with client.stream(method, path, headers=headers) as response:
        raw = b"".join(response.iter_raw())
    assert method == "HEAD" or int(response.headers["content-length"]) == len(raw)
    is_compressed = raw and "content-encoding" in response.headers
    return Received(response.headers, gzip.decompress(raw) if is_compressed else raw)


@pytest.mark.parametrize("size", [SHORTEST, LONGEST_AT_ONCE, LONGEST_AT_ONCE + 1, 3_000_000])
def test_a_large_text_is_compressed_for_clients_that_accept_it(
    client: httpx.Client, size: int
) -> None:
    plain = get(client, f"/sized?size={size}", None)
    response = get(client, f"/sized?size={size}", "gzip, deflate, br, zstd")
    assert len(plain.content) == size
    assert response.content == plain.content
    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) < size / 5
    assert response.headers["content-type"] == plain.headers["content-type"]
    # Other bytes, another strong tag.
    assert (plain.headers["etag"], response.headers["etag"]) == ('"t"', '"t-gzip"')
    for each in (plain, response):
        assert set(each.headers["vary"].split(", ")) == {"Origin", "Accept-Encoding"}


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        (f"/sized?size={SHORTEST - 1}", "gzip"),
        ("/sized?size=0", "gzip"),
        ("/sized?size=0", "gzip, identity;q=0"),
        ("/sized?size=9999&type=image/png", "gzip"),
        ("/sized?size=9999&type=application/octet-stream", "gzip"),
        ("/api/health", "gzip"),
        ("/api/hello", "gzip"),
        ("/api/projects", "gzip"),
    ],
)
def test_small_bodies_and_other_types_stay_as_they_are(
    client: httpx.Client, path: str, accepted: str
) -> None:
    response = get(client, path, accepted)
    assert "content-encoding" not in response.headers
    # What has a tag has a 304, which has to have the same Vary.
    assert ("Accept-Encoding" in response.headers["vary"]) == ("etag" in response.headers)


@pytest.mark.parametrize(
    "kind",
    [
        "text/markdown; charset=utf-8",
        "application/json",
        "application/problem+json",
        "application/yaml",
        "text/javascript",
        "text/css",
        "text/csv",
    ],
)
def test_every_kind_of_text_is_compressed(client: httpx.Client, kind: str) -> None:
    response = get(client, f"/sized?size=9999&type={quote(kind)}", "gzip")
    assert response.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("deflate ,gzip ; q=0.5", True),
        ("gzip;q=1.000", True),
        ("gzip;q=0.001", True),
        ("*", True),
        ("br;q=1, *;q=0.1", True),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("identity;q=0", False),
        ("gzip;Q=0.5", True),
        ("", False),
        (",", False),
        ("identity", False),
        ("br, zstd, deflate", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000", False),
        ("gzip;q=0, *", False),
        ("*;q=0", False),
        ("gzip;q=0.4, identity;q=0.5", False),
        ("gzip;q=2", False),
        ("gzip;q=x", False),
        ("gzip;q=", False),
        ("gzip;q=-1", False),
        ("gzip;q=1e0", False),
        ("xgzip", False),
        ("gzip2", False),
    ],
)
def test_the_weights_decide(client: httpx.Client, accepted: str, is_compressed: bool) -> None:
    response = get(client, "/sized?size=9999", accepted)
    assert ("content-encoding" in response.headers) == is_compressed
    assert len(response.content) == 9999
    assert "Accept-Encoding" in response.headers["vary"]


def test_several_lines_count_as_one(client: httpx.Client) -> None:
    head = b"GET /sized?size=9999 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
    for lines, coding in (
        (b"accept-encoding: br\r\naccept-encoding: gzip\r\n", "gzip"),
        (b"accept-encoding: gzip;q=0\r\naccept-encoding: br\r\n", None),
    ):
        (response,) = parse_responses(exchange(str(client.base_url), head + lines + b"\r\n"))
        assert response.headers.get("content-encoding") == coding


@pytest.mark.parametrize("accepted", ["gzip, identity;q=0", "gzip;q=0.5, *;q=0"])
def test_a_client_that_refuses_plain_bodies_gets_small_ones_compressed(
    client: httpx.Client, accepted: str
) -> None:
    response = get(client, "/sized?size=10", accepted)
    assert response.headers["content-encoding"] == "gzip"
    assert response.content == LINE[:10]


@pytest.mark.parametrize("accepted", ["gzip", "identity", None])
@pytest.mark.parametrize("path", ["/sized?size=99999", "/sized?size=9", "/docs/assets/redoc.js"])
def test_head_has_the_headers_of_get(client: httpx.Client, path: str, accepted: str | None) -> None:
    found = get(client, path, accepted)
    head = get(client, path, accepted, "HEAD")
    for response in (found, head):
        del response.headers["date"], response.headers["x-request-id"]
    assert head.headers == found.headers


def test_a_weak_tag_stays_and_other_ranges_are_not_offered(client: httpx.Client) -> None:
    response = get(client, '/sized?size=9999&tag=W/"t"', "gzip")
    assert response.headers["etag"] == 'W/"t"'
    ranged = client.get("/sized?size=9999", headers={"Range": "bytes=0-9"})
    assert (ranged.status_code, len(ranged.content)) == (200, 9999)
    assert "accept-ranges" not in ranged.headers


def test_a_response_that_is_compressed_stays_as_it_is(client: httpx.Client) -> None:
    assert get(client, "/encoded", "gzip").content == LINE * 1000


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [("gzip", True), ("identity;q=0, gzip", True), ("identity", False), ("gzip;q=0", False)],
)
def test_a_response_in_parts_is_compressed_part_by_part(
    client: httpx.Client, accepted: str, is_compressed: bool
) -> None:
    response = client.get("/stream", headers={"Accept-Encoding": accepted})
    assert response.content == LINE * 100
    assert ("content-encoding" in response.headers) == is_compressed
    assert "Accept-Encoding" in response.headers["vary"]


def test_a_response_that_is_sent_again_is_compressed_again(client: httpx.Client) -> None:
    for accepted in ("gzip", None, "gzip", "identity"):
        assert len(get(client, "/kept", accepted).content) == 5004


def test_an_error_is_compressed_and_keeps_its_cors_headers(client: httpx.Client) -> None:
    headers = {"Origin": "http://localhost:3000", "Accept-Encoding": "gzip"}
    response = client.get(f"/api/{'x' * 3000}", headers=headers)
    assert response.status_code == 404
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["access-control-allow-origin"] == "http://localhost:3000"
    assert set(response.headers["vary"].split(", ")) == {"Origin", "Accept-Encoding"}
    assert response.json()["status"] == 404
    assert len(get(client, "/fault", "gzip").content) == len(LINE) * 1000


def test_lists_metrics_and_the_openapi_document_are_compressed(real: httpx.Client) -> None:
    for number in range(20):
        real.post("/api/projects", json={"name": str(number), "description": "x" * 100})
    for path in ("/api/projects", "/metrics", "/openapi.json", "/openapi.json/"):
        response = get(real, path, "gzip")
        assert response.headers["content-encoding"] == "gzip", path
        assert response.content
    assert json.loads(get(real, "/openapi.json", "gzip").content) == json.loads(
        get(real, "/openapi.json", None).content
    )


@pytest.mark.parametrize(
    "path", ["/openapi.json", "/docs/assets/redoc.js", "/docs/assets/swagger_bundle.js"]
)
def test_what_is_compressed_once_has_a_tag_and_a_304(real: httpx.Client, path: str) -> None:
    plain, compressed = get(real, path, None), get(real, path, "gzip")
    assert compressed.content == plain.content
    assert int(compressed.headers["content-length"]) < len(plain.content) / 2.5
    tag = plain.headers["etag"]
    assert compressed.headers["etag"] == f'{tag[:-1]}-gzip"'
    for response in (plain, compressed):
        assert "Accept-Encoding" in response.headers["vary"]
        same = real.get(path, headers={"If-None-Match": response.headers["etag"]})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == response.headers["etag"]
        assert same.headers["cache-control"] == response.headers["cache-control"]
        assert "Accept-Encoding" in same.headers["vary"]
    assert real.get(path, headers={"If-None-Match": '"x"'}).status_code == 200


def test_a_small_asset_is_not_compressed(client: httpx.Client) -> None:
    response = get(client, "/docs/assets/page.css", "gzip")
    assert "content-encoding" not in response.headers
    assert response.headers["etag"]


def test_the_weights_of_real_browsers() -> None:
    assert read_accepted("gzip, deflate, br, zstd") == (True, False)
    assert read_accepted("") == (False, False)


def statuses(log: str) -> list[int]:
    lines = [json.loads(line) for line in log.splitlines()]
    return [line["status"] for line in lines if line["message"] == "request"]


def test_a_fault_of_the_compression_is_a_problem(database: str) -> None:
    with json_log() as log, serving(database, *ROUTES) as client:
        assert_problem(client.get("/unsendable", headers={"Accept-Encoding": "gzip"}), 500)
    assert statuses(log()) == [500]


def test_a_compression_that_is_cut_off_is_a_problem(database: str) -> None:
    responses: list[httpx.Response] = []

    def ask(url: str) -> None:
        responses.append(httpx.get(url, headers={"Accept-Encoding": "gzip"}, timeout=30))

    with json_log() as log:
        with serving(database, *ROUTES, shutdown=1) as client:
            asking = threading.Thread(target=ask, args=[f"{client.base_url}/hardly"])
            asking.start()
            assert COMPRESSING.wait(20)
        asking.join()
    assert_problem(responses[0], 503)
    assert statuses(log()) == [503]
