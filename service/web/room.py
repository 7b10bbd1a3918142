"""A room of bytes for responses that clients have not read, and how slowly they may read.

See large_bodies, which says what takes room.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Message, Send

NO_ROOM: Final = "Too many large responses wait for their clients to read them."

# Where others lack room, a client is cut off that has read fewer bytes a second than this, from the
# start of its large response, after GRACE_SECONDS. While there is room it may read slowly.
LOWEST_SPEED: Final = 64 * 1024
# The same for the clients of an address whose responses hold more than half of the room.
LOWEST_SPEED_OF_HALF: Final = 1024 * 1024
GRACE_SECONDS: Final = 10.0

# A request that was refused for lack of room is expected again within this time; see Retry-After.
REFUSED_SECONDS: Final = 10.0


class Share:
    """A share of the room, of `size` bytes, for the response to a client's address."""

    def __init__(self, room: Room, size: int, address: str) -> None:
        self._room = room
        self.size = size
        self._address = address
        room.held[address] += size

    def shrink(self, size: int) -> None:
        """Give back all but `size` bytes, if the share is larger."""
        if size < self.size:
            self._room.held[self._address] -= self.size - size
            if not self._room.held[self._address]:
                del self._room.held[self._address]
            self._room.give_back(self.size - size)
            self.size = size

    def release(self) -> None:
        """Give back all of it."""
        self.shrink(0)


class ReadingPace:
    """How fast a client reads a response that has room."""

    def __init__(self) -> None:
        self._started = 0.0
        self._sent = 0

    def sending(self, send: Send) -> Send:
        """Return `send`, with its bytes counted."""

        async def send_counted(message: Message) -> None:
            self._started = self._started or time.monotonic()
            self._sent += len(message.get("body", b""))
            await send(message)

        return send_counted

    def is_slow(self, unread: int, now: float, lowest_speed: int) -> bool:
        """Return whether the client reads too slowly; it has not read `unread` of what was sent."""
        seconds = now - self._started
        is_slow = self._sent - unread < lowest_speed * seconds
        return self._started > 0 and seconds > GRACE_SECONDS and is_slow


class Room:
    """A number of bytes, shared out in the order in which shares are asked for."""

    def __init__(self, size: int, when_empty: Callable[[], None] = lambda: None) -> None:
        self.size = size
        self.free = size
        self.held: Counter[str] = Counter()  # by the address of the client
        self._when_empty = when_empty
        self._refused_at = float("-inf")
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for their share."""
        return len(self._waiting)

    @property
    def is_short(self) -> bool:
        """Whether a request waits for room, or was refused for lack of it and may come again."""
        return self.waiting > 0 or time.monotonic() < self._refused_at + REFUSED_SECONDS

    def lowest_speed(self, address: str) -> int:
        """Return how slowly the clients of an address may read while the room is short."""
        return LOWEST_SPEED_OF_HALF if self.held[address] > self.size / 2 else LOWEST_SPEED

    def _refuse(self) -> Problem:
        self._refused_at = time.monotonic()
        return Problem("unavailable", NO_ROOM)

    def _limit(self, size: int) -> int:
        return min(size, self.size)  # what is larger than the room gets all of it

    def take_now(self, size: int, address: str = "") -> Share:
        """Return a share; raise the Problem `unavailable` if there is no room for it at once.

        For a body that exists, and so must not wait. Those that wait have not been made.
        """
        size = self._limit(size)
        if size > self.free:
            raise self._refuse()
        self.free -= size
        return Share(self, size, address)

    async def take(self, size: int, seconds: float, address: str = "") -> Share:
        """Return a share; raise the Problem `unavailable` without room for it after `seconds`."""
        size = self._limit(size)
        if self._waiting or size > self.free:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                async with asyncio.timeout(seconds):
                    await turn
            except BaseException as error:
                if turn.done() and not turn.cancelled():
                    self.give_back(size)  # it was given in the same step of the event loop
                else:
                    with suppress(ValueError):  # it was left out already
                        self._waiting.remove((size, turn))
                    self._give_turns()
                if isinstance(error, TimeoutError):
                    raise self._refuse() from None
                raise
        else:
            self.free -= size
        return Share(self, size, address)

    def give_back(self, size: int) -> None:
        """Take back bytes that a share had; called by the share."""
        self.free += size
        self._give_turns()
        if self.free == self.size:
            self._when_empty()

    def _give_turns(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.free:
            size, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.free -= size
                turn.set_result(None)
