"""The process that does runs: its limits, its libraries, and its orders."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from service import ROOT
from service.sync.child import MEMORY_BYTES, NICENESS, OOM_SCORE
from tests.support.copies import Copies, git_processes, kill_service, make_files, run_processes
from tests.support.git_server import BLOBS
from tests.support.processes import has_ended
from tests.support.waiting import eventually

FILES = make_files()


def test_a_process_and_its_git_have_a_lower_priority_and_the_process_a_memory_limit(
    copies: Copies,
) -> None:
    service = copies.start()
    copies.stall(BLOBS)
    copies.request(copies.create_source(FILES))
    copies.wait_for_stalled()
    [process] = run_processes(service)
    niceness = psutil.Process(service.process.pid).nice() + NICENESS
    assert [one.nice() for one in (process, *git_processes(service))].count(niceness) > 1
    assert {one.nice() for one in (process, *git_processes(service))} == {niceness}
    assert process.rlimit(psutil.RLIMIT_AS)[0] == MEMORY_BYTES
    assert int(Path(f"/proc/{process.pid}/oom_score_adj").read_text()) == OOM_SCORE
    copies.resume()
    copies.wait_for_runs(("completed", 1))


def test_a_process_imports_nothing_of_the_server() -> None:
    program = "import service.sync.child, sys; print(*sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    imported = {name.partition(".")[0] for name in printed.split()}
    heavy = {"uvicorn", "uvloop", "starlette", "apispec", "marshmallow", "environs", "yoyo"}
    assert not imported & (heavy | {"psycopg", "orjson", "httptools"})


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


def test_a_process_ends_with_its_worker(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    assert copies.hub().sync(source)["status"] == "completed"
    [idle] = run_processes(service)
    kill_service(service)
    eventually(lambda: has_ended(idle.pid))
