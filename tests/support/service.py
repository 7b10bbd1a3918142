"""The service under test: in a thread of this process, or as a process of its own."""

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
import uvicorn

from service import PROJECT
from service.app import create_app
from service.logs import configure_logs
from service.server.sockets import listen
from service.server.worker import server_config
from service.settings import Settings
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from starlette.routing import Route

# Seconds that health waits where a test is not about that: a busy machine is no outage.
PATIENT = 10.0

SETTING_NAMES = {
    line.partition("=")[0]
    for line in (PROJECT / ".env").read_text().splitlines()
    if line and not line.startswith("#")
} | {"MIGRATIONS_DATABASE_URL"}


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
        assert found, f"no {message!r} in {self.log}"
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
