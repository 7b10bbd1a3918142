"""The goals of stories, epics and problems: how fast they are shown, and what they cost a sync."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from goals import Goal

if TYPE_CHECKING:
    from results import Progress

P95_MS: Final = 30

# How much longer a first sync may take than without any work to read.
WITH_WORK: Final = 1.5

# What a history of 1,000 commits with 5,000 past versions of stories may add to a first sync.
PAST_SECONDS: Final = 5
PAST_MB: Final = 20


def judge_progress(progress: Progress) -> list[Goal]:
    """Return every goal of stories, epics and problems with its measured value."""

    def at_most(limit: float, value: float, text: str) -> Goal:
        return Goal(text, value, limit, is_at_least=False)

    past = f"{progress.past.commits:,} commits with {progress.past.versions:,} past versions"
    return [
        *(
            at_most(P95_MS, route.p95_ms, f"ms for the p95 of {name}, at 1 connection")
            for name, route in progress.routes.items()
        ),
        at_most(
            WITH_WORK,
            progress.first.run.seconds / progress.without_work.run.seconds,
            "times as long as without reading work: the first sync of 20,000 documents, 3,000 of "
            "them stories",
        ),
        at_most(0, progress.nothing_new.rows_written, "rows written by a sync without news"),
        at_most(
            PAST_SECONDS,
            progress.past.seconds,
            f"s added to a first sync by a history of {past}",
        ),
        at_most(PAST_MB, progress.past.fetched_bytes / 1e6, "MB fetched for it"),
        at_most(
            0,
            sum(route.errors for route in progress.routes.values()),
            "requests for stories, epics and problems failed",
        ),
    ]
