"""Failures of a command that speaks to the database as the service does, as one readable line."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from service.commands.errors import CommandError
from service.database.errors import DatabaseUnavailable
from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Generator

    from service.database.errors import Reason

SCHEMA_BEHIND: Final = "the schema is behind the code: run migrate first"
UNAVAILABLE: Final[dict[Reason, str]] = {
    "unreachable": "the database cannot be reached: does it run, and is DATABASE_URL right?",
    "too_long": "the search took too long: look for fewer words, or in one project",
    "timeout": "the database does not respond in time: is DATABASE_URL right?",
    "pool_timeout": "the database is too slow",
    "conflict": "another change to the same data came first: try again",
    "locked": "another change to the same data is under way: try again",
    "read_only": "the database refuses changes (SQLSTATE 25006): is it a standby?",
    "disk_full": "the database's disk is full",
    "out_of_resources": "the database is out of memory or connections; its log says of which",
    "system_error": "the database has an error of input and output; its log says more",
    "schema_changed": "a migration has just changed the schema: try again",
    "schema_behind": SCHEMA_BEHIND,
}


@contextmanager
def explaining_failures() -> Generator[None]:
    """Raise CommandError for what the database, or a rule of the service, refuses in the block."""
    try:
        yield
    except DatabaseUnavailable as error:
        raise CommandError(UNAVAILABLE[error.reason]) from None
    except Problem as error:  # a quota, or the source was deleted after it was registered
        raise CommandError(error.detail) from None
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError):
        raise CommandError(SCHEMA_BEHIND) from None
    except asyncpg.PostgresError as error:
        raise CommandError(f"the database refuses: {error}") from None
