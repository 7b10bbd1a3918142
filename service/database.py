"""The database: hand-written SQL in, rows out, a deadline on every step."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING, Final, LiteralString

import asyncpg
import structlog

from service.connecting.hosts import Connector, session_settings
from service.connecting.url import read_url
from service.database_errors import DatabaseUnavailable
from service.pool import Pool
from service.queries import CANCEL_SECONDS, Connection, Queries, Row, T

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from service.metrics import Metrics, PoolUse
    from service.queries import RawConnection

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

__all__ = ["CANCEL_SECONDS", "Connection", "Database", "Queries", "Row", "open_database"]

ACQUIRE_SECONDS: Final = 5.0  # includes connecting, where the pool opens a new connection
CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0

# How often a statement is run that the server undoes each time, and the pause in between.
ATTEMPTS: Final = 3
PAUSE_SECONDS: Final = 0.02

# A column for a `with … as materialized` that a statement joins before it locks rows. It then waits
# for locks that other transactions hold no longer than this, and raises DatabaseUnavailable
# "locked". Until its transaction ends, which keeps the pool free of requests that wait.
LOCK_LIMIT: Final[LiteralString] = "set_config('lock_timeout', '250ms', true) as lock_limit"

STATEMENTS_KEPT: Final = 100  # prepared statements of each connection


class Database(Queries):
    """The pool: each statement runs on any free connection.

    Released connections are not reset (see `open_database`), so no statement may change its
    session: no `set`, `listen`, session advisory lock or temporary table; `set local` is fine.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @asynccontextmanager
    async def connection(
        self,
        acquire_seconds: float = ACQUIRE_SECONDS,
        statement_seconds: float = STATEMENT_SECONDS,
        *,
        is_patient: bool = True,
    ) -> AsyncGenerator[Connection]:
        """Hold a connection during the block, for several statements on the same connection.

        Raises DatabaseUnavailable after `acquire_seconds` without a connection; with
        is_patient=False, as soon as the server refuses one.
        """
        connection = await self._pool.acquire(acquire_seconds, is_patient=is_patient)
        has_succeeded = False
        try:
            yield Connection(connection, statement_seconds)
            has_succeeded = True
        finally:
            await self._pool.release(connection, has_succeeded=has_succeeded)

    async def run_statement(self, statement: Callable[[RawConnection, float], Awaitable[T]]) -> T:
        """Run a statement in a transaction of its own.

        A statement that the server has undone because of another one is run again, on any
        connection: up to ATTEMPTS times, and until STATEMENT_SECONDS have passed.
        """
        # Without `connection()`, whose generator costs as much as acquiring the connection.
        started = time.perf_counter()
        acquire_seconds, seconds = ACQUIRE_SECONDS, STATEMENT_SECONDS
        for attempt in count(1):
            connection = await self._pool.acquire(acquire_seconds, is_patient=True)
            has_succeeded = False
            try:
                result = await Connection(connection, seconds).run_statement(statement)
                has_succeeded = True
            except DatabaseUnavailable as error:
                seconds = started + STATEMENT_SECONDS - time.perf_counter() - PAUSE_SECONDS
                if not error.can_run_again or attempt == ATTEMPTS or seconds < 0:
                    raise
                log.info("database_statement_repeated", error=repr(error.__cause__))
            else:
                return result
            finally:
                await self._pool.release(connection, has_succeeded=has_succeeded)
            await asyncio.sleep(PAUSE_SECONDS)
            acquire_seconds = min(ACQUIRE_SECONDS, seconds)
        raise AssertionError  # count() has no end

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """Hold a connection in a transaction: commit at the end of the block, or roll back."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    def terminate(self) -> None:
        """Cut all connections at once and open no more: nothing can be queried after this."""
        self._pool.terminate()

    def read_use(self) -> PoolUse:
        """Return the connections in use and idle, and the callers that wait for one."""
        return self._pool.read_use()

    @property
    def is_full(self) -> bool:
        """Whether the pool has all its connections, and all are in use."""
        return self._pool.is_full


@asynccontextmanager
async def open_database(
    url: str, pool_max: int, metrics: Metrics, *, use_prepared_statements: bool = True
) -> AsyncGenerator[Database]:
    """Open a pool of up to `pool_max` connections during the block.

    The pool connects when the first connection is needed, so the database may be down. Raises
    UrlError if the URL cannot be used.
    `use_prepared_statements=False` is for PgBouncer before 1.21 in transaction mode, which does not
    track prepared statements.
    """
    address = read_url(url)
    pool = Pool(
        await asyncpg.create_pool(
            min_size=0,
            max_size=pool_max,
            command_timeout=STATEMENT_SECONDS,
            statement_cache_size=STATEMENTS_KEPT if use_prepared_statements else 0,
            # PostgreSQL writes the timestamps in our JSON in this time zone.
            server_settings=session_settings(address, "bmadflow-api") | {"timezone": "UTC"},
            connect=Connector(address, CONNECT_SECONDS),
            reset=_keep_session,
        ),
        metrics,
    )
    try:
        yield Database(pool)
    finally:
        await pool.close(CLOSE_SECONDS)


async def _keep_session(_: object) -> None:
    # Replaces asyncpg's reset, which costs a round trip each time a connection is released.
    # asyncpg still rolls back an open transaction.
    pass
