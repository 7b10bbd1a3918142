"""The database: hand-written SQL in, rows out, a deadline on every step."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Final, LiteralString, Self

import asyncpg
import structlog

from service.connecting.hosts import Connector, session_settings
from service.connecting.url import read_url
from service.database.errors import OF_SCHEMA, DatabaseUnavailable
from service.database.pool import Pool
from service.database.queries import CANCEL_SECONDS, Connection, Queries, Row, T
from service.database.schema import is_behind

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    from service.database.pool import PoolUse
    from service.database.queries import RawConnection

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

__all__ = ["CANCEL_SECONDS", "Connection", "Database", "Queries", "Row", "open_database"]

ACQUIRE_SECONDS: Final = 5.0  # includes connecting, where the pool opens a new connection
CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
# Of a deletion with all documents, in one transaction: 200,000 of 8 KB took 4.5 s.
DELETION_SECONDS: Final = 60.0
CLOSE_SECONDS: Final = 1.0

# Attempts of a statement that the server rolls back, as in a deadlock, and the pause in between.
ATTEMPTS: Final = 3
PAUSE_SECONDS: Final = 0.02

# A column that limits each wait for a lock until the transaction ends; after that long, statements
# raise DatabaseUnavailable "locked", so that waiting requests do not fill the pool. A statement
# joins it, from a `with … as materialized`, to the rows that it locks, so that it comes first.
LOCK_LIMIT: Final[LiteralString] = "set_config('lock_timeout', '250ms', true) as lock_limit"

# Whatever is committed between the statements of a transaction that begins with this, none sees it.
SNAPSHOT: Final[LiteralString] = "set transaction isolation level repeatable read, read only"

# How long a database counts as a read-only replica, where changes need no second attempt.
REPLICA_SECONDS: Final = 10.0

STATEMENTS_KEPT: Final = 100  # prepared statements of each connection


class Database(Queries):
    """The pool: each statement runs on any free connection.

    Released connections are not reset (see `open_database`), so no statement may change its
    session: no `set`, `listen`, session advisory lock or temporary table; `set local` is fine.
    """

    def __init__(self, pool: Pool, health_pool: Pool, migrations: Sequence[str]) -> None:
        self._pool = pool
        self._health_pool = health_pool
        # Those that the code needs.
        self.migrations = migrations
        self._replica_until = 0.0
        self._seconds: float | None = None

    def with_limit(self, seconds: float) -> Self:
        """Return this database with another limit than STATEMENT_SECONDS for single statements.

        Those on a `connection()`, and in a `transaction()`, keep theirs.
        """
        other = copy(self)
        other._seconds = seconds
        return other

    @asynccontextmanager
    async def connection(
        self, acquire_seconds: float = ACQUIRE_SECONDS, statement_seconds: float = STATEMENT_SECONDS
    ) -> AsyncGenerator[Connection]:
        """Hold a connection during the block, for several statements on the same connection.

        Raises DatabaseUnavailable after `acquire_seconds` without a connection.
        """
        connection = await self._pool.acquire(acquire_seconds, is_patient=True)
        try:
            yield Connection(connection, statement_seconds)
        except BaseException as error:
            await self._take_back(connection, error)
            raise
        await self._pool.release(connection)

    @asynccontextmanager
    async def health_connection(self, seconds: float) -> AsyncGenerator[Connection]:
        """Hold the connection that is for health alone; its statements have what is left.

        Raises DatabaseUnavailable after `seconds`, or as soon as the server refuses.
        """
        deadline = time.perf_counter() + seconds
        connection = await self._health_pool.acquire(seconds, is_patient=False)
        try:
            yield Connection(connection, deadline - time.perf_counter())
        except BaseException as error:
            await self._health_pool.take_back(connection, error)
            raise
        await self._health_pool.release(connection)

    async def run_statement(self, statement: Callable[[RawConnection, float], Awaitable[T]]) -> T:
        """Run a statement in a transaction of its own.

        A statement that the server has undone because of another one is run again, on any
        connection: up to ATTEMPTS times, and until its limit has passed.
        """
        # Without `connection()`, whose generator costs as much as acquiring the connection.
        started = time.perf_counter()
        acquire_seconds = ACQUIRE_SECONDS
        limit = seconds = self._seconds or STATEMENT_SECONDS
        for attempt in count(1):
            connection = await self._pool.acquire(acquire_seconds, is_patient=True)
            try:
                result = await Connection(connection, seconds).run_statement(statement)
            except BaseException as error:
                await self._take_back(connection, error)
                seconds = started + limit - time.perf_counter() - PAUSE_SECONDS
                if attempt == ATTEMPTS or seconds < 0 or not self._can_run_again(error, attempt):
                    raise
                log.debug("database_statement_repeated", error=repr(error.__cause__))
            else:
                await self._pool.release(connection)
                return result
            await asyncio.sleep(PAUSE_SECONDS)
            acquire_seconds = min(ACQUIRE_SECONDS, seconds)
        raise AssertionError  # count() has no end

    def _can_run_again(self, error: BaseException, attempt: int) -> bool:
        if not (isinstance(error, DatabaseUnavailable) and error.can_run_again):
            return False
        if error.reason == "read_only":
            if self._is_replica:
                return False
            if attempt > 1:
                self._replica_until = time.perf_counter() + REPLICA_SECONDS
                return False
        return True

    @property
    def _is_replica(self) -> bool:
        """Whether a new connection did not lead to a server that takes changes, either."""
        return time.perf_counter() < self._replica_until

    async def _take_back(self, connection: RawConnection, error: BaseException) -> None:
        """Take a connection back; raise DatabaseUnavailable if a missing migration is the cause."""
        try:
            if isinstance(error, DatabaseUnavailable) and error.reason == "read_only":
                # The server became a standby: another connection may lead to the primary.
                if not self._is_replica:
                    connection.terminate()
            elif (
                isinstance(error, asyncpg.PostgresError)
                and error.sqlstate in OF_SCHEMA
                and await is_behind(Connection(connection, STATEMENT_SECONDS), self.migrations)
            ):
                raise DatabaseUnavailable("schema_behind") from error
        finally:
            await self._pool.take_back(connection, error)

    @asynccontextmanager
    async def transaction(self, settings: LiteralString = "") -> AsyncGenerator[Connection]:
        """Hold a connection in a transaction: commit at the end of the block, or roll back.

        `settings` has statements such as `set local jit = off`, which need no round trip.
        """
        async with self.connection() as connection, connection.transaction(settings):
            yield connection

    async def run_repeatable(
        self, work: Callable[[Connection], Awaitable[T]], settings: LiteralString = ""
    ) -> T:
        """Return the result of `work` in a transaction with `settings`, which can change nothing.

        All its statements see what the first one sees. They end by STATEMENT_SECONDS after the
        call, but for those that begin and commit. It is run again as a single statement is: see
        run_statement.
        """
        ends_at = time.perf_counter() + STATEMENT_SECONDS
        for attempt in count(1):
            try:
                async with self.transaction(f"{SNAPSHOT}; {settings}") as connection:
                    with connection.ending_at(ends_at):
                        return await work(connection)
            except DatabaseUnavailable as error:
                if attempt == ATTEMPTS or not self._can_run_again(error, attempt):
                    raise
                log.debug("database_transaction_repeated", error=repr(error.__cause__))
            await asyncio.sleep(PAUSE_SECONDS)
        raise AssertionError  # count() has no end

    def terminate(self) -> None:
        """Cut all connections at once and open no more: nothing can be queried after this."""
        self._pool.terminate()
        self._health_pool.terminate()

    def read_use(self) -> PoolUse:
        """Return the requests' connections in use and idle, and the callers that wait for one."""
        return self._pool.read_use()

    @property
    def is_stuck(self) -> bool:
        """Whether the requests' pool is full and was given nothing back for STUCK_SECONDS."""
        return self._pool.is_stuck


@asynccontextmanager
async def open_database(
    url: str,
    pool_max: int,
    observe_wait: Callable[[float], object] | None = None,
    *,
    use_prepared_statements: bool = True,
    migrations: Sequence[str] = (),
) -> AsyncGenerator[Database]:
    """Open a pool of up to `pool_max` connections during the block, and one more for health.

    A connection is opened when it is first needed, so the database may be down. Raises UrlError if
    the URL cannot be used.
    `use_prepared_statements=False` is for PgBouncer before 1.21 in transaction mode, which does not
    track prepared statements.
    `observe_wait` gets the seconds that each caller waited for one of the `pool_max` connections.
    `migrations` are those that the code needs: a statement that fails since the schema lacks one
    raises DatabaseUnavailable.
    """
    address = read_url(url)
    # One for both pools: they learn together which of several hosts responds.
    connector = Connector(address, CONNECT_SECONDS)

    async def create_pool(size: int, observe_wait: Callable[[float], object] | None) -> Pool:
        pool = await asyncpg.create_pool(
            min_size=0,
            max_size=size,
            command_timeout=STATEMENT_SECONDS,
            statement_cache_size=STATEMENTS_KEPT if use_prepared_statements else 0,
            # PostgreSQL writes the timestamps in our JSON in this time zone.
            server_settings=session_settings(address, "bmadflow-api") | {"timezone": "UTC"},
            connect=connector,
            reset=_keep_session,
        )
        return Pool(pool, observe_wait)

    pool = await create_pool(pool_max, observe_wait)
    health_pool = await create_pool(1, None)
    try:
        yield Database(pool, health_pool, migrations)
    finally:
        await asyncio.gather(pool.close(CLOSE_SECONDS), health_pool.close(CLOSE_SECONDS))


async def _keep_session(_: object) -> None:
    # Replaces asyncpg's reset, which costs a round trip each time a connection is released.
    # asyncpg still rolls back an open transaction.
    pass
