"""The database's errors: DatabaseUnavailable for callers, and no values in what the log shows."""

from __future__ import annotations

from typing import Literal, TypeAlias

import asyncpg

from service.problems import Problem

# The server went away: SQLSTATE classes 08 (connection), 53 (out of resources) and 57 (operator
# intervention), and the errors of sockets.
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    OSError,
)

Reason: TypeAlias = Literal["timeout", "unreachable", "pool_timeout"]


class DatabaseUnavailable(Problem):
    """The database cannot be used now: a 503, and a later attempt may succeed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__("unavailable", "The database cannot be used at the moment.")
        self.reason: Reason = reason


def redact_values(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> None:
    """Reduce an error to its SQLSTATE and the names of tables, columns and constraints.

    The error may be logged. PostgreSQL's messages and details quote the statement's values, and so
    do asyncpg's about an argument and the errors that caused them.
    """
    names = ("sqlstate", "table_name", "column_name", "constraint_name")
    if isinstance(error, asyncpg.InsufficientPrivilegeError):
        # Its fields lack the table's name. Its message has that, and no values.
        error.args = (f"sqlstate={error.sqlstate}, {error.args[0]}",)
        error.detail = error.hint = None
        error.__cause__ = error.__context__ = None
        return
    known = {name: getattr(error, name, None) for name in names}
    error.args = (", ".join(f"{name}={value}" for name, value in known.items() if value),)
    error.detail = error.hint = None
    error.__cause__ = error.__context__ = None
