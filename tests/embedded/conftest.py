"""Folders for embedded servers, which end with their test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.embedded import end_processes, server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a cluster: to copy it is faster than initdb."""
    folder = tmp_path_factory.mktemp("cluster") / "pg"
    with server(folder):
        return folder


@pytest.fixture(autouse=True)
def no_process_outlives_its_test(tmp_path: Path) -> Iterator[None]:
    yield
    end_processes(tmp_path)


@pytest.fixture
def new_folder(tmp_path: Path) -> Path:
    """A folder that does not exist yet."""
    return tmp_path / "pg"


@pytest.fixture
def folder(new_folder: Path, cluster: Path) -> Path:
    """A folder with a cluster of its own."""
    shutil.copytree(cluster, new_folder)
    return new_folder


@pytest.fixture
def long_folder(tmp_path: Path, cluster: Path) -> Path:
    """A folder with a cluster, whose path is too long for a socket."""
    folder = tmp_path / ("long" * 40)
    shutil.copytree(cluster, folder)
    return folder
