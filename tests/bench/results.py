"""What is measured, as the report, the chart and results.json get it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class LoadResult:
    """One contender under one load: medians over the rounds, and sums where it says so."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int  # the sum
    statements_per_request: float  # over all rounds
    most_active_statements: int  # the most that were seen under way at once
    rounds: list[float]  # the requests/s of each, to tell how steady the machine was


# By number of connections.
LoadResults: TypeAlias = dict[int, LoadResult]


@dataclass(frozen=True)
class Memory:
    """What an idle server holds, in MB of 1,000,000 bytes."""

    rss_mb: float  # as `ps` shows it
    uss_mb: float  # without what it shares with other processes


@dataclass(frozen=True)
class Results:
    """All figures; the keys are the contenders' names, those of `loads` first the routes."""

    loads: dict[str, dict[str, LoadResults]]
    start_seconds: dict[str, float]
    import_seconds: dict[str, float]
    memory: dict[str, Memory]
    postgresql: str  # its version
