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

    DETAIL quotes rows; what is wrong with a value (class 22, and asyncpg's own check of arguments)
    quotes it.
    """
    error.detail = None
    if isinstance(error, ValueError) or (getattr(error, "sqlstate", None) or "").startswith("22"):
        error.args = ("the value is not shown",)
