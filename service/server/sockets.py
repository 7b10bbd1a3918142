"""The sockets that the service listens on."""

import errno
import socket
from contextlib import ExitStack
from ipaddress import ip_address

from service.settings import SettingsError

BACKLOG = 2048

# The machine lacks the address family, or the address is another machine's. A name such as
# `localhost` may have several addresses, of which those with such an error are skipped.
UNUSABLE_ADDRESS = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class ListenError(Exception):
    """The service cannot listen where the settings say. `str()` is one readable line."""


def listen(host: str, port: int, *, only_loopback: str = "") -> list[socket.socket]:
    """Return sockets that listen on every address of `host`. The kernel queues connections.

    Raises ListenError if another program listens there; SettingsError if `host` is no address of
    this machine or, with `only_loopback`, if other machines could connect:
    `only_loopback` is then the error.
    """
    # Bytes spare Python the import of its codec for international names, which takes 3 ms.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise SettingsError("BACKEND_HOST: is neither an address nor a known name") from error
    if only_loopback and not all(ip_address(address[0]).is_loopback for *_, address in found):
        raise SettingsError(only_loopback)
    sockets: list[socket.socket] = []
    with ExitStack() as unless_all_listen:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                listener = unless_all_listen.enter_context(socket.socket(family))
                _listen(listener, address)
            except OSError as error:
                if error.errno in UNUSABLE_ADDRESS:
                    continue
                raise ListenError(
                    f"cannot listen on {host} port {port}: {error.strerror}. "
                    "Stop what listens there, or set BACKEND_PORT or BACKEND_HOST"
                ) from error
            sockets.append(listener)
        if not sockets:
            raise SettingsError("BACKEND_HOST: is no address of this machine")
        unless_all_listen.pop_all()
    return sockets


def _listen(listener: socket.socket, address: tuple[object, ...]) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind(address)
    # Now, not in uvicorn: with SO_REUSEADDR a second service can bind the same port, and fails only
    # when it listens.
    listener.listen(BACKLOG)
