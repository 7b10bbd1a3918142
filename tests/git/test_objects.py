"""Trees and contents, read from git's output."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from service.git.errors import GitError
from service.git.objects import Blobs
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
    tree, _ = await fetch_all(git_options(tmp_path, server, max_files=10), remote.url, "docs")
    assert len(tree.entries) == 10
    text = await fetch_error(git_options(tmp_path, server, max_files=10), remote.url)
    assert "more than 10 files" in text


async def test_a_trees_listing_is_limited(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    tree = remote.git("hash-object", "-w", "--stdin", stdin=b"x")
    kind = "100644 blob"
    for _ in range(9):  # 10^10 files
        lines = "".join(f"{kind} {tree}\t{name}\n" for name in "0123456789")
        tree = remote.git("mktree", stdin=lines.encode())
        kind = "040000 tree"
    remote.commit_tree(tree)
    start = time.monotonic()
    assert "more than 10,000,000" in await fetch_error(
        git_options(tmp_path, server, max_bytes=10_000_000), remote.url
    )
    assert time.monotonic() - start < 10


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
            listed = await repository.fetch_tree(remote.url, None, None)
            size, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert len(listed.entries) == 100_000
    assert most - size < 5_000_000
