"""Requests that mean harm, to every route. What a client cannot be asked to send is in bytes."""

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

# After each attack, so that the service either ends the connection or shows that it is in step.
LIVE = b"GET /api/health/live HTTP/1.1\r\nhost: test\r\n"
LAST = LIVE + b"connection: close\r\nx-request-id: last\r\n\r\n"

# What stands where only a body is. It has an answer only if it was taken for a request.
SMUGGLED = LIVE + b"x-request-id: smuggled\r\n\r\n"
LENGTH = b"%d" % len(SMUGGLED)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)

JSON = b"content-type: application/json"
DEEP = 100_000


def request(*headers: bytes, target: bytes = b"PATH", body: bytes = b"") -> bytes:
    """Return a request of which METHOD and PATH are still to be filled in."""
    lines = [b"METHOD %b HTTP/1.1" % target, b"host: test", *headers]
    return b"\r\n".join([*lines, b"", body])


def with_body(body: bytes, *headers: bytes) -> bytes:
    return request(*headers, b"content-length: %d" % len(body), body=body)


TARGETS = {
    "a percent sign alone": b"PATH%",
    "bad escapes": b"PATH%zz%4",
    "NUL, escaped": b"PATH%00",
    "NUL": b"PATH\x00",
    "DEL": b"PATH\x7f",
    "a new line, escaped": b"PATH%0d%0aset-cookie:%20a=b",
    "bad UTF-8, escaped": b"PATH/%ff%c0%af%ed%a0%80",
    "bad UTF-8": b"PATH/\xff\xc0\xaf",
    "good UTF-8": "PATH/☃".encode(),
    "a huge integer": b"PATH/" + b"9" * 5000,
    "huge integers in a query": b"PATH?limit=" + b"9" * 5000 + b"&offset=-" + b"9" * 5000,
    "NUL and bad UTF-8 in a query": b"PATH?q=%00%ff&%ff=%00",
    "raw bytes in a query": b"PATH?q=\xff\xfe",
    "a query of 10,000 fields": b"PATH?" + b"a=1&" * 10_000,
    "a query with brackets": b"PATH?a[b][c]=1&a[]=2&__proto__[x]=1&{{7*7}}",
    "a long path": b"PATH/" + b"a" * 60_000,
    "a path that is too long": b"PATH/" + b"a" * 70_000,
    "a path of slashes": b"PATH" + b"/" * 60_000,
    "dots": b"PATH/../../../../etc/passwd",
    "dots, escaped": b"PATH/%2e%2e%2f%2e%2e%2fetc/passwd",
    "back slashes": b"PATH\\..\\..\\windows",
    "two slashes first": b"//evil.examplePATH",
    "a parameter": b"PATH;jsessionid=1",
    "a fragment": b"PATH#fragment",
    "quotes and braces": b"PATH\"'<>{}|^`",
    "the absolute form": b"http://testPATH",
    "the absolute form of another": b"https://user:word@evil.example:443PATH",
    "the absolute form without a path": b"http://test",
    "the absolute form with a bad port": b"http://test:99999999PATH",
    "the absolute form with a bad address": b"http://[::1PATH",
    "an unknown scheme": b"gopher://testPATH",
    "the authority form": b"test:80",
    "the asterisk form": b"*",
    "no slash": b"health",
    "nothing": b"",
    "only a query": b"?a=b",
}

HEADERS = {
    "a large one": b"x: " + b"a" * 60_000,
    "one that is too large": b"x: " + b"a" * 70_000,
    "a large name": b"x" * 60_000 + b": a",
    "very many": b"\r\n".join([b"a:"] * 10_000),
    "too many": b"\r\n".join([b"a:"] * 20_000),
    "a large cookie": b"cookie: a=" + b"b" * 60_000,
    "very many cookies": b"cookie: " + b"a=b; " * 12_000,
    "very many lines of cookies": b"\r\n".join([b"cookie: a=b;;=;"] * 3000),
    "bad UTF-8": b"x: \xff\xc0\xaf\xed\xa0\x80",
    "NUL": b"x: a\x00b",
    "DEL": b"x: a\x7fb",
    "a carriage return": b"x: a\rcontent-length: 5",
    "a folded line": b"x: a\r\n b",
    "a folded line at first": b" x: a",
    "a space before the colon": b"x : a",
    "no colon": b"nothing",
    "no name": b": a",
    "a name with a space": b"a b: c",
    "a name in UTF-8": "☃: a".encode(),
    "a line feed alone": b"x: a\ny: b",
    "two hosts": b"host: evil.example",
    "a host that is none": b"host: \xff@[::",
    "X-Forwarded-For of nothing": b"x-forwarded-for: , ,, ,",
    "X-Forwarded-For that is garbage": b"x-forwarded-for: \xff, [::1, :::, 1.2.3.4:" + b"9" * 5000,
    "X-Forwarded-For of very many": b"x-forwarded-for: " + b"127.0.0.1, " * 5000,
    "X-Forwarded-Proto that is none": b"x-forwarded-proto: \xffjavascript",
    "Forwarded that is garbage": b'forwarded: for="[\xff;by=,,',
    "X-Request-ID that is none": b"x-request-id: \xff\x80 \t {}\"'",
    "X-Request-ID that is long": b"x-request-id: " + b"a" * 50_000,
    "traceparent that is none": b"traceparent: \xff",
    "traceparent of zeros": b"traceparent: 00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-00",
    "traceparent without end": b"traceparent: 01-" + b"1" * 32 + b"-" + b"1" * 16 + b"-01-" * 9000,
    "a small range": b"range: bytes=0-0",
    "a huge range": b"range: bytes=99999999999999999999-",
    "very many ranges": b"range: bytes=" + b"0-1," * 10_000,
    "conditions": b'if-none-match: *\r\nif-match: "\xff\r\nif-modified-since: yesterday',
    "an origin that is none": b"origin: \xff\r\naccess-control-request-method: \xff",
    "an allowed origin that asks for garbage": b"origin: http://localhost:3000\r\n"
    b"access-control-request-method: \xff\r\naccess-control-request-headers: \xff\t,,\x80",
    "an allowed origin that asks for much": b"origin: http://localhost:3000\r\n"
    b"access-control-request-method: PUT\r\naccess-control-request-headers: " + b"a," * 25_000,
    "authorization that is garbage": b"authorization: Basic \xff\xff=====",
    "content type that is garbage": b"content-type: \xff/;;;=;charset=utf-7;boundary=",
    "a web socket": b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
    "HTTP/2 by upgrade": b"connection: upgrade, http2-settings\r\nupgrade: h2c\r\n"
    b"http2-settings: AAMAAABkAAQAAP__",
    "a protocol that is none": b"connection: upgrade\r\nupgrade: \xff, a/b, c",
    "Expect: 100-continue": b"expect: 100-continue",
    "an unknown expectation": b"expect: the-spanish-inquisition",
    "contradicting connections": b"connection: keep-alive, close, \xff\r\nconnection: te",
    "trailers that do not come": b"te: trailers\r\ntrailer: content-length",
}

BODIES = {
    "JSON, 100,000 lists deep": with_body(b"[" * DEEP + b"]" * DEEP, JSON),
    "JSON, 100,000 objects deep": with_body(b'{"":' * DEEP + b"1" + b"}" * DEEP, JSON),
    "JSON without end": with_body(b"[" * DEEP, JSON),
    "JSON of 100,000 keys": with_body(
        json.dumps(dict.fromkeys(map(str, range(DEEP)), 0)).replace(" ", "").encode(), JSON
    ),
    "JSON with the same keys": with_body(b"{" + b'"a":1,' * 50_000 + b'"a":2}', JSON),
    "JSON of a huge integer": with_body(b"9" * DEEP, JSON),
    "JSON that is none": with_body(b'{"a": NaN, "b": Infinity, "\\ud800": "\\u0000"', JSON),
    "JSON in bad UTF-8": with_body(b'{"\xff": "\xc0\xaf"}', JSON),
    "JSON that says it is XML": with_body(b"{}", b"content-type: application/xml"),
    "XML that grows": with_body(
        b'<!DOCTYPE a [<!ENTITY b "' + b"c" * 1000 + b'">]><a>' + b"&b;" * 9000 + b"</a>",
        b"content-type: application/xml",
    ),
    "a form of 100,000 fields": with_body(
        b"a=1&" * DEEP, b"content-type: application/x-www-form-urlencoded"
    ),
    "a form in parts without end": with_body(
        b"--a\r\n" * DEEP, b"content-type: multipart/form-data; boundary=a"
    ),
    "what says it is compressed": with_body(b"\x1f\x8b" + bytes(999), b"content-encoding: gzip"),
    "more than the limit": with_body(bytes(1_048_577)),
}

# Whole requests, though strange ones: the body is a body, and nothing in it is a request.
WHOLE = {
    "a body that no method needs": with_body(SMUGGLED),
    "a length with many zeros": request(b"content-length: " + b"0" * 5000 + LENGTH, body=SMUGGLED),
    "a length between blanks": request(b"content-length:\t " + LENGTH + b" \t", body=SMUGGLED),
    "an expectation and its body": with_body(SMUGGLED, b"expect: 100-continue"),
    "an upgrade with a body": with_body(SMUGGLED, b"connection: upgrade", b"upgrade: h2c"),
    "an upgrade with a body in chunks": request(
        b"connection: upgrade", b"upgrade: h2c", b"transfer-encoding: chunked", body=CHUNKS
    ),
    "chunks": request(b"transfer-encoding: chunked", body=CHUNKS),
    "chunks, by other letters": request(b"TrAnSfEr-EnCoDiNg: ChUnKeD", body=CHUNKS),
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
    "very many trailers": request(
        b"transfer-encoding: chunked", body=b"0\r\n" + b"a: b\r\n" * 8000 + b"\r\n"
    ),
}

# Of which it cannot be told where they end, or where two readers would not agree on that. Whoever
# stands in front of the service may have taken what follows for the body.
NOT_WHOLE = {
    "a length and chunks": request(
        b"content-length: " + LENGTH, b"transfer-encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "chunks and a length": request(
        b"transfer-encoding: chunked", b"content-length: 5", body=b"0\r\n\r\n" + SMUGGLED
    ),
    "two lengths": request(b"content-length: 0", b"content-length: " + LENGTH, body=SMUGGLED),
    "two lengths that are equal": request(*[b"content-length: " + LENGTH] * 2, body=SMUGGLED),
    "a list of lengths": request(b"content-length: 0, " + LENGTH, body=SMUGGLED),
    "a negative length": request(b"content-length: -1", body=SMUGGLED),
    "a length with a sign": request(b"content-length: +" + LENGTH, body=SMUGGLED),
    "a length in hexadecimal": request(b"content-length: 0x0", body=SMUGGLED),
    "a length in other digits": request(b"content-length: \xd9\xa0", body=SMUGGLED),
    "a length of nothing": request(b"content-length:", body=SMUGGLED),
    "a length that is too large": request(b"content-length: 1" + b"0" * 30, body=SMUGGLED),
    "a length just above 64 bits": request(b"content-length: %d" % 2**64, body=SMUGGLED),
    "a length on a folded line": request(b"content-length:\r\n 0", body=SMUGGLED),
    "a length before a space": request(b"content-length : 0", body=SMUGGLED),
    "chunks before a space": request(b"transfer-encoding : chunked", body=CHUNKS),
    "chunks on a folded line": request(b"transfer-encoding:\r\n chunked", body=CHUNKS),
    "chunks twice": request(b"transfer-encoding: chunked, chunked", body=CHUNKS),
    "chunks that are not the last": request(b"transfer-encoding: chunked, gzip", body=CHUNKS),
    "chunks by a name like theirs": request(b"transfer-encoding: xchunked", body=CHUNKS),
    "chunks after a control character": request(b"transfer-encoding: \x0bchunked", body=CHUNKS),
    "another coding": request(b"transfer-encoding: identity", body=SMUGGLED),
    "a chunk without a size": request(b"transfer-encoding: chunked", body=b"\r\n" + SMUGGLED),
    "a chunk of a negative size": request(b"transfer-encoding: chunked", body=b"-1\r\n" + SMUGGLED),
    "a chunk of a size with 0x": request(
        b"transfer-encoding: chunked", body=b"0x0\r\n\r\n" + SMUGGLED
    ),
    "a chunk of a size that is too large": request(
        b"transfer-encoding: chunked", body=b"1" + b"0" * 16 + b"\r\n" + SMUGGLED
    ),
    "a chunk that is longer than it says": request(
        b"transfer-encoding: chunked", body=b"1\r\nab\r\n0\r\n\r\n" + SMUGGLED
    ),
    "a length and a coding after chunks": request(
        b"transfer-encoding: chunked",
        body=b"0\r\ncontent-length: 9\r\ntransfer-encoding: gzip\r\n\r\n" + SMUGGLED,
    ),
    "chunks with line feeds alone": request(
        b"transfer-encoding: chunked", body=b"1\na\n0\n\n" + SMUGGLED
    ),
}

# Neither method nor path is of any matter here, unless they are named.
LINES = {
    "the method TRACE": b"TRACE PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "the method CONNECT": b"CONNECT PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "the method CONNECT to a host": b"CONNECT evil.example:443 HTTP/1.1\r\nhost: test\r\n\r\n",
    "an unknown method": b"BREW PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "a method of WebDAV": b"PROPFIND PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "a method in small letters": b"get PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "a long method": b"A" * 60_000 + b" PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "HTTP/0.9": b"GET PATH\r\n\r\n",
    "HTTP/1.0": b"METHOD PATH HTTP/1.0\r\n\r\n",
    "HTTP/1.0 that stays": b"METHOD PATH HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    "HTTP/1.0 in chunks": b"METHOD PATH HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n" + CHUNKS,
    "HTTP/1.1 without a host": b"METHOD PATH HTTP/1.1\r\n\r\n",
    "HTTP/1.9": b"METHOD PATH HTTP/1.9\r\nhost: test\r\n\r\n",
    "HTTP/2.0 as text": b"METHOD PATH HTTP/2.0\r\nhost: test\r\n\r\n",
    "HTTP/99999999999.1": b"METHOD PATH HTTP/99999999999.1\r\nhost: test\r\n\r\n",
    "another protocol": b"METHOD PATH SIP/2.0\r\nhost: test\r\n\r\n",
    "the beginning of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "TLS": bytes.fromhex("16030100f8010000f40303") + bytes(range(256)),
    "line feeds alone": b"METHOD PATH HTTP/1.1\nhost: test\n\n",
    "carriage returns alone": b"METHOD PATH HTTP/1.1\rhost: test\r\r",
    "empty lines first": b"\r\n" * 1000 + b"METHOD PATH HTTP/1.1\r\nhost: test\r\n\r\n",
    "many blanks": b"METHOD" + b" " * 1000 + b"PATH" + b" " * 1000 + b"HTTP/1.1\r\n\r\n",
    "tabs": b"METHOD\tPATH\tHTTP/1.1\r\nhost: test\r\n\r\n",
    "NULs": bytes(1000) + b"\r\n\r\n",
    "a proxy's first line": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    "another server's command": b"*1\r\n$8\r\nFLUSHALL\r\n",
    "an answer": b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
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
    """The service, with what the paths name, which some methods delete."""
    run_sql(shared_database, "delete from project")
    add_examples(shared_database)
    return shared_service


def attack(
    service: Service, *pieces: bytes, paths: Sequence[bytes] = PATHS
) -> list[list[WireResponse]]:
    """Send the pieces by each method to each path; return the answers on each connection."""
    fillings = [(method, path) for method in METHODS for path in paths]
    requests = dict.fromkeys(
        tuple(piece.replace(b"METHOD", method).replace(b"PATH", path) for piece in pieces)
        for method, path in fillings
    )
    url = service.url
    return [parse_responses(exchange(url, *pieces), may_be_head=True) for pieces in requests]


def assert_in_step(answers: list[WireResponse]) -> None:
    """Check that the service ended the connection, or else answered the last request as such."""
    assert_no_server_error(answers)
    assert answers
    assert answers[-1].is_last
    if len(answers) > 1:
        assert (answers[-1].status, answers[-1].headers["x-request-id"]) == (200, "last")


@pytest.mark.parametrize("name", ATTACKS)
def test_no_route_fails(name: str, service: Service) -> None:
    with unharmed(service):
        for answers in attack(service, ATTACKS[name] + LAST):
            assert_in_step(answers)
            assert len(answers) <= 2


@pytest.mark.parametrize("name", WHOLE)
def test_nothing_in_a_body_is_taken_for_a_request(name: str, service: Service) -> None:
    head, end, body = WHOLE[name].partition(b"\r\n\r\n")
    with unharmed(service):
        # At once, and the body only when the head has been answered.
        for pieces in ([WHOLE[name] + LAST], [head + end, body + LAST]):
            for answers in attack(service, *pieces):
                assert_in_step(answers)
                assert len(answers) == 2
                assert answers[0].headers["x-request-id"] != "smuggled"


@pytest.mark.parametrize("name", NOT_WHOLE)
def test_what_has_no_certain_end_is_refused(name: str, service: Service) -> None:
    with unharmed(service):
        for answers in attack(service, NOT_WHOLE[name] + LAST):
            assert_in_step(answers)
            assert [answer.status for answer in answers] == [400]


def test_nothing_that_comes_with_a_connect_is_taken_for_a_request(service: Service) -> None:
    connecting = request(b"content-length: " + LENGTH, body=SMUGGLED)
    with unharmed(service):
        for answers in attack(service, connecting.replace(b"METHOD", b"CONNECT") + LAST):
            assert_no_server_error(answers)
            assert [(answer.status, answer.is_last) for answer in answers] == [(405, True)]


@pytest.mark.parametrize(
    ("length", "paths"),
    [
        (MAX_BODY_BYTES + 1, [path for path in PATHS if not path.endswith(b"/webhook")]),
        (MAX_WEBHOOK_BYTES + 1, PATHS),
        (10**18 - 1, PATHS),
        (2**64 - 1, PATHS),
    ],
)
def test_a_length_that_no_route_takes_is_refused(
    length: int, paths: list[bytes], service: Service
) -> None:
    head = request(b"content-length: %d" % length, b"expect: any")
    with unharmed(service):
        for answers in attack(service, head, paths=paths):
            assert_no_server_error(answers)
            assert [(answer.status, answer.is_last) for answer in answers] == [(413, True)]


def test_a_thousand_requests_at_once_are_answered_in_their_order(service: Service) -> None:
    one = b"GET %b HTTP/1.1\r\nhost: test\r\nx-request-id: %d\r\n\r\n"
    requests = b"".join(one % (PATHS[n % len(PATHS)], n) for n in range(1000))
    with unharmed(service):
        answers = parse_responses(exchange(service.url, requests + LAST))
        assert_no_server_error(answers)
        ids = [answer.headers["x-request-id"] for answer in answers]
        # All, or the first of them; then the client has to send the rest again.
        assert ids == [*map(str, range(1000)), "last"][: len(ids)]
        assert len(ids) >= 100
        assert answers[-1].is_last


def series(service: Service) -> set[str]:
    lines = httpx.get(f"{service.url}/metrics", timeout=TIMEOUT_SECONDS).text.splitlines()
    return {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}


def test_paths_and_methods_that_clients_invent_make_no_series(service: Service) -> None:
    invent = random.Random(0)
    url = service.url

    def ask_for_500() -> None:
        for _ in range(500):
            assert_no_server_error(parse_responses(exchange(url, invented())))

    def invented() -> bytes:
        path = "".join(invent.choices(string.ascii_letters + "/%?.", k=20))
        letters = "".join(invent.choices(string.ascii_uppercase, k=invent.randint(1, 9)))
        method = invent.choice([letters, "GET", "PUT", "PROPFIND", "M-SEARCH", "LINK", "PURGE"])
        return f"{method} /x{path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n".encode()

    with unharmed(service):
        for method in ("GET", "PUT", "PROPFIND", "?"):
            line = f"{method} /a HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n"
            exchange(url, line.encode())
        assert series(service)  # which makes one of its own
        before = series(service)
        ask_for_500()
        assert series(service) == before
