"""The history of a folder: commits with what they changed, and past versions of files."""

from __future__ import annotations

import os
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import pytest

from service.git import history as history_module
from service.git.history import FETCHED_COMMITS, FileChange, History, HistoryCommit
from service.git.repository import GitRepository
from tests.support.git_repository import both_loops, git_options
from tests.support.git_server import FIRST_COMMIT, GitServer, Link, Remote

pytestmark = pytest.mark.anyio

DEEPEN = b"deepen 2001"


def _is_any(_: object) -> bool:
    return True


async def fetch_history(
    options: Any,
    remote: Remote,
    folder: str | None = None,
    *,
    commits: int = 2000,
    known: AbstractSet[str] = frozenset(),
) -> tuple[History, dict[str, bytes]]:
    """Return the history of Markdown, and the contents after the changes."""
    async with GitRepository(options) as repository:
        tree = await repository.fetch_tree(remote.url, None, folder)
        history = await repository.fetch_history(
            remote.url,
            tree.commit,
            folder,
            commits=commits,
            known=known,
            is_wanted=lambda path: path.endswith(".md"),
        )
        versions = await repository.fetch_versions(remote.url, history.list_versions(_is_any))
    return history, {blob: versions.read(blob) for blob in versions.sizes}


def paths_of(history: History) -> list[list[str]]:
    return [[change.path for change in commit.changes] for commit in history.commits]


def commit_numbers(remote: Remote, count: int) -> list[str]:
    """Commit a file so many times with another number; return the commits."""
    return [remote.commit({"docs/a.md": b"%d" % number}) for number in range(count)]


@both_loops
async def test_each_commit_has_its_date_and_its_changed_files(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    first = remote.commit({"docs/a.md": b"1", "docs/b.md": b"b", "docs/c.png": b"c", "d.md": b"d"})
    remote.commit({"d.md": b"e", "docs/c.png": b"f"})
    second = remote.commit({"docs/a.md": b"2", "docs/b.md": None, "docs/e.md": b"e"})
    history, contents = await fetch_history(git_options(tmp_path, server), remote, "docs")
    assert history.head == second
    assert (history.base, history.is_cut, history.is_partial, history.note) == (
        None,
        False,
        False,
        None,
    )
    assert [(each.id, each.seconds) for each in history.commits] == [
        (first, FIRST_COMMIT + 60),
        (second, FIRST_COMMIT + 180),
    ]
    assert paths_of(history) == [
        ["docs/a.md", "docs/b.md"],
        ["docs/a.md", "docs/b.md", "docs/e.md"],
    ]
    before, removed, added = history.commits[1].changes
    assert before.before == history.commits[0].changes[0].after
    assert (removed.after, added.before) == (None, None)
    assert sorted(contents.values()) == [b"1", b"2", b"b", b"e"]


async def test_older_commits_are_fetched_in_one_request_without_contents(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    commit_numbers(remote, FETCHED_COMMITS + 30)
    remote.commit({"big.png": os.urandom(500_000)})
    server.forget()
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert len(history.commits) == FETCHED_COMMITS + 30
    assert not history.is_cut
    assert {int(content) for content in contents.values()} == {*range(FETCHED_COMMITS + 30)}
    assert server.sent_bytes < 60_000
    assert len([each for each in server.requests if each.method == "POST"]) == 4


async def test_no_more_commits_are_read_than_asked_for(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    commits = commit_numbers(remote, 80)
    remote.commit({"docs/b.md": b"b"})
    for limit in (1, 20, 60, 81, 82):
        options = git_options(tmp_path, server)
        history, contents = await fetch_history(options, remote, commits=limit)
        assert len(history.commits) == min(limit, 81)
        assert history.is_cut is (limit < 81)
        assert history.commits[0].id == [*commits, remote.head()][-limit:][0]
        assert history.note is None
        assert len(contents) == min(limit, 80 + (limit > 1)) + (limit == 1)
        # The oldest commit has all files that there were.
        assert paths_of(history)[0][0] == "docs/a.md"


async def test_only_commits_after_a_known_one_are_read(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    commits = commit_numbers(remote, 120)
    server.forget()
    known = {*commits[:110]}
    history, contents = await fetch_history(git_options(tmp_path, server), remote, known=known)
    assert history.base == commits[109]
    assert [each.id for each in history.commits] == commits[110:]
    assert len(contents) == 10
    assert not any(DEEPEN in each.body for each in server.requests)
    history, _ = await fetch_history(git_options(tmp_path, server), remote, known={*commits})
    assert (history.base, history.commits) == (commits[-1], [])


async def test_after_a_long_pause_the_history_is_deepened_to_the_known_commit(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    commits = commit_numbers(remote, 120)
    known = {commits[10]}
    history, contents = await fetch_history(git_options(tmp_path, server), remote, known=known)
    assert history.base == commits[10]
    assert [each.id for each in history.commits] == commits[11:]
    assert len(contents) == 109
    history, _ = await fetch_history(
        git_options(tmp_path, server), remote, known=known, commits=100
    )
    assert (history.base, history.is_cut) == (None, True)
    assert [each.id for each in history.commits] == commits[20:]


async def test_merges_are_compared_with_their_first_parents(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"1"})
    base = remote.head()
    side = remote.commit({"b.md": b"side 1"}, branch="side", start_over=True)
    side = remote.commit({"b.md": b"side 2", "a.md": b"1"}, branch="side")
    remote.commit({"c.md": b"c"})
    tree = remote.write_tree(
        ("100644", b"a.md", remote.git("rev-parse", f"{base}:a.md")),
        ("100644", b"b.md", remote.git("rev-parse", f"{side}:b.md")),
        ("100644", b"c.md", remote.git("rev-parse", "main:c.md")),
    )
    identity = ("-c", "user.name=x", "-c", "user.email=x@x")
    parents = ("-p", "main", "-p", side)
    merge = remote.git(*identity, "commit-tree", *parents, "-m", "Merge it", tree)
    remote.git("update-ref", "refs/heads/main", merge)
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert paths_of(history) == [["a.md"], ["c.md"], ["b.md"]]
    assert history.commits[-1].id == merge
    assert b"side 1" not in contents.values()


async def test_a_force_push_goes_back_to_the_newest_commit_that_stayed(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    commits = commit_numbers(remote, 10)
    remote.git("update-ref", "refs/heads/main", commits[4])
    pushed = remote.commit({"docs/a.md": b"other"})
    known = {*commits}
    history, _ = await fetch_history(git_options(tmp_path, server), remote, known=known)
    assert (history.base, [each.id for each in history.commits]) == (commits[4], [pushed])
    remote.git("update-ref", "refs/heads/main", commits[2])
    history, _ = await fetch_history(git_options(tmp_path, server), remote, known=known)
    assert (history.base, history.commits) == (commits[2], [])
    anew = remote.commit({"docs/a.md": b"anew"}, start_over=True)
    history, _ = await fetch_history(git_options(tmp_path, server), remote, known=known)
    assert (history.base, [each.id for each in history.commits]) == (None, [anew])
    assert not history.is_cut


async def test_links_are_no_files_and_paths_outside_utf_8_are_left_out(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({b"a.md": b"a", b"b.md": Link(b"a.md"), b"\xff.md": b"c", b"d\n:e.md": b"d"})
    remote.commit({"a.md": Link(b"b.md"), "b.md": b"b"})
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert paths_of(history) == [["a.md", "d\n:e.md"], ["a.md", "b.md"]]
    assert [(each.before is None, each.after is None) for each in history.commits[1].changes] == [
        (False, True),
        (True, False),
    ]
    assert sorted(contents.values()) == [b"a", b"b", b"d"]


async def test_a_start_without_wanted_files_is_in_the_history(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    first = remote.commit({"src/a.c": b"a"})
    history, _ = await fetch_history(git_options(tmp_path, server), remote)
    assert [(each.id, each.changes) for each in history.commits] == [(first, [])]
    remote.commit({"docs/a.md": b"a"})
    history, _ = await fetch_history(git_options(tmp_path, server), remote, "docs")
    assert paths_of(history) == [[], ["docs/a.md"]]


async def test_dates_that_are_none_are_unknown(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    tree = remote.git("rev-parse", "HEAD^{tree}")
    remote.commit_as(tree, b"x <x> 99999999999999999999999 +0000")
    history, _ = await fetch_history(git_options(tmp_path, server), remote)
    seconds = history.commits[0].seconds
    assert seconds is None or seconds >= 0


async def test_a_server_without_filters_gives_its_history_within_the_limit(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.configure("uploadpack.allowFilter", "false")
    for number in range(70):
        remote.commit({"docs/a.md": b"%d" % number, "b.bin": os.urandom(3000)})
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert (len(history.commits), history.note) == (70, None)
    assert len(contents) == 70
    options = git_options(tmp_path, server, history_bytes=50_000)
    history, _ = await fetch_history(options, remote)
    assert len(history.commits) == FETCHED_COMMITS
    assert (history.is_cut, history.is_partial) == (True, False)
    assert history.note == (
        "Only the newest 50 commits of the history could be read. The repository is too large: it "
        "has more than 50,000 bytes to fetch."
    )


async def test_a_server_that_fails_gives_less_history(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    commit_numbers(remote, 60)
    server.behaviour.hang_up_once = DEEPEN
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert len(history.commits) == len(contents) == FETCHED_COMMITS
    assert (history.is_cut, history.is_partial) == (True, True)
    assert history.note is not None
    assert history.note.startswith("Only the newest 50 commits of the history could be read. The ")


async def test_contents_that_the_server_lost_are_missing(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    commits = commit_numbers(remote, 20)
    lost = remote.git("rev-parse", f"{commits[7]}:docs/a.md")
    remote.lose(lost)
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert len(history.commits) == 20
    assert {int(content) for content in contents.values()} == {*range(20)} - {7}


async def test_versions_are_fetched_beside_a_newer_one_that_the_server_lost(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.git.contents.FIRST_BLOBS", 8)
    remote = server.create()
    commits = commit_numbers(remote, 20)
    # The last of a request, after which the next one asks.
    remote.lose(remote.git("rev-parse", f"{commits[11]}:docs/a.md"))
    history, contents = await fetch_history(git_options(tmp_path, server), remote)
    assert len(history.commits) == 20
    assert {int(content) for content in contents.values()} == {*range(20)} - {11}


async def test_a_request_for_versions_names_the_newer_ones_for_the_servers_deltas(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"1", "b.md": b"b"})
    remote.commit({"a.md": b"2"})
    newest, other = (remote.git("rev-parse", f"main:{name}") for name in ("a.md", "b.md"))
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
        history = await repository.fetch_history(
            remote.url, tree.commit, None, commits=50, known=frozenset(), is_wanted=_is_any
        )
        server.forget()
        versions = await repository.fetch_versions(remote.url, history.list_versions(_is_any))
    assert len(versions.sizes) == 3
    sent = b"".join(request.body for request in server.requests)
    assert newest.encode() in sent
    assert other.encode() not in sent


def test_each_version_has_the_one_after_it_of_its_file() -> None:
    changes = [
        [("a", None, "1"), ("b", None, "2")],
        [("a", "1", "3"), ("b", "2", None)],
        [("a", "3", "1")],
        [("a", "1", "4"), ("c", None, "5")],
    ]
    commits = [
        HistoryCommit(str(number), 0, [FileChange(*change) for change in of_commit])
        for number, of_commit in enumerate(changes)
    ]
    history = History("3", None, commits, is_cut=False, is_partial=False, note=None)
    assert [*history.list_versions(_is_any).items()] == [
        ("4", "4"),
        ("5", "5"),
        ("1", "4"),
        ("3", "1"),
        ("2", "2"),
    ]
    unwanted = {id(commits[3].changes[0]), id(commits[2].changes[0])}
    assert [*history.list_versions(lambda change: id(change) not in unwanted).items()] == [
        ("5", "5"),
        ("3", "1"),
        ("1", "3"),
        ("2", "2"),
    ]


async def test_the_newest_versions_are_fetched_within_the_limit(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.git.contents.FIRST_BLOBS", 5)
    monkeypatch.setattr("service.git.contents.MAX_HALVINGS", 0)
    remote = server.create()
    for _ in range(20):
        remote.commit({"a.md": os.urandom(10_000)})
    newest = remote.git("rev-parse", "main:a.md")
    options = git_options(tmp_path, server, history_bytes=70_000)
    history, contents = await fetch_history(options, remote)
    assert len(history.commits) == 20
    assert len(contents) == 5
    assert newest in contents
    options = git_options(tmp_path, server, history_bytes=30_000)
    _, contents = await fetch_history(options, remote)
    assert contents == {}


async def test_of_too_many_versions_the_newest_ones_are_fetched(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = server.create()
    for _ in range(20):
        remote.commit({"a.md": os.urandom(10_000)})
    newest = [remote.git("rev-parse", f"main~{age}:a.md") for age in range(6)]
    options = git_options(tmp_path, server, history_bytes=79_000)
    for halvings, fetched in ((4, 6), (2, 5), (1, 0)):
        monkeypatch.setattr("service.git.contents.MAX_HALVINGS", halvings)
        _, contents = await fetch_history(options, remote)
        assert contents.keys() == {*newest[:fetched]}


async def test_too_many_changes_shorten_the_history(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_module, "MAX_CHANGES", 30)
    remote = server.create()
    commits = commit_numbers(remote, 40)
    history, _ = await fetch_history(git_options(tmp_path, server), remote)
    assert [each.id for each in history.commits] == commits[-5:]
    assert (history.is_cut, history.is_partial) == (True, False)
    assert history.note == (
        "Only the newest 5 commits of the history could be read. Its commits change too many files."
    )
    history, _ = await fetch_history(git_options(tmp_path, server), remote, known={commits[2]})
    assert history.base is None
