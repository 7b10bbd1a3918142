"""Runs in processes of their own, which are killed at each step, and what their workers do then."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from service import ROOT
from service.sync.messages import describe_time_limit
from service.sync.process import SECRET_VARIABLES
from service.sync.syncer import PROCESS_KILLED
from tests.support.copies import (
    DOCUMENTS,
    TAKEN_OVER,
    WAITING_WRITES,
    Copies,
    create_source,
    does_runs,
    git_processes,
    kill_service,
    locked_documents,
    make_files,
    run_processes,
)
from tests.support.fleet import free_ports
from tests.support.git_server import BLOBS, LIST, TREE, GitServer
from tests.support.hub import Hub, hub_variables
from tests.support.postgres import run_sql
from tests.support.processes import STOP_SECONDS, freeze, has_ended, is_served, workers_of
from tests.support.service import service_environment, start_process
from tests.support.waiting import eventually, within

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.support.service import Service

FILES = make_files()


def wait_for_process(service: Service) -> psutil.Process:
    """Return the only process of a run that a copy has."""
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
    [line] = service.expect("sync_interrupted")
    assert (line["reason"], line["code"]) == ("process_ended", -signal.SIGKILL)
    assert "Traceback" not in copies.log()


def test_a_run_is_repeated_if_its_process_is_killed_while_it_writes(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    with locked_documents(copies.database):
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        wait_for_process(service).kill()
        service.wait_for("sync_interrupted")
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


# One content under many paths: git sends 1 MB, and each path is parsed, for a minute together.
LONG = dict.fromkeys(
    [f"{number:04}.md" for number in range(1000)],
    b"# Links\n\n" + b"[a][b] *c* `d` <e>\n\n" * 50_000,
)


def begin(copies: Copies, phase: str) -> ExitStack:
    """Start a run that stays in this phase until the stack is closed."""
    stack = ExitStack()
    if phase == "fetch":
        source = copies.create_source(FILES)
        copies.stall(BLOBS)
        copies.request(source)
        copies.wait_for_stalled()
        stack.callback(copies.resume)
    elif phase == "parse":
        source = copies.create_source(LONG)
        copies.request(source)
        progress = "select files_done from sync_run where finished_at is null"
        eventually(lambda: run_sql(copies.database, progress)[0][0] > 0, 30)
    else:
        source = copies.create_source(FILES)
        stack.enter_context(locked_documents(copies.database))
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
    return stack


PHASES = pytest.mark.parametrize("phase", ["fetch", "parse", "write"])


@PHASES
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_processes_of_runs_and_releases_their_runs(
    copies: Copies, phase: str, sent: signal.Signals
) -> None:
    service = copies.start(SYNC_MAX_BYTES="4000000000")
    assert service.url
    with begin(copies, phase):
        processes = psutil.Process(service.process.pid).children(recursive=True)
        service.process.send_signal(sent)
        assert service.wait() in (0, 130)
        assert copies.runs() == [("queued", 0)]
        assert all(has_ended(process.pid) for process in processes)
        assert copies.folders() == []
    assert run_sql(copies.database, DOCUMENTS) == []
    assert "Traceback" not in copies.log()


@PHASES
def test_nothing_is_left_of_a_run_whose_worker_is_killed(copies: Copies, phase: str) -> None:
    service = copies.start(SYNC_MAX_BYTES="4000000000")
    assert service.url
    with begin(copies, phase):
        processes = psutil.Process(service.process.pid).children(recursive=True)
        assert processes
        kill_service(service)
        eventually(lambda: all(has_ended(process.pid) for process in processes))
        assert copies.folders() == []
    copies.expire_claims()
    # PostgreSQL notices a lost connection when a statement ends.
    copies.start(SYNC_CONCURRENCY="2", SYNC_MAX_FILES="100")
    eventually(lambda: copies.runs()[0][0] in ("completed", "failed"), TAKEN_OVER)
    assert copies.runs()[0][1] == 2
    eventually(lambda: copies.folders() == [])
    assert "Traceback" not in copies.log()


def test_a_run_that_parses_too_long_fails_in_time(copies: Copies) -> None:
    service = copies.start(SYNC_MAX_BYTES="4000000000", SYNC_TIMEOUT_SECONDS="12")
    with begin(copies, "parse"):
        [process] = run_processes(service)
        copies.wait_for_runs(("failed", 1))
    [[error]] = run_sql(copies.database, "select error from sync_run")
    assert error == describe_time_limit(12)
    assert run_sql(copies.database, DOCUMENTS) == []
    eventually(lambda: has_ended(process.pid))
    assert copies.folders() == []


def test_a_run_that_waits_too_long_for_the_database_fails_in_time(copies: Copies) -> None:
    copies.start(SYNC_TIMEOUT_SECONDS="5")
    source = copies.create_source(FILES)
    with locked_documents(copies.database):
        copies.request(source)
        copies.wait_for_runs(("failed", 1))
    [[error]] = run_sql(copies.database, "select error from sync_run")
    assert error == describe_time_limit(5)


def test_a_process_that_is_stuck_is_killed_after_the_time_limit(copies: Copies) -> None:
    service = copies.start(SYNC_TIMEOUT_SECONDS="6")
    source = copies.create_source(FILES)
    copies.stall(TREE)
    copies.request(source)
    copies.wait_for_stalled()
    [process] = run_processes(service)
    freeze(process)  # it can neither end its run nor obey
    copies.wait_for_runs(("failed", 1))
    assert copies.hub().status(source)["error"] == describe_time_limit(6)
    assert has_ended(process.pid)
    eventually(lambda: not git_processes(service) and copies.folders() == [])
    copies.resume()
    assert copies.hub().sync(source)["status"] == "completed"


@pytest.mark.parametrize("frozen", ["one worker", "all workers", "a run under way"])
def test_frozen_workers_end_in_time(frozen: str, copies: Copies) -> None:
    service = copies.start(WEB_CONCURRENCY="2", SHUTDOWN_SECONDS="1")
    url = service.url
    eventually(lambda: is_served(f"{url}/api/health"))
    supervisor = psutil.Process(service.process.pid)
    workers = eventually(lambda: len(now := workers_of(supervisor)) == 2 and now)
    if frozen == "a run under way":
        copies.stall(BLOBS)
        copies.request(copies.create_source(FILES))
        copies.wait_for_stalled()
    processes = supervisor.children(recursive=True)
    freeze(*workers[: 1 if frozen == "one worker" else 2])
    with within(1 + STOP_SECONDS):
        service.process.terminate()
        assert service.wait() == 0
    service.expect("workers_do_not_stop")
    # What is left of a run ends by itself.
    eventually(lambda: all(has_ended(process.pid) for process in processes))
    assert copies.folders() == []


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_does_not_wait_for_a_process_that_is_stuck(workers: str, copies: Copies) -> None:
    service = copies.start(WEB_CONCURRENCY=workers, SHUTDOWN_SECONDS="1")
    copies.stall(BLOBS)
    copies.request(copies.create_source(FILES))
    copies.wait_for_stalled()
    [process] = run_processes(service)
    freeze(process)
    with within(1 + STOP_SECONDS):
        service.process.terminate()
        assert service.wait() == 0
    assert has_ended(process.pid)
    assert copies.runs() == [("queued", 0)]
    assert copies.folders() == []


# A debugger that does nothing: the kernel tells nobody else of the end of what it traces.
DEBUGGER = """
import ctypes, sys, time
PTRACE_SEIZE = 0x4206
libc = ctypes.CDLL(None, use_errno=True)
if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None):
    sys.exit(ctypes.get_errno())
print(flush=True)
time.sleep(1000)
"""


@contextmanager
def undead(process: psutil.Process) -> Generator[None]:
    """Let the process not end while the block runs, even if it is killed, as on a hanging disk."""
    command = [sys.executable, "-c", DEBUGGER, str(process.pid)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as debugger:
        try:
            assert debugger.stdout is not None
            assert debugger.stdout.readline() == b"\n"
            yield
        finally:
            debugger.kill()


def test_a_process_that_a_kill_does_not_end_delays_neither_its_run_nor_a_stop(
    copies: Copies,
) -> None:
    service = copies.start(SYNC_TIMEOUT_SECONDS="6", SHUTDOWN_SECONDS="1")
    copies.stall(TREE)
    copies.request(copies.create_source(FILES))
    copies.wait_for_stalled()
    [process] = run_processes(service)
    freeze(process)
    with undead(process):
        copies.wait_for_runs(("failed", 1))
        [line] = service.expect("sync_process_not_ended")
        assert line["process_pid"] == process.pid
        with within(1 + STOP_SECONDS):
            service.process.terminate()
            service.wait()
    eventually(lambda: has_ended(process.pid))


@pytest.mark.parametrize("flags", [["-OO"], ["-X", "dev"], ["-P"], ["-W", "error"]])
def test_a_process_runs_with_the_flags_of_the_service(
    copies: Copies, tmp_path: Path, flags: list[str]
) -> None:
    def start(*_: str, **variables: str) -> Service:
        log = tmp_path / "flags.log"
        return start_process(log, *flags, "-m", "service", "serve", **variables)

    copies.start_service = start
    service = copies.start()
    try:
        assert copies.hub().sync(copies.create_source(FILES))["status"] == "completed"
        [process] = run_processes(service)
        assert "".join(flags) in "".join(process.cmdline())
    finally:
        service.end()


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "2>&-", "<&- >&- 2>&-"])
def test_a_process_runs_though_the_service_has_no_standard_streams(
    database: str, git: GitServer, tmp_path: Path, closed: str
) -> None:
    [port] = free_ports(1)
    command = ["sh", "-c", f'exec "$0" -m service serve {closed}', sys.executable]
    variables = {"DATABASE_URL": database, "BACKEND_PORT": str(port)}
    environment = service_environment(**variables | hub_variables(tmp_path, git))
    with subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            url = f"http://127.0.0.1:{port}"
            eventually(lambda: is_served(f"{url}/api/health"))
            remote = git.create()
            remote.commit(FILES)
            with httpx.Client(base_url=url) as client:
                hub = Hub(client, git, database)
                assert hub.sync(create_source(database, remote))["status"] == "completed"
            [child] = (one for one in psutil.Process(process.pid).children() if does_runs(one))
            for one in (process.pid, child.pid):
                errors = Path(f"/proc/{one}/fd/2").readlink()
                assert (errors == Path(os.devnull)) == ("2>&-" in closed)
        finally:
            process.terminate()
