"""A request as bytes on a socket of its own, and the first bytes that come back."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import httpx


def raw(client: httpx.Client, *request: bytes) -> bytes:
    """Send the parts, and return what comes first."""
    parts = urlsplit(str(client.base_url))
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as connection:
        for part in request:
            if select.select([connection], [], [], 0)[0]:
                break  # it has been answered already
            connection.sendall(part)
        return connection.recv(65536)
