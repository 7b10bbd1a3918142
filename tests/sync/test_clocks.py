"""A database clock that is set back or forward, as times that lie in the future or the past."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from service.database.database import Database, open_database
from service.sync import claims
from service.sync.claims import ClaimLostError, ClaimWatch, claim_run, renew_claim
from service.sync.pushes import Push, lock_pushes, settle_pushes
from service.sync.queue import request_due_syncs, request_sync, request_sync_of_push
from tests.support.copies import create_source
from tests.support.postgres import run_sql
from tests.support.service import serving
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.support.git_server import GitServer

SHIFTS = [
    "- interval '1 year'",
    "- interval '1 hour'",
    "+ interval '1 hour'",
    "+ interval '1 year'",
]
AHEAD = SHIFTS[2:]
WAITING_RENEWALS = """
    select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%claimed_until%'
    """
STATUSES = "select status from sync_run order by number"


def in_database(database: str, work: Callable[[Database], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with open_database(database, 2) as pool:
            return await work(pool)

    return asyncio.run(run())


def shift(database: str, interval: str) -> None:
    """Move all stored times, as if the clock had been set by the opposite."""
    for table, columns in {
        "project": ["created_at"],
        "project_doc": ["created_at", "last_synced_at"],
        "sync_run": ["created_at", "started_at", "finished_at", "claimed_until", "not_before"],
        "push": ["received_at"],
    }.items():
        changes = ", ".join(f"{column} = {column} {interval}" for column in columns)
        run_sql(database, f"update {table} set {changes}")


@pytest.mark.parametrize("interval", SHIFTS)
def test_a_claim_is_not_taken_over_while_it_is_renewed(
    database: str, git: GitServer, interval: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = UUID(create_source(database, git.create()))
    monkeypatch.setattr(claims, "CLAIM_SECONDS", 0.3)

    async def work(pool: Database) -> None:
        await request_sync(pool, source, 100)
        claim = await claim_run(pool)
        assert claim is not None
        watch = ClaimWatch()
        await watch.find_expired(pool)
        for _ in range(4):
            shift(database, interval)
            assert await claim_run(pool, await watch.find_expired(pool)) is None
            await asyncio.sleep(0.2)
            await renew_claim(pool, claim, None, 0)
        await watch.find_expired(pool)
        shift(database, interval)
        await watch.find_expired(pool)
        await asyncio.sleep(0.4)  # the worker is dead
        again = await claim_run(pool, await watch.find_expired(pool))
        assert again is not None
        assert (again.run_id, again.attempts) == (claim.run_id, 2)

    in_database(database, work)


def test_a_claim_is_lost_to_another_worker_and_not_by_the_end_of_its_run(
    database: str, git: GitServer
) -> None:
    source = UUID(create_source(database, git.create()))

    async def work(pool: Database) -> None:
        await request_sync(pool, source, 100)
        claim = await claim_run(pool)
        assert claim is not None
        run_sql(
            database,
            "update sync_run set status = 'completed', finished_at = now(), claim_id = null",
        )
        await renew_claim(pool, claim, None, 0)  # its process will tell how the run ended
        run_sql(
            database,
            "update sync_run set status = 'running', finished_at = null, "
            "claim_id = gen_random_uuid()",
        )
        with pytest.raises(ClaimLostError):
            await renew_claim(pool, claim, None, 0)
        run_sql(database, "delete from sync_run")
        with pytest.raises(ClaimLostError):
            await renew_claim(pool, claim, None, 0)

    in_database(database, work)


def test_a_claim_is_not_lost_to_an_end_that_its_renewal_waits_for(
    database: str, git: GitServer
) -> None:
    source = UUID(create_source(database, git.create()))

    async def work(pool: Database) -> None:
        await request_sync(pool, source, 100)
        claim = await claim_run(pool)
        assert claim is not None
        async with pool.transaction() as transaction:
            await transaction.execute(
                "update sync_run set status = 'completed', finished_at = now(), claim_id = null"
            )
            renewal = asyncio.create_task(renew_claim(pool, claim, None, 0))
            await asyncio.to_thread(eventually, lambda: run_sql(database, WAITING_RENEWALS))
        await renewal

    in_database(database, work)


@pytest.mark.parametrize("interval", AHEAD)
def test_periodic_syncs_go_on_after_the_clock_was_set_back(
    database: str, git: GitServer, interval: str
) -> None:
    create_source(database, git.create())
    in_database(database, lambda pool: request_due_syncs(pool, 5, 100))
    run_sql(database, "update sync_run set status = 'completed', finished_at = now()")
    in_database(database, lambda pool: request_due_syncs(pool, 5, 100))
    assert run_sql(database, STATUSES) == [("completed",)]
    shift(database, interval)
    for _ in range(2):
        in_database(database, lambda pool: request_due_syncs(pool, 5, 100))
        assert run_sql(database, STATUSES) == [("completed",), ("queued",)]


@pytest.mark.parametrize("interval", AHEAD)
def test_a_run_that_waits_starts_after_the_clock_was_set_back(
    database: str, git: GitServer, interval: str
) -> None:
    source = create_source(database, git.create())
    run_sql(
        database,
        "insert into sync_run (project_doc_id, not_before) "
        f"values ('{source}', now() + interval '30 seconds')",
    )
    assert in_database(database, claim_run) is None
    shift(database, interval)
    assert in_database(database, claim_run) is not None


@pytest.mark.parametrize("interval", AHEAD)
def test_a_push_is_awaited_for_as_long_as_any_after_the_clock_was_set_back(
    database: str, git: GitServer, interval: str
) -> None:
    source = UUID(create_source(database, git.create()))

    async def settle(pool: Database) -> Any:
        async with pool.transaction() as transaction:
            await lock_pushes(transaction, source)
            return await settle_pushes(transaction, source, ())

    in_database(
        database, lambda pool: request_sync_of_push(pool, source, Push("a" * 40), "first", 100)
    )
    shift(database, interval)
    assert in_database(database, settle).seconds == 2.0
    run_sql(database, "update push set received_at = received_at - interval '2 minutes'")
    assert in_database(database, settle).seconds is None
    assert in_database(database, settle) is None


def test_a_push_is_known_and_awaited_after_the_clock_was_set_back(
    database: str, git: GitServer
) -> None:
    source = UUID(create_source(database, git.create()))

    async def push(pool: Database) -> list[UUID | None]:
        for number in range(100):
            await request_sync_of_push(pool, source, Push(), f"old {number}", 100)
        shift(database, AHEAD[0])
        new = Push("b" * 40)
        return [await request_sync_of_push(pool, source, new, "new", 100) for _ in range(2)]

    first, second = in_database(database, push)
    assert first is not None
    assert second is None
    kept = run_sql(database, "select delivery_id from push order by number desc")
    assert len(kept) == 100
    assert kept[0] == ("new",)


def test_what_is_new_is_first_in_every_list_after_the_clock_was_set_back(
    database: str, git: GitServer
) -> None:
    with serving(database, sync_concurrency=0, git_hosts=("git.example",)) as client:

        def create(number: int) -> tuple[str, str, str]:
            project = client.post("/api/projects", json={"name": f"{number}"}).json()["id"]
            url = git.create(f"{number}").url
            first = [*projects, project][0]
            body = {"name": "Docs", "github_url": url}
            source = client.post(f"/api/projects/{first}/docs", json=body).json()["id"]
            first = [*sources, source][0]
            run = client.post(f"/api/project-docs/{first}/sync").json()["run_id"]
            run_sql(
                database,
                "update sync_run set status = 'failed', finished_at = now() "
                "where finished_at is null",
            )
            return project, source, run

        projects: list[str] = []
        sources: list[str] = []
        runs: list[str] = []
        for number, interval in enumerate([*AHEAD, *SHIFTS]):
            for ids, new in zip((projects, sources, runs), create(number), strict=True):
                ids.append(new)
            shift(database, interval)
        for path, ids in (
            ("/api/projects", projects),
            (f"/api/projects/{projects[0]}/docs", sources),
            (f"/api/project-docs/{sources[0]}/syncs", runs),
        ):
            newest = list(reversed(ids))
            assert [item["id"] for item in client.get(path).json()] == newest
            paged: list[str] = []
            response = client.get(f"{path}?limit=2")
            while True:
                paged += [item["id"] for item in response.json()]
                if "next" not in response.links:
                    break
                response = client.get(str(response.url.join(response.links["next"]["url"])))
            assert paged == newest
        last = client.get(f"/api/project-docs/{sources[0]}").json()["last_run"]
        assert last["id"] == runs[-1]


def test_a_duration_is_not_negative(database: str, git: GitServer) -> None:
    source = create_source(database, git.create())
    run_sql(
        database,
        "insert into sync_run (project_doc_id, status, started_at, finished_at) "
        f"values ('{source}', 'failed', now() + interval '1 hour', now())",
    )
    with serving(database, sync_concurrency=0) as client:
        [run] = client.get(f"/api/project-docs/{source}/syncs").json()
    assert run["duration_seconds"] == 0
