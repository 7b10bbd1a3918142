"""The first process of a container: it starts the service as a process of its own, and reaps.

In a container without an init, the first process becomes the parent of all orphans, such as what a
killed run leaves of its git, and has to reap them. The service itself cannot: to wait for any child
would take the exit codes of those that asyncio and multiprocessing wait for.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from service.server.stop_signals import stop_signals

if TYPE_CHECKING:
    from types import FrameType


def leave_first_process() -> None:
    """Go on in a child if this is the first process of a container; the parent never returns.

    The parent passes signals on to the child, reaps every process that becomes its own, and exits
    with the code of the child.
    """
    if os.getpid() != 1:
        return
    child = os.fork()
    if child == 0:
        os.setsid()  # or a terminal's Ctrl-C would come twice: directly, and passed on
        return

    def pass_on(number: int, _: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in stop_signals():
        signal.signal(number, pass_on)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            sys.exit(code if code >= 0 else 128 - code)
