"""The fixture that tests of whole runs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.hub import running_hub

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.hub import Hub


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    """The service on a database of the test's own, and a git server."""
    with running_hub(database, tmp_path) as hub:
        yield hub
