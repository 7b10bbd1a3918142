"""The health check: one query for any number of probes, each with a result within its timeout."""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import asyncpg
import structlog

from service.connecting.rights import MISSING_GRANTS
from service.database.errors import DatabaseUnavailable
from service.database.schema import read_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.database import Database
    from service.database.schema import Schema
    from service.telemetry.metrics import Metrics

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class Health(NamedTuple):
    """The result of a health check. Without a `reason` the service is healthy."""

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

# The reasons of DatabaseUnavailable that are a timeout for health.
NO_TIME: Final = ("timeout", "pool_timeout")

# Probes that arrive this soon after a healthy result share it, so that a storm of probes does not
# wait for queries. The result is hardly older then: sending a response takes longer.
FRESH_SECONDS: Final = 0.002

# The pause before a query that timed out is repeated for probes with time left. The server's own
# statement_timeout may be much shorter than the probes'.
PAUSE_SECONDS: Final = 0.05


class Finding(NamedTuple):
    """A health and the time at which it was determined."""

    health: Health
    time: datetime


def _new_finding(health: Health) -> Finding:
    return Finding(health, datetime.now(UTC))


class HealthCheck:
    """Queries whether the database responds and has the schema that this code needs.

    Probes that arrive during a query share it (single-flight): there is at most one query.
    """

    def __init__(
        self, database: Database, migrations: Sequence[str], timeout: float, metrics: Metrics
    ) -> None:
        self._database = database
        self._migrations = list(migrations)
        self._timeout = timeout
        self._metrics = metrics
        # The waiting probes and their deadlines. All have the same timeout, so that the oldest
        # expires first, and one timer is enough.
        self._probes: deque[tuple[float, asyncio.Future[Finding]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._query: asyncio.Task[Health] | None = None
        self._fresh: Finding | None = None  # never an unhealthy one: it may be healthy by now
        self._fresh_until = 0.0
        self.is_shutting_down = False
        self._last = HEALTHY
        self._is_ahead = False

    def start_query(self) -> None:
        """Start a query.

        The lifespan calls this once before the first probe, so that the log shows what is wrong
        with the database.
        """
        # The query is never cancelled, since asyncpg's cancelling waits for the server. It ends by
        # the deadlines of its connection.
        # A context of its own, because its log lines belong to no request.
        self._query = asyncio.create_task(self._query_for_probes(), context=Context())
        self._query.add_done_callback(self._resolve_all)

    def shut_down(self) -> None:
        """Report `shutting_down` from now on, so that load balancers choose another copy."""
        self.is_shutting_down = True

    async def check(self) -> Finding:
        """Return the health within the timeout, whatever the database and the network do."""
        if self.is_shutting_down:
            return _new_finding(SHUTTING_DOWN)
        loop = asyncio.get_running_loop()
        if self._fresh is not None and loop.time() < self._fresh_until:
            return self._fresh
        probe: asyncio.Future[Finding] = loop.create_future()
        deadline = loop.time() + self._timeout
        self._probes.append((deadline, probe))
        if self._timer is None:
            self._timer = loop.call_at(deadline, self._expire)
        if self._query is None:
            self.start_query()
        return await probe

    def _expire(self) -> None:
        loop = asyncio.get_running_loop()
        expired: list[asyncio.Future[Finding]] = []
        while self._probes and self._probes[0][0] <= loop.time():
            expired.append(self._probes.popleft()[1])
        if expired:
            self._metrics.database_up.set(0)
            self._record(TIMEOUT, None)
            for probe in expired:
                _resolve(probe, _new_finding(TIMEOUT))
        self._timer = loop.call_at(self._probes[0][0], self._expire) if self._probes else None

    async def _query_for_probes(self) -> Health:
        # Probes that joined a query late may have time left when the query times out.
        health = await self._query_health()
        while health == TIMEOUT and self._probes:
            await asyncio.sleep(PAUSE_SECONDS)
            health = await self._query_health()
        return health

    def _resolve_all(self, query: asyncio.Task[Health]) -> None:
        self._query = None
        if query.cancelled():  # the loop ends
            return
        error = query.exception()
        finding = None if error else _new_finding(query.result())
        self._fresh = finding if finding and finding.health == HEALTHY else None
        self._fresh_until = query.get_loop().time() + FRESH_SECONDS
        while self._probes:
            _resolve(self._probes.popleft()[1], finding, error)

    async def _query_health(self) -> Health:
        cause: Exception | None = None
        try:
            health = await self._compare_schema()
        except DatabaseUnavailable as error:
            health = TIMEOUT if error.reason in NO_TIME else UNREACHABLE
            cause = error.__cause__ if isinstance(error.__cause__, Exception) else None
        except asyncpg.UndefinedTableError:  # yoyo's table: no migration was ever applied
            self._metrics.migrations_pending.set(len(self._migrations))
            health = MIGRATIONS_PENDING
            await self._log_missing_grants(health)
        except asyncpg.InsufficientPrivilegeError as error:
            # The database responds, but nothing shows that its schema has the migrations.
            health, cause = MIGRATIONS_PENDING, error
            await self._log_missing_grants(health)
        except asyncpg.PostgresError as error:
            health, cause = UNREACHABLE, error
        self._metrics.database_up.set(health.database == "connected")
        if health == HEALTHY and self._database.is_stuck:
            health = POOL_TIMEOUT
        self._record(health, cause)
        return health

    async def _log_missing_grants(self, health: Health) -> None:
        if health == self._last:
            return
        try:
            async with self._database.health_connection(self._timeout) as connection:
                rows = await connection.fetch(MISSING_GRANTS)
        except DatabaseUnavailable:  # which the next query finds, too
            return
        if rows:
            log.error("database_rights_missing", grants="; ".join(row["statement"] for row in rows))

    async def _compare_schema(self) -> Health:
        try:
            schema = await self._read_schema()
        except DatabaseUnavailable as error:
            if error.reason in NO_TIME:
                raise
            # The connection may have broken since the last query: that is no outage.
            schema = await self._read_schema()
        ahead = schema.applied - schema.known
        if ahead and not self._is_ahead:
            log.warning("schema_ahead", unknown_migrations=ahead)
        self._is_ahead = ahead > 0
        missing = len(self._migrations) - schema.known
        self._metrics.migrations_pending.set(missing)
        return MIGRATIONS_PENDING if missing else HEALTHY

    async def _read_schema(self) -> Schema:
        async with self._database.health_connection(self._timeout) as connection:
            return await read_schema(connection, self._migrations)

    def _record(self, health: Health, error: BaseException | None) -> None:
        # Log changes only: a monitor that probes every second must not fill the disk.
        if health == self._last:
            return
        self._last = health
        if health == HEALTHY:
            log.info("health_recovered")
        else:
            cause = {"error": repr(error)} if error else {}
            log.error("health_lost", reason=health.reason, **cause)


def _resolve(
    probe: asyncio.Future[Finding], finding: Finding | None, error: BaseException | None = None
) -> None:
    if probe.done():  # the probe's request was cancelled
        return
    if finding is None:
        assert error is not None
        probe.set_exception(error)
    else:
        probe.set_result(finding)
