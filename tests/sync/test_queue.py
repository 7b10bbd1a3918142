"""The queue: requested and due runs."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psycopg

from service.database.database import open_database
from service.sync.queue import request_due_syncs, request_sync
from service.telemetry.metrics import Metrics
from tests.support.copies import Copies, create_source, git_processes, make_files
from tests.support.git_server import TREE, GitServer
from tests.support.hub import running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
        eventually(lambda: dict(run_sql(database, runs)) == expected, seconds=20)


def test_fifty_requests_at_three_copies_at_once_share_one_run(
    copies: Copies, together: Callable[..., list[httpx.Response]]
) -> None:
    urls = itertools.cycle([copies.start().url for _ in range(3)])
    source = copies.create_source(FILES)
    copies.stall(TREE)
    responses = together(
        50, lambda: httpx.post(f"{next(urls)}/api/project-docs/{source}/sync", timeout=30)
    )
    assert {response.status_code for response in responses} == {202}
    assert len({response.headers["location"] for response in responses}) == 1
    copies.wait_for_stalled()
    time.sleep(3)  # each copy polls the queue meanwhile
    assert [bool(git_processes(service)) for service in copies.services].count(True) == 1
    assert copies.runs() == [("running", 1)]
    copies.resume()
    copies.wait_for_runs(("completed", 1))
    assert copies.git.most_active == 1
    assert copies.holds(FILES)
    eventually(lambda: copies.log().count('"sync_finished"') == 1)


def test_a_push_before_a_run_has_started_requests_no_run_after_it(
    database: str, git: GitServer
) -> None:
    async def push_twice() -> None:
        async with open_database(database, 1, Metrics()) as pool:
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
        async with open_database(database, 1, Metrics()) as pool:
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
        async with open_database(database, 1, Metrics()) as pool:
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
