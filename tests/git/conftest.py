"""Git servers, and a temporary folder for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git_server import GitServer, git_server


@pytest.fixture(params=["uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return ("asyncio", {"use_uvloop": request.param == "uvloop"})


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary directories, so that the test sees only its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "served") as server:
        yield server


@pytest.fixture(scope="session")
def giants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitServer]:
    """A server with giants: 200 MB of zeros, and 60 MB that cannot be compressed."""
    with git_server(tmp_path_factory.mktemp("giants")) as server:
        zeros = server.create("zeros")
        zeros.configure("core.compression", "1")
        zeros.commit({"a.md": b"# A\n", "docs/b.md": b"# B\n", "docs/zeros.md": bytes(200_000_000)})
        server.create("noise").commit(
            {"docs/b.md": b"# B\n", "docs/noise.md": os.urandom(60_000_000), "c.bin": b"c" * 9000}
        )
        yield server
