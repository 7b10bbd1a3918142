"""The fixtures that tests share. Their helpers are in tests/support."""

from __future__ import annotations

import logging
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

# Before their import: a failed assertion in a helper shows its values, as one in a test does.
pytest.register_assert_rewrite("tests.support")

from service import PROJECT
from service.migrations.run import migrate
from tests.support.postgres import Postgres, run_sql
from tests.support.service import Service, service_environment, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx

# The log that tests read is the service's, not that of their own client.
logging.getLogger("httpx").setLevel(logging.WARNING)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server that most tests share. None of them stops it."""
    server = Postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    run_sql(server.url, "create database migrated")
    migrate(server.url_of("migrated"), print)
    yield server
    server.stop()


@pytest.fixture
def empty_database(postgres: Postgres) -> str:
    """A database without any schema."""
    return postgres.create_database()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """A database of the test's own, with the schema up to date."""
    return postgres.create_database(template="migrated")


@pytest.fixture
def own_postgres(tmp_path: Path) -> Iterator[Postgres]:
    """A server of the test's own, migrated, to be stopped and frozen at will."""
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
    """Call something many times at once, and return what the calls returned."""
    with ThreadPoolExecutor(64) as threads:

        def call(times: int, what: Callable[[], Any]) -> list[Any]:
            return [future.result() for future in [threads.submit(what) for _ in range(times)]]

        yield call


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Start the service with variables of the environment; it is ended with the test."""
    services: list[Service] = []

    def start(*arguments: str, **variables: str) -> Service:
        log = tmp_path / f"service-{len(services)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "service", "serve", *arguments],
                cwd=PROJECT,
                env=service_environment(**variables),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        services.append(Service(process, log))
        return services[-1]

    yield start
    for service in services:
        service.end()
