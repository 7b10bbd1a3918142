"""The process of a run, as its worker sees it: how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psutil
import pytest

from service.database.database import open_database
from service.sync import process as run_process
from service.sync.claims import claim_run
from service.sync.messages import MESSAGE_BYTES_MAX, run_options
from service.sync.process import ProcessEndedError, RunProcess
from service.sync.queue import request_sync
from tests.support.copies import create_source, make_files
from tests.support.git_server import TREE, GitServer
from tests.support.hub import hub_settings
from tests.support.processes import freeze, has_ended
from tests.support.service import json_log, make_settings
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from service.sync.claims import Claim

pytestmark = pytest.mark.anyio


def code_of(process: RunProcess) -> int | None:
    """Return the exit code of a process, negative for a signal; None while it runs."""
    return process._process.returncode  # pyright: ignore[reportPrivateUsage]


def pid_of(process: RunProcess) -> int:
    return process._process.pid  # pyright: ignore[reportPrivateUsage]


def unread(process: RunProcess) -> bytes:
    """Return what a process has sent, and the event loop has not received."""
    connection = process._writer.get_extra_info("socket")  # pyright: ignore[reportPrivateUsage]
    with socket.socket(fileno=os.dup(connection.fileno())) as copy, suppress(BlockingIOError):
        return copy.recv(MESSAGE_BYTES_MAX, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    return b""


@asynccontextmanager
async def claimed(
    database: str, folder: Path, git: GitServer
) -> AsyncGenerator[tuple[RunProcess, Claim]]:
    """Start a process, and claim a run."""
    remote = git.create()
    remote.commit(make_files())
    source = UUID(create_source(database, remote))
    options = run_options(make_settings(database, **hub_settings(folder, git)))
    process = await RunProcess.start(options)
    try:
        async with open_database(database, 1) as pool:
            await request_sync(pool, source, 100)
            claim = await claim_run(pool)
        assert claim is not None
        yield process, claim
    finally:
        git.behaviour.resume.set()
        await process.kill()


async def begin(process: RunProcess, claim: Claim, git: GitServer) -> asyncio.Task[dict[str, Any]]:
    """Start the run, and wait until its git stalls."""
    git.behaviour.stall_after = 0
    git.behaviour.stall_only = TREE
    doing = asyncio.create_task(process.do_run(claim, 60, lambda _: None))
    await asyncio.to_thread(eventually, lambda: git.stalled, 20)
    return doing


async def test_a_process_obeys_the_order_to_end_its_run(
    database: str, tmp_path: Path, git: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_process, "CANCEL_SECONDS", 20.0)
    async with claimed(database, tmp_path, git) as (process, claim):
        doing = await begin(process, claim, git)
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert code_of(process) == 0


async def test_a_cancelled_run_has_ended_even_if_its_process_does_not_obey(
    database: str, tmp_path: Path, git: GitServer
) -> None:
    async with claimed(database, tmp_path, git) as (process, claim):
        doing = await begin(process, claim, git)
        freeze(psutil.Process(pid_of(process)))
        doing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await doing
        assert code_of(process) == -signal.SIGKILL


async def test_the_end_of_a_run_that_was_sent_before_its_cancellation_counts(
    database: str, tmp_path: Path, git: GitServer
) -> None:
    async with claimed(database, tmp_path, git) as (process, claim):
        doing = asyncio.create_task(process.do_run(claim, 60, lambda _: None))
        await asyncio.sleep(0)
        # Without the event loop, which receives nothing meanwhile.
        eventually(lambda: b'"end"' in unread(process), 20)
        doing.cancel()
        end = await doing
        assert (end["end"], end["is_last"]) == ("outcome", True)


async def test_a_process_whose_message_is_nonsense_is_killed(
    database: str, tmp_path: Path, git: GitServer
) -> None:
    async with claimed(database, tmp_path, git) as (process, claim):

        def refuse(_: object) -> None:
            raise ValueError

        doing = asyncio.create_task(process.do_run(claim, 60, refuse))
        with pytest.raises(ValueError, match=r"^$"):
            await doing
        assert code_of(process) == -signal.SIGKILL


async def test_an_idle_process_retires_by_itself(
    database: str, tmp_path: Path, git: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_process, "RETIRE_SECONDS", 20.0)
    async with claimed(database, tmp_path, git) as (process, _):
        await process.retire()
        assert code_of(process) == 0


async def test_an_idle_process_that_does_not_retire_is_killed(
    database: str, tmp_path: Path, git: GitServer
) -> None:
    async with claimed(database, tmp_path, git) as (process, _):
        freeze(psutil.Process(pid_of(process)))
        await process.retire()
        assert code_of(process) == -signal.SIGKILL


async def test_a_process_that_has_ended_is_seen_to_have_ended(
    database: str, tmp_path: Path, git: GitServer
) -> None:
    async with claimed(database, tmp_path, git) as (process, claim):
        assert not process.has_ended
        await process.kill()
        assert process.has_ended
        with pytest.raises(ProcessEndedError):
            await process.do_run(claim, 60, lambda _: None)


async def test_a_process_that_has_ended_is_not_told_as_one_that_has_not(
    database: str, tmp_path: Path, git: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_process, "KILL_SECONDS", 0.0)  # no time to remove its folder
    with json_log() as read_log:
        async with claimed(database, tmp_path, git) as (process, _):
            psutil.Process(pid_of(process)).kill()
            await asyncio.to_thread(eventually, lambda: code_of(process) is not None)
            await process.kill()
        assert "sync_process_not_ended" not in read_log()


async def test_a_process_that_is_not_ready_in_time_is_killed(
    database: str, tmp_path: Path, git: GitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_process, "START_SECONDS", 0.01)
    before = {child.pid for child in psutil.Process().children()}
    options = run_options(make_settings(database, **hub_settings(tmp_path, git)))
    with pytest.raises(TimeoutError):
        await RunProcess.start(options)
    started = {child.pid for child in psutil.Process().children()} - before
    assert all(map(has_ended, started))


@pytest.mark.parametrize(
    "anyio_backend",
    [("asyncio", {"use_uvloop": is_used}) for is_used in (True, False)],
    ids=["uvloop", "asyncio"],
)
async def test_a_start_that_is_cancelled_leaves_no_process_and_no_socket(
    database: str, tmp_path: Path, git: GitServer
) -> None:
    options = run_options(make_settings(database, **hub_settings(tmp_path, git)))
    this = psutil.Process()
    before = {child.pid for child in this.children()}
    sockets = this.net_connections("unix")
    for pauses, seconds in [
        *((turns, 0) for turns in range(8)),
        (1, 0.002),
        (5, 0.002),
        (50, 0.002),
    ]:
        starting = asyncio.create_task(RunProcess.start(options))
        for _ in range(pauses):
            await asyncio.sleep(seconds)
        if starting.cancel():
            with pytest.raises(asyncio.CancelledError):
                await starting
        else:  # the pauses took longer than the start, as they may on a busy machine
            assert seconds
            await starting.result().kill()
    started = {child.pid for child in this.children()} - before
    assert all(map(has_ended, started))
    await asyncio.sleep(0)  # the event loop closes a socket in its next turn
    assert this.net_connections("unix") == sockets
