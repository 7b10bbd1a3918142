"""The overview and the pages of projects: their times, and when Chromium first paints them.

There are PROJECTS, each with a repository of its own: one has MANY_STORIES, one MANY_EPICS, the
others a few of both, and a history. All were synced before the first request.
"""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil
from board_corpus import WORK, BoardSize, make_board_files
from client import SyncClient
from contenders import BenchmarkError, running_contender
from first_paint import CACHED, COLD, measure_paints
from progress import count_rows, empty_projects
from requests_load import send_requests
from results import PageTimes, WorkPages
from search_figures import summarize
from syncs import service_for

from tests.support.git_server import git_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from contenders import Server
    from postgres import BenchPostgres, ContenderDatabase
    from requests_load import Load

    from tests.support.git_server import GitServer, Remote

PROJECTS: Final = 50
MANY_STORIES: Final = BoardSize(documents=4_000, epics=120, stories_per_epic=25, gates=300)
MANY_EPICS: Final = BoardSize(documents=2_000, epics=500, stories_per_epic=2, gates=50)
FEW: Final = BoardSize(documents=60, epics=5, stories_per_epic=6, gates=8)

# The history of a small project: stories come in commits, one a day.
STORIES_PER_DAY: Final = 2
STORY_PATH: Final = re.compile(rf"docs/stories/|{WORK}/\d")
DAY_SECONDS: Final = 86_400

LEAST_REQUESTS: Final = 200

OVERVIEW: Final = "overview of 50 projects"
STORIES_PAGE: Final = "project with 3,000 stories"
EPICS_PAGE: Final = "project with 500 epics"
# What Chromium takes for any page: one with the same style and script, and one without.
SMALL_PAGE: Final = "small page"
PLAIN_TEXT: Final = "plain text"

SMALL_PATH: Final = "/search"
PLAIN_PATH: Final = "/llms.txt"
OVERVIEW_PATH: Final = "/"


def measure_work_pages(
    postgres: BenchPostgres, core: int, seconds: int, report_progress: Callable[[str], None]
) -> WorkPages:
    """Measure the pages, with the service on this core.

    Calls `report_progress` with a line before each step. Raises BenchmarkError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        git_server(Path(folder) / "repositories") as server,
    ):
        service = service_for(server, Path(folder))
        database = postgres.create_database()
        empty_projects(database)
        with running_contender(service, database.url, core) as running_service:
            report_progress(f"making and syncing {PROJECTS} projects")
            client = SyncClient(running_service, server, database)
            projects = {
                name: _sync_project(client, name, remote)
                for name, remote in _make_repositories(server)
            }
            rows = count_rows(database)
            paths = {
                OVERVIEW: OVERVIEW_PATH,
                STORIES_PAGE: f"/projects/{projects[STORIES_PAGE]}",
                EPICS_PAGE: f"/projects/{projects[EPICS_PAGE]}",
            }
            report_progress("requesting the pages of projects")
            times = {
                name: _measure(running_service, database, path, seconds)
                for name, path in paths.items()
            }
            report_progress("painting the overview")
            paints = measure_paints(
                running_service.url,
                {OVERVIEW: OVERVIEW_PATH, SMALL_PAGE: SMALL_PATH, PLAIN_TEXT: PLAIN_PATH},
                {COLD: PLAIN_PATH, CACHED: SMALL_PATH},
            )
    return WorkPages(rows, times, paints)


def _make_repositories(server: GitServer) -> Iterator[tuple[str, Remote]]:
    """Yield the name of each project with its repository."""
    for number in range(PROJECTS - 2):
        remote = server.create(f"team/project-{number}")
        _commit_history(remote, make_board_files(FEW, f"project {number}"))
        yield f"Project {number}", remote
    for name, size in ((STORIES_PAGE, MANY_STORIES), (EPICS_PAGE, MANY_EPICS)):
        remote = server.create(f"team/{name.replace(' ', '-').replace(',', '')}")
        remote.configure("core.compression", "6")
        remote.commit(make_board_files(size, name))
        yield name, remote


def _commit_history(remote: Remote, files: dict[str, bytes]) -> None:
    """Commit all files but those of stories, then these, some a day, until today."""
    stories = [path for path in files if STORY_PATH.match(path)]
    days = range(0, len(stories), STORIES_PER_DAY)
    seconds = int(datetime.now(UTC).timestamp()) - len(days) * DAY_SECONDS
    remote.commit(
        {path: text for path, text in files.items() if path not in stories}, seconds=seconds
    )
    for first in days:
        seconds += DAY_SECONDS
        paths = stories[first : first + STORIES_PER_DAY]
        remote.commit({path: files[path] for path in paths}, seconds=seconds)


def _sync_project(client: SyncClient, name: str, remote: Remote) -> str:
    """Return the id of a new project that is synced with this repository."""
    project = client.create_project(name)
    client.sync(client.create_source(project, remote, None))
    return project


def _measure(service: Server, database: ContenderDatabase, path: str, seconds: int) -> PageTimes:
    """Request a page over one connection, LEAST_REQUESTS times or more."""
    send_requests(service.url, [path], 1, 1)
    process = psutil.Process(service.process.pid)
    before, postgres_before = process.cpu_times(), database.read_cpu_seconds()
    loads: list[Load] = []
    while sum(len(load.latencies) for load in loads) < LEAST_REQUESTS:
        loads.append(send_requests(service.url, [path], 1, seconds))
        if loads[-1].errors:
            raise BenchmarkError(f"the service responds with errors to GET {path}")
    after = process.cpu_times()
    figures = summarize(loads)
    cpu_seconds = after.user + after.system - before.user - before.system
    postgres_seconds = database.read_cpu_seconds() - postgres_before
    return PageTimes(
        requests=figures.requests,
        p50_ms=figures.p50_ms,
        p95_ms=figures.p95_ms,
        max_ms=figures.max_ms,
        cpu_ms=cpu_seconds / figures.requests * 1000,
        postgres_cpu_ms=postgres_seconds / figures.requests * 1000,
        kilobytes=figures.kilobytes,
        errors=figures.errors,
    )
