"""The report of stories, epics and problems for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from results import Past, Progress

COLUMNS: Final = ("requests", "p50 ms", "p95 ms", "max ms", "KB", "errors")


def format_progress(progress: Progress) -> str:
    """Return the report as text."""
    rows = ", ".join(f"{count:,} rows of {table}" for table, count in progress.rows.items())
    syncs = {
        "first, no work read": progress.without_work,
        "first": progress.first,
        "nothing new": progress.nothing_new,
        "one story changed": progress.one_changed,
    }
    lines = [
        f"\n{progress.documents:,} documents of {progress.text_bytes / 1e6:.1f} MB; {rows}",
        f"{'sync':25}{'s':>10}{'own s':>10}{'documents':>11}{'rows':>10}",
        *(
            f"{name:25}{sync.run.seconds:10.3f}{sync.run.duration_seconds:10.3f}"
            f"{sync.run.rows_written:11,}{sync.rows_written:10,}"
            for name, sync in syncs.items()
        ),
        *_format_past(progress.past),
        f"\n{'1 connection':25}" + "".join(f"{column:>10}" for column in COLUMNS),
        *(
            f"{name:25}{route.requests:10,}{route.p50_ms:10.2f}{route.p95_ms:10.2f}"
            f"{route.max_ms:10.2f}{route.kilobytes:10.1f}{route.errors:10}"
            for name, route in progress.routes.items()
        ),
    ]
    return "\n".join(lines)


def _format_past(past: Past) -> list[str]:
    """Return the figures of the history as lines of a table, and others."""
    columns = ("s", "own s", "fetched MB", "tries, s")
    syncs = {"with its history": past.with_past, "without": past.without}
    megabytes = past.version_bytes / 1e6
    return [
        f"\n{past.commits:,} commits; {past.versions:,} past versions: {megabytes:.1f} MB",
        f"{'first sync':25}" + "".join(f"{column:>12}" for column in columns),
        *(
            f"{name:25}{sync.seconds:12.3f}{sync.duration_seconds:12.3f}"
            f"{sync.fetched_bytes / 1e6:12.2f}"
            f"    {' '.join(f'{seconds:.2f}' for seconds in sync.tries)}"
            for name, sync in syncs.items()
        ),
        f"{'difference':25}{past.seconds:12.3f}{'':12}{past.fetched_bytes / 1e6:12.2f}",
        f"load average in the minute before: {past.load_average:.2f}",
    ]
