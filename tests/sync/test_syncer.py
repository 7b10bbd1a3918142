"""Syncers in copies of the service that are killed, frozen and stopped, and their databases."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.git.credentials import GitToken
from service.migrations.run import migrate
from service.sync import syncer
from service.sync.claims import DATABASE_AWAY, INTERRUPTED
from service.sync.syncer import FAULT
from tests.support.copies import (
    DOCUMENTS,
    TAKEN_OVER,
    WAITING_WRITES,
    Copies,
    create_source,
    freeze_copy,
    git_processes,
    is_idle,
    kill_service,
    locked_documents,
    make_files,
    run_processes,
    thaw_copy,
)
from tests.support.fleet import PgBouncer, needs_pgbouncer
from tests.support.git_server import BLOBS, LIST, TREE, GitServer, git_server
from tests.support.hub import Hub, hub_settings, running_hub
from tests.support.postgres import Postgres, run_sql
from tests.support.processes import has_ended, workers_of
from tests.support.service import Service, json_log, serving
from tests.support.waiting import assert_in_time, eventually, within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.state import Request

FILES = make_files()

STEPS = pytest.mark.parametrize("step", [LIST, TREE, BLOBS], ids=["list", "tree", "blobs"])

TOKEN = "token-nobody-may-see"


def check_finished_once(copies: Copies, service: Service) -> None:
    assert copies.holds(FILES)
    assert "Traceback" not in copies.log()
    eventually(lambda: is_idle(service))
    service.expect("sync_finished")


def test_runs_are_counted_by_status(hub: Hub) -> None:
    remote = hub.server.create()
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    remote.commit({"a.md": b"x"})
    hub.sync(source)
    hub.sync(source)
    expected = {
        'bmadflow_sync_duration_seconds_count{status="failed"} 1.0',
        'bmadflow_sync_duration_seconds_count{status="completed"} 2.0',
        "bmadflow_syncs_given_up_total 0.0",
        "bmadflow_syncs_running 0.0",
    }
    eventually(lambda: expected <= set(hub.client.get("/metrics").text.splitlines()))


def test_a_copy_with_sync_concurrency_0_claims_no_run(copies: Copies) -> None:
    serving_only = copies.start(SYNC_CONCURRENCY="0")
    source = copies.create_source(FILES)
    copies.request(source)
    time.sleep(3)
    assert copies.runs() == [("queued", 0)]
    copies.start()
    copies.wait_for_runs(("completed", 1))
    assert "sync_" not in serving_only.log.read_text()


@needs_pgbouncer
def test_runs_work_through_pgbouncer_in_transaction_mode(
    copies: Copies, postgres: Postgres, tmp_path: Path
) -> None:
    files = make_files(1200)
    with PgBouncer(tmp_path, postgres, pool_size=2).run() as pgbouncer:
        url = pgbouncer.url_of(copies.database)
        for _ in range(2):
            copies.start(
                DATABASE_URL=url, DATABASE_PREPARED_STATEMENTS="false", WEB_CONCURRENCY="2"
            )
        source = copies.create_source(files)
        for _ in range(3):
            copies.request(source)
        copies.wait_for_runs(("completed", 1))
        assert copies.holds(files)
        # A run sets limits for its transaction only: the connection's next user does not have them.
        limits = "select current_setting('statement_timeout'), "
        limits += "current_setting('idle_in_transaction_session_timeout')"
        for _ in range(4):
            assert run_sql(url, limits) == [("0", "0")]
    assert "Traceback" not in copies.log()


def test_runs_start_once_the_schema_exists(
    start_service: Callable[..., Service], empty_database: str, tmp_path: Path, git: GitServer
) -> None:
    copies = Copies(start_service, empty_database, tmp_path, git)
    service = copies.start()
    service.wait_for("sync_waits_for_database")
    time.sleep(3)  # the syncer has polled again, and logged nothing
    migrate(empty_database, print)
    copies.request(copies.create_source(FILES))
    copies.wait_for_runs(("completed", 1))
    assert len(service.find("sync_waits_for_database")) == 1
    assert copies.holds(FILES)


@pytest.mark.parametrize("concurrency", [0, 1])
def test_waiting_for_the_database_is_logged_once(
    empty_database: str,
    concurrency: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(syncer, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(syncer, "DUE_SECONDS", 0.2)
    with (
        json_log() as log,
        serving(empty_database, sync_every_minutes=60.0, sync_concurrency=concurrency),
    ):
        eventually(lambda: "sync_waits_for_database" in log())
        time.sleep(1)
        assert log().count("sync_waits_for_database") == 1


@STEPS
def test_another_copy_finishes_the_run_of_a_killed_one(copies: Copies, step: bytes) -> None:
    for _ in range(3):
        copies.start()
    source = copies.create_source(FILES)
    copies.stall(step)
    copies.request(source)
    victim = copies.wait_for_stalled()
    [folder] = copies.folders()
    processes = kill_service(victim)
    killed = time.monotonic()
    assert processes
    copies.git.behaviour.stall_after = (
        None  # for new requests; the one that stalls goes on stalling
    )
    copies.wait_for_runs(("completed", 2))
    assert_in_time(time.monotonic() - killed, TAKEN_OVER)
    assert copies.holds(FILES)
    assert not folder.exists()
    eventually(lambda: copies.folders() == [])
    eventually(lambda: all(has_ended(process.pid) for process in processes))
    assert "Traceback" not in copies.log()


def test_another_copy_repeats_the_write_of_a_killed_one(copies: Copies) -> None:
    old, new = make_files(1500, "old"), make_files(1500, "new")
    for _ in range(2):
        copies.start()
    remote = copies.git.create()
    remote.commit(old)
    source = create_source(copies.database, remote)
    assert copies.hub().sync(source)["added"] == len(old)
    remote.commit(new)
    copies.stall(BLOBS)
    copies.request(source)
    victim = copies.wait_for_stalled()
    with locked_documents(copies.database):
        copies.resume()
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        kill_service(victim)
        # PostgreSQL does not notice the lost connection while the statement waits.
        time.sleep(1)
        assert copies.runs() == [("completed", 1), ("running", 1)]
        assert copies.holds(old)
    copies.wait_for_runs(("completed", 1), ("completed", 2))
    assert copies.holds(new)
    eventually(lambda: copies.folders() == [])
    assert "Traceback" not in copies.log()


@pytest.mark.parametrize("is_writing", [False, True])
def test_a_frozen_copy_writes_nothing_after_another_has_done_its_run(
    copies: Copies, is_writing: bool
) -> None:
    for _ in range(2):
        copies.start()
    remote = copies.git.create()
    remote.commit(make_files(word="old"))
    source = create_source(copies.database, remote)
    assert copies.hub().sync(source)["status"] == "completed"
    remote.commit(make_files(word="lost"))
    copies.stall(BLOBS)
    copies.request(source)
    victim = copies.wait_for_stalled()
    if is_writing:
        with psycopg.connect(copies.database) as connection:
            connection.execute("select from document for update")
            copies.resume()
            eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
            freeze_copy(victim)
    else:
        freeze_copy(victim)
        copies.resume()
    frozen = time.monotonic()
    remote.commit(FILES)
    try:
        copies.wait_for_runs(("completed", 1), ("completed", 2))
        assert_in_time(time.monotonic() - frozen, TAKEN_OVER)
        versions = run_sql(copies.database, "select file_path, xmin::text from document")
    finally:
        thaw_copy(victim)
    eventually(lambda: victim.find("sync_claim_lost") or victim.find("sync_interrupted"))
    assert copies.holds(FILES)
    assert run_sql(copies.database, "select file_path, xmin::text from document") == versions
    assert copies.runs() == [("completed", 1), ("completed", 2)]
    assert "Traceback" not in copies.log()
    eventually(lambda: copies.folders() == [] and not git_processes(victim))
    eventually(lambda: copies.log().count('"sync_finished"') == 2)
    eventually(lambda: is_idle(victim))


def test_a_stopped_copy_releases_its_run_at_once(copies: Copies) -> None:
    copies.start(WEB_CONCURRENCY="2")
    source = copies.create_source(FILES)
    copies.stall(BLOBS)
    copies.request(source)
    stopped = copies.wait_for_stalled()
    processes = git_processes(stopped)
    copies.start()
    assert copies.services[1].url
    copies.git.behaviour.stall_after = None
    with within(5):
        stopped.process.terminate()
        assert stopped.wait() == 0
    copies.wait_for_runs(("completed", 1))  # not 2: the claim was released, it did not expire
    assert copies.holds(FILES)
    assert all(has_ended(process.pid) for process in processes)
    eventually(lambda: copies.folders() == [])
    assert "Traceback" not in copies.log()


def test_a_run_released_by_the_only_copy_is_done_after_its_restart(copies: Copies) -> None:
    only = copies.start()
    source = copies.create_source(FILES)
    copies.stall(TREE)
    copies.request(source)
    copies.wait_for_stalled()
    only.process.terminate()
    assert only.wait() == 0
    assert copies.runs() == [("queued", 0)]
    copies.resume()
    copies.start()
    copies.wait_for_runs(("completed", 1))
    assert copies.holds(FILES)


def test_a_draining_copy_finishes_its_run_and_claims_no_other(copies: Copies) -> None:
    draining = copies.start(WEB_CONCURRENCY="2", DRAIN_SECONDS="60")
    first, second = copies.create_source(FILES), copies.create_source(FILES)
    copies.stall(TREE)
    copies.request(first)
    copies.wait_for_stalled()
    url = draining.url
    draining.process.terminate()
    eventually(lambda: httpx.get(f"{url}/api/health").status_code == 503)
    supervisor = psutil.Process(draining.process.pid)
    eventually(lambda: 0 < len(workers_of(supervisor)) == len(draining.find("stopping")))
    copies.request(second, draining)
    copies.resume()
    copies.wait_for_runs(("completed", 1), ("queued", 0))
    time.sleep(2.5)  # longer than POLL_SECONDS
    assert draining.process.poll() is None
    assert copies.runs() == [("completed", 1), ("queued", 0)]
    draining.process.terminate()
    assert draining.wait() == 0
    copies.start()
    copies.wait_for_runs(("completed", 1), ("completed", 1))


def test_a_run_that_kills_every_process_is_given_up(copies: Copies) -> None:
    source = copies.create_source(FILES)
    copies.stall(TREE)
    for attempt in range(3):
        copies.start()
        if attempt == 0:
            copies.request(source)
        kill_service(copies.wait_for_stalled())
        copies.git.behaviour.resume.set()
        eventually(lambda: not copies.git.stalled)
        copies.git.behaviour.resume.clear()
        copies.expire_claims()
    last = copies.start()
    copies.wait_for_runs(("failed", 4))
    hub = copies.hub(last)
    assert hub.status(source)["message"] == f"Sync failed. {INTERRUPTED}"
    [line] = last.expect("sync_finished")
    assert (line["status"], line["error"]) == ("failed", INTERRUPTED)
    metrics = hub.client.get("/metrics").text.splitlines()
    assert "bmadflow_syncs_given_up_total 1.0" in metrics
    copies.resume()
    assert hub.sync(source)["status"] == "completed"
    assert copies.holds(FILES)
    assert copies.runs() == [("failed", 4), ("completed", 1)]


@STEPS
def test_a_run_survives_a_database_restart_while_git_works(
    own_copies: Copies, own_postgres: Postgres, step: bytes
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    own_copies.stall(step)
    own_copies.request(source)
    own_copies.wait_for_stalled()
    own_postgres.stop()
    time.sleep(3)  # a renewal of the claim fails
    own_postgres.start()
    own_copies.resume()
    own_copies.wait_for_runs(("completed", 1))
    check_finished_once(own_copies, service)


def test_a_run_is_repeated_if_the_database_restarts_while_it_writes(
    own_copies: Copies, own_postgres: Postgres
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    with locked_documents(own_copies.database):
        own_copies.request(source)
        eventually(lambda: run_sql(own_copies.database, WAITING_WRITES) == [(1,)])
        own_postgres.stop()
        own_postgres.start()
    # Sooner than the claim expires: it was released.
    own_copies.wait_for_runs(("completed", 2), seconds=8)
    check_finished_once(own_copies, service)


@pytest.mark.parametrize("seconds", [4, 13])
def test_a_run_completes_though_the_database_freezes_while_it_writes(
    own_copies: Copies, own_postgres: Postgres, seconds: float
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    with locked_documents(own_copies.database) as holder:
        own_copies.request(source)
        eventually(lambda: run_sql(own_copies.database, WAITING_WRITES) == [(1,)])
        own_postgres.freeze()
        time.sleep(seconds)
        own_postgres.thaw()
        holder.rollback()
    eventually(lambda: [status for status, _ in own_copies.runs()] == ["completed"], TAKEN_OVER)
    check_finished_once(own_copies, service)


def test_git_is_stopped_when_the_claim_cannot_be_renewed(
    own_copies: Copies, own_postgres: Postgres
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    own_copies.stall(TREE)
    own_copies.request(source)
    own_copies.wait_for_stalled()
    own_postgres.freeze()
    # Another copy, which reaches the database, may have the run by then.
    eventually(lambda: not git_processes(service), 13)
    own_copies.resume()
    own_postgres.thaw()
    eventually(lambda: [status for status, _ in own_copies.runs()] == ["completed"], TAKEN_OVER)
    assert own_copies.holds(FILES)
    service.expect("sync_interrupted")
    assert "Traceback" not in own_copies.log()
    eventually(lambda: is_idle(service))


@pytest.mark.parametrize(("workers", "is_writing"), [("1", False), ("2", True)])
def test_a_copy_stops_in_time_with_a_frozen_database(
    own_copies: Copies, own_postgres: Postgres, workers: str, is_writing: bool
) -> None:
    service = own_copies.start(WEB_CONCURRENCY=workers, SHUTDOWN_SECONDS="1")
    source = own_copies.create_source(FILES)
    with locked_documents(own_copies.database):
        if not is_writing:
            own_copies.stall(BLOBS)
        own_copies.request(source)
        if is_writing:
            eventually(lambda: run_sql(own_copies.database, WAITING_WRITES) == [(1,)])
        else:
            own_copies.wait_for_stalled()
        own_postgres.freeze()
        with within(8):
            service.process.terminate()
            assert service.wait() == 0
        own_postgres.thaw()
    assert own_copies.folders() == []
    assert not service.find("workers_do_not_stop")
    assert "Traceback" not in own_copies.log()


def test_a_run_fails_if_the_database_is_too_slow_three_times(
    copies: Copies,
) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    run_sql(
        copies.database,
        f"insert into sync_run (project_doc_id, attempts) values ('{source}', 2)",
    )
    with locked_documents(copies.database):
        copies.wait_for_runs(("failed", 3))
        assert copies.hub().status(source)["error"] == DATABASE_AWAY
    [line] = service.expect("sync_finished")
    assert (line["status"], line["error"]) == ("failed", DATABASE_AWAY)
    assert run_sql(copies.database, DOCUMENTS) == []
    assert copies.hub().sync(source)["status"] == "completed"
    eventually(lambda: is_idle(service))


def test_each_run_has_one_log_line_with_its_result(copies: Copies) -> None:
    service = copies.start(GIT_TOKEN=TOKEN, GIT_TOKEN_HOST="git.example")
    remote = copies.git.create()
    commit = remote.commit({"a.md": b"content-nobody-may-see", "b.md": b"\0"})
    source = create_source(copies.database, remote)
    hub = copies.hub()
    hub.client.headers["X-Request-ID"] = "one-who-asked"
    hub.sync(source)
    hub.server.behaviour.status = 503
    remote.commit({"a.md": b"content-nobody-may-see-2"})
    failed = hub.sync(source)
    hub.server.behaviour.status = None
    run_sql(copies.database, "alter table document rename column content to contents")
    fault = hub.sync(source)
    assert fault["error"] == FAULT
    done, not_done = service.expect("sync_finished", 2)
    assert done["project_doc_id"] == source
    counts = [done[name] for name in ("added", "changed", "unchanged", "removed", "skipped")]
    assert (done["status"], counts, done["commit"]) == ("completed", [1, 0, 0, 0, 1], commit)
    assert done["duration_ms"] > 0
    assert (not_done["status"], not_done["error"]) == ("failed", failed["error"])
    [told] = service.expect("sync_fault")
    assert told["exception"].count("Traceback") == 1
    lines = [entry for entry in service.entries() if entry["message"].startswith("sync_")]
    assert len(lines) == 3
    assert not any("request_id" in line for line in lines)
    for secret in (TOKEN, "nobody-may-see", f":{copies.git.port}"):
        assert secret not in service.log.read_text()


def test_thirty_runs_leak_no_file_memory_or_process(copies: Copies) -> None:
    service = copies.start()
    remote = copies.git.create()
    source = create_source(copies.database, remote)
    hub = copies.hub()
    process = psutil.Process(service.process.pid)

    def sync(times: int) -> tuple[list[psutil.Process], int, int]:
        for _ in range(times):
            text = random.randbytes(20_000).hex()
            remote.commit({f"{number}.md": f"{number} {text}".encode() for number in range(5)})
            assert hub.sync(source)["status"] == "completed"
        eventually(lambda: copies.folders() == [] and git_processes(service) == [])
        eventually(lambda: is_idle(service))
        both = [process, *run_processes(service)]
        assert [child.pid for child in process.children()] == [child.pid for child in both[1:]]
        return (
            both,
            sum(one.num_fds() for one in both),
            sum(one.memory_info().rss for one in both),
        )

    processes, files, memory = sync(6)
    processes_after, files_after, memory_after = sync(30)
    assert len(processes) == 2
    assert processes_after == processes
    assert files_after <= files + 2  # the pool's connections vary
    assert memory_after < memory + 10_000_000


async def count_tasks(_: Request) -> JSONResponse:
    return JSONResponse(len(asyncio.all_tasks()))


def test_no_task_outlives_its_run(database: str, tmp_path: Path, git: GitServer) -> None:
    tasks = Route("/tasks", count_tasks)
    with serving(database, tasks, **hub_settings(tmp_path, git)) as client:
        hub = Hub(client, git, database)
        remote = git.create()
        source = create_source(database, remote)
        before = client.get("/tasks").json()
        for number in range(5):
            remote.commit({"a.md": str(number).encode()})
            hub.sync(source)
            git.behaviour.status = 500 if number % 2 else None
        eventually(lambda: client.get("/tasks").json() <= before)


def test_a_refused_token_is_logged_counted_and_shown(database: str, tmp_path: Path) -> None:
    token = "github_pat_0123456789secret"
    tokens = (GitToken("git.example", token),)
    with json_log() as log, running_hub(database, tmp_path, git_tokens=tokens) as hub:
        remote = hub.server.create()
        remote.commit({"a.md": b"# A\n"})
        hub.server.behaviour.token_status = 401
        source = hub.create_source(hub.create_project(), remote)
        run = hub.sync(source)
        assert run["status"] == "completed"
        assert run["error"] is None
        assert run["warning"] == "The server refuses the service's token for git.example (401)."
        last_run = hub.client.get(f"/api/project-docs/{source}").json()["last_run"]
        assert last_run["warning"] == run["warning"]
        remote.commit({"b.md": b"# B\n"})
        hub.server.behaviour.authorization = "Basic other"
        run = hub.sync(source)
        assert "The server refuses the service's token for git.example (401)." in run["error"]
        counted = 'bmadflow_git_tokens_refused_total{server_address="git.example"} 2.0'
        eventually(lambda: counted in hub.client.get("/metrics").text.splitlines())
        assert token not in hub.client.get("/metrics").text
    lines = [json.loads(line) for line in log().splitlines()]
    refusals = [line for line in lines if line["message"] == "git_token_refused"]
    assert [(line["host"], line["status"], line["level"]) for line in refusals] == [
        ("git.example", 401, "warning"),
        ("git.example", 401, "warning"),
    ]
    assert refusals[0]["project_doc_id"] == source
    assert token not in log()


def test_a_service_that_stops_before_its_first_run_starts_no_git(
    database: str, tmp_path: Path, start_service: Callable[..., Service]
) -> None:
    started = tmp_path / "git was started"
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\ntouch '{started}'\nexec sleep 20\n")
    git.chmod(0o755)
    service = start_service(DATABASE_URL=database, PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert service.url
    service.process.terminate()
    assert service.wait() == 0
    assert not started.exists()


def test_a_machine_without_git_serves_and_counts_runs_as_its_own_fault(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with json_log() as log, git_server(tmp_path / "repositories") as server:
        remote = server.create()
        remote.commit({"a.md": b"# A\n"})
        monkeypatch.setenv("PATH", str(tmp_path))
        with serving(database, **hub_settings(tmp_path, server)) as client:
            hub = Hub(client, server, database)
            eventually(lambda: "git_unusable" in log())
            run = hub.sync(hub.create_source(hub.create_project(), remote))
            assert run["error"] == "git is not installed on the service's machine."
            assert client.get("/api/health").status_code == 200
            eventually(
                lambda: (
                    "bmadflow_syncs_given_up_total 1.0" in client.get("/metrics").text.splitlines()
                )
            )
            assert 'sync_duration_seconds_count{status="failed"}' not in client.get("/metrics").text
    lines = [json.loads(line) for line in log().splitlines()]
    levels = {line["message"]: line["level"] for line in lines}
    assert levels["git_unusable"] == levels["sync_finished"] == "error"
