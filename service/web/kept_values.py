"""Values that cost much to make: kept while there is room, and made once for many requests."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from service.web.turns import Turns

T = TypeVar("T")

# The largest share of the room that one value may have: a larger one is not kept.
LARGEST_SHARE: Final = 1 / 4


class Made(NamedTuple, Generic[T]):
    """A value, and about how many bytes of memory it takes."""

    value: T
    size: int


class KeptValues(Generic[T]):
    """The values that were asked for last, of `room` bytes together; `turns` to make others."""

    def __init__(self, room: int, turns: Turns) -> None:
        self.size = 0
        self._room = room
        self._turns = turns
        self._kept: OrderedDict[Hashable, Made[T]] = OrderedDict()
        self._making: dict[Hashable, asyncio.Task[T]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Made[T]]]) -> T:
        """Return the value of a key; where it is not kept, that of `make`.

        Requests that ask for it meanwhile wait for the same. It is made even if all of them end, so
        that those that come again need not begin anew. Raises what `make` raises, and the Problem
        `unavailable` where no turn comes.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            return kept.value
        making = self._making.get(key)
        if making is None:
            making = self._making[key] = asyncio.create_task(self._make(key, make))
            making.add_done_callback(_retrieve_error)
        return await asyncio.shield(making)

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Made[T]]]) -> T:
        try:
            async with self._turns.take():
                made = await make()
        finally:
            del self._making[key]
        if made.size <= self._room * LARGEST_SHARE:
            self._kept[key] = made
            self.size += made.size
            while self.size > self._room:
                _, oldest = self._kept.popitem(last=False)
                self.size -= oldest.size
        return made.value


def _retrieve_error(task: asyncio.Task[T]) -> None:
    # Without a request that waits for it, asyncio would log the error as one that nobody saw.
    if not task.cancelled():
        task.exception()
