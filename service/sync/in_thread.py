"""Work in a thread for which a transaction waits."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.database.database import Connection

# PostgreSQL ends a transaction that is idle for 10 s: see service/database/session.py.
SECONDS_BETWEEN_STATEMENTS: Final = 3

Made = TypeVar("Made")


async def run_in_thread(transaction: Connection, work: Callable[[], Made]) -> Made:
    """Return what `work` returns, called in a thread; the transaction is used now and then."""
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        while not (await asyncio.wait([working], timeout=SECONDS_BETWEEN_STATEMENTS))[0]:
            await transaction.execute("select")
        return working.result()
    finally:
        working.cancel()
