"""The transaction that ends a run: lost claims, and sources that are changed meanwhile."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from uuid import UUID

import httpx
import psycopg
import pytest

from service.database.database import Database, open_database
from service.routes.shared import BEING_CHANGED
from service.sync.claims import Claim, ClaimLostError
from service.sync.progress import Progress
from tests.support.copies import (
    DOCUMENTS,
    WAITING_WRITES,
    Copies,
    assert_no_fault,
    is_idle,
    locked_documents,
    make_files,
)
from tests.support.git_server import BLOBS, LIST
from tests.support.hub import Hub, counts
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

FILES = make_files()
WAITING = "select count(*) from pg_locks where locktype = 'advisory' and not granted"


def test_a_run_reads_a_source_again_that_is_moved_meanwhile(hub: Hub) -> None:
    one, two = hub.server.create("one"), hub.server.create("two")
    one.commit({"a.md": b"one" * 1000})
    two.commit({"a.md": b"two" * 1000})
    project = hub.create_project()
    source = hub.create_source(project, one)
    hub.server.behaviour.stall_after = 100
    response = hub.client.post(f"/api/project-docs/{source}/sync")
    eventually(lambda: len(hub.server.requests) >= 2)
    hub.client.put(f"/api/project-docs/{source}", json={"github_url": two.url})
    hub.server.behaviour.resume.set()
    assert hub.wait(response.headers["location"])["status"] == "completed"
    assert hub.document(project, "a.md")["content"].startswith("two")


def test_a_run_without_new_commits_reads_a_source_again_that_is_moved_meanwhile(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"a", "docs/b.md": b"b"})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    hub.server.behaviour.stall_after = 0
    hub.server.behaviour.stall_only = LIST
    response = hub.client.post(f"/api/project-docs/{source}/sync")
    eventually(lambda: hub.server.stalled)
    hub.client.put(f"/api/project-docs/{source}", json={"github_folder_path": "docs"})
    hub.server.behaviour.resume.set()
    assert counts(hub.wait(response.headers["location"])) == (0, 0, 1, 1, 0)
    assert set(hub.files(project)) == {"docs/b.md"}


@pytest.mark.parametrize("what", ["project", "source"])
def test_a_source_deleted_during_its_run_stays_deleted(hub: Hub, what: str) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"x" * 1000})
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.server.behaviour.stall_after = 100
    hub.client.post(f"/api/project-docs/{source}/sync")
    eventually(lambda: len(hub.server.requests) >= 2)
    path = f"/api/projects/{project}" if what == "project" else f"/api/project-docs/{source}"
    assert hub.client.delete(path).status_code == 200
    hub.server.behaviour.resume.set()
    other = hub.create_source(hub.create_project("Other"), remote)
    assert hub.sync(other)["status"] == "completed"  # the syncer still works
    assert len(run_sql(hub.database, DOCUMENTS)) == 1


def test_a_claim_lost_just_before_writing_prevents_the_write(copies: Copies) -> None:
    service = copies.start()
    copies.stall(BLOBS)
    source = copies.create_source(FILES)
    copies.request(source)
    copies.wait_for_stalled()
    with psycopg.connect(copies.database) as connection:
        connection.execute("select from project_doc for update")
        copies.resume()
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        connection.execute("update sync_run set claim_id = gen_random_uuid()")
    service.wait_for("sync_claim_lost")
    assert run_sql(copies.database, DOCUMENTS) == []
    assert copies.runs() == [("running", 1)]
    copies.expire_claims()
    copies.wait_for_runs(("completed", 2))


def test_a_run_that_writes_for_long_is_logged_as_finished(copies: Copies) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    with locked_documents(copies.database):
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        time.sleep(5)  # two renewals of the claim are due meanwhile
    copies.wait_for_runs(("completed", 1))
    [line] = service.expect("sync_finished")
    assert line["added"] == len(FILES)
    assert not service.find("sync_claim_lost")


def test_a_change_of_a_source_while_its_documents_are_written_is_in_the_same_run(
    copies: Copies,
) -> None:
    service = copies.start()
    source = copies.create_source(FILES)
    copies.git.create("team/other").commit({"other.md": b"# Other"})
    [[project]] = run_sql(copies.database, "select id::text from project")
    url = "https://git.example/team/other.git"
    with locked_documents(copies.database):
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        for path, change in (
            (f"/api/projects/{project}", {"name": "Other"}),
            (f"/api/project-docs/{source}", {"name": "Other", "github_url": url}),
        ):
            response = httpx.put(f"{service.url}{path}", json=change)
            assert response.status_code == 200
            assert change.items() <= response.json().items()
        assert run_sql(copies.database, WAITING_WRITES) == [(1,)]
    copies.wait_for_runs(("completed", 1))
    assert copies.holds({"other.md": b"# Other"})
    assert_no_fault(copies)


def test_a_second_writer_of_a_source_waits_and_writes_nothing(database: str, hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"a"})
    project = hub.create_project()
    hub.sync(hub.create_source(project, remote))
    [claimed] = run_sql(
        database,
        "update sync_run set status = 'running', finished_at = null, claim_id = gen_random_uuid(), "
        "claimed_until = now() + interval '1 hour' returning id, claim_id, project_doc_id, 1",
    )
    claim = Claim(*claimed, project_id=UUID(project), host="git.example")

    async def write_twice() -> None:
        async with open_database(database, 2) as pool:
            second: asyncio.Task[None]
            async with Progress().writing(pool, claim) as transaction:
                await transaction.execute("update document set file_path = 'b.md'")
                second = asyncio.create_task(write("c.md", pool))
                await asyncio.to_thread(eventually, lambda: run_sql(database, WAITING) == [(1,)])
                await transaction.execute("update sync_run set claim_id = gen_random_uuid()")
            with pytest.raises(ClaimLostError):
                await second

    async def write(path: str, pool: Database) -> None:
        async with Progress().writing(pool, claim) as transaction:
            await transaction.execute("update document set file_path = $1", path)

    asyncio.run(write_twice())
    assert set(dict(run_sql(database, DOCUMENTS))) == {"b.md"}


def test_changing_and_deleting_sources_during_runs_causes_no_deadlock(copies: Copies) -> None:
    hubs = [copies.hub(copies.start()) for _ in range(2)]
    remotes = [copies.git.create(f"remote/{number}") for number in range(2)]
    for remote in remotes:
        remote.commit(make_files(300))
    statuses: Counter[int] = Counter()

    def send(hub: Hub, method: str, path: str, body: object) -> None:
        def send_once() -> int | None:
            response = hub.client.request(method, path, json=body)
            is_refused = response.status_code == 503 and BEING_CHANGED in response.text
            return None if is_refused else response.status_code

        statuses[eventually(send_once)] += 1

    def attack(number: int) -> None:
        hub, other = hubs[number % 2], hubs[(number + 1) % 2]
        for round_ in range(6):
            project = hub.create_project(f"Project {number} {round_}")
            sources = [hub.create_source(project, remote) for remote in remotes]
            for source in sources:
                hub.client.post(f"/api/project-docs/{source}/sync")
            time.sleep(random.uniform(0, 0.8))
            for source in sources:
                url = remotes[random.randrange(2)].url
                send(other, "PUT", f"/api/project-docs/{source}", {"github_url": url})
            gone = [f"/api/project-docs/{sources[1]}", f"/api/projects/{project}"]
            for path in gone if round_ % 2 else gone[1:]:
                send(other, "DELETE", path, None)

    attackers = [threading.Thread(target=attack, args=(number,)) for number in range(4)]
    for attacker in attackers:
        attacker.start()
    for attacker in attackers:
        attacker.join()
    assert set(statuses) == {200}
    eventually(lambda: all(is_idle(service) for service in copies.services))
    for table in ("document", "sync_run", "project_doc"):
        assert run_sql(copies.database, f"select * from {table}") == []
    assert_no_fault(copies)
