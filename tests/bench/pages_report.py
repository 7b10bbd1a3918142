"""The report of pages for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from results import Pages, WorkPages

COLUMNS: Final = ("connections", "requests/s", "CPU ms", "p50 ms", "p99 ms", "errors")
WORK_COLUMNS: Final = ("p50 ms", "p95 ms", "max ms", "CPU ms", "SQL CPU ms", "KB")
PAINT_COLUMNS: Final = ("p50 ms", "p95 ms", "least ms", "HTML ms", "CPU ms")


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
    return "\n".join([*lines, *_format_work(pages.work)])


def _format_work(work: WorkPages) -> list[str]:
    rows = ", ".join(f"{count:,} of {table}" for table, count in work.rows.items())
    lines = [f"\nPages of projects, which have the rows {rows}; 1 connection", _head(WORK_COLUMNS)]
    lines += [
        f"{name:40}{page.p50_ms:12.1f}{page.p95_ms:12.1f}{page.max_ms:12.1f}{page.cpu_ms:12.2f}"
        f"{page.postgres_cpu_ms:12.2f}{page.kilobytes:12.0f}"
        for name, page in work.times.items()
    ]
    if not work.paints:
        return [*lines, "Chromium is missing: its first paint was not measured"]
    lines += ["\nUntil Chromium's first paint; style and script are cold or cached"]
    lines += [_head(PAINT_COLUMNS)]
    lines += [
        f"{f'{name}, {cache}':40}{paint.p50_ms:12.0f}{paint.p95_ms:12.0f}{paint.least_ms:12.0f}"
        f"{paint.response_ms:12.0f}{paint.cpu_ms:12.1f}"
        for name, by_cache in work.paints.items()
        for cache, paint in by_cache.items()
    ]
    return lines


def _head(columns: tuple[str, ...]) -> str:
    return " " * 40 + "".join(f"{column:>12}" for column in columns)
