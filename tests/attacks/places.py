"""Places that fill up or go away, and a log that nobody reads."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import time
from collections import Counter
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from tests.attacks.arena import Arena, Figures, attack
from tests.support.fleet import free_ports
from tests.support.processes import is_served
from tests.support.service import Service
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


# httpx would otherwise open a new connection after a pause of 5 s.
KEPT = httpx.Limits(keepalive_expiry=60)


def serve_anew(
    arena: Arena, *arguments: str, stderr: int | None = None, **options: Any
) -> subprocess.Popen[Any]:
    """Replace the service by one with other files, limits or settings, from the same code."""
    old = psutil.Process(arena.pid)
    command, folder, environment = old.cmdline(), old.cwd(), old.environ()
    arena.service.end()
    (port,) = free_ports(1)
    log = arena.folder / "places.log"
    with log.open("wb") as output:
        process: subprocess.Popen[Any] = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            env=environment | {"BACKEND_PORT": str(port)} | options.pop("variables", {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output if stderr is None else stderr,
            start_new_session=True,
            **options,
        )
    arena.service = Service(process, log)
    url = f"http://127.0.0.1:{port}"
    if stderr is not None:  # the log has no line from which the harness could read the address
        log.write_text(json.dumps({"message": "listening", "url": url}) + "\n")
    eventually(lambda: is_served(f"{url}/api/health"), seconds=60)
    return process


def statuses(url: str, number: int, path: str = "/api/hello", seconds: float = 20) -> Counter[int]:
    """Return the number of each status; 0 stands for a request without a response in time."""
    found: Counter[int] = Counter()
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=3) as client:
        while found.total() < number and time.monotonic() < deadline:
            try:
                found[client.get(path).status_code] += 1
            except httpx.TransportError:
                found[0] += 1
    return found


@attack
def stopped_log_reader(arena: Arena) -> Figures:
    """The reader of standard error stops reading; 3,000 requests, then SIGTERM."""
    ours, theirs = os.pipe()
    try:
        serve_anew(arena, stderr=theirs)
        os.close(theirs)
        with arena.observing():
            found = statuses(arena.url, 3000)
        stopped = arena.stop()
    finally:
        os.close(ours)
    return {"responses": dict(found), "SIGTERM s": round(stopped, 1)}


def _attack_workers(arena: Arena, spoil: Callable[[Path], object], folder: Path) -> Figures:
    process = serve_anew(arena, variables={"TMPDIR": str(folder)})
    spoil(folder)
    with arena.observing():
        found: Counter[int] = Counter()
        for path in ("/api/hello", "/api/projects", "/docs", "/redoc", "/metrics", "/openapi.json"):
            for _ in range(10):  # by new connections, which either worker may accept
                found += statuses(arena.url, 5, path)
        for child in psutil.Process(process.pid).children()[-1:]:
            child.kill()  # its successor starts in the spoilt folder
        time.sleep(3)
        found += statuses(arena.url, 20)
    return {
        "responses": dict(found),
        "workers that ended, of them 1 killed": len(arena.service.find("worker_ended")),
    }


@attack(WEB_CONCURRENCY="2", may_be_unhealthy=True)
def full_temporary_folder(arena: Arena) -> Figures:
    """Two workers, whose temporary folder has no byte left. Needs the right to mount one."""
    folder = arena.folder / "full"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return {"not measured": "nothing may be mounted here"}

    def fill(folder: Path) -> None:
        with (folder / "file").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(512))

    try:
        return _attack_workers(arena, fill, folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@attack(WEB_CONCURRENCY="2", may_be_unhealthy=True)
def removed_temporary_folder(arena: Arena) -> Figures:
    """Two workers, whose temporary folder is removed; then one of them is killed."""
    folder = arena.folder / "removed"
    folder.mkdir()
    return _attack_workers(arena, shutil.rmtree, folder)


@attack(may_be_unhealthy=True)
def killed_embedded_postgres(arena: Arena) -> Figures:
    """SIGKILL for the postmaster of an embedded PostgreSQL; how long until health is 200."""
    folder = arena.folder / "embedded"
    variables = {"DATABASE_URL": f"embedded:{folder}"}
    serve_anew(arena, "--migrate", variables=variables)
    with arena.observing():
        pid = int((folder / "data/postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGKILL)
        started = time.monotonic()
        eventually(lambda: not is_served(f"{arena.url}/api/health"), seconds=10)
        while not is_served(f"{arena.url}/api/health") and time.monotonic() < started + 30:
            time.sleep(0.1)
        back = time.monotonic() - started
    return {"healthy again after s": round(back, 1) if back < 30 else "never"}


@attack(may_be_unhealthy=True)
def no_file_descriptors(arena: Arena) -> Figures:
    """A limit of 100 open files, 200 connections for 5 s, and requests on one that was there."""
    limit = partial(resource.setrlimit, resource.RLIMIT_NOFILE, (100, 100))
    serve_anew(arena, preexec_fn=limit)
    address = ("127.0.0.1", int(arena.url.rpartition(":")[2]))
    with arena.observing():
        with (
            httpx.Client(base_url=arena.url, timeout=3, limits=KEPT) as client,
            ExitStack() as opened,
        ):
            client.get("/api/health")
            for _ in range(200):
                opened.enter_context(socket.create_connection(address))
            held = Counter(client.get("/api/health").status_code for _ in range(50))
            time.sleep(5)
            held += Counter(client.get("/api/health").status_code for _ in range(50))
        time.sleep(2)
        after = statuses(arena.url, 20)
    lines = [entry["message"] for entry in arena.service.entries()]
    return {
        "on a connection that was open": dict(held),
        "afterwards": dict(after),
        "log lines about it": len([line for line in lines if "descriptors" in line]),
    }
