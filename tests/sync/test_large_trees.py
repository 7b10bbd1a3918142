"""Runs of so many documents that their lists are made in turn."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from service.sync.source_pass import LARGE_TREE
from tests.support.copies import WAITING_WRITES, create_source, locked_documents, make_files
from tests.support.git_server import BLOBS
from tests.support.hub import counts
from tests.support.postgres import run_sql
from tests.support.processes import freeze
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.copies import Copies

FILES = {f"f{number % 9}/{number}.md": b"# %d\n" % number for number in range(LARGE_TREE)}
TOTAL = len(FILES)  # with their folders, these are more entries than LARGE_TREE


def test_a_large_source_is_compared_as_a_small_one_is(copies: Copies) -> None:
    copies.start()
    hub = copies.hub()
    remote = copies.git.create()
    remote.commit({**FILES, "not-text.md": b"a\0b"})
    source = create_source(copies.database, remote)
    first = hub.sync(source, 60)
    assert (first["status"], counts(first)) == ("completed", (TOTAL, 0, 0, 0, 1))
    remote.commit({"f1/1.md": b"# Changed\n", "f2/2.md": None}, renames={"f3": "moved"})
    second = hub.sync(source, 60)
    moved = sum(path.startswith("f3/") for path in FILES)
    assert second["moved"] == moved
    assert counts(second) == (0, 1, TOTAL - 2 - moved, 1, 1)
    stored = run_sql(copies.database, "select file_path, content from document")
    expected = {path.replace("f3/", "moved/"): text.decode() for path, text in FILES.items()}
    del expected["f2/2.md"]
    assert dict(stored) == expected | {"f1/1.md": "# Changed\n"}


def test_large_sources_do_not_wait_for_one_that_a_server_keeps_waiting(copies: Copies) -> None:
    copies.start()
    hub = copies.hub()
    slow, other = copies.create_source(FILES), copies.create_source(FILES)
    copies.stall(BLOBS)
    copies.request(slow)
    copies.wait_for_stalled()
    copies.git.behaviour.stall_after = None  # for the other one
    assert hub.sync(other, 30)["status"] == "completed"
    assert hub.status(slow)["status"] == "syncing"
    copies.resume()
    copies.wait_for_runs(("completed", 1), ("completed", 1), seconds=60)


def test_one_large_source_at_a_time_has_its_lists_in_memory(copies: Copies) -> None:
    copies.start(SYNC_CONCURRENCY="8")  # slots for all three, though they have one host
    hub = copies.hub()
    small = copies.create_source(make_files())
    large = [copies.create_source(FILES), copies.create_source(FILES)]
    with locked_documents(copies.database):
        for source in (small, *large):
            copies.request(source)
        eventually(lambda: run_sql(copies.database, WAITING_WRITES) == [(2,)], 30)
        time.sleep(2)  # the other one would come as far
        assert run_sql(copies.database, WAITING_WRITES) == [(2,)]
        # A run's progress is stored when its claim is renewed.
        eventually(
            lambda: sorted(hub.status(source)["files_done"] for source in large) == [0, TOTAL]
        )
    copies.wait_for_runs(*[("completed", 1)] * 3, seconds=60)


def test_a_source_that_is_deleted_while_its_contents_are_fetched_is_no_fault(
    copies: Copies,
) -> None:
    service = copies.start()
    remote = copies.git.create()
    remote.commit(FILES)
    source = create_source(copies.database, remote)
    assert copies.hub().sync(source, 60)["status"] == "completed"
    remote.commit({"f1/1.md": b"# Changed\n"})
    copies.stall(BLOBS)
    copies.request(source)
    copies.wait_for_stalled()
    worker = psutil.Process(service.process.pid)
    freeze(worker)  # which would see the loss of the claim, and end the process
    run_sql(copies.database, f"delete from project_doc where id = '{source}'")
    copies.resume()
    eventually(lambda: copies.folders() == [], 30)
    worker.resume()
    service.wait_for("sync_claim_lost")
    assert "sync_fault" not in copies.log()
