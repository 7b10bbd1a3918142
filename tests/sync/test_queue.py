"""The queue: requested and due runs."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psycopg
import pytest

from service.database.database import open_database
from service.sync import queue
from service.sync.queue import request_due_syncs, request_sync
from tests.support.copies import Copies, create_source, git_processes, make_files
from tests.support.git_server import TREE, GitServer
from tests.support.hub import running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from service.database.database import Database

FILES = make_files()


def test_a_source_is_due_when_its_last_run_is_old(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_every_minutes=5.0) as hub:
        remote = hub.server.create()
        remote.commit({"a.md": b"x"})
        project = hub.create_project()
        never, lately, long_ago = (hub.create_source(project, remote) for _ in range(3))
        for source in (lately, long_ago):
            hub.sync(source)
        run_sql(
            database,
            "update sync_run set created_at = now() - interval '6 minutes' "
            f"where project_doc_id = '{long_ago}'",
        )
        runs = "select project_doc_id::text, count(*) from sync_run group by 1"
        expected = {never: 1, lately: 1, long_ago: 2}
        eventually(lambda: dict(run_sql(database, runs)) == expected, seconds=60)


def test_fifty_requests_at_three_copies_at_once_share_the_running_run(
    copies: Copies, together: Callable[..., list[httpx.Response]]
) -> None:
    urls = itertools.cycle([copies.start().url for _ in range(3)])
    source = copies.create_source(FILES)
    copies.stall(TREE)

    def request() -> httpx.Response:
        return httpx.post(f"{next(urls)}/api/project-docs/{source}/sync", timeout=30)

    first = request()
    copies.wait_for_stalled()
    responses = [first, *together(50, request)]
    assert {response.status_code for response in responses} == {202}
    assert len({response.headers["location"] for response in responses}) == 1
    time.sleep(3)  # each copy polls the queue meanwhile
    assert [bool(git_processes(service)) for service in copies.services].count(True) == 1
    assert copies.runs() == [("running", 1)]
    copies.resume()
    copies.wait_for_runs(("completed", 1))
    assert copies.git.most_active == 1
    assert copies.holds(FILES)
    eventually(lambda: copies.log().count('"sync_finished"') == 1)


def test_fifty_first_requests_at_once_queue_one_run_beside_a_running_one_at_most(
    copies: Copies, together: Callable[..., list[httpx.Response]]
) -> None:
    urls = itertools.cycle([copies.start().url for _ in range(3)])
    source = copies.create_source(FILES)
    copies.stall(TREE)
    responses = together(
        50, lambda: httpx.post(f"{next(urls)}/api/project-docs/{source}/sync", timeout=30)
    )
    assert {response.status_code for response in responses} == {202}
    # Two only where a syncer began the first run while a later request was about to queue one.
    runs = {response.headers["location"].rpartition("/")[2] for response in responses}
    assert len(runs) <= 2
    assert {run for (run,) in run_sql(copies.database, "select id::text from sync_run")} == runs
    copies.resume()
    copies.wait_for_runs(*[("completed", 1)] * len(runs))
    assert copies.git.most_active == 1
    assert copies.holds(FILES)


def test_a_push_before_a_run_has_started_requests_no_run_after_it(
    database: str, git: GitServer
) -> None:
    async def push_twice() -> None:
        async with open_database(database, 1) as pool:
            for _ in range(2):
                await request_sync(pool, UUID(source), 100, after_push=True)

    source = create_source(database, git.create())
    asyncio.run(push_twice())
    runs = run_sql(database, "select status, is_wanted_again from sync_run")
    assert runs == [("queued", False)]


def test_a_push_during_a_run_that_is_given_up_starts_another_run(copies: Copies) -> None:
    source = copies.create_source(FILES)
    run_sql(
        copies.database,
        "insert into sync_run (project_doc_id, status, attempts, started_at, claim_id, "
        "claimed_until, is_wanted_again) "
        f"values ('{source}', 'running', 3, now(), gen_random_uuid(), now(), true)",
    )
    copies.start()
    copies.wait_for_runs(("failed", 4), ("completed", 1))
    assert copies.holds(FILES)


def test_due_syncs_do_not_wait_for_a_source_that_is_being_deleted(
    database: str, git: GitServer
) -> None:
    async def request() -> None:
        async with open_database(database, 1) as pool:
            await request_due_syncs(pool, 1, 100)

    deleted, other = (create_source(database, git.create(name)) for name in "ab")
    with psycopg.connect(database) as connection:
        connection.execute("delete from project_doc where id = %s", [deleted])
        asyncio.run(request())
        assert run_sql(database, "select project_doc_id::text from sync_run") == [(other,)]


def test_an_open_transaction_does_not_hold_up_the_due_syncs_of_other_sources(
    database: str, git: GitServer
) -> None:
    async def request() -> None:
        async with open_database(database, 1) as pool:
            await request_due_syncs(pool, 1, 100)

    sources = {create_source(database, git.create(name)) for name in "abcd"}
    stuck = sorted(sources)[1:3]
    with psycopg.connect(database) as connection:
        for source in stuck:
            connection.execute("insert into sync_run (project_doc_id) values (%s)", [source])
        asyncio.run(request())
        runs = "select project_doc_id::text from sync_run"
        assert {source for (source,) in run_sql(database, runs)} == sources - set(stuck)
        connection.rollback()
    asyncio.run(request())
    assert {source for (source,) in run_sql(database, runs)} == sources


@pytest.fixture
def queued_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the sizes of the batches in which due syncs are queued: a list that grows."""
    sizes: list[int] = []
    queue_runs = queue.queue_runs

    async def count(database: Database, source_ids: list[UUID]) -> None:
        sizes.append(len(source_ids))
        await queue_runs(database, source_ids)

    monkeypatch.setattr(queue, "queue_runs", count)
    return sizes


def create_sources(database: str, count: int) -> list[str]:
    """Return the ids of new sources of a new project, the oldest first."""
    rows = run_sql(
        database,
        "with project as (insert into project (name) values ('Payments') returning id) "
        "insert into project_doc (project_id, name, github_url) "
        "select id, 'Docs', 'https://git.example/a' "
        f"from project, generate_series(1, {count}) returning id::text",
    )
    return [source for (source,) in rows]


QUEUED = "select count(*) from sync_run"


@pytest.mark.parametrize("place", [0, 500, 999])
def test_beside_a_stuck_source_a_few_statements_queue_all_others(
    database: str, place: int, queued_batches: list[int]
) -> None:
    async def request() -> None:
        async with open_database(database, 1) as pool:
            await request_due_syncs(pool, 1, 2000)

    stuck = create_sources(database, 1000)[place]
    with psycopg.connect(database) as connection:
        connection.execute("insert into sync_run (project_doc_id) values (%s)", [stuck])
        asyncio.run(request())
        assert run_sql(database, QUEUED) == [(999,)]
    # One batch with it and one without it for each of the ten times that 1000 can be halved.
    assert len(queued_batches) <= 21
    assert queued_batches[0] == 1000


def test_stuck_sources_do_not_hold_up_the_syncer_beyond_a_limit(
    database: str, monkeypatch: pytest.MonkeyPatch, queued_batches: list[int]
) -> None:
    async def request() -> None:
        async with open_database(database, 1) as pool:
            await request_due_syncs(pool, 1, 100)

    sources = create_sources(database, 8)
    with psycopg.connect(database) as connection:
        for stuck in sources[:4]:
            connection.execute("insert into sync_run (project_doc_id) values (%s)", [stuck])
        monkeypatch.setattr(queue, "BATCH_SECONDS", 0.0)  # no time for a second statement
        asyncio.run(request())
        assert queued_batches == [8]
        monkeypatch.undo()
        asyncio.run(request())
        assert run_sql(database, QUEUED) == [(4,)]
