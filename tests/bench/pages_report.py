"""The report of pages for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from results import Pages

COLUMNS: Final = ("connections", "requests/s", "CPU ms", "p50 ms", "p99 ms", "errors")


def format_pages(pages: Pages) -> str:
    """Return the report as text."""
    lines = [
        f"\nA page of {pages.page_bytes / 1000:.0f} KB; the first one took {pages.first_ms:.0f} ms",
        f"{'request':20}{'server':20}" + "".join(f"{column:>12}" for column in COLUMNS),
    ]
    for name, by_contender in pages.loads.items():
        for contender, by_connections in by_contender.items():
            lines += [
                f"{name:20}{contender:20}{connections:12}{load.requests_per_second:12,.0f}{load.cpu_ms:12.2f}"
                f"{load.p50_ms:12.1f}{load.p99_ms:12.1f}{load.errors:12}"
                for connections, load in by_connections.items()
            ]
    lines.append(f"the slowest health while pages are loaded: {pages.health_max_ms:.1f} ms")
    return "\n".join(lines)
