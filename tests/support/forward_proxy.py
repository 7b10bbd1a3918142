"""A forward proxy that opens tunnels (RFC 9110, section 9.3.6) and has names of its own."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping


class ForwardProxy(ThreadingTCPServer):
    """Tunnels to the ports of 127.0.0.1 in `targets`, by `host:port`; records the heads it gets."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, targets: Mapping[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.targets = targets
        # The Proxy-Authorization that clients need.
        self.authorization: str | None = None
        self.heads: list[str] = []

    @property
    def port(self) -> int:
        return self.server_address[1]


class _Handler(StreamRequestHandler):
    def handle(self) -> None:
        proxy = self.server
        assert isinstance(proxy, ForwardProxy)
        lines: list[str] = []
        while line := self.rfile.readline().decode().strip():
            lines.append(line)
        if not lines:
            return
        proxy.heads.append("\n".join(lines))
        method, target, _ = lines[0].split()
        authorization = f"Proxy-Authorization: {proxy.authorization}"
        if proxy.authorization is not None and authorization not in lines:
            self._refuse("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="p"')
        elif method != "CONNECT" or target not in proxy.targets:
            self._refuse("403 Forbidden", "X: y")
        else:
            with socket.create_connection(("127.0.0.1", proxy.targets[target])) as server:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_copy, args=(server, self.connection))
                back.start()
                _copy(self.connection, server)
                back.join()

    def _refuse(self, status: str, header: str) -> None:
        head = f"HTTP/1.1 {status}\r\n{header}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.wfile.write(head.encode())


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@contextmanager
def forward_proxy(targets: Mapping[str, int]) -> Generator[ForwardProxy]:
    """Run a proxy on a free port of 127.0.0.1."""
    with ForwardProxy(targets) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
