"""The address for libpq: psycopg in the migrations, and psql."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from service.connecting.files import home
from service.connecting.options import VARIABLES
from service.connecting.tls import find_tls_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.connecting.url import Address

# libpq connects without a certificate if the file does not exist, and fails if it may not look.
NO_FILE: Final = "/nonexistent"


def libpq_parameters(address: Address) -> dict[str, str]:
    """Return libpq's parameters, the password included, by name."""
    parameters = {
        "host": ",".join(host.name for host in address.hosts),
        "port": ",".join(str(host.port) for host in address.hosts),
        "dbname": address.database,
        "user": address.user,
        **address.options,
    }
    if address.password is not None:
        parameters["password"] = address.password
    files = find_tls_files(address)
    if files.certificate and files.key:
        parameters |= {"sslcert": files.certificate, "sslkey": files.key}
    elif _is_home_closed():
        parameters["sslcert"] = NO_FILE
    if connect_seconds(address) is None:  # libpq would wait for ever
        parameters.pop("connect_timeout", None)
    return parameters


def connect_seconds(address: Address) -> float | None:
    """Return the time limit for connecting to one host, or None for the service's own limit."""
    seconds = int(address.options.get("connect_timeout", "0"))
    return seconds if seconds > 0 else None


def libpq_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which libpq takes everything from its parameters.

    libpq brings an OpenSSL of its own in psycopg's package, which does not know where the system
    has its certificate authorities.
    """
    kept = {name: value for name, value in environment.items() if name not in VARIABLES}
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        kept.setdefault("SSL_CERT_FILE", paths.cafile)
    if paths.capath:
        kept.setdefault("SSL_CERT_DIR", paths.capath)
    return kept


def connection_string(parameters: Mapping[str, str]) -> str:
    """Return parameters as psql takes them on its command line, quoted."""
    quoted = (
        (name, value.replace("\\", "\\\\").replace("'", "\\'"))
        for name, value in parameters.items()
    )
    return " ".join(f"{name}='{value}'" for name, value in quoted)


def _is_home_closed() -> bool:
    folder = home()
    if folder is None:
        return False
    try:
        (folder / ".postgresql" / "postgresql.crt").stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return False
