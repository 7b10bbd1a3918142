"""Batches of documents, each for one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# The most documents, and the most bytes of them, that one statement reads or writes.
ROWS_PER_STATEMENT: Final = 500
BYTES_PER_STATEMENT: Final = 4_000_000

Item = TypeVar("Item")


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
