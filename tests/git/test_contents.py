"""Contents: fetched once, in batches, and without giants."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from service.git.contents import MAX_FILE_BYTES
from service.git.errors import GitError
from service.git.repository import GitRepository
from tests.support.git_repository import (
    bytes_below,
    fetch_all,
    git_options,
)

if TYPE_CHECKING:
    from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio


async def test_contents_are_fetched_only_once(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a" * 100, "b.md": b"b" * 100})
    async with GitRepository(git_options(tmp_path, server)) as repository:
        assert repository.fetched_bytes() == 0
        tree = await repository.fetch_tree(remote.url, None, None)
        ids = [entry.id for entry in tree.entries]
        first = repository.fetched_bytes()
        assert 0 < first < 2000
        await repository.fetch_blobs(remote.url, ids)
        second = repository.fetched_bytes()
        assert second > first
        server.forget()
        blobs = await repository.fetch_blobs(remote.url, [*ids, *ids])
        assert blobs.sizes == dict.fromkeys(ids, 100)
        assert (await repository.fetch_blobs(remote.url, [])).sizes == {}
        assert server.requests == []
        assert repository.fetched_bytes() == second


async def test_only_the_wanted_contents_are_fetched(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a", "b.md": b"b"})
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        wanted, other = tree.entries
        server.forget()
        blobs = await repository.fetch_blobs(remote.url, [wanted.id])
        assert len([request for request in server.requests if request.method == "POST"]) == 1
        assert blobs.sizes == {wanted.id: 1}
        assert blobs.read(wanted.id) == b"a"
        with pytest.raises(KeyError):
            blobs.read(other.id)


@pytest.mark.parametrize("blob", ["", "HEAD", "1" * 39, "1" * 41, "A" * 40, "1" * 40 + "\nHEAD"])
async def test_only_ids_of_objects_are_accepted(
    tmp_path: Path, server: GitServer, blob: str
) -> None:
    async with GitRepository(git_options(tmp_path, server)) as repository:
        with pytest.raises(GitError, match="id"):
            await repository.fetch_blobs(server.create().url, [blob])
    assert server.requests == []


async def test_20000_documents_are_fetched_in_batches(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({f"{number % 100}/{number}.md": b"# %d\n" % number for number in range(20_000)})
    server.forget()
    _, contents = await fetch_all(git_options(tmp_path, server), remote.url)
    assert len(contents) == 20_000
    assert contents[b"99/19999.md"] == b"# 19999\n"
    posts = [request for request in server.requests if request.path.endswith("git-upload-pack")]
    assert len(posts) < 10


async def test_a_file_may_have_5_mb(tmp_path: Path, server: GitServer) -> None:
    remote = server.create()
    remote.commit({"a.md": bytes(MAX_FILE_BYTES), "b.md": bytes(MAX_FILE_BYTES + 1)})
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        fits, too_large = (entry.id for entry in tree.entries)
        blobs = await repository.fetch_blobs(remote.url, [fits, too_large])
        assert blobs.sizes == {fits: MAX_FILE_BYTES}
        assert blobs.too_large == {too_large: MAX_FILE_BYTES + 1}
        assert blobs.read(fits) == bytes(MAX_FILE_BYTES)


async def test_giants_are_left_out_without_using_memory(tmp_path: Path, giants: GitServer) -> None:
    url = "https://git.example/zeros.git"
    before = psutil.Process().memory_info().rss
    async with GitRepository(git_options(tmp_path, giants)) as repository:
        tree = await repository.fetch_tree(url, None, "docs")
        ids = {entry.path: entry.id for entry in tree.entries}
        blobs = await repository.fetch_blobs(url, list(ids.values()))
        assert blobs.too_large == {ids[b"docs/zeros.md"]: 200_000_000}
        assert blobs.sizes == {ids[b"docs/b.md"]: 4}
        assert blobs.read(ids[b"docs/b.md"]) == b"# B\n"
        with pytest.raises(KeyError):
            blobs.read(ids[b"docs/zeros.md"])
    assert psutil.Process().memory_info().rss - before < 50_000_000


async def test_a_fetch_that_a_giant_ended_is_repeated_without_giants(
    tmp_path: Path, giants: GitServer, temporary: Path
) -> None:
    url = "https://git.example/noise.git"
    giants.forget()
    async with GitRepository(git_options(tmp_path, giants, max_bytes=20_000_000)) as repository:
        tree = await repository.fetch_tree(url, None, "docs")
        ids = {entry.path: entry.id for entry in tree.entries}
        blobs = await repository.fetch_blobs(url, list(ids.values()))
        assert blobs.too_large == {ids[b"docs/noise.md"]: None}
        assert blobs.read(ids[b"docs/b.md"]) == b"# B\n"
        assert repository.fetched_bytes() < 5_000  # not c.bin, which is outside of the folder
        assert bytes_below(temporary) < 1_000_000
    assert giants.sent_bytes < 50_000_000


async def test_giants_in_several_batches_are_left_out(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.git.batches.BATCH_BLOBS", 1)
    remote = server.create()
    giants = {name: os.urandom(MAX_FILE_BYTES + 1) for name in ("b.md", "c.md")}
    remote.commit({"a.md": b"a", **giants})
    async with GitRepository(git_options(tmp_path, server, max_bytes=8_000_000)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        ids = [entry.id for entry in tree.entries]
        blobs = await repository.fetch_blobs(remote.url, ids)
        assert list(blobs.sizes) == ids[:1]
        assert list(blobs.too_large) == ids[1:]


async def test_contents_are_limited_by_their_unpacked_size(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.configure("core.compression", "9")
    remote.commit({f"{number}.md": bytes(1_000_000 + number) for number in range(10)})
    async with GitRepository(git_options(tmp_path, server, max_bytes=5_000_000)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        with pytest.raises(GitError, match="more than 5,000,000 bytes together"):
            await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
        assert bytes_below(temporary) < 1_000_000
