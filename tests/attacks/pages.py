"""Pages and tools that cost much: large documents, hostile ones, many clients at one instant."""

from __future__ import annotations

import json
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from tests.attacks.arena import Arena, Figures, attack
from tests.attacks.large_responses import insert_documents

if TYPE_CHECKING:
    from collections.abc import Sequence

PATIENCE_SECONDS = 60.0
CLIENTS = 300
COSTLY_CLIENTS = 60
READ_CALLS = 80
LARGE_MESSAGES = 20

# SQL of texts that take as much as one may: of a page, of rendering, of a parser, of an outline.
LARGE_PAGE = "repeat(repeat('&', 49) || E'\\n', 10000)"
HOSTILE = (
    "(select string_agg('## Heading ' || n, E'\\n\\n') from generate_series(1, 10000) as n)",
    "E'|a|b|c|\\n|-|-|-|\\n' || repeat(E'|[a](b)|`c`|d|\\n', 200000)",
    "repeat('> ', 1000) || repeat('*a **b** `c`* <b>d</b> ', 200000)",
    "repeat('[', 500000) || repeat('](', 500000)",
    "'```python' || repeat(E'\\nx = {1: [1, 2.0, None], **b}', 150000)",
)
PROSE = "repeat(E'## Words\\n\\nA berth is free, or it is not, and a skipper pays.\\n\\n', 70000)"


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


def call_tool(name: str, **arguments: object) -> dict[str, Any]:
    """Return the request that calls a tool."""
    return post_message({"name": name, "arguments": arguments})


def post_message(params: object, method: str = "tools/call") -> dict[str, Any]:
    """Return the request that sends a message of MCP."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return {"path": "/mcp", "body": json.dumps(message, separators=(",", ":")).encode()}


@attack
def kept_page(arena: Arena) -> Figures:
    """300 clients ask at one instant for a page of 3 MB that is rendered, 100 of them with gzip."""
    page = page_of(insert_documents(arena, 1, "'a.txt'", LARGE_PAGE, "txt"), "a.txt")
    arena.hub.client.get(page)
    ways = ["gzip" if number % 3 == 0 else "" for number in range(CLIENTS)]
    with arena.observing():
        statuses = ask_at_once(arena, [{"path": page, "accept": accept} for accept in ways])
    return {"responses": statuses}


@attack
def costly_pages(arena: Arena) -> Figures:
    """60 clients at one instant: folders of 20,000 files, searches, and hostile documents."""
    files = insert_documents(arena, 20_000, "'d/' || repeat('long & wide ', 15) || n || '.md'")
    hostile = [insert_documents(arena, 4, "n || '.md'", text) for text in HOSTILE]
    words = urlencode({"q": " ".join(f"{letter}{letter}x" for letter in ascii_lowercase * 2)})
    kinds = {
        "folders": [f"/projects/{files}/files/d?page={n % 20 + 1}" for n in range(COSTLY_CLIENTS)],
        "searches": [f"/search?{words}&kind=prd" for _ in range(COSTLY_CLIENTS)],
        "documents": [page_of(each, f"{n}.md") for each in hostile for n in range(1, 5)] * 3,
    }
    with arena.observing():
        return {
            name: ask_at_once(arena, [{"path": path} for path in paths])
            for name, paths in kinds.items()
        }


@attack
def large_calls(arena: Arena) -> Figures:
    """80 tool calls at one instant read documents of 1 to 5 MB; then 60 large messages come."""
    projects = [insert_documents(arena, 20, "n || '.md'", text) for text in (PROSE, *HOSTILE[:3])]
    reads = [
        call_tool("read_document", project=project, path=f"{n}.md", max_tokens=25_000)
        for project in projects
        for n in range(1, 21)
    ]
    messages = [
        post_message({"a": "[]," * 5_000}, "ping"),
        call_tool("search", **{f"query{n}": 1 for n in range(4_000)}),
        post_message({"a": ["x" * 1_000] * 900}, "ping"),
    ]
    with arena.observing():
        figures: Figures = {
            "reads": ask_at_once(arena, reads[:READ_CALLS]),
            "messages": ask_at_once(arena, messages * LARGE_MESSAGES),
        }
    return figures
