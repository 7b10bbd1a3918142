"""The processes of a worker: how many there are, which one does a run, and when they end."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from service import ROOT
from service.git.errors import NO_PROCESSES
from service.sync import processes
from service.sync.processes import NOT_STARTED, OUT_OF_MEMORY
from service.sync.syncer import FAULT, PROCESS_KILLED
from tests.support.copies import Copies, does_runs, make_files, run_processes
from tests.support.hub import running_hub
from tests.support.processes import freeze, has_ended
from tests.support.service import Service, service_environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    import pytest

FILES = make_files()


def own_run_processes() -> list[psutil.Process]:
    """The processes of the runs of a service in this process."""
    return [child for child in psutil.Process().children() if does_runs(child)]


def test_a_worker_that_never_syncs_starts_no_process(copies: Copies) -> None:
    service = copies.start()
    assert service.is_healthy()
    time.sleep(3)  # the syncer has polled
    assert psutil.Process(service.process.pid).children() == []


def test_an_idle_process_ends(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "IDLE_SECONDS", 1.0)
    with running_hub(database, tmp_path) as hub:
        remote = hub.server.create()
        remote.commit(FILES)
        source = hub.create_source(hub.create_project(), remote)
        for _ in range(2):
            assert hub.sync(source)["status"] == "completed"
            eventually(lambda: not own_run_processes())


def test_a_run_that_takes_more_memory_than_allowed_fails(copies: Copies) -> None:
    service = copies.start()
    hub = copies.hub()
    small = copies.create_source(FILES)
    assert hub.sync(small)["status"] == "completed"
    service.expect("sync_finished")  # the worker knows of the end, and takes this process again
    [process] = run_processes(service)
    limit = process.memory_info().vms + 4_000_000
    process.rlimit(psutil.RLIMIT_AS, (limit, limit))
    large = copies.create_source({f"{number}.md": b"# A\n" for number in range(10_000)})
    # Which allocation fails is chance; a thread that finds no memory is a fault like any other.
    run = hub.sync(large, 60)
    assert run["status"] == "failed"
    assert run["error"] in (OUT_OF_MEMORY, NO_PROCESSES, PROCESS_KILLED, FAULT)
    eventually(lambda: has_ended(process.pid))
    assert hub.sync(small)["status"] == "completed"


def test_a_run_of_a_text_that_does_not_fit_into_memory_says_so(copies: Copies) -> None:
    service = copies.start()
    hub = copies.hub()
    assert hub.sync(copies.create_source(FILES))["status"] == "completed"
    service.expect("sync_finished")  # the worker knows of the end, and takes this process again
    [process] = run_processes(service)
    _, hard = process.rlimit(psutil.RLIMIT_AS)
    process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + 2_000_000, hard))
    run = hub.sync(copies.create_source({"a.txt": b"a " * 2_400_000}), 60)
    # The stack of one more thread, which a busy machine starts, does not fit either.
    assert (run["status"], run["error"] in (OUT_OF_MEMORY, NO_PROCESSES)) == ("failed", True)
    assert "Traceback" not in copies.log()


def test_an_idle_process_that_was_killed_costs_the_next_run_no_attempt(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    assert copies.hub().sync(source)["status"] == "completed"
    service.expect("sync_finished")  # the worker knows of the end
    [idle] = run_processes(service)
    idle.kill()
    eventually(lambda: has_ended(idle.pid))
    assert copies.hub().sync(source)["status"] == "completed"
    assert copies.runs() == [("completed", 1)] * 2
    assert not service.find("sync_interrupted")


def test_an_idle_process_that_is_stuck_ends_with_its_service(copies: Copies) -> None:
    service = copies.start()
    assert copies.hub().sync(copies.create_source(FILES))["status"] == "completed"
    [idle] = run_processes(service)
    freeze(idle)
    service.process.terminate()
    assert service.wait() == 0
    assert has_ended(idle.pid)


def test_a_lower_limit_of_memory_stays(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    worker = psutil.Process(service.process.pid)
    assert copies.hub().client.get("/api/health").status_code == 200
    limit = worker.memory_info().vms + 50_000_000
    worker.rlimit(psutil.RLIMIT_AS, (limit, limit))
    assert copies.hub().sync(source)["status"] == "completed"
    [process] = run_processes(service)
    assert process.rlimit(psutil.RLIMIT_AS) == (limit, limit)


def test_a_run_without_a_process_fails_and_the_next_one_works(
    copies: Copies, tmp_path: Path
) -> None:
    # An interpreter that can be taken away, as by an upgrade of .venv under a running service.
    python = tmp_path / "a python"
    python.symlink_to(Path(sys.executable).resolve())
    libraries = Path(psutil.__file__).parent.parent

    def start(**variables: str) -> Service:
        log = tmp_path / "service.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [python, "-m", "service", "serve"],
                cwd=ROOT,
                env=service_environment(PYTHONPATH=f"{ROOT}:{libraries}", **variables),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return Service(process, log)

    copies.start_service = start
    service = copies.start()
    try:
        source = copies.create_source(FILES)
        python.unlink()
        assert copies.hub().sync(source)["error"] == NOT_STARTED
        service.expect("sync_process_not_started")
        python.symlink_to(Path(sys.executable).resolve())
        assert copies.hub().sync(source)["status"] == "completed"
        assert "Traceback" not in copies.log()
    finally:
        service.end()
