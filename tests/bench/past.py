"""What a history of many commits adds to a first sync: time and fetched bytes.

The repository is synced with its history and without it by turns, each time with a service and a
database of its own: whatever else the machine does then slows both.
"""

from __future__ import annotations

import os
from dataclasses import replace
from statistics import median
from typing import TYPE_CHECKING, Final

import psycopg
from client import SyncClient
from contenders import BenchmarkError, running_contender
from past_corpus import COMMITS, VERSIONS, commit_history, size_versions
from results import Past
from syncs import summarize_runs

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import MeasuredRun
    from contenders import Contender
    from postgres import BenchPostgres, ContenderDatabase

    from tests.support.git_server import GitServer, Remote

TRIES: Final = 3
SEED: Final = "past"


def measure_past(
    postgres: BenchPostgres,
    service: Contender,
    core: int,
    server: GitServer,
    report_progress: Callable[[str], None],
) -> Past:
    """Measure first syncs, with the service on this core.

    Calls `report_progress` with a line before each step. Raises BenchmarkError.
    """
    report_progress(f"making a history of {COMMITS:,} commits")
    remote = server.create("team/past")
    commit_history(remote, SEED)
    load = os.getloadavg()[0]
    report_progress(f"syncing a history of {COMMITS:,} commits {TRIES} times, and the same without")
    pairs = [
        tuple(
            _sync(postgres, service, core, server, remote, commits) for commits in (2 * COMMITS, 0)
        )
        for _ in range(TRIES)
    ]
    with_past, without = ([*runs] for runs in zip(*pairs, strict=True))
    return Past(
        commits=COMMITS,
        versions=VERSIONS,
        version_bytes=size_versions(SEED),
        load_average=load,
        with_past=summarize_runs(with_past),
        without=summarize_runs(without),
        seconds=median(one.seconds - other.seconds for one, other in pairs),
        fetched_bytes=max(one.fetched_bytes - other.fetched_bytes for one, other in pairs),
    )


def _sync(
    postgres: BenchPostgres,
    service: Contender,
    core: int,
    server: GitServer,
    remote: Remote,
    commits: int,
) -> MeasuredRun:
    """Return the figures of a first run that reads at most so many commits."""
    variables = service.variables | {"SYNC_HISTORY_COMMITS": str(commits)}
    database = postgres.create_database()
    with running_contender(replace(service, variables=variables), database.url, core) as running:
        client = SyncClient(running, server, database)
        run = client.sync(client.create_source(client.create_project(), remote, None))
    if _count_read(database) != ((COMMITS, VERSIONS) if commits else (0, 0)):
        raise BenchmarkError("a run did not read the whole history")
    return run


def _count_read(database: ContenderDatabase) -> tuple[int, int]:
    """Return how many commits and versions of stories were read."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        row = connection.execute(
            """
            select (select count(*) from work_commit),
                (select count(*) from work_fact where kind = 'story')
            """
        ).fetchone()
    assert row is not None
    return row[0], row[1]
