"""Statements with a deadline each: on one connection, or on any free one of the pool."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeAlias, TypeVar

import asyncpg

from service.database.errors import DatabaseUnavailable, find_passing, redact_values
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Generator

    from asyncpg.pool import PoolConnectionProxy

    # Generic for the type checker only: at run time asyncpg's classes are not.
    RawConnection: TypeAlias = PoolConnectionProxy[asyncpg.Record]

T = TypeVar("T")

Row: TypeAlias = asyncpg.Record

# At a statement's deadline asyncpg asks the server to cancel the statement, and waits for that. A
# frozen or unreachable server does not respond, so this much later the connection is cut.
CANCEL_SECONDS: Final = 0.5

# If a worker freezes or loses its connection between two statements of a transaction, the server
# ends it: its locks would hold up all other workers until TCP gives up, after hours.
BEGIN: Final = "begin; set local idle_in_transaction_session_timeout = '10s'"

# Reasons for which the server may not respond to a rollback, either.
NO_RESPONSE: Final = ("timeout", "unreachable")


class Queries(ABC):
    """Statements on a connection, or on any free connection of the pool.

    Every method raises DatabaseUnavailable for what passes by itself: a deadline that passed, a
    server that went away, and the errors of `PASSING` in database_errors. Of any other error it
    raises asyncpg's own PostgresError, without the statement's values.
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
    """One connection of the pool, held for several statements; each has `seconds` at most."""

    def __init__(self, connection: RawConnection, seconds: float) -> None:
        self._connection = connection
        self.seconds = seconds
        self._ends_at: float | None = None

    @contextmanager
    def ending_at(self, ends_at: float) -> Generator[None]:
        """Let all statements of the block end by a time.perf_counter().

        One that would begin later raises DatabaseUnavailable `too_long`.
        """
        self._ends_at = ends_at
        try:
            yield
        finally:
            self._ends_at = None

    @asynccontextmanager
    async def transaction(self, settings: LiteralString = "") -> AsyncGenerator[None]:
        """Commit at the end of the block, or roll back if the block raises.

        `settings` are statements that the transaction begins with.
        """
        await self.execute(f"{BEGIN}; {settings}" if settings else BEGIN)
        try:
            yield
        except BaseException as error:
            # The block's own error is raised even if the rollback fails: the connection is cut
            # then, which also ends the transaction.
            if _is_closed(self._connection):
                raise
            if isinstance(error, DatabaseUnavailable) and error.reason in NO_RESPONSE:
                self._connection.terminate()  # a rollback would time out, too
            else:
                with suppress(DatabaseUnavailable):
                    await self.execute("rollback")
            raise
        await self.execute("commit")

    async def run_statement(self, statement: Callable[[RawConnection, float], Awaitable[T]]) -> T:
        seconds = self.seconds
        if self._ends_at is not None:
            seconds = min(seconds, self._ends_at - time.perf_counter())
            if seconds <= 0:
                raise DatabaseUnavailable("too_long")
        # Cancelling a task or a statement waits for a response of the server; terminating waits
        # for nothing.
        terminate = asyncio.get_running_loop().call_later(
            seconds + CANCEL_SECONDS, self._connection.terminate
        )
        try:
            return await statement(self._connection, seconds)
        except TimeoutError as error:
            reason = "timeout" if seconds == self.seconds else "too_long"
            raise DatabaseUnavailable(reason) from error
        except OSError as error:
            raise DatabaseUnavailable("unreachable") from error
        except asyncpg.InternalClientError as error:
            # asyncpg's protocol state is inconsistent after a server went away between statements.
            self._cut()
            raise DatabaseUnavailable("unreachable") from error
        except asyncpg.PostgresError as error:
            redact_values(error)
            passing = find_passing(error)
            if passing is None:
                raise
            if passing.ends_session:
                self._cut()
            raise DatabaseUnavailable(
                passing.reason, can_run_again=passing.can_run_again
            ) from error
        except asyncpg.InterfaceError as error:
            if not _is_closed(self._connection):
                redact_values(error)
                raise
            raise DatabaseUnavailable("unreachable") from error
        finally:
            terminate.cancel()

    def _cut(self) -> None:
        if not _is_closed(self._connection):
            self._connection.terminate()


def _is_closed(connection: RawConnection) -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the connection was cut, and the pool has taken it back
        return True
