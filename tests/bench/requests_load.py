"""A load of search requests, and the time of each response.

wrk has one URL and corrects its latencies for requests that it expected to send; here every query
is timed by itself. One request at a time is sent on each connection.
"""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlsplit

import uvloop
from contenders import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Sequence

# A load ends when its seconds are over and each request was answered, or with an error after these.
GRACE_SECONDS: Final = 60.0

NO_RESULTS: Final = b'"results":[]'

HEAD_END: Final = b"\r\n\r\n"
LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass
class Load:
    """The responses of one load."""

    paths: Sequence[str]
    first: int  # of the paths, the one of the first request
    seconds: float = 0.0  # from the first request to the last response
    # The seconds of each response, and whether its path was sent for the first time.
    latencies: list[float] = field(default_factory=list[float])
    is_new: list[bool] = field(default_factory=list[bool])
    errors: int = 0  # responses without a 200, and connections that the server closed
    empty: int = 0  # responses without results
    received_bytes: int = 0
    cpu_seconds: float = 0.0  # of this process, which sends the requests


class _Connection(asyncio.Protocol):
    """Sends one request after another until the deadline."""

    def __init__(self, load: Load, deadline: float, host: str) -> None:
        self._load = load
        self._deadline = deadline
        self._host = host
        self._buffer = bytearray()
        self._wanted = 0  # bytes of the response, once its head is there
        self._started = 0.0
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._wanted:
            end = self._buffer.find(HEAD_END)
            if end < 0:
                return
            length = LENGTH.search(self._buffer, 0, end)
            if length is None:  # an error, which connection_lost counts
                assert self._transport is not None
                self._transport.abort()
                return
            self._wanted = end + len(HEAD_END) + int(length[1])
        if len(self._buffer) >= self._wanted:
            self._end_response()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self._load.errors += 1
            self.ended.set_result(None)

    def _end_response(self) -> None:
        now = time.perf_counter()
        load = self._load
        load.latencies.append(now - self._started)
        load.is_new.append(self._number < len(load.paths))
        load.errors += not self._buffer.startswith(b"200", 9)
        load.empty += NO_RESULTS in self._buffer
        load.received_bytes += self._wanted
        self._buffer.clear()
        self._wanted = 0
        if now < self._deadline:
            self._send()
        else:
            assert self._transport is not None
            self.ended.set_result(None)
            self._transport.close()

    def _send(self) -> None:
        load = self._load
        self._number = load.first
        load.first += 1
        path = load.paths[self._number % len(load.paths)]
        assert self._transport is not None
        self._started = time.perf_counter()
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {self._host}\r\n\r\n".encode())


def send_requests(
    url: str, paths: Sequence[str], connections: int, seconds: float, first: int = 0
) -> Load:
    """Send requests for these paths, in turns, for some seconds; begin with number `first`.

    Raises BenchmarkError.
    """
    load = Load(paths, first)
    cpu_seconds = time.process_time()
    uvloop.run(_send_all(load, url, connections, seconds))
    load.cpu_seconds = time.process_time() - cpu_seconds
    return load


async def _send_all(load: Load, url: str, connections: int, seconds: float) -> None:
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    host, port = parts.hostname, parts.port
    started = time.perf_counter()
    protocols: list[_Connection] = []
    for _ in range(connections):
        _, protocol = await asyncio.get_running_loop().create_connection(
            lambda: _Connection(load, started + seconds, parts.netloc), host, port
        )
        protocols.append(protocol)
    ended = asyncio.gather(*(protocol.ended for protocol in protocols))
    try:
        await asyncio.wait_for(ended, seconds + GRACE_SECONDS)
    except TimeoutError as error:
        raise BenchmarkError(f"a response did not come within {GRACE_SECONDS:.0f} s") from error
    load.seconds = time.perf_counter() - started
