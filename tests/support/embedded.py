"""Embedded servers for the tests of service/embedded."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from service.embedded.postgres import EmbeddedPostgres, EmbeddedPostgresError
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    import pytest

FAST = {"fsync": "off"}


def server(folder: Path, options: dict[str, str] = FAST) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, options=options)


def postmaster(folder: Path) -> int:
    return int((folder / "data/postmaster.pid").read_text().split()[0])


def end_processes(folder: Path) -> None:
    """Kill the other processes that have a file in the folder open: those of a failed test."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):  # it has ended, or is another user's
            files = Path(f"/proc/{process.pid}/fd").iterdir()
            if process.pid != os.getpid() and any(_is_in(folder, file) for file in files):
                process.kill()


def _is_in(folder: Path, file: Path) -> bool:
    try:
        return file.readlink().is_relative_to(folder)
    except OSError:  # just closed
        return False


def query(dsn: str, statement: str) -> object:
    """Return the first column of the first row."""
    return run_sql(dsn, statement)[0][0]


def one_line(error: pytest.ExceptionInfo[EmbeddedPostgresError]) -> str:
    """Return the error's text, which names the alternative to an embedded server."""
    text = str(error.value)
    assert "\n" not in text
    assert "DATABASE_URL" in text
    return text
