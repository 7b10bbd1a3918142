"""Ends a git whose server sends too slowly, by the bytes of objects that have come.

git and curl cannot: they know a lowest speed only, which any byte counts for. A server that sends
keep-alives, progress, headers or refs one by one would hold git until the deadline.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from service.git.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The share of a GitRepository's time that git may wait for the server without getting objects, and
# the least that it may. A server that counts a large repository's objects sends keep-alives alone
# for tens of seconds (uploadpack.keepAlive), and ls-remote prints only when it has all refs.
PATIENCE_SHARE: Final = 0.15
PATIENCE_SECONDS_MIN: Final = 20.0
# On top of that, each byte of a pack is worth so much of a second: a link of 20 kB/s is slow, and
# still useful.
SLOWEST_BYTES_PER_SECOND: Final = 10_000

CHECK_SECONDS: Final = 1.0

TOO_SLOW: Final = (
    "The server sends too slowly: {bytes:,} bytes of the repository came in {seconds:.0f} s."
)

PROC: Final = Path("/proc")
# The group of a process, and the state of a thread: proc_pid_stat(5). A name in parentheses, which
# may have parentheses itself, comes before them.
_STAT: Final = re.compile(rb".*\) (?P<state>\S) \d+ (?P<group>\d+) ", re.DOTALL)
# Running or about to run, and waiting for a disk.
_WORKING: Final = (b"R", b"D")


def patience(seconds: float) -> float:
    """Return how long a GitRepository that may take `seconds` waits for a server's first object."""
    return max(PATIENCE_SECONDS_MIN, seconds * PATIENCE_SHARE)


class TransferWatch:
    """Counts what all transfers of one repository cost: seconds of waiting, and bytes received."""

    def __init__(self, packs: Path, seconds: float) -> None:
        """Watch the folder `packs`, for a GitRepository that may take `seconds`."""
        self._packs = packs
        self._patience = patience(seconds)
        self._waited = 0.0
        self._received = 0
        self._size = 0

    async def end_if_slow(self, group: int) -> None:
        """Watch a git, by its process group, until this call is cancelled.

        Raises GitError once git has waited too long for the few bytes that came. The time in which
        a process of the group computes is not counted. Without Linux's /proc that time is unknown,
        and nothing is raised.
        """
        processes = _Group(group)
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            self._count_received()
            if not processes.is_working():
                self._waited += CHECK_SECONDS
            if self._waited > self._patience + self._received / SLOWEST_BYTES_PER_SECOND:
                raise GitError(TOO_SLOW.format(bytes=self._received, seconds=self._waited))

    def _count_received(self) -> None:
        size = 0
        # git renames a pack when it is whole.
        for pack in (*self._packs.glob("tmp_pack_*"), *self._packs.glob("*.pack")):
            try:
                size += pack.stat().st_size
            except FileNotFoundError:  # it was renamed just now
                return
        # git removes the pack of a failed fetch.
        self._received += max(0, size - self._size)
        self._size = size


class _Group:
    """The processes of one group, found in /proc."""

    def __init__(self, group: int) -> None:
        self._group = group
        self._members: set[int] = set()
        self._others: set[int] = set()

    def is_working(self) -> bool:
        """Return whether a thread of the group runs, or may be running where /proc is missing."""
        try:
            # The leader is the oldest process of its group.
            with os.scandir(PROC) as entries:
                running = {int(entry.name) for entry in entries if entry.name.isdigit()}
        except FileNotFoundError:
            return True
        for process in sorted(running - self._members - self._others):
            if process < self._group:
                continue
            found = _STAT.match(_read(PROC / str(process) / "stat"))
            is_member = found is not None and int(found["group"]) == self._group
            (self._members if is_member else self._others).add(process)
        self._members &= running
        return any(state in _WORKING for process in self._members for state in _states(process))


def _states(process: int) -> Iterator[bytes]:
    """Yield the states of a process's threads."""
    for path in (PROC / str(process) / "task").glob("*/stat"):
        if found := _STAT.match(_read(path)):
            yield found["state"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # the process has ended, or is another user's
        return b""
