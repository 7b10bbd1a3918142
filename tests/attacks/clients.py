"""Many clients at once."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import httpx

from tests.attacks.arena import Arena, Figures, attack

if TYPE_CHECKING:
    from collections.abc import Callable


def at_once(
    clients: int, request: Callable[[httpx.Client], httpx.Response], url: str
) -> Counter[int]:
    """Send a request from each of many clients at once; return the number of each status.

    A request without a response counts as 0.
    """

    def send(_: int) -> int:
        try:
            with httpx.Client(base_url=url, timeout=60) as client:
                return request(client).status_code
        except httpx.TransportError:
            return 0

    with ThreadPoolExecutor(clients) as pool:
        return Counter(pool.map(send, range(clients)))


@attack
def list_storm(arena: Arena) -> Figures:
    """200 projects with long descriptions, listed by 16 clients for 5 seconds."""
    for number in range(200):
        body = {"name": f"Project {number}", "description": "x" * 2000}
        arena.hub.client.post("/api/projects", json=body)
    statuses: Counter[int] = Counter()
    with arena.observing():
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            statuses += at_once(16, lambda client: client.get("/api/projects"), arena.url)
    return {"responses": dict(statuses)}
