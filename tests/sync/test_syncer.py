"""Syncs and what can happen to them: killed, frozen and stopped copies, and databases."""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psutil
import psycopg
import pytest
from starlette.responses import JSONResponse
from starlette.routing import Route

from service.database import open_database
from service.metrics import Metrics
from service.migrations.run import migrate
from service.sync import syncer
from service.sync.queue import DATABASE_AWAY, INTERRUPTED, request_due_syncs
from service.sync.syncer import FAULT
from tests.support.fleet import PgBouncer, needs_pgbouncer
from tests.support.git_server import BLOBS, LIST, TREE, GitServer, Remote, git_server
from tests.support.hub import Hub, hub_settings, hub_variables
from tests.support.postgres import Postgres, run_sql
from tests.support.service import Service, json_log, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from service.state import Request

DOCUMENTS = "select file_path, content from document order by 1"
RUNS = "select status, attempts from sync_run order by created_at"
WAITING = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and query like '%insert into document%'
        and datname = current_database()
"""

STEPS = pytest.mark.parametrize("step", [LIST, TREE, BLOBS], ids=["list", "tree", "blobs"])

# In which another copy is to have finished what a killed one began.
TAKEN_OVER = 30

TOKEN = "token-nobody-may-see"


@dataclass
class Copies:
    """Copies of the service, on one database and one machine, and a git server."""

    start_service: Callable[..., Service]
    database: str
    folder: Path
    git: GitServer
    services: list[Service] = field(default_factory=list)
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    def start(self, **variables: str) -> Service:
        self.temporary.mkdir(exist_ok=True)
        service = self.start_service(
            **{"DATABASE_URL": self.database, "TMPDIR": str(self.temporary)}
            | hub_variables(self.folder, self.git)
            | variables
        )
        self.services.append(service)
        return service

    def hub(self, service: Service | None = None) -> Hub:
        url = (service or self.services[0]).url
        self.clients.append(httpx.Client(base_url=url, timeout=30))
        return Hub(self.clients[-1], self.git, self.database)

    def create_source(self, files: dict[str, bytes]) -> str:
        """Return the id of a source with a repository of its own."""
        remote = self.git.create(f"team/{len(list(self.git.folder.iterdir()))}")
        remote.commit(files)
        return create_source(self.database, remote)

    def request(self, source: str, service: Service | None = None) -> None:
        url = (service or self.services[0]).url
        response = httpx.post(f"{url}/api/project-docs/{source}/sync", timeout=30)
        assert response.status_code == 202, response.text

    def stall(self, step: bytes) -> None:
        self.git.behaviour.stall_after = 0
        self.git.behaviour.stall_only = step

    def resume(self) -> None:
        """Let all go on that stalls, and let nothing stall any more."""
        self.git.behaviour.stall_after = None
        self.git.behaviour.resume.set()

    def busy(self) -> Service:
        """Wait until a git of one of the copies stalls at the server, and return that copy."""

        def find() -> Service | None:
            living = [service for service in self.services if service.process.poll() is None]
            return next((service for service in living if gits(service)), None)

        eventually(lambda: self.git.stalled, 20)
        return eventually(find)

    def runs(self) -> list[tuple[Any, ...]]:
        return run_sql(self.database, RUNS)

    def finished(self, *runs: tuple[str, int], seconds: float = TAKEN_OVER) -> None:
        eventually(lambda: self.runs() == list(runs), seconds)

    def holds(self, files: dict[str, bytes]) -> bool:
        found = dict(run_sql(self.database, DOCUMENTS))
        return found == {path: content.decode() for path, content in files.items()}

    def close(self) -> None:
        for client in self.clients:
            client.close()

    def log(self) -> str:
        return "".join(service.log.read_text() for service in self.services)

    def folders(self) -> list[Path]:
        return list(self.temporary.glob("bmadflow-sync-*"))

    def expire(self) -> None:
        """Let the claims run out now, for a test that is not about how long that takes."""
        run_sql(self.database, "update sync_run set claimed_until = now() - interval '1 second'")


def create_source(database: str, remote: Remote) -> str:
    [[source]] = run_sql(
        database,
        "insert into project (name) values ('Payments') on conflict do nothing",
        "insert into project_doc (project_id, name, github_url) "
        f"select id, 'Docs', '{remote.url}' from project returning id::text",
    )
    return source


def gits(service: Service) -> list[psutil.Process]:
    """The git processes of a copy, helpers included."""
    with suppress(psutil.NoSuchProcess):
        children = psutil.Process(service.process.pid).children(recursive=True)
        return [child for child in children if is_git(child)]
    return []


def is_git(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.name().startswith("git")
    return False


def is_alive(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.status() != psutil.STATUS_ZOMBIE
    return False


def kill(service: Service) -> list[psutil.Process]:
    """End a copy as nothing can prepare for; return the git processes that it had."""
    processes = gits(service)
    service.process.kill()
    service.wait()
    return processes


@contextmanager
def locked_documents(database: str) -> Generator[psycopg.Connection[Any]]:
    """Let whoever writes a document wait, until the block or the connection ends."""
    with psycopg.connect(database) as connection:
        connection.execute("lock table document in share mode")
        yield connection
        with suppress(psycopg.OperationalError):
            connection.rollback()


def is_whole(service: Service) -> bool:
    """Whether no connection of the pool is held or waited for, and nothing is under way."""
    lines = httpx.get(f"{service.url}/metrics", timeout=20).text.splitlines()
    pool = 'db_client_connection_pool_name="main"'
    return {
        f'db_client_connection_count{{{pool},db_client_connection_state="used"}} 0.0',
        f"db_client_connection_pending_requests{{{pool}}} 0.0",
    } <= set(lines)


def some_files(number: int = 20, word: str = "text") -> dict[str, bytes]:
    return {f"{index:04}.md": f"# {word} {index}\n".encode() for index in range(number)}


FILES = some_files()


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as server:
        yield server


@pytest.fixture
def copies(
    start_service: Callable[..., Service], database: str, tmp_path: Path, git: GitServer
) -> Iterator[Copies]:
    copies = Copies(start_service, database, tmp_path, git)
    yield copies
    copies.close()


@pytest.fixture
def own_copies(
    start_service: Callable[..., Service], own_postgres: Postgres, tmp_path: Path, git: GitServer
) -> Iterator[Copies]:
    """The same on a database that may be stopped and frozen."""
    copies = Copies(start_service, own_postgres.url, tmp_path, git)
    yield copies
    copies.close()


# Many copies.


def test_fifty_who_ask_three_copies_at_once_get_one_run(
    copies: Copies, together: Callable[..., list[httpx.Response]]
) -> None:
    urls = itertools.cycle([copies.start().url for _ in range(3)])
    source = copies.create_source(FILES)
    copies.stall(TREE)
    responses = together(
        50, lambda: httpx.post(f"{next(urls)}/api/project-docs/{source}/sync", timeout=30)
    )
    assert {response.status_code for response in responses} == {202}
    assert len({response.headers["location"] for response in responses}) == 1
    copies.busy()
    time.sleep(3)  # each copy has looked for runs meanwhile
    assert [bool(gits(service)) for service in copies.services].count(True) == 1
    assert copies.runs() == [("running", 1)]
    copies.resume()
    copies.finished(("completed", 1))
    assert copies.git.most_active == 1
    assert copies.holds(FILES)
    eventually(lambda: copies.log().count('"sync_finished"') == 1)


def test_runs_spread_over_the_copies_in_the_order_they_were_asked_for(copies: Copies) -> None:
    for _ in range(3):
        copies.start(SYNC_CONCURRENCY="1")
    urls = [service.url for service in copies.services]
    copies.git.behaviour.slow_seconds = 0.1
    for number in range(12):
        source = copies.create_source({"a.md": random.randbytes(3000).hex().encode()})
        httpx.post(f"{urls[number % 3]}/api/project-docs/{source}/sync")
    copies.finished(*[("completed", 1)] * 12)
    eventually(lambda: copies.log().count('"sync_finished"') == 12)
    did = [len(service.find("sync_finished")) for service in copies.services]
    assert all(did), did
    rows = run_sql(copies.database, "select started_at from sync_run order by created_at")
    started = [row[0] for row in rows]
    # Of two claimed at once the later one may note the earlier time, but each run takes 0.6 s.
    latest = itertools.accumulate(started, max)
    early = [so_far - at for so_far, at in zip(latest, started, strict=True)]
    assert max(early) < timedelta(seconds=0.5), early


def test_a_copy_that_only_serves_leaves_syncs_to_others(copies: Copies) -> None:
    serving_only = copies.start(SYNC_CONCURRENCY="0")
    source = copies.create_source(FILES)
    copies.request(source)
    time.sleep(3)
    assert copies.runs() == [("queued", 0)]
    copies.start()
    copies.finished(("completed", 1))
    assert "sync_" not in serving_only.log.read_text()


@needs_pgbouncer
def test_through_pgbouncer_in_transaction_mode(
    copies: Copies, postgres: Postgres, tmp_path: Path
) -> None:
    files = some_files(1200)
    with PgBouncer(tmp_path, postgres, pool_size=2).run() as pgbouncer:
        url = pgbouncer.url_of(copies.database)
        for _ in range(2):
            copies.start(
                DATABASE_URL=url, DATABASE_PREPARED_STATEMENTS="false", WEB_CONCURRENCY="2"
            )
        source = copies.create_source(files)
        for _ in range(3):
            copies.request(source)
        copies.finished(("completed", 1))
        assert copies.holds(files)
        # What a sync sets for its transaction is not there for whoever has the connection next.
        limits = "select current_setting('statement_timeout'), "
        limits += "current_setting('idle_in_transaction_session_timeout')"
        for _ in range(4):
            assert run_sql(url, limits) == [("0", "0")]
    assert "Traceback" not in copies.log()


def test_syncs_begin_when_the_schema_is_there(
    start_service: Callable[..., Service], empty_database: str, tmp_path: Path, git: GitServer
) -> None:
    copies = Copies(start_service, empty_database, tmp_path, git)
    service = copies.start()
    service.wait_for("sync_waits_for_database")
    time.sleep(3)  # it has looked again, and said nothing
    migrate(empty_database, print)
    copies.request(copies.create_source(FILES))
    copies.finished(("completed", 1))
    assert len(service.find("sync_waits_for_database")) == 1
    assert copies.holds(FILES)


@pytest.mark.parametrize("concurrency", [0, 1])
def test_a_worker_that_waits_for_the_database_says_so_once(
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


# A copy that is killed, frozen, stopped.


@STEPS
def test_another_copy_finishes_what_a_killed_one_began(copies: Copies, step: bytes) -> None:
    for _ in range(3):
        copies.start()
    source = copies.create_source(FILES)
    copies.stall(step)
    copies.request(source)
    victim = copies.busy()
    [folder] = copies.folders()
    processes = kill(victim)
    killed = time.monotonic()
    assert processes
    copies.git.behaviour.stall_after = None  # for the next one; this one's stalls still
    copies.finished(("completed", 2))
    assert time.monotonic() - killed < TAKEN_OVER
    assert copies.holds(FILES)
    assert not folder.exists()
    eventually(lambda: copies.folders() == [])
    eventually(lambda: not any(map(is_alive, processes)), 5)
    assert "Traceback" not in copies.log()


def test_another_copy_writes_what_a_killed_one_was_writing(copies: Copies) -> None:
    old, new = some_files(1500, "old"), some_files(1500, "new")
    for _ in range(2):
        copies.start()
    remote = copies.git.create()
    remote.commit(old)
    source = create_source(copies.database, remote)
    assert copies.hub().sync(source)["added"] == len(old)
    remote.commit(new)
    copies.stall(BLOBS)
    copies.request(source)
    victim = copies.busy()
    with locked_documents(copies.database):
        copies.resume()
        eventually(lambda: run_sql(copies.database, WAITING) == [(1,)])
        kill(victim)
        # PostgreSQL does not notice as long as the statement waits.
        time.sleep(1)
        assert copies.runs() == [("completed", 1), ("running", 1)]
        assert copies.holds(old)
    copies.finished(("completed", 1), ("completed", 2))
    assert copies.holds(new)
    eventually(lambda: copies.folders() == [])
    assert "Traceback" not in copies.log()


@pytest.mark.parametrize("is_writing", [False, True])
def test_a_copy_that_was_frozen_writes_nothing_when_another_has_done_its_run(
    copies: Copies, is_writing: bool
) -> None:
    for _ in range(2):
        copies.start()
    remote = copies.git.create()
    remote.commit(some_files(word="old"))
    source = create_source(copies.database, remote)
    assert copies.hub().sync(source)["status"] == "completed"
    remote.commit(some_files(word="lost"))
    copies.stall(BLOBS)
    copies.request(source)
    victim = copies.busy()
    if is_writing:
        with psycopg.connect(copies.database) as connection:
            connection.execute("select from document for update")
            copies.resume()
            eventually(lambda: run_sql(copies.database, WAITING) == [(1,)])
            victim.process.send_signal(signal.SIGSTOP)
    else:
        victim.process.send_signal(signal.SIGSTOP)
        copies.resume()
    frozen = time.monotonic()
    remote.commit(FILES)
    try:
        copies.finished(("completed", 1), ("completed", 2))
        assert time.monotonic() - frozen < TAKEN_OVER
        versions = run_sql(copies.database, "select file_path, xmin::text from document")
    finally:
        victim.process.send_signal(signal.SIGCONT)
    eventually(lambda: victim.find("sync_claim_lost") or victim.find("sync_interrupted"))
    assert copies.holds(FILES)
    assert run_sql(copies.database, "select file_path, xmin::text from document") == versions
    assert copies.runs() == [("completed", 1), ("completed", 2)]
    assert "Traceback" not in copies.log()
    eventually(lambda: copies.folders() == [] and not gits(victim))
    eventually(lambda: copies.log().count('"sync_finished"') == 2)
    eventually(lambda: is_whole(victim))


def test_who_has_lost_its_claim_at_the_last_moment_writes_nothing(copies: Copies) -> None:
    service = copies.start()
    copies.stall(BLOBS)
    source = copies.create_source(FILES)
    copies.request(source)
    copies.busy()
    waiting = WAITING.replace("insert into document", "for no key update")
    with psycopg.connect(copies.database) as connection:
        connection.execute("select from project_doc for update")
        copies.resume()
        eventually(lambda: run_sql(copies.database, waiting) == [(1,)])
        connection.execute("update sync_run set claim_id = gen_random_uuid()")
    service.wait_for("sync_claim_lost")
    assert run_sql(copies.database, DOCUMENTS) == []
    assert copies.runs() == [("running", 1)]
    copies.expire()
    copies.finished(("completed", 2))


def test_a_copy_that_is_stopped_gives_its_run_to_another_at_once(copies: Copies) -> None:
    copies.start(WEB_CONCURRENCY="2")
    source = copies.create_source(FILES)
    copies.stall(BLOBS)
    copies.request(source)
    stopped = copies.busy()
    processes = gits(stopped)
    copies.start()
    assert copies.services[1].url
    copies.git.behaviour.stall_after = None
    started = time.monotonic()
    stopped.process.terminate()
    assert stopped.wait() == 0
    assert time.monotonic() - started < 5
    copies.finished(("completed", 1), seconds=7)  # well before a claim runs out
    assert copies.holds(FILES)
    assert not any(map(is_alive, processes))
    eventually(lambda: copies.folders() == [])
    assert "Traceback" not in copies.log()


def test_what_the_only_copy_gives_back_its_next_start_does(copies: Copies) -> None:
    only = copies.start()
    source = copies.create_source(FILES)
    copies.stall(TREE)
    copies.request(source)
    copies.busy()
    only.process.terminate()
    assert only.wait() == 0
    assert copies.runs() == [("queued", 0)]
    copies.resume()
    copies.start()
    copies.finished(("completed", 1))
    assert copies.holds(FILES)


def test_a_copy_that_drains_finishes_its_run_and_begins_no_other(copies: Copies) -> None:
    draining = copies.start(WEB_CONCURRENCY="2", DRAIN_SECONDS="60")
    first, second = copies.create_source(FILES), copies.create_source(FILES)
    copies.stall(TREE)
    copies.request(first)
    copies.busy()
    url = draining.url
    draining.process.terminate()
    eventually(lambda: httpx.get(f"{url}/api/health").status_code == 503)
    time.sleep(0.5)  # every worker has had the signal
    copies.request(second, draining)
    copies.resume()
    copies.finished(("completed", 1), ("queued", 0))
    time.sleep(2.5)  # longer than a worker waits before it looks again
    assert draining.process.poll() is None
    assert copies.runs() == [("completed", 1), ("queued", 0)]
    draining.process.terminate()
    assert draining.wait() == 0
    copies.start()
    copies.finished(("completed", 1), ("completed", 1))


def test_a_run_that_kills_its_process_each_time_is_given_up(copies: Copies) -> None:
    source = copies.create_source(FILES)
    copies.stall(TREE)
    for attempt in range(3):
        copies.start()
        if attempt == 0:
            copies.request(source)
        kill(copies.busy())
        copies.git.behaviour.resume.set()
        eventually(lambda: not copies.git.stalled)
        copies.git.behaviour.resume.clear()
        copies.expire()
    last = copies.start()
    copies.finished(("failed", 4))
    hub = copies.hub(last)
    assert hub.status(source)["message"] == f"Sync failed. {INTERRUPTED}"
    [line] = eventually(lambda: last.find("sync_finished"))
    assert (line["status"], line["error"]) == ("failed", INTERRUPTED)
    copies.resume()
    assert hub.sync(source)["status"] == "completed"
    assert copies.holds(FILES)
    assert copies.runs() == [("failed", 4), ("completed", 1)]


def test_what_was_pushed_while_a_run_was_killed_for_good_is_not_missed(copies: Copies) -> None:
    source = copies.create_source(FILES)
    run_sql(
        copies.database,
        "insert into sync_run (project_doc_id, status, attempts, started_at, claim_id, "
        "claimed_until, is_wanted_again) "
        f"values ('{source}', 'running', 3, now(), gen_random_uuid(), now(), true)",
    )
    copies.start()
    copies.finished(("failed", 4), ("completed", 1))
    assert copies.holds(FILES)


# A database that restarts or freezes.


@STEPS
def test_the_database_restarts_while_git_works(
    own_copies: Copies, own_postgres: Postgres, step: bytes
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    own_copies.stall(step)
    own_copies.request(source)
    own_copies.busy()
    own_postgres.stop()
    time.sleep(3)  # a renewal of the claim fails
    own_postgres.start()
    own_copies.resume()
    own_copies.finished(("completed", 1))
    assert own_copies.holds(FILES)
    assert "Traceback" not in own_copies.log()
    eventually(lambda: is_whole(service))
    eventually(lambda: len(service.find("sync_finished")) == 1)


def test_the_database_restarts_while_documents_are_written(
    own_copies: Copies, own_postgres: Postgres
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    with locked_documents(own_copies.database):
        own_copies.request(source)
        eventually(lambda: run_sql(own_copies.database, WAITING) == [(1,)])
        own_postgres.stop()
        own_postgres.start()
    own_copies.finished(("completed", 2), seconds=8)  # it was given back, and not run out
    assert own_copies.holds(FILES)
    assert "Traceback" not in own_copies.log()
    eventually(lambda: is_whole(service))
    eventually(lambda: len(service.find("sync_finished")) == 1)


@pytest.mark.parametrize("seconds", [4, 13])
def test_the_database_freezes_while_documents_are_written(
    own_copies: Copies, own_postgres: Postgres, seconds: float
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    with locked_documents(own_copies.database) as holder:
        own_copies.request(source)
        eventually(lambda: run_sql(own_copies.database, WAITING) == [(1,)])
        own_postgres.freeze()
        time.sleep(seconds)
        own_postgres.thaw()
        holder.rollback()
    eventually(lambda: [status for status, _ in own_copies.runs()] == ["completed"], TAKEN_OVER)
    assert own_copies.holds(FILES)
    assert "Traceback" not in own_copies.log()
    eventually(lambda: is_whole(service))
    eventually(lambda: len(service.find("sync_finished")) == 1)


def test_a_copy_that_cannot_keep_its_claim_stops_its_git(
    own_copies: Copies, own_postgres: Postgres
) -> None:
    service = own_copies.start()
    source = own_copies.create_source(FILES)
    own_copies.stall(TREE)
    own_copies.request(source)
    own_copies.busy()
    own_postgres.freeze()
    # Another copy, which reaches the database, may have the run by then.
    eventually(lambda: not gits(service), 13)
    own_copies.resume()
    own_postgres.thaw()
    eventually(lambda: [status for status, _ in own_copies.runs()] == ["completed"], TAKEN_OVER)
    assert own_copies.holds(FILES)
    eventually(lambda: len(service.find("sync_interrupted")) == 1)
    assert "Traceback" not in own_copies.log()
    eventually(lambda: is_whole(service))


@pytest.mark.parametrize(("workers", "is_writing"), [("1", False), ("2", True)])
def test_a_frozen_database_does_not_keep_a_copy_from_stopping(
    own_copies: Copies, own_postgres: Postgres, workers: str, is_writing: bool
) -> None:
    service = own_copies.start(WEB_CONCURRENCY=workers, SHUTDOWN_SECONDS="1")
    source = own_copies.create_source(FILES)
    with locked_documents(own_copies.database):
        if not is_writing:
            own_copies.stall(BLOBS)
        own_copies.request(source)
        if is_writing:
            eventually(lambda: run_sql(own_copies.database, WAITING) == [(1,)])
        else:
            own_copies.busy()
        own_postgres.freeze()
        started = time.monotonic()
        service.process.terminate()
        assert service.wait() == 0
        assert time.monotonic() - started < 8
        own_postgres.thaw()
    assert own_copies.folders() == []
    assert not service.find("workers_do_not_stop")
    assert "Traceback" not in own_copies.log()


def test_documents_that_cannot_be_written_in_time_are_said_to_be_the_databases_fault(
    copies: Copies,
) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    run_sql(
        copies.database,
        f"insert into sync_run (project_doc_id, attempts) values ('{source}', 2)",
    )
    with locked_documents(copies.database):
        copies.finished(("failed", 3))
        assert copies.hub().status(source)["error"] == DATABASE_AWAY
    [line] = eventually(lambda: service.find("sync_finished"))
    assert (line["status"], line["error"]) == ("failed", DATABASE_AWAY)
    assert run_sql(copies.database, DOCUMENTS) == []
    assert copies.hub().sync(source)["status"] == "completed"
    eventually(lambda: is_whole(service))


def test_a_sync_that_takes_long_to_write_is_told_of_as_finished(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    with locked_documents(copies.database):
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING) == [(1,)])
        time.sleep(5)  # the claim would have been renewed twice
    copies.finished(("completed", 1))
    [line] = eventually(lambda: service.find("sync_finished"))
    assert line["added"] == len(FILES)
    assert not service.find("sync_claim_lost")


# Changes of the source meanwhile.


@pytest.mark.parametrize("what", ["project", "source"])
def test_what_is_deleted_and_changed_while_it_is_written_waits_and_goes(
    copies: Copies, what: str
) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    [[project]] = run_sql(copies.database, "select id::text from project")
    path = f"/api/projects/{project}" if what == "project" else f"/api/project-docs/{source}"
    statuses: dict[str, int] = {}

    def send(method: str, path: str) -> None:
        body = {"name": "Other", "branch": "main"} if method == "PUT" else None
        response = httpx.request(method, f"{service.url}{path}", json=body, timeout=30)
        statuses[method] = response.status_code

    senders = [
        threading.Thread(target=send, args=("PUT", f"/api/project-docs/{source}")),
        threading.Thread(target=send, args=("DELETE", path)),
    ]
    with locked_documents(copies.database):
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING) == [(1,)])
        for sender in senders:
            sender.start()
            time.sleep(0.3)
        assert statuses == {}
    for sender in senders:
        sender.join()
    assert statuses in ({"DELETE": 200, "PUT": 200}, {"DELETE": 200, "PUT": 404})
    for table in ("document", "sync_run", "project_doc"):
        assert run_sql(copies.database, f"select * from {table}") == []
    assert_no_trouble(copies)


def test_a_source_that_is_being_deleted_keeps_no_other_from_being_synced(
    database: str, git: GitServer
) -> None:
    async def request() -> None:
        async with open_database(database, 1, Metrics()) as pool:
            await request_due_syncs(pool, 1)

    deleted, other = (create_source(database, git.create(name)) for name in "ab")
    with psycopg.connect(database) as connection:
        connection.execute("delete from project_doc where id = %s", [deleted])
        asyncio.run(request())
        assert run_sql(database, "select project_doc_id::text from sync_run") == [(other,)]


def test_deleting_and_changing_sources_at_any_moment_makes_no_deadlock(copies: Copies) -> None:
    hubs = [copies.hub(copies.start()) for _ in range(2)]
    remotes = [copies.git.create(f"remote/{number}") for number in range(2)]
    for remote in remotes:
        remote.commit(some_files(300))
    statuses: Counter[int] = Counter()

    def attack(number: int) -> None:
        hub, other = hubs[number % 2], hubs[(number + 1) % 2]
        for round_ in range(6):
            project = hub.create_project(f"Project {number} {round_}")
            sources = [hub.create_source(project, remote) for remote in remotes]
            for source in sources:
                hub.client.post(f"/api/project-docs/{source}/sync")
            time.sleep(random.uniform(0, 0.8))
            for source in sources:
                url = remotes[random.randrange(2)].url
                changed = other.client.put(
                    f"/api/project-docs/{source}", json={"github_url": url, "branch": "main"}
                )
                statuses[changed.status_code] += 1
            gone = [f"/api/project-docs/{sources[1]}", f"/api/projects/{project}"]
            for path in gone if round_ % 2 else gone[1:]:
                statuses[other.client.delete(path).status_code] += 1

    attackers = [threading.Thread(target=attack, args=(number,)) for number in range(4)]
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join()
    assert set(statuses) == {200}
    eventually(lambda: all(is_whole(service) for service in copies.services))
    for table in ("document", "sync_run", "project_doc"):
        assert run_sql(copies.database, f"select * from {table}") == []
    assert_no_trouble(copies)


def assert_no_trouble(copies: Copies) -> None:
    assert "Traceback" not in copies.log()
    assert "sync_fault" not in copies.log()
    deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
    assert run_sql(copies.database, deadlocks) == [(0,)]


# What is told, and what is left.


def test_each_sync_has_one_line_that_says_how_it_ended(copies: Copies) -> None:
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
    eventually(lambda: len(service.find("sync_finished")) == 2)
    done, not_done = service.find("sync_finished")
    assert done["source_id"] == source
    counts = [done[name] for name in ("added", "changed", "unchanged", "removed", "skipped")]
    assert (done["status"], counts, done["commit"]) == ("completed", [1, 0, 0, 0, 1], commit)
    assert done["duration_ms"] > 0
    assert (not_done["status"], not_done["error"]) == ("failed", failed["error"])
    [told] = service.find("sync_fault")
    assert told["exception"].count("Traceback") == 1
    lines = [entry for entry in service.entries() if entry["message"].startswith("sync_")]
    assert len(lines) == 3
    assert not any("request_id" in line for line in lines)
    for secret in (TOKEN, "nobody-may-see", str(copies.git.port)):
        assert secret not in service.log.read_text()


def test_thirty_syncs_leave_nothing_behind(copies: Copies) -> None:
    service = copies.start()
    remote = copies.git.create()
    source = create_source(copies.database, remote)
    hub = copies.hub()
    process = psutil.Process(service.process.pid)

    def sync(times: int) -> tuple[int, int]:
        for _ in range(times):
            text = random.randbytes(20_000).hex()
            remote.commit({f"{number}.md": f"{number} {text}".encode() for number in range(5)})
            assert hub.sync(source)["status"] == "completed"
        eventually(lambda: copies.folders() == [] and process.children() == [])
        eventually(lambda: is_whole(service))
        return process.num_fds(), process.memory_info().rss

    files, memory = sync(6)
    files_after, memory_after = sync(30)
    assert files_after <= files + 2  # connections of the pool, which it may open and close
    assert memory_after < memory + 10_000_000


async def count_tasks(_: Request) -> JSONResponse:
    return JSONResponse(len(asyncio.all_tasks()))


def test_no_task_outlives_its_sync(database: str, tmp_path: Path, git: GitServer) -> None:
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
