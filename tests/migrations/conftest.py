from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from service.migrations.files import SQL_FOLDER

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The first of the project's migrations, for a test to add to."""
    folder = tmp_path / "sql"
    folder.mkdir()
    for path in SQL_FOLDER.glob("0001_*"):
        shutil.copy(path, folder)
    return folder
