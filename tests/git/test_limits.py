"""git's limits of time, memory and file sizes, with lower ones of the service's own respected."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from service import ROOT
from service.git import process as git_process
from service.git.errors import GitError, GitMachineError, explain
from service.git.options import GitOptions
from service.git.process import run_git
from service.git.repository import GitRepository
from tests.support.endless_git_server import BOMBS, endless_git_server
from tests.support.git_repository import (
    assert_nothing_is_left,
    checked_text,
    processes_of,
)
from tests.support.git_server import git_settings
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.git_server import GitServer

pytestmark = pytest.mark.anyio

CHILD = """
import asyncio, sys
sys.path[:0] = {path!r}
from service.git.errors import GitError
from service.git.options import GitOptions
from service.git.repository import GitRepository
async def main():
    async with GitRepository(GitOptions(**{settings!r})) as repository:
        tree = await repository.fetch_tree({url!r}, None, None)
        blobs = await repository.fetch_blobs({url!r}, [entry.id for entry in tree.entries])
        print(sum(blobs.sizes.values()))
try:
    asyncio.run(main())
except GitError as error:
    print(error)
"""


def fetch_below(ulimit: str, tmp_path: Path, server: GitServer, url: str) -> str:
    """Return what a process that a shell gave lower limits prints: the bytes, or the error."""
    program = CHILD.format(
        path=[str(ROOT)],
        settings=git_settings(tmp_path, server),
        url=url,
    )
    command = ["/bin/sh", "-c", f'{ulimit} && exec "$@"', "sh", sys.executable, "-c", program]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert finished.stderr == ""
    return finished.stdout.strip()


@pytest.mark.parametrize(
    "ulimit",
    [
        "ulimit -v 800000",
        "ulimit -f 100000",
        "ulimit -t 30",
        "ulimit -c 0",
        "ulimit -v 800000 && ulimit -f 100000 && ulimit -t 30",
        "ulimit -S -v 800000",
        "ulimit -v unlimited",
    ],
)
def test_git_runs_below_the_services_own_limits(
    tmp_path: Path, server: GitServer, ulimit: str
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a" * 1000})
    assert fetch_below(ulimit, tmp_path, server, remote.url) == "1000"


def test_a_lower_limit_of_file_sizes_is_named_in_the_error(
    tmp_path: Path, server: GitServer
) -> None:
    remote = server.create()
    remote.commit({"a.bin": bytes(300_000)})  # the server's packs are not compressed
    printed = fetch_below("ulimit -f 200", tmp_path, server, remote.url)
    assert "more than 102,400 bytes" in printed


@pytest.mark.parametrize("kind", BOMBS)
async def test_a_pack_that_is_small_only_until_it_is_unpacked_costs_limited_time(
    kind: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_process, "CPU_SHARE", 0)
    monkeypatch.setattr(git_process, "CPU_SECONDS_MIN", 1)
    options = GitOptions(protocols=("http",), private_networks=True, seconds=60)
    with endless_git_server(kind, seconds=0) as server, pytest.raises(GitError) as raised:
        async with GitRepository(options) as repository:
            await repository.fetch_tree(f"{server.url}/team/docs.git", None, None)
    assert "Unpacking the repository takes git more than 1 s" in checked_text(raised.value)
    assert_nothing_is_left(temporary)


async def test_a_process_that_ignores_the_limit_of_time_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_process, "CPU_SECONDS_MORE", 1)
    source, output, errors = (tmp_path / name for name in ("in", "out", "errors"))
    source.touch()
    *limits, _ = git_process.git_command(1_000_000, 1)
    loop = "trap '' XCPU; while :; do :; done"
    command = [*limits, "/bin/sh", "-c", loop]
    assert await run_git(command, {}, stdin=source, stdout=output, stderr=errors) == -9


@pytest.mark.parametrize(
    ("code", "errors", "part", "kind"),
    [
        (-24, "", "takes git more than 7 s", GitError),
        (128, "error: index-pack died of signal 24\nfatal: x", "takes git more than 7 s", GitError),
        (-9, "", "lack memory", GitMachineError),
        (128, "error: index-pack died of signal 9\nfatal: x", "lack memory", GitMachineError),
        (128, "fatal: fetch-pack: invalid index-pack output", "more than 7 s of", GitError),
        (128, "remote: error: x died of signal 24\nfatal: y", "git says: y", GitError),
    ],
)
def test_a_git_that_a_signal_ended_is_explained(
    code: int, errors: str, part: str, kind: type[GitError]
) -> None:
    error = explain(code, errors.encode(), max_bytes=1, cpu_seconds=7, hidden=())
    assert type(error) is kind
    assert part in checked_text(error)


def test_git_gets_the_niceness_of_its_service(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b"a"})
    server.behaviour.stall_after = 200
    program = CHILD.format(
        path=[str(ROOT)],
        settings=git_settings(tmp_path, server),
        url=remote.url,
    )
    child = subprocess.Popen(["nice", "-n", "5", sys.executable, "-c", program])
    try:
        eventually(lambda: server.stalled, 20)  # those that are left do not end meanwhile
        found = {process.nice() for process in processes_of(temporary)}
        assert found == {psutil.Process().nice() + 5}
    finally:
        server.behaviour.resume.set()
        assert child.wait(20) == 0
