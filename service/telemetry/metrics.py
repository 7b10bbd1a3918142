"""The metrics for Prometheus, named by OpenTelemetry's conventions where these have a name.

https://opentelemetry.io/docs/specs/semconv/http/http-metrics/ and …/database/database-metrics/,
in Prometheus' spelling: dots become underscores, and the name ends with the unit.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from service import __version__
from service.telemetry.logs import dropped_lines

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Sequence

    from prometheus_client import Metric

    from service.database.pool import PoolUse
    from service.telemetry.shared_values import SharedSample, SharedValues

    # How prometheus-client aggregates a gauge over several workers.
    _Aggregation: TypeAlias = Literal["livesum", "livemax", "livemostrecent"]

# The buckets of histograms, in seconds. OpenTelemetry advises those of requests.
REQUEST_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10,
)  # fmt: skip
WAIT_SECONDS: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5)
SYNC_SECONDS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)

# Any other method counts as OTHER_METHOD: a client could invent any number of methods, and each
# would be a time series.
KNOWN_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
)
OTHER_METHOD: Final = "_OTHER"

REFRESH_SECONDS: Final = 1.0

# Otherwise each counter and histogram has a second time series: when it was created.
disable_created_metrics()

POOL: Final = {"db_client_connection_pool_name": "main"}


class Metrics:
    """The metrics of one process or, with shared values, of all workers."""

    def __init__(self, shared: SharedValues | None = None) -> None:
        self._registry = registry = CollectorRegistry()
        self._shared = shared
        if shared:
            from prometheus_client import values

            # prometheus-client calls this also later, at the first observation with new labels.
            values.ValueClass = shared.value_class()

        def gauge(
            name: str, text: str, labels: Sequence[str] = (), mode: _Aggregation = "livesum"
        ) -> Gauge:
            return Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)

        self.requests_in_flight = 0
        self._request_duration = Histogram(
            "http_server_request_duration_seconds",
            "Duration of HTTP requests, from their headers to the end of the response. "
            "The route is empty where there is none at the path.",
            ["http_request_method", "http_route", "http_response_status_code"],
            buckets=REQUEST_SECONDS,
            registry=registry,
        )
        # By method, route and status: prometheus-client's own look-up by labels takes longer than
        # the observation.
        self._durations: dict[tuple[str, str, int], Histogram] = {}
        self._refused = Counter(
            "bmadflow_requests_refused",
            "Requests that never were: not HTTP, too large a head, too slow.",
            ["http_response_status_code"],
            registry=registry,
        )
        self._active_requests = gauge(
            "http_server_active_requests", "HTTP requests that are under way."
        )
        self.connection_wait = Histogram(
            "db_client_connection_wait_time_seconds",
            "Time until a database connection was to be had, or not.",
            list(POOL),
            buckets=WAIT_SECONDS,
            registry=registry,
        ).labels(**POOL)
        # OpenTelemetry's db.client.connection.count: Prometheus keeps the ending _count for the
        # series of histograms.
        connections = gauge(
            "db_client_connections",
            "Connections to the database.",
            [*POOL, "db_client_connection_state"],
        )
        self._used = connections.labels(**POOL, db_client_connection_state="used")
        self._idle = connections.labels(**POOL, db_client_connection_state="idle")
        self._maximum = gauge(
            "db_client_connection_max", "Connections that the pool may have.", list(POOL)
        ).labels(**POOL)
        self._waiting = gauge(
            "db_client_connection_pending_requests",
            "Requests that wait for a connection.",
            list(POOL),
        ).labels(**POOL)
        self.database_up = gauge(
            "bmadflow_database_up",
            "Whether the database responded to the last query of health: 1 or 0.",
            mode="livemostrecent",
        )
        self.migrations_pending = gauge(
            "bmadflow_migrations_pending",
            "Migrations that this code needs and the schema does not have.",
            mode="livemostrecent",
        )
        self.syncs_running = gauge("bmadflow_syncs_running", "Syncs that are under way.")
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
        self._tokens_refused = Counter(
            "bmadflow_git_tokens_refused",
            "Runs whose git host refused the service's token: expired, revoked or without rights.",
            ["server_address"],
            registry=registry,
        )
        self._log_lines_dropped = Counter(
            "bmadflow_log_lines_dropped",
            "Log lines that were dropped, since standard error did not take them in time.",
            registry=registry,
        )
        self._dropped_lines = 0
        version = gauge(
            "target_info", "What runs here.", ["service_name", "service_version"], mode="livemax"
        )
        version.labels("bmadflow-api", __version__).set(1)
        if shared:
            shared.mark_alive()

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that ended. `route` is the path's template, empty without a route."""
        key = (method, route, status)
        duration = self._durations.get(key)
        if duration is None:
            label = method if method in KNOWN_METHODS else OTHER_METHOD
            duration = self._request_duration.labels(label, route, status)
            if label == method:
                self._durations[key] = duration
        duration.observe(seconds)

    def observe_sync(self, status: str, seconds: float) -> None:
        """Count a run that ended as `completed` or `failed`, unless the service gave it up."""
        self._sync_duration.labels(status).observe(seconds)

    def count_sync_given_up(self) -> None:
        """Count a run that failed through a fault of the service or was interrupted too often."""
        self._syncs_given_up.inc()

    def count_token_refused(self, host: str) -> None:
        """Count a run in which a git host refused the service's token for that host."""
        self._tokens_refused.labels(host).inc()

    def count_refused(self, status: int) -> None:
        """Count a request that HttpProtocol refused, so that the application never got it."""
        self._refused.labels(status).inc()

    def refresh(self, pool: PoolUse) -> None:
        """Set what is not counted as it happens. Too slow to do on every request."""
        self._active_requests.set(self.requests_in_flight)
        self._used.set(pool.used)
        self._idle.set(pool.idle)
        self._maximum.set(pool.maximum)
        self._waiting.set(pool.waiting)
        dropped = dropped_lines()
        self._log_lines_dropped.inc(dropped - self._dropped_lines)
        self._dropped_lines = dropped

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format, aggregated over the workers."""
        if self._shared is None:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        registry.register(_Totals(self._registry, self._shared))
        return generate_latest(registry)


class _Totals:
    """Collects the metrics of a registry, with the values of all workers."""

    def __init__(self, registry: CollectorRegistry, shared: SharedValues) -> None:
        self._registry = registry
        self._shared = shared

    def collect(self) -> Iterable[Metric]:
        metrics = {metric.name: metric for metric in self._registry.collect()}
        for metric in metrics.values():
            metric.samples.clear()
        buckets: defaultdict[tuple[str, tuple[tuple[str, str], ...]], list[SharedSample]]
        buckets = defaultdict(list)
        for sample in self._shared.read():
            metric = metrics.get(sample.metric)
            if metric is None:  # of a worker that was started from newer code
                continue
            if "le" in sample.labels:
                labels = tuple(label for label in sample.labels.items() if label[0] != "le")
                buckets[sample.metric, labels].append(sample)
            else:
                metric.add_sample(sample.name, sample.labels, sample.value)
        for (name, labels), found in buckets.items():
            total = 0.0
            for sample in sorted(found, key=lambda sample: float(sample.labels["le"])):
                total += sample.value
                metrics[name].add_sample(sample.name, sample.labels, total)
            metrics[name].add_sample(f"{name}_count", dict(labels), total)
        return metrics.values()


@asynccontextmanager
async def refreshing(metrics: Metrics, read_pool: Callable[[], PoolUse]) -> AsyncGenerator[None]:
    """Refresh `metrics` every REFRESH_SECONDS, since another worker may render them."""

    async def refresh_forever() -> None:
        while True:
            metrics.refresh(read_pool())
            await asyncio.sleep(REFRESH_SECONDS)

    task = asyncio.create_task(refresh_forever())
    try:
        yield
    finally:
        task.cancel()
