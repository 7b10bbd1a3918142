"""What the tests stand on: real PostgreSQL, real HTTP, real processes."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import psutil
import psycopg
import pytest
import uvicorn

from service import PROJECT
from service.app import create_app
from service.embedded.postgres import EmbeddedPostgres
from service.logs import configure_logs
from service.migrations.run import migrate
from service.server.sockets import listen
from service.server.worker import server_config
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from starlette.routing import Route

# The log that tests read is the service's, not that of their own client.
logging.getLogger("httpx").setLevel(logging.WARNING)

# What makes PostgreSQL fast when nothing has to outlive the tests.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# Seconds that health waits where a test is not about that: a busy machine is no outage.
PATIENT = 10.0

SETTING_NAMES = {
    line.partition("=")[0]
    for line in (PROJECT / ".env").read_text().splitlines()
    if line and not line.startswith("#")
} | {"MIGRATIONS_DATABASE_URL"}


def eventually(check: Callable[[], Any], seconds: float = 10) -> Any:
    """Return what `check` does as soon as that is true; fail if it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"
        time.sleep(0.01)
    return value


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements one by one and return the last one's rows, if it has any."""
    rows: list[tuple[Any, ...]] = []
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
    return rows


class Postgres:
    """A server that a test may stop, freeze and start again."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder, options=FAST | (options or {}))
        self.url = ""

    def start(self) -> str:
        self.url = self.server.start()
        return self.url

    def stop(self) -> None:
        self.thaw()
        self.server.stop()

    def freeze(self) -> None:
        for process in self.processes():
            process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # some end while this runs
                process.send_signal(signal.SIGCONT)

    def processes(self) -> list[psutil.Process]:
        try:
            pid = int((self.folder / "data/postmaster.pid").read_text().split("\n")[0])
            postmaster = psutil.Process(pid)
            return [postmaster, *postmaster.children(recursive=True)]
        except (FileNotFoundError, psutil.NoSuchProcess):
            return []

    def create_database(self, template: str = "template1") -> str:
        """Return the URL of a new database."""
        name = f"test_{uuid.uuid4().hex}"
        run_sql(self.url, f"create database {name} template {template}")
        return self.url_of(name)

    def url_of(self, database: str) -> str:
        return self.url.replace("/bmadflow?", f"/{database}?")


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


def make_settings(database_url: str, **changes: Any) -> Settings:
    settings: dict[str, Any] = {
        "database_url": database_url,
        "migrations_database_url": database_url,
        "host": "127.0.0.1",
        "port": 0,
        "cors_origins": ("http://localhost:3000",),
        "log_level": "INFO",
        "log_format": "json",
        "workers": 1,
        "database_pool_max": 10,
        "database_prepared_statements": True,
        "health_timeout": PATIENT,
        "drain": 0.0,
        "shutdown": 30,
        "trusted_proxies": (),
        "api_token": None,
        "api_token_for_reads": False,
        "github_webhook_secret": None,
        "git_hosts": ("git.example",),
        "git_protocols": ("https",),
        "git_private_networks": False,
        "git_config_global": None,
        "git_token": None,
        "git_token_host": "git.example",
        "sync_every_minutes": 0.0,
        "sync_concurrency": 2,
        "sync_timeout": 60.0,
        "sync_max_bytes": 268_435_456,
        "sync_max_files": 50_000,
    }
    return Settings(**(settings | changes))


@contextmanager
def serving(database_url: str, *routes: Route, **changes: Any) -> Generator[httpx.Client]:
    """Serve in a thread of this process, with `routes` besides the real ones; yield a client."""
    settings = make_settings(database_url, **changes)
    app = create_app(settings)
    app.router.routes.extend(routes)
    sockets = listen("127.0.0.1", 0)
    server = uvicorn.Server(server_config(app, settings))
    thread = threading.Thread(target=server.run, args=(sockets,))
    thread.start()
    try:
        eventually(lambda: server.started or not thread.is_alive())
        port = sockets[0].getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


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


def assert_problem(response: httpx.Response, status: int) -> dict[str, Any]:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["status"] == status
    assert isinstance(body["detail"], str)
    assert body["instance"] == urlsplit(str(response.request.url)).path
    assert body["request_id"] == response.headers["x-request-id"]
    return body


@contextmanager
def json_log() -> Generator[Callable[[], str]]:
    """Log as the service does; yield what returns the log so far.

    The line of a request is written after its answer, so it is sure to be there only when what
    serves has ended.
    """
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    with redirect_stderr(StringIO()) as log:
        configure_logs("INFO", "json")
    try:
        yield log.getvalue
    finally:
        root.handlers, root.level = handlers, level


@dataclass
class Service:
    """`python -m service serve` as a process of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        listening = self.wait_for("listening")
        return str(listening["url"])

    def entries(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def find(self, message: str) -> list[dict[str, Any]]:
        return [entry for entry in self.entries() if entry["message"] == message]

    def wait_for(self, message: str) -> dict[str, Any]:
        def found_or_ended() -> list[dict[str, Any]] | bool:
            return self.find(message) or self.process.poll() is not None

        eventually(found_or_ended)
        found = self.find(message)
        assert found, self.log.read_text()
        return found[0]

    def end(self) -> None:
        """End it if it still runs: gently, so that an embedded database ends with it."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(15)
            return
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float = 15) -> int:
        return self.process.wait(seconds)


def service_environment(**variables: str) -> dict[str, str]:
    """The environment of a command: this process's, without settings, but with `variables`."""
    rest = {name: value for name, value in os.environ.items() if name not in SETTING_NAMES}
    ours = {"BACKEND_PORT": "0", "LOG_FORMAT": "json", "HEALTH_TIMEOUT_SECONDS": str(PATIENT)}
    return rest | ours | variables


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


def run_command(
    *arguments: str, cwd: Path = PROJECT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m service …` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "service", *arguments],
        cwd=cwd,
        env=service_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
