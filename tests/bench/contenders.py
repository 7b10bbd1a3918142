"""Who is measured, and how each is started, found healthy and ended."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rows import DOCUMENT_ID

from service import PROJECT

if TYPE_CHECKING:
    from collections.abc import Generator

HERE = Path(__file__).resolve().parent

# The service runs as it is deployed, with nothing beside it that it does not ask for: structlog,
# for one, imports rich and greenlet where they are.
SERVICE_PYTHON = PROJECT / ".venv-bench/service/bin/python"

HEALTH: Final = "/api/health"
PROJECTS: Final = "/api/projects"
DOCUMENT: Final = f"/api/documents/{DOCUMENT_ID}"

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.005

# All that a server gets of this process's environment: what is set here must change no result.
INHERITED = {"PATH", "HOME", "LANG", "LD_LIBRARY_PATH"}


class BenchmarkError(Exception):
    """The benchmark cannot go on; `str()` is one readable line."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A server to measure: a Python with arguments and variables, and what it imports first."""

    name: str
    arguments: tuple[str, ...]
    module: str
    folder: Path = HERE
    variables: dict[str, str] = field(default_factory=dict)
    python: str = sys.executable
    routes: tuple[str, ...] = (HEALTH,)


ALL_ROUTES: Final = (HEALTH, PROJECTS, DOCUMENT)

SERVICE: Final = Contender(
    "service",
    ("-m", "service", "serve"),
    "service.server.serve",
    PROJECT,
    {"LOG_FORMAT": "json"},
    str(SERVICE_PYTHON),
    ALL_ROUTES,
)

# With uvicorn's defaults, as the story starts it.
UVICORN: Final = ("-m", "uvicorn")
PEER: Final = Contender("peer", (*UVICORN, "peer:app"), "peer", routes=ALL_ROUTES)

# So that nobody can say the service wins by what the peer writes into its log.
PEER_ECHO_OFF: Final = replace(PEER, name="peer, echo off", variables={"PEER_ECHO": "false"})

# How fast anything of that kind could be.
STATIC: Final = Contender(
    "static Starlette", (*UVICORN, "ceilings:static", "--no-access-log"), "ceilings"
)
BARE: Final = Contender("bare uvicorn", (*UVICORN, "ceilings:bare", "--no-access-log"), "ceilings")

CONTENDERS: Final = (SERVICE, PEER, PEER_ECHO_OFF, STATIC, BARE)


@dataclass(frozen=True)
class Server:
    """A contender that runs and is healthy."""

    contender: Contender
    process: subprocess.Popen[bytes]
    url: str
    start_seconds: float  # from the start of its process to its first healthy answer


@contextmanager
def running(contender: Contender, database_url: str, core: int) -> Generator[Server]:
    """Run a contender on one core, healthy, for as long as the block runs.

    Raises BenchmarkError if it does not get healthy in START_SECONDS.
    """
    port = _free_port()
    environment = environment_of(contender) | {
        # The form that SQLAlchemy wants and the service takes as well.
        "DATABASE_URL": database_url.replace("postgresql://", "postgresql+asyncpg://"),
        "BACKEND_HOST": HOST,
        "BACKEND_PORT": str(port),
        "UVICORN_HOST": HOST,  # uvicorn reads its options from such variables, too
        "UVICORN_PORT": str(port),
        "WEB_CONCURRENCY": "1",  # means the same to the service and to uvicorn
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        pinned(core, contender, *contender.arguments),
        cwd=contender.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a terminal's Ctrl-C is for the benchmark, which ends this
    )
    try:
        _wait_until_healthy(contender, process, port)
        seconds = time.perf_counter() - started
        yield Server(contender, process, f"http://{HOST}:{port}", seconds)
    finally:
        _end(process)


def fetch(server: Server, route: str) -> bytes:
    """Return a body. Raises BenchmarkError for an answer that is not 200."""
    connection = HTTPConnection(HOST, int(server.url.rpartition(":")[2]), timeout=START_SECONDS)
    try:
        connection.request("GET", route)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise BenchmarkError(
                f"{server.contender.name} answered {response.status} to GET {route}"
            )
        return body
    finally:
        connection.close()


def pinned(core: int, contender: Contender, *arguments: str) -> list[str]:
    """Return the command that runs the contender's Python with these arguments on one core only."""
    return ["taskset", "--cpu-list", str(core), contender.python, *arguments]


def environment_of(contender: Contender) -> dict[str, str]:
    """Return the environment of a contender's process, without what differs between runs."""
    inherited = {name: os.environ[name] for name in INHERITED & os.environ.keys()}
    return inherited | contender.variables


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def _wait_until_healthy(contender: Contender, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.perf_counter() + START_SECONDS
    while not _is_healthy(port):
        command = f"python {' '.join(contender.arguments)}"
        if process.poll() is not None:
            raise BenchmarkError(
                f"{contender.name} ended with code {process.returncode} before it answered; "
                f"see what it says with: {command}"
            )
        if time.perf_counter() > deadline:
            raise BenchmarkError(
                f"{contender.name} was not healthy in {START_SECONDS:.0f} s; "
                f"see what it says with: {command}"
            )
        time.sleep(POLL_SECONDS)


def _is_healthy(port: int) -> bool:
    # The peer answers 200 whatever its database does, so the body counts as well.
    connection = HTTPConnection(HOST, port, timeout=START_SECONDS)
    try:
        connection.request("GET", HEALTH)
        response = connection.getresponse()
        return response.status == 200 and json.load(response)["database"] == "connected"
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
