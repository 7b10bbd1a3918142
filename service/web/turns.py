"""Turns for requests that cost much: a few at once, the others wait in order."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


class Turns:
    """Turns for `count` requests at once."""

    def __init__(self, count: int, seconds: float, detail: str) -> None:
        """Take the time in seconds after which a request is refused, and the detail of that."""
        self._turns = asyncio.Semaphore(count)
        self._seconds = seconds
        self._detail = detail

    @asynccontextmanager
    async def take(self) -> AsyncGenerator[None]:
        """Wait for a turn and hold it during the block; raise the Problem `unavailable`."""
        try:
            async with asyncio.timeout(self._seconds):
                await self._turns.acquire()
        except TimeoutError:
            raise Problem("unavailable", self._detail) from None
        try:
            yield
        finally:
            self._turns.release()
