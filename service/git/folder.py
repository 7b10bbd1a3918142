"""Private temporary directories that are removed even after a kill -9 of their owner."""

import os
import shutil
import signal
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from service.locks import lock

PREFIX = "bmadflow-sync-"
LOCK_NAME = "lock"
REMOVE_TRIES = 5
REMOVE_PAUSE_SECONDS = 0.02


class TemporaryFolder:
    """A new directory of this user alone. While it is used, a file in it is locked."""

    def __init__(self) -> None:
        """Make it. Raises OSError."""
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))  # mode 0700
            try:
                descriptor = _lock(self.path)
            except BaseException:
                shutil.rmtree(self.path, ignore_errors=True)
                raise
            # Another's remove_leftovers() may have been in between the two lines.
            if descriptor is not None:
                self._lock = descriptor
                return

    def remove(self) -> None:
        """Remove it with all that is in it."""
        _remove(self.path)
        os.close(self._lock)


def remove_leftovers() -> int:
    """Remove the directories of owners who were killed; return how many. For before a sync.

    Those that are in use, here or in other processes, and those of other users stay. A git that
    outlived its owner is ended: its helpers do, for as long as a server keeps them busy.
    """
    removed = 0
    with os.scandir(tempfile.gettempdir()) as entries:
        candidates = [Path(entry.path) for entry in entries if entry.name.startswith(PREFIX)]
    for path in candidates:
        try:
            status = path.lstat()
            if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
                continue
            descriptor = _lock(path)
        except OSError:  # just removed by somebody else
            continue
        if descriptor is not None:
            _end_processes(path)
            _remove(path)
            os.close(descriptor)
            removed += 1
    return removed


def _end_processes(path: Path) -> None:
    """Kill whoever has a file in the directory as standard error, where the system tells."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "fd/2").readlink().parent == path:
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:  # it has ended, or is another user's
            continue


def _lock(path: Path) -> int | None:
    """Return the descriptor that holds the directory's lock; None if another does or removed it."""
    try:
        descriptor = lock(path / LOCK_NAME)
    except FileNotFoundError:
        return None
    if descriptor is None:
        return None
    try:
        ours = os.path.samestat(os.fstat(descriptor), (path / LOCK_NAME).lstat())
    except FileNotFoundError:
        ours = False
    if not ours:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: Path) -> None:
    # Not at once where somebody who has just been stopped still makes a file in it.
    for _ in range(REMOVE_TRIES):
        # The lock goes last, so that whoever is killed meanwhile leaves what the next one removes.
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
