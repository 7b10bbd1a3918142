"""Turns among the processes of a worker: one of them at a time does what takes much memory.

Parsing 5 MB of a hostile text takes 140 MB, and the lists of 50,000 documents take 50 to 100 MB.
Four runs would take that at the same time.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from contextlib import asynccontextmanager, suppress
from enum import IntEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PAUSE_SECONDS: Final = 0.01

# The most seconds that a run waits. Then it goes on without its turn: rather more memory than a run
# that another one holds up.
WAIT_SECONDS: Final = 60.0


class Turn(IntEnum):
    """What one process at a time does. A run that has the turn for lists may take that for a text.

    The value is the byte of the file that is locked. The next byte is locked by the process that
    waits longest, so that the one that has the turn does not get the next one at once.
    """

    TEXT = 0
    LISTS = 2


def open_turns() -> int | None:
    """Return the descriptor of a file for the locks, or None where the system has none in memory.

    The kernel frees a lock when its process ends, however that ends.
    """
    return os.memfd_create("turns") if sys.platform == "linux" else None


@asynccontextmanager
async def take_turn(turns: int | None, turn: Turn) -> AsyncGenerator[None]:
    """Have the turn during the block, among the processes that have this descriptor.

    The block begins without it after WAIT_SECONDS.
    """
    if turns is None:
        yield
        return
    with suppress(TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            await _wait_for(turns, turn)
    try:
        yield
    finally:
        fcntl.lockf(turns, fcntl.LOCK_UN, 1, turn)


async def _wait_for(turns: int, turn: Turn) -> None:
    queue = turn + 1
    await _lock(turns, queue)
    try:
        await _lock(turns, turn)
    finally:
        fcntl.lockf(turns, fcntl.LOCK_UN, 1, queue)


async def _lock(turns: int, byte: int) -> None:
    while True:
        try:
            fcntl.lockf(turns, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except BlockingIOError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
