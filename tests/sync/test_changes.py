"""Documents that move to other paths: which of them keep their ids, and how a run counts them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from service.sync.batches import ROWS_PER_STATEMENT
from service.sync.changes import (
    SIMILAR_FILES,
    UnmatchedFile,
    choose_similar,
    find_moves,
)
from service.sync.plan import StoredFile
from tests.support.hub import Hub, counts, running_hub
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

# The content of an empty document, for the pure functions.
EMPTY = ""


def moves_of(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    """Return the moves, as new path by old path, between two states of contents by path."""
    stored = {path: StoredFile(f"id {content}", len(content)) for path, content in before.items()}
    moves = find_moves({path: f"id {content}" for path, content in after.items()}, stored)
    return {old: new for new, old in moves.items()}


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        pytest.param({"a.md": "A"}, {"b.md": "A"}, {"a.md": "b.md"}, id="renamed"),
        pytest.param({"a.md": "A"}, {"A.md": "A"}, {"a.md": "A.md"}, id="only the case"),
        pytest.param({"a.md": "A"}, {"a.txt": "A"}, {"a.md": "a.txt"}, id="another type"),
        pytest.param({"a.md": "A"}, {"a.md": "A", "b.md": "A"}, {}, id="copied"),
        pytest.param({"a.md": "A"}, {"a.md": "A2", "b.md": "A"}, {}, id="copied, then edited"),
        pytest.param({"a.md": "A", "b.md": "B"}, {"b.md": "A"}, {}, id="put over another"),
        pytest.param(
            {"a.md": "A", "b.md": "B"},
            {"b.md": "A", "c.md": "B"},
            {"a.md": "b.md", "b.md": "c.md"},
            id="a chain",
        ),
        pytest.param(
            {"a.md": "A", "b.md": "B"},
            {"a.md": "B", "b.md": "A"},
            {"a.md": "b.md", "b.md": "a.md"},
            id="exchanged",
        ),
        pytest.param(
            {"1.md": "A", "2.md": "B", "3.md": "C"},
            {"1.md": "C", "2.md": "A", "3.md": "B"},
            {"1.md": "2.md", "2.md": "3.md", "3.md": "1.md"},
            id="a cycle of three",
        ),
        pytest.param(
            {"v1.md": "A", "now.md": "B"},
            {"v2.md": "A", "v1.md": "B", "now.md": "C"},
            {},
            id="rotated: each path keeps its document",
        ),
        pytest.param(
            {"a/x.md": "A", "b/y.md": "A"},
            {"c/y.md": "A", "c/x.md": "A"},
            {"a/x.md": "c/x.md", "b/y.md": "c/y.md"},
            id="the same name first",
        ),
        pytest.param(
            {"old/1/t.md": "A", "old/2/t.md": "A"},
            {"new/2/t.md": "A", "new/1/t.md": "A"},
            {"old/1/t.md": "new/1/t.md", "old/2/t.md": "new/2/t.md"},
            id="then the same folders above the name",
        ),
        pytest.param(
            {"m/t.md": "A"},
            {"a/t.md": "A", "m/n/t.md": "A"},
            {"m/t.md": "m/n/t.md"},
            id="then the nearest folder",
        ),
        pytest.param(
            {"m/a.md": "A"},
            {"a/b.md": "A", "m/n/c.md": "A"},
            {"m/a.md": "m/n/c.md"},
            id="the nearest folder of other names",
        ),
        pytest.param({"a.md": EMPTY}, {"b.md": EMPTY}, {}, id="empty"),
        pytest.param(
            {"a/t.md": EMPTY, "a/u.md": EMPTY},
            {"b/t.md": EMPTY, "b/v.md": EMPTY},
            {"a/t.md": "b/t.md"},
            id="empty, with its name",
        ),
        pytest.param({}, {"a.md": "A"}, {}, id="the first run"),
        pytest.param({"a.md": "A"}, {}, {}, id="removed"),
    ],
)
def test_a_content_under_a_new_path_is_the_moved_document(
    before: dict[str, str], after: dict[str, str], moves: dict[str, str]
) -> None:
    assert moves_of(before, after) == moves
    # Whatever the order of the rows and of git's entries.
    assert moves_of(dict(reversed(before.items())), dict(reversed(after.items()))) == moves


def test_thousands_of_equal_contents_in_deep_folders_are_paired() -> None:
    before = {"/".join(f"{number % 7}" * 100) + f"/{number}.md": "A" for number in range(5000)}
    after = {f"new/{path}": content for path, content in before.items()}
    assert moves_of(before, after) == {path: f"new/{path}" for path in before}


def test_only_so_many_documents_are_compared_and_those_with_equal_names_first() -> None:
    gone = [UnmatchedFile(f"a/{number}.md", "1", 5) for number in range(3000)]
    new = [UnmatchedFile("b/2999.md", "2", 5), UnmatchedFile("b/x.md", "3", 0)]
    old_chosen, new_chosen = choose_similar(gone, new)
    assert len(old_chosen) == SIMILAR_FILES
    assert old_chosen[0].path == "a/2999.md"
    assert new_chosen == new[:1]


class Moved(NamedTuple):
    """A hub with one source, and the documents of its first run, by path."""

    hub: Hub
    project: str
    source: str
    before: dict[str, dict[str, Any]]

    def ids(self) -> dict[str, str]:
        """Return the old path of each document, by its path; a new one has none."""
        old = {document["id"]: path for path, document in self.before.items()}
        files = self.hub.files(self.project)
        return {path: old[file["id"]] for path, file in files.items() if file["id"] in old}


def words(seed: int, lines: int = 40) -> bytes:
    choose = random.Random(seed)
    return b"\n".join(b"%x %x" % (choose.getrandbits(64), seed) for _ in range(lines)) + b"\n"


def start(hub: Hub, remote: Any, **fields: Any) -> Moved:
    project = hub.create_project()
    source = hub.create_source(project, remote, **fields)
    hub.sync(source)
    paths = hub.files(project)
    return Moved(hub, project, source, {path: hub.document(project, path) for path in paths})


def test_a_renamed_document_keeps_its_id_and_its_links(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/prd.md": b"# PRD\n", "docs/plan.md": b"no heading\n", "z.md": b"z"})
    moved = start(hub, remote)
    remote.commit(renames={"docs/prd.md": "planning/prd.md", "docs/plan.md": "planning/p2.md"})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 1, 0, 0, 2)
    assert run["files_total"] == run["files_done"] == 3
    assert moved.ids() == {
        "planning/prd.md": "docs/prd.md",
        "planning/p2.md": "docs/plan.md",
        "z.md": "z.md",
    }
    old, new = moved.before["docs/prd.md"], hub.document(moved.project, "planning/prd.md")
    assert new["updated_at"] > old["updated_at"]
    assert new == old | {"file_path": "planning/prd.md", "updated_at": new["updated_at"]}
    # Without a heading, the title is the file's name.
    assert hub.document(moved.project, "planning/p2.md")["doc_metadata"]["title"] == "p2"
    assert (hub.sync(moved.source)["moved"], hub.sync(moved.source)["unchanged"]) == (0, 3)


def test_a_renamed_document_is_sent_again_to_a_client_that_has_its_content(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"a"})
    moved = start(hub, remote)
    path = f"/api/documents/{moved.before['a.md']['id']}"
    tags = {suffix: hub.client.get(path + suffix).headers["etag"] for suffix in ("", "/raw")}
    for suffix, tag in tags.items():
        found = hub.client.get(path + suffix, headers={"If-None-Match": tag})
        assert found.status_code == 304
    remote.commit(renames={"a.md": "b.txt"})
    hub.sync(moved.source)
    for suffix, tag in tags.items():
        found = hub.client.get(path + suffix, headers={"If-None-Match": tag})
        assert found.status_code == 200
        assert "b.txt" in (found.text if not suffix else found.headers["content-disposition"])


def test_exchanged_paths_and_chains_keep_their_ids(hub: Hub) -> None:
    remote = hub.server.create()
    names = ["a", "b", "c", "d", "e"]
    remote.commit({f"{name}.md": f"# {name}\n".encode() for name in names})
    moved = start(hub, remote)
    remote.commit(
        {
            "a.md": b"# b\n",  # exchanged
            "b.md": b"# a\n",
            "c.md": None,  # c to d to e to f
            "d.md": b"# c\n",
            "e.md": b"# d\n",
            "f.md": b"# e\n",
        }
    )
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 0, 0, 5)
    assert moved.ids() == {
        "a.md": "b.md",
        "b.md": "a.md",
        "d.md": "c.md",
        "e.md": "d.md",
        "f.md": "e.md",
    }
    for path, old in moved.ids().items():
        document = hub.document(moved.project, path)
        assert document["content"] == f"# {old[0]}\n"
        assert document["doc_metadata"]["title"] == old[0]


def test_a_chain_longer_than_a_statement_keeps_its_ids(hub: Hub) -> None:
    count = 2 * ROWS_PER_STATEMENT + 10
    remote = hub.server.create()
    remote.commit({f"{number:04}.md": b"# %d\n" % number for number in range(count)})
    moved = start_ids(hub, remote)
    shifted = {f"{number + 1:04}.md": b"# %d\n" % number for number in range(count)}
    remote.commit({"0000.md": None, **shifted})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 0, 0, count)
    assert moved.ids() == {f"{number + 1:04}.md": f"{number:04}.md" for number in range(count)}


@pytest.mark.parametrize("new_path", ["b/story.md", "a/other.md", "a/story.txt", 'b/ö \\"\n.md'])
def test_a_document_that_is_renamed_and_edited_keeps_its_id(hub: Hub, new_path: str) -> None:
    remote = hub.server.create()
    text = words(1)
    remote.commit({"a/story.md": text, "a/z.md": words(2), "keep.md": words(3)})
    moved = start(hub, remote)
    remote.commit({"a/story.md": None, "a/z.md": None, new_path: b"# Title\n" + text[:-50]})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 1, 1, 0, 1)
    assert moved.ids() == {new_path: "a/story.md", "keep.md": "keep.md"}
    document = hub.document(moved.project, new_path)
    assert document["doc_metadata"]["title"] == ("Title" if new_path.endswith("md") else "story")
    assert document["content"].startswith("# Title\n")
    assert document["created_at"] == moved.before["a/story.md"]["created_at"]
    assert run["bytes"] < 10_000


def test_an_unlike_document_under_a_new_path_is_a_new_one(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a/story.md": words(1), "b.md": b""})
    moved = start(hub, remote)
    remote.commit({"a/story.md": None, "b.md": None, "b/story.md": words(2), "c.md": b""})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (2, 0, 0, 2, 0, 0)
    assert moved.ids() == {}


def test_each_of_many_edited_documents_finds_its_own(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({f"old/{number}/story.md": words(number) for number in range(120)})
    moved = start(hub, remote)
    remote.commit(
        {f"new/{119 - number}/s.md": words(number)[:-80] + b"?" for number in range(120)}
        | {f"old/{number}/story.md": None for number in range(120)}
    )
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 0, 0, 120)
    assert moved.ids() == {
        f"new/{119 - number}/s.md": f"old/{number}/story.md" for number in range(120)
    }


def test_a_document_that_moves_and_becomes_unreadable_is_removed(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": words(1), "b.md": words(2)})
    moved = start(hub, remote)
    remote.commit({"a.md": None, "b.md": None, "c.md": words(1) + b"\0" * 400, "d.png": words(2)})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 2, 1, 0)
    assert moved.ids() == {}


def test_a_similar_document_in_another_encoding_keeps_its_id(hub: Hub) -> None:
    remote = hub.server.create()
    text = "\ufeff" + words(1).decode()
    remote.commit({"a.md": text.encode("utf-16-le")})
    moved = start(hub, remote)
    remote.commit({"a.md": None, "b.md": (text + "more\n").encode("utf-16-le")})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 0, 0, 1)


def test_documents_do_not_move_between_sources(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"one/a.md": words(1), "two/b.md": words(2)})
    project = hub.create_project()
    one = hub.create_source(project, remote, github_folder_path="one", name="1")
    two = hub.create_source(project, remote, github_folder_path="two", name="2")
    hub.sync(one)
    hub.sync(two)
    remote.commit(renames={"one/a.md": "two/a.md"}, files={"one/c.md": words(3)})
    assert (hub.sync(two)["moved"], hub.sync(one)["moved"]) == (0, 0)
    assert len(hub.files(project)) == 3


def test_a_source_whose_folder_was_renamed_keeps_its_documents(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": words(1), "docs/b.md": b"", "x": b"x"})
    moved = start(hub, remote, github_folder_path="docs")
    remote.commit(renames={"docs": "documentation"})
    changed = hub.client.put(
        f"/api/project-docs/{moved.source}", json={"github_folder_path": "documentation"}
    )
    assert changed.status_code == 200
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 0, 0, 2)
    assert set(moved.ids().values()) == {"docs/a.md", "docs/b.md"}


def test_documents_keep_their_ids_when_a_run_also_reads_all_of_them_again(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": words(1), "b.md": words(2), "c.md": words(3)})
    moved = start(hub, remote)
    run_sql(hub.database, "update project_doc set reader_version = 0")
    remote.commit(
        renames={"a.md": "new/a.md"}, files={"b.md": None, "new/b.md": words(2) + b"more\n"}
    )
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 1, 0, 0, 2)
    assert moved.ids() == {"new/a.md": "a.md", "new/b.md": "b.md", "c.md": "c.md"}


def test_a_folder_of_thousands_is_renamed_without_fetching(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({f"old/{n % 50}/{n}.md": words(n % 1500, 30) for n in range(3000)})
    moved = start_ids(hub, remote)
    remote.commit(renames={"old": "new/docs"})
    run = hub.sync(moved.source)
    assert (*counts(run), run["moved"]) == (0, 0, 0, 0, 0, 3000)
    assert run["bytes"] < 200_000  # of trees
    assert moved.ids() == {path.replace("old", "new/docs"): path for path in moved.before}


def start_ids(hub: Hub, remote: Any) -> Moved:
    """As `start`, without the documents' contents."""
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    return Moved(hub, project, source, hub.files(project))


def test_a_run_without_memory_for_comparing_still_ends(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_max_bytes=20_000) as hub:
        remote = hub.server.create()
        # Both fit into SYNC_MAX_BYTES, but their comparison does not.
        remote.commit({"a.md": words(1, 500)})
        moved = start(hub, remote)
        remote.commit({"a.md": None, "b.md": words(2, 500)})
        run = hub.sync(moved.source)
        assert run["status"] == "completed", run
        assert (*counts(run), run["moved"]) == (1, 0, 0, 1, 0, 0)


def test_runs_of_older_code_show_that_nothing_moved(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"a"})
    moved = start(hub, remote)
    run_sql(hub.database, "update sync_run set moved = null")
    (run,) = hub.client.get(f"/api/project-docs/{moved.source}/syncs").json()
    assert run["moved"] == 0
