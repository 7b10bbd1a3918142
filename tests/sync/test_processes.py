"""The processes of a worker: how many there are, which one does a run, and when they end."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil
import pytest

from service.sync import processes
from service.sync.processes import NOT_STARTED, OUT_OF_MEMORY
from tests.support.copies import Copies, does_runs, make_files, run_processes
from tests.support.hub import running_hub
from tests.support.processes import has_ended
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

FILES = make_files()


def own_run_processes() -> list[psutil.Process]:
    """The processes that do the runs of a service in this process."""
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
    [process] = run_processes(service)
    limit = process.memory_info().vms + 4_000_000
    process.rlimit(psutil.RLIMIT_AS, (limit, limit))
    large = copies.create_source({f"{number}.md": b"# A\n" for number in range(10_000)})
    assert hub.sync(large, 60)["error"] == OUT_OF_MEMORY
    eventually(lambda: has_ended(process.pid))
    assert copies.runs()[1:] == [("failed", 1)]
    assert hub.sync(small)["status"] == "completed"
    assert "Traceback" not in copies.log()


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


@pytest.mark.parametrize("limit", ["open files", "memory"])
def test_a_run_without_a_process_fails_and_the_next_one_works(copies: Copies, limit: str) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    hub = copies.hub()
    assert hub.client.get("/api/health").status_code == 200
    worker = psutil.Process(service.process.pid)
    kind = psutil.RLIMIT_NOFILE if limit == "open files" else psutil.RLIMIT_AS
    before = worker.rlimit(kind)
    # With so few files no socket can be opened; with so little memory no interpreter starts.
    worker.rlimit(kind, (worker.num_fds() if limit == "open files" else 8_000_000, before[1]))
    response = hub.client.post(f"/api/project-docs/{source}/sync")
    service.wait_for("sync_process_not_started")
    worker.rlimit(kind, before)
    assert hub.wait(response.headers["location"])["error"] == NOT_STARTED
    assert hub.sync(source)["status"] == "completed"
    assert "Traceback" not in copies.log()
