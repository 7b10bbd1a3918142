"""The fixtures that tests share. Their helpers are in tests/support."""

from __future__ import annotations

import gc
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

# Before their import: a failed assertion in a helper shows its values, as one in a test does.
pytest.register_assert_rewrite("tests.support")

from service.migrations.run import migrate
from tests.support import late
from tests.support.output import add_logs, explain_long_text, shorten_sections
from tests.support.postgres import Postgres, run_sql
from tests.support.service import SETTING_NAMES, Service, serving, start_process

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    import httpx

# A busy machine takes longer for an example than hypothesis gives it: time fails no test.
settings.register_profile("without_deadline", settings(), deadline=None)
settings.load_profile("without_deadline")

# Tests read the service's log, which their own client must not write to.
logging.getLogger("httpx").setLevel(logging.WARNING)


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(late)


def pytest_collection_finish() -> None:
    """Exempt what is there before the first test from garbage collection.

    With the modules and the items of all tests a collection takes a second or more on a busy
    machine. Meanwhile nothing of the process runs: a test that measures the time, or a service in
    one of its threads, is late by that much.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def output_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder for the long outputs of failing tests."""
    return tmp_path_factory.mktemp("output")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the service's log, which may have thousands of lines, out of a failure's report."""
    report = yield
    if report.failed:
        if isinstance(output := item.funcargs.get("output_folder"), Path):
            shorten_sections(report, output)
        if isinstance(folder := item.funcargs.get("tmp_path"), Path):
            add_logs(report, folder)
    return report


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    return explain_long_text(op, left, right)


@pytest.fixture
def one_day() -> None:
    """Begin no test in the last minute of a day in UTC: for tests that read the day twice."""
    now = datetime.now(UTC)
    tomorrow = datetime.combine(now.date() + timedelta(days=1), datetime.min.time(), UTC)
    if (left := tomorrow - now) < timedelta(minutes=1):
        time.sleep(left.total_seconds())


@pytest.fixture
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove every setting from the environment."""
    for name in SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server that most tests share, and that no test stops."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    run_sql(server.url, "create database migrated")
    migrate(server.url_of("migrated"), print)
    yield server
    server.stop()


# A database has 300 files: those of all tests together would fill 20 GB.
@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[str]:
    """A database without any schema."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """A migrated database of the test's own."""
    url = postgres.create_database(template="migrated")
    yield url
    postgres.drop_database(url)


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A migrated server of the test's own, which it may stop and freeze."""
    server = Postgres(tmp_path / "own")
    migrate(server.start(), print)
    yield server
    server.stop()


@pytest.fixture
def client(database: str) -> Iterator[httpx.Client]:
    """The service over HTTP, on a database of its own."""
    with serving(database) as client:
        yield client


@pytest.fixture
def together() -> Iterator[Callable[[int, Callable[[], Any]], list[Any]]]:
    """Return a function that calls another one many times at once and returns the results."""
    with ThreadPoolExecutor(64) as threads:

        def call(times: int, function: Callable[[], Any]) -> list[Any]:
            futures = [threads.submit(function) for _ in range(times)]
            return [future.result() for future in futures]

        yield call


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that starts the service with settings; all end with the test."""
    services: list[Service] = []

    def start(*arguments: str, **variables: str) -> Service:
        log = tmp_path / f"service-{len(services)}.log"
        services.append(start_process(log, "-m", "service", "serve", *arguments, **variables))
        return services[-1]

    yield start
    for service in services:
        service.end()
