"""Runs in processes of their own, which are killed at each step, and what their workers do then."""

from __future__ import annotations

import re
import signal
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from service import ROOT
from service.sync.process import SECRET_VARIABLES
from service.sync.syncer import PROCESS_KILLED
from tests.support.copies import (
    DOCUMENTS,
    WAITING_WRITES,
    Copies,
    git_processes,
    locked_documents,
    make_files,
    run_processes,
)
from tests.support.git_server import BLOBS, LIST, TREE
from tests.support.postgres import run_sql
from tests.support.processes import has_ended
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.service import Service

FILES = make_files()


def wait_for_process(service: Service) -> psutil.Process:
    """Return the only process that does runs of a copy."""
    [process] = eventually(lambda: run_processes(service))
    return process


@pytest.mark.parametrize("step", [LIST, TREE, BLOBS], ids=["list", "tree", "blobs"])
def test_a_run_is_repeated_at_once_if_its_process_is_killed_while_it_fetches(
    copies: Copies, step: bytes
) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    copies.stall(step)
    copies.request(source)
    copies.wait_for_stalled()
    git = git_processes(service)
    killed = wait_for_process(service)
    copies.git.behaviour.stall_after = None  # for new requests; this one goes on stalling
    killed.kill()
    copies.wait_for_runs(("completed", 2))
    assert copies.holds(FILES)
    eventually(lambda: all(has_ended(process.pid) for process in git))
    assert wait_for_process(service).pid != killed.pid
    eventually(lambda: copies.folders() == [])
    [line] = service.find("sync_interrupted")
    assert (line["reason"], line["code"]) == ("process_ended", -signal.SIGKILL)
    assert "Traceback" not in copies.log()


def test_a_run_is_repeated_if_its_process_is_killed_while_it_writes(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    with locked_documents(copies.database):
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        wait_for_process(service).kill()
        eventually(lambda: service.find("sync_interrupted"))
        assert run_sql(copies.database, DOCUMENTS) == []
    copies.wait_for_runs(("completed", 2))
    assert copies.holds(FILES)
    assert "Traceback" not in copies.log()


def test_a_run_whose_process_is_killed_three_times_fails(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    copies.stall(TREE)
    copies.request(source)
    for attempt in range(1, 4):
        eventually(lambda number=attempt: copies.runs()[0] == ("running", number))
        eventually(lambda: git_processes(service), 20)
        wait_for_process(service).kill()
        eventually(lambda: not git_processes(service))
    copies.wait_for_runs(("failed", 3))
    assert copies.hub().status(source)["error"] == PROCESS_KILLED
    copies.resume()
    assert copies.hub().sync(source)["status"] == "completed"


def test_a_process_gets_no_secret_as_argument_or_variable(copies: Copies) -> None:
    secret = "secret-nobody-may-see"
    service = copies.start(
        GIT_TOKEN=secret, GIT_TOKEN_HOST="git.example", GITHUB_WEBHOOK_SECRET=secret, API_TOKEN=""
    )
    source = copies.create_source(FILES)
    assert copies.hub().sync(source)["status"] == "completed"
    process = wait_for_process(service)
    assert secret in psutil.Process(service.process.pid).environ().values()
    assert secret not in str(process.environ())
    assert copies.database not in str(process.environ())
    assert secret not in str(process.cmdline())


def test_every_secret_setting_is_kept_from_the_processes() -> None:
    source = (ROOT / "service/settings.py").read_text()
    assert set(re.findall(r'env\.secret\(\s*"(\w+)"', source)) == set(SECRET_VARIABLES)


def test_a_worker_that_never_syncs_starts_no_process(copies: Copies) -> None:
    service = copies.start()
    assert service.is_healthy()
    time.sleep(3)  # the syncer has polled
    assert psutil.Process(service.process.pid).children() == []
