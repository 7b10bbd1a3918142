"""Turns among the processes of a worker: one of them at a time parses a large text.

Parsing 5 MB of a hostile text takes 140 MB, which four runs would take at the same time.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

PAUSE_SECONDS: Final = 0.01

# Bytes of the file that are locked. A process that waits for its turn holds QUEUE meanwhile, so
# that the one that has the turn does not get the next one at once.
QUEUE: Final = 0
TURN: Final = 1


def open_turns() -> int | None:
    """Return the descriptor of a file for the locks, or None where the system has none in memory.

    The kernel frees a lock when its process ends, however that ends.
    """
    return os.memfd_create("turns") if sys.platform == "linux" else None


@asynccontextmanager
async def take_turn(turns: int | None) -> AsyncGenerator[None]:
    """Have the turn during the block, among the processes that have this descriptor."""
    if turns is None:
        yield
        return
    await _lock(turns, QUEUE)
    try:
        await _lock(turns, TURN)
    finally:
        fcntl.lockf(turns, fcntl.LOCK_UN, 1, QUEUE)
    try:
        yield
    finally:
        fcntl.lockf(turns, fcntl.LOCK_UN, 1, TURN)


async def _lock(turns: int, byte: int) -> None:
    while True:
        try:
            fcntl.lockf(turns, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
        except BlockingIOError:
            await asyncio.sleep(PAUSE_SECONDS)
        else:
            return
