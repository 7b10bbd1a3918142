"""Commits that a webhook names before the repository's server shows them, and known deliveries."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from service.database.database import open_database
from service.sync.pushes import AWAIT_SECONDS, DAYS_KEPT, LOOK_SECONDS, PUSHES_KEPT, Push
from service.sync.queue import request_due_syncs, request_sync_of_push
from tests.support.copies import Copies, create_source, kill_service
from tests.support.git_server import LIST, GitServer, Remote
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from service.database.database import Database
    from tests.support.hub import Hub

RUNS = """
    select status, commit_id, awaited_commit_id, not_before is not null
    from sync_run
    order by created_at
"""
# The seconds until the next look of the run that waits.
DELAY = """
    select extract(epoch from not_before - created_at)::float8
    from sync_run
    where finished_at is null
"""


def in_database(database: str, work: Callable[[Database], Coroutine[Any, Any, Any]]) -> Any:
    async def connect() -> Any:
        async with open_database(database, 2) as pool:
            return await work(pool)

    return asyncio.run(connect())


def push(
    database: str, source: str, commit: str | None, previous: str | None = None, id_: str = ""
) -> UUID | None:
    """Request a run as a webhook does; return its id."""
    reported = Push(commit, previous)
    return in_database(
        database, lambda pool: request_sync_of_push(pool, UUID(source), reported, id_ or None, 100)
    )


def push_to(hub: Hub, source: str, commit: str | None, previous: str | None = None) -> str:
    """Request a run as a webhook does; return its path."""
    return f"/api/project-docs/{source}/syncs/{push(hub.database, source, commit, previous)}"


def runs(hub: Hub) -> list[tuple[Any, ...]]:
    return run_sql(hub.database, RUNS)


def awaited(database: str) -> set[str]:
    rows = run_sql(database, "select commit_id from push where is_awaited")
    return {commit for [commit] in rows}


def skip_waiting(database: str) -> None:
    """Let the next look come now, for tests that are not about the time until then."""
    run_sql(database, "update sync_run set not_before = now()")


def age_pushes(database: str, seconds: float) -> None:
    run_sql(
        database, f"update push set received_at = received_at - interval '{seconds:.0f} seconds'"
    )


@pytest.fixture
def remote(hub: Hub) -> Remote:
    remote = hub.server.create()
    remote.commit({"a.md": b"old"})
    return remote


def test_a_commit_that_is_shown_late_is_looked_for_again(hub: Hub, remote: Remote) -> None:
    project = hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    old = remote.head()
    hub.server.lag(2)
    new = remote.commit({"a.md": b"new"})
    first = hub.wait(push_to(hub, source, new, old))
    assert (first["status"], first["commit_id"], first["awaited_commit_id"]) == (
        "completed",
        old,
        new,
    )
    [waiting, *_] = hub.client.get(f"/api/project-docs/{source}/syncs").json()
    assert (waiting["status"], waiting["awaited_commit_id"]) == ("queued", new)
    assert waiting["not_before"] > first["finished_at"]
    status = hub.status(source)
    assert status["status"] == "completed"
    assert new in status["message"]
    last_run = hub.client.get(f"/api/project-docs/{source}").json()["last_run"]
    assert (last_run["id"], last_run["status"]) == (first["id"], "completed")
    eventually(lambda: hub.document(project, "a.md")["content"] == "new", 30)
    eventually(lambda: hub.status(source)["status"] == "completed")
    assert new not in hub.status(source)["message"]
    assert runs(hub) == [
        ("completed", old, None, False),
        ("completed", old, new, False),
        ("completed", old, new, True),
        ("completed", new, None, True),
    ]
    assert not awaited(hub.database)


def test_each_look_waits_as_long_as_the_push_is_old_and_the_last_comes_after_two_minutes(
    hub: Hub, remote: Remote
) -> None:
    source = hub.create_source(hub.create_project(), remote)
    missing = "1" * 40
    hub.wait(push_to(hub, source, missing))
    [[delay]] = run_sql(hub.database, DELAY)
    assert LOOK_SECONDS <= delay < AWAIT_SECONDS / 2
    age_pushes(hub.database, AWAIT_SECONDS / 2)
    skip_waiting(hub.database)
    eventually(lambda: len(runs(hub)) == 3, 20)
    [[delay]] = run_sql(hub.database, DELAY)
    assert AWAIT_SECONDS / 2 <= delay < AWAIT_SECONDS
    age_pushes(hub.database, AWAIT_SECONDS / 2)
    skip_waiting(hub.database)
    eventually(lambda: [run[0] for run in runs(hub)] == ["completed"] * 3, 20)
    assert runs(hub)[-1][2] == missing
    assert not awaited(hub.database)
    assert missing in hub.status(source)["message"]


def test_a_failed_run_is_followed_by_another_look_at_the_push(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote, branch="new")
    hub.server.lag(2)
    commit = remote.commit({"b.md": b"new"}, branch="new")
    failed = hub.wait(push_to(hub, source, commit, "0" * 40))
    assert (failed["status"], failed["awaited_commit_id"]) == ("failed", commit)
    assert commit in hub.status(source)["message"]
    eventually(lambda: runs(hub)[-1][:3] == ("completed", commit, None), 30)
    assert not awaited(hub.database)


def test_a_run_without_a_push_is_not_followed_by_another(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    hub.wait(push_to(hub, source, None))
    hub.server.behaviour.status = 500
    hub.sync(source)
    assert [run[0] for run in runs(hub)] == ["completed", "completed", "failed"]


@pytest.mark.parametrize("is_stored", [True, False])
def test_a_push_before_the_shown_head_is_found(hub: Hub, remote: Remote, is_stored: bool) -> None:
    source = hub.create_source(hub.create_project(), remote)
    base = remote.head()
    earlier = remote.commit({"a.md": b"earlier"})
    remote.commit({"a.md": b"newest"})
    if is_stored:  # the run fetches nothing but the commits' ids
        hub.sync(source)
    run = hub.wait(push_to(hub, source, earlier, base))
    assert (run["commit_id"], run["awaited_commit_id"]) == (remote.head(), None)
    assert not awaited(hub.database)
    assert all(run[0] == "completed" for run in runs(hub))


@pytest.mark.parametrize("pushed", [1, 2, 3])
def test_a_push_that_the_server_shows_only_after_the_head_is_awaited(
    hub: Hub, remote: Remote, pushed: int
) -> None:
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    # The run's first command meets a server that is behind, the next one a server that is not.
    hub.server.lag(1)
    commits = [remote.head(), *(remote.commit({"b.md": b"%d" % n}) for n in range(3))]
    run = hub.wait(push_to(hub, source, commits[pushed], commits[pushed - 1]))
    assert (run["commit_id"], run["awaited_commit_id"]) == (commits[0], commits[pushed])
    skip_waiting(hub.database)
    eventually(lambda: not awaited(hub.database), 30)
    eventually(lambda: runs(hub)[-1][:3] == ("completed", commits[-1], None), 30)


def test_a_push_that_sets_the_branch_back_is_awaited(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    kept = remote.head()
    dropped = remote.commit({"a.md": b"dropped"})
    hub.sync(source)
    hub.server.lag(1)
    remote.git("update-ref", "refs/heads/main", kept)
    assert hub.wait(push_to(hub, source, kept, dropped))["awaited_commit_id"] == kept
    eventually(lambda: runs(hub)[-1][:3] == ("completed", kept, None), 30)


def test_a_forced_push_is_awaited(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    hub.sync(source)
    old = remote.head()
    hub.server.lag(1)
    new = remote.commit({"a.md": b"other"}, start_over=True)
    assert hub.wait(push_to(hub, source, new, old))["awaited_commit_id"] == new
    eventually(lambda: runs(hub)[-1][:3] == ("completed", new, None), 30)


def test_a_commit_that_a_forced_push_replaced_is_not_awaited(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    old = remote.head()
    replaced = remote.commit({"a.md": b"replaced"})
    new = remote.commit({"a.md": b"new"}, start_over=True)
    push(hub.database, source, replaced, old)
    hub.wait(push_to(hub, source, new, replaced))
    eventually(lambda: not awaited(hub.database), 20)
    assert runs(hub)[-1][:3] == ("completed", new, None)


@pytest.mark.parametrize("is_in_order", [True, False])
def test_the_last_of_two_pushes_is_awaited_in_whatever_order_they_are_delivered(
    hub: Hub, remote: Remote, is_in_order: bool
) -> None:
    source = hub.create_source(hub.create_project(), remote)
    old = remote.head()
    hub.server.lag(2)
    first = remote.commit({"a.md": b"first"})
    second = remote.commit({"a.md": b"second"})
    pushes = [(first, old), (second, first)]
    for commit, previous in pushes if is_in_order else reversed(pushes):
        hub.wait(push_to(hub, source, commit, previous))
    eventually(lambda: not awaited(hub.database), 30)
    assert runs(hub)[-1][:3] == ("completed", second, None)


def test_of_two_pushes_that_undo_each_other_the_last_is_awaited(
    database: str, git: GitServer
) -> None:
    source = create_source(database, git.create())
    push(database, source, "2" * 40, "1" * 40)
    push(database, source, "1" * 40, "2" * 40)
    assert awaited(database) == {"1" * 40}


def test_a_look_outlives_a_worker_that_is_killed(copies: Copies) -> None:
    remote = copies.git.create("team/docs")
    old = remote.commit({"a.md": b"old"})
    source = create_source(copies.database, remote)
    copies.git.lag(2)
    new = remote.commit({"a.md": b"new"})
    first = copies.start()
    push(copies.database, source, new, old)
    copies.wait_for_runs(("completed", 1), ("queued", 0))
    kill_service(first)  # while the look waits
    copies.stall(LIST)
    second = copies.start()
    copies.wait_for_stalled()
    kill_service(second)  # during the look
    copies.resume()
    copies.expire_claims()
    copies.start()
    eventually(lambda: copies.holds({"a.md": b"new"}), 30)
    assert not awaited(copies.database)


def test_a_push_that_is_never_shown_is_given_up_with_a_warning(copies: Copies) -> None:
    remote = copies.git.create("team/docs")
    old = remote.commit({"a.md": b"old"})
    source = create_source(copies.database, remote)
    push(copies.database, source, "1" * 40, old)
    age_pushes(copies.database, AWAIT_SECONDS)
    service = copies.start()
    assert service.wait_for("push_not_found")["commit"] == "1" * 40
    [finished] = service.expect("sync_finished")
    assert finished["awaited_commit"] == "1" * 40
    assert finished["looks_again_in_seconds"] is None
    assert copies.runs() == [("completed", 1)]


def waiting_run(database: str, source: str) -> str:
    """Insert a run that waits for an hour before it looks again; return its id."""
    [[run]] = run_sql(
        database,
        "insert into sync_run (project_doc_id, not_before) "
        f"values ('{source}', now() + interval '1 hour') returning id::text",
    )
    return run


def test_a_requested_sync_does_not_wait_for_the_next_look(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    waiting = waiting_run(hub.database, source)
    assert hub.status(source)["status"] == "idle"
    assert hub.sync(source)["id"] == waiting


def test_a_push_does_not_wait_for_the_next_look(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    waiting = waiting_run(hub.database, source)
    assert hub.wait(push_to(hub, source, remote.head()))["id"] == waiting


def test_a_due_sync_does_not_wait_for_the_next_look(database: str, git: GitServer) -> None:
    due, lately = (create_source(database, git.create(name)) for name in "ab")
    for source in (due, lately):
        waiting_run(database, source)
    run_sql(
        database,
        "insert into sync_run (project_doc_id, status, finished_at) "
        f"values ('{lately}', 'completed', now())",
    )
    in_database(database, lambda pool: request_due_syncs(pool, 5, 100))
    rows = run_sql(
        database,
        "select project_doc_id::text, not_before is null from sync_run where finished_at is null",
    )
    assert dict(rows) == {due: True, lately: False}


def test_a_look_that_waits_blocks_no_other_run(hub: Hub, remote: Remote) -> None:
    project = hub.create_project()
    for _ in range(5):
        waiting_run(hub.database, hub.create_source(project, remote))
    assert hub.sync(hub.create_source(project, remote))["status"] == "completed"


def test_a_source_that_is_moved_awaits_no_push_to_its_old_place(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    path = f"/api/project-docs/{source}"
    hub.wait(push_to(hub, source, "1" * 40))
    hub.client.put(path, json={"name": "Renamed", "github_url": remote.url})
    assert awaited(hub.database) == {"1" * 40}
    hub.client.put(path, json={"branch": "main"})
    assert not awaited(hub.database)


def test_a_known_delivery_requests_nothing(database: str, git: GitServer) -> None:
    source, other = (create_source(database, git.create(name)) for name in "ab")
    assert push(database, source, "1" * 40, id_="a")
    assert push(database, source, "1" * 40, id_="a") is None
    assert push(database, source, "1" * 40, id_="b")
    assert push(database, other, "1" * 40, id_="a")
    # Without an id every delivery is a new one.
    assert push(database, source, "1" * 40)
    assert push(database, source, "1" * 40)


def test_a_known_delivery_after_a_failed_run_requests_another(hub: Hub, remote: Remote) -> None:
    source = hub.create_source(hub.create_project(), remote)
    head = remote.head()
    hub.server.behaviour.status = 500
    failed = push(hub.database, source, head, id_="a")
    assert hub.wait(f"/api/project-docs/{source}/syncs/{failed}")["status"] == "failed"
    hub.server.behaviour.status = None
    again = push(hub.database, source, head, id_="a")
    assert hub.wait(f"/api/project-docs/{source}/syncs/{again}")["commit_id"] == head
    assert push(hub.database, source, head, id_="a") is None


def test_a_delivery_is_not_remembered_where_its_run_could_not_be_requested(
    database: str, git: GitServer
) -> None:
    source = create_source(database, git.create())
    run_sql(database, "alter table sync_run rename to hidden")
    with pytest.raises(Exception, match="42P01"):
        push(database, source, "1" * 40, id_="a")
    run_sql(database, "alter table hidden rename to sync_run")
    assert push(database, source, "1" * 40, id_="a")


def test_old_deliveries_are_forgotten(database: str, git: GitServer) -> None:
    source = create_source(database, git.create())
    run_sql(
        database,
        "insert into push (project_doc_id, delivery_id, received_at, is_awaited) "
        f"select '{source}', n::text, now() - n * interval '1 second', false "
        f"from generate_series(1, {2 * PUSHES_KEPT}) n",
    )
    push(database, source, None)
    assert run_sql(database, "select count(*) from push") == [(PUSHES_KEPT,)]
    run_sql(database, f"update push set received_at = now() - interval '{DAYS_KEPT} days 1 minute'")
    push(database, source, None)
    assert run_sql(database, "select count(*) from push") == [(1,)]


def test_copies_agree_on_a_delivery_that_comes_to_all_at_once(
    database: str, git: GitServer
) -> None:
    source = UUID(create_source(database, git.create()))

    async def push_at_once(pool: Database) -> list[UUID | None]:
        deliveries = [request_sync_of_push(pool, source, Push(), "a", 100) for _ in range(20)]
        return await asyncio.gather(*deliveries)

    async def at_both() -> list[UUID | None]:
        async with (
            open_database(database, 5) as one,
            open_database(database, 5) as other,
        ):
            lists = await asyncio.gather(push_at_once(one), push_at_once(other))
            return [run for runs in lists for run in runs]

    assert len([run for run in asyncio.run(at_both()) if run]) == 1
