"""Load, by wrk."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from contenders import BenchmarkError

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = Path(__file__).resolve().with_name("wrk.lua")

TIMEOUT_SECONDS = 2

# How much longer than it was told to wrk may take.
GRACE_SECONDS = 15.0


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p99_ms: float
    # Answers of 400 and above, broken connections, and answers after more than TIMEOUT_SECONDS,
    # which wrk leaves out of p50 and p99.
    errors: int


def put_load(
    url: str, connections: int, seconds: int, watch: Callable[[], None] | None = None
) -> Load:
    """Send requests over this many connections at once, each after the answer to the last one.

    `watch` is called over and over meanwhile. Raises BenchmarkError.
    """
    command = ["wrk", "--threads", "1", "--connections", str(connections)]
    command += ["--duration", f"{seconds}s", "--timeout", f"{TIMEOUT_SECONDS}s"]
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


def _parse(output: str) -> Load:
    last = "".join(output.splitlines()[-1:])
    if not last.startswith("{"):
        raise BenchmarkError(f"wrk failed: {last or 'it says nothing'}")
    figures = json.loads(last)
    if not figures["p99"]:
        raise BenchmarkError(f"wrk got no answer in {TIMEOUT_SECONDS} s")
    return Load(
        requests=figures["requests"],
        requests_per_second=figures["requests"] / figures["microseconds"] * 1e6,
        p50_ms=figures["p50"] / 1000,
        p99_ms=figures["p99"] / 1000,
        errors=figures["errors"],
    )
