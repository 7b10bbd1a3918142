"""The process of a run: its limits, its libraries, and its orders."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from service import ROOT
from service.sync.process import ALLOCATOR
from service.sync.process_main import (
    FILES_ALLOWED_FOR,
    KERNEL_SECONDS_MORE,
    MEMORY_BYTES,
    MEMORY_BYTES_PER_FILE,
    NICENESS,
    OOM_SCORE,
)
from tests.support.copies import Copies, git_processes, kill_service, make_files, run_processes
from tests.support.git_server import BLOBS
from tests.support.processes import freeze, has_ended
from tests.support.waiting import eventually

FILES = make_files()


def test_a_process_and_its_git_have_a_lower_priority_and_the_process_has_limits(
    copies: Copies,
) -> None:
    service = copies.start(SYNC_MAX_FILES="60000", SYNC_TIMEOUT_SECONDS="100")
    copies.stall(BLOBS)
    copies.request(copies.create_source(FILES))
    copies.wait_for_stalled()
    [process] = run_processes(service)
    niceness = min(19, psutil.Process(service.process.pid).nice() + NICENESS)
    assert [one.nice() for one in (process, *git_processes(service))].count(niceness) > 1
    assert {one.nice() for one in (process, *git_processes(service))} == {niceness}
    # The hard limit stays: git has limits of its own.
    _, hard = psutil.Process(service.process.pid).rlimit(psutil.RLIMIT_AS)
    memory = MEMORY_BYTES + (60_000 - FILES_ALLOWED_FOR) * MEMORY_BYTES_PER_FILE
    assert process.rlimit(psutil.RLIMIT_AS) == (memory, hard)
    assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) == OOM_SCORE
    assert process.environ().items() >= ALLOCATOR.items()
    # The socket of the orders is not standard input any more, which children inherit.
    assert Path(f"/proc/{process.pid}/fd/0").readlink() == Path(os.devnull)
    assert not any(map(ignores_signals, git_processes(service)))
    copies.resume()
    copies.wait_for_runs(("completed", 1))


def signals_of(process: psutil.Process, kind: str) -> set[int]:
    """Return the signals that a process ignores, or that wait for it: see proc_pid_status(5)."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    [mask] = [int(line.split()[1], 16) for line in status.splitlines() if kind in line]
    return {sent for sent in range(1, signal.NSIG) if mask & 1 << sent - 1}


def ignores_signals(process: psutil.Process) -> bool:
    """Return whether a process ignores a signal that ends it by default."""
    return bool(signals_of(process, "SigIgn") & {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def waits_for_alarm(process: psutil.Process) -> bool:
    """Return whether the kernel's timer has sent its signal to a process that is stopped."""
    return signal.SIGALRM in signals_of(process, "ShdPnd")


def test_a_process_is_ended_no_later_than_its_worker_where_memory_runs_out(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    Path(f"/proc/{service.process.pid}/oom_score_adj").write_text(f"{OOM_SCORE + 100}")
    assert copies.hub().sync(source)["status"] == "completed"
    [process] = run_processes(service)
    assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) == OOM_SCORE + 100


def test_a_process_imports_nothing_of_the_server() -> None:
    program = "import service.sync.process_main, sys; print(*sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    imported = {name.partition(".")[0] for name in printed.split()}
    heavy = {"uvicorn", "uvloop", "starlette", "apispec", "marshmallow", "environs", "yoyo"}
    assert not imported & (heavy | {"psycopg", "httptools"})


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_only_the_worker_ends_a_run(copies: Copies, sent: signal.Signals) -> None:
    service = copies.start()
    copies.stall(BLOBS)
    copies.request(copies.create_source(FILES))
    copies.wait_for_stalled()
    [process] = run_processes(service)
    process.send_signal(sent)
    copies.resume()
    copies.wait_for_runs(("completed", 1))
    assert run_processes(service) == [process]


def test_a_process_ends_after_a_run_that_took_much_memory(copies: Copies) -> None:
    service = copies.start()
    hub = copies.hub()
    large = copies.create_source({"a.md": b"- a\n" * 1_000_000})
    assert hub.sync(large, 60)["status"] == "completed"
    eventually(lambda: not run_processes(service))  # it may have ended already
    assert hub.sync(large)["status"] == "completed"
    assert copies.runs() == [("completed", 1)] * 2


REAP = """
import asyncio, ctypes, os, sys
from pathlib import Path
from service.git.process import run_git
from service.sync.process_main import _limit_process

_limit_process(1)
is_subreaper = ctypes.c_int()
ctypes.CDLL(None).prctl(37, ctypes.byref(is_subreaper))  # PR_GET_CHILD_SUBREAPER
folder = Path(sys.argv[1])
files = {name: folder / name for name in ("stdout", "stderr")}
command = ["/bin/sh", "-c", "sleep 60 & exit 3"]
code = asyncio.run(run_git(command, {"PATH": os.defpath}, stdin=Path(os.devnull), **files))
try:
    left = os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    left = None
print(is_subreaper.value, code, left)
"""


def test_a_process_reaps_the_helpers_of_a_git_that_ended_before_them(tmp_path: Path) -> None:
    command = [sys.executable, "-c", REAP, str(tmp_path)]
    assert subprocess.check_output(command, cwd=ROOT, text=True) == "1 3 None\n"


def test_a_process_ends_with_its_worker(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    assert copies.hub().sync(source)["status"] == "completed"
    [idle] = run_processes(service)
    kill_service(service)
    eventually(lambda: has_ended(idle.pid))


def test_the_kernel_ends_a_process_that_is_stuck_without_a_worker() -> None:
    # Native code that holds the interpreter: no thread of Python, and no handler of a signal, runs.
    program = """
from collections import deque
from itertools import repeat
from service.sync.process_main import _limit_run
_limit_run(0.5)
deque(repeat(None), maxlen=0)
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=30, check=False)
    assert ended.returncode == -signal.SIGALRM


def test_a_process_between_two_runs_has_no_time_limit() -> None:
    program = """
import time
from service.sync.process_main import _limit_run
_limit_run(0.2)
_limit_run(0)
time.sleep(0.5)
"""
    assert subprocess.call([sys.executable, "-c", program], cwd=ROOT, timeout=30) == 0


def test_the_time_limit_of_the_kernel_is_that_of_the_run_and_a_little_more(copies: Copies) -> None:
    limit = 3
    service = copies.start(SYNC_TIMEOUT_SECONDS=str(limit))
    copies.stall(BLOBS)
    copies.request(copies.create_source(FILES))
    [process] = eventually(lambda: copies.folders() and run_processes(service))
    frozen = time.monotonic()
    freeze(process)
    kill_service(service)
    eventually(lambda: waits_for_alarm(process))
    assert time.monotonic() - frozen > KERNEL_SECONDS_MORE
    process.resume()
    eventually(lambda: has_ended(process.pid))
    # The end of its worker alone would have made it remove its folder.
    assert copies.folders()
