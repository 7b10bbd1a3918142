"""The names in `Host` that the service serves: others may be those of a page that rebinds its name.

A page of any site can let its name lead to 127.0.0.1 (DNS rebinding). The browser takes the service
for a part of that site then, and lets the page read and write without CORS; only `Host` still has
the page's name.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

# RFC 9110, section 7.2, and RFC 3986, section 3.2.2, without the punctuation that no name of a host
# has: a comma, for example, is left where a proxy joined two headers.
HOST: Final = re.compile(
    rb"(?P<name>\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2}){1,255})(?::(?P<port>[0-9]{0,5}))?"
)
PORT_MAX: Final = 65535

# Monitors and load balancers address a copy of the service by its IP address.
MONITORED: Final = frozenset({"/api/health", "/api/health/live", "/metrics"})


@lru_cache(maxsize=64)  # of 64 KiB each at most, the limit of a head
def read_host(value: bytes) -> str | None:
    """Return the name or address in a `Host` header, or None if the header is invalid.

    In lower case, without the port and the dot that may end a name; an IPv6 address in brackets, in
    its shortest form.
    """
    host = HOST.fullmatch(value.strip(b" \t"))
    if host is None or int(host["port"] or 0) > PORT_MAX:
        return None
    name = host["name"].decode("ascii").lower()
    if name.startswith("["):
        address = _ip_address(name)
        return None if address is None else f"[{address}]"
    return name.removesuffix(".")


def is_loopback(name: str) -> bool:
    """Return whether a name from read_host() always leads to the client's own machine.

    Browsers resolve `localhost` and the names below it themselves (RFC 6761, section 6.3).
    """
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = _ip_address(name)
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or address
    return address is not None and address.is_loopback


def _ip_address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return IPv6Address(name[1:-1]) if name.startswith("[") else IPv4Address(name)
    except ValueError:
        return None


class AllowedHosts:
    """Refuse a request whose `Host` is neither a loopback name nor one of `names`.

    The status is 421 (RFC 9110, section 15.5.20): the service does not speak for that name. A
    request of HTTP/1.0 may have no `Host`, and no browser sends such a request. A name may begin
    with `*.`, for all names below it. X-Forwarded-Host is ignored: scripts of a page can set it.
    """

    def __init__(self, app: ASGIApp, names: Collection[str], *, has_token: bool) -> None:
        self.app = app
        self._has_token = has_token
        self._names = frozenset(name for name in names if not name.startswith("*."))
        self._endings = tuple(name[1:] for name in names if name.startswith("*."))
        # Cached: parsing an address takes longer than all else here, and a service has few names.
        self._is_served = lru_cache(maxsize=64)(self._find_served)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = scope["state"]["headers"].get(b"host")
            if host is not None and not self._is_served(host):
                self._refuse(read_host(host), scope["path"])
        await self.app(scope, receive, send)

    def _find_served(self, host: bytes) -> bool:
        name = read_host(host)
        if name is None:
            return False
        return name in self._names or is_loopback(name) or name.endswith(self._endings)

    def _refuse(self, name: str | None, path: str) -> None:
        if name is None:  # the protocol refuses such a header; another server may not
            raise Problem("invalid", "The Host header is not the name of a host.")
        if self._has_token:
            if path not in MONITORED:
                raise Problem("misdirected", f"The service does not serve {name}: {SETTING}")
            return
        raise Problem(
            "misdirected",
            f"Without API_TOKEN the service serves only the names of its own machine, such as "
            f"localhost, and not {name}: {SETTING}",
        )


SETTING: Final = "if that is a name of the service, its operator adds the name to ALLOWED_HOSTS."
