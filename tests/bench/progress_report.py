"""The report of stories, epics and problems for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from results import Progress

COLUMNS: Final = ("requests", "p50 ms", "p95 ms", "max ms", "KB", "errors")


def format_progress(progress: Progress) -> str:
    """Return the report as text."""
    rows = ", ".join(f"{count:,} rows of {table}" for table, count in progress.rows.items())
    syncs = {
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
        f"\n{'1 connection':25}" + "".join(f"{column:>10}" for column in COLUMNS),
        *(
            f"{name:25}{route.requests:10,}{route.p50_ms:10.2f}{route.p95_ms:10.2f}"
            f"{route.max_ms:10.2f}{route.kilobytes:10.1f}{route.errors:10}"
            for name, route in progress.routes.items()
        ),
    ]
    return "\n".join(lines)
