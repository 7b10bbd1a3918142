"""Files whose contents the server cannot give, among files that it gives."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from service.git.batches import MAX_FAILED_REQUESTS, fetch_in_batches
from service.git.errors import GitBrokenTransferError, GitError, GitMissingObjectError
from service.git.repository import GitRepository
from tests.support.git_repository import git_options
from tests.support.git_server import BLOBS, GitServer, Remote

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.git.objects import Blobs

pytestmark = pytest.mark.anyio


def lose(remote: Remote, blob: str) -> None:
    remote.lose(blob)


def overwrite(remote: Remote, blob: str) -> None:
    path = remote.object_path(blob)
    path.chmod(0o644)
    path.write_bytes(b"garbage")


def empty(remote: Remote, blob: str) -> None:
    path = remote.object_path(blob)
    path.chmod(0o644)
    path.write_bytes(b"")


def flip_a_bit(remote: Remote, blob: str) -> None:
    path = remote.object_path(blob)
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def flip_a_bit_of_the_pack(remote: Remote, blob: str) -> None:
    content = remote.git("cat-file", "blob", blob).encode()
    remote.git("-c", "core.compression=0", "repack", "-q", "-a", "-d")
    (pack,) = (remote.path / "objects/pack").glob("*.pack")
    pack.chmod(0o644)
    packed = bytearray(pack.read_bytes())
    packed[packed.index(content[:50]) + 20] ^= 1
    pack.write_bytes(packed)


def lose_and_promise(remote: Remote, blob: str) -> None:
    """Make the server's repository a partial clone of one that is gone."""
    remote.git("repack", "-q", "-a", "-d")
    (pack,) = (remote.path / "objects/pack").glob("*.pack")
    content = remote.git("cat-file", "blob", blob)
    assert content
    listed = remote.git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
    remote.git(
        "pack-objects", "-q", str(pack.parent / "pack"),
        stdin="".join(f"{other}\n" for other in listed if other != blob).encode(),
    )  # fmt: skip
    for old in pack.parent.glob(f"{pack.stem}.*"):
        old.unlink()
    (new,) = pack.parent.glob("*.pack")
    new.with_suffix(".promisor").touch()
    remote.configure("remote.origin.promisor", "true")
    remote.configure("remote.origin.url", "file:///nowhere")
    remote.configure("extensions.partialClone", "origin")


async def fetch_named(repository: GitRepository, remote: Remote) -> tuple[dict[bytes, str], Blobs]:
    """Return the ids of all files by path, and the contents."""
    tree = await repository.fetch_tree(remote.url, None, None)
    ids = {entry.path: entry.id for entry in tree.entries}
    return ids, await repository.fetch_blobs(remote.url, list(ids.values()))


@pytest.mark.parametrize(
    "damage", [lose, overwrite, empty, flip_a_bit, flip_a_bit_of_the_pack, lose_and_promise]
)
@pytest.mark.parametrize("number", [1, 2, 5])
async def test_the_other_files_are_fetched(
    tmp_path: Path, server: GitServer, damage: Callable[[Remote, str], None], number: int
) -> None:
    remote = server.create()
    files = {f"{n}.md": os.urandom(500).hex().encode() for n in range(number)}
    remote.commit(files)
    damaged = remote.git("rev-parse", "HEAD:0.md")
    damage(remote, damaged)
    async with GitRepository(git_options(tmp_path, server)) as repository:
        ids, blobs = await fetch_named(repository, remote)
        assert blobs.missing == {damaged}
        assert blobs.too_large == {}
        others = {path: blobs.read(blob) for path, blob in ids.items() if path != b"0.md"}
        assert others == {n.encode(): files[n] for n in files if n != "0.md"}
        with pytest.raises(KeyError):
            blobs.read(damaged)


async def test_several_missing_and_damaged_files_are_found(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({f"{n}.md": os.urandom(500).hex().encode() for n in range(40)})
    bad = {n: remote.git("rev-parse", f"HEAD:{n}.md") for n in (0, 7, 8, 39)}
    lose(remote, bad[0])
    lose(remote, bad[8])
    overwrite(remote, bad[7])
    flip_a_bit(remote, bad[39])
    async with GitRepository(git_options(tmp_path, server)) as repository:
        _, blobs = await fetch_named(repository, remote)
        assert blobs.missing == set(bad.values())
        assert len(blobs.sizes) == 36


async def test_a_file_without_an_id_or_with_a_folders_id_is_missing(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    blob = remote.write_object("blob", b"x")
    folder = remote.write_tree(("100644", b"x.md", blob))
    names = [(b"null.md", "0" * 40), (b"ok.md", blob), (b"tree.md", folder)]
    remote.commit_tree(remote.write_tree(*(("100644", name, id_) for name, id_ in names)))
    async with GitRepository(git_options(tmp_path, server)) as repository:
        server.forget()
        _, blobs = await fetch_named(repository, remote)
        assert blobs.missing == {"0" * 40, folder}
        assert blobs.read(blob) == b"x"


@pytest.mark.parametrize("number", [1, 3])
async def test_files_are_not_missing_while_the_server_fails_altogether(
    tmp_path: Path, server: GitServer, number: int
) -> None:
    remote = server.create()
    remote.commit({f"{n}.md": os.urandom(500).hex().encode() for n in range(number)})
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        ids = [entry.id for entry in tree.entries]
        server.behaviour.hang_up_after = 100
        with pytest.raises(GitError, match="broke off"):
            await repository.fetch_blobs(remote.url, ids)
        server.behaviour.hang_up_after = None
        server.behaviour.status = 502
        with pytest.raises(GitError, match="502"):
            await repository.fetch_blobs(remote.url, ids)
        server.behaviour.status = None
        assert len((await repository.fetch_blobs(remote.url, ids)).sizes) == number


async def test_a_connection_that_breaks_once_loses_no_file(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        server.behaviour.hang_up_once = BLOBS
        blobs = await repository.fetch_blobs(remote.url, [entry.id for entry in tree.entries])
        assert server.behaviour.hang_up_once == b""
        assert (len(blobs.sizes), blobs.missing) == (1, set())


async def count_requests(number: int, *, bad: set[int], is_named: bool) -> tuple[set[str], int]:
    """Return the missing ids and the number of requests, of a server that fails for some ids."""
    ids = [f"{n:040x}" for n in range(number)]
    fetched: set[str] = set()
    requests = 0

    async def fetch(batch: list[str]) -> None:
        nonlocal requests
        requests += 1
        await asyncio.sleep(0)
        for object_id in batch:
            if int(object_id, 16) in bad:
                if is_named:
                    raise GitMissingObjectError("x", object_id)
                raise GitBrokenTransferError("x")
        fetched.update(batch)

    async def probe() -> None:
        await asyncio.sleep(0)

    missing = await fetch_in_batches(ids, fetch, probe)
    assert fetched == set(ids) - missing
    return missing, requests


async def test_the_number_of_requests_is_small() -> None:
    assert await count_requests(25_000, bad=set(), is_named=False) == (set(), 3)
    for is_named, most in ((True, 5), (False, 60)):
        missing, requests = await count_requests(25_000, bad={3, 20_000}, is_named=is_named)
        assert missing == {f"{3:040x}", f"{20_000:040x}"}
        assert requests <= most


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_server_that_fails_for_many_files_is_given_up(is_named: bool) -> None:
    with pytest.raises(GitError, match=f"{MAX_FAILED_REQUESTS + 1} requests"):
        await count_requests(10_000, bad=set(range(0, 10_000, 9)), is_named=is_named)


async def test_an_object_that_nobody_asked_for_is_an_error() -> None:
    async def fetch(batch: list[str]) -> None:
        await asyncio.sleep(0)
        raise GitMissingObjectError("another one", "f" * 40)

    async def probe() -> None:
        raise AssertionError("not needed")

    with pytest.raises(GitMissingObjectError, match="another one"):
        await fetch_in_batches(["1" * 40], fetch, probe)
