from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from service.health import FRESH_SECONDS
from tests.support.health import assert_unhealthy
from tests.support.network import Proxy
from tests.support.postgres import Postgres, run_sql
from tests.support.service import Service, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from service.state import Request

# Seconds that a response may take beyond HEALTH_TIMEOUT_SECONDS, by the contract.
MARGIN = 0.2

# A machine that is busy with other tests delays some responses. A service that is late through a
# fault of its own is late on every try, so one try in time proves that it is not.
TRIES = 6


def test_a_stopped_database_is_unreachable_until_it_returns(
    own_postgres: Postgres,
) -> None:
    own_postgres.stop()
    with serving(own_postgres.url) as client:
        assert_unhealthy(client.get("/api/health"), "disconnected", "unreachable")
        assert client.head("/api/health").status_code == 503
        own_postgres.start()
        assert client.get("/api/health").status_code == 200
        own_postgres.stop()
        assert_unhealthy(client.get("/api/health"), "disconnected", "unreachable")
        own_postgres.start()
        eventually(lambda: client.get("/api/health").status_code == 200, 2)


def test_a_starting_database_is_unreachable(own_postgres: Postgres) -> None:
    own_postgres.stop()
    data = own_postgres.folder / "data"
    # A standby that accepts no connections until it is promoted: PostgreSQL starts for long.
    (data / "standby.signal").touch()
    starting = Postgres(own_postgres.folder, {"hot_standby": "off"})
    with serving(own_postgres.url) as client, ThreadPoolExecutor() as executor:
        started = executor.submit(starting.start)
        try:
            eventually(lambda: is_refused_as_starting(own_postgres.url))
            assert_unhealthy(client.get("/api/health"), "disconnected", "unreachable")
        finally:
            eventually(lambda: promote(starting) or started.done())
            starting.stop()


def is_refused_as_starting(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError as error:
        return "the database system is" in str(error)  # starting up, or not accepting connections
    return False


def promote(server: Postgres) -> bool:
    (server.folder / "data/promote").touch()
    processes = server.processes()
    if processes:
        processes[0].send_signal(signal.SIGUSR1)
    return False


def test_an_empty_database_is_migrations_pending(empty_database: str) -> None:
    with serving(empty_database) as client:
        assert_unhealthy(client.get("/api/health"), "connected", "migrations_pending")


def test_a_schema_behind_the_code_is_migrations_pending(database: str) -> None:
    with serving(database) as client:
        assert client.get("/api/health").status_code == 200
        run_sql(database, "delete from _yoyo_migration where migration_id like '0001%'")
        assert_unhealthy(client.get("/api/health"), "connected", "migrations_pending")


def test_a_schema_both_behind_and_ahead_is_migrations_pending(database: str) -> None:
    run_sql(database, "update _yoyo_migration set migration_id = '9999_of_newer_code'")
    with serving(database) as client:
        assert_unhealthy(client.get("/api/health"), "connected", "migrations_pending")


def test_a_schema_ahead_of_the_code_is_healthy_and_logs_one_warning(
    database: str, start_service: Callable[..., Service]
) -> None:
    run_sql(
        database,
        "insert into _yoyo_migration values ('abc', '9999_of_newer_code', now())",
    )
    service = start_service(DATABASE_URL=database)
    for _ in range(3):
        assert get(service.url) == (200, "ok", None)
    warnings = service.find("schema_ahead")
    assert [warning["level"] for warning in warnings] == ["warning"]


def test_a_role_that_may_not_read_the_table_is_unhealthy(database: str) -> None:
    run_sql(database, "create role cannot_read_health login")
    try:
        with serving(database.replace("postgres@", "cannot_read_health@")) as client:
            assert_unhealthy(client.get("/api/health"), "connected", "migrations_pending")
    finally:
        run_sql(database, "drop role cannot_read_health")


async def hold(request: Request) -> PlainTextResponse:
    """Hold a connection for the seconds asked for."""
    async with request.state["database"].connection() as connection:
        await connection.execute("select pg_sleep($1)", float(request.query_params["seconds"]))
    return PlainTextResponse("held")


@contextmanager
def holding(
    client: httpx.Client, database: str, connections: int, seconds: float
) -> Generator[None]:
    """Have requests hold `connections` for `seconds`, from the beginning of the block."""
    query = """
        select count(*) from pg_stat_activity
        where query ~ 'pg_sleep[(][$]' and datname = current_database() and state = 'active'
    """
    with ThreadPoolExecutor() as executor:
        path = f"/hold?seconds={seconds}"
        held = [executor.submit(client.get, path) for _ in range(connections)]
        eventually(lambda: run_sql(database, query) == [(connections,)])
        yield
        assert [response.result().text for response in held] == ["held"] * connections


def test_a_busy_pool_is_healthy_and_a_stuck_one_a_pool_timeout(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 2.0)
    with serving(database, Route("/hold", hold), database_pool_max=2) as client:
        with ThreadPoolExecutor(10) as executor, holding(client, database, 2, seconds=5):
            assert client.get("/api/health").status_code == 200
            for _ in range(10):
                executor.submit(client.get, "/hold?seconds=0")
            eventually(lambda: client.get("/api/health").status_code == 503, 4)
            assert_unhealthy(client.get("/api/health"), "unknown", "pool_timeout")
            assert "bmadflow_database_up 1.0" in client.get("/metrics").text
        assert client.get("/api/health").status_code == 200


def test_a_full_pool_is_healthy_while_a_connection_is_given_back(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 1.0)
    with (
        serving(database, Route("/hold", hold), database_pool_max=2) as client,
        holding(client, database, connections=1, seconds=3),
        ThreadPoolExecutor() as executor,
    ):
        # Several wait for the other connection at any time.
        requests = [executor.submit(client.get, "/hold?seconds=0.1") for _ in range(25)]
        while not all(request.done() for request in requests):
            assert client.get("/api/health").status_code == 200
        assert {request.result().text for request in requests} == {"held"}


def test_a_pool_that_was_idle_is_not_stuck_when_it_fills(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 2.0)
    with serving(database, Route("/hold", hold), database_pool_max=2) as client:
        time.sleep(2.5)
        with holding(client, database, connections=2, seconds=1):
            assert client.get("/api/health").status_code == 200


def test_a_pool_whose_statements_only_end_by_their_deadlines_is_stuck(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 2.0)
    with (
        # The syncer's own queries would be served between two deadlines.
        serving(database, database_pool_max=2, sync_concurrency=0) as client,
        psycopg.connect(database) as blocking,
        ThreadPoolExecutor(6) as executor,
    ):
        blocking.execute("lock table project in access exclusive mode")
        is_over = Event()

        def read_again_and_again() -> None:
            while not is_over.is_set():
                assert client.get("/api/projects").status_code == 503

        readers = [executor.submit(read_again_and_again) for _ in range(6)]
        try:
            eventually(lambda: client.get("/api/health").status_code == 503)
            until = time.monotonic() + 2
            while time.monotonic() < until:  # several deadlines pass
                assert_unhealthy(client.get("/api/health"), "unknown", "pool_timeout")
        finally:
            is_over.set()
        for reader in readers:
            reader.result()
        eventually(lambda: client.get("/api/health").status_code == 200, 5)
        blocking.rollback()
        assert client.get("/api/projects").status_code == 200


def test_requests_that_are_refused_or_find_a_conflict_leave_the_pool_healthy(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 0.5)
    run_sql(database, "insert into project (name) values ('taken')")
    with (
        serving(database, database_pool_max=1) as client,
        ThreadPoolExecutor(8) as executor,
    ):
        body = {"name": "taken"}
        requests = [executor.submit(client.post, "/api/projects", json=body) for _ in range(600)]
        while not all(request.done() for request in requests):
            assert client.get("/api/health").status_code == 200
        assert {request.result().status_code for request in requests} == {409}


def test_a_pool_whose_new_connections_hang_is_stuck_until_they_are_open(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 1.0)
    with Proxy(own_postgres.url) as proxy, serving(proxy.url, database_pool_max=2) as client:
        assert client.get("/api/health").status_code == 200
        proxy.is_hole_for_new = True  # health keeps its connection
        with ThreadPoolExecutor() as executor:
            requests = [executor.submit(client.get, "/api/projects") for _ in range(4)]
            eventually(lambda: client.get("/api/health").status_code == 503)
            assert_unhealthy(client.get("/api/health"), "unknown", "pool_timeout")
            assert {request.result().status_code for request in requests} == {503}
        proxy.is_hole_for_new = False
        eventually(lambda: client.get("/api/projects").status_code == 200)
        assert client.get("/api/health").status_code == 200


@pytest.fixture
def limited_role(database: str) -> Iterator[str]:
    """The URL of a role whose number of connections a test may limit."""
    name = f"limited_{os.urandom(4).hex()}"
    run_sql(
        database,
        f"create role {name} login",
        f"grant select on all tables in schema public to {name}",
    )
    yield database.replace("postgres@", f"{name}@")
    run_sql(database, f"drop owned by {name}", f"drop role {name}")


def limit_connections(url: str, number: int) -> None:
    parts = urlsplit(url)
    assert parts.username
    run_sql(
        url.replace(f"{parts.username}@", "postgres@"),
        f"alter role {parts.username} connection limit {number}",
    )


def test_a_server_that_refuses_more_connections_makes_the_pool_stuck(
    limited_role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.pool.STUCK_SECONDS", 1.0)
    limit_connections(limited_role, 0)
    with serving(limited_role) as client:
        assert_unhealthy(client.get("/api/health"), "disconnected", "unreachable")
        limit_connections(limited_role, 1)
        assert client.get("/api/health").status_code == 200  # by the only connection
        with ThreadPoolExecutor() as executor:
            requests = [executor.submit(client.get, "/api/projects") for _ in range(2)]
            eventually(lambda: client.get("/api/health").status_code == 503)
            assert_unhealthy(client.get("/api/health"), "unknown", "pool_timeout")
            limit_connections(limited_role, 5)
            assert {request.result().status_code for request in requests} == {200}
        assert client.get("/api/health").status_code == 200


def test_health_reads_no_row_that_requests_lock(database: str) -> None:
    with serving(database, health_timeout=2.0) as client, psycopg.connect(database) as blocking:
        blocking.execute("update _yoyo_migration set applied_at_utc = now()")
        blocking.execute("insert into _yoyo_migration values ('x', 'not_committed', now())")
        blocking.execute("lock table project, project_doc, document, sync_run")
        assert client.get("/api/health").status_code == 200


def test_a_broken_connection_is_replaced_within_the_same_probe(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As after a failover of a proxy or a firewall that forgot the connection.
    with Proxy(own_postgres.url) as proxy, serving(proxy.url) as client:
        for _ in range(5):
            assert client.get("/api/health").status_code == 200
            proxy.reset_on_next_byte()
            assert client.get("/api/health").status_code == 200


def get(url: str) -> tuple[int, str, str | None]:
    response = httpx.get(f"{url}/api/health", timeout=10)
    body = response.json()
    return response.status_code, body["status"], body.get("reason")


class Probes:
    """Connections to the service, opened beforehand, that request its health at the same time."""

    def __init__(self, url: str, number: int) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._number = number
        self._streams: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def __aenter__(self) -> Self:
        self._streams = [await asyncio.open_connection(*self._address) for _ in range(self._number)]
        return self

    async def ask(self) -> list[tuple[int, dict[str, Any], float]]:
        """Return status, body and seconds of each probe."""
        return await asyncio.gather(*(self._ask(*stream) for stream in self._streams))

    async def _ask(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[int, dict[str, Any], float]:
        started = time.monotonic()
        writer.write(b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        body = await reader.readexactly(length)
        return int(head.split()[1]), json.loads(body), time.monotonic() - started

    async def __aexit__(self, *arguments: object) -> None:
        for _, writer in self._streams:
            writer.close()
            await writer.wait_closed()


async def assert_all_time_out(
    probes: Probes, freeze: Callable[[], None], thaw: Callable[[], None]
) -> None:
    """Freeze the database: all probes time out in time, and are well when it thaws."""
    slowest: list[float] = []
    while len(slowest) < TRIES and not any(seconds < 1 + MARGIN for seconds in slowest):
        await assert_all_well(probes)
        freeze()
        await asyncio.sleep(5 * FRESH_SECONDS)  # a result from before may still be shared
        # The first round uses an open connection; the later rounds have none.
        responses = [response for _ in range(3) for response in await probes.ask()]
        thaw()
        assert {status for status, _, _ in responses} == {503}
        assert {body["reason"] for _, body, _ in responses} == {"timeout"}
        assert {body["database"] for _, body, _ in responses} == {"disconnected"}
        slowest.append(max(seconds for _, _, seconds in responses))
    assert min(slowest) < 1 + MARGIN, slowest
    assert max(slowest) < 3, slowest
    await assert_all_well(probes)


async def assert_all_well(probes: Probes) -> None:
    assert {status for status, _, _ in await probes.ask()} == {200}


def test_a_hundred_probes_of_a_frozen_database_get_responses_in_time(
    own_postgres: Postgres, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=own_postgres.url, HEALTH_TIMEOUT_SECONDS="1")

    async def probe() -> None:
        async with Probes(service.url, 100) as probes:
            await assert_all_time_out(probes, own_postgres.freeze, own_postgres.thaw)

    asyncio.run(probe())


def test_a_network_black_hole_is_a_timeout(
    own_postgres: Postgres, start_service: Callable[..., Service]
) -> None:
    with Proxy(own_postgres.url) as proxy:
        service = start_service(DATABASE_URL=proxy.url, HEALTH_TIMEOUT_SECONDS="1")

        def swallow() -> None:
            proxy.is_hole = True

        def pass_on() -> None:
            proxy.is_hole = False

        async def probe() -> None:
            async with Probes(service.url, 20) as probes:
                await assert_all_time_out(probes, swallow, pass_on)

        asyncio.run(probe())


def test_many_probes_share_one_query_and_one_connection(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database)
    activity = """
        select count(*), count(*) filter (where state = 'active') from pg_stat_activity
        where application_name = 'bmadflow-api' and datname = current_database()
    """
    # The health query waits for this lock, so that all probes wait for the query together.
    with psycopg.connect(database) as blocking:
        blocking.execute("lock table _yoyo_migration in access exclusive mode")

        async def probe() -> list[tuple[int, dict[str, Any], float]]:
            async with Probes(service.url, 50) as probes:
                asking = asyncio.create_task(probes.ask())
                await asyncio.to_thread(eventually, lambda: run_sql(database, activity)[0][1])
                await asyncio.sleep(0.3)
                assert await asyncio.to_thread(run_sql, database, activity) == [(1, 1)]
                blocking.rollback()
                return await asking

        assert {status for status, _, _ in asyncio.run(probe())} == {200}


def test_a_result_is_shared_for_two_milliseconds_and_no_longer(
    database: str,
) -> None:
    asked = "select calls from asked_here"
    run_sql(
        database,
        # Each health query increments the sequence.
        "create sequence asked",
        "alter table _yoyo_migration rename to real",
        "create view _yoyo_migration as select real.* from real, nextval('asked')",
        "create view asked_here as select last_value as calls from asked",
    )
    with serving(database) as client:
        assert client.get("/api/health").status_code == 200
        ((before,),) = run_sql(database, asked)
        for _ in range(5):
            time.sleep(5 * FRESH_SECONDS)
            assert client.get("/api/health").status_code == 200
        assert run_sql(database, asked) == [(before + 5,)]
        burst = 50
        parts = urlsplit(str(client.base_url))
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n" * burst)
            responses = b""
            while responses.count(b"HTTP/1.1 200 OK") < burst:
                responses += connection.recv(65536)
        ((calls,),) = run_sql(database, asked)
        assert calls < before + 5 + burst / 2


def test_an_outage_and_its_end_are_logged_once_each(
    own_postgres: Postgres, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=own_postgres.url)
    assert get(service.url) == (200, "ok", None)
    own_postgres.stop()
    for _ in range(5):
        assert get(service.url) == (503, "error", "unreachable")
    own_postgres.start()
    assert get(service.url) == (200, "ok", None)
    lost = service.find("health_lost")
    assert [(entry["level"], entry["reason"]) for entry in lost] == [("error", "unreachable")]
    assert lost[0]["error"]
    # Each failed probe has a log line; a probe with a 200 has none.
    assert [entry["status"] for entry in service.find("request")] == [503] * 5
    assert len(service.find("health_recovered")) == 1
