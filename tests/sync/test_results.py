"""The results of runs, and how long they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.git_server import Link
from tests.support.hub import counts, without_skipped_files
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from tests.support.hub import Hub


def test_the_last_completed_run_outlives_any_number_of_failed_ones(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"a.md": b"x", "link.md": Link(b"a.md")})
    source = hub.create_source(hub.create_project(), remote)
    completed = hub.sync(source)
    run_sql(
        hub.database,
        "insert into sync_run (project_doc_id, status, created_at, finished_at) "
        f"select '{source}', 'failed', now(), now() from generate_series(1, 150) n",
    )
    hub.server.behaviour.status = 500
    assert hub.sync(source)["status"] == "failed"
    path = f"/api/project-docs/{source}/syncs"
    assert hub.client.get(f"{path}?limit=1000").json()[-1] == without_skipped_files(completed)
    hub.server.behaviour.status = None
    assert counts(hub.sync(source)) == (0, 0, 1, 0, 1)
