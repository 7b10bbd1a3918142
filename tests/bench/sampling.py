"""The health and the memory of a running service, sampled while it is busy."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from client import connect
from contenders import HEALTH

if TYPE_CHECKING:
    from collections.abc import Generator

    from contenders import Server

PROBE_SECONDS: Final = 0.01
SAMPLE_SECONDS: Final = 0.05


@dataclass
class Samples:
    """The health and memory of the service while it was busy."""

    latencies: list[float]
    failed: int
    processes_rss_mb: float
    processes_uss_mb: float


@contextmanager
def sampling(service: Server) -> Generator[Samples]:
    """Probe the health and sample the memory while the block runs, each in a thread."""
    samples = Samples([], 0, 0.0, 0.0)
    stopping = threading.Event()
    threads = [
        threading.Thread(target=sample, args=(service, samples, stopping))
        for sample in (_sample_health, _sample_memory)
    ]
    for thread in threads:
        thread.start()
    try:
        yield samples
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _sample_health(service: Server, samples: Samples, stopping: threading.Event) -> None:
    connection = connect(service)
    due = time.perf_counter()
    while not stopping.is_set():
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            connection.request("GET", HEALTH)
            response = connection.getresponse()
            response.read()
            samples.failed += response.status != 200
        except (OSError, HTTPException):
            samples.failed += 1
            connection.close()
        # Since the scheduled time: a stalled service delays also the probes that this thread could
        # not send meanwhile (coordinated omission).
        samples.latencies.append(time.perf_counter() - due)
        due += PROBE_SECONDS


def _sample_memory(service: Server, samples: Samples, stopping: threading.Event) -> None:
    root = psutil.Process(service.process.pid)
    while not stopping.wait(SAMPLE_SECONDS):
        rss = uss = 0
        for process in (root, *root.children(recursive=True)):
            try:
                info = process.memory_full_info()
            except psutil.Error:  # a git process that has just ended
                continue
            rss += info.rss
            uss += info.uss
        samples.processes_rss_mb = max(samples.processes_rss_mb, rss / 1e6)
        samples.processes_uss_mb = max(samples.processes_uss_mb, uss / 1e6)


def peak_rss_mb(service: Server) -> float:
    """Return the most memory that the service's own process has had, in MB."""
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
