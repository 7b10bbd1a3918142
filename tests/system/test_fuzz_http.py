"""Random bytes and random requests: the service stays healthy and its responses valid."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.app import ROUTES
from tests.support.service import run_service
from tests.support.wire import (
    assert_no_logged_error,
    assert_no_server_error,
    connect,
    parse_responses,
    receive_all,
    send,
    unharmed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hypothesis.strategies import SearchStrategy

    from tests.support.postgres import Postgres
    from tests.support.service import Service

# Many connections in each example, since some of them end only after a timeout of the service.
CONNECTIONS = 50

LIMITS = {
    "service.server.worker.TICKS_PER_SECOND": 1,  # checks the limits at each tick
    "service.server.protocol.HEAD_SECONDS": 0.3,
    "service.server.protocol.UNREAD_BODY_SECONDS": 0.3,
    "service.server.protocol.STALL_SECONDS": 5,
    "service.server.protocol.KEEP_ALIVE_SECONDS": 0.3,
    "service.web.middleware.BODY_SECONDS": 0.3,
    "service.web.middleware.DISCARD_SECONDS": 0.3,
}

fuzz = settings(
    max_examples=20,
    deadline=None,  # an example takes as long as its slowest connection
    derandomize=True,
    database=None,
    # Without the shrinking phase, which would wait for hours: a failure shows what was sent.
    phases=[Phase.explicit, Phase.generate],
    # Examples wait for timeouts and have many bytes.
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
    ],
)

PATHS = [
    *(route.path.encode() for route in ROUTES),
    *(b"/docs/assets/page.css", b"/assets/hub.css"),
    *(b"/echo", b"/store", b"/hold", b"/nothing"),
]

HEAD = b" HTTP/1.1\r\nhost: localhost\r\n"
VALID = [
    *(b"GET " + path + HEAD + b"\r\n" for path in PATHS),
    b"POST /echo" + HEAD + b"content-length: 4\r\n\r\nbody",
    b"POST /store" + HEAD + b"transfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
    b"POST /echo" + HEAD + b"expect: 100-continue\r\ncontent-length: 4\r\n\r\nbody",
    b"GET /api/health" + HEAD + b"connection: upgrade\r\nupgrade: h2c\r\n\r\n",
    b"OPTIONS /docs" + HEAD + b"origin: http://localhost:3000\r\n"
    b"access-control-request-method: PUT\r\naccess-control-request-headers: a\r\n\r\n",
]
TOKENS = [
    *(b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"%", b"\x00", b"\xff", b"/", b"?", b"*", b"0"),
    *(b"@nines@", b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1", b"HTTP/1.0", b"@long@"),
    *(b"content-length: 5\r\n", b"transfer-encoding: chunked\r\n", b"connection: close\r\n"),
    b"connection: upgrade\r\nupgrade: websocket\r\n",
    *VALID,
]

# Placeholders, replaced only when they are sent, so that a failure stays readable.
PLACEHOLDERS = {b"@long@": b"a" * 66_000, b"@nines@": b"9" * 5000, b"@zeros@": b"0" * 5000}


def mostly(usual: SearchStrategy[bytes], rare: SearchStrategy[bytes]) -> SearchStrategy[bytes]:
    """Return `usual` nine times of ten: one invalid piece is enough to reject a request."""
    return st.integers(0, 9).flatmap(lambda number: usual if number else rare)


places = st.floats(0, 1)
bits = st.one_of(st.sampled_from(TOKENS), st.binary(max_size=20))
edits = st.lists(st.tuples(st.sampled_from("+-="), places, bits), max_size=6)


def mutate(sent: list[bytes], changes: list[tuple[str, float, bytes]]) -> bytes:
    """Insert, delete and replace bytes of valid requests."""
    data = b"".join(sent)
    for change, place, piece in changes:
        start = int(place * len(data))
        end = start if change == "+" else start + len(piece)
        data = data[:start] + (b"" if change == "-" else piece) + data[end:]
    return data


def cut(data: bytes, cuts: list[float]) -> list[bytes]:
    """Return data in pieces, cut at fractions of its length."""
    ends = [0, *sorted(int(place * len(data)) for place in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(ends) if end > start]


raw = st.one_of(
    st.lists(bits, max_size=12).map(b"".join),
    st.builds(mutate, st.lists(st.sampled_from(VALID), min_size=1, max_size=4), edits),
)
raw_pieces = st.builds(cut, raw, st.lists(places, max_size=4))

METHODS = b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY PRI".split()
PARTS = "/ // . .. %00 %ff %2f % %zz ; ? & = # api health docs [ ] { } < > \" ' \\ é ☃ : @ * +"
TARGETS = [b"http://test/docs", b"http://test", b"test:80", b"*", b"/@long@"]
NAMES = (
    b"accept authorization connection content-type cookie expect forwarded host if-none-match "
    b"origin range te trailer traceparent upgrade x-forwarded-for x-forwarded-proto x-request-id "
    b"access-control-request-method access-control-request-headers x y_z"
)
FRAMING = b"content-length transfer-encoding \xc3\xa9 a(b @long@"
VALUES = [
    *(b"", b"close", b"keep-alive", b"upgrade", b"h2c", b"websocket", b"100-continue", b"chunked"),
    *(b"http://localhost:3000", b"application/json", b"bytes=0-0", b"127.0.0.1, ::1", b"0", b"-1"),
    *(b"@nines@", b"@zeros@", b"@long@"),
    b"00-" + b"1" * 32 + b"-" + b"1" * 16 + b"-01",
]

methods = mostly(
    st.sampled_from(METHODS), st.text("ABCabc!#$-_", min_size=1, max_size=12).map(str.encode)
)
paths = st.sampled_from(PATHS)
parts = st.lists(st.sampled_from(PARTS.encode().split()), max_size=6).map(b"".join)
targets = mostly(
    st.one_of(paths, st.builds(b"%b%b".__mod__, st.tuples(paths, parts))), st.sampled_from(TARGETS)
)
names = mostly(st.sampled_from(NAMES.split()), st.sampled_from(FRAMING.split()))
words = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))
values = mostly(
    st.one_of(st.sampled_from(VALUES), words.map(lambda word: word.encode("latin-1"))),
    st.binary(max_size=20),
)
headers = st.lists(st.tuples(names, values).map(b": ".join), max_size=5)
contents = st.one_of(st.binary(max_size=100), st.sampled_from([b"@long@", b'{"a":1}', *VALID]))


def in_chunks(sizes: list[int], end: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (size, b"x" * size) for size in sizes) + end


chunks = st.builds(
    in_chunks,
    st.lists(st.integers(1, 50), max_size=5),
    st.sampled_from(
        [b"0\r\n\r\n", b"0\r\na: b\r\n\r\n", b"0;a=b\r\n\r\n", b"0\r\n", b"", b"-1\r\n"]
    ),
)
bodies = st.one_of(
    st.just((b"", b"")),
    st.sampled_from([b"content-length: @zeros@\r\n", b"content-length: @nines@\r\n"]).map(
        lambda line: (line, b"")
    ),
    contents.map(lambda body: (b"content-length: %d\r\n" % len(body), body)),
    st.tuples(st.integers(0, 2_000_000), contents).map(
        lambda pair: (b"content-length: %d\r\n" % pair[0], pair[1])
    ),
    chunks.map(lambda body: (b"transfer-encoding: chunked\r\n", body)),
)
versions = st.sampled_from([b"HTTP/1.1"] * 8 + [b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1", b""])


def format_raw_request(
    method: bytes, target: bytes, version: bytes, lines: list[bytes], body: tuple[bytes, bytes]
) -> bytes:
    framing, content = body
    head = b"%b %b %b\r\nhost: localhost\r\n" % (method, target, version)
    return head + b"".join(line + b"\r\n" for line in lines) + framing + b"\r\n" + content


requests = st.builds(format_raw_request, methods, targets, versions, headers, bodies)
request_pieces = st.builds(
    cut, st.lists(requests, min_size=1, max_size=3).map(b"".join), st.lists(places, max_size=2)
)


@pytest.fixture(scope="module")
def service(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    log = tmp_path_factory.mktemp("fuzz") / "log"
    url = postgres.create_database(template="migrated")
    limits = [f"{name}={value}" for name, value in LIMITS.items()]
    with run_service(log, "-m", "tests.support.attackable", *limits, DATABASE_URL=url) as service:
        yield service
        assert_no_logged_error(service)


def replace_placeholders(piece: bytes) -> bytes:
    for name, content in PLACEHOLDERS.items():
        piece = piece.replace(name, content)
    return piece


def send_all(service: Service, connections: list[list[bytes]]) -> None:
    """Send each list of pieces on a connection of its own, in turns, and check the responses."""
    url = service.url
    with unharmed(service), ExitStack() as stack:
        sockets = [stack.enter_context(connect(url)) for _ in connections]
        for turn in range(max(map(len, connections))):
            for connection, pieces in zip(sockets, connections, strict=True):
                if turn < len(pieces):
                    send(connection, replace_placeholders(pieces[turn]))
        for connection, pieces in zip(sockets, connections, strict=True):
            try:
                assert_no_server_error(parse_responses(receive_all(connection), may_be_head=True))
            except AssertionError as error:
                error.add_note(f"The service responded so to {pieces}")
                raise


@fuzz
@given(connections=st.lists(raw_pieces, min_size=CONNECTIONS, max_size=CONNECTIONS))
def test_random_bytes_cause_no_server_error(
    connections: list[list[bytes]], service: Service
) -> None:
    send_all(service, connections)


@fuzz
@given(connections=st.lists(request_pieces, min_size=CONNECTIONS, max_size=CONNECTIONS))
def test_random_requests_cause_no_server_error(
    connections: list[list[bytes]], service: Service
) -> None:
    send_all(service, connections)
