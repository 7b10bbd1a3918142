"""Several copies of the service: a rolling restart, PgBouncer, and failover to a standby."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import asyncpg
import httpx
import pytest

from service.database.database import Database, open_database
from service.health import FRESH_SECONDS
from tests.support.fleet import (
    HAProxy,
    PgBouncer,
    SteadyLoad,
    TcpPostgres,
    free_ports,
    needs_haproxy,
    needs_pgbouncer,
)
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_variables, without_skipped_files
from tests.support.postgres import Postgres, join_hosts, run_sql
from tests.support.service import Service, run_command
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any, TypeAlias

    Start: TypeAlias = Callable[..., Service]

PATHS = ("/api/health", "/api/health/live", "/docs", "/openapi.json")
CLIENTS = 16


@needs_haproxy
@needs_pgbouncer
def test_a_rolling_restart_under_load_fails_no_request(
    postgres: Postgres, empty_database: str, start_service: Start, tmp_path: Path
) -> None:
    ports = free_ports(3)
    with (
        PgBouncer(tmp_path, postgres, pool_size=2).run() as pgbouncer,
        HAProxy(tmp_path, ports).run() as haproxy,
    ):

        def start(port: int) -> Service:
            return start_service(
                "--migrate",
                BACKEND_PORT=str(port),
                DATABASE_URL=pgbouncer.url_of(empty_database),
                DATABASE_PREPARED_STATEMENTS="false",
                MIGRATIONS_DATABASE_URL=empty_database,
                DRAIN_SECONDS="2",
            )

        # All three migrate an empty database at the same time.
        old = {port: start(port) for port in ports}
        eventually(lambda: all(map(haproxy.is_up, ports)), 30)
        assert sum("applied 0001" in copy.log.read_text() for copy in old.values()) == 1

        new: list[Service] = []
        with SteadyLoad(haproxy.url, PATHS, CLIENTS) as load:
            for port, copy in old.items():
                copy.process.terminate()
                eventually(lambda port=port: not haproxy.is_up(port))
                # HAProxy learned it from a health response, and not from a refused connection.
                assert haproxy.statistics()[port]["check_code"] == "503"
                assert copy.wait() == 0
                responses = haproxy.good_responses(port)
                new.append(start(port))
                eventually(lambda port=port: haproxy.is_up(port), 30)
                eventually(
                    lambda port=port, before=responses: haproxy.good_responses(port) > before
                )
        assert load.failures == []
        assert load.responses.keys() == set(PATHS)
        assert load.connections == CLIENTS

        for port, copy in old.items():
            statistics = haproxy.statistics()[port]
            # No request reached a copy that had ended. HAProxy sent to another copy only the health
            # requests to which this copy, while it drained, responded with 503.
            assert (statistics["econ"], statistics["eresp"]) == ("0", "0")
            refused = [entry["route"] for entry in copy.find("request") if is_refused(entry)]
            assert int(statistics["wretr"]) == len(refused)
            assert set(refused) <= {"/api/health"}
        for copy in new:  # all before the first wait: each drains for 2 s
            copy.process.terminate()
        assert [copy.wait() for copy in new] == [0, 0, 0]


def is_refused(entry: dict[str, Any]) -> bool:
    """Return whether an entry of the log is about a client's request that got a 503."""
    return entry["status"] == 503 and entry["request_id"] == SteadyLoad.REQUEST_ID


@needs_pgbouncer
def test_queries_that_share_pgbouncer_connections_get_their_own_results(
    postgres: Postgres, empty_database: str, tmp_path: Path
) -> None:
    run_sql(
        empty_database,
        "create type mood as enum ('sad', 'happy')",
        "create table written (copy int, number int)",
    )
    numbers = [(number % 3, number) for number in range(300)]
    connections = """
        select count(*) from pg_stat_activity
        where application_name = 'bmadflow-api' and datname = current_database()
    """

    async def run_queries(url: str) -> int:
        async with AsyncExitStack() as stack:
            copies = [
                await stack.enter_async_context(
                    open_database(url, 5, use_prepared_statements=False)
                )
                for _ in range(3)
            ]
            remaining = iter(numbers)

            async def work() -> None:
                for copy, number in remaining:
                    await run_every_kind_of_query(copies[copy], copy, number)

            # Twice as many tasks as connections. With more, a busy machine would time some out.
            await asyncio.gather(*(work() for _ in range(30)))
            return await copies[0].fetch_value(connections)

    with PgBouncer(tmp_path, postgres, pool_size=2).run() as pgbouncer:
        # PostgreSQL has two connections for the 15 that the copies have to PgBouncer.
        assert asyncio.run(run_queries(pgbouncer.url_of(empty_database))) == 2
    assert run_sql(empty_database, "select copy, number from written order by number") == numbers


async def run_every_kind_of_query(database: Database, copy: int, number: int) -> None:
    """Query in every way that a route may, and check each result."""
    assert await database.fetch_value("select $1::int + 1", number) == number + 1
    assert await database.fetch_value("select 'text ' || $1", str(number)) == f"text {number}"
    rows = await database.fetch("select i from generate_series(1, $1::int) as i", number % 7)
    assert [row["i"] for row in rows] == list(range(1, number % 7 + 1))
    # asyncpg looks an unknown type up, which takes queries between prepare and execute.
    assert await database.fetch_value("select $1::mood[]", ["sad", "happy"]) == ["sad", "happy"]
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.fetch_value("select $1::int / 0", number)
    async with database.transaction() as connection:
        server = await connection.fetch_value("select pg_backend_pid()")
        await connection.execute("insert into written values ($1, $2)", copy, number)
        assert await connection.fetch_value("select pg_backend_pid()") == server


@needs_pgbouncer
def test_prepared_statements_of_two_copies_collide_behind_an_old_pgbouncer(
    postgres: Postgres, database: str, start_service: Start, tmp_path: Path
) -> None:
    if PgBouncer.version() >= (1, 21):
        pytest.skip("the PgBouncer on this machine supports prepared statements")
    with PgBouncer(tmp_path, postgres, pool_size=1).run() as pgbouncer:
        one = start_service(DATABASE_URL=pgbouncer.url_of(database))
        assert one.is_healthy()
        # Both give their first statement the same name, on the same connection.
        other = start_service(DATABASE_URL=pgbouncer.url_of(database))
        assert "DuplicatePreparedStatement" in other.wait_for("health_lost")["error"]


@needs_pgbouncer
def test_health_fails_without_pgbouncer_and_recovers_with_it(
    postgres: Postgres, database: str, start_service: Start, tmp_path: Path
) -> None:
    pgbouncer = PgBouncer(tmp_path, postgres, pool_size=2)
    service = start_service(
        DATABASE_URL=pgbouncer.url_of(database), DATABASE_PREPARED_STATEMENTS="false"
    )
    for _ in range(2):
        assert service.health() == (503, "unreachable")
        with pgbouncer.run():
            eventually(service.is_healthy)
        time.sleep(5 * FRESH_SECONDS)  # until then health may repeat its last response
    assert service.health() == (503, "unreachable")


@needs_pgbouncer
def test_health_recovers_after_a_restart_of_postgresql_behind_pgbouncer(
    own_postgres: Postgres, start_service: Start, tmp_path: Path
) -> None:
    with PgBouncer(tmp_path, own_postgres, pool_size=2).run() as pgbouncer:
        service = start_service(
            DATABASE_URL=pgbouncer.url_of(own_postgres.url),
            DATABASE_PREPARED_STATEMENTS="false",
            HEALTH_TIMEOUT_SECONDS="1",
        )
        eventually(service.is_healthy)
        own_postgres.stop()
        eventually(lambda: service.health()[0] == 503)
        own_postgres.start()
        eventually(service.is_healthy)


@pytest.fixture
def servers(own_postgres: Postgres, tmp_path: Path) -> Iterator[tuple[TcpPostgres, TcpPostgres]]:
    """A primary, and a standby that replicates it."""
    own_postgres.stop()
    primary = TcpPostgres(tmp_path / "primary", own_postgres)
    standby = TcpPostgres(tmp_path / "standby", own_postgres)
    with primary.run(), standby.run(standby_of=primary):
        yield primary, standby


@pytest.mark.parametrize(
    ("fault", "first"),
    [("killed", "primary"), ("killed", "standby"), ("frozen", "primary")],
)
def test_a_promoted_standby_takes_over(
    fault: str, first: str, servers: tuple[TcpPostgres, TcpPostgres], start_service: Start
) -> None:
    primary, standby = servers
    urls = [primary.url, standby.url] if first == "primary" else [standby.url, primary.url]
    url = f"{join_hosts(*urls)}?target_session_attrs=primary"
    service = start_service(DATABASE_URL=url, HEALTH_TIMEOUT_SECONDS="1")
    eventually(service.is_healthy)
    assert (primary.sessions(), standby.sessions()) == (1, 0)
    if fault == "killed":
        primary.kill()
        eventually(lambda: service.health() == (503, "unreachable"))
    else:  # like a lost machine, it neither responds nor refuses
        primary.freeze()
        eventually(lambda: service.health() == (503, "timeout"))
    standby.promote()
    eventually(service.is_healthy)
    assert run_command("status", DATABASE_URL=url).returncode == 0
    if fault == "killed":  # with a frozen host, libpq would wait 5 s for each connection
        assert run_command("rollback", DATABASE_URL=url).returncode == 0
        assert service.health() == (503, "migrations_pending")
        assert run_command("migrate", DATABASE_URL=url).returncode == 0
        assert service.is_healthy()
    assert "Traceback" not in service.log.read_text()


def test_a_copy_on_a_hot_standby_is_healthy_and_sees_migrations(
    servers: tuple[TcpPostgres, TcpPostgres], start_service: Start
) -> None:
    primary, standby = servers
    service = start_service(DATABASE_URL=standby.url)
    assert service.is_healthy()
    assert httpx.get(f"{service.url}/docs").status_code == 200
    assert run_command("status", DATABASE_URL=standby.url).returncode == 0
    # Migrations of the primary are replicated.
    assert run_command("rollback", DATABASE_URL=primary.url).returncode == 0
    eventually(lambda: service.health() == (503, "migrations_pending"))
    assert run_command("migrate", DATABASE_URL=primary.url).returncode == 0
    eventually(service.is_healthy)
    # Health's connection, and that of the syncer, which looks for runs.
    eventually(lambda: (primary.sessions(), standby.sessions()) == (0, 2))


def test_a_copy_on_a_hot_standby_serves_documents_and_starts_no_syncs(
    servers: tuple[TcpPostgres, TcpPostgres], start_service: Start, tmp_path: Path
) -> None:
    primary, standby = servers
    with git_server(tmp_path / "repositories") as server:
        remote = server.create()
        remote.commit({"a.md": b"# A\n"})
        variables = hub_variables(tmp_path, server)
        read_only = start_service(DATABASE_URL=standby.url, **variables)
        url = start_service(DATABASE_URL=primary.url, **variables).url
        with httpx.Client(base_url=url) as client, httpx.Client(base_url=read_only.url) as reader:
            hub = Hub(client, server, primary.url)
            project = hub.create_project()
            source = hub.create_source(project, remote)
            run = hub.sync(source)
            assert run["status"] == "completed"
            shown = Hub(reader, server, standby.url)
            eventually(lambda: shown.status(source).get("status") == "completed")
            assert shown.document(project, "a.md") == hub.document(project, "a.md")
            assert reader.get(f"/api/project-docs/{source}/syncs").json() == [
                without_skipped_files(run)
            ]
    line = read_only.wait_for("sync_waits_for_database")
    time.sleep(2.5)  # the next poll finds the same and logs nothing
    assert read_only.find("sync_waits_for_database") == [line]
    assert "ReadOnlySQLTransactionError" in line["error"]
    assert "Traceback" not in read_only.log.read_text()
