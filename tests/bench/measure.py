"""What is measured, and in which order: contenders take turns, so that noise hits all alike."""

from __future__ import annotations

import json
import os
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psutil
from contenders import (
    CONTENDERS,
    DOCUMENT,
    HEALTH,
    PEER,
    PROJECTS,
    SERVICE,
    BenchmarkError,
    environment_of,
    fetch,
    pinned,
    running,
)
from postgres import running_postgres
from results import LoadResult, Memory, Results
from syncs import measure_syncs
from wrk import put_load

if TYPE_CHECKING:
    from collections.abc import Callable

    from contenders import Contender, Server
    from postgres import Database, Postgres
    from results import LoadResults
    from wrk import Load

# A storm of 256 probes is one; as many lists at once are none, and only wait for each other.
CONNECTIONS: Final = {HEALTH: (1, 32, 256), PROJECTS: (1, 32), DOCUMENT: (1, 32)}

WARM_UP_SECONDS = 1
IDLE_SECONDS = 3.0

# Between two looks at what the database is doing.
WATCH_SECONDS = 0.001

# The requests that wrk leaves unanswered keep a server busy for a while.
REST_SECONDS = 10.0
REST_SAMPLE_SECONDS = 0.1
REST_PERCENT = 15.0  # the kernel counts in steps of 10 ms, a tenth of the sample

START_TRIES = 10
IMPORT_TRIES = 5
IMPORT_SECONDS = 30.0


class Cores(NamedTuple):
    """The core of the server that is measured, and the one of wrk, PostgreSQL and this process."""

    server: int
    load: int


@dataclass(frozen=True)
class Run:
    """One load on one server."""

    load: Load
    statements: int


def measure(cores: Cores, rounds: int, seconds: int, say: Callable[[str], None]) -> Results:
    """Measure everything; `say` gets a line for each step.

    Raises BenchmarkError, EmbeddedPostgresError and MigrationError.
    """
    os.sched_setaffinity(0, {cores.load})  # whatever is started from here on inherits it
    with running_postgres(cores.server) as postgres:
        loads, memory = _measure_under_load(postgres, cores.server, rounds, seconds, say)
        say(f"starting the service and the peer {START_TRIES} times each")
        start_seconds = _measure_starts(postgres, cores.server)
        syncs = measure_syncs(postgres, cores.server, say)
        version = postgres.version
    say(f"importing the service and the peer {IMPORT_TRIES} times each")
    import_seconds = _measure_imports(cores.server)
    return Results(loads, start_seconds, import_seconds, memory, syncs, version)


def _measure_under_load(
    postgres: Postgres, core: int, rounds: int, seconds: int, say: Callable[[str], None]
) -> tuple[dict[str, dict[str, LoadResults]], dict[str, Memory]]:
    with ExitStack() as stack:
        say(f"starting {len(CONTENDERS)} servers")
        servers: list[tuple[Server, Database]] = []
        for contender in CONTENDERS:
            database = postgres.create_database()
            server = stack.enter_context(running(contender, database.url, core))
            servers.append((server, database))
        time.sleep(IDLE_SECONDS)
        memory = {server.contender.name: _measure_memory(server) for server, _ in servers}

        for route in (PROJECTS, DOCUMENT):
            _check_answers(route, [server for server, _ in servers])
        cases = [
            (route, connections, server)
            for route, numbers in CONNECTIONS.items()
            for connections, server in product(numbers, servers)
            if route in server[0].contender.routes
        ]
        say("warming up")
        most_active = [_warm_up(*case) for case in cases]
        runs: list[list[Run]] = [[] for _ in cases]
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for case, case_runs in zip(cases, runs, strict=True):
                case_runs.append(_run(*case, seconds))

    loads: dict[str, dict[str, LoadResults]] = {}
    for case, active, case_runs in zip(cases, most_active, runs, strict=True):
        route, connections, (server, _) = case
        by_connections = loads.setdefault(route, {}).setdefault(server.contender.name, {})
        by_connections[connections] = _sum_up(case_runs, connections, active)
    return loads, memory


def _check_answers(route: str, servers: list[Server]) -> None:
    """Raise BenchmarkError where two contenders do not give the same."""

    def read_times(members: dict[str, Any]) -> dict[str, Any]:
        # They are written with Z or with +00:00, with or without zeros at the end.
        return {
            name: datetime.fromisoformat(value) if name.endswith("_at") else value
            for name, value in members.items()
        }

    answers = [
        json.loads(fetch(server, route), object_hook=read_times)
        for server in servers
        if route in server.contender.routes
    ]
    if any(answer != answers[0] for answer in answers):
        raise BenchmarkError(f"the contenders differ in what they answer to GET {route}")


def _warm_up(route: str, connections: int, target: tuple[Server, Database]) -> int:
    """Put a load on a server and return the most statements that were under way at once.

    It is here that the database is watched, since that takes time away from it and from wrk.
    """
    server, database = target
    most = 0

    def watch() -> None:
        nonlocal most
        most = max(most, database.count_active())
        time.sleep(WATCH_SECONDS)

    put_load(f"{server.url}{route}", connections, WARM_UP_SECONDS, watch)
    _let_rest(server)
    return most


def _run(route: str, connections: int, target: tuple[Server, Database], seconds: int) -> Run:
    server, database = target
    before = database.count_statements()
    load = put_load(f"{server.url}{route}", connections, seconds)
    _let_rest(server)
    return Run(load, database.count_statements() - before)


def _let_rest(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    deadline = time.monotonic() + REST_SECONDS
    while process.cpu_percent(REST_SAMPLE_SECONDS) > REST_PERCENT:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{server.contender.name} stays busy without any load")


def _sum_up(runs: list[Run], connections: int, most_active: int) -> LoadResult:
    loads = [run.load for run in runs]
    rates = [load.requests_per_second for load in loads]
    # wrk ends with one request unanswered on each connection, and these reach the database, too.
    requests = sum(load.requests + connections for load in loads)
    return LoadResult(
        requests_per_second=median(rates),
        p50_ms=median(load.p50_ms for load in loads),
        p99_ms=median(load.p99_ms for load in loads),
        errors=sum(load.errors for load in loads),
        statements_per_request=sum(run.statements for run in runs) / requests,
        most_active_statements=most_active,
        rounds=rates,
    )


def _measure_memory(server: Server) -> Memory:
    root = psutil.Process(server.process.pid)
    infos = [process.memory_full_info() for process in (root, *root.children(recursive=True))]
    return Memory(
        rss_mb=sum(info.rss for info in infos) / 1e6, uss_mb=sum(info.uss for info in infos) / 1e6
    )


def _measure_starts(postgres: Postgres, core: int) -> dict[str, float]:
    databases = {contender: postgres.create_database() for contender in (SERVICE, PEER)}

    def start(contender: Contender) -> float:
        with running(contender, databases[contender].url, core) as server:
            return server.start_seconds

    return _take_turns(start, START_TRIES)


def _measure_imports(core: int) -> dict[str, float]:
    def import_module(contender: Contender) -> float:
        command = pinned(core, contender, "-c", f"import {contender.module}")
        # The peer makes its engine at import, which connects to nothing.
        environment = environment_of(contender) | {"DATABASE_URL": "postgresql+asyncpg:///none"}
        started = time.perf_counter()
        try:
            subprocess.run(
                command,
                cwd=contender.folder,
                env=environment,
                check=True,
                capture_output=True,
                timeout=IMPORT_SECONDS,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            raise BenchmarkError(f"importing {contender.module} failed: {error}") from error
        return time.perf_counter() - started

    return _take_turns(import_module, IMPORT_TRIES)


def _take_turns(try_once: Callable[[Contender], float], tries: int) -> dict[str, float]:
    """Return the median of each of the two, in seconds."""
    seconds: dict[Contender, list[float]] = {SERVICE: [], PEER: []}
    for _ in range(tries):
        for contender, tried in seconds.items():
            tried.append(try_once(contender))
    return {contender.name: median(tried) for contender, tried in seconds.items()}
