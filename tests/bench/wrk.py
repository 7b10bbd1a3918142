"""Runs wrk and reads its figures."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contenders import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCRIPT = Path(__file__).resolve().with_name("wrk.lua")

TIMEOUT_SECONDS = 2

# How much longer than its duration wrk may take.
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class WrkFigures:
    """The figures of one run of wrk."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    # Responses with status 400 and above, broken connections, and responses later than
    # TIMEOUT_SECONDS, which count for neither p50 nor p99.
    errors: int


def put_load(
    url: str,
    connections: int,
    seconds: int,
    watch: Callable[[], None] | None = None,
    headers: Sequence[str] = (),
) -> WrkFigures:
    """Send requests for some seconds on `connections` connections, one at a time on each.

    `headers` are lines of each request. Calls `watch` repeatedly meanwhile. Raises BenchmarkError.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
    for line in headers:
        command += ["--header", line]
    command += ["--script", str(SCRIPT), url]
    deadline = time.monotonic() + seconds + GRACE_SECONDS
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            while watch and process.poll() is None and time.monotonic() < deadline:
                watch()
            output, _ = process.communicate(timeout=deadline - time.monotonic())
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"wrk did not end in {seconds + GRACE_SECONDS:.0f} s") from error
        finally:
            process.kill()
    return _parse(output)


def _parse(output: str) -> WrkFigures:
    last = "".join(output.splitlines()[-1:])
    if not last.startswith("{"):
        raise BenchmarkError(f"wrk failed: {last or 'it printed nothing'}")
    figures = json.loads(last)
    if not figures["p99"]:
        raise BenchmarkError(f"wrk got no response within {TIMEOUT_SECONDS} s")
    return WrkFigures(
        requests=figures["requests"],
        requests_per_second=figures["requests"] / figures["microseconds"] * 1e6,
        p50_ms=figures["p50"] / 1000,
        p99_ms=figures["p99"] / 1000,
        errors=figures["errors"],
    )
