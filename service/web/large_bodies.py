"""Room for large responses: how many bytes a worker holds of those that clients have not read.

A client that reads slowly keeps its response in memory, and many clients may ask for large ones at
once. So a response of more than WHOLE bytes takes room for as long as it is held: before it is
made, where its size is known by then, and otherwise when it is sent. Without room the request waits
in turn, and then gets a 503; meanwhile clients that read too slowly are cut off. A body that
several clients ask for at the same time is made once.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Generic, Self, TypeVar, cast

from service.memory import trim_memory
from service.problems import Problem
from service.web.room import NO_ROOM, ReadingPace, Room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from starlette.types import Message, Scope

    from service.web.room import Share

T = TypeVar("T")

# Bytes of a body that is sent at once, and takes no room: most responses are smaller.
WHOLE: Final = 64 * 1024

ROOM: Final = 128 * 1024 * 1024  # bytes, in each worker
WAIT_SECONDS: Final = 10.0

# So long after a large response, free memory is returned to the system, if no other is under way:
# glibc keeps it for the threads that had it.
TRIM_SECONDS: Final = 5.0

# One makes bodies, so that making several takes no more memory and no more of the interpreter's
# time than making one; the others write their pieces.
MAKING_THREADS: Final = 1
# Each may hold a connection meanwhile, and copies of what it reads, which take no room.
MADE_AT_ONCE: Final = 2
WRITING_THREADS: Final = 2

# In the state of a request: what to call when its response has ended.
RELEASES: Final = "releases"
# There, too: the ReadingPace of a response that has room.
READING: Final = "reading"


class _Body(Generic[T]):
    """A body that is being made, or was made; `users` are the requests that need it."""

    def __init__(self, making: asyncio.Task[T], share: Share | None = None) -> None:
        self.making = making
        self.share = share
        self.users = 0


class _Shared:
    """The room of a body that exists; `users` are the requests that have it."""

    def __init__(self, body: bytes, share: Share) -> None:
        self.body = body  # so that its id() stays its own
        self.share = share
        self.users = 0


class LargeBodies:
    """The large bodies of a worker, the room for them, and the threads that make them."""

    def __init__(self) -> None:
        self.room = Room(ROOM, self.trim_soon)
        self._trimming: asyncio.TimerHandle | None = None
        self._bodies: dict[Hashable, _Body[Any]] = {}
        self._shared: dict[int, _Shared] = {}  # by the id() of the body
        self._turns = asyncio.Semaphore(MADE_AT_ONCE)
        # Threads start when they are first needed.
        self._makers = ThreadPoolExecutor(MAKING_THREADS, "make-bodies")
        self.writers = ThreadPoolExecutor(WRITING_THREADS, "write-bodies")

    async def use(
        self,
        scope: Scope,
        key: Hashable,
        size: int,
        make: Callable[[Share], Awaitable[T]],
        close: Callable[[T], None] = lambda _: None,
    ) -> T:
        """Return the body of this key until the request ends: one that others use, or a new one.

        Waits for `size` bytes of room before `make(share)`, which can shrink its share when it
        knows what it needs. `close` is called when the last request has ended. Raises what `make`
        raises, and the Problem `unavailable` without room.
        """
        body = cast("_Body[T] | None", self._bodies.get(key))
        if body is None:
            body = _Body(asyncio.create_task(self._make(key, size, make, address_of(scope))))
            self._bodies[key] = body
        body.users += 1

        def release() -> None:
            body.users -= 1
            if not body.users:
                self._drop(key, body, close)

        release_at_end(scope, release)
        return await asyncio.shield(body.making)

    def share(self, scope: Scope, body: bytes) -> None:
        """Take room for a body until the request ends; once for all requests that share it.

        Raises the Problem `unavailable` without room.
        """
        key = id(body)
        held = self._shared.get(key)
        if held is None:
            held = _Shared(body, self.room.take_now(len(body), address_of(scope)))
            self._shared[key] = held
        held.users += 1

        def release() -> None:
            held.users -= 1
            if not held.users:
                del self._shared[key]
                held.share.release()

        release_at_end(scope, release)

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Return the result of a step in making a body, which takes a few milliseconds."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._makers, function, *arguments)

    async def _make(
        self, key: Hashable, size: int, make: Callable[[Share], Awaitable[T]], address: str
    ) -> T:
        body = self._bodies[key]
        try:
            body.share = await self.room.take(size, WAIT_SECONDS, address)
            try:
                async with asyncio.timeout(WAIT_SECONDS):
                    await self._turns.acquire()
            except TimeoutError:
                raise Problem("unavailable", NO_ROOM) from None
            try:
                return await make(body.share)
            finally:
                self._turns.release()
        except BaseException:
            # The next request tries again.
            if self._bodies.get(key) is body:
                del self._bodies[key]
            raise

    def _drop(self, key: Hashable, body: _Body[T], close: Callable[[T], None]) -> None:
        if self._bodies.get(key) is body:
            del self._bodies[key]

        def end(making: asyncio.Task[T]) -> None:
            if body.share is not None:
                body.share.release()
            if not making.cancelled() and making.exception() is None:
                close(making.result())

        body.making.cancel()  # does nothing to one that has ended
        if body.making.done():
            end(body.making)
        else:
            body.making.add_done_callback(end)

    def trim_soon(self) -> None:
        """Return free memory to the system when no large body has been held for a while."""
        if self._trimming is None:
            loop = asyncio.get_running_loop()
            self._trimming = loop.call_later(TRIM_SECONDS, self._trim)

    def _trim(self) -> None:
        self._trimming = None
        if self.room.free == self.room.size:
            self._makers.submit(trim_memory)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._trimming is not None:
            self._trimming.cancel()
        # Waits now, while the time of the stop is limited. Python itself waits at its end for
        # threads that are stuck, for ever.
        self._makers.shutdown(cancel_futures=True)
        self.writers.shutdown(cancel_futures=True)


def take_room(scope: Scope, message: Message) -> None:
    """Take room for the body of a message until its client has read it; see Room.take_now.

    A body that is sent in parts takes none here: what makes it has taken what it needs. HEAD sends
    none.
    """
    if message.get("more_body", False) or scope["method"] == "HEAD":
        return
    large_bodies = cast("LargeBodies", scope["state"]["large_bodies"])
    share = large_bodies.room.take_now(len(message["body"]), address_of(scope))
    release_at_end(scope, share.release)


def address_of(scope: Scope) -> str:
    """Return the address of the client, as the log has it; an empty text if there is none."""
    client = scope.get("client")
    return client[0] if client else ""


def release_at_end(scope: Scope, release: Callable[[], None]) -> None:
    """Call `release` when the request has ended: its response is sent, or its client is gone."""
    state = scope["state"]
    state.setdefault(RELEASES, []).append(release)
    state.setdefault(READING, ReadingPace())


def release_all(scope: Scope) -> None:
    """Call what the request has registered with release_at_end."""
    for release in scope["state"].get(RELEASES, ()):
        release()
