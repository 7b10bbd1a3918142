from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx
import psutil
import psycopg
from prometheus_client.parser import text_string_to_metric_families
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from service import __version__
from service.database.pool import PoolUse
from service.migrations.files import read_migration_files
from service.telemetry.metrics import Metrics
from tests.support.postgres import Postgres, run_sql
from tests.support.promtool import needs_promtool, promtool
from tests.support.service import Service, serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.state import Request
    from service.telemetry.shared_values import SharedValues

DURATION = "http_server_request_duration_seconds"
POOL = {"db_client_connection_pool_name": "main"}


def scrape(client: httpx.Client) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Return the value of each sample, by its name and labels."""
    response = client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def read(client: httpx.Client, name: str, **labels: str) -> float | None:
    return scrape(client).get((name, frozenset(labels.items())))


def count(client: httpx.Client, method: str, route: str, status: int) -> float | None:
    return read(
        client,
        f"{DURATION}_count",
        http_request_method=method,
        http_route=route,
        http_response_status_code=str(status),
    )


def test_requests_are_counted_by_route_method_and_status(client: httpx.Client) -> None:
    for name in ("page.css", "redoc-start.js"):
        client.get(f"/docs/assets/{name}")
    client.head("/api/health")
    client.delete("/api/health")
    client.get("/api/nothing")
    client.request("PROPFIND", "/api/nothing")
    assert count(client, "GET", "/docs/assets/{name}", 200) == 2
    assert count(client, "HEAD", "/api/health", 200) == 1
    assert count(client, "DELETE", "/api/health", 405) == 1
    assert count(client, "GET", "", 404) == 1
    assert count(client, "_OTHER", "", 404) == 1


def test_durations_of_requests_are_measured(database: str) -> None:
    async def wait(request: Request) -> PlainTextResponse:
        await request.state["database"].execute("select pg_sleep(0.3)")
        return PlainTextResponse("done")

    with serving(database, Route("/wait", wait)) as client:
        client.get("/wait")
        labels = {
            "http_request_method": "GET",
            "http_route": "/wait",
            "http_response_status_code": "200",
        }
        samples = scrape(client)

        def value(suffix: str, **more: str) -> float:
            return samples[DURATION + suffix, frozenset((labels | more).items())]

        assert value("_sum") > 0.3
        assert value("_bucket", le="0.25") == 0
        assert value("_bucket", le="+Inf") == 1


def test_refused_requests_are_counted_apart(client: httpx.Client) -> None:
    with httpx.Client(base_url=client.base_url) as other:
        other.get("/api/health/live", headers={"x": "a" * 70_000})
    refused = read(client, "bmadflow_requests_refused_total", http_response_status_code="431")
    assert refused == 1


def test_used_idle_and_awaited_connections_are_counted(database: str) -> None:
    async def hold(request: Request) -> PlainTextResponse:
        await request.state["database"].execute("select count(*) from project")
        return PlainTextResponse("held")

    def state(name: str) -> float | None:
        return read(
            client,
            "db_client_connections",
            **POOL,
            db_client_connection_state=name,
        )

    # Without a syncer, whose polls use a connection of the pool.
    changes = {"database_pool_max": 2, "health_timeout": 0.2, "sync_concurrency": 0}
    with (
        serving(database, Route("/hold", hold), **changes) as client,
        ThreadPoolExecutor() as pool,
        psycopg.connect(database) as blocking,
    ):
        blocking.execute("lock table project")
        assert read(client, "db_client_connection_max", **POOL) == 2
        held = [pool.submit(client.get, "/hold") for _ in range(3)]
        # Not at once: those that wait while a connection is opened are pending, too.
        eventually(
            lambda: (
                state("used") == 2
                and read(client, "db_client_connection_pending_requests", **POOL) == 1
            )
        )
        pending_since = time.monotonic()
        assert state("idle") == 0
        # The three requests, and the scrape itself.
        assert read(client, "http_server_active_requests") == 4
        time.sleep(0.3)
        pending = time.monotonic() - pending_since
        blocking.rollback()
        assert [response.result().text for response in held] == ["held"] * 3
        assert state("used") == 0
        assert state("idle") == 2
        assert read(client, "db_client_connection_pending_requests", **POOL) == 0
        assert read(client, "http_server_active_requests") == 1
        wait = scrape(client)["db_client_connection_wait_time_seconds_sum", frozenset(POOL.items())]
        assert wait > pending


def test_database_up_follows_an_outage(own_postgres: Postgres) -> None:
    with serving(own_postgres.url) as client:
        assert read(client, "bmadflow_database_up") == 1
        own_postgres.stop()
        eventually(lambda: read(client, "bmadflow_database_up") == 0)
        own_postgres.start()
        eventually(lambda: read(client, "bmadflow_database_up") == 1)


def test_pending_migrations_are_counted(database: str, empty_database: str) -> None:
    with serving(database) as client:
        assert read(client, "bmadflow_migrations_pending") == 0
        run_sql(database, "delete from _yoyo_migration")
        assert read(client, "bmadflow_migrations_pending") == len(read_migration_files())
    with serving(empty_database) as client:
        assert read(client, "bmadflow_migrations_pending") == len(read_migration_files())
        assert read(client, "bmadflow_database_up") == 1


def every_metric(shared: SharedValues | None = None) -> bytes:
    """Return the exposition of a process in which each metric has a sample."""
    metrics = Metrics(shared)
    metrics.refresh(PoolUse(maximum=2, used=1, idle=1, waiting=0))
    metrics.observe_request("GET", "/api/hello", 200, 0.1)
    metrics.observe_sync("failed", 0.1)
    metrics.count_refused(431)
    metrics.count_sync_given_up()
    metrics.count_token_refused("git.example")
    return metrics.render()


def test_every_metric_is_named_as_prometheus_asks() -> None:
    # https://prometheus.io/docs/practices/naming/, and what `promtool check metrics` reports.
    units = {"milliseconds", "ms", "minutes", "hours", "kilobytes", "megabytes", "mb", "percent"}
    types = {"counter", "gauge", "histogram", "summary"}
    for family in text_string_to_metric_families(every_metric().decode()):
        # The parser takes _total off the name of a counter.
        words = set(family.name.split("_"))
        assert family.documentation, family.name
        assert family.samples, family.name
        assert re.fullmatch("[a-z][a-z0-9_]*", family.name), family.name
        assert not words & (units | types), family.name
        assert not re.search("_(total|count|sum|bucket|info)$", family.name) or (
            family.name == "target_info"
        ), family.name
        assert family.type in {"counter", "gauge", "histogram"}, family.name
        for sample in family.samples:
            assert sample.name.endswith("_total") == (family.type == "counter"), sample.name
            assert "le" not in sample.labels or family.type == "histogram", sample.name
            assert all(re.fullmatch("[a-z][a-z0-9_]*", name) for name in sample.labels), sample


@needs_promtool
def test_promtool_finds_no_fault(client: httpx.Client) -> None:
    for exposition in (every_metric(), client.get("/metrics").content):
        assert promtool("check", "metrics", stdin=exposition) == (0, "")


def test_the_version_is_a_label(client: httpx.Client) -> None:
    labels = {"service_name": "bmadflow-api", "service_version": __version__}
    assert read(client, "target_info", **labels) == 1


def test_any_worker_renders_the_metrics_of_all(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2", DATABASE_POOL_MAX="3")
    url = service.url
    supervisor = psutil.Process(service.process.pid)

    def ask(path: str) -> None:  # by a new connection, which either worker may accept
        assert httpx.get(url + path).status_code == 200

    with httpx.Client(base_url=url, timeout=30) as client:
        eventually(lambda: read(client, "db_client_connection_max", **POOL) == 6)
        with ThreadPoolExecutor() as executor:
            list(executor.map(ask, ["/docs"] * 40))
        # A worker counts a request after its response, and another worker renders the counts.
        eventually(lambda: count(client, "GET", "/docs", 200) == 40)
        for _ in range(3):
            assert count(client, "GET", "/docs", 200) == 40
        labels = {"service_name": "bmadflow-api", "service_version": __version__}
        assert read(client, "target_info", **labels) == 1
    victim = next(child for child in supervisor.children() if "spawn_main" in child.cmdline()[-2])
    victim.kill()
    service.expect("worker_started", 3)
    with httpx.Client(base_url=url, timeout=30) as client:
        # The counters of the killed worker stay; its connections are no longer counted.
        eventually(lambda: count(client, "GET", "/docs", 200) == 40)
        eventually(lambda: read(client, "db_client_connection_max", **POOL) == 6)
