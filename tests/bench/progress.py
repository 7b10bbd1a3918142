"""The routes of stories, epics and problems, and the syncs that these are made in.

The service has a project of one large repository, and small ones beside it, so that the overview
has PROJECTS. All were synced before the first request.
"""

from __future__ import annotations

import re
import tempfile
from http import HTTPStatus
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote, urljoin

import psycopg
from board_corpus import BoardSize, change_story, make_board_files
from client import SyncClient, connect
from contenders import BenchmarkError, running_contender
from past import measure_past
from requests_load import send_requests
from results import BoardSync, Progress, SyncResult
from search_figures import summarize
from syncs import service_for, summarize_runs
from without_work import copy_without_work

from service.bmad.readings import STATUSES
from tests.support.git_server import git_server

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from contenders import Contender, Server
    from postgres import BenchPostgres, ContenderDatabase
    from requests_load import Load

    from tests.support.git_server import GitServer, Remote

LARGE: Final = BoardSize(documents=20_000, epics=120, stories_per_epic=25, gates=2_000)
SMALL: Final = BoardSize(documents=40, epics=2, stories_per_epic=6, gates=4)
PROJECTS: Final = 50

TRIES: Final = 3
LEAST_REQUESTS: Final = 300

# What begins the names of the stories' requests.
STORIES: Final = "stories"
WORDS: Final = ("refund", "invoices dashboard", "export", "2.1", "sign tokens", "nothing")

# Each table that a run may write, with what names its rows.
TABLES: Final[Mapping[str, str]] = {
    "document": "id::text",
    "document_part": "document_id::text",
    "story": "concat_ws('/', project_doc_id, place)",
    "epic": "concat_ws('/', project_doc_id, place)",
    "problem": "concat_ws('/', project_doc_id, place)",
    "source_progress": "project_doc_id::text",
    "activity": "run_id::text",
    "work_history": "project_doc_id::text",
    "work_commit": "concat_ws('/', project_doc_id, position)",
    "work_fact": "concat_ws('/', project_doc_id, position, path, item)",
    "burnup_day": "concat_ws('/', project_doc_id, day)",
}

NEXT_PAGE: Final = re.compile(r'<([^>]+)>; rel="next"')


class _Repository(NamedTuple):
    """The large repository, with the texts of its first commit."""

    remote: Remote
    files: dict[str, bytes]


def measure_progress(
    postgres: BenchPostgres, core: int, seconds: int, report_progress: Callable[[str], None]
) -> Progress:
    """Measure the syncs of the large repository, the routes, and what a history adds to a sync.

    The service is on this core.

    Calls `report_progress` with a line before each step. Raises BenchmarkError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        git_server(Path(folder) / "repositories") as server,
    ):
        service = service_for(server, Path(folder))
        report_progress(f"making {LARGE.documents:,} documents, and {PROJECTS - 1} repositories")
        large = make_large(server)
        small = [_make_small(server, number) for number in range(PROJECTS - 1)]
        report_progress(
            f"syncing {LARGE.documents:,} documents {TRIES} times, with and without work"
        )
        without_work = copy_without_work(service, Path(folder) / "without-work")
        tries: list[tuple[BoardSync, BoardSync, BoardSync]] = []
        without: list[BoardSync] = []
        for _ in range(TRIES):
            without.append(_sync_first(postgres, without_work, core, server, large))
            tries.append(_try_syncs(postgres, service, core, server, large))
        database = postgres.create_database()
        empty_projects(database)
        with running_contender(service, database.url, core) as running_service:
            report_progress(f"syncing {PROJECTS} projects")
            client = SyncClient(running_service, server, database)
            for number, remote in enumerate(small):
                of_remote = client.create_project(f"Small {number}")
                client.sync(client.create_source(of_remote, remote, None))
            project = client.create_project("Large")
            client.sync(client.create_source(project, large.remote, None))
            counts = count_rows(database)
            report_progress(f"requesting what the {PROJECTS} projects have")
            loads = _measure_routes(running_service, project, seconds)
        past = measure_past(postgres, service, core, server, report_progress)
    first, nothing_new, one_changed = (_summarize(list(runs)) for runs in zip(*tries, strict=True))
    return Progress(
        documents=LARGE.documents,
        text_bytes=sum(map(len, large.files.values())),
        rows=counts,
        without_work=_summarize(without),
        first=first,
        nothing_new=nothing_new,
        one_changed=one_changed,
        past=past,
        routes={name: summarize(of_route) for name, of_route in loads.items()},
    )


def make_large(server: GitServer) -> _Repository:
    """Return the large repository on this server."""
    files = make_board_files(LARGE, "large")
    remote = server.create("team/large")
    remote.configure("core.compression", "6")
    remote.commit(files)
    return _Repository(remote, files)


def _make_small(server: GitServer, number: int) -> Remote:
    remote = server.create(f"team/small-{number}")
    remote.commit(make_board_files(SMALL, f"small {number}"))
    return remote


def _try_syncs(
    postgres: BenchPostgres, service: Contender, core: int, server: GitServer, large: _Repository
) -> tuple[BoardSync, BoardSync, BoardSync]:
    """Return the first run, one without news, and one where a story got another status."""
    large.remote.commit(large.files, start_over=True)
    database = postgres.create_database()
    with running_contender(service, database.url, core) as running_service:
        client = SyncClient(running_service, server, database)
        source = client.create_source(client.create_project(), large.remote, None)
        first = _sync(client, source, database)
        nothing_new = _sync(client, source, database)
        large.remote.commit(dict([change_story(large.files)]))
        one_changed = _sync(client, source, database)
    large.remote.commit(large.files, start_over=True)
    if first.run.rows_written != LARGE.documents or one_changed.run.rows_written != 1:
        raise BenchmarkError("a run did not write the new documents")
    return first, nothing_new, one_changed


def _sync_first(
    postgres: BenchPostgres, service: Contender, core: int, server: GitServer, large: _Repository
) -> BoardSync:
    """Return the first run of a service that reads no work."""
    database = postgres.create_database()
    with running_contender(service, database.url, core) as running_service:
        client = SyncClient(running_service, server, database)
        source = client.create_source(client.create_project(), large.remote, None)
        first = _sync(client, source, database)
    with psycopg.connect(database.url, autocommit=True) as connection:
        found = connection.execute("select 1 from story union all select 1 from work_commit")
        if found.fetchone() is not None or first.run.rows_written != LARGE.documents:
            raise BenchmarkError("a run of the service without readers did not do what it should")
    return first


def _sync(client: SyncClient, source: str, database: ContenderDatabase) -> BoardSync:
    before = _read_rows(database)
    run = client.sync(source)
    after = _read_rows(database)
    changed = sum(after.get(row) != before.get(row) for row in before.keys() | after.keys())
    return BoardSync(summarize_runs([run]), changed)


def _read_rows(database: ContenderDatabase) -> dict[tuple[str, str], str]:
    """Return the version of each row that a run may write, by its table and name."""
    rows: dict[tuple[str, str], str] = {}
    with psycopg.connect(database.url, autocommit=True) as connection:
        for table, name in TABLES.items():
            query = f"select {name}, xmin::text || ctid::text from {table}".encode()
            rows |= {(table, row): version for row, version in connection.execute(query)}
    return rows


def empty_projects(database: ContenderDatabase) -> None:
    """Delete the projects of the template."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("truncate project cascade")


def count_rows(database: ContenderDatabase) -> dict[str, int]:
    """Return the numbers of rows, after a vacuum, so that none begins during a load."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
        counts: dict[str, int] = {}
        for table in ("story", "epic", "problem"):
            row = connection.execute(f"select count(*) from {table}".encode()).fetchone()
            assert row is not None
            counts[table] = row[0]
    return counts


def _measure_routes(service: Server, project: str, seconds: int) -> dict[str, list[Load]]:
    """Put the load of each route on the service, of LEAST_REQUESTS or more."""
    board = f"/api/projects/{project}"
    routes: dict[str, Sequence[str]] = {
        STORIES: [f"{board}/stories?limit=100"],
        f"{STORIES}, later pages": _later_pages(service, f"{board}/stories?limit=100"),
        f"{STORIES}, status=": [f"{board}/stories?limit=100&status={each}" for each in STATUSES],
        f"{STORIES}, q=": [f"{board}/stories?limit=100&q={quote(each)}" for each in WORDS],
        f"{STORIES}, epic=": [f"{board}/stories?epic={n + 1}" for n in range(LARGE.epics)],
        "epics": [f"{board}/epics"],
        "problems": [f"{board}/problems?limit=100"],
        "problems, later pages": _later_pages(service, f"{board}/problems?limit=100"),
        "next": [f"{board}/next"],
        "progress": [f"{board}/progress"],
        "overview": ["/api/overview"],
    }
    loads: dict[str, list[Load]] = {}
    for name, paths in routes.items():
        of_route = loads.setdefault(name, [])
        while sum(len(load.latencies) for load in of_route) < LEAST_REQUESTS:
            first = of_route[-1].first if of_route else 0
            of_route.append(send_requests(service.url, paths, 1, seconds, first))
            if of_route[-1].errors:
                raise BenchmarkError(f"the service responds with errors: {name}")
    return loads


def _later_pages(service: Server, path: str) -> list[str]:
    """Return the paths of all pages after the first one."""
    connection = connect(service)
    paths: list[str] = []
    while True:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        if response.status != HTTPStatus.OK:
            raise BenchmarkError(f"the service responded with {response.status} to GET {path}")
        found = NEXT_PAGE.search(response.getheader("Link", ""))
        if found is None:
            connection.close()
            return paths
        path = urljoin(path, found[1])
        paths.append(path)


def _summarize(syncs: list[BoardSync]) -> BoardSync:
    runs = [sync.run for sync in syncs]
    return BoardSync(
        SyncResult(
            seconds=median(run.seconds for run in runs),
            duration_seconds=median(run.duration_seconds for run in runs),
            fetched_bytes=max(run.fetched_bytes for run in runs),
            sent_bytes=max(run.sent_bytes for run in runs),
            rows_written=max(run.rows_written for run in runs),
            tries=[run.seconds for run in runs],
        ),
        rows_written=max(sync.rows_written for sync in syncs),
    )
