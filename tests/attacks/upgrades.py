"""Complete requests that ask to upgrade the connection to another protocol."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from itertools import product

from tests.attacks.arena import Arena, Figures, attack
from tests.support.wire import connect, is_readable, send

CONNECTIONS = (b"upgrade", b"upgrade, close", b"close, upgrade", b"keep-alive, upgrade", b"close")
PROTOCOLS = (b"upgrade: websocket\r\n", b"upgrade: h2c\r\n", b"upgrade: x\r\nupgrade: y\r\n", b"")
REQUESTS = (
    (b"GET /api/health/live", b"", b""),
    (b"HEAD /api/health/live", b"", b""),
    (b"POST /api/hello", b"content-length: 3\r\n", b"abc"),
    (b"POST /api/hello", b"transfer-encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n"),
)
FOLLOWER = b"GET /api/hello HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
ANSWERED_SECONDS = 0.3


@attack
def upgrades(arena: Arena) -> Figures:
    """140 combinations of Connection, Upgrade, method and version, each a complete request."""
    counts: Counter[str] = Counter()
    slowest = 0.0
    with arena.observing():
        for connection, protocol, (line, headers, body), version in product(
            CONNECTIONS, PROTOCOLS, REQUESTS, (b"1.1", b"1.0")
        ):
            if version == b"1.0" and b"chunked" in headers:
                continue
            head = b"%b HTTP/%b\r\nhost: localhost\r\nconnection: %b\r\n" % (
                line,
                version,
                connection,
            )
            started = time.perf_counter()
            with connect(arena.url) as client:
                send(client, head + protocol + headers + b"\r\n" + body + FOLLOWER)
                is_answered = is_readable(client, ANSWERED_SECONDS)
                with suppress(ConnectionError):
                    is_answered = is_answered and client.recv(12).startswith(b"HTTP/1.1 ")
            counts["responses" if is_answered else "none within 0.3 s"] += 1
            slowest = max(slowest, time.perf_counter() - started)
    return {**counts, "slowest": f"{slowest:.3f} s"}
