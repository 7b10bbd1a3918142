"""What the service is to reach, beside the peer and a static route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contenders import HEALTH, PEER, SERVICE, STATIC

if TYPE_CHECKING:
    from results import Results

# One is a monitor; these are a fleet of load balancers, or a storm.
MANY_CONNECTIONS = (32, 256)


@dataclass(frozen=True)
class Goal:
    """What the service is to reach, and how far it got."""

    text: str  # reads on from the figure
    value: float
    limit: float
    is_at_least: bool = True  # or at most

    @property
    def is_held(self) -> bool:
        """Whether the goal was reached."""
        return self.value >= self.limit if self.is_at_least else self.value <= self.limit


def judge(results: Results) -> list[Goal]:
    """Return every goal with what was measured."""
    loads = results.loads[HEALTH]
    service, peer, static = (loads[contender.name] for contender in (SERVICE, PEER, STATIC))
    rates, peer_rates, static_rates = (
        {number: load.requests_per_second for number, load in by_connections.items()}
        for by_connections in (service, peer, static)
    )
    start = results.start_seconds[PEER.name] / results.start_seconds[SERVICE.name]
    # What `ps` shows: of the two the one that says less in the service's favour.
    memory = results.memory[PEER.name].rss_mb / results.memory[SERVICE.name].rss_mb
    return [
        Goal("times the peer's requests/s, at 1 connection", rates[1] / peer_rates[1], 2),
        *(
            Goal(f"times the peer's requests/s, at {many}", rates[many] / peer_rates[many], 12)
            for many in MANY_CONNECTIONS
        ),
        *(
            Goal(
                f"times shorter than the peer's p99, at {many}",
                peer[many].p99_ms / service[many].p99_ms,
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
        Goal("times shorter than the peer's start to its first 200", start, 3),
        Goal("times smaller than the peer's idle memory", memory, 2),
    ]
