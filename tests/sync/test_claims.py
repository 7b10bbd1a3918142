"""Claims: which copy runs which run. What happens to a claim during a run is in test_syncer.py."""

from __future__ import annotations

import itertools
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.copies import Copies


def test_copies_share_the_runs_oldest_first(copies: Copies) -> None:
    for _ in range(3):
        copies.start(SYNC_CONCURRENCY="1")
    urls = [service.url for service in copies.services]
    copies.git.behaviour.slow_seconds = 0.1
    for number in range(12):
        source = copies.create_source({"a.md": random.randbytes(3000).hex().encode()})
        httpx.post(f"{urls[number % 3]}/api/project-docs/{source}/sync")
    copies.wait_for_runs(*[("completed", 1)] * 12)
    eventually(lambda: copies.log().count('"sync_finished"') == 12)
    did = [len(service.find("sync_finished")) for service in copies.services]
    assert all(did), did
    rows = run_sql(copies.database, "select started_at from sync_run order by created_at")
    started = [row[0] for row in rows]
    # Of two claims at the same moment the later one may have the earlier time; a run takes 0.6 s.
    latest = itertools.accumulate(started, max)
    early = [so_far - at for so_far, at in zip(latest, started, strict=True)]
    assert max(early) < timedelta(seconds=0.5), early
