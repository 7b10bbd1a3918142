"""A database that freezes or restarts fails the requests under way, and no others."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from service.database.database import ACQUIRE_SECONDS, CANCEL_SECONDS, STATEMENT_SECONDS
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from service.state import Request
    from tests.support.postgres import Postgres

# Seconds until a request fails while its database is frozen, with one second for a busy machine.
LONGEST = ACQUIRE_SECONDS + STATEMENT_SECONDS + 2 * CANCEL_SECONDS + 1

POOL_MAX = 5


async def run_query(request: Request) -> PlainTextResponse:
    return PlainTextResponse(await request.state["database"].fetch_value("select 'read'"))


async def run_transaction(request: Request) -> PlainTextResponse:
    async with request.state["database"].transaction() as connection:
        await connection.execute("select txid_current()")
        text = await connection.fetch_value("select 'changed'")
    return PlainTextResponse(text)


ROUTES = [Route("/query", run_query), Route("/change", run_transaction, methods=["POST"])]


@dataclass(frozen=True)
class Outcome:
    path: str
    started: float
    ended: float
    response: httpx.Response


class MixedLoad:
    """Clients of several routes that each send one request after the other."""

    def __init__(self, url: httpx.URL) -> None:
        self._url = url
        self.outcomes: list[Outcome] = []
        self._is_over = False

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        async with (
            httpx.AsyncClient(base_url=self._url, timeout=LONGEST + 30, limits=NO_LIMITS) as client,
            asyncio.TaskGroup() as clients,
        ):
            for method, path, number in MIX:
                for _ in range(number):
                    clients.create_task(self._run_client(client, method, path))
            yield
            self._is_over = True

    async def _run_client(self, client: httpx.AsyncClient, method: str, path: str) -> None:
        while not self._is_over:
            started = time.monotonic()
            response = await client.request(method, path)  # a transport error fails the test
            self.outcomes.append(Outcome(path, started, time.monotonic(), response))
            await asyncio.sleep(0.005)


NO_LIMITS = httpx.Limits(max_connections=None, max_keepalive_connections=None)
MIX = (
    ("GET", "/query", 10),
    ("POST", "/change", 5),
    ("GET", "/api/health", 5),
    ("GET", "/api/health/live", 2),
)


def assert_pool_is_whole(client: httpx.Client) -> None:
    """Check that requests can use every connection of the pool, and that none stays in use."""
    assert client.get("/api/health").status_code == 200

    async def use_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as many:
            return await asyncio.gather(*(many.post("/change") for _ in range(4 * POOL_MAX)))

    assert [response.text for response in asyncio.run(use_all())] == ["changed"] * 4 * POOL_MAX
    pool = 'db_client_connection_pool_name="main"'
    expected = {
        f'db_client_connections{{{pool},db_client_connection_state="used"}} 0.0',
        f"db_client_connection_pending_requests{{{pool}}} 0.0",
        "http_server_active_requests 1.0",  # the scrape itself
    }
    # The syncer, too, uses a connection now and then.
    eventually(lambda: expected <= set(client.get("/metrics").text.splitlines()))


def assert_retryable(response: httpx.Response) -> None:
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    if response.request.url.path == "/api/health":
        assert response.json()["status"] == "error"
    else:
        assert response.headers["content-type"] == "application/problem+json"


def test_requests_fail_in_time_and_only_while_the_database_is_frozen(
    own_postgres: Postgres,
) -> None:
    async def freeze_for_a_while(load: MixedLoad) -> tuple[float, float]:
        async with load.running():
            await asyncio.sleep(1)
            frozen = time.monotonic()
            own_postgres.freeze()
            await asyncio.sleep(10)
            own_postgres.thaw()
            thawed = time.monotonic()
            await asyncio.sleep(2)
        return frozen, thawed

    with serving(
        own_postgres.url, *ROUTES, database_pool_max=POOL_MAX, health_timeout=3.0
    ) as client:
        load = MixedLoad(client.base_url)
        frozen, thawed = asyncio.run(freeze_for_a_while(load))
        for outcome in load.outcomes:
            assert outcome.ended - outcome.started < LONGEST
            if outcome.response.status_code != 200:
                assert_retryable(outcome.response)
                assert outcome.path != "/api/health/live"
                assert frozen < outcome.ended
                assert outcome.started < thawed
        assert {outcome.response.status_code for outcome in load.outcomes} == {200, 503}
        assert_pool_is_whole(client)


def test_a_restart_of_the_database_fails_only_the_requests_under_way(
    own_postgres: Postgres,
) -> None:
    async def restart(load: MixedLoad) -> float:
        async with load.running():
            await asyncio.sleep(1)
            await asyncio.to_thread(own_postgres.stop)
            stopped = time.monotonic()
            await asyncio.sleep(1)
            await asyncio.to_thread(own_postgres.start)
            await asyncio.sleep(2)
        return stopped

    with serving(own_postgres.url, *ROUTES, database_pool_max=POOL_MAX) as client:
        load = MixedLoad(client.base_url)
        stopped = asyncio.run(restart(load))
        failed = [outcome for outcome in load.outcomes if outcome.response.status_code != 200]
        for outcome in failed:
            assert_retryable(outcome.response)
        # Health fails at once. The others wait for the database, unless they were under way before
        # it had stopped.
        others = [outcome for outcome in failed if outcome.path != "/api/health"]
        assert all(outcome.started < stopped for outcome in others)
        assert len(others) <= POOL_MAX
        assert_pool_is_whole(client)
