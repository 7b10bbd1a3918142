"""The service under test: in a thread of this process, or in a process of its own."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import httpx
import structlog
import uvicorn

from service import ROOT
from service.app import create_app
from service.environment import FILE_SUFFIX
from service.server.sockets import listen
from service.server.worker import server_config
from service.settings import Settings
from service.telemetry.logs import configure_logs
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from starlette.routing import Route

# Seconds that health waits for the database where a test is not about that: a busy machine, which
# delays all responses, is no outage.
HEALTH_TIMEOUT = 10.0

SETTING_NAMES = {
    line.partition("=")[0]
    for line in (ROOT / ".env").read_text().splitlines()
    if line and not line.startswith("#")
} | {"MIGRATIONS_DATABASE_URL"}


def make_settings(database_url: str, **changes: Any) -> Settings:
    """Return settings for a test, with `changes` by field name."""
    settings: dict[str, Any] = {
        "database_url": database_url,
        "migrations_database_url": database_url,
        "host": "127.0.0.1",
        "port": 0,
        "cors_origins": ("http://localhost:3000",),
        "root_path": "",
        "allowed_hosts": (),
        "log_level": "INFO",
        "log_format": "json",
        "workers": 1,
        "database_pool_max": 10,
        "database_prepared_statements": True,
        "health_timeout": HEALTH_TIMEOUT,
        "drain": 0.0,
        "shutdown": 30,
        "trusted_proxies": (),
        "api_token": None,
        "api_read_token": None,
        "api_token_for_reads": False,
        "github_webhook_secret": None,
        "gitlab_webhook_secret": None,
        "gitea_webhook_secret": None,
        "bitbucket_webhook_secret": None,
        "git_hosts": ("git.example",),
        "git_protocols": ("https",),
        "git_private_networks": False,
        "git_proxy": None,
        "git_no_proxy": (),
        "git_config_global": None,
        "git_token": None,
        "git_token_host": "git.example",
        "git_tokens": (),
        "sync_every_minutes": 0.0,
        "sync_concurrency": 2,
        "sync_timeout": 60.0,
        "sync_max_bytes": 268_435_456,
        "sync_max_files": 50_000,
        "sync_max_queued": 10_000,
        "sync_history_commits": 2_000,
        "max_projects": 10_000,
        "max_sources_per_project": 1000,
        "max_documents_per_project": 200_000,
    }
    return Settings(**(settings | changes))


@contextmanager
def serving(database_url: str, *routes: Route, **changes: Any) -> Generator[httpx.Client]:
    """Serve in a thread of this process, with `routes` besides the real ones; yield a client.

    `changes` are settings, by field name.
    """
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


@contextmanager
def json_log() -> Generator[Callable[[], str]]:
    """Log as the service does; yield a function that returns the log so far.

    The service logs a request after it sent the response: only after the service ended is the line
    sure to be there.
    """
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    old = structlog.get_config()
    with redirect_stderr(StringIO()) as log:
        configure_logs("INFO", "json")
    structlog.configure(cache_logger_on_first_use=False)  # or the loggers would keep this log
    try:
        yield log.getvalue
    finally:
        root.handlers, root.level = handlers, level
        structlog.configure(**old)


@dataclass
class Service:
    """`python -m service serve` in a process of its own, with its log in a file."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """The address of the service, as soon as it listens."""
        listening = self.wait_for("listening")
        return str(listening["url"])

    def health(self) -> tuple[int, str | None]:
        """Return the status code of a health response, and the reason of a failure."""
        response = httpx.get(f"{self.url}/api/health", timeout=20)
        return response.status_code, response.json().get("reason")

    def is_healthy(self) -> bool:
        return self.health() == (200, None)

    def entries(self) -> list[dict[str, Any]]:
        """Return the log's complete lines of JSON."""
        complete, _, _ = self.log.read_text().rpartition("\n")
        lines = complete.splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def find(self, message: str) -> list[dict[str, Any]]:
        """Return the log entries with this message that are written by now."""
        return [entry for entry in self.entries() if entry["message"] == message]

    def expect(self, message: str, count: int = 1) -> list[dict[str, Any]]:
        """Return the log entries with this message when there are `count`; fail without them.

        A thread writes the log, so the line of a request may follow its response.
        """

        def found_or_ended() -> bool:
            has_ended = self.process.poll() is not None
            return len(self.find(message)) >= count or has_ended

        eventually(found_or_ended)
        found = self.find(message)
        assert len(found) == count, f"{len(found)} of {count} {message!r} in {self.log}"
        return found

    def wait_for(self, message: str) -> dict[str, Any]:
        """Return the first log entry with this message; fail if the service ends without one."""

        def found_or_ended() -> bool:
            has_ended = self.process.poll() is not None
            return bool(self.find(message)) or has_ended

        eventually(found_or_ended)
        found = self.find(message)
        assert found, f"no {message!r} in {self.log}"
        return found[0]

    def end(self) -> None:
        """Stop the service if it still runs: by SIGTERM, so that it stops an embedded database."""
        with suppress(subprocess.TimeoutExpired):
            self.process.terminate()
            self.process.wait(15)
            return
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self, seconds: float = 15) -> int:
        """Return the exit code when the process has ended."""
        return self.process.wait(seconds)


# By these the service would take the tests for a deployment.
DEPLOYED = {"INVOCATION_ID", "KUBERNETES_SERVICE_HOST"}


def service_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment with `variables` in place of the service's settings."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name.removesuffix(FILE_SUFFIX) not in SETTING_NAMES | DEPLOYED
    }
    defaults = {
        "BACKEND_PORT": "0",
        "LOG_FORMAT": "json",
        "HEALTH_TIMEOUT_SECONDS": str(HEALTH_TIMEOUT),
    }
    return inherited | defaults | variables


def start_process(log: Path, *arguments: str, **variables: str) -> Service:
    """Start `python …` in a process group of its own, with settings from `variables`."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=service_environment(PYTHONPATH=str(ROOT), **variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Service(process, log)


@contextmanager
def run_service(log: Path, *command: str, **variables: str) -> Generator[Service]:
    """Run the service, or a script of the tests that serves, while the block runs."""
    service = start_process(log, *(command or ("-m", "service", "serve")), **variables)
    try:
        assert service.url  # it listens
        yield service
    finally:
        service.end()


def run_command(
    *arguments: str, cwd: Path = ROOT, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `python -m service …` to its end; return its exit code and output."""
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


def errors_of(stderr: str) -> str:
    """Return what a command printed to standard error, without the database that it speaks to."""
    lines = stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("database: "))
