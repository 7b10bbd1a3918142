"""The processes of a service, and whether it responds."""

from __future__ import annotations

import httpx
import psutil


def has_ended(pid: int) -> bool:
    """Return whether the process has ended; a zombie has."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def workers_of(supervisor: psutil.Process) -> list[psutil.Process]:
    """Return the running worker processes."""
    children = [child for child in supervisor.children() if not has_ended(child.pid)]
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def is_served(url: str) -> bool:
    """Return whether a GET gets a 200; False if the connection fails."""
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False
