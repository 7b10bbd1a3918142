"""asyncpg's pool with deadlines: acquiring a connection, in turn, and giving it back."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

import asyncpg
import structlog

from service.connecting.hosts import TRY_AGAIN
from service.database.errors import DatabaseUnavailable
from service.database.queries import CANCEL_SECONDS, NO_RESPONSE

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.database.queries import RawConnection, Row

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Exponential back-off after the server refused a connection.
RETRY_SECONDS: Final = 0.1
LONGEST_RETRY_SECONDS: Final = 0.5

# Errors of opening a connection: of the network, of the server, or no server as the URL wants it.
# ValueError: the URL has a part that asyncpg cannot use.
REFUSALS: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ValueError,
)

# Errors of giving a connection back.
DROPPED: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)

# How long a full pool may get no connection back before it counts as stuck.
STUCK_SECONDS: Final = 5.0


class PoolUse(NamedTuple):
    """Connections of the pool: allowed, in use and idle; and callers that wait for one."""

    maximum: int
    used: int
    idle: int
    waiting: int


class Pool:
    """The connections of one worker. Each is acquired within a deadline.

    `observe_wait`, if given, gets the seconds of each attempt to acquire one.
    """

    def __init__(
        self, pool: asyncpg.Pool[Row], observe_wait: Callable[[float], object] | None
    ) -> None:
        self._pool = pool
        self._observe_wait = observe_wait
        self._waiting = 0
        self._moved_at = time.perf_counter()  # see is_stuck
        # Callers get connections in the order in which they ask. In asyncpg's own queue a newcomer
        # can take the connection for which another caller was just woken.
        self._turns = asyncio.Semaphore(pool.get_max_size())

    async def acquire(self, seconds: float, *, is_patient: bool) -> RawConnection:
        """Return a connection; the caller has to `release` it, or to have it taken back.

        Raises DatabaseUnavailable after `seconds` without a connection; with is_patient=False, as
        soon as the server refuses one. A restarting server refuses for a while, so a patient
        caller retries.
        """
        started = time.perf_counter()
        if not self._is_full():
            self._moved_at = started
        self._waiting += 1
        try:
            # Not asyncpg's own timeout, for which Python 3.11 starts a task.
            async with asyncio.timeout(seconds):
                return await self._acquire_or_retry(started + seconds, is_patient=is_patient)
        except TimeoutError as error:
            reason = "pool_timeout" if self._turns.locked() else "timeout"
            raise DatabaseUnavailable(reason) from error
        except REFUSALS as error:
            raise DatabaseUnavailable("unreachable") from error
        finally:
            self._waiting -= 1
            if self._observe_wait is not None:
                self._observe_wait(time.perf_counter() - started)

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

    async def release(self, connection: RawConnection) -> None:
        """Give a connection back that has served."""
        self._moved_at = time.perf_counter()
        try:
            if connection._con is None:
                await self._pool.release(connection, timeout=CANCEL_SECONDS)
            else:
                # As the pool's own method does, but not in a task: this waits only where asyncpg
                # closes an old connection, and a cancellation then cuts it.
                connection._con._on_release()
                await connection._holder.release(CANCEL_SECONDS)
        except DROPPED as error:
            _log_dropped(error)  # the caller has its result
        finally:
            self._turns.release()

    async def take_back(self, connection: RawConnection, error: BaseException) -> None:
        """Take a connection back from a block that raised `error`."""
        # Not for one that a deadline took from its request: that is no progress.
        if not (isinstance(error, DatabaseUnavailable) and error.reason in NO_RESPONSE):
            self._moved_at = time.perf_counter()
        try:
            await self._pool.release(connection, timeout=CANCEL_SECONDS)
        except DROPPED as dropped:
            _log_dropped(dropped)
        finally:
            self._turns.release()

    async def close(self, seconds: float) -> None:
        """Close all connections; cut those that are not closed after `seconds`."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=seconds)
        except TimeoutError:
            self._pool.terminate()

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
    def is_stuck(self) -> bool:
        """Whether the pool is full and was given no connection back for STUCK_SECONDS.

        A pool counts as full, too, while callers wait for a server that refuses more connections.
        """
        return self._is_full() and time.perf_counter() - self._moved_at >= STUCK_SECONDS

    def _is_full(self) -> bool:
        # Connections that are being opened have a turn: a server that accepts and does not respond
        # fills the pool as well.
        return self._waiting > 0 or self._turns.locked()


def _log_dropped(error: Exception) -> None:
    # The pool dropped the connection and will open another.
    log.warning("database_connection_dropped", error=repr(error))
