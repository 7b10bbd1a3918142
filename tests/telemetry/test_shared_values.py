"""The metrics of several workers, whatever happens to the workers and to their machine."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import httpx
import psutil
import pytest
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from service import ROOT
from service.database.pool import PoolUse
from service.telemetry.metrics import Metrics
from service.telemetry.shared_values import CHUNK_BYTES, SharedValues, create_regions
from tests.support.processes import freeze, workers_of
from tests.support.promtool import needs_promtool, promtool
from tests.support.service import service_environment
from tests.support.waiting import eventually
from tests.telemetry.test_metrics import count, every_metric

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from service.telemetry.shared_values import Region
    from tests.support.service import Service


@pytest.fixture(autouse=True)
def _own_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)  # which Metrics replaces


@pytest.fixture
def regions() -> Generator[list[Region]]:
    found = create_regions(3)
    yield found
    for region in found:
        os.close(region.descriptor)


def samples(exposition: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(exposition.decode())
        for sample in family.samples
    }


def requests(exposition: bytes) -> dict[str, float]:
    """Return the number of requests by route."""
    return {
        dict(labels)["http_route"]: value
        for (name, labels), value in samples(exposition).items()
        if name == "http_server_request_duration_seconds_count"
    }


def test_shared_metrics_have_the_names_types_and_values_of_one_process(
    regions: list[Region],
) -> None:
    alone, shared = every_metric(), every_metric(SharedValues(regions, 1))

    def families(exposition: bytes) -> set[tuple[str, str, str]]:
        found = text_string_to_metric_families(exposition.decode())
        return {(family.name, family.type, family.documentation) for family in found}

    assert families(shared) == families(alone)
    assert samples(shared) == samples(alone)


@needs_promtool
def test_promtool_finds_no_fault_with_shared_metrics(regions: list[Region]) -> None:
    assert promtool("check", "metrics", stdin=every_metric(SharedValues(regions, 0))) == (0, "")


def test_counters_are_summed_and_buckets_are_cumulative(regions: list[Region]) -> None:
    workers = [Metrics(SharedValues(regions, own)) for own in range(3)]
    for worker in workers:
        for seconds in (0.001, 0.07, 0.07, 100):
            worker.observe_request("GET", "/x", 200, seconds)
        worker.count_token_refused('a "host"\n')
    text = workers[1].render()
    found = samples(text)
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "http_server_request_duration_seconds_bucket"
    }
    assert (buckets["0.005"], buckets["0.05"], buckets["0.075"]) == (3, 3, 9)
    assert (buckets["10.0"], buckets["+Inf"]) == (9, 12)
    assert requests(text) == {"/x": 12}
    labels = frozenset({("server_address", 'a "host"\n')})
    assert found["bmadflow_git_tokens_refused_total", labels] == 3


def test_gauges_are_those_of_the_workers_that_live(regions: list[Region]) -> None:
    first, second = (Metrics(SharedValues(regions, own)) for own in range(2))
    for worker in (first, second):
        worker.refresh(PoolUse(maximum=10, used=3, idle=0, waiting=1))
        worker.count_refused(431)
    first.migrations_pending.set(4)
    second.migrations_pending.set(2)  # the most recent counts

    def read(name: str) -> float:
        (found,) = [value for (n, _), value in samples(first.render()).items() if n == name]
        return found

    assert read("db_client_connection_max") == 20
    assert read("bmadflow_migrations_pending") == 2
    regions[1].mark(is_alive=False)
    assert read("db_client_connection_max") == 10
    assert read("bmadflow_migrations_pending") == 4
    assert read("bmadflow_requests_refused_total") == 2
    successor = Metrics(SharedValues(regions, 1))
    assert read("db_client_connection_max") == 10  # not those that the dead worker left
    successor.count_refused(431)
    assert read("bmadflow_requests_refused_total") == 3


def test_more_series_than_fit_into_one_chunk_are_kept_and_continued(regions: list[Region]) -> None:
    routes = [f"/route/{number}" for number in range(300)]
    for _ in range(2):  # a worker and its successor
        worker = Metrics(SharedValues(regions, 0))
        for route in routes:
            worker.observe_request("GET", route, 200, 0.01)
    assert os.fstat(regions[0].descriptor).st_size > os.fstat(regions[1].descriptor).st_size
    assert requests(Metrics(SharedValues(regions, 2)).render()) == dict.fromkeys(routes, 2)


def test_metrics_of_newer_code_are_left_out(regions: list[Region]) -> None:
    newer = SharedValues(regions, 0)
    create = newer.value_class()
    create("counter", "of_tomorrow", "of_tomorrow_total", (), (), "").inc(1)
    assert b"of_tomorrow" not in Metrics(SharedValues(regions, 1)).render()


def test_sixty_four_workers_have_their_own_values() -> None:
    regions = create_regions(64)
    for own in range(64):
        Metrics(SharedValues(regions, own)).observe_request("GET", "/x", 200, own)
    found = samples(Metrics(SharedValues(regions, 0)).render())
    sums = [value for (name, _), value in found.items() if name.endswith("duration_seconds_sum")]
    assert sum(range(64)) in sums
    for region in regions:
        os.close(region.descriptor)


def test_without_more_memory_the_service_goes_on(tmp_path: Path) -> None:
    # A limit on files holds for this memory, too: writing it fails as without memory.
    script = """
import resource
from service.telemetry.logs import configure_logs
from service.telemetry.metrics import Metrics
from service.telemetry.shared_values import CHUNK_BYTES, SharedValues, create_regions
configure_logs("INFO", "json")
metrics = Metrics(SharedValues(create_regions(2), 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for number in range(300):
    metrics.observe_request("GET", f"/route/{number}", 200, 0.01)
text = metrics.render().decode()
assert 'http_route="/route/0"' in text and 'http_route="/route/299"' not in text
"""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=service_environment(),
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("metrics_memory_exhausted") == 1


def limit_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_workers_serve_where_no_byte_can_be_written(database: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "service", "serve"],
        cwd=ROOT,
        env=service_environment(DATABASE_URL=database, WEB_CONCURRENCY="2"),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limit_files,
    ) as process:
        assert process.stderr
        lines: list[str] = []
        while '"listening"' not in (lines or [""])[-1]:
            lines.append(process.stderr.readline())
        url = lines[-1].partition('"url": "')[2].partition('"')[0]
        for _ in range(10):
            assert httpx.get(f"{url}/metrics", timeout=30).status_code == 200
        process.terminate()
        rest = process.stderr.read()
    assert process.returncode == 0
    assert "metrics_not_shared" in "".join(lines) + rest


def test_workers_use_no_temporary_folder(
    database: str, start_service: Callable[..., Service], tmp_path: Path
) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2", TMPDIR=str(folder))
    assert httpx.get(f"{service.url}/metrics", timeout=30).status_code == 200
    assert not list(folder.iterdir())
    folder.rmdir()
    for worker in workers_of(psutil.Process(service.process.pid)):
        assert not [file for file in worker.memory_maps() if file.path.startswith(str(folder))]
        worker.kill()
    service.expect("worker_started", 4)
    eventually(lambda: httpx.get(f"{service.url}/metrics", timeout=30).status_code == 200)


def test_a_scrape_does_not_wait_for_a_frozen_worker(
    database: str, start_service: Callable[..., Service]
) -> None:
    service = start_service(DATABASE_URL=database, WEB_CONCURRENCY="2")
    url = service.url
    frozen: psutil.Process | None = None
    requests = 0
    served: set[int] = set()
    while len(served) < 2:  # until both have had a request
        httpx.get(f"{url}/api/hello", timeout=30)
        requests += 1
        served = {entry["pid"] for entry in service.expect("request", requests)}
    with httpx.Client(base_url=url, timeout=30) as client:
        client.get("/api/hello")
        mine = service.expect("request", requests + 1)[-1]["pid"]
        workers = workers_of(psutil.Process(service.process.pid))
        (frozen,) = [worker for worker in workers if worker.pid != mine]
        total = eventually(lambda: count(client, "GET", "/api/hello", 200))
        freeze(frozen)
        try:
            assert count(client, "GET", "/api/hello", 200) == total
        finally:
            frozen.resume()


def test_a_worker_that_is_killed_while_it_adds_memory_or_a_value_hinders_no_successor(
    regions: list[Region],
) -> None:
    Metrics(SharedValues(regions, 0)).count_refused(400)
    used = int.from_bytes(os.pread(regions[0].descriptor, 8, 0), sys.byteorder)
    os.pwrite(regions[0].descriptor, b"x" * 10_000, used)  # the key of a value
    os.pwrite(regions[0].descriptor, b"x" * 10, CHUNK_BYTES)  # another chunk
    metrics = Metrics(SharedValues(regions, 0))
    metrics.count_refused(400)
    metrics.observe_request("GET", "/x", 200, 0.1)
    assert (
        samples(metrics.render()).items()
        >= {
            (
                "bmadflow_requests_refused_total",
                frozenset({("http_response_status_code", "400")}),
            ): 2.0,
        }.items()
    )
    assert requests(metrics.render()) == {"/x": 1}
