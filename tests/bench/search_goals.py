"""The goals of search: how fast it is, by itself and beside the peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from contenders import SERVICE
from goals import Goal
from queries import NO_MATCH, PREFIX, SUGGESTIONS, TYPO
from search import CONNECTIONS, ILIKE

if TYPE_CHECKING:
    from results import Search

P50_MS: Final = 15
P95_MS: Final = 50
MAX_MS: Final = 200
TYPING_P95_MS: Final = 30
TIMES_PEER: Final = 40
TIMES_PEER_IN_CLASS: Final = 10
HEALTH_P99_MS: Final = 50


def judge_search(search: Search) -> list[Goal]:
    """Return every goal of search with its measured value."""
    ours, theirs = search.all_classes[SERVICE.name], search.all_classes[ILIKE.name]
    alone = ours[1]

    def at_most(limit: float, value: float, text: str) -> Goal:
        return Goal(text, value, limit, is_at_least=False)

    loads = [
        load
        for by_contender in search.queries.values()
        for load in by_contender[SERVICE.name].values()
    ]
    return [
        at_most(P50_MS, alone.p50_ms, "ms for the p50 of searches, at 1 connection"),
        at_most(P95_MS, alone.p95_ms, "ms for the p95 of searches, at 1"),
        at_most(MAX_MS, alone.max_ms, "ms for the slowest search, at 1"),
        *(
            at_most(
                TYPING_P95_MS,
                search.queries[name][SERVICE.name][1].p95_ms,
                f"ms for the p95 of {name}, at 1",
            )
            for name in (PREFIX, SUGGESTIONS)
        ),
        *(
            Goal(
                f"times the peer's searches/s, at {number}",
                ours[number].requests_per_second / theirs[number].requests_per_second,
                TIMES_PEER,
            )
            for number in CONNECTIONS
        ),
        *(
            Goal(
                f"times the peer's searches/s: {name}, at {number}",
                by_contender[SERVICE.name][number].requests_per_second
                / by_contender[ILIKE.name][number].requests_per_second,
                TIMES_PEER_IN_CLASS,
            )
            for name, by_contender in search.queries.items()
            if ILIKE.name in by_contender
            for number in CONNECTIONS
        ),
        *(
            at_most(
                0,
                max(load.empty_part for load in by_contender[SERVICE.name].values()),
                f"of the searches for what occurs found nothing: {name}",
            )
            for name, by_contender in search.queries.items()
            if name not in (NO_MATCH, TYPO, SUGGESTIONS)
        ),
        at_most(
            HEALTH_P99_MS,
            search.health_p99_ms,
            f"ms for the p99 of health, while {CONNECTIONS[-1]} clients search",
        ),
        at_most(0, search.health_failed, "probes failed meanwhile"),
        at_most(0, sum(load.errors for load in loads), "searches failed"),
    ]
