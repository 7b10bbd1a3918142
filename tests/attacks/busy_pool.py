"""A pool that is full, by requests that get their connections back and by requests that do not."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx
import psycopg

from tests.attacks.arena import Arena, Figures, attack
from tests.support.examples import EXAMPLE_DOCUMENT_ID, EXAMPLE_PROJECT_ID, add_examples

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

SECONDS = 15.0
WAITERS = 12
READERS = 32
DOCUMENT_BYTES = 5_000_000
PIECE_BYTES = 262_144
PAUSE_SECONDS = 0.005


@contextmanager
def looping(clients: int, send: Callable[[httpx.Client], object], url: str) -> Generator[None]:
    """Have clients send one request after the other during the block."""
    is_over = threading.Event()

    def loop() -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not is_over.is_set():
                send(client)

    threads = [threading.Thread(target=loop) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


@attack
def busy_pool(arena: Arena) -> Figures:
    """12 clients change a project whose row is locked, and 32 read a document of 5 MB slowly."""
    add_examples(arena.database)
    changed: Counter[int] = Counter()
    read: Counter[int] = Counter()

    def change(client: httpx.Client) -> None:
        body = {"description": "changed"}
        changed[client.put(f"/api/projects/{EXAMPLE_PROJECT_ID}", json=body).status_code] += 1

    def read_slowly(client: httpx.Client) -> None:
        with client.stream("GET", f"/api/documents/{EXAMPLE_DOCUMENT_ID}") as response:
            for _ in response.iter_raw(PIECE_BYTES):
                time.sleep(PAUSE_SECONDS)
            read[response.status_code] += 1

    with psycopg.connect(arena.database) as holder:
        holder.execute(
            "update document set content = repeat('# A line of a document.' || chr(10), %s)",
            [DOCUMENT_BYTES // 24],
        )
        holder.commit()
        holder.execute("select id from project for update")
        with (
            arena.observing(),
            looping(WAITERS, change, arena.url),
            looping(READERS, read_slowly, arena.url),
        ):
            time.sleep(SECONDS)
            holder.rollback()
    return {"changes by status": dict(changed), "documents by status": dict(read)}


@attack(may_be_unhealthy=True)
def stuck_pool(arena: Arena) -> Figures:
    """A foreign transaction locks a table for 12 s, under 24 readers of the table."""
    statuses: Counter[int] = Counter()
    reasons: Counter[str] = Counter()

    def read(client: httpx.Client) -> None:
        statuses[client.get("/api/projects").status_code] += 1

    def probe(client: httpx.Client) -> None:
        body = client.get("/api/health").json()
        reasons[body.get("reason", "ok")] += 1
        time.sleep(0.1)

    with psycopg.connect(arena.database) as holder:
        holder.execute("lock table project in access exclusive mode")
        with arena.observing(), looping(1, probe, arena.url), looping(24, read, arena.url):
            time.sleep(12)
            holder.rollback()
            released = time.monotonic()
            with httpx.Client(base_url=arena.url, timeout=60) as client:
                while client.get("/api/health").status_code != 200:
                    time.sleep(0.01)
            recovered = time.monotonic() - released
            time.sleep(1)
    return {
        "responses by status": dict(statuses),
        "health by reason": dict(reasons),
        "seconds until health recovered": round(recovered, 3),
    }
