"""The goals of pages: how fast a document is shown, by itself and beside the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contenders import SERVICE
from first_paint import COLD
from goals import Goal
from pages import CONNECTIONS, PAGE, PEER
from work_pages import EPICS_PAGE, OVERVIEW, STORIES_PAGE

if TYPE_CHECKING:
    from results import Pages, WorkPages

PAGES_PER_SECOND: Final = 300
# The peer has the same fast parser, and less on its page.
TIMES_PEER: Final = 1.3
HEALTH_MS: Final = 100

# Of a project with 3,000 stories, and of one with 500 epics.
PROJECT_P95_MS: Final = 60
# The median, with a cold cache: the style and the script come over the network.
FIRST_PAINT_MS: Final = 100


def judge_pages(pages: Pages) -> list[Goal]:
    """Return every goal of pages with its measured value."""
    ours, theirs = pages.loads[PAGE][SERVICE.name], pages.loads[PAGE][PEER.name]
    busy = CONNECTIONS[-1]
    errors = sum(
        load.errors
        for by_contender in pages.loads.values()
        for load in by_contender[SERVICE.name].values()
    )
    return [
        Goal(
            f"pages/s of a document of 50 KB, at {busy}",
            ours[busy].requests_per_second,
            PAGES_PER_SECOND,
        ),
        *(
            Goal(
                f"times the peer's pages/s, at {number}",
                ours[number].requests_per_second / theirs[number].requests_per_second,
                TIMES_PEER,
            )
            for number in CONNECTIONS
        ),
        Goal(
            f"ms for the slowest health, while {busy} clients load pages",
            pages.health_max_ms,
            HEALTH_MS,
            is_at_least=False,
        ),
        *_judge_work(pages.work),
        Goal("pages and probes failed", errors + pages.health_failed, 0, is_at_least=False),
    ]


def _judge_work(work: WorkPages) -> list[Goal]:
    """Return the goals of projects' pages; without Chromium that of its first paint is left out."""
    return [
        *(
            Goal(
                f"ms for the p95 of the page of a {name}, at 1 connection",
                work.times[name].p95_ms,
                PROJECT_P95_MS,
                is_at_least=False,
            )
            for name in (STORIES_PAGE, EPICS_PAGE)
        ),
        *(
            Goal(
                f"ms until Chromium first paints the {OVERVIEW}, its cache cold",
                by_cache[COLD].p50_ms,
                FIRST_PAINT_MS,
                is_at_least=False,
            )
            for name, by_cache in work.paints.items()
            if name == OVERVIEW
        ),
    ]
