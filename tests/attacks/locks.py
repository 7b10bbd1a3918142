"""A write that lasts, with a storm of requests on its source; slow sources beside an honest one."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING

import psycopg

from tests.attacks.arena import Arena, Figures, attack
from tests.attacks.busy_pool import looping
from tests.support.git_server import LIST
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    import httpx

CLIENTS = 12
SECONDS = 8.0
DOCUMENTS = 5000
SLOW_SOURCES = 6
HONEST_SECONDS = 45.0


@attack
def long_write(arena: Arena) -> Figures:
    """12 clients change, delete, sync and read a source whose documents a sync writes for 8 s."""
    remote = arena.git.create("long")
    remote.commit({f"{number:05}.md": b"# A" for number in range(DOCUMENTS)})
    project = arena.hub.create_project("Long")
    source = arena.hub.create_source(project, remote)
    arena.hub.sync(source, 60)
    remote.commit({f"{number:05}.md": b"# B" for number in range(DOCUMENTS)})
    statuses: Counter[str] = Counter()
    slowest: dict[str, float] = {}
    mutex = threading.Lock()
    requests = [
        ("PUT", f"/api/project-docs/{source}", {"description": "changed"}),
        ("PUT", f"/api/projects/{project}", {"description": "changed"}),
        ("DELETE", f"/api/project-docs/{source}", None),
        ("DELETE", f"/api/projects/{project}", None),
        ("POST", f"/api/project-docs/{source}/sync", None),
        ("GET", f"/api/project-docs/{source}", None),
        ("GET", f"/api/project-docs/{source}/sync-status", None),
    ]

    def send(client: httpx.Client) -> None:
        method, path, body = random.choice(requests)
        started = time.perf_counter()
        status = client.request(method, path, json=body).status_code
        seconds = time.perf_counter() - started
        with mutex:
            statuses[f"{method} {status}"] += 1
            slowest[method] = max(slowest.get(method, 0.0), round(seconds, 2))

    with psycopg.connect(arena.database) as holder:
        # The last of the documents, so that the others are written before the sync waits.
        holder.execute(
            "select id from document where file_path = %s for update", [f"{DOCUMENTS - 1:05}.md"]
        )
        arena.hub.client.post(f"/api/project-docs/{source}/sync")
        waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
        deadline = time.monotonic() + 20
        while not run_sql(arena.database, waiting) and time.monotonic() < deadline:
            time.sleep(0.05)
        with arena.observing(), looping(CLIENTS, send, arena.url):
            time.sleep(SECONDS)
        holder.rollback()
    return {"responses": dict(statuses), "slowest": slowest}


@attack(SYNC_TIMEOUT_SECONDS="60")
def slow_sources(arena: Arena) -> Figures:
    """Six sources of one project whose git server stalls, and one source of another project."""
    arena.git.behaviour.stall_after = 0
    arena.git.behaviour.stall_only = LIST
    slow = arena.hub.create_project("Slow")
    for number in range(SLOW_SOURCES):
        source = arena.hub.create_source(slow, arena.git.create(f"slow/{number}"))
        arena.hub.client.post(f"/api/project-docs/{source}/sync")
    deadline = time.monotonic() + 20
    while not arena.git.stalled and time.monotonic() < deadline:
        time.sleep(0.05)
    arena.git.behaviour.stall_after = None
    remote = arena.git.create("honest")
    remote.commit({"a.md": b"# A"})
    honest = arena.hub.create_source(arena.hub.create_project("Honest"), remote)
    with arena.observing():
        started = time.perf_counter()
        try:
            outcome = arena.hub.sync(honest, HONEST_SECONDS)["status"]
        except AssertionError:
            outcome = f"not ended after {HONEST_SECONDS:g} s"
        seconds = time.perf_counter() - started
    arena.git.behaviour.resume.set()
    return {"honest": outcome, "seconds": round(seconds, 1)}
