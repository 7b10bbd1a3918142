"""The figures, as the report, the chart and results.json use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class LoadResult:
    """One contender under one load: medians over the rounds, except where a comment says so."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int  # the sum
    statements_per_request: float  # over all rounds
    postgres_cpu_seconds_per_request: float  # over all rounds
    most_active_statements: int  # equal ones, at once; sampled
    rounds: list[float]  # the requests/s of each, which show how steady the machine was


# By number of connections.
LoadResults: TypeAlias = dict[int, LoadResult]


@dataclass(frozen=True)
class Memory:
    """The memory of an idle server, in MB of 1,000,000 bytes."""

    rss_mb: float  # as `ps` shows it
    uss_mb: float  # without memory shared with other processes


@dataclass(frozen=True)
class SyncResult:
    """One kind of run: medians over the tries, except where a comment says so."""

    seconds: float  # from the request to the end, as the client sees it
    duration_seconds: float  # as the run reports it
    fetched_bytes: int  # as the run reports it; the maximum
    sent_bytes: int  # by the git server, in bodies of HTTP responses; the maximum
    rows_written: int  # of documents; the maximum
    tries: list[float]  # the seconds of each


@dataclass(frozen=True)
class ManyDocuments:
    """Runs of 20,000 documents, and the service in the first one: maximums over the tries."""

    sync: SyncResult  # the first one
    read_again: SyncResult  # since another READER_VERSION read them; none changed
    changed: SyncResult  # every document changed
    deletion_seconds: float  # of their project; the median
    peak_rss_mb: float  # of the service's own process
    processes_rss_mb: float  # with its git processes; these two are sampled
    processes_uss_mb: float
    file_tree_seconds: float  # the median
    health_p99_ms: float  # the median
    health_max_ms: float
    health_probes: int  # the sum
    health_failed: int  # the sum of those without a 200


@dataclass(frozen=True)
class Syncs:
    """Runs of 250 documents among 180 MB of assets, and of 20,000 documents."""

    first: SyncResult
    nothing_new: SyncResult
    one_changed: SyncResult
    many: ManyDocuments


@dataclass(frozen=True)
class Results:
    """All figures. Keys are the contenders' names; `loads` has the routes above them."""

    loads: dict[str, dict[str, LoadResults]]
    start_seconds: dict[str, float]
    import_seconds: dict[str, float]
    memory: dict[str, Memory]
    syncs: Syncs
    postgresql: str  # its version
