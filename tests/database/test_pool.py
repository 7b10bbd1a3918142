"""What health says of the requests' pool: busy, or stuck."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.support.health import assert_unhealthy
from tests.support.network import Proxy
from tests.support.postgres import Postgres, run_sql
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import httpx

    from service.state import Request


async def hold(request: Request) -> PlainTextResponse:
    """Hold a connection for the seconds asked for, or until the test unlocks it."""
    async with request.state["database"].connection(statement_seconds=60) as connection:
        if "seconds" in request.query_params:
            await connection.execute("select pg_sleep($1)", float(request.query_params["seconds"]))
        else:
            await connection.execute("select pg_advisory_xact_lock_shared(1)")
    return PlainTextResponse("held")


@contextmanager
def holding(client: httpx.Client, database: str, connections: int) -> Generator[None]:
    """Have requests hold `connections` while the block runs."""
    query = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
    with ThreadPoolExecutor() as executor, psycopg.connect(database) as blocking:
        blocking.execute("select pg_advisory_xact_lock(1)")
        held = [executor.submit(client.get, "/hold") for _ in range(connections)]
        eventually(lambda: run_sql(database, query) == [(connections,)])
        try:
            yield
        finally:
            blocking.rollback()
        assert [response.result().text for response in held] == ["held"] * connections


@pytest.mark.parametrize("size", [1, 2])
def test_a_busy_pool_is_healthy_and_a_stuck_one_a_pool_timeout(
    database: str, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 2.0)
    with serving(database, Route("/hold", hold), database_pool_max=size) as client:
        with ThreadPoolExecutor(10) as executor, holding(client, database, size):
            assert client.get("/api/health").status_code == 200
            for _ in range(10):
                executor.submit(client.get, "/hold?seconds=0")
            eventually(lambda: client.get("/api/health").status_code == 503)
            assert_unhealthy(client.get("/api/health"), "unknown", "pool_timeout")
            assert "bmadflow_database_up 1.0" in client.get("/metrics").text
        assert client.get("/api/health").status_code == 200


def test_a_full_pool_is_healthy_while_a_connection_is_given_back(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 2.0)
    with (
        serving(database, Route("/hold", hold), database_pool_max=2) as client,
        holding(client, database, connections=1),
        ThreadPoolExecutor() as executor,
    ):
        # Several wait for the other connection at any time.
        requests = [executor.submit(client.get, "/hold?seconds=0.1") for _ in range(45)]
        while not all(request.done() for request in requests):
            assert client.get("/api/health").status_code == 200
        assert {request.result().text for request in requests} == {"held"}


def test_a_pool_that_was_idle_is_not_stuck_when_it_fills(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 2.0)
    changes = {"database_pool_max": 2, "sync_concurrency": 0}
    with serving(database, Route("/hold", hold), **changes) as client:
        time.sleep(2.5)
        with holding(client, database, connections=2):
            assert client.get("/api/health").status_code == 200


def test_a_pool_whose_statements_only_end_by_their_deadlines_is_stuck(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.database.STATEMENT_SECONDS", 0.5)
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 2.0)
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
        eventually(lambda: client.get("/api/health").status_code == 200)
        blocking.rollback()
        assert client.get("/api/projects").status_code == 200


def test_requests_that_find_a_conflict_give_their_connections_back(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 2.0)
    run_sql(database, "insert into project (name) values ('taken')")
    until = time.monotonic() + 5

    def create_again_and_again() -> None:
        while time.monotonic() < until:
            assert client.post("/api/projects", json={"name": "taken"}).status_code == 409

    with (
        serving(database, database_pool_max=1, sync_concurrency=0) as client,
        ThreadPoolExecutor(8) as executor,
    ):
        clients = [executor.submit(create_again_and_again) for _ in range(8)]
        while time.monotonic() < until:
            assert client.get("/api/health").status_code == 200
        for one in clients:
            one.result()


def test_a_pool_whose_new_connections_hang_is_stuck_until_they_are_open(
    own_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 1.0)
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
    monkeypatch.setattr("service.database.pool.STUCK_SECONDS", 1.0)
    limit_connections(limited_role, 0)
    # Without a syncer, which could have the only connection.
    with serving(limited_role, sync_concurrency=0) as client:
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
