"""Documents of more than 256 KiB, and the routes' other large responses."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from starlette.routing import Route

from service.web import large_bodies
from service.web.pieces import PIECE, escape_in_pieces
from tests.support.git_server import git_server
from tests.support.hub import Hub, Synced, hub_settings
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import serving
from tests.support.waiting import eventually
from tests.support.wire import connect
from tests.web.test_large_bodies import free

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from pathlib import Path

MIB = 1024 * 1024
ROOM = 8 * MIB

ONES = "# One\n\n" + '\x01\x02\t\\ "quoted" \u00e9 \u20ac \U0001f600 \u2028\r\n' * 20_000


@pytest.fixture
def hub(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(large_bodies, "ROOM", ROOM)
    with (
        git_server(tmp_path / "repositories") as server,
        serving(
            database, Route("/free", free), **hub_settings(tmp_path, server), database_pool_max=3
        ) as client,
    ):
        yield Hub(client, server, database)


def room_of(hub: Hub) -> int:
    return int(hub.client.get("/free").text.split()[0])


@pytest.mark.parametrize("character", ["a", "\x01", "\u00e9", "\u20ac", "\U0001f600"])
@pytest.mark.parametrize("shift", range(4))
def test_a_text_is_escaped_in_pieces_of_whole_characters(character: str, shift: int) -> None:
    text = "." * shift + character * (3 * PIECE // len(character.encode()) + 1)
    pieces = list(escape_in_pieces(text.encode()))
    assert len(pieces) >= 3
    assert json.loads(b'"' + b"".join(pieces) + b'"') == text
    assert max(map(len, pieces)) <= 6 * PIECE
    assert list(escape_in_pieces(b"")) == []


def test_a_large_document_is_as_a_small_one(hub: Hub) -> None:
    synced = Synced(hub, {"small.md": b"# One\n", "large.md": ONES.encode()})
    small = hub.client.get(synced.path("small.md")).json()
    path = synced.path("large.md")
    plain = hub.client.get(path, headers={"Accept-Encoding": "identity"})
    large = plain.json()
    assert list(large) == list(small)
    assert large["content"] == ONES
    assert large["doc_metadata"]["title"] == "One"
    assert large["file_size"] == len(ONES.encode())
    assert int(plain.headers["content-length"]) == len(plain.content)
    for name in ("etag", "cache-control", "content-type"):
        assert plain.headers[name]
    compressed = hub.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert compressed.content == plain.content
    assert compressed.headers["etag"] == f'{plain.headers["etag"][:-1]}-gzip"'
    head = hub.client.head(path, headers={"Accept-Encoding": "identity"})
    assert head.headers["content-length"] == plain.headers["content-length"]
    same = hub.client.get(path, headers={"If-None-Match": plain.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    eventually(lambda: room_of(hub) == ROOM)


def test_the_bytes_of_a_large_document_are_the_same(hub: Hub) -> None:
    contents = {
        "utf-8.md": ONES.encode(),
        "utf-16.md": ("\ufeff" + "\u00e9" * 200_000).encode("utf-16-le"),
        "1252.txt": ("na\u00efve r\u00e9sum\u00e9, " * 40_000).encode("cp1252"),
    }
    synced = Synced(hub, contents)
    for name, content in contents.items():
        path = f"{synced.path(name)}/raw"
        plain = hub.client.get(path, headers={"Accept-Encoding": "identity"})
        assert plain.content == content
        assert int(plain.headers["content-length"]) == len(content)
        assert "sandbox" in plain.headers["content-security-policy"]
        assert name in plain.headers["content-disposition"]
        assert hub.client.get(path, headers={"Accept-Encoding": "gzip"}).content == content
        assert hub.client.head(path).headers["content-type"] == plain.headers["content-type"]
        same = hub.client.get(path, headers={"If-None-Match": plain.headers["etag"]})
        assert same.status_code == 304
        assert same.headers["content-security-policy"] == plain.headers["content-security-policy"]
        document = hub.client.get(synced.path(name)).json()
        assert document["file_size"] == len(content)


@pytest.mark.parametrize("is_large", [True, False])
def test_large_documents_are_found_by_path_and_have_anchors(hub: Hub, is_large: bool) -> None:
    text = '# One\n\n<a id="raw"></a>\n\n## Two\n\n' + "x \x01\n" * (70_000 if is_large else 1)
    project = Synced(hub, {"docs/a.md": text.encode()}).project
    for anchor, expected in [
        (None, None),
        ("one", True),
        ("#two", True),
        ("user-content-raw", True),
        ("", True),
        ("top", True),
        ("three", False),
        ("a\0b", False),
        ('"', False),
    ]:
        parameters = {"path": "docs/a.md"} | ({} if anchor is None else {"anchor": anchor})
        response = hub.client.get(f"/api/projects/{project}/documents", params=parameters)
        assert response.json()["has_anchor"] is expected, anchor
        assert list(response.json())[-1] == "has_anchor"
        assert response.json()["content"] == text


def test_a_document_with_large_metadata_comes_in_pieces(hub: Hub) -> None:
    [path] = insert_large(hub, 1, 10)
    run_sql(
        hub.database,
        "update document set doc_metadata = jsonb_build_object('title', '', 'headings', (select "
        "jsonb_agg(jsonb_build_object('level', 1, 'text', md5(n::text), 'anchor', md5(n::text))) "
        "from generate_series(1, 20000) as n))",
    )
    assert len(hub.client.get(path).json()["doc_metadata"]["headings"]) == 20_000
    with ask(hub, path):
        eventually(lambda: room_of(hub) < ROOM - MIB)
    eventually(lambda: room_of(hub) == ROOM)


def ask(hub: Hub, path: str, client: str = "127.0.0.1") -> socket.socket:
    """Return a connection with a request of this client, for whom this is the trusted proxy."""
    connection = connect(str(hub.client.base_url), receive_buffer=65536)
    headers = f"host: localhost\r\nx-forwarded-for: {client}\r\n"
    connection.sendall(f"GET {path} HTTP/1.1\r\n{headers}\r\n".encode())
    return connection


def insert_large(hub: Hub, count: int, size: int) -> list[str]:
    """Return the paths of documents of control characters, as older code stored them."""
    source = hub.create_source(hub.create_project(), hub.server.create())
    rows = run_sql(
        hub.database,
        "insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content, "
        f"doc_metadata) select '{source}', n || '.md', 'md', {size}, '', repeat(chr(1), {size}), "
        f"'{{}}' from generate_series(1, {count}) as n returning id",
    )
    return [f"/api/documents/{id_}" for (id_,) in rows]


def test_unread_documents_keep_a_bounded_number_of_bytes(hub: Hub) -> None:
    [path] = insert_large(hub, 1, 2 * MIB)
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(ask(hub, path))
        # All share one content.
        eventually(lambda: ROOM - 3 * MIB < room_of(hub) < ROOM - 2 * MIB + 100_000)
        assert len(hub.client.get(path).json()["content"]) == 2 * MIB
    eventually(lambda: room_of(hub) == ROOM)


def test_requests_wait_for_room_without_a_connection_and_then_get_a_503(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, together: Callable[..., list[Any]]
) -> None:
    paths = insert_large(hub, 8, 2 * MIB)
    with ExitStack() as stack:
        for path in paths[:3]:
            stack.enter_context(ask(hub, path))
        eventually(lambda: room_of(hub) < 3 * MIB)
        monkeypatch.setattr(large_bodies, "WAIT_SECONDS", 60.0)
        with ThreadPoolExecutor(1) as one:
            waiting = one.submit(
                together, 10, lambda: hub.client.get(f"{paths[4]}/raw", timeout=60).status_code
            )
            eventually(lambda: hub.client.get("/free").text.endswith(" 1"))
            # They wait: neither the pool of 3 connections nor others' small responses do.
            assert hub.client.get("/api/projects").status_code == 200
            assert hub.client.get("/api/health").status_code == 200
            monkeypatch.setattr(large_bodies, "WAIT_SECONDS", 0.01)
            problem = hub.client.get(paths[5])
            assert_problem(problem, 503)
            assert problem.headers["retry-after"]
            monkeypatch.setattr(large_bodies, "WAIT_SECONDS", 60.0)
            stack.close()
            assert waiting.result() == [200] * 10
    eventually(lambda: room_of(hub) == ROOM)
    assert hub.client.get(paths[5]).status_code == 200


def test_a_document_that_goes_before_it_is_read_is_a_404(hub: Hub) -> None:
    [path, other] = insert_large(hub, 2, 6 * MIB)
    with ExitStack() as stack:
        stack.enter_context(ask(hub, other))
        eventually(lambda: room_of(hub) < 3 * MIB)
        with ThreadPoolExecutor(1) as one:
            waiting = one.submit(hub.client.get, path)
            eventually(
                lambda: run_sql(
                    hub.database,
                    "select count(*) from pg_stat_activity where query like '%large_bytes%' "
                    "and application_name = 'bmadflow-api'",
                )[0][0]
            )
            run_sql(hub.database, "delete from document")
            stack.close()
            assert_problem(waiting.result(), 404)
