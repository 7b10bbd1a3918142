"""Pages: the service and a peer that renders the same document of 50 KB for each request.

The peer is `pages_peer.py`. Both are on one core, and take turns; wrk and PostgreSQL are on
another.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil
import psycopg
from client import connect
from contenders import (
    DOCUMENT,
    SERVICE,
    UVICORN,
    BenchmarkError,
    Contender,
    fetch,
    running_contender,
)
from results import PageLoad, Pages
from rows import PATH
from sampling import sampling
from work_pages import measure_work_pages
from wrk import put_load

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contenders import Server
    from postgres import BenchPostgres
    from wrk import WrkFigures

PEER: Final = Contender("FastAPI + Jinja2", (*UVICORN, "pages_peer:app", "--no-access-log"), {})

CONNECTIONS: Final = (1, 32)
WARM_UP_SECONDS: Final = 1

# What is asked for, besides the page itself.
PAGE: Final = "page"
GZIP: Final = "page, gzip"
NOT_MODIFIED: Final = "page, not modified"
FOLDER: Final = "folder"
JSON: Final = "document as JSON"


class _Measured(NamedTuple):
    """A run of wrk, and the CPU time of the server meanwhile, in seconds."""

    figures: WrkFigures
    cpu_seconds: float


class _Case(NamedTuple):
    """A request, and the server that it is sent to."""

    name: str
    server: Server
    path: str
    headers: Sequence[str] = ()


def measure_pages(
    postgres: BenchPostgres,
    core: int,
    rounds: int,
    seconds: int,
    report_progress: Callable[[str], None],
) -> Pages:
    """Measure the service and the peer, both on this core, then the pages of projects' work.

    Calls `report_progress` with a line before each step. Raises BenchmarkError.
    """
    database = postgres.create_database()
    path = f"/projects/{_read_project(database.url)}/files/{PATH}"
    with (
        running_contender(SERVICE, database.url, core) as service,
        running_contender(PEER, database.url, core) as peer,
    ):
        begun = perf_counter()
        page = fetch(service, path)
        first_seconds = perf_counter() - begun
        tag = _read_tag(service, path)
        cases = [
            _Case(PAGE, service, path),
            _Case(GZIP, service, path, ("Accept-Encoding: gzip",)),
            _Case(NOT_MODIFIED, service, path, (f"If-None-Match: {tag}",)),
            _Case(FOLDER, service, path.rpartition("/")[0]),
            _Case(JSON, service, DOCUMENT),
            _Case(PAGE, peer, path),
        ]
        measured: dict[tuple[str, str, int], list[_Measured]] = {}
        report_progress("warming up")
        for case in cases:
            put_load(case.server.url + case.path, 1, WARM_UP_SECONDS, headers=case.headers)
        for number in range(rounds):
            report_progress(f"pages: round {number + 1} of {rounds}")
            for case in cases:
                for connections in CONNECTIONS:
                    key = case.name, case.server.contender.name, connections
                    measured.setdefault(key, []).append(_measure(case, connections, seconds))
        report_progress(f"probing health while {CONNECTIONS[-1]} clients load pages")
        with sampling(service) as samples:
            put_load(service.url + path, CONNECTIONS[-1], seconds)
    loads: dict[str, dict[str, dict[int, PageLoad]]] = {}
    for (name, contender, connections), runs in measured.items():
        loads.setdefault(name, {}).setdefault(contender, {})[connections] = _summarize(runs)
    return Pages(
        page_bytes=len(page),
        first_ms=first_seconds * 1000,
        loads=loads,
        health_max_ms=max(samples.latencies) * 1000,
        health_failed=samples.failed,
        work=measure_work_pages(postgres, core, seconds, report_progress),
    )


def _measure(case: _Case, connections: int, seconds: int) -> _Measured:
    process = psutil.Process(case.server.process.pid)
    before = process.cpu_times()
    figures = put_load(case.server.url + case.path, connections, seconds, headers=case.headers)
    after = process.cpu_times()
    return _Measured(figures, after.user + after.system - before.user - before.system)


def _summarize(runs: Sequence[_Measured]) -> PageLoad:
    figures = [each.figures for each in runs]
    return PageLoad(
        requests_per_second=median(each.requests_per_second for each in figures),
        cpu_ms=median(each.cpu_seconds / each.figures.requests * 1000 for each in runs),
        p50_ms=median(each.p50_ms for each in figures),
        p99_ms=median(each.p99_ms for each in figures),
        errors=sum(each.errors for each in figures),
    )


def _read_project(url: str) -> str:
    """Return the id of the project that has the document."""
    with psycopg.connect(url) as connection:
        row = connection.execute("select project_id::text from project_doc").fetchone()
    if row is None:
        raise BenchmarkError("the database has no document")
    return row[0]


def _read_tag(service: Server, path: str) -> str:
    """Return the entity tag of a page."""
    connection = connect(service)
    connection.request("HEAD", path)
    tag = connection.getresponse().headers["etag"]
    connection.close()
    return tag
