"""The goals: the service compared with its peers and with a static route, and its syncs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contenders import (
    DOCUMENT,
    FASTAPI,
    FASTAPI_ECHO_OFF,
    FASTIFY,
    GO,
    HEALTH,
    PROJECTS,
    RESPONSES,
    SERVICE,
    STATIC,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from contenders import Contender
    from results import Results, Syncs

# One connection is a monitor; these are many load balancers, or a storm of probes.
MANY_CONNECTIONS = (32, 256)

# Enough connections to keep a server busy without long queues.
BUSY = 32

# The least requests/s of the service as a multiple of these peers', at any number of connections.
MULTIPLES = {
    FASTIFY: {HEALTH: 1.1, PROJECTS: 1.1, DOCUMENT: 1.1},
    GO: {HEALTH: 0.8, PROJECTS: 0.8, DOCUMENT: 0.9},
}

# Of 20,000 documents of 2 KB, in seconds, before documents had sections, on the machine of
# results.json. Sections may cost half of that.
WITHOUT_SECTIONS = {"first": 5.7, "read again": 3.9, "changed": 5.8, "deleted": 0.060}
WITH_SECTIONS = 1.5

# HEALTH_TIMEOUT_SECONDS and the 0.2 s that a health response may take beyond it.
HEALTH_MS = 1200


@dataclass(frozen=True)
class Goal:
    """A limit for a figure, and the measured value."""

    text: str  # continues the sentence that the figure begins
    value: float
    limit: float
    is_at_least: bool = True  # False: at most

    @property
    def is_held(self) -> bool:
        """Whether the goal was reached."""
        return self.value >= self.limit if self.is_at_least else self.value <= self.limit


def judge(results: Results) -> list[Goal]:
    """Return every goal with its measured value."""
    loads = results.loads[HEALTH]
    service, fastapi, static = (loads[contender.name] for contender in (SERVICE, FASTAPI, STATIC))
    rates, fastapi_rates, static_rates = (
        {number: load.requests_per_second for number, load in by_connections.items()}
        for by_connections in (service, fastapi, static)
    )
    start = results.start_seconds[FASTAPI.name] / results.start_seconds[SERVICE.name]
    # RSS, as `ps` shows it: less favourable to the service than USS.
    memory = results.memory[FASTAPI.name].rss_mb / results.memory[SERVICE.name].rss_mb
    return [
        Goal("times FastAPI's requests/s, at 1 connection", rates[1] / fastapi_rates[1], 2),
        *(
            Goal(f"times FastAPI's requests/s, at {many}", rates[many] / fastapi_rates[many], 12)
            for many in MANY_CONNECTIONS
        ),
        *(
            Goal(
                f"times shorter than FastAPI's p99, at {many}",
                fastapi[many].p99_ms / service[many].p99_ms,
                15,
            )
            for many in MANY_CONNECTIONS
        ),
        *(
            Goal(
                f"of the static route's requests/s, at {many}",
                rates[many] / static_rates[many],
                0.8,
            )
            for many in MANY_CONNECTIONS
        ),
        Goal(
            "health queries at once",
            max(load.most_active_statements for load in service.values()),
            1,
            is_at_least=False,
        ),
        Goal(
            "statements for each probe, at 256",
            service[256].statements_per_request,
            0.1,
            is_at_least=False,
        ),
        Goal("probes failed", sum(load.errors for load in service.values()), 0, is_at_least=False),
        Goal("times shorter than FastAPI's start to its first 200", start, 3),
        Goal("times smaller than FastAPI's idle memory", memory, 2),
        Goal(
            "times FastAPI's lists of 100 projects/s, at 32", _times_fastapi(results, PROJECTS), 5
        ),
        Goal("times FastAPI's documents of 50 KB/s, at 32", _times_fastapi(results, DOCUMENT), 3),
        Goal(
            "lists and documents failed",
            sum(
                load.errors
                for route in (PROJECTS, DOCUMENT)
                for load in results.loads[route][SERVICE.name].values()
            ),
            0,
            is_at_least=False,
        ),
        *(
            goal
            for other, multiples in MULTIPLES.items()
            if other.name in results.loads[HEALTH]
            for route, multiple in multiples.items()
            for goal in _judge_loads(results, route, other, multiple)
        ),
        *judge_syncs(results.syncs),
    ]


def _judge_loads(results: Results, route: str, other: Contender, multiple: float) -> Iterator[Goal]:
    """Compare the service with another contender, at each number of connections."""
    loads = results.loads[route]
    for number, theirs in loads[other.name].items():
        ours = loads[SERVICE.name][number]
        what = f"of {other.name}: {RESPONSES[route]}, at {number}"
        rates = ours.requests_per_second / theirs.requests_per_second
        yield Goal(f"times the requests/s {what}", rates, multiple)
        yield Goal(f"times the p99 {what}", ours.p99_ms / theirs.p99_ms, 1, is_at_least=False)


def _times_fastapi(results: Results, route: str) -> float:
    """Return the service's requests/s divided by FastAPI's, with or without echo: the faster."""
    loads = results.loads[route]
    theirs = (loads[peer.name][BUSY].requests_per_second for peer in (FASTAPI, FASTAPI_ECHO_OFF))
    return loads[SERVICE.name][BUSY].requests_per_second / max(theirs)


def judge_syncs(syncs: Syncs) -> list[Goal]:
    """Return every goal of the syncs with its measured value."""

    def at_most(limit: float, value: float, text: str) -> Goal:
        return Goal(text, value, limit, is_at_least=False)

    first, nothing_new, one_changed, many = (
        syncs.first,
        syncs.nothing_new,
        syncs.one_changed,
        syncs.many,
    )
    fetched = max(first.fetched_bytes, first.sent_bytes)
    memory = max(many.peak_rss_mb, many.processes_rss_mb)
    return [
        at_most(1.5, first.seconds, "s for the first sync of 250 documents and 180 MB of assets"),
        at_most(2, fetched / 1e6, "MB fetched by it"),
        at_most(0.3, nothing_new.seconds, "s for a sync where nothing is new"),
        at_most(0, nothing_new.rows_written, "documents written by it"),
        at_most(1, one_changed.seconds, "s for a sync where one document changed"),
        at_most(1, one_changed.rows_written, "documents written by it"),
        at_most(10, many.sync.seconds, "s for the first sync of 20,000 documents"),
        *(
            at_most(
                WITH_SECTIONS, seconds / WITHOUT_SECTIONS[what], f"times as long as before: {text}"
            )
            for what, seconds, text in (
                ("first", many.sync.seconds, "the first sync of 20,000 documents"),
                ("read again", many.read_again.seconds, "reading them again"),
                ("changed", many.changed.seconds, "a sync where all of them changed"),
                ("deleted", many.deletion_seconds, "deleting their project"),
            )
        ),
        at_most(300, memory, "MB of memory in it, the service with its gits"),
        at_most(0.3, many.file_tree_seconds, "s for the tree of 20,000 documents"),
        at_most(HEALTH_MS, many.health_max_ms, "ms for the slowest health response during it"),
        at_most(0, many.health_failed, "probes failed during it"),
    ]
