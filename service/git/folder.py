"""Private temporary directories, removed in the end even if their owner is killed by SIGKILL."""

import os
import shutil
import signal
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from service.locks import lock
from service.temporary import temporary_parent

PREFIX = "bmadflow-sync-"
LOCK_NAME = "lock"
REMOVE_TRIES = 5
REMOVE_PAUSE_SECONDS = 0.02


class TemporaryFolder:
    """A new directory that only this user can enter. A locked file in it marks it as in use."""

    def __init__(self) -> None:
        """Make the directory and lock it. Raises OSError."""
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=temporary_parent()))  # mode 0700
            try:
                descriptor = _lock_directory(self.path)
            except BaseException:
                shutil.rmtree(self.path, ignore_errors=True)
                raise
            # Another process's remove_leftovers() may remove a directory before it is locked.
            if descriptor is not None:
                self._lock = descriptor
                return

    def remove(self) -> None:
        """Remove the directory with everything in it, and unlock it."""
        _remove(self.path)
        os.close(self._lock)


def remove_leftovers() -> int:
    """Remove the directories of killed owners; return their number.

    Directories in use, in this process or another one, and those of other users stay. A git helper
    outlives its killed owner for as long as a server keeps it busy: it is killed first.
    """
    removed = 0
    with os.scandir(temporary_parent()) as entries:
        candidates = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    for path in candidates:
        try:
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            descriptor = _lock_directory(path)
        except OSError:  # another process has just removed it
            continue
        if descriptor is not None:
            _kill_processes(path)
            _remove(path)
            os.close(descriptor)
            removed += 1
    return removed


def _kill_processes(path: Path) -> None:
    """Kill the processes whose standard error is a file in the directory. Needs /proc."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "fd/2").readlink().parent == path:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:  # the process has ended, or is another user's
            continue


def _lock_directory(path: Path) -> int | None:
    """Return a descriptor that holds the directory's lock.

    Returns None if another process holds it or has removed the directory.
    """
    try:
        descriptor = lock(path / LOCK_NAME)
    except FileNotFoundError:
        return None
    if descriptor is None:
        return None
    try:
        is_current = os.path.samestat(os.fstat(descriptor), (path / LOCK_NAME).lstat())
    except FileNotFoundError:
        is_current = False
    if not is_current:  # locked a file that was just removed
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path) -> None:
    # Retried, because a process that is just ending may still create a file.
    for _ in range(REMOVE_TRIES):
        # The lock file goes last: until then, no other process removes the same directory.
        with suppress(OSError):
            for child in list(path.iterdir()):
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child, ignore_errors=True)
                elif child.name != LOCK_NAME:
                    child.unlink()
        shutil.rmtree(path, ignore_errors=True)
        if not path.exists():
            return
        time.sleep(REMOVE_PAUSE_SECONDS)
