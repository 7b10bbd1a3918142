"""Pages and tools that cost much: large documents, hostile ones, many clients at one instant."""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.attacks.arena import Arena, Figures, attack
from tests.attacks.large_responses import insert_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_SECONDS = 60.0
CLIENTS = 300
# Of those that ask for what no worker has kept: each one renders, searches or reads.
COSTLY_CLIENTS = 40
TOOL_CALLS = 80

# SQL for texts that take as much of a page, of the time to render it, or of an outline as one may.
LARGE = "repeat(repeat('&', 49) || E'\\n', 10000)"


def ask(url: str, path: str, gate: threading.Barrier, body: bytes = b"", accept: str = "") -> str:
    """Send a request when all clients are ready, read the response, and return its status."""
    parts = urlsplit(url)
    head = [
        f"{'POST' if body else 'GET'} {path} HTTP/1.0",
        "host: localhost",
        f"accept-encoding: {accept or 'identity'}",
        "accept: application/json, text/event-stream, text/html",
        *(["content-type: application/json", f"content-length: {len(body)}"] if body else []),
    ]
    with socket.create_connection((parts.hostname, parts.port), PATIENCE_SECONDS) as connection:
        gate.wait(PATIENCE_SECONDS)
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body)
        first = connection.recv(1_000_000)
        while connection.recv(1_000_000):
            pass
    return first[9:12].decode() or "none"


def ask_at_once(arena: Arena, requests: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Send these requests at one instant, and return how many responses had each status."""
    gate = threading.Barrier(len(requests))
    with ThreadPoolExecutor(len(requests)) as pool:
        sent = [pool.submit(ask, arena.url, gate=gate, **request) for request in requests]
        return dict(Counter(each.result() for each in sent))


def page_of(project: str, name: str) -> str:
    """Return the page of a document at the root of a project's only source."""
    return f"/projects/{project}/files/{name}"


@attack
def kept_page(arena: Arena) -> Figures:
    """300 clients ask at one instant for a page of 2 MB that is rendered, 100 of them with gzip."""
    page = page_of(insert_documents(arena, 1, "'a.txt'", LARGE, "txt"), "a.txt")
    received = arena.hub.client.get(page).content
    with arena.observing():
        started = time.monotonic()
        statuses = ask_at_once(
            arena,
            [{"path": page, "accept": "gzip" if n % 3 == 0 else ""} for n in range(CLIENTS)],
        )
        seconds = time.monotonic() - started
    return {
        "page_mb": round(len(received) / 1e6, 1),
        "responses": statuses,
        "seconds": round(seconds, 1),
    }
