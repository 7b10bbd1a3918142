"""Several copies of the service: restarted in turn, behind PgBouncer, on several servers."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from service.database import Database, open_database
from service.database_hosts import one_url_per_host
from service.health import FRESH_SECONDS
from service.metrics import Metrics
from tests.support.fleet import (
    HAProxy,
    Load,
    PgBouncer,
    TcpPostgres,
    free_ports,
    needs_haproxy,
    needs_pgbouncer,
)
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_variables
from tests.support.network import Proxy
from tests.support.postgres import Postgres, run_sql
from tests.support.service import Service, run_command
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any, TypeAlias

    Start: TypeAlias = Callable[..., Service]

PATHS = ("/api/health", "/api/health/live", "/docs", "/openapi.json")
CLIENTS = 16


def health(service: Service) -> tuple[int, str | None]:
    response = httpx.get(f"{service.url}/api/health", timeout=20)
    return response.status_code, response.json().get("reason")


def is_well(service: Service) -> bool:
    return health(service) == (200, None)


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

        # All three at once, on a database without a schema.
        old = {port: start(port) for port in ports}
        eventually(lambda: all(map(haproxy.is_up, ports)), 30)
        assert sum("applied 0001" in copy.log.read_text() for copy in old.values()) == 1

        new: list[Service] = []
        with Load(haproxy.url, PATHS, CLIENTS) as load:
            for port, copy in old.items():
                copy.process.terminate()
                eventually(lambda port=port: not haproxy.is_up(port))
                # It was told, and did not come upon a closed port.
                assert haproxy.statistics()[port]["check_code"] == "503"
                assert copy.wait() == 0
                answers = haproxy.answers(port)
                new.append(start(port))
                eventually(lambda port=port: haproxy.is_up(port), 30)
                eventually(lambda port=port, answers=answers: haproxy.answers(port) > answers)
        assert load.failures == []
        assert load.answers.keys() == set(PATHS)
        assert load.connections == CLIENTS

        for port, copy in old.items():
            statistics = haproxy.statistics()[port]
            # No request came upon a copy that was gone, and only those were sent on to another that
            # this one had answered as it must while it drains.
            assert (statistics["econ"], statistics["eresp"]) == ("0", "0")
            unhealthy = [entry["route"] for entry in copy.find("request") if is_unhealthy(entry)]
            assert int(statistics["wretr"]) == len(unhealthy)
            assert set(unhealthy) <= {"/api/health"}
        for copy in new:  # together: each takes its time to drain
            copy.process.terminate()
        assert [copy.wait() for copy in new] == [0, 0, 0]


def is_unhealthy(entry: dict[str, Any]) -> bool:
    return entry["status"] == 503 and entry["request_id"] == Load.REQUEST_ID


@needs_pgbouncer
def test_through_pgbouncer_each_gets_the_answers_to_what_it_asked(
    postgres: Postgres, empty_database: str, tmp_path: Path
) -> None:
    run_sql(
        empty_database,
        "create type mood as enum ('sad', 'happy')",
        "create table asked (copy int, number int)",
    )
    numbers = [(number % 3, number) for number in range(300)]
    connections = """
        select count(*) from pg_stat_activity
        where application_name = 'bmadflow-api' and datname = current_database()
    """

    async def ask(url: str) -> int:
        async with AsyncExitStack() as stack:
            copies = [
                await stack.enter_async_context(
                    open_database(url, 5, Metrics(), use_prepared_statements=False)
                )
                for _ in range(3)
            ]
            waiting = iter(numbers)

            async def ask_on() -> None:
                for copy, number in waiting:
                    await ask_much(copies[copy], copy, number)

            # Enough for all connections; of more some would wait too long on a busy machine.
            await asyncio.gather(*(ask_on() for _ in range(30)))
            return await copies[0].fetch_value(connections)

    with PgBouncer(tmp_path, postgres, pool_size=2).run() as pgbouncer:
        # For the 15 that the copies have to PgBouncer.
        assert asyncio.run(ask(pgbouncer.url_of(empty_database))) == 2
    assert run_sql(empty_database, "select copy, number from asked order by number") == numbers


async def ask_much(database: Database, copy: int, number: int) -> None:
    """Ask in each way that a route may, and check every answer."""
    assert await database.fetch_value("select $1::int + 1", number) == number + 1
    assert await database.fetch_value("select 'text ' || $1", str(number)) == f"text {number}"
    rows = await database.fetch("select i from generate_series(1, $1::int) as i", number % 7)
    assert [row["i"] for row in rows] == list(range(1, number % 7 + 1))
    # A type that the driver does not know, so that it asks the server between two steps.
    assert await database.fetch_value("select $1::mood[]", ["sad", "happy"]) == ["sad", "happy"]
    with pytest.raises(asyncpg.DivisionByZeroError):
        await database.fetch_value("select $1::int / 0", number)
    async with database.transaction() as connection:
        server = await connection.fetch_value("select pg_backend_pid()")
        await connection.execute("insert into asked values ($1, $2)", copy, number)
        assert await connection.fetch_value("select pg_backend_pid()") == server


@needs_pgbouncer
def test_with_prepared_statements_copies_behind_an_old_pgbouncer_get_in_each_others_way(
    postgres: Postgres, database: str, start_service: Start, tmp_path: Path
) -> None:
    if PgBouncer.version() >= (1, 21):
        pytest.skip("the PgBouncer on this machine can follow prepared statements")
    with PgBouncer(tmp_path, postgres, pool_size=1).run() as pgbouncer:
        one = start_service(DATABASE_URL=pgbouncer.url_of(database))
        assert is_well(one)
        # Each process names its first statement alike, and both have the same connection.
        other = start_service(DATABASE_URL=pgbouncer.url_of(database))
        assert "DuplicatePreparedStatement" in other.wait_for("health_lost")["error"]


@needs_pgbouncer
def test_pgbouncer_goes_away_and_its_return_is_noticed(
    postgres: Postgres, database: str, start_service: Start, tmp_path: Path
) -> None:
    pgbouncer = PgBouncer(tmp_path, postgres, pool_size=2)
    service = start_service(
        DATABASE_URL=pgbouncer.url_of(database), DATABASE_PREPARED_STATEMENTS="false"
    )
    for _ in range(2):
        assert health(service) == (503, "unreachable")
        with pgbouncer.run():
            eventually(lambda: is_well(service), 2)
        time.sleep(5 * FRESH_SECONDS)  # what was found out before may still be told
    assert health(service) == (503, "unreachable")


@needs_pgbouncer
def test_a_restart_of_postgresql_behind_pgbouncer_is_noticed_too(
    own_postgres: Postgres, start_service: Start, tmp_path: Path
) -> None:
    with PgBouncer(tmp_path, own_postgres, pool_size=2).run() as pgbouncer:
        service = start_service(
            DATABASE_URL=pgbouncer.url_of(own_postgres.url),
            DATABASE_PREPARED_STATEMENTS="false",
            HEALTH_TIMEOUT_SECONDS="1",
        )
        eventually(lambda: is_well(service))
        own_postgres.stop()
        eventually(lambda: health(service)[0] == 503)
        own_postgres.start()
        eventually(lambda: is_well(service))


def several_hosts(*urls: str) -> str:
    """Return the first URL with the hosts of all."""
    first = urlsplit(urls[0])
    others = [urlsplit(url).netloc.rpartition("@")[2] for url in urls[1:]]
    return first._replace(netloc=",".join([first.netloc, *others])).geturl()


@pytest.fixture
def servers(own_postgres: Postgres, tmp_path: Path) -> Iterator[tuple[TcpPostgres, TcpPostgres]]:
    """A primary, and a standby that follows it."""
    own_postgres.stop()
    primary = TcpPostgres(tmp_path / "primary", own_postgres)
    standby = TcpPostgres(tmp_path / "standby", own_postgres)
    with primary.run(), standby.run(standby_of=primary):
        yield primary, standby


@pytest.mark.parametrize(
    ("fault", "first"),
    [("killed", "primary"), ("killed", "standby"), ("frozen", "primary")],
)
def test_a_standby_that_is_promoted_takes_over(
    fault: str, first: str, servers: tuple[TcpPostgres, TcpPostgres], start_service: Start
) -> None:
    primary, standby = servers
    urls = [primary.url, standby.url] if first == "primary" else [standby.url, primary.url]
    url = f"{several_hosts(*urls)}?target_session_attrs=primary"
    service = start_service(DATABASE_URL=url, HEALTH_TIMEOUT_SECONDS="1")
    eventually(lambda: is_well(service))
    assert (primary.sessions(), standby.sessions()) == (1, 0)
    if fault == "killed":
        primary.kill()
        eventually(lambda: health(service) == (503, "unreachable"))
    else:  # as one whose machine is gone: it neither answers nor refuses
        primary.freeze()
        eventually(lambda: health(service) == (503, "timeout"))
    standby.promote()
    eventually(lambda: is_well(service))
    assert run_command("status", DATABASE_URL=url).returncode == 0
    if fault == "killed":  # libpq waits 5 s for the other, each time it connects
        assert run_command("rollback", DATABASE_URL=url).returncode == 0
        assert health(service) == (503, "migrations_pending")
        assert run_command("migrate", DATABASE_URL=url).returncode == 0
        assert is_well(service)
    assert "Traceback" not in service.log.read_text()


def test_a_hot_standby_is_enough_to_read(
    servers: tuple[TcpPostgres, TcpPostgres], start_service: Start
) -> None:
    primary, standby = servers
    service = start_service(DATABASE_URL=standby.url)
    assert is_well(service)
    assert httpx.get(f"{service.url}/docs").status_code == 200
    assert run_command("status", DATABASE_URL=standby.url).returncode == 0
    # What is done to the primary reaches it.
    assert run_command("rollback", DATABASE_URL=primary.url).returncode == 0
    eventually(lambda: health(service) == (503, "migrations_pending"))
    assert run_command("migrate", DATABASE_URL=primary.url).returncode == 0
    eventually(lambda: is_well(service))
    assert (primary.sessions(), standby.sessions()) == (0, 1)


def test_a_hot_standby_shows_documents_and_leaves_syncs_alone(
    servers: tuple[TcpPostgres, TcpPostgres], start_service: Start, tmp_path: Path
) -> None:
    primary, standby = servers
    with git_server(tmp_path / "repositories") as server:
        remote = server.create()
        remote.commit({"a.md": b"# A\n"})
        variables = hub_variables(tmp_path, server)
        reading = start_service(DATABASE_URL=standby.url, **variables)
        url = start_service(DATABASE_URL=primary.url, **variables).url
        with httpx.Client(base_url=url) as client, httpx.Client(base_url=reading.url) as reader:
            hub = Hub(client, server, primary.url)
            project = hub.create_project()
            source = hub.create_source(project, remote)
            run = hub.sync(source)
            assert run["status"] == "completed"
            shown = Hub(reader, server, standby.url)
            eventually(lambda: shown.status(source).get("status") == "completed")
            assert shown.document(project, "a.md") == hub.document(project, "a.md")
            assert reader.get(f"/api/project-docs/{source}/syncs").json() == [run]
    line = reading.wait_for("sync_waits_for_database")
    time.sleep(2.5)  # it looks again, and says nothing
    assert reading.find("sync_waits_for_database") == [line]
    assert "ReadOnlySQLTransactionError" in line["error"]
    assert "Traceback" not in reading.log.read_text()


def test_a_first_host_that_swallows_everything_costs_one_probe_at_most(
    own_postgres: Postgres, start_service: Start
) -> None:
    cut = """
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'bmadflow-api'
    """
    with Proxy(own_postgres.url) as hole, Proxy(own_postgres.url) as proxy:
        hole.is_hole = True
        url = several_hosts(hole.url, proxy.url)
        service = start_service(DATABASE_URL=url, HEALTH_TIMEOUT_SECONDS="1")
        assert health(service) in [(200, None), (503, "timeout")]
        assert is_well(service)
        for _ in range(3):
            # What was learned holds for connections that are made later.
            assert run_sql(own_postgres.url, cut) == [(True,)]
            assert eventually(lambda: is_noticed(health(service))) == (200, None)


def is_noticed(answer: tuple[int, str | None]) -> tuple[int, str | None] | None:
    """Return the answer, unless it came of a connection that was just cut."""
    return None if answer == (503, "unreachable") else answer


def test_a_request_gets_past_a_host_that_swallows_everything(own_postgres: Postgres) -> None:
    async def ask(url: str) -> list[Any]:
        async with open_database(url, 3, Metrics()) as database:
            asking = [database.fetch_value("select $1::int", number) for number in range(9)]
            return await asyncio.gather(*asking)

    with Proxy(own_postgres.url) as hole, Proxy(own_postgres.url) as proxy:
        hole.is_hole = True
        assert asyncio.run(ask(several_hosts(hole.url, proxy.url))) == list(range(9))


@pytest.mark.parametrize(
    ("url", "urls"),
    [
        ("postgresql://u@db/app", ["postgresql://u@db/app"]),
        ("postgresql://db,other:5433/app", ["postgresql://db/app", "postgresql://other:5433/app"]),
        (
            "postgresql://u:a,b@[::1]:5433,db/app?target_session_attrs=primary",
            [
                "postgresql://u:a,b@[::1]:5433/app?target_session_attrs=primary",
                "postgresql://u:a,b@db/app?target_session_attrs=primary",
            ],
        ),
        ("postgresql://u@/app?host=/one,/two", ["postgresql://u@/app?host=/one,/two"]),
        (
            "postgresql://one,two/app?target_session_attrs=prefer-standby",
            ["postgresql://one,two/app?target_session_attrs=prefer-standby"],
        ),
    ],
)
def test_a_url_of_several_hosts_is_taken_apart(url: str, urls: list[str]) -> None:
    assert one_url_per_host(url) == urls
