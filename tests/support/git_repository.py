"""Fetching with GitRepository, and finding the files and processes that it leaves behind."""

from __future__ import annotations

import asyncio
import os
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from service.git.errors import GitError
from service.git.options import GitOptions
from service.git.repository import GitRepository
from service.temporary import temporary_parent
from tests.support.git_server import GitServer, git_settings
from tests.support.waiting import PATIENCE_SECONDS

if TYPE_CHECKING:
    from service.git.objects import Entry, Tree

TOKEN = "github_pat_0123456789secret"

both_loops = pytest.mark.parametrize("anyio_backend", ["uvloop", "asyncio"], indirect=True)


def git_options(tmp_path: Path, server: GitServer, **changes: Any) -> GitOptions:
    return GitOptions(**git_settings(tmp_path, server, **changes))


async def fetch_all(
    options: GitOptions, url: str, folder: str | None = None, branch: str | None = None
) -> tuple[Tree, dict[bytes, bytes]]:
    """Return the tree, and the contents of its files by path."""
    async with GitRepository(options) as repository:
        tree = await repository.fetch_tree(url, branch, folder)
        blobs = await repository.fetch_blobs(url, [entry.id for entry in files_of(tree)])
    # Contents can be read after the end of the repository.
    return tree, {entry.path: blobs.read(entry.id) for entry in files_of(tree)}


async def fetch_error(options: GitOptions, url: str, *arguments: Any) -> str:
    """Return the text of fetch_tree's error."""
    with pytest.raises(GitError) as raised:
        async with GitRepository(options) as repository:
            await repository.fetch_tree(url, *(arguments or (None, None)))
    return checked_text(raised.value)


def checked_text(error: GitError) -> str:
    text = str(error)
    assert text.isprintable()
    assert len(text) < 500
    assert TOKEN not in text
    assert b64encode(f"x-access-token:{TOKEN}".encode()).decode() not in text
    assert str(temporary_parent()) not in text
    return text


def files_of(tree: Tree) -> list[Entry]:
    return [entry for entry in tree.entries if entry.type == "blob"]


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the other processes with this folder in their arguments, without zombies."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["cmdline", "status"]):
        arguments = " ".join(process.info["cmdline"] or [])
        if str(folder) in arguments and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return [process for process in found if process.pid != os.getpid()]


def names_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in files_below(folder))


async def wait_until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def assert_nothing_is_left(temporary: Path) -> None:
    assert names_in(temporary) == set()
    assert processes_of(temporary) == []
