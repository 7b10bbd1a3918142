"""Every connection option of libpq, and whether both drivers can do what it asks for.

The list is that of PQconndefaults in PostgreSQL 18; "Parameter Key Words" in its manual (34.1.2)
describes the options, and 34.15 the environment variables. The migrations connect by libpq, the
service by asyncpg, which knows about half of the options. Each option is one of:

- honoured: both drivers do what it asks for
- ignored: the service does without it, which changes neither its security nor its results
- refused: asyncpg cannot do it, and without it the connection would be less safe, or another one
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SSL_MODES: Final = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
TLS_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")  # in ascending order
SYSTEM: Final = "system"  # as the value of sslrootcert

INTEGER: Final = re.compile(r"[-+]?[0-9]{1,10}")
INTEGER_MAX: Final = 2**31 - 1
PORTS: Final = re.compile(r"[0-9]{1,5}(,[0-9]{1,5})*")
PORT_MAX: Final = 65535


class Option(NamedTuple):
    """What is known of an option. `check` returns what is wrong with a value, or None."""

    variable: str = ""  # the environment variable that libpq reads it from
    check: Callable[[str], str | None] = lambda _: None
    is_ignored: bool = False


def _one_of(*values: str) -> Callable[[str], str | None]:
    def check(value: str) -> str | None:
        return None if value in values else f"must be one of {', '.join(values)}"

    return check


def _only(*values: str, because: str) -> Callable[[str], str | None]:
    """Accept the values that ask for nothing that a driver lacks."""

    def check(value: str) -> str | None:
        return None if value.lower() in values else because

    return check


def _refused(because: str) -> Callable[[str], str | None]:
    return lambda _: because


def _check_integer(value: str) -> str | None:
    if INTEGER.fullmatch(value.strip()) and abs(int(value)) <= INTEGER_MAX:
        return None
    return "must be a whole number"


def _check_ports(value: str) -> str | None:
    if PORTS.fullmatch(value) and all(0 < int(port) <= PORT_MAX for port in value.split(",")):
        return None
    return f"must be a port, 1 to {PORT_MAX}, or one port for each host"


def _check_tls_version(value: str) -> str | None:
    if value.lower() in {version.lower() for version in TLS_VERSIONS}:
        return None
    return f"must be one of {', '.join(TLS_VERSIONS)}"


NOT_IN_SERVICE: Final = "is not supported: the service's driver cannot do this"
NOT_SENT: Final = "is not supported: the service's driver has no such way to authenticate"

OPTIONS: Final[Mapping[str, Option]] = {
    # Which server, which database, which role.
    "service": Option("PGSERVICE"),
    "host": Option("PGHOST"),
    "hostaddr": Option("PGHOSTADDR", _refused("is not supported: write the address as the host")),
    "port": Option("PGPORT", _check_ports),
    "dbname": Option("PGDATABASE"),
    "user": Option("PGUSER"),
    "password": Option("PGPASSWORD"),
    "passfile": Option("PGPASSFILE"),
    "target_session_attrs": Option(
        "PGTARGETSESSIONATTRS",
        _one_of("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    ),
    "load_balance_hosts": Option("PGLOADBALANCEHOSTS", _one_of("disable", "random")),
    "connect_timeout": Option("PGCONNECT_TIMEOUT", _check_integer),
    # The session.
    "application_name": Option("PGAPPNAME"),
    "fallback_application_name": Option(),
    "options": Option("PGOPTIONS"),
    "client_encoding": Option(
        "PGCLIENTENCODING",
        _only("utf8", "utf-8", "unicode", "auto", because="must be UTF8, which the service speaks"),
    ),
    "replication": Option(
        "", _only("false", "off", "no", "0", because="is not supported: it permits no SQL")
    ),
    "min_protocol_version": Option("PGMINPROTOCOLVERSION", _only("3.0", because=NOT_IN_SERVICE)),
    "max_protocol_version": Option(
        "PGMAXPROTOCOLVERSION", _one_of("3.0", "3.2", "latest"), is_ignored=True
    ),
    # TLS.
    "sslmode": Option("PGSSLMODE", _one_of(*SSL_MODES)),
    "sslnegotiation": Option("PGSSLNEGOTIATION", _one_of("postgres", "direct")),
    "sslrootcert": Option("PGSSLROOTCERT"),
    "sslcert": Option("PGSSLCERT"),
    "sslkey": Option("PGSSLKEY"),
    "sslpassword": Option(),
    "sslcertmode": Option(
        "PGSSLCERTMODE", _only("disable", "allow", because="must be disable or allow")
    ),
    "sslcrl": Option("PGSSLCRL"),
    "sslcrldir": Option("PGSSLCRLDIR"),
    "ssl_min_protocol_version": Option("PGSSLMINPROTOCOLVERSION", _check_tls_version),
    "ssl_max_protocol_version": Option("PGSSLMAXPROTOCOLVERSION", _check_tls_version),
    "sslsni": Option("PGSSLSNI", _only("1", because=NOT_IN_SERVICE)),
    "sslcompression": Option("PGSSLCOMPRESSION", _one_of("0", "1"), is_ignored=True),
    "sslkeylogfile": Option("", _refused("is not supported: it would write down the keys of TLS")),
    # Authentication. For channel_binding=require see tls.py.
    "channel_binding": Option("PGCHANNELBINDING", _one_of("disable", "prefer", "require")),
    "require_auth": Option("PGREQUIREAUTH", _refused(NOT_IN_SERVICE)),
    "requirepeer": Option("PGREQUIREPEER", _refused(NOT_IN_SERVICE)),
    "krbsrvname": Option("PGKRBSRVNAME"),
    "gsslib": Option("PGGSSLIB", is_ignored=True),
    "gssdelegation": Option("PGGSSDELEGATION", _one_of("0", "1"), is_ignored=True),
    "gssencmode": Option(
        "PGGSSENCMODE", _only("disable", "prefer", because=NOT_IN_SERVICE), is_ignored=True
    ),
    "scram_client_key": Option("", _refused(NOT_SENT)),
    "scram_server_key": Option("", _refused(NOT_SENT)),
    "oauth_issuer": Option("", _refused(NOT_SENT)),
    "oauth_client_id": Option("", _refused(NOT_SENT)),
    "oauth_client_secret": Option("", _refused(NOT_SENT)),
    "oauth_scope": Option("", _refused(NOT_SENT)),
    # asyncpg leaves the sockets as they are. The service's own deadlines notice a dead connection.
    "keepalives": Option("", _check_integer, is_ignored=True),
    "keepalives_idle": Option("", _check_integer, is_ignored=True),
    "keepalives_interval": Option("", _check_integer, is_ignored=True),
    "keepalives_count": Option("", _check_integer, is_ignored=True),
    "tcp_user_timeout": Option("", _check_integer, is_ignored=True),
}

# What libpq reads besides the variables of options: where the file of services is, the forerunner
# of PGSSLMODE, and three settings of the session.
VARIABLES: Final = {option.variable for option in OPTIONS.values() if option.variable} | {
    "PGSERVICEFILE", "PGSYSCONFDIR", "PGREQUIRESSL", "PGTZ", "PGDATESTYLE", "PGGEQO",
}  # fmt: skip
