"""Batches of documents, each for one statement."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

# The most documents, and the most bytes of them, that one statement reads or writes.
ROWS_PER_STATEMENT: Final = 500
BYTES_PER_STATEMENT: Final = 4_000_000

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_batches(sized: Sequence[tuple[Item, int]]) -> Iterator[list[Item]]:
    """Yield the items, each given with its size in bytes, in batches for one statement each."""
    batch: list[Item] = []
    total = 0
    for item, size in sized:
        if batch and (len(batch) == ROWS_PER_STATEMENT or total + size > BYTES_PER_STATEMENT):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size
    if batch:
        yield batch


async def use_batches(
    batches: Iterable[Item],
    make: Callable[[Item], Made],
    use: Callable[[Made], Awaitable[None]],
) -> None:
    """Call `use` with what `make` returns for each batch, in order.

    While one is used, a thread makes the next one: never more than that. The thread has ended when
    this function returns, raises or is cancelled.
    """
    with ThreadPoolExecutor(1) as thread:
        made: Made | None = None
        for batch in batches:
            making = thread.submit(make, batch)
            if made is not None:
                await use(made)
                made = None
            made = await asyncio.wrap_future(making)
        if made is not None:
            await use(made)
