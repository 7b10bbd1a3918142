"""Checks that time grows as its input does, on a machine that may be busy."""

from __future__ import annotations

import gc
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Input = TypeVar("Input")

# Four times as much takes 4 times as long if time is linear, and 16 times as long if quadratic.
TIMES: Final = 4
MOST: Final = 9
TRIES: Final = 4
# Seconds. Less than this is not measured: quadratic time of four times as much is far beyond it.
TOO_SHORT: Final = 0.02


def assert_linear(
    read: Callable[[Input], object], make: Callable[[int], Input], size: int, name: str = ""
) -> None:
    """Check that reading `make(4 * size)` takes at most nine times as long as `make(size)`.

    The processor's time counts, the shortest of some runs, without garbage collection: others that
    run on the machine change it little. `size` should be so large that quadratic time is seen, as
    some thousands of items are.
    """
    few, many = make(size), make(TIMES * size)
    short = long = 0.0
    for _ in range(TRIES):
        long = _seconds(read, many)
        if long < TOO_SHORT:
            return
        short = _seconds(read, few)
        if long <= MOST * short:
            return
    raise AssertionError(f"{name}: {long:.3f} s for {TIMES} times as much as in {short:.3f} s")


def _seconds(read: Callable[[Input], object], given: Input) -> float:
    """Return the shortest time of two runs, or that of the first if it is not worth another."""
    shortest = float("inf")
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        for _ in range(2):
            start = time.thread_time()
            read(given)
            shortest = min(shortest, time.thread_time() - start)
            if shortest < TOO_SHORT / TIMES / MOST:
                break
    finally:
        if was_enabled:
            gc.enable()
    return shortest
