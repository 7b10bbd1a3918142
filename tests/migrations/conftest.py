from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from service.migrations.files import SQL_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the project's first migration, to which a test can add others."""
    folder = tmp_path / "sql"
    folder.mkdir()
    for path in SQL_FOLDER.glob("0001_*"):
        shutil.copy(path, folder)
    return folder
