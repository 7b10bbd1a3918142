"""The database's errors: which of them pass by themselves, and no values in what the log shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

import asyncpg
import structlog

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

Reason: TypeAlias = Literal[
    "timeout",
    "too_long",
    "unreachable",
    "pool_timeout",
    "conflict",
    "locked",
    "read_only",
    "disk_full",
    "out_of_resources",
    "system_error",
    "schema_changed",
    "schema_behind",
]

UNAVAILABLE: Final = "The database cannot be used at the moment."
DETAILS: Final[Mapping[Reason, str]] = {
    "too_long": "The statements of the request took too long together.",
    "conflict": "Another change to the same data came first.",
    "locked": "Another change to the same data is under way.",
    "disk_full": "The database's disk is full.",
    "read_only": "The database accepts no changes at the moment.",
    "schema_behind": "The database lacks migrations that this version of the service needs.",
}


class DatabaseUnavailable(Problem):
    """The database cannot do this now: a 503, and a later attempt may succeed.

    With `can_run_again` the server has undone the statement, and another attempt may succeed at
    once.
    """

    def __init__(self, reason: Reason, *, can_run_again: bool = False) -> None:
        super().__init__("unavailable", DETAILS.get(reason, UNAVAILABLE))
        self.reason: Reason = reason
        self.can_run_again = can_run_again


def log_unavailable(error: DatabaseUnavailable) -> None:
    """Log the reason of a request that could not use the database, and its cause."""
    log.warning("database_unavailable", reason=error.reason, error=repr(error.__cause__))


class Passing(NamedTuple):
    """What an error that passes by itself means."""

    reason: Reason
    can_run_again: bool = False  # at once: the server has undone the statement
    ends_session: bool = False  # the server is about to close the connection


# By SQLSTATE, or by its class, the first two characters; a SQLSTATE overrules its class.
# https://www.postgresql.org/docs/current/errcodes-appendix.html
# Every other error is a fault of the service, of its schema or of the operator's grants (a 500), or
# of the request: routes map a constraint's violation (class 23) by the name of the constraint. XX,
# internal error and corruption, does not pass, and must not look as if it did.
PASSING: Final[Mapping[str, Passing]] = {
    "08": Passing("unreachable", ends_session=True),  # connection exception
    # A server that became a standby, or that the operator made read-only.
    "25006": Passing("read_only", can_run_again=True),
    "25P03": Passing("timeout", ends_session=True),  # idle_in_transaction_session_timeout
    "25P04": Passing("timeout", ends_session=True),  # transaction_timeout
    # Transaction rollback: serialization failure, deadlock, a standby's conflict with recovery.
    "40": Passing("conflict", can_run_again=True),
    "40003": Passing("conflict"),  # statement completion unknown: it may have been done
    "53100": Passing("disk_full"),
    # Insufficient resources: out of memory, too many connections, a configured limit.
    "53": Passing("out_of_resources"),
    "55006": Passing("locked"),  # object in use
    "55P03": Passing("locked"),  # lock not available: lock_timeout, or NOWAIT
    "57": Passing("unreachable", ends_session=True),  # operator intervention: the server stops
    "57014": Passing("timeout"),  # query canceled: statement_timeout, or an operator
    "58": Passing("system_error"),  # an error outside of PostgreSQL: input and output, files
    "72": Passing("conflict", can_run_again=True),  # snapshot too old
}

# A cached plan whose columns a migration changed: asyncpg drops its plans, so that the next attempt
# succeeds. Its SQLSTATE, 0A000, is also that of features that PostgreSQL does not have.
SCHEMA_CHANGED: Final = Passing("schema_changed", can_run_again=True)

# Errors that a missing migration causes: an undefined table, column, function, type or schema, a
# column of another type, and no unique index for an ON CONFLICT.
OF_SCHEMA: Final = frozenset({"42P01", "42703", "42883", "42704", "3F000", "42804", "42P10"})

# The functions of PostgreSQL that report missing rights.
ACCESS_CHECKS: Final = frozenset({"aclcheck_error", "aclcheck_error_col"})


def find_passing(error: asyncpg.PostgresError) -> Passing | None:
    """Return what an error means that passes by itself, or None for any other."""
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return SCHEMA_CHANGED
    code = error.sqlstate or ""
    return PASSING.get(code) or PASSING.get(code[:2])


def redact_values(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> None:
    """Reduce an error to its SQLSTATE and the names of tables, columns and constraints.

    The error may be logged. PostgreSQL's messages and details quote the statement's values, and so
    do asyncpg's about an argument and the errors that caused them.
    """
    names = ("sqlstate", "table_name", "column_name", "constraint_name")
    if getattr(error, "server_source_function", None) in ACCESS_CHECKS:
        # Missing rights. The fields lack the table's name. The message has that, and no values.
        error.args = (f"sqlstate={getattr(error, 'sqlstate', None)}, {error.args[0]}",)
        error.detail = error.hint = None
        error.__cause__ = error.__context__ = None
        return
    known = {name: getattr(error, name, None) for name in names}
    error.args = (", ".join(f"{name}={value}" for name, value in known.items() if value),)
    error.detail = error.hint = None
    error.__cause__ = error.__context__ = None
