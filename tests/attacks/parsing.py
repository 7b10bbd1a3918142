"""Repositories whose documents take long to parse."""

from __future__ import annotations

import time

from tests.attacks.arena import Arena, Figures, attack
from tests.support.waiting import eventually

DOCUMENTS = 50
# Half a second of parsing each.
LINKS = b"# Links\n\n" + b"[a][b] *c* `d` <e> **f**\n\n" * 180_000

# An old version ended a run only when it had read its documents.
PATIENCE_SECONDS = 60.0


@attack(SYNC_TIMEOUT_SECONDS="8")
def long_parsing(arena: Arena) -> Figures:
    """50 documents of 5 MB that take long to parse, with SYNC_TIMEOUT_SECONDS=8; then SIGTERM."""
    remote = arena.git.create("team/long")
    # One content under many paths: git sends 5 MB, and each path is parsed.
    remote.commit({f"{number}.md": LINKS for number in range(DOCUMENTS)})
    source = arena.hub.create_source(arena.hub.create_project(), remote)
    path = f"/api/project-docs/{source}/sync"
    with arena.observing():
        started = time.perf_counter()
        run = arena.hub.wait(
            arena.hub.client.post(path).headers["location"], seconds=PATIENCE_SECONDS
        )
        seconds = time.perf_counter() - started
        time.sleep(1)
        after = arena.memory_mb()
        arena.hub.client.post(path)
        eventually(lambda: arena.hub.status(source)["files_total"], PATIENCE_SECONDS)
        time.sleep(1)
    arena.stop()
    return {
        "the run ended after": f"{seconds:.1f} s: {run['error'] or run['status']}",
        "memory 1 s after its end": f"{after:.0f} MB",
    }
