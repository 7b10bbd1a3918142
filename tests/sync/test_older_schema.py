"""Runs that meet a schema behind the code: they wait for `migrate`, and complete after it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from service.migrations.run import migrate
from tests.support.copies import (
    WAITING_WRITES,
    assert_no_fault,
    create_source,
    is_idle,
    locked_documents,
    make_files,
)
from tests.support.git_server import BLOBS
from tests.support.migrations import roll_back_what_runs_need
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.copies import Copies
    from tests.support.git_server import Remote

WITHOUT_PARTS = """
    select file_path from document
    where not exists (select from document_part where document_id = document.id)
    """


def roll_back(copies: Copies) -> None:
    roll_back_what_runs_need(copies.database)


def synced_once(copies: Copies) -> tuple[Remote, str]:
    """Return a repository that has been synced once, and its source."""
    remote = copies.git.create()
    remote.commit(make_files())
    source = create_source(copies.database, remote)
    assert copies.hub().sync(source)["status"] == "completed"
    return remote, source


def test_a_run_under_way_at_a_rollback_completes_after_the_next_migrate(copies: Copies) -> None:
    service = copies.start()
    files = make_files()
    source = copies.create_source(files)
    copies.stall(BLOBS)
    copies.request(source)
    copies.wait_for_stalled()
    roll_back(copies)
    copies.resume()
    line = service.wait_for("sync_interrupted")
    assert line["reason"] == "schema_behind"
    copies.wait_for_runs(("queued", 0))
    waits = service.wait_for("sync_waits_for_database")
    assert "migrations" in waits["error"]
    time.sleep(5)  # more polls than a run has attempts
    assert copies.runs() == [("queued", 0)]
    migrate(copies.database, print)
    copies.wait_for_runs(("completed", 1))
    assert copies.holds(files)
    assert run_sql(copies.database, WITHOUT_PARTS) == []
    assert len(service.expect("sync_interrupted")) == 1
    eventually(lambda: is_idle(service))
    assert_no_fault(copies)


def test_a_run_that_writes_while_a_rollback_has_the_lock_returns_to_the_queue(
    copies: Copies,
) -> None:
    service = copies.start()
    source = copies.create_source(make_files())
    with locked_documents(copies.database) as holder:
        copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(1,)])
        holder.execute("drop table document_part, document_heading cascade")
        holder.execute("delete from _yoyo_migration where migration_id like '0008%'")
        holder.commit()
    service.wait_for("sync_interrupted")
    copies.wait_for_runs(("queued", 0))
    assert_no_fault(copies)


def test_no_run_is_claimed_while_the_schema_is_behind(copies: Copies) -> None:
    service = copies.start()
    files = make_files()
    source = copies.create_source(files)
    roll_back(copies)
    run_sql(copies.database, f"insert into sync_run (project_doc_id) values ('{source}')")
    service.wait_for("sync_waits_for_database")
    time.sleep(5)
    assert copies.runs() == [("queued", 0)]
    migrate(copies.database, print)
    copies.wait_for_runs(("completed", 1))
    assert copies.holds(files)
    assert len(service.find("sync_waits_for_database")) == 1
    assert_no_fault(copies)


def test_a_run_under_way_at_a_rollback_and_a_migrate_reads_all_documents_again(
    copies: Copies,
) -> None:
    service = copies.start()
    remote, source = synced_once(copies)
    remote.commit({"new.md": b"# New\n"})
    copies.stall(BLOBS)
    copies.request(source)
    copies.wait_for_stalled()
    roll_back(copies)
    migrate(copies.database, print)
    copies.resume()
    copies.wait_for_runs(("completed", 1), ("completed", 1))
    assert copies.holds(make_files() | {"new.md": b"# New\n"})
    assert run_sql(copies.database, WITHOUT_PARTS) == []
    eventually(lambda: is_idle(service))
    assert_no_fault(copies)
