"""A thin wrapper round asyncpg's pool: hand-written SQL in, rows out, a deadline on every step."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, Literal, LiteralString, TypeAlias

import asyncpg
import structlog

from service.database_hosts import TRY_AGAIN, Connector
from service.metrics import PoolUse
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from asyncpg.pool import PoolConnectionProxy

    from service.metrics import Metrics

    # Generic for the type checker only: at run time asyncpg's classes are not.
    RawConnection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

log = structlog.stdlib.get_logger()

Row: TypeAlias = asyncpg.Record

ACQUIRE_SECONDS: Final = 5.0  # connecting included, where a new connection is needed
CONNECT_SECONDS: Final = 5.0
STATEMENT_SECONDS: Final = 10.0

# After a refusal, and then twice as long each time, to a limit.
RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 0.5

CLOSE_SECONDS: Final = 1.0

STATEMENTS_KEPT: Final = 100  # prepared, for each connection

# After a statement's deadline asyncpg asks the server to cancel it, and waits. A server that is
# frozen or cut off never answers that either, so this much later the connection is cut.
CANCEL_SECONDS: Final = 0.5


# SQLSTATE classes 08 (connection), 53 (out of resources) and 57 (operator intervention), and what
# a socket or asyncpg itself raises when the other side is gone.
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    OSError,
)

Reason: TypeAlias = Literal["timeout", "unreachable", "pool_timeout"]


class DatabaseUnavailable(Problem):
    """The database cannot be used now: 503, and worth trying again."""

    def __init__(self, reason: Reason) -> None:
        super().__init__("unavailable", "The database cannot be used at the moment.")
        self.reason: Reason = reason


class Queries(ABC):
    """What a route does with the database.

    Every method raises DatabaseUnavailable when a deadline passes or the server goes away, and
    asyncpg's own PostgresError when the statement is at fault.
    """

    @abstractmethod
    def statement(self) -> AbstractAsyncContextManager[tuple[RawConnection, float]]:
        """Lend a connection for one statement, with the seconds that it may take."""

    async def fetch(self, query: LiteralString, *arguments: object) -> list[Row]:
        """Return all rows."""
        async with self.statement() as (connection, seconds):
            return await connection.fetch(query, *arguments, timeout=seconds)

    async def fetch_row(self, query: LiteralString, *arguments: object) -> Row | None:
        """Return the first row, None where there is none."""
        async with self.statement() as (connection, seconds):
            return await connection.fetchrow(query, *arguments, timeout=seconds)

    async def fetch_row_or_404(self, query: LiteralString, *arguments: object, missing: str) -> Row:
        """Return the first row; where there is none, raise a not-found with `missing` as detail."""
        row = await self.fetch_row(query, *arguments)
        if row is None:
            raise Problem("not_found", missing)
        return row

    async def fetch_value(self, query: LiteralString, *arguments: object) -> Any:
        """Return the first column of the first row, None where there is no row."""
        async with self.statement() as (connection, seconds):
            return await connection.fetchval(query, *arguments, timeout=seconds)

    async def execute(self, query: LiteralString, *arguments: object) -> str:
        """Run a statement and return its command tag, such as `UPDATE 1`."""
        async with self.statement() as (connection, seconds):
            return await connection.execute(query, *arguments, timeout=seconds)


class Connection(Queries):
    """One connection, held for a while; each statement on it has `seconds` to finish."""

    def __init__(self, connection: RawConnection, seconds: float) -> None:
        self._connection = connection
        self.seconds = seconds

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[None]:
        """Commit at the end of the block, or roll back if it raises."""
        transaction = self._connection.transaction()
        async with self.statement():
            await transaction.start()
        try:
            yield
        except BaseException as error:
            # If that fails too, the connection is cut and the transaction over; what says why is
            # the error in hand.
            if _is_closed(self._connection):
                raise
            if isinstance(error, DatabaseUnavailable):
                self._connection.terminate()  # it would not answer to a rollback in time, either
            else:
                with suppress(DatabaseUnavailable):
                    async with self.statement():
                        await transaction.rollback()
            raise
        async with self.statement():
            await transaction.commit()

    @asynccontextmanager
    async def statement(self) -> AsyncGenerator[tuple[RawConnection, float]]:
        """Lend asyncpg's connection and the seconds for a statement, and hold it to them."""
        # Terminating is the one thing that no network can hold up; cancelling a task or a
        # statement waits for an answer from the server.
        terminate = asyncio.get_running_loop().call_later(
            self.seconds + CANCEL_SECONDS, self._connection.terminate
        )
        try:
            yield self._connection, self.seconds
        except (TimeoutError, asyncpg.QueryCanceledError, asyncpg.DeadlockDetectedError) as error:
            raise DatabaseUnavailable("timeout") from error
        except GONE as error:
            raise DatabaseUnavailable("unreachable") from error
        except asyncpg.InternalClientError as error:
            # A server that goes away between two statements leaves asyncpg in a state that it does
            # not know.
            self._connection.terminate()
            raise DatabaseUnavailable("unreachable") from error
        except asyncpg.PostgresError as error:
            _forget_values(error)
            raise
        except asyncpg.InterfaceError as error:
            if not _is_closed(self._connection):
                _forget_values(error)
                raise
            raise DatabaseUnavailable("unreachable") from error
        finally:
            terminate.cancel()


class Database(Queries):
    """The pool: each statement on whichever connection is free.

    Connections are given back as they are (see `open_database`), so no statement may change its
    session: no `set`, `listen`, session advisory lock or temporary table; `set local` is fine.
    """

    def __init__(self, pool: asyncpg.Pool[Row], metrics: Metrics) -> None:
        self._pool = pool
        self._metrics = metrics
        self._waiting = 0

    @asynccontextmanager
    async def connection(
        self,
        acquire_seconds: float = ACQUIRE_SECONDS,
        statement_seconds: float = STATEMENT_SECONDS,
        *,
        is_patient: bool = True,
    ) -> AsyncGenerator[Connection]:
        """Hold a connection for the block, for work that needs several statements on one.

        Raises DatabaseUnavailable when none is to be had in `acquire_seconds`, or, if that is not
        patient enough, as soon as the server refuses. A server that restarts refuses for a while.
        """
        started = time.perf_counter()
        self._waiting += 1
        try:
            connection = await self._acquire(acquire_seconds, is_patient=is_patient)
        except TimeoutError as error:
            raise DatabaseUnavailable("pool_timeout" if self.is_full else "timeout") from error
        except (
            *TRY_AGAIN,
            *GONE,
            asyncpg.PostgresError,
            asyncpg.InterfaceError,
            ValueError,
        ) as error:
            # ValueError: something in the URL that no driver can connect by.
            raise DatabaseUnavailable("unreachable") from error
        finally:
            self._waiting -= 1
            self._metrics.connection_wait.observe(time.perf_counter() - started)
        try:
            yield Connection(connection, statement_seconds)
        finally:
            await self._release(connection)

    async def _acquire(self, seconds: float, *, is_patient: bool) -> RawConnection:
        loop = asyncio.get_running_loop()
        deadline, delay = loop.time() + seconds, RETRY_SECONDS
        while True:
            try:
                return await self._pool.acquire(timeout=deadline - loop.time())
            except TimeoutError:
                raise
            except TRY_AGAIN:
                if not is_patient or loop.time() + delay >= deadline:
                    raise
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_RETRY_SECONDS)

    @asynccontextmanager
    async def transaction(self) -> AsyncGenerator[Connection]:
        """Hold a connection with an open transaction: commit at the end, roll back on an error."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    def terminate(self) -> None:
        """Cut all connections at once, and make no more: for the end of the service."""
        self._pool.terminate()

    def read_use(self) -> PoolUse:
        """Return how the pool stands."""
        idle = self._pool.get_idle_size()
        return PoolUse(
            maximum=self._pool.get_max_size(),
            used=self._pool.get_size() - idle,
            idle=idle,
            waiting=self._waiting,
        )

    @property
    def is_full(self) -> bool:
        """Whether every connection that the pool may have is open and in use."""
        pool = self._pool
        return pool.get_size() == pool.get_max_size() and pool.get_idle_size() == 0

    @asynccontextmanager
    async def statement(self) -> AsyncGenerator[tuple[RawConnection, float]]:
        """Lend a free connection for one statement, with the seconds that it may take."""
        async with self.connection() as connection, connection.statement() as statement:
            yield statement

    async def _release(self, connection: RawConnection) -> None:
        try:
            await self._pool.release(connection, timeout=CANCEL_SECONDS)
        except (TimeoutError, *GONE, asyncpg.InterfaceError) as error:
            # The pool has dropped the connection and will open another; the caller's work is done.
            log.warning("database_connection_dropped", error=repr(error))


def _forget_values(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> None:
    """Take the values of a statement out of an error, which may end in the log.

    PostgreSQL's messages and details quote values, and so does what asyncpg says of an argument, in
    the error that this one comes from as well. What is left are the code and the names of things.
    """
    names = ("sqlstate", "table_name", "column_name", "constraint_name")
    known = {name: getattr(error, name, None) for name in names}
    error.args = (", ".join(f"{name}={value}" for name, value in known.items() if value),)
    error.detail = error.hint = None
    error.__cause__ = error.__context__ = None


def _is_closed(connection: RawConnection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool took back a connection that was cut
        return True


@asynccontextmanager
async def open_database(
    url: str, pool_max: int, metrics: Metrics, *, use_prepared_statements: bool = True
) -> AsyncGenerator[Database]:
    """Open a pool of up to `pool_max` connections, for as long as the block runs.

    No connection is made before the first one is needed, so the database may be down.
    `use_prepared_statements=False` is for a PgBouncer that hands each transaction to another
    connection and does not follow prepared statements (before 1.21).
    """
    pool = await asyncpg.create_pool(
        url,
        min_size=0,
        max_size=pool_max,
        command_timeout=STATEMENT_SECONDS,
        statement_cache_size=STATEMENTS_KEPT if use_prepared_statements else 0,
        # The time zone is that of the times in the JSON that PostgreSQL puts together.
        server_settings={"application_name": "bmadflow-api", "timezone": "UTC"},
        connect=Connector(url, CONNECT_SECONDS),
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
    # asyncpg would send a statement that undoes what was set in the session, and wait for it, each
    # time a connection is given back. It still rolls back an open transaction by itself.
    pass
