"""Percentiles and rates of search requests, from the loads that were put on the servers."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, TypeAlias

from results import QueryResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from requests_load import Load
    from results import QueryResults

# By class of query, contender, and number of connections: the loads of all rounds.
Loads: TypeAlias = "dict[tuple[str, str, int], list[Load]]"


def nest_results(loads: Loads) -> QueryResults:
    """Return the figures of each class, contender and number of connections."""
    results: QueryResults = {}
    for (name, contender, connections), rounds in loads.items():
        results.setdefault(name, {}).setdefault(contender, {})[connections] = summarize(rounds)
    return results


def summarize(loads: Sequence[Load]) -> QueryResult:
    """Return the figures of one class over all rounds."""
    return summarize_classes([loads])


def summarize_classes(classes: Sequence[Sequence[Load]]) -> QueryResult:
    """Return the figures as if each class had been requested as often as each other."""
    # Each latency with its weight: those of one class weigh 1 together.
    weighted: list[tuple[float, float]] = []
    weighted_first: list[tuple[float, float]] = []
    seconds_for_one: list[float] = []
    for loads in classes:
        latencies = [latency for load in loads for latency in load.latencies]
        first = [
            latency
            for load in loads
            for latency, is_new in zip(load.latencies, load.is_new, strict=True)
            if is_new
        ]
        weighted += [(latency, 1 / len(latencies)) for latency in latencies]
        weighted_first += [(latency, 1) for latency in first]
        seconds_for_one.append(sum(load.seconds for load in loads) / len(latencies))
    loads = [load for of_class in classes for load in of_class]
    requests = sum(len(load.latencies) for load in loads)
    return QueryResult(
        requests=requests,
        requests_per_second=1 / fmean(seconds_for_one),
        p50_ms=percentile(weighted, 0.5) * 1000,
        p95_ms=percentile(weighted, 0.95) * 1000,
        max_ms=max(latency for latency, _ in weighted) * 1000,
        first_p95_ms=percentile(weighted_first, 0.95) * 1000,
        empty_part=sum(load.empty for load in loads) / requests,
        kilobytes=sum(load.received_bytes for load in loads) / requests / 1000,
        errors=sum(load.errors for load in loads),
        load_cpu_part=sum(load.cpu_seconds for load in loads) / sum(load.seconds for load in loads),
    )


def percentile(weighted: Sequence[tuple[float, float]], part: float) -> float:
    """Return the least value below or at which this part of the weights is."""
    ordered = sorted(weighted)
    wanted, reached = part * sum(weight for _, weight in ordered), 0.0
    for value, weight in ordered:
        reached += weight
        if reached >= wanted:
            return value
    return ordered[-1][0]
