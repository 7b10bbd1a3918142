"""The error of the embedded PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

REMEDY: Final = "or set DATABASE_URL to a server"


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be used: one line that says what is wrong and what to do."""


def folder_error(directory: Path, text: str) -> EmbeddedPostgresError:
    """Return the error of the server in a folder; `text` says what is wrong and what to do."""
    return EmbeddedPostgresError(f"embedded PostgreSQL in {directory}: {text}, {REMEDY}")
