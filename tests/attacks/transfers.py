"""Repositories whose servers never come to an end, or whose packs take git very long to read."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from tests.attacks.arena import Arena, Figures, attack
from tests.support.endless_git_server import BOMBS, SLOW, endless_git_server
from tests.support.git_server import HOST
from tests.support.hub import hub_variables

if TYPE_CHECKING:
    from pathlib import Path

SYNC_TIMEOUT = 50
# No longer than this for the runs together, whatever the service does.
PATIENCE_SECONDS = 58.0


@attack(SYNC_TIMEOUT_SECONDS=str(SYNC_TIMEOUT), SYNC_CONCURRENCY="3")
def dripping_servers(arena: Arena) -> Figures:
    """Six servers send next to nothing for ever; an honest source is synced after them."""
    honest = arena.git.create()
    honest.commit({"a.md": b"# A\n"})
    kinds = [kind for kind in SLOW if kind not in ("a proxy", "silence", "headers")][:6]
    with ExitStack() as stack:
        paths: dict[str, str] = {}
        for number, kind in enumerate(kinds):
            server = stack.enter_context(endless_git_server(kind, piece=1500))
            _redirect(arena, f"evil{number}", server.url)
            paths[kind] = f"https://{HOST}/evil{number}/docs"
        with arena.observing():
            runs = {kind: _request(arena, kind, url) for kind, url in paths.items()}
            runs["honest"] = _request(arena, "honest", honest.url)
            return _wait(arena, runs)


@attack(SYNC_TIMEOUT_SECONDS=str(SYNC_TIMEOUT))
def packs_that_unpack_to_much(arena: Arena) -> Figures:
    """A pack of 200 KB makes 320 GB of objects, one of 256 MB a file of 250 GB."""
    with ExitStack() as stack:
        paths: dict[str, str] = {}
        for number, kind in enumerate(BOMBS):
            server = stack.enter_context(endless_git_server(kind, seconds=0))
            _redirect(arena, f"bomb{number}", server.url)
            paths[kind] = f"https://{HOST}/bomb{number}/docs"
        with arena.observing():
            runs = {kind: _request(arena, kind, url) for kind, url in paths.items()}
            return _wait(arena, runs)


def _redirect(arena: Arena, folder: str, url: str) -> None:
    """Make git of the service use a server for all repositories of a folder."""
    path: Path = arena.folder / f"gitconfig-{arena.git.port}"
    assert hub_variables(arena.folder, arena.git)["GIT_CONFIG_GLOBAL"] == str(path)
    with _kept(arena).open("a") as config:
        config.write(f'[url "{url}/"]\n\tinsteadOf = https://{HOST}/{folder}/\n')
    path.write_text(path.read_text() + _kept(arena).read_text())


def _kept(arena: Arena) -> Path:
    return arena.folder / "gitconfig-more"


def _request(arena: Arena, name: str, url: str) -> str:
    """Request the first run of a new source, in a project of its own; return its path."""
    project = arena.hub.create_project(name)
    source = {"name": "Docs", "github_url": url}
    created = arena.hub.client.post(f"/api/projects/{project}/docs", json=source).json()
    response = arena.hub.client.post(f"/api/project-docs/{created['id']}/sync")
    assert response.status_code == 202, response.text
    return response.headers["location"]


def _wait(arena: Arena, runs: dict[str, str]) -> Figures:
    """Return the seconds from now until each run ended, and how."""
    started = time.monotonic()
    figures: Figures = {}
    while len(figures) < len(runs) and time.monotonic() - started < PATIENCE_SECONDS:
        for name, path in runs.items():
            run = arena.hub.client.get(path).json()
            if name not in figures and run["finished_at"]:
                seconds = time.monotonic() - started
                figures[name] = f"{seconds:.1f} s, {run['error'] or run['status']}"
        time.sleep(0.2)
    return {name: figures.get(name, f"after {PATIENCE_SECONDS:g} s not yet") for name in runs}
