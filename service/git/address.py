"""Resolve a host to the addresses that git may connect to: public ones, which are pinned."""

import asyncio
import socket
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from service.git.errors import UNKNOWN_HOST, GitError, clean

RESOLVE_SECONDS = 10.0
# An environment variable holds all of them; curl tries one after the other.
ADDRESSES_MAX = 16

# Networks that are not public, although `is_global` of some Python versions is true for them.
NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "192.0.0.0/24",  # protocols' own; 192.0.0.192 is Oracle's metadata service
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "168.63.129.16/32",  # Azure's platform service
        "2002::/16",  # 6to4: contains an IPv4 address
        "2001::/23",  # Teredo and other protocols' own
        "3fff::/20",  # documentation (RFC 9637)
    )
)
# The block that IANA assigns to networks (RFC 3587). Outside of it: ::127.0.0.1,
# ::ffff:127.0.0.1, 64:ff9b::127.0.0.1.
IPV6_UNICAST = ip_network("2000::/3")


def split_url(url: str, protocols: Collection[str]) -> tuple[str, int]:
    """Return host and port of a URL like `https://host/path`. Raises GitError for other forms."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = parts = None
    if parts is None or not host or parts.scheme not in protocols or "@" in parts.netloc:
        raise GitError("This is not the URL of a repository that the service can read.")
    return host, port or (80 if parts.scheme == "http" else 443)


def is_public(address: str) -> bool:
    """Return whether a numeric address can be reached from anywhere on the internet."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address) and ip not in IPV6_UNICAST:
        return False
    if any(ip in network for network in NOT_PUBLIC if network.version == ip.version):
        return False
    special = ip.is_private or ip.is_multicast or ip.is_reserved or ip.is_unspecified
    return ip.is_global and not special and not ip.is_loopback and not ip.is_link_local


async def resolve_public(host: str, port: int) -> str:
    """Return git's http.curloptResolve that pins a host: `*:443:192.0.2.1,[2001:db8::1]`.

    It pins `*`, since a pin on the name would miss `github.com.`. Raises GitError if the host is
    unknown, or if any of its addresses is not public: the next look-up could return that one.
    """
    try:
        async with asyncio.timeout(RESOLVE_SECONDS):
            addresses = await _look_up(host, port)
    except TimeoutError:
        raise GitError("The repository's host could not be looked up in time.") from None
    except (OSError, UnicodeError, ValueError):
        raise GitError(UNKNOWN_HOST) from None
    if not addresses:
        raise GitError(UNKNOWN_HOST)
    if not all(is_public(address) for address in addresses):
        raise GitError(clean(f"The host {host} is not on the public internet."))
    return f"*:{port}:" + ",".join(_bracketed(address) for address in addresses[:ADDRESSES_MAX])


async def refuse_private_literal(host: str) -> None:
    """Raise GitError if the host is a private address, not a name: a proxy looks names up."""
    loop = asyncio.get_running_loop()
    try:
        results = await loop.getaddrinfo(host, 443, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError, ValueError):
        return  # a name
    if not all(is_public(str(result[4][0])) for result in results):
        raise GitError(clean(f"The host {host} is not on the public internet."))


async def _look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    results = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(result[4][0]) for result in results))


def _bracketed(address: str) -> str:
    return address if isinstance(ip_address(address), IPv4Address) else f"[{address}]"
