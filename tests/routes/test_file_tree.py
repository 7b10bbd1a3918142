from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from service import temporary
from service.routes import file_tree
from tests.support.browser import browser_page, needs_chromium
from tests.support.hub import Hub, Synced, running_hub
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem
from tests.support.service import json_log
from tests.support.wire import connect, receive_all

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


def names(nodes: list[dict[str, Any]]) -> list[str]:
    return [node["name"] for node in nodes]


def test_the_tree_has_folders_first_then_names_in_any_case(hub: Hub) -> None:
    files = ["b.md", "A.md", "a.md", "z/x.md", "B/y.md", "B/c/d.txt", "\u00e9.md", "10.md", "9.md"]
    synced = Synced(hub, {name: name.encode() for name in files})
    tree = hub.tree(synced.project)
    assert names(tree) == ["B", "z", "10.md", "9.md", "A.md", "a.md", "b.md", "\u00e9.md"]
    folder = tree[0]
    assert set(folder) == {"type", "name", "path", "children"}
    assert folder["type"] == "folder"
    assert names(folder["children"]) == ["c", "y.md"]
    file = folder["children"][1]
    assert file == {
        "type": "file",
        "id": file["id"],
        "name": "y.md",
        "path": "B/y.md",
        "file_type": "md",
        "size": 6,
    }
    assert hub.client.get(f"/api/documents/{file['id']}").json()["file_path"] == "B/y.md"


def test_each_of_several_sources_is_a_folder_of_its_project(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"a"})
    project, other = hub.create_project(), hub.create_project("Other")
    sources = [hub.create_source(project, remote, name=name) for name in ("Docs", "Docs", "a/b")]
    for source in (*sources, hub.create_source(other, remote, name="Elsewhere")):
        hub.sync(source)
    # As after the database's clock was set back.
    run_sql(hub.database, "update project_doc set created_at = now() - (number * interval '1 h')")
    assert [(node["name"], node["path"]) for node in hub.tree(project)] == [
        ("a/b", "a-b"),
        ("Docs", "Docs"),
        ("Docs (2)", "Docs (2)"),
    ]
    # Of two sources of one name, the older keeps the plain name.
    paths = [f"{name}/docs/a.md" for name in ("Docs", "Docs (2)", "a-b")]
    assert set(hub.files(project)) == set(paths)
    assert [hub.document(project, path)["project_doc_id"] for path in paths] == sources
    assert list(hub.files(other)) == ["docs/a.md"]


def test_a_project_without_documents_has_an_empty_tree(hub: Hub) -> None:
    project = hub.create_project()
    path = f"/api/projects/{project}/file-tree"
    assert hub.client.get(path).json() == {"project_id": project, "tree": []}
    hub.create_source(project, hub.server.create(), name="One")
    assert hub.tree(project) == []
    hub.create_source(project, hub.server.create("two"), name="Two")
    assert hub.tree(project) == []


def test_a_source_without_documents_gets_no_folder(hub: Hub) -> None:
    project = Synced(hub, {"docs/a.md": b"x"}).project
    assert list(hub.files(project)) == ["docs/a.md"]
    hub.create_source(project, hub.server.create("two"), name="Two")
    assert list(hub.files(project)) == ["docs/a.md"]


def test_the_tree_of_an_unknown_project_is_a_404(client: httpx.Client) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/file-tree"), 404)
    assert problem["detail"] == "There is no such project."
    assert_problem(client.get("/api/projects/x/file-tree"), 400)


# --- the file tree's entity tag


@pytest.fixture
def tree(hub: Hub) -> Tree:
    return Tree(Synced(hub, {"docs/a.md": b"one", "docs/b.md": b"two"}))


class Tree:
    """The file tree of a project with one source, as a client sees it that keeps the last one."""

    def __init__(self, synced: Synced) -> None:
        self.synced = synced
        self.client = synced.hub.client
        self.path = f"/api/projects/{synced.project}/file-tree"
        self.tag = self.client.get(self.path).headers["etag"]

    def sql(self, *statements: str) -> None:
        run_sql(self.synced.hub.database, *statements)

    def is_unchanged(self) -> bool:
        """Return whether the client's tree is current still; take the new one if it is not."""
        response = self.client.get(self.path, headers={"If-None-Match": self.tag})
        fresh = self.client.get(self.path)
        if response.status_code == 200:
            assert response.json() == fresh.json()
            assert response.headers["etag"] == fresh.headers["etag"] != self.tag
            self.tag = response.headers["etag"]
            return False
        assert response.status_code == 304
        assert response.content == b""
        assert response.headers["etag"] == fresh.headers["etag"] == self.tag
        assert response.headers["cache-control"] == fresh.headers["cache-control"] == "no-cache"
        return True


def test_a_tree_that_the_client_has_is_a_304(tree: Tree) -> None:
    tag = tree.tag[1:-1]
    assert re.fullmatch("[0-9a-f]{40}", tag)
    same = [
        f'"{tag}"',
        f'W/"{tag}"',
        f'"{tag}-gzip"',
        f'W/"{tag}-gzip"',
        f'"{tag};gzip"',
        f'"{tag}--gzip"',
        f'"{tag}-gzip-gzip"',
        f'"{tag}-br"',
        f'"{tag}-zstd"',
        f'"{tag}"-gzip',
        f'"other", "{tag}-gzip"',
        "*",
    ]
    for value in same:
        for method in ("GET", "HEAD"):
            response = tree.client.request(method, tree.path, headers={"If-None-Match": value})
            assert (response.status_code, response.content) == (304, b""), value
            assert tag in response.headers["etag"]
    for value in (f'"{tag}-other"', f'"{tag}x"', f'"gzip-{tag}"', '"-gzip"', tag, '"*"', ""):
        response = tree.client.get(tree.path, headers={"If-None-Match": value})
        assert response.status_code == 200, value
    sources = "/api/projects/6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11/file-tree"
    assert_problem(tree.client.get(sources, headers={"If-None-Match": "*"}), 404)


def test_a_304_reads_no_document(tree: Tree) -> None:
    with psycopg.connect(tree.synced.hub.database) as other:
        other.execute("lock table document in access exclusive mode")
        response = tree.client.get(tree.path, headers={"If-None-Match": tree.tag})
        assert response.status_code == 304


def test_the_tag_changes_with_the_tree(tree: Tree) -> None:
    synced = tree.synced
    synced.change({"docs/a.md": b"one", "docs/b.md": b"two", "docs/c.md": b""})
    assert not tree.is_unchanged()  # a file more
    synced.remove("docs/c.md")
    assert not tree.is_unchanged()  # a file less
    synced.remote.commit({"docs/b.md": None, "docs/new.md": b"two"})
    synced.hub.sync(synced.source)
    assert not tree.is_unchanged()  # a file moved
    synced.change({"docs/a.md": b"longer"})
    assert not tree.is_unchanged()  # another size
    tree.sql("update document set file_type = 'txt' where file_path = 'docs/a.md'")
    assert not tree.is_unchanged()  # another type
    tree.sql(f"update project_doc set name = 'New' where id = '{synced.source}'")
    assert not tree.is_unchanged()  # another name of the source
    second = synced.hub.create_source(synced.project, synced.remote, name="Second")
    synced.hub.sync(second)
    assert not tree.is_unchanged()  # another source
    tree.sql(f"update project_doc set number = default where id = '{synced.source}'")
    assert not tree.is_unchanged()  # another order of the sources
    tree.client.put(f"/api/project-docs/{second}", json={"name": "Third"})
    assert not tree.is_unchanged()
    tree.sql("update document set id = gen_random_uuid() where file_path = 'docs/a.md'")
    assert not tree.is_unchanged()  # other ids
    tree.client.delete(f"/api/project-docs/{second}")
    assert not tree.is_unchanged()  # a source less
    tree.sql("delete from document")
    assert not tree.is_unchanged()


def test_a_tag_never_comes_back(tree: Tree) -> None:
    first = tree.tag
    tree.synced.remove("docs/b.md")
    assert not tree.is_unchanged()
    # The same files as at first, but docs/b.md is a new document.
    tree.synced.change({"docs/a.md": b"one", "docs/b.md": b"two"})
    assert tree.client.get(tree.path, headers={"If-None-Match": first}).status_code == 200


def test_the_tag_stays_with_the_tree(tree: Tree) -> None:
    synced, hub = tree.synced, tree.synced.hub
    hub.sync(synced.source)
    assert tree.is_unchanged()  # nothing new
    synced.change({"docs/a.md": b"uno", "docs/b.md": b"two"})
    assert tree.is_unchanged()  # another content of the same size
    synced.change({"docs/a.md": b"uno", "docs/b.md": b"two", "src/code.py": b"pass"})
    assert tree.is_unchanged()  # no document
    tree.client.put(f"/api/project-docs/{synced.source}", json={"description": "Why"})
    tree.client.put(f"/api/projects/{synced.project}", json={"name": "Other name"})
    assert tree.is_unchanged()
    hub.create_source(synced.project, synced.remote, name="Never synced")
    assert tree.is_unchanged()
    other = hub.create_project("Elsewhere")
    hub.sync(hub.create_source(other, synced.remote))
    assert tree.is_unchanged()
    tree.client.delete(f"/api/projects/{other}")
    assert tree.is_unchanged()


def test_a_tag_is_that_of_the_committed_tree(tree: Tree) -> None:
    with psycopg.connect(tree.synced.hub.database) as other:
        other.execute("delete from document where file_path = 'docs/a.md'")
        assert tree.is_unchanged()
        other.rollback()
        other.execute("delete from document where file_path = 'docs/a.md'")
        other.commit()
    assert not tree.is_unchanged()


def test_an_empty_project_has_a_tag_too(client: httpx.Client) -> None:
    project = client.post("/api/projects", json={"name": "Empty"}).json()["id"]
    path = f"/api/projects/{project}/file-tree"
    tag = client.get(path).headers["etag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_a_compressed_tree_and_document_have_a_304(hub: Hub) -> None:
    files = {f"docs/file-{number}.md": b"# Title\n" * 1000 for number in range(100)}
    synced = Synced(hub, files)
    tree = f"/api/projects/{synced.project}/file-tree"
    document = synced.path("docs/file-1.md")
    for path in (tree, document, f"{document}/raw"):
        plain = hub.client.get(path, headers={"Accept-Encoding": "identity"})
        compressed = hub.client.get(path, headers={"Accept-Encoding": "gzip"})
        assert compressed.headers["content-encoding"] == "gzip"
        assert compressed.content == plain.content
        assert compressed.headers["etag"] != plain.headers["etag"]
        for response in (plain, compressed):
            tag = response.headers["etag"]
            same = hub.client.get(path, headers={"If-None-Match": tag})
            assert (same.status_code, same.headers["etag"]) == (304, tag)
            assert "Accept-Encoding" in response.headers["vary"]
            assert "Accept-Encoding" in same.headers["vary"]


@needs_chromium
def test_a_browser_fetches_an_unchanged_tree_once(hub: Hub) -> None:
    files = {f"docs/file-{number}.md": b"" for number in range(100)}
    path = f"/api/projects/{Synced(hub, files).project}/file-tree"
    statuses: list[int] = []
    with json_log() as log, browser_page(hub.client.base_url) as page:
        page.goto("/docs")
        read = "async (path) => (await (await fetch(path)).json()).tree[0].children.length"
        assert [page.evaluate(read, path) for _ in range(3)] == [100] * 3
        entries = [json.loads(line) for line in log().splitlines() if '"request"' in line]
        statuses += [
            entry["status"] for entry in entries if str(entry.get("route")).endswith("file-tree")
        ]
    assert statuses[:2] == [200, 304]


# --- large trees


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read every tree as those of many documents are: in several statements."""
    monkeypatch.setattr(file_tree, "FEW", 0)
    monkeypatch.setattr(file_tree, "ROWS", 7)


def insert_documents(hub: Hub, source: str, count: int, path: str) -> None:
    """Insert documents with a SQL expression of each one's number `n` as path."""
    run_sql(
        hub.database,
        "insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content, "
        f"doc_metadata) select '{source}', {path}, 'md', n, '', '', '{{}}' "
        f"from generate_series(1, {count}) as n",
    )


def test_a_large_tree_is_the_same_as_a_small_one(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    remote = hub.server.create()
    names = ["b.md", "A.md", "a.md", "z/x.md", "B/y.md", "B/c/d.txt", "\u00e9.md", '"\\.md', "9.md"]
    remote.commit({name: name.encode() for name in names})
    empty, one, several = (hub.create_project(name) for name in ("Empty", "One", "Several"))
    hub.create_source(empty, remote, name="Never synced")
    hub.sync(hub.create_source(one, remote))
    for name in ("Docs", "Docs", "a/b"):
        hub.sync(hub.create_source(several, remote, name=name))
    hub.create_source(several, remote, name="Never synced")
    paths = [f"/api/projects/{project}/file-tree" for project in (empty, one, several)]
    small = [hub.client.get(path, headers={"Accept-Encoding": "identity"}) for path in paths]
    request.getfixturevalue("large")
    for path, expected in zip(paths, small, strict=True):
        for coding in ("identity", "gzip"):
            response = hub.client.get(path, headers={"Accept-Encoding": coding})
            assert response.content == expected.content
            tag = expected.headers["etag"]
            assert response.headers["etag"] in (tag, f'{tag[:-1]}-gzip"')
            assert response.headers["cache-control"] == "no-cache"
            assert response.headers["content-type"] == "application/json"
            head = hub.client.head(path, headers={"Accept-Encoding": coding})
            assert head.headers["etag"] == response.headers["etag"]
            if coding == "identity":
                length = str(len(response.content))
                assert response.headers["content-length"] == length
                assert head.headers["content-length"] == length
            same = {"If-None-Match": response.headers["etag"]}
            assert hub.client.get(path, headers=same).status_code == 304
    # One that is not measured before it is sent has no length.
    monkeypatch.setattr(file_tree, "COUNTED_BYTES", -1)
    monkeypatch.setattr("service.documents.tree.PIECE", 10)
    response = hub.client.get(paths[2], headers={"Accept-Encoding": "identity"})
    assert response.content == small[2].content
    assert "content-length" not in response.headers
    assert_problem(hub.client.get(f"/api/projects/{UNKNOWN}/file-tree"), 404)


def test_a_tree_of_few_documents_with_long_paths_comes_in_pieces(hub: Hub) -> None:
    project = hub.create_project()
    source = hub.create_source(project, hub.server.create())
    insert_documents(hub, source, 50, "format('d%s/%sx.md', n, repeat('folder-xxx/', 90))")
    with json_log() as log:
        response = hub.client.get(f"/api/projects/{project}/file-tree")
    assert len(response.content) > 2_500_000
    assert response.json()["tree"][0]["name"] == "d1"
    assert "error" not in log()


def test_a_large_tree_has_all_changes_of_a_run_or_none(
    database: str, tmp_path: Path, large: None
) -> None:
    with running_hub(database, tmp_path, sync_concurrency=0) as hub:
        project = hub.create_project()
        source = hub.create_source(project, hub.server.create())
        insert_documents(hub, source, 60, "format('a/%s.md', n)")
        path = f"/api/projects/{project}/file-tree"
        seen: dict[str, set[str]] = {}
        with psycopg.connect(database, autocommit=True) as other:
            writing = threading.Event()

            def write() -> None:
                for number in range(200):
                    if writing.is_set():
                        return
                    folder = "bcdefghij"[number % 9]
                    other.execute(
                        "update document set file_path = "
                        f"'{folder}/' || split_part(file_path, '/', 2)".encode()
                    )

            writer = threading.Thread(target=write)
            writer.start()
            try:
                for _ in range(60):
                    response = hub.client.get(path)
                    [folder] = response.json()["tree"]
                    assert len(folder["children"]) == 60
                    seen.setdefault(response.headers["etag"], set()).add(folder["name"])
            finally:
                writing.set()
                writer.join()
    assert len(seen) > 1
    assert {len(names) for names in seen.values()} == {1}


def test_a_client_that_does_not_read_its_tree_holds_no_connection(
    database: str, tmp_path: Path, large: None
) -> None:
    with running_hub(database, tmp_path, sync_concurrency=0, database_pool_max=1) as hub:
        project = hub.create_project()
        source = hub.create_source(project, hub.server.create())
        insert_documents(hub, source, 100_000, "format('docs/%s.md', n)")
        path = f"/api/projects/{project}/file-tree"
        with connect(str(hub.client.base_url), receive_buffer=65536) as connection:
            request = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            connection.sendall(request.encode())
            head = connection.recv(1000)
            assert head.startswith(b"HTTP/1.1 200 ")
            # The documents of the tree go, and the client still gets all of it.
            run_sql(database, "delete from document")
            assert hub.client.get(f"/api/projects/{project}").status_code == 200
            assert hub.tree(project) == []
            body = (head + receive_all(connection)).partition(b"\r\n\r\n")[2]
        [folder] = json.loads(body)["tree"]
        assert len(folder["children"]) == 100_000


def test_a_tree_that_finds_no_space_is_a_503(
    hub: Hub, large: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Synced(hub, {f"{number}.md": b"x" for number in range(20)}).project
    path = f"/api/projects/{project}/file-tree"
    for name in ("PLAIN_KEPT", "COMPRESSED_KEPT", "BLOCK"):
        monkeypatch.setattr(f"service.documents.tree.{name}", 1)
    assert len(hub.client.get(path).json()["tree"]) == 20
    folder = tmp_path / "own"
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(temporary, "DEFAULT_PARENTS", (str(folder),))
    for _ in range(2):  # such as a cleaner that removes the folder, more than once
        problem = hub.client.get(path)
        assert_problem(problem, 503)
        assert problem.headers["retry-after"]
        folder.mkdir()
        assert len(hub.client.get(path).json()["tree"]) == 20
        folder.rmdir()
