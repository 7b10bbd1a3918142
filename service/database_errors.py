"""What can go wrong with the database, and what of it may be told."""

from typing import Literal

import asyncpg

from service.problems import Problem

Reason = Literal["timeout", "unreachable", "pool_timeout"]

# SQLSTATE classes 08 (connection), 53 (out of resources) and 57 (operator intervention), and what
# a socket or asyncpg itself raises when the other side is gone.
GONE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    OSError,
)

# Another host may do, or this one in a while: nobody is there, it starts or stops, or it is not
# what is asked for (a standby, where the URL says target_session_attrs=primary).
TRY_AGAIN = (
    OSError,  # a TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)


class DatabaseUnavailable(Problem):
    """The database cannot be used now: 503, and worth trying again."""

    def __init__(self, reason: Reason) -> None:
        super().__init__("unavailable", "The database cannot be used at the moment.")
        self.reason: Reason = reason


def forget_values(error: asyncpg.PostgresError | asyncpg.InterfaceError) -> None:
    """Take the values of a statement out of an error, which may end in the log.

    PostgreSQL's messages and details quote values, and so does what asyncpg says of an argument, in
    the error that this one comes from as well. What is left are the code and the names of things.
    """
    names = ("sqlstate", "table_name", "column_name", "constraint_name")
    known = {name: getattr(error, name, None) for name in names}
    error.args = (", ".join(f"{name}={value}" for name, value in known.items() if value),)
    error.detail = error.hint = None
    error.__cause__ = error.__context__ = None
