"""The sockets that the service listens on."""

import socket
from contextlib import ExitStack


class ListenError(Exception):
    """The service cannot listen where it should; `str()` is one readable line."""


def listen(host: str, port: int) -> list[socket.socket]:
    """Bind every address of `host`; connections are refused until a server listens.

    Raises ListenError.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (socket.gaierror, UnicodeError) as error:
        raise ListenError(f"BACKEND_HOST: {host!r} is no address of this machine") from error
    with ExitStack() as unless_bound:
        sockets: list[socket.socket] = []
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = unless_bound.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                listener.bind(address)
            except OSError as error:
                raise ListenError(
                    f"cannot listen on {host} port {port}: {error.strerror}. "
                    "Stop what listens there, or set BACKEND_PORT or BACKEND_HOST"
                ) from error
            sockets.append(listener)
        unless_bound.pop_all()
    return sockets
