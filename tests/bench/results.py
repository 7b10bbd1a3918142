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
class SyncResult:
    """One kind of sync: medians over the tries, and the most where it says so."""

    seconds: float  # from the request to the end, as a client sees it
    duration_seconds: float  # as the run itself tells
    fetched_bytes: int  # as the run itself tells; the most
    sent_bytes: int  # by the git server, in bodies of HTTP; the most
    rows_written: int  # of documents; the most
    tries: list[float]  # the seconds of each


@dataclass(frozen=True)
class ManyDocuments:
    """The first sync of 20,000 documents, and the service meanwhile: the most over the tries."""

    sync: SyncResult
    peak_rss_mb: float  # of the service's own process
    processes_rss_mb: float  # with its gits; these two are sampled
    processes_uss_mb: float
    file_tree_seconds: float  # the median
    health_p99_ms: float  # the median
    health_max_ms: float
    health_probes: int  # the sum
    health_failed: int  # the sum of those not answered with 200


@dataclass(frozen=True)
class Syncs:
    """The syncs of 250 documents among 180 MB of assets, and of 20,000 documents."""

    first: SyncResult
    nothing_new: SyncResult
    one_changed: SyncResult
    many: ManyDocuments


@dataclass(frozen=True)
class Results:
    """All figures; the keys are the contenders' names, those of `loads` first the routes."""

    loads: dict[str, dict[str, LoadResults]]
    start_seconds: dict[str, float]
    import_seconds: dict[str, float]
    memory: dict[str, Memory]
    syncs: Syncs
    postgresql: str  # its version
