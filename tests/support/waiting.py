"""Polling for the state that a test expects."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


# A busy machine starts a service of two workers, or a server of PostgreSQL, within this. A test
# that passes waits no longer for it.
PATIENCE_SECONDS = 30.0


def eventually(check: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Call `check` until its result is true, and return that; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.01)
    return value
