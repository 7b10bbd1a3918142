"""DATABASE_URL with several hosts: a host that drops packets costs little time, and only once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from service.database.database import open_database
from tests.support.network import Proxy
from tests.support.postgres import Postgres, join_hosts, run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.service import Service


def test_a_first_host_that_drops_packets_costs_at_most_one_probe(
    own_postgres: Postgres, start_service: Callable[..., Service]
) -> None:
    disconnect = """
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = 'bmadflow-api'
    """
    with Proxy(own_postgres.url) as hole, Proxy(own_postgres.url) as proxy:
        hole.is_hole = True
        url = join_hosts(hole.url, proxy.url)
        # Without a syncer, whose polls would open another connection.
        service = start_service(DATABASE_URL=url, HEALTH_TIMEOUT_SECONDS="3", SYNC_CONCURRENCY="0")
        assert service.health() in [(200, None), (503, "timeout")]
        assert service.is_healthy()
        for _ in range(3):
            # New connections go to the second host at once.
            assert run_sql(own_postgres.url, disconnect) == [(True,)]
            assert eventually(lambda: after_disconnect(service.health())) == (200, None)


def after_disconnect(health: tuple[int, str | None]) -> tuple[int, str | None] | None:
    """Return a health response, or None if it reports the connection that was just closed."""
    return None if health == (503, "unreachable") else health


def test_queries_skip_a_host_that_drops_packets(own_postgres: Postgres) -> None:
    async def run_queries(url: str) -> list[Any]:
        async with open_database(url, 3) as database:
            queries = [database.fetch_value("select $1::int", number) for number in range(9)]
            return await asyncio.gather(*queries)

    with Proxy(own_postgres.url) as hole, Proxy(own_postgres.url) as proxy:
        hole.is_hole = True
        assert asyncio.run(run_queries(join_hosts(hole.url, proxy.url))) == list(range(9))
