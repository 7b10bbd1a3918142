"""What the tests of pages must find: each rule fails on a page that breaks it, and on no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tests.site.browser import (
    LOOKS,
    Look,
    assert_accessible,
    assert_no_sideways_scroll,
    assert_works_by_keyboard,
    needs_axe,
    visiting,
)
from tests.support.browser import needs_chromium
from tests.support.service import serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
    from starlette.requests import Request

pytestmark = needs_chromium

HEAD = (
    '<!doctype html><html lang="en"><head><title>Page</title><link rel="icon" href="data:,">'
    '<meta name="viewport" content="width=device-width"></head><body><main><h1>Page</h1>'
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src * data:"
BODIES = {
    "good": '<p><a href="#a">Read</a></p><p><button>Go</button></p>',
    "inline script": "<script>document.title = ''</script>",
    "handler": '<button onclick="1">Go</button>',
    "other host": '<img src="http://other.example/a.png" alt="">',
    "contrast": '<p style="color: #999; background: #fff">Hardly seen</p>',
    "name": '<p><a href="#a"></a></p>',
    "small target": '<p style="line-height: 10px; font-size: 8px"><button style="all: unset">a'
    '</button> <button style="all: unset">b</button></p>',
    "wide": '<p style="width: 2000px">Wide</p>',
    "wide within": '<div style="overflow: auto"><p style="width: 2000px">Wide</p></div>',
    "no mark": '<p><a href="#a" style="outline: none">Read</a></p>',
    "out of sight": '<p><a href="#a" style="position: fixed; left: -999px">Read</a></p>',
    "order": '<p><a href="#a">One</a></p><div tabindex="0" style="outline: none"></div>',
}


async def get_body(request: Request) -> HTMLResponse:
    body = BODIES[request.path_params["name"]]
    return HTMLResponse(HEAD + body, headers={"Content-Security-Policy": POLICY})


@pytest.fixture
def base_url(database: str) -> Iterator[str]:
    with serving(database, Route("/made/{name}", get_body)) as client:
        yield str(client.base_url)


def check(browser: Browser, base_url: str, name: str, rule: Callable[[Page], None]) -> None:
    with visiting(browser, base_url) as open_page:
        for look in LOOKS:
            rule(open_page(f"/made/{name}", look))


def expect_no_errors(page: Page) -> None:
    """Leave it to `visiting` to fail."""
    page.wait_for_load_state("networkidle")


RULES: dict[str, Callable[[Page], None]] = {
    "axe": assert_accessible,
    "scroll": assert_no_sideways_scroll,
    "keyboard": assert_works_by_keyboard,
    "errors": expect_no_errors,
}


@needs_axe
def test_a_good_page_breaks_no_rule(browser: Browser, base_url: str) -> None:
    for rule in RULES.values():
        check(browser, base_url, "good", rule)
    check(browser, base_url, "wide within", assert_no_sideways_scroll)


@needs_axe
@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("inline script", "errors", "Content Security Policy"),
        ("handler", "errors", "Content Security Policy"),
        ("other host", "errors", "request to http://other.example/a.png"),
        ("contrast", "axe", "color-contrast"),
        ("name", "axe", "link-name"),
        ("small target", "axe", "target-size"),
        ("wide", "scroll", "width: 2000px"),
        ("no mark", "keyboard", "no mark shows the focus"),
        ("out of sight", "keyboard", "out of sight"),
        ("order", "keyboard", "no mark shows the focus"),
    ],
)
def test_a_bad_page_fails_and_the_failure_says_why(
    browser: Browser, base_url: str, name: str, rule: str, said: str
) -> None:
    with pytest.raises(AssertionError, match=re.escape(said)):
        check(browser, base_url, name, RULES[rule])


def test_a_missing_page_fails_unless_it_is_expected(browser: Browser, base_url: str) -> None:
    with visiting(browser, base_url) as open_page:
        open_page("/nothing", status=404)
    with (
        pytest.raises(AssertionError, match="/nothing: 404"),
        visiting(browser, base_url) as open_page,
    ):
        open_page("/nothing", Look("dark", "narrow"))
