"""A TCP proxy to a PostgreSQL on a Unix socket, which can drop everything like a firewall."""

from __future__ import annotations

import selectors
import socket
import struct
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator


class Proxy:
    """Forwards bytes until `is_hole` is set; from then on it forwards and sends nothing.

    Clients can still connect and send, as with a firewall that drops packets. With
    `is_hole_for_new` this happens only to connections that are opened from then on.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        folder = parse_qs(parts.query)["host"][0]
        self._target = f"{folder}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"postgresql://postgres@127.0.0.1:{self._listener.getsockname()[1]}{parts.path}"
        self.is_hole = False
        self.is_hole_for_new = False
        self._resets = False
        self._swallowed: list[socket.socket] = []
        self._is_closed = False
        self._peers: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._thread.join()
        for connection in [*self._peers, *self._swallowed, self._listener]:
            connection.close()

    def reset_on_next_byte(self) -> None:
        """Reset the connection on which the next byte comes, instead of forwarding it."""
        self._resets = True

    def _run(self) -> None:
        while not self._is_closed:
            if self.is_hole:
                threading.Event().wait(0.01)
                continue
            for connection in self._ready():
                self._pass_on(connection)

    def _ready(self) -> Iterator[socket.socket]:
        for key, _ in self._selector.select(timeout=0.01):
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if connection is self._listener:
                self._accept()
            elif connection in self._peers:
                yield connection

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.is_hole_for_new:
            self._swallowed.append(client)
            return
        server = socket.socket(socket.AF_UNIX)
        server.connect(self._target)
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, connection: socket.socket) -> None:
        other = self._peers[connection]
        try:
            data = connection.recv(65536)
            if data and self._resets:
                self._resets = False
                linger = struct.pack("ii", 1, 0)  # so that close() sends a reset
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            elif data:
                other.sendall(data)
                return
        except OSError:
            pass  # either side may disconnect at any time; both are closed then
        for end in (connection, other):
            self._selector.unregister(end)
            del self._peers[end]
            end.close()
