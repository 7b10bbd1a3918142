"""The address for asyncpg: connects to the first host that is reachable and has the wanted role."""

from __future__ import annotations

import asyncio
import random
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import asyncpg

from service.connecting.files import find_password, home
from service.connecting.libpq import connect_seconds
from service.connecting.tls import create_tls_context
from service.connecting.url import UrlError

if TYPE_CHECKING:
    from asyncpg import Connection

    from service.connecting.url import Address, Host

CHECK_SECONDS = 5.0

# Errors after which another host may work, or the same one later: the host is unreachable, starts,
# stops, or has another role than the URL asks for (a standby, with target_session_attrs=primary).
TRY_AGAIN = (
    OSError,  # a TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.TargetServerAttributeNotMatched,
)

# Errors of a server that takes connections only with TLS, or only without.
OTHER_TRANSPORT = (
    ssl.SSLError,
    ConnectionResetError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


class Connector:
    """Connects as asyncpg does, but with a time limit for each host.

    asyncpg has one time limit for all hosts together: a first host that neither accepts nor
    refuses uses it up on every attempt. Here each host has an equal share of `seconds`, or the
    connect_timeout of the URL, and a host that let its share pass moves to the end of the list.
    """

    def __init__(self, address: Address, seconds: float) -> None:
        self._address = address
        self._hosts = list(address.hosts)
        self._seconds_each = connect_seconds(address) or seconds / len(self._hosts)
        self._tls = create_tls_context(address)

    async def __call__(self, *_: object, **options: Any) -> Connection[asyncpg.Record]:
        """Return a connection to the first suitable host, or raise the last host's error."""
        wanted = self._address.options.get("target_session_attrs", "any")
        if wanted != "prefer-standby":
            return await self._connect_to_first(self._hosts, wanted, options)
        try:
            return await self._connect_to_first(self._hosts, "standby", options)
        except TRY_AGAIN:
            return await self._connect_to_first(self._hosts, "any", options)

    async def _connect_to_first(
        self, hosts: list[Host], wanted: str, options: dict[str, Any]
    ) -> Connection[asyncpg.Record]:
        hosts = list(hosts)
        if self._address.options.get("load_balance_hosts") == "random":
            random.shuffle(hosts)
        last_error: Exception | None = None
        for host in hosts:
            has_responded = False
            try:
                async with asyncio.timeout(self._seconds_each):
                    connection = await self._connect_to(host, wanted, options)
            except TRY_AGAIN as error:
                has_responded = not isinstance(error, TimeoutError)
                last_error = error
            except Exception:
                has_responded = True
                raise
            else:
                has_responded = True
                return connection
            finally:
                if not has_responded:  # also when the caller's own deadline cancelled this
                    self._hosts.remove(host)
                    self._hosts.append(host)
        assert last_error is not None
        raise last_error

    async def _connect_to(
        self, host: Host, wanted: str, options: dict[str, Any]
    ) -> Connection[asyncpg.Record]:
        """Connect with TLS or without; sslmode=prefer tries both, and so does allow."""
        transports = self._transports(host)
        try:
            return await self._connect_by(transports[0], host, wanted, options)
        except (*OTHER_TRANSPORT, ConnectionError) as error:
            # asyncpg's plain ConnectionError says that the server has no TLS. Its subclasses, such
            # as a refused connection, would be the same with the other transport.
            is_other = isinstance(error, OTHER_TRANSPORT) or type(error) is ConnectionError
            if len(transports) == 1 or not is_other:
                raise
            first_error = error
        try:
            return await self._connect_by(transports[1], host, wanted, options)
        except asyncpg.InvalidAuthorizationSpecificationError:
            # "Wrong password" says more than the same server's "not without TLS".
            if isinstance(first_error, asyncpg.InvalidPasswordError):
                raise first_error from None
            raise

    def _transports(self, host: Host) -> list[ssl.SSLContext | Literal[False]]:
        if host.is_socket or self._tls is None:
            return [False]
        if self._address.binds_channel:
            return [self._tls]
        match self._address.ssl_mode:
            case "prefer":
                return [self._tls, False]
            case "allow":
                return [False, self._tls]
            case _:
                return [self._tls]

    async def _connect_by(
        self,
        tls: ssl.SSLContext | Literal[False],
        host: Host,
        wanted: str,
        options: dict[str, Any],
    ) -> Connection[asyncpg.Record]:
        address = self._address
        # Every argument is given, or asyncpg would look into the environment and into HOME.
        own: dict[str, Any] = {
            "host": host.name,
            "port": host.port,
            "user": address.user,
            "password": lambda: self._find_password(host),
            "database": address.database,
            "ssl": tls,
            "direct_tls": bool(tls) and address.options.get("sslnegotiation") == "direct",
            "target_session_attrs": wanted,
            "krbsrvname": address.options.get("krbsrvname"),
            "gsslib": "gssapi",
            "timeout": self._seconds_each,
        }
        return await asyncpg.connect(**{**options, **own})

    def _find_password(self, host: Host) -> str | None:
        address = self._address
        if address.password is not None:
            return address.password
        folder = home()
        path = address.options.get("passfile") or (folder and folder / ".pgpass")
        return find_password(
            Path(path) if path else None, host.name, host.port, address.database, address.user
        )


def check_channel_binding(address: Address) -> None:
    """Raise UrlError if the URL has channel_binding=require and the server's certificate is wrong.

    libpq binds the channel without a valid certificate, and asyncpg cannot: such a URL would
    migrate and never serve. A server that is down, or refuses the role, is no fault of the URL.
    """
    if not address.binds_channel:
        return

    async def connect() -> None:
        connection = await Connector(address, CHECK_SECONDS)()
        connection.terminate()

    try:
        asyncio.run(connect())
    except ssl.SSLCertVerificationError:
        raise UrlError(
            "the option channel_binding=require needs a certificate of the server, for its name "
            "and from a known authority: set sslrootcert to that authority's file, or leave the "
            "option out"
        ) from None
    except (*TRY_AGAIN, asyncpg.PostgresError, asyncpg.InterfaceError):
        return  # health and the migrations report it


def session_settings(address: Address, name: str) -> dict[str, str]:
    """Return the settings with which each session begins; `name` is the application's."""
    settings = {"application_name": address.application_name(name)}
    if "options" in address.options:
        settings["options"] = address.options["options"]
    return settings
