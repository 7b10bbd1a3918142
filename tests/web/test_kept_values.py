"""Values that are kept in a room of bytes, and made once."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from service.problems import Problem
from service.web.kept_values import KeptValues, Made
from service.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Maker:
    """Makes values of a size, and counts how often; `open` lets it end."""

    def __init__(self, size: int = 10) -> None:
        self.count = 0
        self.size = size
        self.open = asyncio.Event()
        self.open.set()

    def __call__(self, value: str) -> Callable[[], Awaitable[Made[str]]]:
        async def make() -> Made[str]:
            self.count += 1
            await self.open.wait()
            return Made(value, self.size)

        return make


def kept_values(room: int = 40, turns: int = 2, seconds: float = 5) -> KeptValues[str]:
    return KeptValues(room, Turns(turns, seconds, "Too many at once."))


async def test_a_value_is_made_once_while_there_is_room() -> None:
    values, make = kept_values(), Maker()
    assert [await values.get("a", make("a")) for _ in range(3)] == ["a"] * 3
    assert make.count == 1
    assert values.size == 10


async def test_the_values_that_were_asked_for_last_stay() -> None:
    values, make = kept_values(), Maker()
    for key in "abcd":
        await values.get(key, make(key))
    await values.get("a", make("a"))
    await values.get("e", make("e"))  # in place of b
    assert values.size == 40
    assert make.count == 5
    for key in "acde":
        await values.get(key, make(key))
    assert make.count == 5
    await values.get("b", make("b"))
    assert make.count == 6


async def test_a_value_larger_than_a_quarter_of_the_room_is_not_kept() -> None:
    values, make = kept_values(), Maker(11)
    assert [await values.get("a", make("a")) for _ in range(2)] == ["a", "a"]
    assert make.count == 2
    assert values.size == 0


async def test_requests_for_one_value_share_its_making() -> None:
    values, make = kept_values(), Maker()
    make.open.clear()
    waiting = [asyncio.create_task(values.get("a", make("a"))) for _ in range(5)]
    await asyncio.sleep(0.01)
    waiting[0].cancel()  # the others still get it
    make.open.set()
    assert await asyncio.gather(*waiting[1:]) == ["a"] * 4
    assert make.count == 1


async def test_a_value_is_made_and_kept_though_its_requests_have_ended() -> None:
    values, make = kept_values(), Maker()
    make.open.clear()
    waiting = asyncio.create_task(values.get("a", make("a")))
    await asyncio.sleep(0.01)
    waiting.cancel()
    make.open.set()
    await asyncio.sleep(0.01)
    assert await values.get("a", make("a")) == "a"
    assert make.count == 1


async def test_an_error_is_raised_for_all_that_wait_and_the_next_request_tries_again() -> None:
    values, make = kept_values(), Maker()

    async def fail() -> Made[str]:
        await asyncio.sleep(0.01)
        raise ValueError

    results = await asyncio.gather(
        *(values.get("a", fail) for _ in range(3)), return_exceptions=True
    )
    assert [type(result) for result in results] == [ValueError] * 3
    assert await values.get("a", make("a")) == "a"


async def test_few_values_are_made_at_once_and_who_waits_too_long_is_refused() -> None:
    values, make = kept_values(turns=1, seconds=0.05), Maker()
    make.open.clear()
    first = asyncio.create_task(values.get("a", make("a")))
    await asyncio.sleep(0.01)
    with pytest.raises(Problem) as refused:
        await values.get("b", make("b"))
    assert refused.value.status == 503
    make.open.set()
    assert await first == "a"
    assert await values.get("b", make("b")) == "b"
