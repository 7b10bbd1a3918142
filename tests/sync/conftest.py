from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.copies import Copies
from tests.support.git_server import GitServer, git_server
from tests.support.hub import Hub, running_hub

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.postgres import Postgres
    from tests.support.service import Service


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


@pytest.fixture
def git(tmp_path: Path) -> Iterator[GitServer]:
    with git_server(tmp_path / "repositories") as server:
        yield server


@pytest.fixture
def copies(
    start_service: Callable[..., Service], database: str, tmp_path: Path, git: GitServer
) -> Iterator[Copies]:
    copies = Copies(start_service, database, tmp_path, git)
    yield copies
    copies.close()


@pytest.fixture
def own_copies(
    start_service: Callable[..., Service], own_postgres: Postgres, tmp_path: Path, git: GitServer
) -> Iterator[Copies]:
    """Copies on a database server of their own, which may be stopped and frozen."""
    copies = Copies(start_service, own_postgres.url, tmp_path, git)
    yield copies
    copies.close()
