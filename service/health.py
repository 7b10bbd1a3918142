"""Whether this process can serve: one query at a time, however many ask, always in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import asyncpg
import structlog

from service.database import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database import Database

log = structlog.stdlib.get_logger()


class Health(NamedTuple):
    """The answer to a probe: healthy when there is no reason against it."""

    database: Literal["connected", "disconnected", "unknown"]
    reason: (
        Literal["timeout", "unreachable", "pool_timeout", "migrations_pending", "shutting_down"]
        | None
    )


HEALTHY: Final = Health("connected", None)
TIMEOUT: Final = Health("disconnected", "timeout")
UNREACHABLE: Final = Health("disconnected", "unreachable")
POOL_TIMEOUT: Final = Health("unknown", "pool_timeout")
MIGRATIONS_PENDING: Final = Health("connected", "migrations_pending")
SHUTTING_DOWN: Final = Health("unknown", "shutting_down")
UNHEALTHY: Final = (TIMEOUT, UNREACHABLE, POOL_TIMEOUT, MIGRATIONS_PENDING, SHUTTING_DOWN)

UNAVAILABLE: Final = {
    "timeout": TIMEOUT,
    "unreachable": UNREACHABLE,
    "pool_timeout": POOL_TIMEOUT,
}


class HealthCheck:
    """Asks the database whether it answers, and whether its schema is the one this code needs.

    All who ask while a query is under way share it, so there is never more than one.
    """

    def __init__(self, database: Database, migrations: Sequence[str], timeout: float) -> None:
        self._database = database
        self._migrations = list(migrations)
        self._timeout = timeout
        self._query: asyncio.Task[Health] | None = None
        self._is_waiting = False
        self._is_shutting_down = False
        self._last = HEALTHY
        self._is_ahead = False

    def shut_down(self) -> None:
        """Answer `shutting_down` from now on, so that load balancers turn elsewhere."""
        self._is_shutting_down = True

    async def check(self) -> Health:
        """Return the health within the timeout, whatever the database and the network do."""
        if self._is_shutting_down:
            return SHUTTING_DOWN
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        health = TIMEOUT
        while (remaining := deadline - loop.time()) > 0:
            query = self._query
            if query is None or query.done():
                query = self._query = asyncio.create_task(self._ask())
            # The query is never cancelled: asyncpg would wait for a server that does not answer.
            # It ends by itself, by the deadlines of the connection.
            done, _ = await asyncio.wait({query}, timeout=remaining)
            if done:
                health = query.result()
            else:
                is_pool_full = self._is_waiting and self._database.is_full
                health = POOL_TIMEOUT if is_pool_full else TIMEOUT
            # A query that began before this probe may have run out of its time, not of this one's.
            if health not in (TIMEOUT, POOL_TIMEOUT):
                break
        return health

    async def _ask(self) -> Health:
        try:
            health = await self._compare_schema()
        except DatabaseUnavailable as error:
            self._note(UNAVAILABLE[error.reason], error.__cause__)
            return UNAVAILABLE[error.reason]
        except asyncpg.UndefinedTableError:  # yoyo's own: nothing was ever migrated
            health = MIGRATIONS_PENDING
        except asyncpg.PostgresError as error:  # for one, a role that may not read the table
            self._note(UNREACHABLE, error)
            return UNREACHABLE
        self._note(health)
        return health

    async def _compare_schema(self) -> Health:
        self._is_waiting = True
        try:
            async with self._database.connection(self._timeout, self._timeout) as connection:
                self._is_waiting = False
                row = await connection.fetch_row(
                    """
                    select count(*) as applied,
                           count(*) filter (where migration_id = any($1::text[])) as known
                    from _yoyo_migration
                    """,
                    self._migrations,
                )
        finally:
            self._is_waiting = False
        assert row is not None
        is_ahead = row["applied"] > row["known"]
        if is_ahead and not self._is_ahead:
            log.warning("schema_ahead", unknown_migrations=row["applied"] - row["known"])
        self._is_ahead = is_ahead
        return HEALTHY if row["known"] == len(self._migrations) else MIGRATIONS_PENDING

    def _note(self, health: Health, error: BaseException | None = None) -> None:
        # Once for each change: a monitor that asks every second must not fill the disk.
        if health == self._last:
            return
        self._last = health
        if health == HEALTHY:
            log.info("health_recovered")
        else:
            cause = {"error": repr(error)} if error else {}
            log.error("health_lost", reason=health.reason, **cause)
