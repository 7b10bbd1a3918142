from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from service.database import database as database_module
from service.database.database import Database, open_database
from service.database.errors import DatabaseUnavailable
from service.problems import Problem
from tests.support.network import Proxy
from tests.support.postgres import Postgres, run_sql
from tests.support.waiting import within

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from service.database.queries import Connection

pytestmark = pytest.mark.anyio

THINGS = """
    create table thing (id int primary key, name text not null);
    insert into thing values (1, 'one'), (2, 'two');
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def things(database: str) -> AsyncIterator[Database]:
    run_sql(database, THINGS)
    async with open_database(database, 2) as opened:
        yield opened


async def test_fetches_rows_a_row_and_a_value(things: Database) -> None:
    rows = await things.fetch("select id, name from thing order by id")
    assert [tuple(row) for row in rows] == [(1, "one"), (2, "two")]
    row = await things.fetch_row("select name from thing where id = $1", 2)
    assert row is not None
    assert row["name"] == "two"
    assert await things.fetch_value("select count(*) from thing where id > $1", 0) == 2
    assert await things.execute("delete from thing where id = $1", 1) == "DELETE 1"


async def test_a_missing_row_is_none_or_a_404(things: Database) -> None:
    query = "select name from thing where id = $1"
    assert await things.fetch_row(query, 3) is None
    assert await things.fetch_value(query, 3) is None
    with pytest.raises(Problem, match="There is no thing 3") as raised:
        await things.fetch_row_or_404(query, 3, missing="There is no thing 3.")
    assert raised.value.status == 404
    assert (await things.fetch_row_or_404(query, 2, missing=""))["name"] == "two"


async def test_a_transaction_commits_or_rolls_back_as_a_whole(things: Database) -> None:
    async with things.transaction() as connection:
        await connection.execute("insert into thing values (3, 'three')")
        await connection.execute("insert into thing values (4, 'four')")
    with pytest.raises(asyncpg.UniqueViolationError) as raised:
        async with things.transaction() as connection:
            await connection.execute("insert into thing values (5, 'five')")
            await connection.execute("insert into thing values (1, 'again')")
    assert raised.value.constraint_name == "thing_pkey"
    assert await things.fetch_value("select array_agg(id order by id) from thing") == [1, 2, 3, 4]


async def test_a_statement_past_its_deadline_is_cancelled_on_the_server(things: Database) -> None:
    with within(5), pytest.raises(DatabaseUnavailable) as raised:
        async with things.connection(statement_seconds=0.2) as connection:
            await connection.execute("select pg_sleep(30)")
    assert raised.value.reason == "timeout"
    sleeping = "select count(*) from pg_stat_activity where query = $1 and state = 'active'"
    assert await things.fetch_value(sleeping, "select pg_sleep(30)") == 0


async def test_waiting_for_a_connection_has_a_deadline(things: Database) -> None:
    async with things.connection(), things.connection():
        with pytest.raises(DatabaseUnavailable) as raised:
            async with things.connection(acquire_seconds=0.1):
                pass
        assert raised.value.reason == "pool_timeout"
        assert raised.value.status == 503
        assert raised.value.headers["Retry-After"] == "5"
    assert await things.fetch_value("select 1") == 1


async def test_callers_get_connections_in_the_order_in_which_they_ask(things: Database) -> None:
    asked, served = list[int](), list[int]()
    async with things.connection(), things.connection():
        pass  # both connections are open from here on

    async def ask_again_and_again(caller: int) -> None:
        while len(asked) < 400:
            asked.append(caller)
            async with things.connection() as connection:
                served.append(caller)
                await connection.fetch_value("select 1")

    await asyncio.gather(*map(ask_again_and_again, range(20)))
    assert served == asked


async def test_a_refused_connection_takes_no_place_in_the_pool(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # So long a pause that no caller tries again before its deadline.
    monkeypatch.setattr("service.database.pool.RETRY_SECONDS", 1000.0)
    url = "postgresql://postgres@127.0.0.1:1/none"
    async with open_database(url, 2) as refused:
        for _ in range(5):
            with pytest.raises(DatabaseUnavailable) as raised:
                async with refused.health_connection(5):
                    pass
            assert raised.value.reason == "unreachable"
            with pytest.raises(DatabaseUnavailable) as raised:
                await refused.fetch_value("select 1")
            assert raised.value.reason == "unreachable"


async def test_a_cancelled_caller_leaves_its_connection_to_the_next(things: Database) -> None:
    holders = [asyncio.create_task(things.execute("select pg_sleep(30)")) for _ in range(2)]
    waiting = asyncio.create_task(things.fetch_value("select 1"))
    await asyncio.sleep(0.2)
    waiting.cancel()
    for holder in holders:
        holder.cancel()
    await asyncio.gather(waiting, *holders, return_exceptions=True)
    values = await asyncio.gather(*(things.fetch_value("select 2") for _ in range(10)))
    assert values == [2] * 10


async def test_the_pool_stays_usable_after_timeouts_in_transactions(
    things: Database,
) -> None:
    for _ in range(3):  # one more than the pool has connections
        with pytest.raises(DatabaseUnavailable):
            async with (
                things.connection(statement_seconds=0.1) as connection,
                connection.transaction(),
            ):
                await connection.execute("insert into thing values (9, 'nine')")
                await connection.execute("select pg_sleep(30)")
    assert await things.fetch_value("select count(*) from thing") == 2


@pytest.mark.parametrize("is_network", [False, True], ids=["frozen server", "black hole"])
async def test_neither_a_frozen_server_nor_a_black_hole_delays_a_caller(
    is_network: bool, own_postgres: Postgres
) -> None:
    with Proxy(own_postgres.url) as proxy:
        url = proxy.url if is_network else own_postgres.url
        async with open_database(url, 2) as database:

            async def ask(seconds: float) -> str:
                async with database.connection(seconds, seconds) as connection:
                    await connection.fetch_value("select 1")
                return "responded"

            assert await ask(20) == "responded"
            if is_network:
                proxy.is_hole = True
            else:
                own_postgres.freeze()
            # One caller has the open connection, one opens the second, the others wait for these.
            with within(3):
                asking = (ask(0.3) for _ in range(6))
                results = await asyncio.gather(*asking, return_exceptions=True)
            assert {type(result) for result in results} == {DatabaseUnavailable}
            proxy.is_hole = False
            own_postgres.thaw()
            assert await asyncio.gather(*(ask(20) for _ in range(2))) == ["responded"] * 2


async def test_a_transaction_in_a_black_hole_raises_its_own_error_soon(
    own_postgres: Postgres,
) -> None:
    with Proxy(own_postgres.url) as proxy:
        async with open_database(proxy.url, 1) as database:
            with within(5):
                with pytest.raises(KeyError):
                    async with database.connection(20, 0.3) as connection, connection.transaction():
                        proxy.is_hole = True
                        raise KeyError
                proxy.is_hole = False
                with pytest.raises(DatabaseUnavailable) as raised:
                    async with database.connection(20, 0.3) as connection, connection.transaction():
                        proxy.is_hole = True
                        await connection.fetch_value("select 1")
            assert raised.value.reason == "timeout"
            proxy.is_hole = False


async def test_a_transaction_on_a_frozen_server_takes_one_deadline(
    own_postgres: Postgres,
) -> None:
    async with open_database(own_postgres.url, 1) as database:
        assert await database.fetch_value("select 1") == 1
        # A rollback would take another 2.5 s.
        with within(4), pytest.raises(DatabaseUnavailable) as raised:
            async with database.connection(20, 2) as connection, connection.transaction():
                own_postgres.freeze()
                await connection.execute("select 1")
        assert raised.value.reason == "timeout"
        own_postgres.thaw()
        assert await database.fetch_value("select 1") == 1


async def test_the_servers_statement_timeout_is_a_timeout(things: Database) -> None:
    async with things.connection() as connection:
        await connection.execute("set statement_timeout = '50ms'")
        with pytest.raises(DatabaseUnavailable) as raised:
            await connection.execute("select pg_sleep(5)")
    assert raised.value.reason == "timeout"


async def test_a_host_that_no_resolver_takes_is_unreachable() -> None:
    async with open_database("postgresql://user@-.invalid/app", 1) as database:
        with pytest.raises(DatabaseUnavailable) as raised:
            await database.fetch_value("select 1")
    assert raised.value.reason == "unreachable"


async def test_the_pool_opens_before_the_database_and_survives_its_restart(
    own_postgres: Postgres,
) -> None:
    own_postgres.stop()
    async with open_database(own_postgres.url, 2) as database:
        with pytest.raises(DatabaseUnavailable) as raised:
            await database.fetch_value("select 1")
        assert raised.value.reason == "unreachable"
        own_postgres.start()
        assert await database.fetch_value("select 1") == 1
        own_postgres.stop()
        own_postgres.start()
        # A connection that was cut unnoticed fails once, for the first caller that uses it.
        for _ in range(2):
            try:
                await database.fetch_value("select 1")
            except DatabaseUnavailable as error:
                assert error.reason == "unreachable"
        assert await database.fetch_value("select 1") == 1


async def test_a_cut_connection_loses_only_its_transaction(things: Database, database: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with things.transaction() as connection:
            await connection.execute("insert into thing values (3, 'three')")
            me = await connection.fetch_value("select pg_backend_pid()")
            run_sql(database, f"select pg_terminate_backend({me})")
            await connection.execute("insert into thing values (4, 'four')")
    assert await things.fetch_value("select count(*) from thing") == 2


async def test_repeatable_work_that_the_server_undid_is_run_again_three_times_in_all(
    things: Database,
) -> None:
    conflicts = 2
    tries: list[int] = []

    async def work(connection: Connection) -> int:
        tries.append(await connection.fetch_value("select count(*) from thing"))
        if len(tries) <= conflicts:
            # As a standby does whose recovery removes what a statement reads.
            await connection.execute("do $$ begin raise sqlstate '40001'; end $$")
        return await connection.fetch_value("select max(id) from thing")

    assert await things.run_repeatable(work) == 2
    assert tries == [2, 2, 2]
    conflicts, tries = 3, []
    with pytest.raises(DatabaseUnavailable):
        await things.run_repeatable(work)
    assert tries == [2, 2, 2]


async def test_the_statements_of_repeatable_work_see_one_snapshot(things: Database) -> None:
    async def work(connection: Connection) -> list[int]:
        counts = [await connection.fetch_value("select count(*) from thing")]
        await things.execute("delete from thing where id = 1")
        return [*counts, await connection.fetch_value("select count(*) from thing")]

    assert await things.run_repeatable(work) == [2, 2]
    assert await things.fetch_value("select count(*) from thing") == 1


async def test_the_statements_of_repeatable_work_share_one_limit(
    things: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = await things.fetch_value("select pg_backend_pid()")
    monkeypatch.setattr(database_module, "STATEMENT_SECONDS", 0.5)
    sent: list[int] = []

    async def work(connection: Connection) -> None:
        for number in range(20):
            sent.append(number)
            await connection.fetch("select pg_sleep(0.1)")

    async def begin_late(connection: Connection) -> None:
        await asyncio.sleep(0.6)
        await connection.fetch("select 1")

    async def end_late(connection: Connection) -> int:
        count = await connection.fetch_value("select count(*) from thing")
        await asyncio.sleep(0.6)
        return count

    for too_long in (work, begin_late):
        with pytest.raises(DatabaseUnavailable) as raised:
            await things.run_repeatable(too_long)
        assert raised.value.reason == "too_long"
    assert len(sent) < 7
    assert await things.run_repeatable(end_late) == 2
    # The connection is the same as before.
    assert await things.fetch_value("select pg_backend_pid()") == pid


async def test_a_syntax_error_is_no_outage(things: Database) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await things.fetch("selekt 1")


async def test_one_of_two_deadlocked_transactions_may_be_retried(things: Database) -> None:
    both_hold_one = asyncio.Barrier(2)

    async def rename(first: int, second: int) -> None:
        async with things.transaction() as transaction:
            await transaction.execute("update thing set name = 'x' where id = $1", first)
            await both_hold_one.wait()
            await transaction.execute("update thing set name = 'x' where id = $1", second)

    outcomes = await asyncio.gather(rename(1, 2), rename(2, 1), return_exceptions=True)
    errors = [outcome for outcome in outcomes if outcome is not None]
    assert len(errors) == 1
    assert isinstance(errors[0], DatabaseUnavailable)
    assert await things.fetch_value("select count(*) from thing where name = 'x'") == 2


async def test_a_transaction_of_a_frozen_worker_gives_its_locks_back(
    things: Database, database: str
) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with things.transaction() as transaction:
            await transaction.execute("update thing set name = 'x' where id = 1")
            # Blocks this worker's event loop until the server has ended its transaction.
            run_sql(
                database,
                "set statement_timeout = '30s'",
                "update thing set name = 'other' where id = 1",
            )
            await transaction.execute("select")
    assert await things.fetch_value("select name from thing where id = 1") == "other"
    assert (
        await things.fetch_value("select current_setting('idle_in_transaction_session_timeout')")
        == "0"
    )
