"""The sockets that the service listens on."""

import errno
import socket
from contextlib import ExitStack
from ipaddress import ip_address

from service.settings import SettingsError

BACKLOG = 2048

# An address family that this machine does not have, or an address that is another machine's. Of
# several addresses of one name, as `localhost` has them, such a one is left out.
NOT_HERE = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class ListenError(Exception):
    """The service cannot listen where it should; `str()` is one readable line."""


def listen(host: str, port: int, *, only_loopback: bool = False) -> list[socket.socket]:
    """Listen on every address of `host`; who connects waits until a server accepts.

    Raises ListenError where something else listens, SettingsError where this is no address, and
    with `only_loopback` where other machines could connect.
    """
    # As bytes Python does not load its codec for international names first, which takes 3 ms.
    name = host.encode() if host.isascii() else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise SettingsError("BACKEND_HOST: is neither an address nor a known name") from error
    if only_loopback and not all(ip_address(address[0]).is_loopback for *_, address in found):
        raise SettingsError(
            "API_TOKEN: is required where BACKEND_HOST is not a loopback address, since whoever "
            "reaches the service could change everything; set it, or BACKEND_HOST=127.0.0.1"
        )
    sockets: list[socket.socket] = []
    with ExitStack() as unless_all_listen:
        for family, _, _, _, address in dict.fromkeys(found):
            try:
                listener = unless_all_listen.enter_context(socket.socket(family))
                _listen(listener, address)
            except OSError as error:
                if error.errno in NOT_HERE:
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
    # At once: with SO_REUSEADDR, of two that only bind neither learns of the other.
    listener.listen(BACKLOG)
