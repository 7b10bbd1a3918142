from __future__ import annotations

import asyncio
import json
import signal
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

import httpx
import psycopg

from service.health import FRESH_SECONDS
from tests.support.health import assert_unhealthy
from tests.support.network import Proxy
from tests.support.postgres import Postgres, run_sql
from tests.support.service import Service, serving
from tests.support.waiting import assert_in_time, eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

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
        eventually(lambda: client.get("/api/health").status_code == 200)


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
    warnings = service.expect("schema_ahead")
    assert [warning["level"] for warning in warnings] == ["warning"]


def test_a_role_that_may_not_read_the_table_is_unhealthy(database: str) -> None:
    run_sql(database, "create role cannot_read_health login")
    try:
        with serving(database.replace("postgres@", "cannot_read_health@")) as client:
            assert_unhealthy(client.get("/api/health"), "connected", "migrations_pending")
    finally:
        run_sql(database, "drop role cannot_read_health")


def test_a_probe_that_joined_a_failed_query_gets_another(database: str) -> None:
    with (
        serving(database, health_timeout=3.0) as client,
        psycopg.connect(database) as blocking,
        ThreadPoolExecutor() as executor,
    ):
        blocking.execute("lock table _yoyo_migration in access exclusive mode")
        first = executor.submit(client.get, "/api/health")
        time.sleep(2)
        # The first probe's query times out after 3 s; this probe has 2 s left then.
        second = executor.submit(client.get, "/api/health")
        assert_unhealthy(first.result(), "disconnected", "timeout")
        blocking.rollback()
        assert second.result().status_code == 200


def test_health_reads_no_row_that_requests_lock(database: str) -> None:
    with serving(database) as client, psycopg.connect(database) as blocking:
        blocking.execute("update _yoyo_migration set applied_at_utc = now()")
        blocking.execute("insert into _yoyo_migration values ('x', 'not_committed', now())")
        blocking.execute("lock table project, project_doc, document, sync_run")
        assert client.get("/api/health").status_code == 200


def test_a_broken_connection_is_replaced_within_the_same_probe(
    own_postgres: Postgres,
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
        await wait_until_all_are_well(probes)
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
    assert_in_time(max(slowest), 3)
    await wait_until_all_are_well(probes)


async def wait_until_all_are_well(probes: Probes) -> None:
    """Ask until all probes get a 200 together: on a busy machine, some take longer than 1 s."""
    async with asyncio.timeout(30):
        while {status for status, _, _ in await probes.ask()} != {200}:
            pass


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
    # Without a syncer, whose polls use a connection of the pool.
    service = start_service(DATABASE_URL=database, SYNC_CONCURRENCY="0")
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
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert FRESH_SECONDS == 0.002
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
        # So long that a busy machine, too, reads the whole burst within it.
        monkeypatch.setattr("service.health.FRESH_SECONDS", 60.0)
        burst = 50
        parts = urlsplit(str(client.base_url))
        with socket.create_connection((parts.hostname, parts.port)) as connection:
            connection.sendall(b"GET /api/health HTTP/1.1\r\nhost: localhost\r\n\r\n" * burst)
            responses = b""
            while responses.count(b"HTTP/1.1 200 OK") < burst:
                responses += connection.recv(65536)
        ((calls,),) = run_sql(database, asked)
        assert calls == before + 5 + 1


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
    lost = service.expect("health_lost")
    assert [(entry["level"], entry["reason"]) for entry in lost] == [("error", "unreachable")]
    assert lost[0]["error"]
    # Each failed probe has a log line; a probe with a 200 has none.
    assert [entry["status"] for entry in service.expect("request", 5)] == [503] * 5
    service.expect("health_recovered")
