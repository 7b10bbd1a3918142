"""Valid HTTP requests to every route, with unexpected ids, queries, headers and bodies."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from service.app import ROUTES
from service.schemas.example_ids import (
    EXAMPLE_PROJECT_ID,
    EXAMPLE_SOURCE_ID,
)
from tests.support.examples import add_examples, example_path
from tests.support.service import run_service
from tests.support.wire import (
    WireResponse,
    assert_no_server_error,
    exchange,
    parse_responses,
    unharmed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import Postgres
    from tests.support.service import Service

TOKEN = b"the-token-of-the-api"
DEEP = 100_000
MEGABYTES = 10_000_000

# Each route with each of its methods, and with one that it does not allow.
OPERATIONS = [
    (method.encode(), route.path)
    for route in ROUTES
    for method in sorted((route.methods or set()) | {"PATCH"})
]
WITH_BODY = sorted({(m, p) for m, p in OPERATIONS if m in {b"POST", b"PUT"}})

# The ids of all rows, each with its version (xmin).
STATE = """
    select (select array_agg((id, xmin::text) order by id) from project)::text,
           (select array_agg((id, xmin::text) order by id) from project_doc)::text,
           (select array_agg((id, xmin::text) order by id) from document)::text,
           (select array_agg((id, xmin::text) order by id) from sync_run)::text
    """


class Target:
    """The service and the rows of its tables."""

    def __init__(self, service: Service, connection: psycopg.Connection[Any], url: str) -> None:
        self.service = service
        self.url = service.url
        self._connection = connection
        self._database = url

    def state(self) -> tuple[str, ...]:
        """Return the ids and versions of all rows; equal states mean that nothing was written."""
        row = self._connection.execute(STATE.encode()).fetchone()
        assert row
        return row

    def restore(self) -> None:
        """Delete all rows, and insert those of the examples."""
        self._connection.execute("delete from project")
        add_examples(self._database)

    def send(self, request: bytes, *, may_be_head: bool) -> None:
        """Send a request; check that its response is valid, and that a 4xx changed no row."""
        before = self.state()
        responses = parse_responses(exchange(self.url, request), may_be_head=may_be_head)
        assert_no_server_error(responses)
        assert len(responses) == 1
        self._check(responses[0], before)

    def _check(self, response: WireResponse, before: tuple[str, ...]) -> None:
        if response.status >= 400:
            assert self.state() == before, response
            if response.body:
                body = json.loads(response.body)
                detail = body["error"]["message"] if "jsonrpc" in body else body["detail"]
                assert isinstance(detail, str)
                assert len(detail) < 1000
        elif self.state() != before:
            self.restore()


@pytest.fixture(scope="module")
def target(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    url = postgres.create_database(template="migrated")
    add_examples(url)
    log = tmp_path_factory.mktemp("fuzz-api") / "log"
    variables = {
        "API_TOKEN": TOKEN.decode(),
        "GITHUB_WEBHOOK_SECRET": "a-secret-of-the-webhooks",
        "SYNC_CONCURRENCY": "0",  # runs are requested but never start
    }
    with (
        psycopg.connect(url, autocommit=True) as connection,
        run_service(log, DATABASE_URL=url, **variables) as service,
        unharmed(service),
    ):
        yield Target(service, connection, url)


def format_request(
    method: bytes, target: bytes, headers: list[bytes], body: bytes, version: bytes = b"1.1"
) -> bytes:
    lines = [b"%b %b HTTP/%b" % (method, target, version), b"host: localhost", *headers]
    if body or method in {b"POST", b"PUT", b"PATCH"}:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"connection: close", b"", body])


# --- bodies written by hand

JSON = b"content-type: application/json"
AUTHORIZED = b"authorization: Bearer " + TOKEN
GOOD: dict[str, Any] = {
    "name": "x",
    "description": "y",
    "github_url": "https://git.example/a/b",
    "github_folder_path": "docs",
    "branch": "main",
}
WRONG = [None, 0, -1.5, 1e308, True, [], ["x"], {}, {"$ne": 1}, "", " ", "\0", "x" * 1_000_000]


def dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


CONTENTS = {
    **{
        f"{name} {str(wrong)[:9]!r} ({number})": dump(GOOD | {name: wrong})
        for name in GOOD
        for number, wrong in enumerate(WRONG)
    },
    "a surrogate as name": b'{"name": "\\ud800", "github_url": "https://git.example/a/b"}',
    "invalid UTF-8": b'{"name": "\xff\xc0\xaf", "github_url": "https://git.example/a/b"}',
    "a byte order mark": b"\xef\xbb\xbf" + dump(GOOD),
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "100,000 lists deep": b'{"name":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "100,000 objects deep": b'{"name":' * DEEP + b"1" + b"}" * DEEP,
    "100,000 keys": dump(dict.fromkeys(map(str, range(DEEP)), 0) | {"name": ""}),
    "the same key twice": b'{"name":"a","name":"b","github_url":"https://git.example/a/b"}',
    "50,000 equal keys": b"{" + b'"name":"a",' * 50_000 + b'"name":"b"}',
    "a number of 100,000 digits": b'{"name":' + b"9" * DEEP + b"}",
    "NaN": b'{"name":NaN}',
    "10 MB": b'{"name":"' + b"x" * MEGABYTES + b'"}',
    "10 MB of blanks": b" " * MEGABYTES,
    "an empty body": b"",
    "null": b"null",
    "a list": dump([GOOD]),
    "__proto__": dump({"__proto__": {"name": "x"}, "constructor": 1}),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_rejected_body_changes_no_row(name: str, target: Target) -> None:
    with unharmed(target.service):
        for method, path in WITH_BODY:
            request = format_request(method, example_path(path), [JSON, AUTHORIZED], CONTENTS[name])
            target.send(request, may_be_head=False)


@pytest.mark.parametrize(
    "media_type",
    [b"", b"text/plain", b"application/xml", b"multipart/form-data; boundary=a", b"\xff", b"/;;="],
)
def test_a_body_of_another_media_type_changes_no_row(media_type: bytes, target: Target) -> None:
    for method, path in WITH_BODY:
        headers = [b"content-type: " + media_type, AUTHORIZED]
        before = target.state()
        request = format_request(method, example_path(path), headers, dump(GOOD))
        [response] = parse_responses(exchange(target.url, request))
        if path.endswith("/sync"):  # which reads no body
            assert response.status == 202
            target.restore()
        else:
            assert response.status == (403 if path.endswith("/webhook") else 415)
            assert target.state() == before


# --- random requests

fuzz = settings(
    max_examples=600,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def rarely(rare: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 3).flatmap(lambda number: usual if number else rare)


def make_cursor(time: str, found_id: str) -> bytes:
    return urlsafe_b64encode(f"{time} {found_id}".encode())


escaped = st.binary(max_size=30).map(lambda data: b"".join(b"%%%02x" % byte for byte in data))
ids = st.one_of(
    st.sampled_from(
        [
            EXAMPLE_PROJECT_ID.encode(),
            EXAMPLE_SOURCE_ID.encode(),
            b"00000000-0000-0000-0000-000000000000",
            b"ffffffff-ffff-ffff-ffff-ffffffffffff",
            b"%00",
            b"9" * 5000,
            b"-1",
            b"null",
            b"..",
            b"{" + EXAMPLE_PROJECT_ID.encode() + b"}",
        ]
    ),
    escaped.filter(bool),
)
cursors = st.one_of(
    escaped,
    st.builds(
        make_cursor,
        st.one_of(
            st.datetimes(timezones=st.timezones()).map(lambda time: time.isoformat()),
            st.sampled_from(["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"]),
            st.text(max_size=20),
        ),
        st.one_of(st.uuids().map(str), st.text(max_size=5)),
    ),
    st.tuples(
        st.sampled_from(["stories", "epics", "problems", "activity", ""]),
        st.lists(
            st.one_of(st.integers(-1, 2**64), st.text(max_size=10), st.none(), st.floats()),
            max_size=4,
        ),
    ).map(lambda cursor: urlsafe_b64encode(f"{cursor[0]} {json.dumps(cursor[1])}".encode())),
)
PARAMETERS = b"q path anchor kind as_you_type status epic severity metric".split()
queries = st.lists(
    st.one_of(
        st.tuples(st.just(b"limit"), st.integers(-10, 10**20).map(lambda n: b"%d" % n)),
        st.tuples(st.just(b"limit"), st.sampled_from([b"1", b"1000", b"1e3", b"", b"%D9%A1"])),
        st.tuples(st.just(b"cursor"), cursors),
        st.tuples(st.sampled_from(PARAMETERS), escaped),
        st.tuples(st.sampled_from([b"project_id", b"source_id"]), ids),
        st.sampled_from([(b"status", b"done"), (b"kind", b"broken_link"), (b"severity", b"info")]),
        st.tuples(escaped, escaped),
    ).map(b"=".join),
    max_size=4,
).map(b"&".join)
words = st.one_of(
    st.binary(max_size=40).map(lambda data: bytes(b for b in data if b > 31 and b != 127)),
    st.sampled_from([b'"' * 5000, b"W/" * 5000, b"*", b"a" * 30_000, b"sha256=", b"push"]),
)
names = st.sampled_from(
    b"if-none-match authorization x-hub-signature-256 x-github-event content-type accept range "
    b"origin cookie x-request-id if-match accept-encoding".split()
)
headers = st.lists(st.tuples(names, words).map(b": ".join), max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
changes = st.dictionaries(st.sampled_from([*GOOD, "id", "x"]), values, max_size=4)
bodies = st.one_of(
    changes.map(lambda change: json.dumps(GOOD | change).encode()),
    changes.map(lambda change: json.dumps(change).encode()),
    st.binary(max_size=200),
    st.just(b""),
)


@fuzz
@given(
    operation=st.sampled_from(OPERATIONS),
    ids=rarely(
        st.dictionaries(st.sampled_from(["project_id", "id", "run_id", "name"]), ids), st.just({})
    ),
    query=queries,
    lines=headers,
    usual=st.sampled_from([[], [AUTHORIZED], [AUTHORIZED, JSON], [AUTHORIZED, JSON]]),
    body=bodies,
    version=rarely(st.just(b"1.0"), st.just(b"1.1")),
)
def test_a_rejected_random_request_changes_no_row(
    target: Target,
    operation: tuple[bytes, str],
    ids: dict[str, bytes],
    query: bytes,
    lines: list[bytes],
    usual: list[bytes],
    body: bytes,
    version: bytes,
) -> None:
    method, path = operation
    url = example_path(path, ids) + (b"?" + query if query else b"")
    request = format_request(method, url, [*lines, *usual], body, version)
    target.send(request, may_be_head=method == b"HEAD")


SORTED = ("/stories", "/epics", "/problems", "/activity")
LISTS = [
    route.path
    for route in ROUTES
    if route.path.endswith(("/projects", "/docs", "/syncs", "/overview", *SORTED))
    and route.path.startswith(("/api/", "/projects/"))
    and "GET" in (route.methods or ())
]


@fuzz
@given(path=st.sampled_from(LISTS), cursor=cursors, limit=st.sampled_from([b"1", b"1000"]))
def test_random_cursors_cause_no_server_error(
    target: Target, path: str, cursor: bytes, limit: bytes
) -> None:
    url = b"%b?limit=%b&cursor=%b" % (example_path(path), limit, cursor)
    target.send(format_request(b"GET", url, [], b""), may_be_head=False)
