"""Whether this process can serve: one query at a time, however many ask, always in time."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import asyncpg
import structlog

from service.database_errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database import Database
    from service.metrics import Metrics

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


# A probe may be told what was found out so shortly before it came: on its way back an answer grows
# older than that. It is what a storm of probes is spared the wait by.
FRESH_SECONDS: Final = 0.002


# Before it asks again for those who have time left, when the database itself has a shorter limit.
PAUSE_SECONDS: Final = 0.05


class Finding(NamedTuple):
    """A health, and when it was found out."""

    health: Health
    time: datetime


def _now(health: Health) -> Finding:
    return Finding(health, datetime.now(UTC))


class HealthCheck:
    """Asks the database whether it answers, and whether its schema is the one this code needs.

    All who ask while a query is under way share it, so there is never more than one.
    """

    def __init__(
        self, database: Database, migrations: Sequence[str], timeout: float, metrics: Metrics
    ) -> None:
        self._database = database
        self._migrations = list(migrations)
        self._timeout = timeout
        self._metrics = metrics
        # Who waits, and until when. All wait equally long, so the first in is the first to leave,
        # and one timer serves them all.
        self._probes: deque[tuple[float, asyncio.Future[Finding]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._query: asyncio.Task[Health] | None = None
        self._fresh: Finding | None = None  # healthy: nobody is told of trouble that is over
        self._fresh_until = 0.0
        self._is_acquiring = False
        self.is_shutting_down = False
        self._last = HEALTHY
        self._is_ahead = False

    def begin(self) -> None:
        """Begin to ask.

        At the start before anybody else does: what is wrong with the database is in the log then,
        and the first request finds a connection.
        """
        # It is never cancelled: asyncpg would wait for a server that does not answer. It ends by
        # itself, by the deadlines of the connection.
        # In a context of its own: its lines in the log belong to no request.
        self._query = asyncio.create_task(self._ask(), context=Context())
        self._query.add_done_callback(self._answer_all)

    def shut_down(self) -> None:
        """Answer `shutting_down` from now on, so that load balancers turn elsewhere."""
        self.is_shutting_down = True

    async def check(self) -> Finding:
        """Return the health within the timeout, whatever the database and the network do."""
        if self.is_shutting_down:
            return _now(SHUTTING_DOWN)
        loop = asyncio.get_running_loop()
        if self._fresh is not None and loop.time() < self._fresh_until:
            return self._fresh
        probe: asyncio.Future[Finding] = loop.create_future()
        deadline = loop.time() + self._timeout
        self._probes.append((deadline, probe))
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._give_up)
        if self._query is None:
            self.begin()
        return await probe

    def _give_up(self) -> None:
        loop = asyncio.get_running_loop()
        late: list[asyncio.Future[Finding]] = []
        while self._probes and self._probes[0][0] <= loop.time():
            late.append(self._probes.popleft()[1])
        if late:
            is_pool_full = self._is_acquiring and self._database.is_full
            health = POOL_TIMEOUT if is_pool_full else TIMEOUT
            self._note(health, None)
            for probe in late:
                _answer(probe, _now(health))
        self._timer = loop.call_at(self._probes[0][0], self._give_up) if self._probes else None

    async def _ask(self) -> Health:
        # Probes that came later than the query may have time left when it runs out of its own.
        health = await self._find_out()
        while health in (TIMEOUT, POOL_TIMEOUT) and self._probes:
            await asyncio.sleep(PAUSE_SECONDS)
            health = await self._find_out()
        return health

    def _answer_all(self, query: asyncio.Task[Health]) -> None:
        self._query = None
        if query.cancelled():  # with the whole loop
            return
        error = query.exception()
        finding = None if error else _now(query.result())
        self._fresh = finding if finding and finding.health == HEALTHY else None
        self._fresh_until = query.get_loop().time() + FRESH_SECONDS
        while self._probes:
            _answer(self._probes.popleft()[1], finding, error)

    async def _find_out(self) -> Health:
        try:
            health = await self._compare_schema()
        except DatabaseUnavailable as error:
            health, cause = UNAVAILABLE[error.reason], error.__cause__
        except asyncpg.UndefinedTableError:  # yoyo's own: nothing was ever migrated
            self._metrics.migrations_pending.set(len(self._migrations))
            health, cause = MIGRATIONS_PENDING, None
        except asyncpg.PostgresError as error:  # for one, a role that may not read the table
            health, cause = UNREACHABLE, error
        else:
            cause = None
        self._note(health, cause)
        return health

    async def _compare_schema(self) -> Health:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timeout
        self._is_acquiring = True
        try:
            async with self._database.connection(
                self._timeout, self._timeout, is_patient=False
            ) as connection:
                self._is_acquiring = False
                # Together they have one timeout, or this would be well after all who ask are told
                # that it is not.
                connection.seconds = deadline - loop.time()
                row = await connection.fetch_row(
                    """
                    select count(*) as applied,
                           count(*) filter (where migration_id = any($1::text[])) as known
                    from _yoyo_migration
                    """,
                    self._migrations,
                )
        finally:
            self._is_acquiring = False
        assert row is not None
        applied, known = row["applied"], row["known"]
        if applied > known and not self._is_ahead:
            log.warning("schema_ahead", unknown_migrations=applied - known)
        self._is_ahead = applied > known
        self._metrics.migrations_pending.set(len(self._migrations) - known)
        return HEALTHY if known == len(self._migrations) else MIGRATIONS_PENDING

    def _note(self, health: Health, error: BaseException | None) -> None:
        if health.database != "unknown":
            self._metrics.database_up.set(health.database == "connected")
        # Once for each change: a monitor that asks every second must not fill the disk.
        if health == self._last:
            return
        self._last = health
        if health == HEALTHY:
            log.info("health_recovered")
        else:
            cause = {"error": repr(error)} if error else {}
            log.error("health_lost", reason=health.reason, **cause)


def _answer(
    probe: asyncio.Future[Finding], finding: Finding | None, error: BaseException | None = None
) -> None:
    if probe.done():  # its request was cancelled
        return
    if finding is None:
        assert error is not None
        probe.set_exception(error)
    else:
        probe.set_result(finding)
