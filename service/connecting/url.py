"""Reads DATABASE_URL: checks it, completes it from the environment, and takes it to pieces.

The syntax is that of libpq ("Connection URIs" in PostgreSQL's manual, 34.1.1.2). The settings hold
the complete URL, so the environment changes nothing later: a connection of either driver depends on
`read_url(text)`, the files that it names, and those in HOME.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import SplitResult, quote, unquote

from service.connecting.files import DEFAULT_SOCKET_FOLDERS, find_service, user_name
from service.connecting.options import OPTIONS, PORT_MAX, SSL_MODES, SYSTEM

if TYPE_CHECKING:
    from collections.abc import Mapping

SCHEMES: Final = ("postgresql", "postgres", "postgresql+asyncpg")
DEFAULT_PORT: Final = 5432
# Where a URL that names no host finds its server. libpq's own default depends on how it was built.
DEFAULT_HOSTS: Final = (*DEFAULT_SOCKET_FOLDERS, "localhost")

# host:port,host:port after the user's name and password. A mismatch is mostly a password with a
# character that must be percent-encoded; drivers would quote a part of it in their errors.
LABEL: Final = r"[^\[\]:,@.\s]{1,63}"  # RFC 1035, section 2.3.4
HOST: Final = rf"(\[[0-9A-Fa-f:.]+\]|{LABEL}(\.{LABEL})*\.?|)(:[0-9]{{0,5}})?"
HOSTS: Final = re.compile(f"{HOST}(,{HOST})*")
HOST_NAME: Final = re.compile(rf"[0-9A-Fa-f:.]+|{LABEL}(\.{LABEL})*\.?|/[^,]*")
# A percent sign that escapes nothing, or the escape of NUL, which PostgreSQL allows nowhere.
BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")

# What follows `scheme://` (RFC 3986, appendix B). urlsplit() would refuse brackets in a password.
PARTS: Final = re.compile(
    r"(?P<authority>[^/?#]*)(?P<path>[^?#]*)(?:\?|)(?P<query>[^#]*)(?P<fragment>.*)", re.DOTALL
)

# These have a place of their own in an Address.
PLACES: Final = ("host", "port", "user", "password", "dbname", "service")


class UrlError(ValueError):
    """The URL cannot be used. `str()` says why, with names of options only, never a value."""


class Host(NamedTuple):
    """One server: a name, an address, or the folder of a Unix socket, and a port."""

    name: str
    port: int

    @property
    def is_socket(self) -> bool:
        return self.name.startswith("/")


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where a database is and how to connect to it: a URL, taken to pieces."""

    hosts: tuple[Host, ...]
    database: str
    user: str
    password: str | None = field(repr=False)
    # By libpq's names, checked, without those of the fields above.
    options: Mapping[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """The complete URL, from which `read_url` makes the same address in any environment."""
        password = "" if self.password is None else f":{quote(self.password, safe='')}"
        options = dict(self.options)
        options["host"] = ",".join(host.name for host in self.hosts)
        options["port"] = ",".join(str(host.port) for host in self.hosts)
        authority = f"{quote(self.user, safe='')}{password}@"
        if not any(host.is_socket for host in self.hosts):
            del options["host"], options["port"]
            authority += ",".join(
                f"[{name}]:{port}" if ":" in name else f"{name}:{port}" for name, port in self.hosts
            )
        query = "&".join(f"{name}={quote(value, safe='/,')}" for name, value in options.items())
        database = quote(self.database, safe="")
        return f"postgresql://{authority}/{database}{'?' if query else ''}{query}"

    @property
    def ssl_mode(self) -> str:
        """The effective sslmode; it has no effect on a Unix socket."""
        default = "verify-full" if self.options.get("sslrootcert") == SYSTEM else "prefer"
        return self.options.get("sslmode", default)

    @property
    def uses_tls(self) -> bool:
        return self.ssl_mode != "disable" and not all(host.is_socket for host in self.hosts)

    @property
    def binds_channel(self) -> bool:
        return self.options.get("channel_binding") == "require"

    def application_name(self, default: str) -> str:
        """Return the name that the URL gives the application, or else `default`."""
        options = self.options
        return options.get("application_name") or options.get("fallback_application_name", default)

    @property
    def ignored(self) -> list[str]:
        """The names of the given options that the service does without."""
        return [name for name in self.options if OPTIONS[name].is_ignored]


def read_url(url: str, environment: Mapping[str, str] | None = None) -> Address:
    """Return the address that a URL, or else the environment's PG* variables, describe.

    Raises UrlError.
    """
    # White space around a value is dropped, as in environment.py: files and base64 often add it.
    environment = {name: value.strip() for name, value in (environment or {}).items()}
    parts = _split(url)
    given = _read_authority(parts) | _read_query(parts)
    for name, value in given.items():
        _check(name, value, f"the option {name}")
    service = given.get("service") or environment.get("PGSERVICE")
    if service:
        given = _read_service(service, environment) | given
    options = _read_variables(environment) | given

    if "dbname" not in options:
        raise UrlError("names no database, as in postgresql://user@host/database")
    user = options.get("user") or user_name()
    if user is None:
        raise UrlError(
            "names no user, and the uid of this process has no name: write "
            "postgresql://user@host/database"
        )
    address = Address(
        hosts=_read_hosts(options.get("host"), options.get("port")),
        database=options["dbname"],
        user=user,
        password=options.get("password"),
        options={name: value for name, value in options.items() if name not in PLACES},
    )
    _check_together(address)
    return address


def _split(url: str) -> SplitResult:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in SCHEMES:
        raise UrlError("must begin with embedded:, postgresql:// or postgres://")
    match = PARTS.fullmatch(rest)
    assert match is not None
    parts = SplitResult("postgresql", *match.group("authority", "path", "query", "fragment"))
    if not _is_well_formed(url, parts):
        raise UrlError(
            "is not a valid URL; in a password write %25 for %, %40 for @, %23 for #, %2F for /, "
            "%3A for :, %3F for ?"
        )
    return parts


def _is_well_formed(url: str, parts: SplitResult) -> bool:
    userinfo, _, hosts = parts.netloc.rpartition("@")
    try:
        unquote(url, errors="strict")
    except UnicodeDecodeError:
        return False
    return (
        not parts.fragment
        and "@" not in userinfo + parts.path
        and not BAD_ESCAPE.search(url)
        and not re.search(r"\s", url)
        and HOSTS.fullmatch(hosts) is not None
        and all(int(port) <= PORT_MAX for port in re.findall(r":([0-9]+)(?=,|$)", hosts))
    )


def _read_authority(parts: SplitResult) -> dict[str, str]:
    """Return the options that stand before the `?`."""
    userinfo, _, authority = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    hosts: list[str] = []
    ports: list[str] = []
    for host in authority.split(","):
        # A bracket ends an IPv6 address, whose own colons are no port's.
        name, _, port = host.rpartition(":") if re.search(r":[0-9]*$", host) else (host, "", "")
        hosts.append(unquote(name.strip("[]")))
        ports.append(port)
    if any(ports):
        ports = [port or str(DEFAULT_PORT) for port in ports]
    given = {
        "user": unquote(user),
        "password": unquote(password),
        "host": ",".join(hosts),
        "port": ",".join(ports).strip(","),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    return {name: value for name, value in given.items() if value}


def _read_query(parts: SplitResult) -> dict[str, str]:
    given: dict[str, str] = {}
    before = _read_authority(parts)
    for pair in parts.query.split("&") if parts.query else ():
        name, _, value = (unquote(text) for text in pair.partition("="))
        if name == "ssl":  # JDBC's, which libpq takes, and asyncpg's
            name, value = "sslmode", "require" if value == "true" else value
        if name == "password":
            raise UrlError("has a password after the ?; write it before the host")
        if name not in OPTIONS:
            raise UrlError(_describe_unknown(name))
        if not value:
            raise UrlError(f"the option {name} has no value")
        # Google's URLs for Cloud SQL name `localhost` before the folder of the socket.
        is_socket = name == "host" and value.startswith("/")
        if name in given or (name in before and not is_socket):
            raise UrlError(f"the option {name} is given twice")
        given[name] = value
    return given


def _describe_unknown(name: str) -> str:
    # What is no name at all may be a part of a password.
    shown = f"{name!r} " if re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.-]{0,40}", name) else ""
    return f"the option {shown}after the ? is not one of PostgreSQL's connection options"


def _read_service(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    found = find_service(name, environment)
    if found is None:
        raise UrlError("the option service names a service that no service file has")
    for option, value in found.items():
        if option not in OPTIONS or option == "service":
            raise UrlError("the service file has a line that is no connection option of PostgreSQL")
        _check(option, value, f"the option {option} of the service file")
    return {option: value for option, value in found.items() if value}


def _read_variables(environment: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, option in OPTIONS.items():
        if (value := environment.get(option.variable, "")) and option.variable:
            _check(name, value, f"the environment variable {option.variable}")
            given[name] = value
    if environment.get("PGREQUIRESSL", "").startswith("1"):
        given.setdefault("sslmode", "require")
    return given


def _check(name: str, value: str, place: str) -> None:
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise UrlError(f"{place} is not UTF-8 text")
    if fault := OPTIONS[name].check(value):
        raise UrlError(f"{place} {fault}")


def _read_hosts(names: str | None, ports: str | None) -> tuple[Host, ...]:
    hosts = names.split(",") if names else list(DEFAULT_HOSTS)
    if not all(HOST_NAME.fullmatch(host) for host in hosts):
        raise UrlError("each host must be a name, an address or the folder of a socket")
    numbers = [int(port) for port in ports.split(",")] if ports else [DEFAULT_PORT]
    if len(numbers) == 1:
        numbers *= len(hosts)
    if len(numbers) != len(hosts):
        raise UrlError(f"has {len(hosts)} hosts, but {len(numbers)} ports")
    return tuple(Host(*host) for host in zip(hosts, numbers, strict=True))


def _check_together(address: Address) -> None:
    """Refuse options that contradict each other, as libpq does."""
    options, mode = address.options, address.ssl_mode
    is_weak = SSL_MODES.index(mode) < SSL_MODES.index("require")
    if options.get("sslrootcert") == SYSTEM and mode != "verify-full":
        raise UrlError("the option sslrootcert=system needs sslmode=verify-full")
    if options.get("sslnegotiation") == "direct" and is_weak:
        raise UrlError("the option sslnegotiation=direct needs sslmode=require or more")
    if address.binds_channel and not address.uses_tls:
        raise UrlError("the option channel_binding=require needs TLS, which this URL does not use")
