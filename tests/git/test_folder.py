"""Temporary directories, and what killed processes leave behind."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from service import ROOT
from service.git.folder import TemporaryFolder, remove_leftovers
from service.git.process import git_command
from service.git.repository import GitRepository
from tests.support.git_repository import (
    assert_nothing_is_left,
    git_options,
    names_in,
    wait_until,
)
from tests.support.git_server import GitServer, git_settings
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def test_the_directory_is_private_and_removed_after_the_callers_error(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with GitRepository(git_options(tmp_path, server)):
            (name,) = names_in(temporary)
            assert name.startswith("bmadflow-sync-")
            assert (temporary / name).stat().st_mode & 0o777 == 0o700
            assert 1 / 0
    assert_nothing_is_left(temporary)


async def test_a_task_cancelled_during_the_removal_ends_after_it(
    tmp_path: Path, server: GitServer, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_removing = threading.Event()
    remove = TemporaryFolder.remove

    def remove_late(folder: TemporaryFolder) -> None:
        is_removing.set()
        time.sleep(0.3)
        remove(folder)

    async def use_repository() -> None:
        async with GitRepository(git_options(tmp_path, server)):
            pass

    monkeypatch.setattr(TemporaryFolder, "remove", remove_late)
    task = asyncio.create_task(use_repository())
    await wait_until(is_removing.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert_nothing_is_left(temporary)


CHILD = """
import asyncio, math, sys, uvloop
sys.path[:0] = {path!r}
from service.git import runner, watch
from service.git.options import GitOptions
from service.git.repository import GitRepository
runner.STALL_SECONDS_MORE = 1 - math.ceil(watch.patience(30))
async def main():
    async with GitRepository(GitOptions(**{settings!r})) as repository:
        await repository.fetch_tree({url!r}, None, None)
uvloop.run(main())
"""


def test_the_directory_of_a_killed_process_is_removed_later_and_its_git_ends(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    remote = server.create()
    remote.commit({"a.md": b""})
    server.behaviour.stall_after = 200
    program = CHILD.format(
        path=[str(ROOT)],
        settings=git_settings(tmp_path, server),
        url=remote.url,
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    try:
        eventually(lambda: len(server.requests) >= 3)
        family = psutil.Process(child.pid).children(recursive=True)
        assert {process.name() for process in family} >= {"git", "git-remote-http"}
        assert remove_leftovers() == 0  # the process is alive
    finally:
        child.kill()
        child.wait()
    (git, *_) = family
    if git_command(1, 1)[0].endswith("setpriv"):
        eventually(lambda: not is_running(git), 2)
    # git-remote-http ends when it cannot write to git, or by its own time limit.
    eventually(lambda: not any(map(is_running, family)), 10)
    assert len(list(temporary.iterdir())) == 1
    assert remove_leftovers() == 1
    assert_nothing_is_left(temporary)


def is_running(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_only_directories_of_killed_processes_are_removed(
    tmp_path: Path, server: GitServer, temporary: Path
) -> None:
    leftover = temporary / "bmadflow-sync-leftover"
    (leftover / "repository/objects").mkdir(parents=True)
    (leftover / "repository/objects/pack").write_bytes(b"x")
    (leftover / "repository/objects/pack").chmod(0o400)
    (leftover / "lock").touch()
    (temporary / "bmadflow-sync-empty").mkdir()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = {"other", "bmadflow-sync-file", "bmadflow-sync-link"}
    (temporary / "other").mkdir()
    (temporary / "bmadflow-sync-file").touch()
    (temporary / "bmadflow-sync-link").symlink_to(elsewhere)
    if os.geteuid() == 0:
        foreign = temporary / "bmadflow-sync-foreign"
        foreign.mkdir()
        os.chown(foreign, 65534, 65534)
        kept.add(foreign.name)
    async with GitRepository(git_options(tmp_path, server)):
        leftovers = {"bmadflow-sync-leftover", "bmadflow-sync-empty"}
        (live,) = names_in(temporary) - kept - leftovers
        assert remove_leftovers() == 2
        assert names_in(temporary) == {*kept, live}
        assert names_in(elsewhere) == set()
    assert names_in(temporary) == kept


def test_a_new_directory_is_never_removed_as_a_leftover(temporary: Path) -> None:
    stopping = threading.Event()

    def sweep() -> None:
        while not stopping.is_set():
            remove_leftovers()

    sweeper = threading.Thread(target=sweep)
    sweeper.start()
    try:
        for _ in range(300):
            folder = TemporaryFolder()
            assert (folder.path / "lock").exists()
            (folder.path / "file").write_bytes(b"x")
            folder.remove()
    finally:
        stopping.set()
        sweeper.join()
    remove_leftovers()
    assert list(temporary.iterdir()) == []
