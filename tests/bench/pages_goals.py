"""The goals of pages: how fast a document is shown, by itself and beside the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contenders import SERVICE
from goals import Goal
from pages import CONNECTIONS, PAGE, PEER

if TYPE_CHECKING:
    from results import Pages

PAGES_PER_SECOND: Final = 300
# The peer has the same fast parser, and less on its page.
TIMES_PEER: Final = 1.3
HEALTH_MS: Final = 100


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
        Goal("pages and probes failed", errors + pages.health_failed, 0, is_at_least=False),
    ]
