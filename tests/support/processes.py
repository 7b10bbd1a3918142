"""The processes of a service, and whether it responds."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator

# Of version 1 and of version 2.
CGROUPS = (Path("/sys/fs/cgroup/pids"), Path("/sys/fs/cgroup"))

# States of a thread in proc(5): stopped, stopped by a debugger, ended but not yet waited for.
STANDING = frozenset("TtZX")

# Seconds. Stopping takes less than this on a busy machine, and 15 s or more if it waits for what it
# must not wait for.
SOON = 10

# The promised 2 s after SHUTDOWN_SECONDS, and 1 s for a busy machine.
STOP_SECONDS = 3.0


def has_ended(pid: int) -> bool:
    """Return whether the process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def freeze(*processes: psutil.Process) -> None:
    """Stop processes, and return when all their threads stand still; pass over what has ended.

    SIGSTOP alone returns sooner, and until a thread has seen it, SIGTERM still ends the process.
    """
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.suspend()
    for process in processes:
        eventually(lambda process=process: _stands_still(process))


def _stands_still(process: psutil.Process) -> bool:
    """Return whether no thread of a process can run; psutil gives the state of the first alone."""
    try:
        stats = [stat.read_text() for stat in Path(f"/proc/{process.pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):  # a thread has just ended
        return False
    return all(stat.rpartition(")")[2].split()[0] in STANDING for stat in stats)


def workers_of(supervisor: psutil.Process) -> list[psutil.Process]:
    """Return the running worker processes."""
    return [child for child in supervisor.children() if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    """Return whether a process is a worker; one that has ended, perhaps just now, is none."""
    with suppress(psutil.NoSuchProcess):  # a zombie raises it as well
        return not has_ended(process.pid) and "spawn_main" in " ".join(process.cmdline())
    return False


def is_served(url: str) -> bool:
    """Return whether a GET gets a 200; False if the connection fails."""
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def process_limit(process: psutil.Process, more: int) -> Generator[None]:
    """Let a process start so many `more` processes and threads, together, while the block runs.

    By a cgroup, since root is exempt from RLIMIT_NPROC. Skips the test where that is not allowed.
    """
    parent = next(filter(Path.is_dir, CGROUPS), None)
    if parent is None:
        pytest.skip("no cgroup")
    group = parent / f"bmadflow-test-{process.pid}"
    _wait_for_steady_threads(process)
    try:
        group.mkdir()
        (group / "pids.max").write_text(str(process.num_threads() + more))
        (group / "cgroup.procs").write_text(str(process.pid))
    except OSError as error:
        if group.is_dir():
            group.rmdir()
        pytest.skip(f"no cgroup: {error}")
    try:
        yield
    finally:
        for pid in (group / "cgroup.procs").read_text().split():
            with suppress(ProcessLookupError):  # it has ended
                (parent / "cgroup.procs").write_text(pid)
        eventually(lambda: _is_removed(group))


def _wait_for_steady_threads(process: psutil.Process) -> None:
    """Wait until a process has had as many threads for 0.5 s.

    asyncio's threads that waited for processes end a little later than those.
    """
    threads, since = process.num_threads(), time.monotonic()
    while time.monotonic() < since + 0.5:
        time.sleep(0.02)
        if (now := process.num_threads()) != threads:
            threads, since = now, time.monotonic()


def _is_removed(group: Path) -> bool:
    with suppress(OSError):  # a process in it is just ending
        group.rmdir()
    return not group.exists()
