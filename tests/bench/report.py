"""The figures and the goals as text for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contenders import PEER, SERVICE
from wrk import TIMEOUT_SECONDS

if TYPE_CHECKING:
    from goals import Goal
    from results import LoadResults, Results


def format_report(results: Results, goals: list[Goal]) -> str:
    """Return the figures and the goals as text for a terminal."""
    lines: list[str] = []
    for route, contenders in results.loads.items():
        for connections in contenders[PEER.name]:
            lines += _format_load(route, connections, contenders)
    lines.append(
        f"\nerrors: answers of 400 and above, or after more than {TIMEOUT_SECONDS} s, and broken "
        "connections; the slow ones are in no p50 or p99"
    )
    lines += [f"\n{'':22}{'service':>12}{'peer':>12}{'peer/service':>14}"]
    for what, service, peer in _pairs(results):
        lines.append(f"{what:22}{service:12.3g}{peer:12.3g}{peer / service:14.2f}")
    lines.append("\nGoals")
    for goal in goals:
        held, bound = "held" if goal.is_held else "FAILED", "least" if goal.is_at_least else "most"
        lines.append(f"{held:8}{goal.value:8.4g}  at {bound:5} {goal.limit:<4g} {goal.text}")
    return "\n".join(lines)


def _format_load(route: str, connections: int, contenders: dict[str, LoadResults]) -> list[str]:
    columns = ("requests/s", "/ peer's", "p50 ms", "p99 ms", "/ peer's", "statements", "at once")
    lines = [
        f"\nGET {route}, connections: {connections}",
        f"{'':18}" + "".join(f"{column:>11}" for column in (*columns, "errors")),
    ]
    peer = contenders[PEER.name][connections]
    for name, by_connections in contenders.items():
        result = by_connections[connections]
        lines.append(
            f"{name:18}"
            f"{result.requests_per_second:11,.0f}"
            f"{result.requests_per_second / peer.requests_per_second:11.2f}"
            f"{result.p50_ms:11.2f}"
            f"{result.p99_ms:11.2f}"
            f"{result.p99_ms / peer.p99_ms:11.3f}"
            f"{result.statements_per_request:11.4f}"
            f"{result.most_active_statements:11}"
            f"{result.errors:11}"
        )
    return lines


def _pairs(results: Results) -> list[tuple[str, float, float]]:
    ours, theirs = SERVICE.name, PEER.name
    starts, imports, memory = results.start_seconds, results.import_seconds, results.memory
    return [
        ("start to first 200, s", starts[ours], starts[theirs]),
        ("import, s", imports[ours], imports[theirs]),
        ("idle memory RSS, MB", memory[ours].rss_mb, memory[theirs].rss_mb),
        ("idle memory USS, MB", memory[ours].uss_mb, memory[theirs].uss_mb),
    ]
