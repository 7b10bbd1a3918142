"""What Prometheus is told, by the names of OpenTelemetry's conventions where they have one.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ and …/database/database-metrics/,
in Prometheus' spelling: dots become underscores, and the unit is the end of the name.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from service import __version__

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

# Where each worker writes what it counts, for whichever of them is asked. prometheus-client reads
# the variable when it is imported, so the supervisor sets it before it starts the workers.
SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

# Those that OpenTelemetry advises, in seconds.
REQUEST_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
)  # fmt: skip
WAIT_SECONDS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
SYNC_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

# All others count as one: a client could invent any number of them.
KNOWN_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)
OTHER_METHOD: Final = "_OTHER"

REFRESH_SECONDS: Final = 1.0

# A second series for each, of when it began, that no dashboard asks for.
disable_created_metrics()

POOL: Final = {"db_client_connection_pool_name": "main"}


class PoolUse(NamedTuple):
    """How many connections the pool may have and has, and how many wait for one."""

    maximum: int
    used: int
    idle: int
    waiting: int


class Metrics:
    """All that one process counts and measures."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests_in_flight = 0
        self._request_duration = Histogram(
            "http_server_request_duration_seconds",
            "Duration of HTTP requests, from their headers to the end of the answer. "
            "The route is empty where there is none at the path.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        # Looking a series up by its labels takes longer than adding to it.
        self._durations: dict[tuple[str, str, int], Histogram] = {}
        self._refused = Counter(
            "bmadflow_requests_refused",
            "Requests that never were: not HTTP, too large a head, too slow.",
            ["http_response_status_code"],
            registry=registry,
        )
        self._active_requests = Gauge(
            "http_server_active_requests",
            "HTTP requests that are under way.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self.connection_wait = Histogram(
            "db_client_connection_wait_time_seconds",
            "Time until a database connection was to be had, or not.",
            list(POOL),
            buckets=WAIT_SECONDS,
            registry=registry,
        ).labels(**POOL)
        connections = Gauge(
            "db_client_connection_count",
            "Connections to the database.",
            [*POOL, "db_client_connection_state"],
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._used = connections.labels(**POOL, db_client_connection_state="used")
        self._idle = connections.labels(**POOL, db_client_connection_state="idle")
        self._maximum = self._pool_gauge(
            "db_client_connection_max", "Connections that the pool may have."
        )
        self._waiting = self._pool_gauge(
            "db_client_connection_pending_requests", "Requests that wait for a connection."
        )
        self.database_up = Gauge(
            "bmadflow_database_up",
            "Whether the database answered when it was last asked: 1 or 0.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self.migrations_pending = Gauge(
            "bmadflow_migrations_pending",
            "Migrations that this code needs and the schema does not have.",
            registry=registry,
            multiprocess_mode="livemostrecent",
        )
        self.syncs_running = Gauge(
            "bmadflow_syncs_running",
            "Syncs that are under way.",
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._sync_duration = Histogram(
            "bmadflow_sync_duration_seconds",
            "Duration of syncs that ended, by how.",
            ["status"],
            buckets=SYNC_SECONDS,
            registry=registry,
        )
        self._syncs_given_up = Counter(
            "bmadflow_syncs_given_up",
            "Syncs that failed through a fault of the service, or were interrupted too often.",
            registry=registry,
        )
        Gauge(
            "target_info",
            "What runs here.",
            ["service_name", "service_version"],
            registry=registry,
            multiprocess_mode="livemax",
        ).labels("bmadflow-api", __version__).set(1)

    def _pool_gauge(self, name: str, text: str) -> Gauge:
        gauge = Gauge(name, text, list(POOL), registry=self._registry, multiprocess_mode="livesum")
        return gauge.labels(**POOL)

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that is over. `route` is its template, empty where there is none."""
        key = (method, route, status)
        duration = self._durations.get(key)
        if duration is None:
            known = method if method in KNOWN_METHODS else OTHER_METHOD
            duration = self._request_duration.labels(known, route, status)
            if known == method:
                self._durations[key] = duration
        duration.observe(seconds)

    def observe_sync(self, status: str, seconds: float) -> None:
        """Count a sync that ended by itself: `completed`, or `failed` for a reason that it told."""
        self._sync_duration.labels(status).observe(seconds)

    def count_sync_given_up(self) -> None:
        """Count a sync that failed through a fault of ours, or was interrupted too often."""
        self._syncs_given_up.inc()

    def count_refused(self, status: int) -> None:
        """Count what was answered before it could become a request."""
        self._refused.labels(status).inc()

    def refresh(self, pool: PoolUse) -> None:
        """Set what is a state and not an event, which costs too much to do for every request."""
        self._active_requests.set(self.requests_in_flight)
        self._used.set(pool.used)
        self._idle.set(pool.idle)
        self._maximum.set(pool.maximum)
        self._waiting.set(pool.waiting)

    def render(self) -> bytes:
        """Return all of it in Prometheus' text format, of all workers if there are several."""
        registry = self._registry
        if SHARED_FOLDER in os.environ:
            # Not above: a process that is the only one starts without it.
            from prometheus_client.multiprocess import MultiProcessCollector

            registry = CollectorRegistry()
            MultiProcessCollector(registry)
        return generate_latest(registry)


@asynccontextmanager
async def refreshing(metrics: Metrics, read_pool: Callable[[], PoolUse]) -> AsyncGenerator[None]:
    """Refresh `metrics` again and again: another worker may be the one that is asked for them."""

    async def refresh() -> None:
        while True:
            metrics.refresh(read_pool())
            await asyncio.sleep(REFRESH_SECONDS)

    refreshes = asyncio.create_task(refresh())
    try:
        yield
    finally:
        refreshes.cancel()
