"""Trees that git's own checks refuse: which of their files become documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from service.sync.paths import find_folders_named_as_files, why_refused
from tests.support.hub import Hub, counts
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.git_server import Remote

DOCUMENTS = "select file_path, content from document order by 1"
FILE, FOLDER = "100644", "40000"


@pytest.mark.parametrize(
    "path",
    [
        "a.md", ".a.md", "...", "a/.../b.md", "..a/b..md", "a..b/c.md", ".github/a.md",
        ".gitignore.md", "git/a.md", "a.git/b.md", "git~2/a.md", "x.git.md", "caf\u00e9.md",
        ".gitmodules.md", "a b.md", "\u202ea.md",
    ],
)  # fmt: skip
def test_names_that_only_look_unsafe_are_allowed(path: str) -> None:
    assert why_refused(path.encode(), path) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("..", "an empty part"),
        ("../a.md", "an empty part"),
        ("a/../../b.md", "an empty part"),
        ("a/./b.md", "an empty part"),
        ("./a.md", "an empty part"),
        ("/etc/a.md", "an empty part"),
        ("a//b.md", "an empty part"),
        ("a.md/", "an empty part"),
        ("", "an empty part"),
        (".git/a.md", ".git in it"),
        ("a/.GIT/b.md", ".git in it"),
        ("a/.git", ".git in it"),
        (".git./a.md", ".git in it"),
        (".git ./a.md", ".git in it"),
        ("GIT~1/a.md", ".git in it"),
        (".git::$INDEX_ALLOCATION/a.md", ".git in it"),
        ("a\\.git\\b.md", ".git in it"),
        (".g\u200cit/a.md", ".git in it"),
        ("\ufeff.git/a.md", ".git in it"),
        ("x" * 1025, "1,024 bytes"),
        ("d/" * 101 + "a.md", "100 folders"),
    ],
)
def test_unsafe_paths_are_refused(path: str, reason: str) -> None:
    assert reason in (why_refused(path.encode(), path) or "")


def test_folders_named_as_files_are_found() -> None:
    paths = ["a.md", "a.md/b.md", "a.md/c/d.md", "e/a.md", "e/a.md.md/x.md", "f.md"]
    assert find_folders_named_as_files(paths) == {"a.md", "a.md/c"}
    assert find_folders_named_as_files(["a/b.md", "a/c.md"]) == set()


def blob(remote: Remote, text: bytes = b"# A\n") -> str:
    return remote.write_object("blob", text)


def zero_padded(remote: Remote) -> str:
    docs = remote.write_tree((FILE, b"a.md", blob(remote)))
    return remote.write_tree(("040000", b"docs", docs), ("0100644", b"b.md", blob(remote)))


def group_writable(remote: Remote) -> str:
    docs = remote.write_tree(("100664", b"a.md", blob(remote)))
    return remote.write_tree(("100775", b"b.md", blob(remote)), (FOLDER, b"docs", docs))


def not_sorted(remote: Remote) -> str:
    docs = remote.write_tree((FILE, b"a.md", blob(remote)))
    return remote.write_tree((FOLDER, b"docs", docs), (FILE, b"b.md", blob(remote)))


def with_unsafe_paths(remote: Remote) -> str:
    docs = remote.write_tree((FILE, b"a.md", blob(remote)))
    evil = blob(remote, b"evil")
    return remote.write_tree(
        (FOLDER, b"..", docs), (FOLDER, b".GIT", docs), (FILE, b"/etc/passwd.md", evil),
        (FILE, b"b.md", blob(remote)), (FILE, b"b/../c.md", evil), (FOLDER, b"docs", docs),
        (FILE, b"x" * 5000 + b".md", evil),
    )  # fmt: skip


def with_duplicates(remote: Remote) -> str:
    evil = blob(remote, b"evil")
    docs = remote.write_tree((FILE, b"a.md", blob(remote)), (FILE, b"a.md", evil))
    other = remote.write_tree((FILE, b"a.md", evil))
    return remote.write_tree(
        (FILE, b"b.md", blob(remote)), (FOLDER, b"b.md", other), (FOLDER, b"docs", docs),
        (FOLDER, b"docs", other),
    )  # fmt: skip


def with_tricks_of_submodules(remote: Remote) -> str:
    modules = blob(remote, b'[submodule "../../x"]\n\tpath = -x\n\turl = -u./payload\n')
    docs = remote.write_tree((FILE, b"a.md", blob(remote)), ("120000", b"l.md", modules))
    return remote.write_tree(
        ("120000", b".gitmodules", modules), (FILE, b"b.md", blob(remote)), (FOLDER, b"docs", docs),
        ("777", b"mode.md", modules), ("160000", b"sub", "0" * 40),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("build", "skipped"),
    [
        (zero_padded, 0),
        (group_writable, 0),
        (not_sorted, 0),
        (with_unsafe_paths, 5),
        (with_duplicates, 3),
        (with_tricks_of_submodules, 3),
    ],
)
def test_the_other_files_of_a_malformed_tree_are_documents(
    hub: Hub, build: Callable[[Remote], str], skipped: int
) -> None:
    remote = hub.server.create()
    commit = remote.commit_tree(build(remote))
    project = hub.create_project()
    run = hub.sync(hub.create_source(project, remote))
    assert run["status"] == "completed"
    assert (counts(run), run["commit_id"]) == ((2, 0, 0, 0, skipped), commit)
    assert run_sql(hub.database, DOCUMENTS) == [("b.md", "# A\n"), ("docs/a.md", "# A\n")]
    assert set(hub.files(project)) == {"b.md", "docs/a.md"}
    assert len(run["skipped_files"]) == skipped
    folder = hub.sync(hub.create_source(project, remote, github_folder_path="docs"))
    assert (folder["status"], folder["added"]) == ("completed", 1)


@pytest.mark.parametrize(
    ("person", "seconds"),
    [
        (b"A <a@git.example> 1300000000 +051800", 1_300_000_000),
        (b"A <a@git.example> 1300000000 --500", None),
        (b"A <a@git.example>1300000000 +0000", 1_300_000_000),
        (b"A <a@git.example> 01300000000 +0000", 1_300_000_000),
        (b"A> <a@git.example> 1300000000 +0000", 1_300_000_000),
        (b"<a@git.example> 1300000000 +0000", 1_300_000_000),
        (b"A 1300000000 +0000", None),
        (b"A <a@git.example> 99999999999999999999999 +0000", None),
        (b"A <a@git.example> -5 +0000", None),
        (b"A <a@git.example>", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize("folder", [None, "docs"])
def test_a_malformed_commit_is_synced(
    hub: Hub, person: bytes, seconds: int | None, folder: str | None
) -> None:
    remote = hub.server.create()
    docs = remote.write_tree((FILE, b"a.md", blob(remote)))
    remote.commit_as(remote.write_tree((FOLDER, b"docs", docs)), person)
    source = hub.create_source(hub.create_project(), remote, github_folder_path=folder)
    assert hub.sync(source)["status"] == "completed"
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 0)
    date = hub.client.get(f"/api/project-docs/{source}").json()["last_github_commit_date"]
    if seconds is None:
        assert date is None
    else:
        assert datetime.fromisoformat(date) == datetime.fromtimestamp(seconds, UTC)
