"""File locks by `flock`, which the kernel releases however the holding process ends."""

import contextlib
import fcntl
import os
import time
from pathlib import Path

POLL_SECONDS = 0.01


def lock(path: Path, *, shared: bool = False, seconds: float = 0) -> int | None:
    """Return a descriptor that holds the lock until it, and each inherited copy of it, is closed.

    Returns None if other processes hold the lock for `seconds`. Creates the file if it is
    missing. Raises OSError if the file cannot be opened or is a symbolic link.
    """
    operation = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with contextlib.ExitStack() as unless_locked:
        unless_locked.callback(os.close, descriptor)
        if os.geteuid() == 0:  # the folder's owner must be able to open it later
            owner = path.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
        deadline = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    return None
                time.sleep(POLL_SECONDS)
            else:
                unless_locked.pop_all()
                return descriptor


def is_free(path: Path) -> bool:
    """Return whether no process holds the lock, exclusively or shared. Raises OSError."""
    descriptor = lock(path)
    if descriptor is not None:
        os.close(descriptor)
    return descriptor is not None
