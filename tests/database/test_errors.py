"""Which errors of PostgreSQL are a 503, which of them are tried again, and what the log shows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest
import structlog

from service.database.database import ATTEMPTS, Database, open_database
from service.database.errors import DatabaseUnavailable
from tests.support.postgres import run_sql
from tests.support.sqlstates import LASTING, PASSING
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.anyio

RAISING = (
    "create sequence runs",
    """
    create function fail(code text) returns int language plpgsql as $$
    begin
        perform nextval('runs');
        raise exception 'hunter2' using errcode = code, detail = 'hunter2', hint = 'hunter2',
            table = 'thing', column = 'name';
    end
    $$
    """,
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def raising(empty_database: str) -> AsyncIterator[Database]:
    run_sql(empty_database, *RAISING)
    async with open_database(empty_database, 2) as opened:
        yield opened


async def count_runs(database: Database) -> int:
    """Return how often the function was called."""
    row = await database.fetch_row("select last_value, is_called from runs")
    assert row is not None
    return row["last_value"] if row["is_called"] else 0


@pytest.mark.parametrize(("code", "expected"), PASSING.items())
async def test_an_error_that_passes_is_a_503(code: str, expected: str, raising: Database) -> None:
    reason, _, again = expected.partition(", ")
    with structlog.testing.capture_logs() as logs, pytest.raises(DatabaseUnavailable) as raised:
        await raising.fetch_value("select fail($1)", code)
    assert (raised.value.reason, raised.value.status) == (reason, 503)
    assert raised.value.headers == {"Retry-After": "5"}
    assert code in repr(raised.value.__cause__)
    assert "hunter2" not in f"{raised.value.detail} {raised.value.__cause__!r} {logs}"
    times = ATTEMPTS if again else 2 if code == "25006" else 1
    assert await count_runs(raising) == times
    repeated = [entry for entry in logs if entry["event"] == "database_statement_repeated"]
    assert len(repeated) == times - 1


@pytest.mark.parametrize("code", LASTING)
async def test_every_other_error_is_raised_once_and_without_values(
    code: str, raising: Database
) -> None:
    with pytest.raises(asyncpg.PostgresError) as raised:
        await raising.fetch_value("select fail($1)", code)
    assert raised.value.sqlstate == code
    assert str(raised.value) == f"sqlstate={code}, table_name=thing, column_name=name"
    assert raised.value.__context__ is None
    assert await count_runs(raising) == 1


@pytest.mark.parametrize(("code", "expected"), PASSING.items())
async def test_a_transaction_is_not_run_again(code: str, expected: str, raising: Database) -> None:
    with pytest.raises(DatabaseUnavailable) as raised:
        async with raising.transaction() as transaction:
            await transaction.fetch_value("select fail($1)", code)
    assert raised.value.reason == expected.partition(", ")[0]
    assert await count_runs(raising) == 1


async def test_an_error_at_the_commit_is_that_of_a_statement(raising: Database) -> None:
    await raising.execute("create table thing (code text)")
    await raising.execute(
        "create function fail_late() returns trigger language plpgsql as "
        "$$ begin perform fail(new.code); return null; end $$"
    )
    await raising.execute(
        "create constraint trigger late after insert on thing deferrable initially deferred "
        "for each row execute function fail_late()"
    )
    for code, reason in (
        ("40001", "conflict"),
        ("40P01", "conflict"),
        ("53100", "disk_full"),
    ):
        with pytest.raises(DatabaseUnavailable) as raised:
            async with raising.transaction() as transaction:
                await transaction.execute("insert into thing values ($1)", code)
        assert raised.value.reason == reason
    with pytest.raises(asyncpg.UniqueViolationError):
        async with raising.transaction() as transaction:
            await transaction.execute("insert into thing values ('23505')")
    assert await raising.fetch_value("select count(*) from thing") == 0


async def test_a_statement_that_its_server_undid_succeeds_at_the_next_attempt(
    raising: Database,
) -> None:
    await raising.execute("create table thing (run int)")
    await raising.execute(
        "create function fail_once() returns trigger language plpgsql as $$ begin "
        "if nextval('runs') = 1 then raise exception using errcode = '40001'; end if; "
        "return new; end $$"
    )
    await raising.execute(
        "create trigger once before insert on thing for each row execute function fail_once()"
    )
    assert await raising.execute("insert into thing values (1)") == "INSERT 0 1"
    assert await raising.fetch_value("select array_agg(run) from thing") == [1]


async def test_a_lock_that_is_not_to_be_had_is_a_503(raising: Database) -> None:
    await raising.execute("create table thing (id int)")
    await raising.execute("insert into thing values (1)")
    async with raising.transaction() as holder:
        await holder.execute("select id from thing for update")
        with pytest.raises(DatabaseUnavailable) as raised:
            async with raising.transaction() as transaction:
                await transaction.execute("set local lock_timeout = '50ms'")
                await transaction.execute("delete from thing")
        assert raised.value.reason == "locked"
        with pytest.raises(DatabaseUnavailable) as raised:
            await raising.fetch("select id from thing for update nowait")
        assert raised.value.reason == "locked"


async def test_a_serialization_failure_is_a_conflict(raising: Database) -> None:
    await raising.execute("create table thing (id int, name text)")
    await raising.execute("insert into thing values (1, 'one')")
    with pytest.raises(DatabaseUnavailable) as raised:
        async with raising.transaction() as transaction:
            await transaction.execute("set transaction isolation level repeatable read")
            await transaction.fetch("select id from thing")
            await raising.execute("update thing set name = 'two'")
            await transaction.execute("update thing set name = 'three'")
    assert raised.value.reason == "conflict"
    assert await raising.fetch_value("select name from thing") == "two"


async def test_a_statement_that_loses_a_deadlock_is_run_again(
    raising: Database, empty_database: str
) -> None:
    await raising.execute("create table thing (id int primary key, name text)")
    await raising.execute("insert into thing values (1, 'one'), (2, 'two')")
    async with raising.transaction() as holder:
        # The other transaction waits longer for the deadlock, so that the statement is its victim.
        await holder.execute("set local deadlock_timeout = '30s'")
        await holder.execute("update thing set name = 'x' where id = 2")
        statement = asyncio.create_task(
            raising.execute("update thing set name = name || '!' where id in (1, 2)")
        )
        waiting = "select pid from pg_locks where not granted and locktype = 'transactionid'"
        await asyncio.to_thread(eventually, lambda: run_sql(empty_database, waiting))
        await holder.execute("update thing set name = 'x' where id = 1")
    assert await statement == "UPDATE 2"
    assert await raising.fetch_value("select array_agg(name) from thing") == ["x!", "x!"]


async def test_a_plan_that_a_migration_changed_is_made_anew(
    raising: Database, empty_database: str
) -> None:
    await raising.execute("create table thing (id int)")
    query = "select * from thing"
    assert await raising.fetch(query) == []
    async with raising.connection() as connection:
        async with connection.transaction():
            await connection.fetch(query)
        run_sql(empty_database, "alter table thing add column name text")
        with pytest.raises(DatabaseUnavailable) as raised:
            async with connection.transaction():
                await connection.fetch(query)
        assert raised.value.reason == "schema_changed"
        async with connection.transaction():
            assert await connection.fetch(query) == []
    run_sql(empty_database, "alter table thing add column other text")
    assert await raising.fetch(query) == []


async def test_a_server_that_became_read_only_is_left_for_another_one(
    raising: Database, empty_database: str
) -> None:
    """The new connection leads to the primary where the URL names several hosts."""
    await raising.execute("create table thing (id int)")
    connection_of = "select pg_backend_pid()"
    first = await raising.fetch_value(connection_of)
    await raising.execute("set default_transaction_read_only to on")  # of this connection alone
    assert await raising.execute("insert into thing values (1)") == "INSERT 0 1"
    assert await raising.fetch_value(connection_of) != first
    await raising.execute("set default_transaction_read_only to on")
    with pytest.raises(DatabaseUnavailable) as raised:
        async with raising.transaction() as transaction:
            await transaction.execute("insert into thing values (2)")
    assert raised.value.reason == "read_only"
    async with raising.transaction() as transaction:
        await transaction.execute("insert into thing values (3)")
    assert await raising.fetch_value("select count(*) from thing") == 2


async def test_a_replica_keeps_its_connections(raising: Database, empty_database: str) -> None:
    await raising.execute("create table thing (id int)")
    name = await raising.fetch_value("select current_database()")
    run_sql(empty_database, f'alter database "{name}" set default_transaction_read_only to on')
    async with open_database(empty_database, 2) as replica:
        with pytest.raises(DatabaseUnavailable):
            await replica.execute("insert into thing values (1)")
        first = await replica.fetch_value("select pg_backend_pid()")
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable):
                await replica.execute("insert into thing values (1)")
        assert await replica.fetch_value("select pg_backend_pid()") == first
