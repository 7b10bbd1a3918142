from __future__ import annotations

import asyncio

import pytest

from service.problems import Problem
from service.web.turns import Turns

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_turns_are_given_in_order_and_no_more_at_once_than_there_are() -> None:
    turns = Turns(2, 5, "Too many.")
    under_way: list[int] = []
    begun: list[int] = []
    most = 0

    async def hold(number: int) -> None:
        nonlocal most
        async with turns.take():
            begun.append(number)
            under_way.append(number)
            most = max(most, len(under_way))
            await asyncio.sleep(0)
            under_way.remove(number)

    await asyncio.gather(*(hold(number) for number in range(10)))
    assert begun == [*range(10)]
    assert most == 2


async def test_a_request_that_waited_too_long_is_refused_and_its_turn_goes_to_the_next() -> None:
    turns = Turns(1, 0.05, "Too many.")
    async with turns.take():
        with pytest.raises(Problem, match="Too many") as raised:
            async with turns.take():
                raise AssertionError
    assert raised.value.status == 503
    async with turns.take():
        pass


async def test_a_failed_or_cancelled_request_gives_its_turn_back() -> None:
    turns = Turns(1, 5, "Too many.")
    with pytest.raises(LookupError):
        async with turns.take():
            raise LookupError
    async with turns.take():
        waiting = asyncio.create_task(turns.take().__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    async with turns.take():
        pass
