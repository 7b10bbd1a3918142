"""Probes a service's health and samples its memory, in a process of its own.

The attack keeps the interpreter of its own process busy, which would delay the probes there.
"""

from __future__ import annotations

import http.client
import multiprocessing
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple, Self
from urllib.parse import urlsplit

import psutil

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PROBE_SECONDS = 0.05
SAMPLE_SECONDS = 0.05
PROBE_TIMEOUT = 60.0


class Observed(NamedTuple):
    """What an Observer saw; seconds, and megabytes of resident memory of all processes together."""

    probes: int
    slowest: float
    p99: float
    # Responses of health other than 200, by status; 0 for a failed connection.
    failures: dict[int, int]
    peak_mb: float


def memory_mb(pid: int) -> float:
    """Return the resident memory of a process and all its descendants, in MB."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_info().rss
    return total / 1e6


class Observer:
    """Observes the service with this process id at this URL, from `with` to `end`."""

    def __init__(self, url: str, pid: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_observe, args=(url, pid, theirs), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()  # it has begun
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()

    def end(self) -> Observed:
        """Stop observing; wait for the probe under way."""
        self._ours.send(None)
        return self._ours.recv()


def _observe(url: str, pid: int, ours: Connection) -> None:
    host, port = urlsplit(url).hostname, urlsplit(url).port
    ended = threading.Event()
    seconds: list[float] = []
    failures: dict[int, int] = {}
    peak = 0.0

    def probe() -> None:
        while not ended.is_set():
            started = time.perf_counter()
            status = 0
            connection = http.client.HTTPConnection(host or "", port, timeout=PROBE_TIMEOUT)
            with suppress(OSError, http.client.HTTPException):
                connection.request("GET", "/api/health")
                status = connection.getresponse().status
            connection.close()
            seconds.append(time.perf_counter() - started)
            if status != http.client.OK:
                failures[status] = failures.get(status, 0) + 1
            ended.wait(PROBE_SECONDS)

    prober = threading.Thread(target=probe)
    prober.start()
    ours.send(None)
    while not ours.poll(SAMPLE_SECONDS):
        peak = max(peak, memory_mb(pid))
    ended.set()
    prober.join()
    seconds.sort()
    p99 = seconds[min(len(seconds) - 1, len(seconds) * 99 // 100)]
    ours.send(Observed(len(seconds), seconds[-1], p99, failures, peak))
