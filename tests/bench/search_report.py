"""The report of search for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contenders import SERVICE

if TYPE_CHECKING:
    from results import Growth, Indexing, QueryResult, Search

# Smaller tables are not shown.
SHOWN_BYTES: Final = 1_000_000

COLUMNS: Final = (
    "requests",
    "/s",
    "p50 ms",
    "p95 ms",
    "max ms",
    "first p95",
    "empty",
    "KB",
    "errors",
)


def format_search(search: Search) -> str:
    """Return the report as text."""
    lines = _format_indexing(search.indexing)
    for number in next(iter(search.all_classes.values())):
        columns = ("", *COLUMNS, "peer /s", "peer p95", "times")
        lines.append(f"\nGET /api/search, connections: {number}")
        lines.append(f"{'':20}" + "".join(f"{column:>10}" for column in columns[1:]))
        for name, by_contender in {
            **search.queries,
            "all, each as often": search.all_classes,
        }.items():
            ours = by_contender[SERVICE.name][number]
            line = f"{name:20}{_format(ours)}"
            for contender, by_connections in by_contender.items():
                if contender != SERVICE.name:
                    theirs = by_connections[number]
                    times = ours.requests_per_second / theirs.requests_per_second
                    line += f"{theirs.requests_per_second:10.2f}{theirs.p95_ms:10.0f}{times:10.1f}"
            lines.append(line)
    busiest = max(
        load.load_cpu_part
        for by_contender in search.queries.values()
        for by_connections in by_contender.values()
        for load in by_connections.values()
    )
    lines += [
        "\nfirst p95: of the queries that were sent for the first time",
        "empty: the share of responses without results",
        f"the process that sent the requests used {busiest:.0%} of its core at most",
        "health while clients search:",
        f"  p99 {search.health_p99_ms:.1f} ms, slowest {search.health_max_ms:.1f} ms",
        f"  {search.health_failed} of {search.health_probes:,} probes failed",
        f"RSS of the service at most {search.peak_rss_mb:.0f} MB",
    ]
    return "\n".join(lines)


def format_growth(grown: list[Growth]) -> str:
    """Return the report as text."""
    lines: list[str] = []
    for growth in grown:
        lines += _format_indexing(growth.indexing)
        lines.append(f"\n{'1 connection':20}" + "".join(f"{column:>10}" for column in COLUMNS))
        results = {**growth.queries, "all, each as often": growth.all_classes}
        lines += [f"{name:20}{_format(result)}" for name, result in results.items()]
    return "\n".join(lines)


def _format(result: QueryResult) -> str:
    return (
        f"{result.requests:10,}"
        f"{result.requests_per_second:10.1f}"
        f"{result.p50_ms:10.2f}"
        f"{result.p95_ms:10.2f}"
        f"{result.max_ms:10.2f}"
        f"{result.first_p95_ms:10.2f}"
        f"{result.empty_part:10.2f}"
        f"{result.kilobytes:10.1f}"
        f"{result.errors:10}"
    )


def _format_indexing(indexing: Indexing) -> list[str]:
    total = sum(indexing.seconds)
    lines = [
        f"\n{indexing.documents:,} documents of {indexing.text_bytes / 1e6:.1f} MB",
        f"synced in {total:.1f} s, {total / indexing.documents * 1000:.2f} ms for each",
        f"{'MB':40}{'main':>10}{'toast':>10}{'indexes':>10}",
    ]
    for name, size in indexing.tables.items():
        indexes = sum(size.indexes.values())
        if size.main + size.toast + indexes < SHOWN_BYTES:
            continue
        lines.append(
            f"{name:40}{size.main / 1e6:10.1f}{size.toast / 1e6:10.1f}{indexes / 1e6:10.1f}"
        )
        lines += [
            f"  {index:38}{'':20}{bytes_ / 1e6:10.1f}" for index, bytes_ in size.indexes.items()
        ]
    return lines
