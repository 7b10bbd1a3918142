"""Responses that are large, and clients that read them at once, slowly or not at all."""

from __future__ import annotations

import socket
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from tests.attacks.arena import Arena, Figures, attack
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Sequence

ATTACK_SECONDS = 20.0
SLOW_BYTES_PER_SECOND = 200_000


def fetch(
    url: str, path: str, *, accept: str = "identity", speed: int | None = None
) -> tuple[str, int]:
    """Return the status of a response, and how many bytes of it came within ATTACK_SECONDS.

    `speed` is in bytes for each second; 0 reads nothing.
    """
    parts = urlsplit(url)
    deadline = time.monotonic() + ATTACK_SECONDS
    received, status = 0, "none"
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        request = f"GET {path} HTTP/1.0\r\nhost: localhost\r\naccept-encoding: {accept}\r\n\r\n"
        connection.sendall(request.encode())
        if speed == 0:
            time.sleep(ATTACK_SECONDS)
            return "unread", 0
        while time.monotonic() < deadline:
            data = connection.recv(1_000_000 if speed is None else speed // 10)
            if not data:
                break
            if not received:
                status = data[9:12].decode()
            received += len(data)
            if speed is not None:
                time.sleep(0.1)
        else:
            status += " in part"
    return status, received


def fetch_all(
    arena: Arena, requests: Sequence[dict[str, Any]], repeat_seconds: float = 0
) -> Figures:
    """Send these requests at once, again and again for a while, and return what came."""
    started = time.monotonic()

    def repeat(request: dict[str, Any]) -> list[tuple[str, int]]:
        found = [fetch(arena.url, **request)]
        while time.monotonic() - started < repeat_seconds:
            found.append(fetch(arena.url, **request))
        return found

    with arena.observing(), ThreadPoolExecutor(len(requests)) as pool:
        found = [one for many in pool.map(repeat, requests) for one in many]
    return {
        "responses": dict(Counter(status for status, _ in found)),
        "received_mb": round(sum(size for _, size in found) / 1e6, 1),
        "seconds": round(time.monotonic() - started, 1),
    }


def insert_documents(
    arena: Arena, count: int, path: str, content: str = "''", file_type: str = "md"
) -> str:
    """Return a project with documents inserted past the limits of syncs, as from older code.

    `path` is a SQL expression of each document's number `n`, `content` one of them all.
    """
    project = arena.hub.create_project(f"Documents {uuid4()}")
    source = arena.hub.create_source(project, arena.git.create(f"team/{project}"))
    run_sql(
        arena.database,
        f"""
        insert into document (project_doc_id, file_path, file_type, file_size, blob_id, content,
                              doc_metadata)
        select '{source}', {path}, '{file_type}', octet_length(content), md5(content), content,
               '{{"title": "", "front_matter": null, "headings": [], "anchors": []}}'
        from (select {content} as content) as made, generate_series(1, {count}) as n
        """,
        "analyze",
    )
    return project


@attack
def large_tree(arena: Arena) -> Figures:
    """8 clients fetch a tree of 50,000 documents again and again, some with gzip, some slowly."""
    path = "format('docs/area-%s/epic-%s/story-%s.md', n % 97, n % 31, n)"
    tree = f"/api/projects/{insert_documents(arena, 50_000, path)}/file-tree"
    ways: list[dict[str, Any]] = [
        {},
        {"accept": "gzip"},
        {"speed": SLOW_BYTES_PER_SECOND},
        {"accept": "gzip", "speed": SLOW_BYTES_PER_SECOND},
    ]
    requests = [{"path": tree, **way} for way in ways] * 2
    return fetch_all(arena, requests, repeat_seconds=10)


@attack
def deep_tree(arena: Arena) -> Figures:
    """4 clients fetch a tree of 1.1 GB: 20,000 folders that have the same deep chain of folders."""
    path = "format('d%s/%sx.md', n, repeat('folder-xxx/', 90))"
    tree = f"/api/projects/{insert_documents(arena, 20_000, path)}/file-tree"
    ways: list[dict[str, Any]] = [
        {},
        {"accept": "gzip"},
        {"speed": SLOW_BYTES_PER_SECOND},
        {"speed": 0},
    ]
    return fetch_all(arena, [{"path": tree, **way} for way in ways])


@attack
def large_documents(arena: Arena) -> Figures:
    """32 clients read a document of 5 MB of control characters, and 8 others with gzip."""
    project = insert_documents(arena, 1, "'a.md'", "repeat(chr(1), 5000000)")
    [file] = arena.hub.tree(project)
    path = f"/api/documents/{file['id']}"
    requests: list[dict[str, Any]] = [{"path": path}] * 24
    requests += [{"path": path, "speed": 0}] * 8
    requests += [{"path": path, "accept": "gzip"}] * 8
    return fetch_all(arena, requests)


@attack
def many_large_documents(arena: Arena) -> Figures:
    """32 clients read as many documents of 5 MB, 8 of them without reading the responses."""
    project = insert_documents(arena, 32, "format('%s.md', n)", "repeat(chr(1), 5000000)")
    paths = [f"/api/documents/{file['id']}" for file in arena.hub.tree(project)]
    requests = [
        {"path": path, "speed": 0 if number < 8 else None} for number, path in enumerate(paths)
    ]
    return fetch_all(arena, requests)


@attack
def large_lists(arena: Arena) -> Figures:
    """16 clients list 1,000 projects whose descriptions are 2,000 control characters each."""
    run_sql(
        arena.database,
        "insert into project (name, description) "
        "select n::text, repeat(chr(1), 2000) from generate_series(1, 1000) as n",
    )
    ways: list[dict[str, Any]] = [
        {},
        {"accept": "gzip"},
        {"speed": SLOW_BYTES_PER_SECOND},
        {"speed": 0},
    ]
    requests = [{"path": "/api/projects?limit=1000", **way} for way in ways] * 4
    return fetch_all(arena, requests)
