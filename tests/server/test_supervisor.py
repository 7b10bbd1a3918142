from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest

from service import ROOT
from service.server.supervisor import KILL_MARGIN_SECONDS, RESPAWN_SECONDS
from service.server.worker import STARTUP_FAILED, STOP_MARGIN_SECONDS
from tests.support.fleet import free_ports
from tests.support.processes import (
    STOP_SECONDS,
    has_ended,
    is_served,
    process_limit,
    workers_of,
)
from tests.support.service import Service, service_environment, start_process
from tests.support.waiting import eventually, within

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    Start: TypeAlias = Callable[..., Service]


# The promise of docs/operating.md: so long after SHUTDOWN_SECONDS a stop has ended.
PROMISED_SECONDS = 2.0


def wait_for_workers(service: Service) -> tuple[psutil.Process, list[psutil.Process]]:
    """Return the supervisor and its two workers when one of these serves."""
    supervisor = psutil.Process(service.process.pid)
    workers = eventually(lambda: len(now := workers_of(supervisor)) == 2 and now)
    eventually(lambda: is_served(f"{service.url}/api/health"))
    return supervisor, workers


def test_what_ends_a_stop_by_force_is_set_within_the_promised_time() -> None:
    assert STOP_MARGIN_SECONDS + KILL_MARGIN_SECONDS < PROMISED_SECONDS


def test_workers_share_the_port_and_a_killed_worker_is_replaced(
    database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    supervisor, workers = wait_for_workers(service)
    workers[0].kill()
    eventually(lambda: workers[0] not in (now := workers_of(supervisor)) and len(now) == 2)
    eventually(lambda: is_served(f"{service.url}/api/health"))
    service.process.terminate()
    assert service.wait() == 0
    assert not any(worker.is_running() for worker in workers)


def test_workers_that_fail_to_start_end_the_service(tmp_path: Path) -> None:
    # No valid setting makes a worker fail, so this bypasses the validation.
    script = tmp_path / "start.py"
    script.write_text(
        "import sys\n"
        "from dataclasses import replace\n"
        "from service.server.sockets import listen\n"
        "from service.server.serve import serve\n"
        "from service.settings import load_settings\n"
        "if __name__ == '__main__':\n"
        "    settings = replace(load_settings(), workers=2, database_pool_max=-1)\n"
        "    sys.exit(serve(settings, listen('127.0.0.1', 0)))\n"
    )
    result = subprocess.run(
        [sys.executable, str(script)],
        env=service_environment(DATABASE_URL="postgresql://db/app", PYTHONPATH=str(ROOT)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 3


def test_workers_stop_after_their_supervisor_was_killed(
    database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    url = service.url
    eventually(lambda: is_served(f"{url}/api/health"))
    supervisor = psutil.Process(service.process.pid)
    # One of them serves; the other one may be just starting.
    workers = eventually(lambda: len(now := workers_of(supervisor)) == 2 and now)
    service.process.kill()
    service.wait()
    eventually(lambda: all(has_ended(worker.pid) for worker in workers))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_log_that_is_not_read_delays_no_stop(workers: str, database: str) -> None:
    (port,) = free_ports(1)
    environment = service_environment(
        DATABASE_URL=database,
        BACKEND_PORT=str(port),
        WEB_CONCURRENCY=workers,
        SHUTDOWN_SECONDS="1",
    )
    command = [sys.executable, "-m", "service", "serve"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: is_served(f"http://127.0.0.1:{port}/api/health"))
            with httpx.Client() as client:
                for _ in range(500):  # more than a pipe holds
                    client.get(f"http://127.0.0.1:{port}/{'x' * 200}")
            with within(1 + STOP_SECONDS):
                process.terminate()
                assert process.wait(15) == 0
        finally:
            process.kill()


def test_a_worker_that_cannot_be_started_is_started_as_soon_as_it_can(
    database: str, start_service: Start
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    supervisor, workers = wait_for_workers(service)
    with process_limit(supervisor, 0):
        workers[0].kill()
        service.wait_for("worker_not_started")
        time.sleep(2 * RESPAWN_SECONDS)
        assert is_served(f"{service.url}/api/health")
        assert workers_of(supervisor) == workers[1:]
    eventually(lambda: len(workers_of(supervisor)) == 2)
    service.expect("worker_not_started")  # once
    service.process.terminate()
    assert service.wait() == 0


def test_a_service_that_can_start_no_worker_ends(database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    supervisor, workers = wait_for_workers(service)
    with process_limit(supervisor, 0):
        for worker in workers:
            worker.kill()
        assert service.wait() == STARTUP_FAILED
    service.expect("worker_not_started")


def test_a_signal_stops_a_service_that_lacks_a_worker(database: str, start_service: Start) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    supervisor, workers = wait_for_workers(service)
    with process_limit(supervisor, 0):
        workers[0].kill()
        service.wait_for("worker_not_started")
        service.process.terminate()
        assert service.wait() == 0
    service.expect("stopped")


# A fault of the supervisor itself, when a worker ends.
FAULTY = """
import sys
from service.commands.main import main
from service.server.supervisor import _Supervisor

def replace(supervisor, worker):
    raise KeyError(worker)

if __name__ == "__main__":
    _Supervisor._replace = replace
    sys.exit(main(["serve"]))
"""


def test_a_fault_of_the_supervisor_ends_the_service(database: str, tmp_path: Path) -> None:
    script = tmp_path / "serve.py"
    script.write_text(FAULTY)
    service = start_process(
        tmp_path / "log", str(script), DATABASE_URL=database, WEB_CONCURRENCY="2"
    )
    try:
        _, workers = wait_for_workers(service)
        workers[0].kill()
        assert service.wait() == 1
    finally:
        service.end()
    service.expect("crashed")
    assert has_ended(workers[1].pid)


# The terminal's Ctrl-C comes while the supervisor starts a worker, one of these, and when that has
# Python's own handler, which would raise KeyboardInterrupt.
INTERRUPTED = """
import os, signal, sys, time
from multiprocessing.context import SpawnProcess
from pathlib import Path
from service.commands.main import main

start, starts = SpawnProcess.start, 0

def has_handler(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return caught >> signal.SIGINT - 1 & 1

def start_interrupted(process):
    global starts
    starts += 1
    start(process)
    if starts == int(sys.argv[1]):
        deadline = time.monotonic() + 5
        while not has_handler(process) and time.monotonic() < deadline:
            time.sleep(0.001)
        os.killpg(os.getpgid(0), signal.SIGINT)
        time.sleep(1)  # for the traceback, before the supervisor ends the worker

if __name__ == "__main__":
    SpawnProcess.start = start_interrupted
    sys.exit(main(["serve"]))
"""


@pytest.mark.parametrize("start", ["1", "2", "3"], ids=["first", "second", "successor"])
def test_ctrl_c_while_a_worker_starts_stops_the_service(
    start: str, database: str, tmp_path: Path
) -> None:
    script = tmp_path / "serve.py"
    script.write_text(INTERRUPTED)
    service = start_process(
        tmp_path / "log", str(script), start, DATABASE_URL=database, WEB_CONCURRENCY="2"
    )
    try:
        if start == "3":
            _, workers = wait_for_workers(service)
            workers[0].kill()
        assert service.wait() == 0
    finally:
        service.end()
    service.expect("stopped")
    assert "Traceback" not in service.log.read_text()


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_service_though_its_parent_ignored_that(
    workers: str, sent: signal.Signals, database: str, tmp_path: Path
) -> None:
    log = tmp_path / "service.log"
    script = f"trap '' INT TERM; exec {shlex.quote(sys.executable)} -m service serve"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["sh", "-c", script],
            cwd=ROOT,
            env=service_environment(DATABASE_URL=database, WEB_CONCURRENCY=workers),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    service = Service(process, log)
    try:
        eventually(lambda: is_served(f"{service.url}/api/health"))
        process.send_signal(sent)
        assert service.wait() == 0
    finally:
        process.kill()
        process.wait()
