"""Connections of the migrations: their time limits, and their errors in one line."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import psycopg
from psycopg.conninfo import make_conninfo

from service.connecting.libpq import libpq_parameters
from service.connecting.url import read_url

CONNECT_SECONDS: Final = 5

# How long a statement may wait for a lock that the live service holds: while it waits, all requests
# for that table wait behind it.
LOCK_TIMEOUT: Final = "5s"

SESSION: Final = {
    "lock_timeout": LOCK_TIMEOUT,
    # Limits that a role or a database sets for requests must not hold for migrations.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    # Lets the server notice that the client's machine is gone.
    "tcp_keepalives_idle": "10s",
    "tcp_keepalives_interval": "5s",
    "tcp_keepalives_count": "3",
}

# The server continues the statement of a killed process, whose locks the next migrate needs, unless
# it checks during the statement that the client is still connected.
CLIENT_CHECK_INTERVAL: Final = "500ms"


def connect(url: str) -> psycopg.Connection[Any]:
    """Return a connection that commits each statement. Raises psycopg's OperationalError."""
    connection = psycopg.connect(conninfo(url), autocommit=True)
    set_up_session(connection)
    return connection


def set_up_session(connection: psycopg.Connection[Any]) -> None:
    """Set the parameters in SESSION that the server's version has."""
    connection.execute(
        """
        select set_config(name, value, false)
        from unnest(%s::text[], %s::text[]) as wanted (name, value) join pg_settings using (name)
        """,
        (list(SESSION), list(SESSION.values())),
    )
    # On systems without support for the check, such as Windows, only 0 is valid. PostgreSQL 13 and
    # older do not have it.
    without_support = (psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject)
    with suppress(*without_support), connection.transaction():
        connection.execute(f"set client_connection_check_interval = '{CLIENT_CHECK_INTERVAL}'")


def exists(connection: psycopg.Connection[Any], table: str) -> bool:
    """Return whether the connection's search_path has a table of this name."""
    row = connection.execute("select to_regclass(%s) is not null", (table,)).fetchone()
    return row == (True,)


def conninfo(url: str) -> str:
    """Return libpq's connection string: the address and a time limit for connecting."""
    address = read_url(url)
    parameters = {
        "connect_timeout": str(CONNECT_SECONDS),
        **libpq_parameters(address),
        "application_name": address.application_name("bmadflow-api migrate"),
        # The files are sent as they are.
        "client_encoding": "UTF8",
    }
    return make_conninfo(**parameters)


def describe_error(error: psycopg.Error) -> str:
    """Return PostgreSQL's message in one line."""
    diagnostics = error.diag
    text = diagnostics.message_primary or str(error)
    for more in (diagnostics.message_detail, diagnostics.message_hint):
        text += f" ({more})" if more else ""
    if isinstance(error, psycopg.errors.LockNotAvailable):
        text += (
            ": another session, such as the live service's, kept a lock for longer than "
            f"lock_timeout ({LOCK_TIMEOUT} unless the file sets another); try again, best when it "
            "is less busy"
        )
    return " ".join(text.split())
