"""Hostile requests to every route, as bytes, since no HTTP client would send most of them."""

from __future__ import annotations

import json
import random
import string
from typing import TYPE_CHECKING

import httpx
import pytest

from service.app import ROUTES
from service.web.middleware import MAX_BODY_BYTES, MAX_WEBHOOK_BYTES
from tests.support.examples import add_examples, example_path
from tests.support.postgres import run_sql
from tests.support.service import run_service
from tests.support.wire import (
    TIMEOUT_SECONDS,
    WireResponse,
    assert_no_server_error,
    exchange,
    parse_responses,
    unharmed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.postgres import Postgres
    from tests.support.service import Service

METHODS = (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE")
PATHS = sorted({example_path(route.path) for route in ROUTES})

# Sent after each attack: the service has to close the connection, or to recognize this as the next
# request.
LIVE = b"GET /api/health/live HTTP/1.1\r\nhost: localhost\r\n"
LAST = LIVE + b"connection: close\r\nx-request-id: last\r\n\r\n"

# A body that looks like a request. A response to it proves request smuggling.
SMUGGLED = LIVE + b"x-request-id: smuggled\r\n\r\n"
LENGTH = b"%d" % len(SMUGGLED)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

JSON = b"content-type: application/json"
DEEP = 100_000


def request(*headers: bytes, target: bytes = b"PATH", body: bytes = b"") -> bytes:
    """Return a template of a request, with METHOD and PATH to be replaced."""
    lines = [b"METHOD %b HTTP/1.1" % target, b"host: localhost", *headers]
    return b"\r\n".join([*lines, b"", body])


def with_body(body: bytes, *headers: bytes) -> bytes:
    return request(*headers, b"content-length: %d" % len(body), body=body)


TARGETS = {
    "a lone percent sign": b"PATH%",
    "invalid escapes": b"PATH%zz%4",
    "an escaped NUL": b"PATH%00",
    "NUL": b"PATH\x00",
    "DEL": b"PATH\x7f",
    "escaped line ends": b"PATH%0d%0aset-cookie:%20a=b",
    "escaped invalid UTF-8": b"PATH/%ff%c0%af%ed%a0%80",
    "invalid UTF-8": b"PATH/\xff\xc0\xaf",
    "valid UTF-8": "PATH/☃".encode(),
    "a huge integer": b"PATH/" + b"9" * 5000,
    "huge integers in a query": b"PATH?limit=" + b"9" * 5000 + b"&offset=-" + b"9" * 5000,
    "NUL and invalid UTF-8 in a query": b"PATH?q=%00%ff&%ff=%00",
    "raw bytes in a query": b"PATH?q=\xff\xfe",
    "a query of 10,000 fields": b"PATH?" + b"a=1&" * 10_000,
    "a query with brackets": b"PATH?a[b][c]=1&a[]=2&__proto__[x]=1&{{7*7}}",
    "a long path": b"PATH/" + b"a" * 60_000,
    "a path above the limit": b"PATH/" + b"a" * 70_000,
    "a path of slashes": b"PATH" + b"/" * 60_000,
    "dots": b"PATH/../../../../etc/passwd",
    "escaped dots": b"PATH/%2e%2e%2f%2e%2e%2fetc/passwd",
    "back slashes": b"PATH\\..\\..\\windows",
    "two leading slashes": b"//evil.examplePATH",
    "a parameter": b"PATH;jsessionid=1",
    "a fragment": b"PATH#fragment",
    "quotes and braces": b"PATH\"'<>{}|^`",
    "the absolute form": b"http://testPATH",
    "the absolute form of another host": b"https://user:word@evil.example:443PATH",
    "the absolute form without a path": b"http://test",
    "the absolute form with an invalid port": b"http://test:99999999PATH",
    "the absolute form with an invalid address": b"http://[::1PATH",
    "an unknown scheme": b"gopher://testPATH",
    "the authority form": b"test:80",
    "the asterisk form": b"*",
    "no slash": b"health",
    "an empty target": b"",
    "only a query": b"?a=b",
}

HEADERS = {
    "a large header": b"x: " + b"a" * 60_000,
    "a header above the limit": b"x: " + b"a" * 70_000,
    "a large name": b"x" * 60_000 + b": a",
    "10,000 headers": b"\r\n".join([b"a:"] * 10_000),
    "20,000 headers": b"\r\n".join([b"a:"] * 20_000),
    "a large cookie": b"cookie: a=" + b"b" * 60_000,
    "12,000 cookies": b"cookie: " + b"a=b; " * 12_000,
    "3,000 cookie headers": b"\r\n".join([b"cookie: a=b;;=;"] * 3000),
    "invalid UTF-8": b"x: \xff\xc0\xaf\xed\xa0\x80",
    "NUL": b"x: a\x00b",
    "DEL": b"x: a\x7fb",
    "a carriage return": b"x: a\rcontent-length: 5",
    "a folded line": b"x: a\r\n b",
    "a folded first line": b" x: a",
    "a space before the colon": b"x : a",
    "no colon": b"nothing",
    "an empty name": b": a",
    "a name with a space": b"a b: c",
    "a name in UTF-8": "☃: a".encode(),
    "a lone line feed": b"x: a\ny: b",
    "two hosts": b"host: evil.example",
    "an invalid host": b"host: \xff@[::",
    "X-Forwarded-For without addresses": b"x-forwarded-for: , ,, ,",
    "invalid X-Forwarded-For": b"x-forwarded-for: \xff, [::1, :::, 1.2.3.4:" + b"9" * 5000,
    "X-Forwarded-For with 5,000 addresses": b"x-forwarded-for: " + b"127.0.0.1, " * 5000,
    "invalid X-Forwarded-Proto": b"x-forwarded-proto: \xffjavascript",
    "invalid Forwarded": b'forwarded: for="[\xff;by=,,',
    "invalid X-Request-ID": b"x-request-id: \xff\x80 \t {}\"'",
    "long X-Request-ID": b"x-request-id: " + b"a" * 50_000,
    "invalid traceparent": b"traceparent: \xff",
    "traceparent of zeros": b"traceparent: 00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00",
    "long traceparent": b"traceparent: 01-" + b"1" * 32 + b"-" + b"1" * 16 + b"-01-" * 9000,
    "a small range": b"range: bytes=0-0",
    "a huge range": b"range: bytes=99999999999999999999-",
    "10,000 ranges": b"range: bytes=" + b"0-1," * 10_000,
    "invalid conditions": b'if-none-match: *\r\nif-match: "\xff\r\nif-modified-since: yesterday',
    "an invalid origin": b"origin: \xff\r\naccess-control-request-method: \xff",
    "an allowed origin with an invalid preflight": b"origin: http://localhost:3000\r\n"
    b"access-control-request-method: \xff\r\naccess-control-request-headers: \xff\t,,\x80",
    "an allowed origin with a long preflight": b"origin: http://localhost:3000\r\n"
    b"access-control-request-method: PUT\r\naccess-control-request-headers: " + b"a," * 25_000,
    "invalid authorization": b"authorization: Basic \xff\xff=====",
    "invalid content type": b"content-type: \xff/;;;=;charset=utf-7;boundary=",
    "a WebSocket": b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "an upgrade to HTTP/2": b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
    b"http2-settings: AAMAAABkAAQAAP__",
    "an upgrade to an invalid protocol": b"connection: upgrade\r\nupgrade: \xff, a/b, c",
    "Expect: 100-continue": b"expect: 100-continue",
    "an unknown expectation": b"expect: the-spanish-inquisition",
    "contradicting connections": b"connection: keep-alive, close, \xff\r\nconnection: te",
    "announced trailers that never come": b"te: trailers\r\ntrailer: content-length",
}

BODIES = {
    "JSON, 100,000 lists deep": with_body(b"[" * DEEP + b"]" * DEEP, JSON),
    "JSON, 100,000 objects deep": with_body(b'{"":' * DEEP + b"1" + b"}" * DEEP, JSON),
    "unclosed JSON": with_body(b"[" * DEEP, JSON),
    "JSON of 100,000 keys": with_body(
        json.dumps(dict.fromkeys(map(str, range(DEEP)), 0)).replace(" ", "").encode(), JSON
    ),
    "JSON with 50,000 equal keys": with_body(b"{" + b'"a":1,' * 50_000 + b'"a":2}', JSON),
    "a huge JSON integer": with_body(b"9" * DEEP, JSON),
    "invalid JSON": with_body(b'{"a": NaN, "b": Infinity, "\\ud800": "\\u0000"', JSON),
    "JSON in invalid UTF-8": with_body(b'{"\xff": "\xc0\xaf"}', JSON),
    "JSON declared as XML": with_body(b"{}", b"content-type: application/xml"),
    "XML with entity expansion": with_body(
        b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><a>' + b"&b;" * 9000 + b"</a>",
        b"content-type: application/xml",
    ),
    "a form of 100,000 fields": with_body(
        b"a=1&" * DEEP, b"content-type: application/x-www-form-urlencoded"
    ),
    "an unclosed multipart form": with_body(
        b"--a\r\n" * DEEP, b"content-type: multipart/form-data; boundary=a"
    ),
    "invalid gzip": with_body(b"\x1f\x8b" + bytes(999), b"content-encoding: gzip"),
    "a body above the limit": with_body(bytes(1_048_577)),
}

# Valid requests with unusual framing: the body ends where its framing says.
VALID_FRAMING = {
    "a body for every method": with_body(SMUGGLED),
    "a length with many zeros": request(b"content-length: " + b"0" * 5000 + LENGTH, body=SMUGGLED),
    "a length between blanks": request(b"content-length:\t " + LENGTH + b" \t", body=SMUGGLED),
    "Expect: 100-continue with a body": with_body(SMUGGLED, b"expect: 100-continue"),
    "an upgrade with a body": with_body(SMUGGLED, b"connection: upgrade", b"upgrade: h2c"),
    "an upgrade with a chunked body": request(
        b"connection: upgrade", b"upgrade: h2c", b"transfer-encoding: chunked", body=CHUNKS
    ),
    "chunked": request(b"transfer-encoding: chunked", body=CHUNKS),
    "chunked in mixed case": request(b"TrAnSfEr-EnCoDiNg: ChUnKeD", body=CHUNKS),
    "chunks of one byte": request(
        b"transfer-encoding: chunked", body=b"1\r\na\r\n" * 5000 + b"0\r\n\r\n"
    ),
    "chunks with extensions": request(
        b"transfer-encoding: chunked", body=b'1;a="b;\xff";c\r\na\r\n' * 1000 + b"0;d\r\n\r\n"
    ),
    "a chunk with a large extension": request(
        b"transfer-encoding: chunked", body=b"1;" + b"a" * 50_000 + b"\r\na\r\n0\r\n\r\n"
    ),
    "trailers": request(
        b"transfer-encoding: chunked",
        body=b"0\r\nhost: evil.example\r\nx-request-id: smuggled\r\n\r\n",
    ),
    "8,000 trailers": request(
        b"transfer-encoding: chunked", body=b"0\r\n" + b"a: b\r\n" * 8000 + b"\r\n"
    ),
}

# Requests with ambiguous or invalid framing: a proxy in front of the service may see their end
# elsewhere, which is how request smuggling works.
INVALID_FRAMING = {
    "content-length and chunked": request(
        b"content-length: " + LENGTH, b"transfer-encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "chunked and content-length": request(
        b"transfer-encoding: chunked", b"content-length: 5", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "two lengths": request(b"content-length: 0", b"content-length: " + LENGTH, body=SMUGGLED),
    "two equal lengths": request(*[b"content-length: " + LENGTH] * 2, body=SMUGGLED),
    "a list of lengths": request(b"content-length: 0, " + LENGTH, body=SMUGGLED),
    "a negative length": request(b"content-length: -1", body=SMUGGLED),
    "a length with a sign": request(b"content-length: +" + LENGTH, body=SMUGGLED),
    "a length in hexadecimal": request(b"content-length: 0x0", body=SMUGGLED),
    "a length in other digits": request(b"content-length: \xd9\xa0", body=SMUGGLED),
    "an empty length": request(b"content-length:", body=SMUGGLED),
    "a length of 31 digits": request(b"content-length: 1" + b"0" * 30, body=SMUGGLED),
    "a length just above 64 bits": request(b"content-length: %d" % 2**64, body=SMUGGLED),
    "a length on a folded line": request(b"content-length:\r\n 0", body=SMUGGLED),
    "a space after content-length": request(b"content-length : 0", body=SMUGGLED),
    "a space after transfer-encoding": request(b"transfer-encoding : chunked", body=CHUNKS),
    "chunked on a folded line": request(b"transfer-encoding:\r\n chunked", body=CHUNKS),
    "chunked twice": request(b"transfer-encoding: chunked, chunked", body=CHUNKS),
    "gzip after chunked": request(b"transfer-encoding: chunked, gzip", body=CHUNKS),
    "xchunked": request(b"transfer-encoding: xchunked", body=CHUNKS),
    "a control character before chunked": request(b"transfer-encoding: \x0bchunked", body=CHUNKS),
    "another transfer coding": request(b"transfer-encoding: identity", body=SMUGGLED),
    "a chunk without a size": request(b"transfer-encoding: chunked", body=b"\r\n" + SMUGGLED),
    "a chunk of a negative size": request(b"transfer-encoding: chunked", body=b"-1\r\n" + SMUGGLED),
    "a chunk size with 0x": request(b"transfer-encoding: chunked", body=b"0x0\r\n\r\n" + SMUGGLED),
    "a chunk size above 64 bits": request(
        b"transfer-encoding: chunked", body=b"1" + b"0" * 16 + b"\r\n" + SMUGGLED
    ),
    "a chunk longer than its size": request(
        b"transfer-encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n" + SMUGGLED
    ),
    "content-length and transfer-encoding as trailers": request(
        b"transfer-encoding: chunked",
        body=b"0\r\ncontent-length: 9\r\ntransfer-encoding: gzip\r\n\r\n" + SMUGGLED,
    ),
    "chunks with lone line feeds": request(
        b"transfer-encoding: chunked", body=b"1\na\n0\n\n" + SMUGGLED
    ),
}

# Invalid or unusual request lines, and other protocols.
LINES = {
    "the method TRACE": b"TRACE PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "the method CONNECT": b"CONNECT PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "the method CONNECT to a host": b"CONNECT evil.example:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "an unknown method": b"BREW PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a method of WebDAV": b"PROPFIND PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a lower-case method": b"get PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a long method": b"A" * 60_000 + b" PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "HTTP/0.9": b"GET PATH\r\n\r\n",
    "HTTP/1.0": b"METHOD PATH HTTP/1.0\r\n\r\n",
    "HTTP/1.0 with keep-alive": b"METHOD PATH HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    "HTTP/1.0 with chunks": b"METHOD PATH HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "HTTP/1.1 without a host": b"METHOD PATH HTTP/1.1\r\n\r\n",
    "HTTP/1.9": b"METHOD PATH HTTP/1.9\r\nhost: localhost\r\n\r\n",
    "HTTP/2.0 as text": b"METHOD PATH HTTP/2.0\r\nhost: localhost\r\n\r\n",
    "HTTP/99999999999.1": b"METHOD PATH HTTP/99999999999.1\r\nhost: localhost\r\n\r\n",
    "another protocol": b"METHOD PATH SIP/2.0\r\nhost: localhost\r\n\r\n",
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "a TLS handshake": bytes.fromhex("16030100f8010000f40303") + bytes(range(256)),
    "lone line feeds": b"METHOD PATH HTTP/1.1\nhost: localhost\n\n",
    "lone carriage returns": b"METHOD PATH HTTP/1.1\rhost: localhost\r\r",
    "1,000 leading empty lines": b"\r\n" * 1000
    + b"METHOD PATH HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "1,000 blanks": b"METHOD" + b" " * 1000 + b"PATH" + b" " * 1000 + b"HTTP/1.1\r\n\r\n",
    "tabs between words": b"METHOD\tPATH\tHTTP/1.1\r\nhost: localhost\r\n\r\n",
    "NULs": bytes(1000) + b"\r\n\r\n",
    "a PROXY protocol header": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "a Redis command": b"*1\r\n$8\r\nFLUSHALL\r\n",
    "a response": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
}

ATTACKS = {
    **{f"target: {name}": request(target=target) for name, target in TARGETS.items()},
    **{f"header: {name}": request(lines) for name, lines in HEADERS.items()},
    **{f"body: {name}": body for name, body in BODIES.items()},
    **{f"line: {name}": line for name, line in LINES.items()},
}


@pytest.fixture(scope="module")
def shared_database(postgres: Postgres) -> str:
    return postgres.create_database(template="migrated")


@pytest.fixture(scope="module")
def shared_service(
    shared_database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("hostile") / "log"
    with run_service(log, DATABASE_URL=shared_database, SYNC_CONCURRENCY="0") as service:
        yield service


@pytest.fixture
def service(shared_service: Service, shared_database: str) -> Service:
    """The service, with a row for each path: some attacks deleted the last ones."""
    run_sql(shared_database, "delete from project")
    add_examples(shared_database)
    return shared_service


def attack(
    service: Service, *pieces: bytes, paths: Sequence[bytes] = PATHS
) -> list[list[WireResponse]]:
    """Send a request in pieces, with each method and path; return each connection's responses."""
    requests = dict.fromkeys(
        tuple(piece.replace(b"METHOD", method).replace(b"PATH", path) for piece in pieces)
        for method in METHODS
        for path in paths
    )
    url = service.url
    return [parse_responses(exchange(url, *pieces), may_be_head=True) for pieces in requests]


def assert_in_sync(responses: list[WireResponse]) -> None:
    """Check that the service closed the connection, or else recognized LAST as the next request."""
    assert_no_server_error(responses)
    assert responses
    assert responses[-1].is_last
    if len(responses) > 1:
        assert (responses[-1].status, responses[-1].headers["x-request-id"]) == (200, "last")


@pytest.mark.parametrize("name", ATTACKS)
def test_no_hostile_request_causes_a_server_error(name: str, service: Service) -> None:
    with unharmed(service):
        for responses in attack(service, ATTACKS[name] + LAST):
            assert_in_sync(responses)
            assert len(responses) <= 2


@pytest.mark.parametrize("name", VALID_FRAMING)
def test_a_body_is_never_parsed_as_a_request(name: str, service: Service) -> None:
    head, end, body = VALID_FRAMING[name].partition(b"\r\n\r\n")
    with unharmed(service):
        # All at once; then the body only after the response to the head.
        for pieces in ([VALID_FRAMING[name] + LAST], [head + end, body + LAST]):
            for responses in attack(service, *pieces):
                assert_in_sync(responses)
                assert len(responses) == 2
                assert responses[0].headers["x-request-id"] != "smuggled"


@pytest.mark.parametrize("name", INVALID_FRAMING)
def test_a_request_without_a_certain_end_gets_400(name: str, service: Service) -> None:
    with unharmed(service):
        for responses in attack(service, INVALID_FRAMING[name] + LAST):
            assert_in_sync(responses)
            assert [response.status for response in responses] == [400]


def test_the_body_of_a_connect_is_never_parsed_as_a_request(service: Service) -> None:
    connect = request(b"content-length: " + LENGTH, body=SMUGGLED)
    with unharmed(service):
        for responses in attack(service, connect.replace(b"METHOD", b"CONNECT") + LAST):
            assert_no_server_error(responses)
            assert [(response.status, response.is_last) for response in responses] == [(405, True)]


@pytest.mark.parametrize(
    ("length", "paths"),
    [
        (MAX_BODY_BYTES + 1, [path for path in PATHS if not path.endswith(b"/webhook")]),
        (MAX_WEBHOOK_BYTES + 1, PATHS),
        (10**18 - 1, PATHS),
        (2**64 - 1, PATHS),
    ],
)
def test_a_content_length_above_the_limit_gets_413(
    length: int, paths: list[bytes], service: Service
) -> None:
    head = request(b"content-length: %d" % length, b"expect: any")
    with unharmed(service):
        for responses in attack(service, head, paths=paths):
            assert_no_server_error(responses)
            assert [(response.status, response.is_last) for response in responses] == [(413, True)]


def test_1000_pipelined_requests_get_responses_in_order(service: Service) -> None:
    one = b"GET %b HTTP/1.1\r\nhost: localhost\r\nx-request-id: %d\r\n\r\n"
    requests = b"".join(one % (PATHS[n % len(PATHS)], n) for n in range(1000))
    with unharmed(service):
        responses = parse_responses(exchange(service.url, requests + LAST))
        assert_no_server_error(responses)
        ids = [response.headers["x-request-id"] for response in responses]
        # The service may close early; the client then has to repeat the remaining requests.
        assert ids == [*map(str, range(1000)), "last"][: len(ids)]
        assert len(ids) >= 100
        assert responses[-1].is_last


def metric_series(service: Service) -> set[str]:
    lines = httpx.get(f"{service.url}/metrics", timeout=TIMEOUT_SECONDS).text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_unknown_paths_and_methods_add_no_metric_series(service: Service) -> None:
    randomness = random.Random(0)
    url = service.url

    def random_request() -> bytes:
        path = "".join(randomness.choices(string.ascii_letters + "/%?.", k=20))
        letters = "".join(randomness.choices(string.ascii_uppercase, k=randomness.randint(1, 9)))
        method = randomness.choice([letters, "GET", "PUT", "PROPFIND", "M-SEARCH", "LINK", "PURGE"])
        return (
            f"{method} /x{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".encode()
        )

    with unharmed(service):
        for method in ("GET", "PUT", "PROPFIND", "?"):
            line = f"{method} /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            exchange(url, line.encode())
        assert metric_series(service)  # this request adds a series itself
        before = metric_series(service)
        for _ in range(500):
            assert_no_server_error(parse_responses(exchange(url, random_request())))
        assert metric_series(service) == before
