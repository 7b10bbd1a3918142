"""Servers that send a little for ever are left, and slow ones that send objects are not."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from service.git import runner, watch
from service.git.errors import GitError
from service.git.options import GitOptions
from service.git.process import run_git
from service.git.repository import GitRepository
from tests.support.endless_git_server import SLOW, endless_git_server
from tests.support.git_repository import (
    assert_nothing_is_left,
    both_loops,
    checked_text,
    fetch_error,
    git_options,
)

if TYPE_CHECKING:
    from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio

PATIENCE = 1.5


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait 1.5 s for a server, and leave one below 10,000 bytes/s."""
    monkeypatch.setattr(watch, "PATIENCE_SHARE", 0)
    monkeypatch.setattr(watch, "PATIENCE_SECONDS_MIN", PATIENCE)
    monkeypatch.setattr(watch, "CHECK_SECONDS", 0.1)
    monkeypatch.setattr(runner, "STALL_SECONDS_MORE", 60)


async def read_error(options: GitOptions, url: str) -> str:
    """Return the error of a run's steps: read the branch, then fetch its tree."""
    with pytest.raises(GitError) as raised:
        async with GitRepository(options) as repository:
            await repository.read_head(url, None)
            await repository.fetch_tree(url, None, None)
    return checked_text(raised.value)


@both_loops
@pytest.mark.parametrize("kind", [kind for kind in SLOW if kind != "a proxy"])
async def test_a_server_that_sends_next_to_nothing_is_left(kind: str, temporary: Path) -> None:
    options = GitOptions(protocols=("http",), private_networks=True, seconds=30)
    with endless_git_server(kind, piece=100, seconds=0.1) as server:
        assert "sends too slowly" in await read_error(options, f"{server.url}/team/docs.git")
        assert server.connections
    assert_nothing_is_left(temporary)


async def test_a_handshake_of_tls_without_an_end_is_left(temporary: Path) -> None:
    options = GitOptions(private_networks=True, seconds=30)
    with endless_git_server("silence") as server:
        error = await read_error(options, f"https://{server.address}/team/docs.git")
        assert "sends too slowly: 0 bytes" in error
        assert server.connections
    assert_nothing_is_left(temporary)


@pytest.mark.parametrize("kind", ["a proxy", "silence"])
async def test_a_proxy_that_makes_no_connection_is_left(kind: str, temporary: Path) -> None:
    with endless_git_server(kind, piece=20, seconds=0.1) as server:
        options = GitOptions(private_networks=True, proxy=server.url, seconds=30)
        assert "sends too slowly" in await read_error(options, "https://git.example/team/docs.git")
        assert server.connections
    assert_nothing_is_left(temporary)


async def test_all_transfers_of_a_run_share_its_patience() -> None:
    """Each command ends before the patience of one would."""
    options = GitOptions(protocols=("http",), private_networks=True, seconds=30)
    with endless_git_server("silence") as server:
        url = f"{server.url}/team/docs.git"
        async with GitRepository(options) as repository:
            for _ in range(2):
                with pytest.raises(GitError, match="sends too slowly"):
                    await repository.read_head(url, None)
            git = repository._git  # pyright: ignore[reportPrivateUsage]
            waited = git._watch._waited  # pyright: ignore[reportPrivateUsage]
    assert PATIENCE < waited < 2 * PATIENCE


async def test_a_slow_server_that_sends_objects_is_read_to_the_end(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its objects alone are worth the time that it takes."""
    monkeypatch.setattr(watch, "PATIENCE_SECONDS_MIN", 60)
    monkeypatch.setattr(watch, "SLOWEST_BYTES_PER_SECOND", 5)
    remote = server.create()
    content = os.urandom(40_000)
    remote.commit({"a.md": content})
    async with GitRepository(git_options(tmp_path, server)) as repository:
        tree = await repository.fetch_tree(remote.url, None, None)
        git = repository._git  # pyright: ignore[reportPrivateUsage]
        git._watch._patience = 0  # pyright: ignore[reportPrivateUsage]
        server.behaviour.slow_seconds = 0.1
        [entry] = tree.entries
        blobs = await repository.fetch_blobs(remote.url, [entry.id])
    assert blobs.read(entry.id) == content


# As git's index-pack has them, which waits for its threads.
THREAD = f"""{shlex.quote(sys.executable)} -c '
import threading
def compute():
    while True:
        pass
threading.Thread(target=compute).start()
'"""


@both_loops
@pytest.mark.parametrize(
    "script",
    ["while :; do :; done", "(while :; do :; done) & wait", THREAD],
    ids=["leader", "helper", "thread"],
)
async def test_the_time_in_which_git_computes_is_not_waiting(tmp_path: Path, script: str) -> None:
    transfers = watch.TransferWatch(tmp_path, 1)
    code = await run_watched(tmp_path, transfers, f"({script}) & sleep {2 * PATIENCE}; exit 3")
    assert code == 3


async def test_the_time_in_which_git_sleeps_is_waiting(tmp_path: Path) -> None:
    transfers = watch.TransferWatch(tmp_path, 1)
    with pytest.raises(GitError, match="0 bytes"):
        await run_watched(tmp_path, transfers, "sleep 60 & wait")


async def test_packs_count_once_also_those_that_git_renames_and_removes(tmp_path: Path) -> None:
    transfers = watch.TransferWatch(tmp_path, 1)
    script = f"cd {tmp_path} && head -c 20000 /dev/zero > tmp_pack_1 && sleep 0.5"
    assert await run_watched(tmp_path, transfers, f"{script} && mv tmp_pack_1 a.pack") == 0
    assert await run_watched(tmp_path, transfers, "sleep 0.5") == 0
    assert await run_watched(tmp_path, transfers, f"rm {tmp_path}/a.pack; sleep 0.5") == 0
    with pytest.raises(GitError, match=r" 20,000 bytes of the repository came in [34] s\."):
        await run_watched(tmp_path, transfers, "sleep 60")


async def test_without_proc_no_server_is_taken_for_a_slow_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "PROC", tmp_path / "nowhere")
    transfers = watch.TransferWatch(tmp_path, 1)
    assert await run_watched(tmp_path, transfers, f"sleep {2 * PATIENCE}") == 0


async def test_without_proc_git_itself_leaves_a_server_that_sends_nothing(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch, temporary: Path
) -> None:
    monkeypatch.setattr(watch, "PROC", tmp_path / "nowhere")
    monkeypatch.setattr(runner, "STALL_SECONDS_MORE", 0)
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.stall_after = 200
    assert "did not respond in time" in await fetch_error(git_options(tmp_path, server), remote.url)
    assert_nothing_is_left(temporary)


async def run_watched(tmp_path: Path, transfers: watch.TransferWatch, script: str) -> int:
    """Run a script as git is run."""
    files = {name: tmp_path / name for name in ("stdout", "stderr")}
    return await run_git(
        ["/bin/sh", "-c", script],
        {"PATH": os.environ["PATH"]},
        stdin=Path(os.devnull),
        **files,
        watch=transfers.end_if_slow,
    )
