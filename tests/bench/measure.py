"""Runs all measurements. The contenders take turns, so that noise affects all alike."""

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
from build import PGX_DEBIAN_PACKAGE, build_go, can_build_go
from contenders import (
    CONNECTIONS,
    CONTENDERS,
    FASTAPI,
    GO,
    RESPONSES,
    SERVICE,
    BenchmarkError,
    environment_of,
    fetch,
    pinned,
    running_contender,
)
from postgres import running_postgres
from results import LoadResult, Memory, Results
from syncs import measure_syncs
from wrk import put_load

if TYPE_CHECKING:
    from collections.abc import Callable

    from contenders import Contender, Server
    from postgres import BenchPostgres, ContenderDatabase
    from results import LoadResults
    from wrk import WrkFigures

WARM_UP_SECONDS = 1
IDLE_SECONDS = 3.0

# Between two samples of the database's activity.
WATCH_SECONDS = 0.001

# wrk ends with requests under way, which keep a server busy for a while.
REST_SECONDS = 10.0
REST_SAMPLE_SECONDS = 0.1
REST_PERCENT = 15.0  # the kernel counts in steps of 10 ms, a tenth of the sample

START_TRIES = 10
# The module that each imports first.
IMPORTS: Final = {SERVICE: "service.server.serve", FASTAPI: "peer"}
IMPORT_TRIES = 5
IMPORT_SECONDS = 30.0


class Cores(NamedTuple):
    """The core of the measured server, and that of wrk, PostgreSQL and this process."""

    server: int
    load: int


@dataclass(frozen=True)
class Measurement:
    """One run of wrk against one server, and what PostgreSQL did meanwhile."""

    figures: WrkFigures
    statements: int
    postgres_cpu_seconds: float


def measure(
    cores: Cores, rounds: int, seconds: int, report_progress: Callable[[str], None]
) -> Results:
    """Measure everything; call `report_progress` with a line before each step.

    Raises BenchmarkError, EmbeddedPostgresError and MigrationError.
    """
    contenders = _prepare_contenders(report_progress)
    os.sched_setaffinity(0, {cores.load})  # inherited by all processes that start from here on
    with running_postgres(cores.server) as postgres:
        loads, memory = _measure_under_load(
            contenders, postgres, cores.server, rounds, seconds, report_progress
        )
        report_progress(f"starting the service and FastAPI {START_TRIES} times each")
        start_seconds = _measure_starts(postgres, cores.server)
        syncs = measure_syncs(postgres, cores.server, report_progress)
        version = postgres.version
    report_progress(f"importing the service and FastAPI {IMPORT_TRIES} times each")
    import_seconds = _measure_imports(cores.server)
    return Results(loads, start_seconds, import_seconds, memory, syncs, version)


def _prepare_contenders(report_progress: Callable[[str], None]) -> list[Contender]:
    """Return all contenders, but without GO if it cannot be built here."""
    if can_build_go():
        report_progress(f"building {GO.name}")
        build_go()
        return list(CONTENDERS)
    report_progress(
        f"leaving out {GO.name}; to measure it: apt-get install golang-go {PGX_DEBIAN_PACKAGE}"
    )
    return [contender for contender in CONTENDERS if contender is not GO]


def _measure_under_load(
    contenders: list[Contender],
    postgres: BenchPostgres,
    core: int,
    rounds: int,
    seconds: int,
    report_progress: Callable[[str], None],
) -> tuple[dict[str, dict[str, LoadResults]], dict[str, Memory]]:
    with ExitStack() as stack:
        report_progress(f"starting {len(contenders)} servers")
        servers: list[tuple[Server, ContenderDatabase]] = []
        for contender in contenders:
            database = postgres.create_database()
            server = stack.enter_context(running_contender(contender, database.url, core))
            servers.append((server, database))
        time.sleep(IDLE_SECONDS)
        memory = {server.contender.name: _measure_memory(server) for server, _ in servers}

        for route in RESPONSES:
            _check_same_responses(route, [server for server, _ in servers])
        cases = [
            (route, connections, server)
            for route, connections, server in product(RESPONSES, CONNECTIONS, servers)
            if connections in server[0].contender.loads.get(route, ())
        ]
        report_progress("warming up")
        most_active = [_warm_up(*case) for case in cases]
        measurements: list[list[Measurement]] = [[] for _ in cases]
        for number in range(rounds):
            report_progress(f"round {number + 1} of {rounds}")
            for case, measured in zip(cases, measurements, strict=True):
                measured.append(_measure_load(*case, seconds))

    loads: dict[str, dict[str, LoadResults]] = {}
    for case, active, measured in zip(cases, most_active, measurements, strict=True):
        route, connections, (server, _) = case
        by_connections = loads.setdefault(route, {}).setdefault(server.contender.name, {})
        by_connections[connections] = _summarize(measured, connections, active)
    return loads, memory


def _check_same_responses(route: str, servers: list[Server]) -> None:
    """Raise BenchmarkError if two contenders respond with different JSON."""

    def read_time(name: str, value: Any) -> Any:
        if name == "timestamp":
            return None  # when the health was determined, which differs
        # The contenders write times with Z or +00:00, with or without trailing zeros.
        return datetime.fromisoformat(value) if name.endswith("_at") else value

    def read_times(members: dict[str, Any]) -> dict[str, Any]:
        return {name: read_time(name, value) for name, value in members.items()}

    bodies = [
        json.loads(fetch(server, route), object_hook=read_times)
        for server in servers
        if route in server.contender.loads
    ]
    if any(body != bodies[0] for body in bodies):
        raise BenchmarkError(f"the contenders respond differently to GET {route}")


def _warm_up(route: str, connections: int, target: tuple[Server, ContenderDatabase]) -> int:
    """Put a load on a server and return the most statements that were active at once.

    The database is sampled only here, because sampling takes time from it and from wrk.
    """
    server, database = target
    most = 0

    def watch() -> None:
        nonlocal most
        most = max(most, database.count_active())
        time.sleep(WATCH_SECONDS)

    put_load(f"{server.url}{route}", connections, WARM_UP_SECONDS, watch)
    _wait_until_idle(server)
    return most


def _measure_load(
    route: str, connections: int, target: tuple[Server, ContenderDatabase], seconds: int
) -> Measurement:
    server, database = target
    statements, cpu_seconds = database.count_statements(), database.read_cpu_seconds()
    figures = put_load(f"{server.url}{route}", connections, seconds)
    _wait_until_idle(server)
    return Measurement(
        figures,
        database.count_statements() - statements,
        database.read_cpu_seconds() - cpu_seconds,
    )


def _wait_until_idle(server: Server) -> None:
    process = psutil.Process(server.process.pid)
    deadline = time.monotonic() + REST_SECONDS
    while process.cpu_percent(REST_SAMPLE_SECONDS) > REST_PERCENT:
        if time.monotonic() > deadline:
            raise BenchmarkError(f"{server.contender.name} stays busy without load")


def _summarize(measurements: list[Measurement], connections: int, most_active: int) -> LoadResult:
    loads = [measurement.figures for measurement in measurements]
    rates = [load.requests_per_second for load in loads]
    # wrk ends with one request under way on each connection, which reaches the database, too.
    requests = sum(load.requests + connections for load in loads)
    return LoadResult(
        requests_per_second=median(rates),
        p50_ms=median(load.p50_ms for load in loads),
        p99_ms=median(load.p99_ms for load in loads),
        errors=sum(load.errors for load in loads),
        statements_per_request=sum(measurement.statements for measurement in measurements)
        / requests,
        postgres_cpu_seconds_per_request=sum(
            measurement.postgres_cpu_seconds for measurement in measurements
        )
        / requests,
        most_active_statements=most_active,
        rounds=rates,
    )


def _measure_memory(server: Server) -> Memory:
    root = psutil.Process(server.process.pid)
    infos = [process.memory_full_info() for process in (root, *root.children(recursive=True))]
    return Memory(
        rss_mb=sum(info.rss for info in infos) / 1e6, uss_mb=sum(info.uss for info in infos) / 1e6
    )


def _measure_starts(postgres: BenchPostgres, core: int) -> dict[str, float]:
    databases = {contender: postgres.create_database() for contender in (SERVICE, FASTAPI)}

    def start(contender: Contender) -> float:
        with running_contender(contender, databases[contender].url, core) as server:
            return server.start_seconds

    return _take_turns(start, START_TRIES)


def _measure_imports(core: int) -> dict[str, float]:
    def import_module(contender: Contender) -> float:
        module = IMPORTS[contender]
        command = pinned(core, contender.command[0], "-c", f"import {module}")
        # FastAPI's module creates its engine when it is imported; that needs a URL but no server.
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
            raise BenchmarkError(f"importing {module} failed: {error}") from error
        return time.perf_counter() - started

    return _take_turns(import_module, IMPORT_TRIES)


def _take_turns(try_once: Callable[[Contender], float], tries: int) -> dict[str, float]:
    """Return the median of the tries of the service and of FastAPI, in seconds."""
    seconds: dict[Contender, list[float]] = {SERVICE: [], FASTAPI: []}
    for _ in range(tries):
        for contender, tried in seconds.items():
            tried.append(try_once(contender))
    return {contender.name: median(tried) for contender, tried in seconds.items()}
