"""Trees, branches and dates, fetched from real repositories."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.git.errors import GitError
from service.git.repository import GitRepository
from tests.support.git_repository import (
    assert_nothing_is_left,
    both_loops,
    fetch_all,
    fetch_error,
    git_options,
)
from tests.support.git_server import FIRST_COMMIT, GitServer, Link, Submodule

pytestmark = pytest.mark.anyio


@both_loops
async def test_only_the_files_of_the_folder_are_fetched(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    big = os.urandom(500_000)
    commit = remote.commit(
        {"docs/a.md": b"# A\n", "docs/sub/b.yaml": b"b: 1\n", "docs2/c.md": b"", "logo.png": big}
    )
    server.forget()
    tree, contents = await fetch_all(git_options(tmp_path, server), remote.url, "docs")
    assert contents == {b"docs/a.md": b"# A\n", b"docs/sub/b.yaml": b"b: 1\n"}
    assert tree.commit == commit
    assert tree.tree_id == remote.git("rev-parse", "HEAD:docs")
    assert tree.commit_date == datetime.fromtimestamp(FIRST_COMMIT + 60, UTC)
    assert [entry.mode for entry in tree.entries] == ["100644", "100644"]
    assert server.sent_bytes < 10_000
    assert_nothing_is_left(temporary)


async def test_without_a_folder_the_whole_repository_is_fetched(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a", "docs/b.md": b"", "c.md": b"a"})
    tree, contents = await fetch_all(git_options(tmp_path, server), remote.url)
    assert contents == {b"a.md": b"a", b"docs/b.md": b"", b"c.md": b"a"}
    assert tree.tree_id == remote.git("rev-parse", "HEAD^{tree}")


@pytest.mark.parametrize("folder", ["*", "[docs]", ":(top)docs", "--output=x", "a b", "bücher"])
async def test_a_folders_name_is_taken_literally(
    tmp_path: Path, server: GitServer, folder: str
) -> None:
    remote = server.create()
    remote.commit({f"{folder}/a.md": b"in it"})
    remote.commit({"docs/a.md": b"not in it", "d/a.md": b"neither"})
    tree, contents = await fetch_all(git_options(tmp_path, server), remote.url, folder)
    assert contents == {f"{folder}/a.md".encode(): b"in it"}
    assert tree.commit_date == datetime.fromtimestamp(FIRST_COMMIT + 60, UTC)


async def test_a_server_without_filters_is_supported(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.configure("uploadpack.allowFilter", "false")
    remote.commit({"docs/a.md": b"a", "b.md": b"b"})
    _, contents = await fetch_all(git_options(tmp_path, server), remote.url, "docs")
    assert contents == {b"docs/a.md": b"a"}


async def test_read_head_matches_the_whole_name_of_a_branch(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    first = remote.commit({"a.md": b"1"})
    second = remote.commit({"a.md": b"2"}, branch="team/main")
    third = remote.commit({"a.md": b"3"}, branch="HEAD2")
    remote.git("tag", "main", second)
    remote.git("tag", "only-a-tag", second)
    remote.git("update-ref", "refs/remotes/origin/HEAD", third)
    async with GitRepository(git_options(tmp_path, server)) as repository:
        assert await repository.read_head(remote.url, None) == first
        assert await repository.read_head(remote.url, "main") == first
        assert await repository.read_head(remote.url, "team/main") == second
        for name in ("only-a-tag", "ain", "team", "origin/HEAD"):
            with pytest.raises(GitError, match=f"no branch {name}"):
                await repository.read_head(remote.url, name)
        assert (await repository.fetch_tree(remote.url, "main", None)).commit == first


async def test_a_detached_head_is_read(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    first = remote.commit({"a.md": b"1"})
    remote.commit({"a.md": b"2"})
    remote.detach_head(first)
    async with GitRepository(git_options(tmp_path, server)) as repository:
        assert await repository.read_head(remote.url, None) == first
        assert (await repository.fetch_tree(remote.url, None, None)).commit == first


async def test_a_force_push_and_a_rename_are_fetched(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"docs/a.md": b"1"})
    renamed = remote.commit(renames={"docs/a.md": "docs/b.md"})
    tree, contents = await fetch_all(git_options(tmp_path, server), remote.url, "docs")
    assert (tree.commit, contents) == (renamed, {b"docs/b.md": b"1"})
    pushed = remote.commit({"docs/c.md": b"2"}, start_over=True)
    tree, contents = await fetch_all(git_options(tmp_path, server), remote.url, "docs")
    assert (tree.commit, contents) == (pushed, {b"docs/c.md": b"2"})


async def test_a_folder_has_the_date_of_the_last_commit_that_changed_it(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"old/a.md": b"a", "new/a.md": b"a"})
    for number in range(40):
        remote.commit({"b.md": b"%d" % number})
    remote.commit({"new/a.md": b"b"}, seconds=1_750_000_000)
    for number in range(9):
        remote.commit({"b.md": b"x%d" % number})
    options = git_options(tmp_path, server)
    # 50 of the 51 commits are fetched. The oldest fetched one changed only b.md.
    old, new, whole = [
        (await fetch_all(options, remote.url, name))[0] for name in ("old", "new", None)
    ]
    assert old.commit_date == datetime.fromtimestamp(FIRST_COMMIT + 120, UTC)
    assert not old.is_date_exact
    assert new.commit_date == datetime.fromtimestamp(1_750_000_000, UTC)
    assert whole.commit_date == datetime.fromtimestamp(1_750_000_000 + 9 * 60, UTC)
    assert new.is_date_exact
    assert whole.is_date_exact


@pytest.mark.parametrize(
    ("branch", "folder", "part"),
    [
        ("gone", None, "has no branch gone"),
        ("deleted", None, "has no branch deleted"),
        (None, "nothing", "has no folder nothing"),
        (None, "a.md/b", "has no folder a.md/b"),
        (None, "a.md", "a.md is not a folder"),
        (None, "link", "link is not a folder"),
        (None, "module", "module is not a folder"),
        (None, "DOCS", "has no folder DOCS"),
        (None, "../docs", "without . and .."),
        ("a:b", None, "git does not allow"),
        ("+main", None, "has no branch +main"),
        ("--upload-pack=touch /tmp/x", None, "git does not allow"),
    ],
)
async def test_a_missing_branch_or_folder_is_named_in_the_error(
    tmp_path: Path, server: GitServer, branch: str | None, folder: str | None, part: str
) -> None:
    remote = server.create()
    remote.commit(
        {"a.md": b"", "docs/b.md": b"", "link": Link(b"docs"), "module": Submodule("1" * 40)}
    )
    remote.commit({"a.md": b"1"}, branch="deleted")
    remote.delete_branch("deleted")
    assert part in await fetch_error(git_options(tmp_path, server), remote.url, branch, folder)


async def test_an_empty_repository_and_a_missing_default_branch_have_different_errors(
    tmp_path: Path, server: GitServer
) -> None:
    options = git_options(tmp_path, server)
    remote = server.create()
    assert "is empty" in await fetch_error(options, remote.url)
    remote.commit({"a.md": b""}, branch="develop")
    assert "name a branch" in await fetch_error(options, remote.url)
    async with GitRepository(options) as repository:
        with pytest.raises(GitError, match="name a branch"):
            await repository.read_head(remote.url, None)


async def test_a_repository_with_too_many_bytes_is_refused(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({f"{number}.md": os.urandom(30_000) for number in range(10)})
    async with GitRepository(git_options(tmp_path, server, max_bytes=100_000)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        with pytest.raises(GitError, match="more than 100,000 bytes to fetch"):
            await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
    remote.configure("uploadpack.allowFilter", "false")
    text = await fetch_error(git_options(tmp_path, server, max_bytes=100_000), remote.url)
    assert "more than 100,000 bytes to fetch" in text
