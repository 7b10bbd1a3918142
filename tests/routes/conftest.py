from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.database.database import Database, open_database
from tests.support.hub import Hub, running_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Iterator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def opened(database: str) -> AsyncIterator[Database]:
    async with open_database(database, 2) as opened:
        yield opened
