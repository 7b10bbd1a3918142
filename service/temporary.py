"""The folder for temporary files, looked up for each file: it may be removed, and come back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

VARIABLES: Final = ("TMPDIR", "TEMP", "TMP")
DEFAULT_PARENTS: Final = ("/tmp", "/var/tmp")  # noqa: S108 - users make private files there


def temporary_parent() -> Path:
    """Return the folder for temporary files: the first that this user may write to, even if full.

    Python's tempfile passes over a full folder without a word, keeps for ever what it found
    first, and at last writes into the current folder.
    """
    return _first_usable(*map(os.environ.get, VARIABLES), *DEFAULT_PARENTS)


def shared_parent() -> Path:
    """Return the folder for sockets: the same one for processes with and without a TMPDIR."""
    return _first_usable(*DEFAULT_PARENTS)


def _first_usable(*names: str | None) -> Path:
    for name in names:
        if name and Path(name).is_dir() and os.access(name, os.W_OK | os.X_OK):
            return Path(name)
    return Path(DEFAULT_PARENTS[0])  # writing to it fails with the reason
