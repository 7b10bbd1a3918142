"""Deliveries that meet a fault that passes in a moment: hosts do not send them again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from service.sync import queue
from service.sync.advisory_locks import pushes_lock
from tests.support.deliveries import GITHUB, SECRETS
from tests.support.postgres import Postgres, run_sql
from tests.support.problems import assert_problem
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

SOURCE = "10000000-0000-4000-8000-000000000001"
SOURCE_SQL = f"'{SOURCE}'::uuid"
URL = "https://git.example/team/docs"
SETTINGS = {"sync_concurrency": 0, "github_webhook_secret": SECRETS["github_webhook_secret"]}
ROWS = (
    "select (select count(*) from push), (select count(*) from sync_run where finished_at is null)"
)
WAITING = """
    select count(*) from pg_stat_activity
    where wait_event_type = 'Lock' and datname = current_database()
"""
# Raises the error at each of the first pushes. A sequence does not take part in the rollback.
FAULTS = """
    create sequence faults;
    create function raise_fault() returns trigger language plpgsql as $function$
    begin
        if nextval('faults') <= {times} then {fault}; end if;
        return null;
    end
    $function$;
    create {trigger} after insert on {table} {timing} for each row execute function raise_fault();
    """


def add_source(database: str) -> None:
    run_sql(
        database,
        "insert into project (name) values ('Payments')",
        f"insert into project_doc (id, project_id, name, github_url) "
        f"select '{SOURCE}', id, 'Docs', '{URL}' from project",
    )


def add_faults(
    database: str, fault: str, times: int, *, table: str = "push", at_commit: bool = False
) -> None:
    trigger = "constraint trigger fault" if at_commit else "trigger fault"
    timing = "deferrable initially deferred" if at_commit else ""
    run_sql(
        database,
        FAULTS.format(fault=fault, times=times, table=table, trigger=trigger, timing=timing),
    )


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    add_source(database)
    with serving(database, **SETTINGS) as client:
        yield client


def send(client: httpx.Client) -> httpx.Response:
    return GITHUB.push(URL, id_="delivery").send(client, SOURCE)


@pytest.mark.parametrize(
    "transaction",
    [
        "select from project_doc for update",
        "delete from project_doc",
        f"select pg_advisory_xact_lock({pushes_lock(SOURCE_SQL)})",
        f"insert into sync_run (project_doc_id) values ('{SOURCE}')",
        f"insert into push values ('{SOURCE}', 'delivery', now(), null, null, false)",
    ],
)
def test_a_delivery_outlasts_a_short_lock(
    client: httpx.Client, database: str, transaction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may see only some of the waits, which are short and follow each other closely.
    monkeypatch.setattr(queue, "REPEAT_SECONDS", 60.0)
    with psycopg.connect(database) as other, ThreadPoolExecutor() as threads:
        other.execute(transaction.encode())
        sent = threads.submit(send, client)
        for _ in range(2):
            eventually(lambda: run_sql(database, WAITING) == [(1,)])
            eventually(lambda: run_sql(database, WAITING) == [(0,)])
        other.rollback()
        assert sent.result().status_code == 202
    assert run_sql(database, ROWS) == [(1, 1)]


@pytest.mark.parametrize(
    "fault",
    [
        "raise exception using errcode = '40P01'",
        "raise exception using errcode = '40001'",
        "raise exception using errcode = '55P03'",
        "perform pg_terminate_backend(pg_backend_pid())",
    ],
)
@pytest.mark.parametrize(
    ("table", "at_commit"), [("push", False), ("sync_run", False), ("sync_run", True)]
)
def test_a_delivery_is_stored_after_faults_that_passed(
    client: httpx.Client, database: str, fault: str, table: str, *, at_commit: bool
) -> None:
    add_faults(database, fault, 3, table=table, at_commit=at_commit)
    assert send(client).status_code == 202
    assert run_sql(database, ROWS) == [(1, 1)]
    assert send(client).status_code == 200  # is known


def test_a_fault_that_does_not_pass_is_told_and_nothing_is_stored(
    client: httpx.Client, database: str
) -> None:
    add_faults(database, "raise exception using errcode = '40P01'", 1000)
    assert assert_problem(send(client), 503)
    assert run_sql(database, "select last_value > 2 from faults") == [(True,)]
    assert run_sql(database, ROWS) == [(0, 0)]


def test_an_error_that_does_not_pass_is_not_repeated(client: httpx.Client, database: str) -> None:
    add_faults(database, "raise exception using errcode = '53100'", 1)
    assert_problem(send(client), 503)
    assert send(client).status_code == 202


def test_a_delivery_whose_commit_lost_its_response_is_told_its_run(own_postgres: Postgres) -> None:
    """The commit waits for a standby that there is none of, and its connection is cut meanwhile."""
    database = own_postgres.url
    add_source(database)
    name = database.rpartition("/")[2].partition("?")[0]
    run_sql(database, f"alter database {name} set synchronous_commit = on")
    reload = "select pg_reload_conf()"
    waiting = "from pg_stat_activity where wait_event = 'SyncRep' and query like 'commit%'"
    with serving(database, **SETTINGS) as client, ThreadPoolExecutor() as threads:
        run_sql(database, "alter system set synchronous_standby_names = 'nobody'", reload)
        sent = threads.submit(send, client)
        ((process,),) = eventually(lambda: run_sql(database, f"select pid {waiting}"))
        run_sql(database, f"select pg_terminate_backend({process})")
        run_sql(database, "alter system reset synchronous_standby_names", reload)
        response = sent.result()
    assert response.status_code == 202, response.text
    assert run_sql(database, ROWS) == [(1, 1)]
    assert run_sql(database, "select id::text from sync_run") == [(response.json()["run_id"],)]
