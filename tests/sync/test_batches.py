"""Batches: a thread makes the next one while one is used."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sync.batches import BYTES_PER_STATEMENT, ROWS_PER_STATEMENT, in_batches, use_batches


@given(sizes=st.lists(st.integers(0, 2 * BYTES_PER_STATEMENT), max_size=50))
def test_a_batch_is_within_its_limits_or_of_one_item(sizes: list[int]) -> None:
    batches = [*in_batches([(size, size) for size in sizes])]
    assert [size for batch in batches for size in batch] == sizes
    for batch in batches:
        assert len(batch) <= ROWS_PER_STATEMENT
        assert len(batch) == 1 or sum(batch) <= BYTES_PER_STATEMENT


def test_the_next_batch_is_made_while_one_is_used_and_no_other() -> None:
    made: list[int] = []
    used: list[int] = []
    is_second_made = threading.Event()

    def make(number: int) -> int:
        made.append(number)
        if number == 1:
            is_second_made.set()
        return number * 10

    async def use(number: int) -> None:
        if number == 0:
            assert await asyncio.to_thread(is_second_made.wait, 10)
        await asyncio.sleep(0.01)
        assert len(made) <= len(used) + 2
        used.append(number)

    asyncio.run(use_batches(range(5), make, use))
    assert made == [0, 1, 2, 3, 4]
    assert used == [0, 10, 20, 30, 40]


def test_no_batch_is_made_of_nothing() -> None:
    async def use(_: object) -> None:
        raise AssertionError

    asyncio.run(use_batches((), lambda _: None, use))


class FailedError(Exception):
    pass


@pytest.mark.parametrize("failing", range(3))
@pytest.mark.parametrize("is_making", [True, False], ids=["made", "used"])
def test_an_error_of_either_side_ends_both(failing: int, *, is_making: bool) -> None:
    steps: list[str] = []
    used: list[int] = []

    def make(number: int) -> int:
        if is_making and number == failing:
            raise FailedError
        threading.Event().wait(0.05)
        steps.append("made")
        return number

    async def use(number: int) -> None:
        if not is_making and number == failing:
            raise FailedError
        used.append(number)

    async def run() -> None:
        with pytest.raises(FailedError):
            await use_batches(range(5), make, use)
        steps.append("ended")

    asyncio.run(run())
    # Nothing reads from a spool that is closed.
    assert steps[-1] == "ended"
    assert used == [*range(failing)]


def test_a_cancelled_write_waits_for_the_thread() -> None:
    steps: list[str] = []
    is_making = threading.Event()

    def make(number: int) -> int:
        if number == 1:
            is_making.set()
            threading.Event().wait(0.2)
            steps.append("made")
        return number

    async def use(_: int) -> None:
        await asyncio.sleep(30)

    async def cancel() -> None:
        task = asyncio.create_task(use_batches(range(5), make, use))
        assert await asyncio.to_thread(is_making.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        steps.append("cancelled")

    asyncio.run(cancel())
    assert steps == ["made", "cancelled"]
