"""Trees and contents, read from git's output."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from service.git import repository as repository_module
from service.git.errors import GitError
from service.git.objects import Blobs, read_sizes
from service.git.repository import GitRepository
from tests.support.git_repository import fetch_all, fetch_error, git_options
from tests.support.git_server import LFS_POINTER, GitServer, Link, Submodule

pytestmark = pytest.mark.anyio


def test_contents_are_checked_against_their_headers_and_sizes(tmp_path: Path) -> None:
    path = tmp_path / "contents"
    path.write_bytes(b"a blob 1\nA\nb blob 0\n\nc blob 3\n\n\n\n\n")
    blobs = Blobs(path, {"a": 1, "b": 0, "c": 3}, {})
    assert [blobs.read(blob) for blob in "cba"] == [b"\n\n\n", b"", b"A"]
    path.write_bytes(b"a blob 1\nA\nX blob 0\n\nc blob 3\n\n\n\n\n")
    with pytest.raises(GitError):
        blobs.read("b")
    for other in ({"a": 1}, {"a": 1, "b": 0, "c": 4}):
        with pytest.raises(GitError):
            Blobs(path, other, {})


async def test_file_names_are_returned_byte_for_byte(tmp_path: Path, server: GitServer) -> None:
    names = [
        b'with"quote.md',
        b"with\nnewline.md",
        b"with\ttab.md",
        b"not \xff utf-8.md",
        "bücher.md".encode(),
        b"-dash.md",
        b"README.md",
        b"readme.md",
        b"/".join([b"d" * 200] * 12) + b"/deep.md",
    ]
    remote = server.create()
    remote.commit({b"docs/" + name: name for name in names})
    _, contents = await fetch_all(git_options(tmp_path, server), remote.url, "docs")
    assert contents == {b"docs/" + name: name for name in names}


async def test_links_and_submodules_are_listed_and_not_followed(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit(
        {
            "docs/link.md": Link(b"/etc/passwd"),
            "docs/lfs.md": LFS_POINTER,
            "docs/module": Submodule("1" * 40),
        }
    )
    tree, contents = await fetch_all(git_options(tmp_path, server), remote.url, "docs")
    assert {entry.path: (entry.mode, entry.type) for entry in tree.entries} == {
        b"docs/lfs.md": ("100644", "blob"),
        b"docs/link.md": ("120000", "blob"),
        b"docs/module": ("160000", "commit"),
    }
    assert contents == {b"docs/link.md": b"/etc/passwd", b"docs/lfs.md": LFS_POINTER}


async def test_a_folder_with_too_many_files_is_refused(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({f"docs/{number}.md": b"" for number in range(10)})
    remote.commit({"a.md": b""})
    tree, _ = await fetch_all(git_options(tmp_path, server, max_entries=10), remote.url, "docs")
    assert len([*tree.entries]) == 10
    text = await fetch_error(git_options(tmp_path, server, max_entries=10), remote.url)
    assert "more than 10 files and folders" in text


async def test_folders_without_files_count(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    tree = remote.git("mktree")
    for _ in range(9):  # 10^9 folders
        lines = "".join(f"040000 tree {tree}\t{name}\n" for name in "0123456789")
        tree = remote.git("mktree", stdin=lines.encode())
    remote.commit_tree(tree)
    text = await fetch_error(git_options(tmp_path, server), remote.url)
    assert (
        text == "The list of the folder's files has more than 128 MB: name a folder that has less."
    )


async def test_a_trees_listing_is_limited(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "x" * 200
    line = len("100644 blob ") + 40 + len("\t") + len(name) + len("\0")
    monkeypatch.setattr(repository_module, "LISTING_BYTES", 10 * line)
    remote = server.create()
    remote.commit({f"{name[1:]}{number}": b"" for number in range(10)})
    tree, _ = await fetch_all(git_options(tmp_path, server), remote.url)
    assert len([*tree.entries]) == 10
    remote.commit({"x": b""})
    assert "The list of the folder's files" in await fetch_error(
        git_options(tmp_path, server), remote.url
    )


async def test_an_endless_name_is_refused(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    content = remote.write_object("blob", b"x")
    remote.commit_tree(remote.write_tree(("100644", b"x" * 3_000_000, content)))
    options = git_options(tmp_path, server)
    async with GitRepository(options) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        with pytest.raises(GitError, match="a path of more than 1,048,576 bytes"):
            list(tree.entries)
    assert "a path of more than 1,048,576 bytes" in await fetch_error(
        options, remote.url, None, "y"
    )


async def test_long_lists_are_not_held_in_memory(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    content = remote.git("hash-object", "-w", "--stdin", stdin=b"x")
    lines = "".join(f"100644 blob {content}\t{number}{'x' * 200}.md\n" for number in range(200))
    tree = remote.git("mktree", stdin=lines.encode())
    lines = "".join(f"040000 tree {tree}\t{number}\n" for number in range(500))
    tree = remote.git("mktree", stdin=lines.encode())
    commit = remote.commit_tree(tree)
    refs = "".join(f"{commit} refs/heads/{number:06}/HEAD\n" for number in range(100_000))
    (remote.path / "packed-refs").write_text(refs)
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tracemalloc.start()
        try:
            assert await repository.read_head(remote.url, None) == commit
            assert tracemalloc.get_traced_memory()[1] < 3_000_000
            tree = await repository.fetch_tree(remote.url, None, None)
            assert sum(1 for _ in tree.entries) == 100_000
            assert tracemalloc.get_traced_memory()[1] < 8_000_000
        finally:
            tracemalloc.stop()


def test_sizes_of_contents_that_nobody_asked_for_are_not_held(tmp_path: Path) -> None:
    path = tmp_path / "sizes"
    path.write_text("".join(f"{number:040x} blob {number}\n" for number in range(200_000)))
    tracemalloc.start()
    try:
        assert read_sizes(path, {f"{7:040x}", f"{200_001:040x}"}) == {f"{7:040x}": 7}
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


async def test_a_default_branch_that_no_source_may_have_is_not_told(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    for name, told in (("x" * 200, True), ("y" * 200 + "/" + "z" * 200, False)):
        commit = remote.commit({"a.md": b""}, branch=name)
        remote.set_head(name)
        async with GitRepository(git_options(tmp_path, server)) as repository:
            assert await repository.read_head(remote.url, None) == commit
            assert repository.default_branch == (name if told else None)


@pytest.mark.parametrize(("name", "limit"), [("HISTORY_LISTED", 3), ("HISTORY_BYTES", 250)])
async def test_the_history_that_is_read_is_limited(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    remote = server.create()
    commits = [remote.commit({"a.md": b"%d" % number}) for number in range(3)]
    async with GitRepository(git_options(tmp_path, server)) as repository:
        monkeypatch.setattr(repository_module, name, limit)
        assert await repository.read_history(remote.url, None, commits[-1]) == set(commits)
    commits.append(remote.commit({"a.md": b"more"}))
    async with GitRepository(git_options(tmp_path, server)) as repository:
        if name == "HISTORY_LISTED":
            found = await repository.read_history(remote.url, None, commits[-1])
            assert found == set(commits[1:])
        else:
            with pytest.raises(GitError, match="too many parents"):
                await repository.read_history(remote.url, None, commits[-1])
