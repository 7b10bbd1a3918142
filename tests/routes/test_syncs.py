from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.hub import Hub, Synced, running_hub, without_skipped_files
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import httpx


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def test_concurrent_requests_get_the_run_under_way(
    hub: Hub, together: Callable[..., list[httpx.Response]]
) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"x" * 10_000})
    source = hub.create_source(hub.create_project(), remote)
    hub.server.behaviour.stall_after = 100
    path = f"/api/project-docs/{source}/sync"
    responses = together(50, lambda: hub.client.post(path))
    assert {response.status_code for response in responses} == {202}
    locations = {response.headers["location"] for response in responses}
    assert len(locations) == 1
    assert hub.status(source)["status"] == "syncing"
    assert len(hub.client.get(f"/api/project-docs/{source}/syncs").json()) == 1
    hub.server.behaviour.resume.set()
    assert hub.wait(locations.pop())["status"] == "completed"


def test_the_status_is_that_of_an_unfinished_run_even_where_another_is_newer(
    database: str, tmp_path: Path
) -> None:
    with running_hub(database, tmp_path, sync_concurrency=0) as hub:
        source = hub.create_source(hub.create_project(), hub.server.create())
        assert hub.client.post(f"/api/project-docs/{source}/sync").status_code == 202
        run_sql(
            database,
            "insert into sync_run (project_doc_id, status, created_at, finished_at) "
            f"values ('{source}', 'failed', now() + interval '1 minute', now())",
        )
        assert hub.status(source)["status"] == "syncing"


def test_the_history_is_newest_first_and_limited(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"x"})
    project = hub.create_project()
    source, other = (hub.create_source(project, remote) for _ in range(2))
    first, elsewhere = hub.sync(source), hub.sync(other)
    second = hub.sync(source)
    path = f"/api/project-docs/{source}/syncs"
    shown = [without_skipped_files(run) for run in (second, first)]
    assert hub.client.get(path).json() == shown
    listed = hub.client.get(f"/api/project-docs/{other}/syncs").json()
    assert listed == [without_skipped_files(elsewhere)]
    assert hub.client.get(f"{path}/{first['id']}").json() == first
    assert_problem(hub.client.get(f"{path}/{elsewhere['id']}"), 404)
    page = hub.client.get(f"{path}?limit=1")
    assert page.json() == shown[:1]
    following = page.headers["link"].partition(">")[0].removeprefix("<")
    assert hub.client.get(following).json() == shown[1:]
    run_sql(
        hub.database,
        "insert into sync_run (project_doc_id, status, created_at, finished_at) "
        f"select '{source}', 'failed', now() - n * interval '1 day', now() "
        "from generate_series(1, 200) n",
    )
    newest = hub.sync(source)
    kept = hub.client.get(f"{path}?limit=1000").json()
    assert len(kept) == 100
    assert kept[0] == without_skipped_files(newest)
    assert len(hub.client.get(path).json()) == 20


def test_only_a_single_run_lists_its_skipped_files(hub: Hub) -> None:
    """A run may list 1,000 of them, with paths that are long, so 100 runs would be large."""
    synced = Synced(hub, {"a.md": b"x"} | {f"{n}.md": b"\xff" * 9 for n in range(50)})
    [run] = hub.client.get(f"/api/project-docs/{synced.source}/syncs").json()
    assert run["skipped"] == 50
    whole = hub.client.get(f"/api/project-docs/{synced.source}/syncs/{run['id']}").json()
    assert len(whole["skipped_files"]) == 50
    assert run == without_skipped_files(whole)
    source = hub.client.get(f"/api/project-docs/{synced.source}").json()
    assert "skipped_files" not in source["last_run"]
