"""Clients that send requests, or read responses, a little at a time, and idle connections."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.attacks.arena import Arena, Figures, attack

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    Drip: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[str]]

CLIENTS = 100  # of each kind
ATTACK_SECONDS = 40.0
PAUSE_SECONDS = 0.5

HOST = b"host: localhost\r\n"
GET = b"GET /api/hello HTTP/1.1\r\n" + HOST
POST = b"POST /api/projects HTTP/1.1\r\n" + HOST + b"content-type: application/json\r\n"
PAGE = b"GET /docs HTTP/1.1\r\n" + HOST + b"\r\n"


async def _send_slowly(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, begun: bytes, piece: bytes
) -> str:
    """Send pieces until a response or the end of the connection comes."""
    writer.write(begun)
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE_SECONDS):
                line = await reader.readline()
                return line[9:12].decode() or "closed"
        writer.write(piece)


def _sending(begun: bytes, piece: bytes) -> Drip:
    return lambda reader, writer: _send_slowly(reader, writer, begun, piece)


async def _read_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Ask for many small responses at once, and read a byte of them at a time."""
    writer.write(PAGE * 90)
    while True:
        if not await reader.read(1):
            return "closed"
        await asyncio.sleep(PAUSE_SECONDS)


async def _be_idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    """Keep the connection after a response."""
    writer.write(GET + b"\r\n")
    await reader.readuntil(b"\r\n\r\n")
    while await reader.read(1000):
        pass
    return "closed"


DRIPS: dict[str, Drip] = {
    "heads": _sending(b"GET /api/hello HTTP/1.1\r\nx: ", b"a"),
    "headers": _sending(GET, b"a: b\r\n"),
    "empty_lines": _sending(b"", b"\r\n"),
    "bodies": _sending(POST + b"content-length: 1000\r\n\r\n", b" "),
    "chunks": _sending(POST + b"transfer-encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    "small_responses": _read_slowly,
    "idle": _be_idle,
}


async def _drip(host: str, port: int, drip: Drip) -> str:
    """Return how a connection ended, and after which seconds; or that it stayed open."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(ATTACK_SECONDS):
            # A small buffer, so that what is not read stays with the service.
            reader, writer = await asyncio.open_connection(host, port, limit=1024)
            try:
                ended = await drip(reader, writer)
            finally:
                writer.transport.abort()
    except TimeoutError:
        return "open at the end"
    except (OSError, asyncio.IncompleteReadError):
        ended = "closed"
    return f"{ended} after {round((time.monotonic() - started) / 5) * 5} s"


async def _measure_honest(host: str, port: int, seconds: list[float]) -> None:
    """Send requests of honest clients, each on a new connection, until cancelled."""
    while True:
        started = time.perf_counter()
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET /api/projects HTTP/1.1\r\nconnection: close\r\n" + HOST + b"\r\n")
        await reader.read()
        writer.close()
        seconds.append(time.perf_counter() - started)
        await asyncio.sleep(0.1)


async def _attack(url: str) -> Figures:
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 80
    seconds: list[float] = []
    honest = asyncio.create_task(_measure_honest(host, port, seconds))
    kinds = [kind for kind in DRIPS for _ in range(CLIENTS)]
    ends = await asyncio.gather(*(_drip(host, port, DRIPS[kind]) for kind in kinds))
    if honest.done():
        honest.result()  # raises
    honest.cancel()
    figures: Figures = {
        kind: dict(Counter(end for each, end in zip(kinds, ends, strict=True) if each == kind))
        for kind in DRIPS
    }
    return figures | {"honest requests": f"{len(seconds)}, slowest {max(seconds):.3f} s"}


@attack
def dripping_clients(arena: Arena) -> Figures:
    """700 connections: heads, bodies and readers that drip, and idle ones."""
    with arena.observing():
        return asyncio.run(_attack(arena.url))
