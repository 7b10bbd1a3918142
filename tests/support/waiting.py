"""Waiting for the state that a test expects, and promises of seconds."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


# A busy machine starts a service of two workers, or a server of PostgreSQL, within this. A test
# that passes waits no longer for it.
PATIENCE_SECONDS = 30.0

# No process waits longer than this for a busy machine. Measured: 1.3 s with ten tasks per core.
STALL_SECONDS = 5.0


class LateError(AssertionError):
    """What had to be done within some seconds was done later, by less than STALL_SECONDS.

    A test that raises this runs again: see late.py.
    """


def eventually(check: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Call `check` until its result is true, and return that; fail after `seconds`."""
    started = time.monotonic()
    while not (value := check()):
        passed = time.monotonic() - started
        assert passed < seconds + STALL_SECONDS, f"still {value!r} after {passed:.1f} s"
        time.sleep(0.01)
    assert_in_time(time.monotonic() - started, seconds)
    return value


@contextmanager
def within(seconds: float) -> Generator[None]:
    """Check that the block takes less than `seconds`."""
    started = time.monotonic()
    yield
    assert_in_time(time.monotonic() - started, seconds)


def assert_in_time(taken: float, promised: float) -> None:
    """Check that something took less than the seconds that are promised for it."""
    assert taken < promised + STALL_SECONDS, f"took {taken:.2f} s instead of {promised:g} s"
    if taken >= promised:
        message = f"took {taken:.2f} s instead of {promised:g} s"
        raise LateError(message)
