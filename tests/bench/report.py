"""The report for a terminal: the figures, and whether each goal was reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contenders import CONNECTIONS, FASTAPI, SERVICE
from wrk import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from goals import Goal
    from results import LoadResults, Results, Syncs


def format_report(results: Results) -> str:
    """Return the report as text."""
    lines: list[str] = []
    for route, contenders in results.loads.items():
        for connections in CONNECTIONS:
            lines += _format_load(route, connections, contenders)
    lines += [
        "\nservice /: the figure of the service divided by that of the row",
        "PG µs: CPU time of PostgreSQL for each request",
        f"errors: broken connections, status 400 and above, responses after {TIMEOUT_SECONDS} s;",
        "such late responses count for neither p50 nor p99",
        f"\n{'idle memory':22}{'RSS, MB':>12}{'USS, MB':>12}",
        *(
            f"{name:22}{memory.rss_mb:12.1f}{memory.uss_mb:12.1f}"
            for name, memory in results.memory.items()
        ),
    ]
    lines += [f"\n{'':22}{'service':>12}{'FastAPI':>12}{'/ service':>14}"]
    for what, service, peer in _pairs(results):
        lines.append(f"{what:22}{service:12.3g}{peer:12.3g}{peer / service:14.2f}")
    lines += format_syncs(results.syncs)
    return "\n".join(lines)


def format_goals(goals: list[Goal]) -> str:
    """Return a line for each goal."""
    lines = ["\nGoals"]
    for goal in goals:
        held, bound = "held" if goal.is_held else "FAILED", "least" if goal.is_at_least else "most"
        lines.append(f"{held:8}{goal.value:8.4g}  at {bound:5} {goal.limit:<4g} {goal.text}")
    return "\n".join(lines)


def _format_load(route: str, connections: int, contenders: dict[str, LoadResults]) -> list[str]:
    columns = ("requests/s", "service /", "p50 ms", "p99 ms", "service /", "statements", "at once")
    lines = [
        f"\nGET {route}, connections: {connections}",
        f"{'':22}" + "".join(f"{column:>11}" for column in (*columns, "PG µs", "errors")),
    ]
    service = contenders[SERVICE.name][connections]
    for name, by_connections in contenders.items():
        if connections not in by_connections:
            continue
        result = by_connections[connections]
        lines.append(
            f"{name:22}"
            f"{result.requests_per_second:11,.0f}"
            f"{service.requests_per_second / result.requests_per_second:11.2f}"
            f"{result.p50_ms:11.2f}"
            f"{result.p99_ms:11.2f}"
            f"{service.p99_ms / result.p99_ms:11.3f}"
            f"{result.statements_per_request:11.4f}"
            f"{result.most_active_statements:11}"
            f"{result.postgres_cpu_seconds_per_request * 1e6:11.1f}"
            f"{result.errors:11}"
        )
    return lines


def format_syncs(syncs: Syncs) -> list[str]:
    """Return the figures of the syncs as lines of a table, and others."""
    columns = ("s", "own s", "fetched MB", "sent MB", "written")
    lines = [f"\n{'sync':30}" + "".join(f"{column:>12}" for column in columns)]
    named = {
        "250 documents, first": syncs.first,
        "250 documents, nothing new": syncs.nothing_new,
        "250 documents, one changed": syncs.one_changed,
        "20,000 documents, first": syncs.many.sync,
        "20,000 documents, read again": syncs.many.read_again,
        "20,000 documents, changed": syncs.many.changed,
    }
    for name, sync in named.items():
        lines.append(
            f"{name:30}"
            f"{sync.seconds:12.3f}"
            f"{sync.duration_seconds:12.3f}"
            f"{sync.fetched_bytes / 1e6:12.3f}"
            f"{sync.sent_bytes / 1e6:12.3f}"
            f"{sync.rows_written:12,}"
        )
    many = syncs.many
    lines += [
        f"deleting the 20,000 documents: {many.deletion_seconds * 1000:.0f} ms",
        "during their first sync:",
        f"  RSS of the service at most {many.peak_rss_mb:.0f} MB",
        f"  git included: RSS {many.processes_rss_mb:.0f} MB, USS {many.processes_uss_mb:.0f} MB",
        f"  health p99 {many.health_p99_ms:.0f} ms, slowest {many.health_max_ms:.0f} ms",
        f"  {many.health_failed} of {many.health_probes:,} probes failed",
        f"the tree of its documents: {many.file_tree_seconds * 1000:.0f} ms",
    ]
    return lines


def _pairs(results: Results) -> list[tuple[str, float, float]]:
    ours, theirs = SERVICE.name, FASTAPI.name
    starts, imports = results.start_seconds, results.import_seconds
    return [
        ("start to first 200, s", starts[ours], starts[theirs]),
        ("import, s", imports[ours], imports[theirs]),
    ]
