"""A thin wrapper round asyncpg's pool: hand-written SQL in, rows out, a deadline on every step."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeAlias, TypeVar

import asyncpg
import structlog

from service.connecting.hosts import TRY_AGAIN, Connector, session_settings
from service.connecting.url import read_url
from service.database_errors import GONE, DatabaseUnavailable, redact_values
from service.metrics import PoolUse
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from asyncpg.pool import PoolConnectionProxy

    from service.metrics import Metrics

    # Generic for the type checker only: at run time asyncpg's classes are not.
    RawConnection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

T = TypeVar("T")

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

Row: TypeAlias = asyncpg.Record

ACQUIRE_SECONDS: Final = 5.0  # includes connecting, where the pool opens a new connection
CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0

# Exponential back-off after the server refused a connection.
RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 0.5

# At a statement's deadline asyncpg asks the server to cancel the statement, and waits for that. A
# frozen or unreachable server does not respond, so this much later the connection is cut.
CANCEL_SECONDS: Final = 0.5

STATEMENTS_KEPT: Final = 100  # prepared statements of each connection


class Queries(ABC):
    """Statements on a connection, or on any free connection of the pool.

    Every method raises DatabaseUnavailable when a deadline passes or the server goes away, and
    asyncpg's own PostgresError when the statement is wrong.
    """

    @abstractmethod
    async def run_statement(self, statement: Callable[[RawConnection, float], Awaitable[T]]) -> T:
        """Return the result of `statement(connection, seconds)`, which may take so many seconds."""

    async def fetch(self, query: LiteralString, *arguments: object) -> list[Row]:
        """Return all rows."""
        return await self.run_statement(
            lambda connection, seconds: connection.fetch(query, *arguments, timeout=seconds)
        )

    async def fetch_row(self, query: LiteralString, *arguments: object) -> Row | None:
        """Return the first row, or None without rows."""
        return await self.run_statement(
            lambda connection, seconds: connection.fetchrow(query, *arguments, timeout=seconds)
        )

    async def fetch_row_or_404(self, query: LiteralString, *arguments: object, missing: str) -> Row:
        """Return the first row; without rows raise a 404 Problem with `missing` as its detail."""
        row = await self.fetch_row(query, *arguments)
        if row is None:
            raise Problem("not_found", missing)
        return row

    async def fetch_value(self, query: LiteralString, *arguments: object) -> Any:
        """Return the first column of the first row, or None without rows."""
        return await self.run_statement(
            lambda connection, seconds: connection.fetchval(query, *arguments, timeout=seconds)
        )

    async def execute(self, query: LiteralString, *arguments: object) -> str:
        """Run a statement and return its command tag, such as `UPDATE 1`."""
        return await self.run_statement(
            lambda connection, seconds: connection.execute(query, *arguments, timeout=seconds)
        )


class Connection(Queries):
    """One connection of the pool, held for several statements; each has `seconds` to finish."""

    def __init__(self, connection: RawConnection, seconds: float) -> None:
        self._connection = connection
        self.seconds = seconds

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Commit at the end of the block, or roll back if the block raises."""
        transaction = self._connection.transaction()
        await self.run_statement(lambda _, __: transaction.start())
        try:
            yield
        except BaseException as error:
            # The block's own error is raised even if the rollback fails: the connection is cut
            # then, which also ends the transaction.
            if _is_closed(self._connection):
                raise
            if isinstance(error, DatabaseUnavailable):
                self._connection.terminate()  # a rollback would time out, too
            else:
                with suppress(DatabaseUnavailable):
                    await self.run_statement(lambda _, __: transaction.rollback())
            raise
        await self.run_statement(lambda _, __: transaction.commit())

    async def run_statement(self, statement: Callable[[RawConnection, float], Awaitable[T]]) -> T:
        # Cancelling a task or a statement waits for a response of the server; terminating waits
        # for nothing.
        terminate = asyncio.get_running_loop().call_later(
            self.seconds + CANCEL_SECONDS, self._connection.terminate
        )
        try:
            return await statement(self._connection, self.seconds)
        except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError) as error:
            raise DatabaseUnavailable("timeout") from error
        except GONE as error:
            raise DatabaseUnavailable("unreachable") from error
        except asyncpg.InternalClientError as error:
            # asyncpg's protocol state is inconsistent after a server went away between statements.
            self._connection.terminate()
            raise DatabaseUnavailable("unreachable") from error
        except asyncpg.PostgresError as error:
            redact_values(error)
            raise
        except asyncpg.InterfaceError as error:
            if not _is_closed(self._connection):
                redact_values(error)
                raise
            raise DatabaseUnavailable("unreachable") from error
        finally:
            terminate.cancel()


class Database(Queries):
    """The pool: each statement runs on any free connection.

    Released connections are not reset (see `open_database`), so no statement may change its
    session: no `set`, `listen`, session advisory lock or temporary table; `set local` is fine.
    """

    def __init__(self, pool: asyncpg.Pool[Row], metrics: Metrics) -> None:
        self._pool = pool
        self._metrics = metrics
        self._waiting = 0
        # Callers get connections in the order in which they ask. In asyncpg's own queue a newcomer
        # can take the connection for which another caller was just woken.
        self._turns = asyncio.Semaphore(pool.get_max_size())

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
        is_patient=False, as soon as the server refuses one. A restarting server refuses for a
        while, so a patient caller retries.
        """
        connection = await self._acquire(acquire_seconds, is_patient=is_patient)
        has_succeeded = False
        try:
            yield Connection(connection, statement_seconds)
            has_succeeded = True
        finally:
            await self._release(connection, has_succeeded=has_succeeded)

    async def run_statement(self, statement: Callable[[RawConnection, float], Awaitable[T]]) -> T:
        # Without `connection()`, whose generator costs as much as acquiring the connection.
        connection = await self._acquire(ACQUIRE_SECONDS, is_patient=True)
        has_succeeded = False
        try:
            result = await Connection(connection, STATEMENT_SECONDS).run_statement(statement)
            has_succeeded = True
            return result
        finally:
            await self._release(connection, has_succeeded=has_succeeded)

    async def _acquire(self, seconds: float, *, is_patient: bool) -> RawConnection:
        started = time.perf_counter()
        self._waiting += 1
        try:
            # Not asyncpg's own timeout, for which Python 3.11 starts a task.
            async with asyncio.timeout(seconds):
                return await self._acquire_or_retry(started + seconds, is_patient=is_patient)
        except TimeoutError as error:
            raise DatabaseUnavailable("pool_timeout" if self.is_full else "timeout") from error
        except (
            *TRY_AGAIN,
            *GONE,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            ValueError,
        ) as error:
            # ValueError: the URL has a part that asyncpg cannot use.
            raise DatabaseUnavailable("unreachable") from error
        finally:
            self._waiting -= 1
            self._metrics.connection_wait.observe(time.perf_counter() - started)

    async def _acquire_or_retry(self, deadline: float, *, is_patient: bool) -> RawConnection:
        delay = RETRY_SECONDS
        while True:
            try:
                return await self._acquire_in_turn()
            except TimeoutError:
                raise
            except TRY_AGAIN:
                if not is_patient or time.perf_counter() + delay >= deadline:
                    raise
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY_SECONDS)

    async def _acquire_in_turn(self) -> RawConnection:
        await self._turns.acquire()
        try:
            return await self._pool.acquire()
        except BaseException:
            self._turns.release()
            raise

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """Hold a connection in a transaction: commit at the end of the block, or roll back."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    def terminate(self) -> None:
        """Cut all connections at once and open no more: the pool cannot be used after this."""
        self._pool.terminate()

    def read_use(self) -> PoolUse:
        """Return the connections in use and idle, and the callers that wait for one."""
        idle = self._pool.get_idle_size()
        return PoolUse(
            maximum=self._pool.get_max_size(),
            used=self._pool.get_size() - idle,
            idle=idle,
            waiting=self._waiting,
        )

    @property
    def is_full(self) -> bool:
        """Whether the pool has all its connections, and all are in use."""
        pool = self._pool
        return pool.get_size() == pool.get_max_size() and pool.get_idle_size() == 0

    async def _release(self, connection: RawConnection, *, has_succeeded: bool) -> None:
        try:
            if has_succeeded and connection._con is not None:
                # As the pool's own method does, but not in a task: this waits only where asyncpg
                # closes an old connection, and a cancellation then cuts it.
                connection._con._on_release()
                await connection._holder.release(CANCEL_SECONDS)
            else:
                await self._pool.release(connection, timeout=CANCEL_SECONDS)
        except (TimeoutError, *GONE, asyncpg.InterfaceError) as error:
            # The pool dropped the connection and will open another. The caller has its result.
            log.warning("database_connection_dropped", error=repr(error))
        finally:
            self._turns.release()


def _is_closed(connection: RawConnection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the connection was cut, and the pool has taken it back
        return True


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
    pool = await asyncpg.create_pool(
        min_size=0,
        max_size=pool_max,
        command_timeout=STATEMENT_SECONDS,
        statement_cache_size=STATEMENTS_KEPT if use_prepared_statements else 0,
        # PostgreSQL writes the timestamps in our JSON in this time zone.
        server_settings=session_settings(address, "bmadflow-api") | {"timezone": "UTC"},
        connect=Connector(address, CONNECT_SECONDS),
        reset=_keep_session,
    )
    try:
        yield Database(pool, metrics)
    finally:
        try:
            await asyncio.wait_for(pool.close(), timeout=CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()


async def _keep_session(_: object) -> None:
    # Replaces asyncpg's reset, which costs a round trip each time a connection is released.
    # asyncpg still rolls back an open transaction.
    pass
