from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.site.browser import OpenPage, launched, visiting
from tests.site.site import Site, make_site
from tests.support.hub import running_hub

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from tests.support.postgres import Postgres


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for all tests of a module."""
    with launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A service with synced projects, which no test changes."""
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("site")) as hub:
        yield make_site(hub)
    postgres.drop_database(database)


@pytest.fixture
def open_page(browser: Browser, site: Site) -> Iterator[OpenPage]:
    """Return a function that opens pages of the site; what they do wrong fails the test."""
    with visiting(browser, site.hub.client.base_url) as open_page:
        yield open_page
