"""The script of the pages in Chromium: each comfort that it adds, and that nothing needs it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from service.site.page_assets import FOLDER
from tests.site.browser import OpenPage, visiting
from tests.support.browser import needs_chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Route

    from tests.site.site import Site

pytestmark = needs_chromium

SUGGESTIONS = re.compile("/api/search/suggest")
SYNC_STATUS = re.compile("/sync-status$")


def box(page: Page) -> Locator:
    return page.locator("#hub-search-box")


def is_focused(page: Page) -> bool:
    return page.evaluate("document.activeElement.id === 'hub-search-box'")


def requests_of(page: Page, pattern: re.Pattern[str]) -> list[str]:
    """Return a list that gets the URL of each request from now on."""
    urls: list[str] = []
    page.on("request", lambda sent: urls.append(sent.url) if pattern.search(sent.url) else None)
    return urls


def test_the_script_is_small_and_makes_no_html_of_texts() -> None:
    script = (FOLDER / "hub.js").read_text()
    assert len(script.encode()) < 8192
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script)
    assert "new Function" not in script


def test_slash_moves_to_the_search_box_and_escape_leaves_it(open_page: OpenPage) -> None:
    page = open_page("/")
    page.keyboard.press("/")
    assert is_focused(page)
    assert box(page).input_value() == ""
    page.keyboard.press("Escape")
    assert not is_focused(page)


@pytest.mark.parametrize("key", ["Control+/", "Alt+/", "Meta+/", "a"])
def test_no_other_key_moves_to_the_search_box(open_page: OpenPage, key: str) -> None:
    page = open_page("/")
    page.keyboard.press(key)
    assert not is_focused(page)


def test_slash_is_a_letter_where_somebody_types(open_page: OpenPage) -> None:
    page = open_page("/")
    page.evaluate("document.querySelector('main').append(document.createElement('textarea'))")
    page.locator("textarea").press("/")
    assert page.locator("textarea").input_value() == "/"
    box(page).press_sequentially("docs/")
    assert box(page).input_value() == "docs/"


def test_suggestions_are_a_combobox_that_the_arrow_keys_move_through(open_page: OpenPage) -> None:
    page = open_page("/")
    field, options = box(page), page.get_by_role("option")
    expect(field).to_have_attribute("role", "combobox")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.press_sequentially("reserv")
    expect(page.get_by_role("listbox", name="Suggestions")).to_be_visible()
    expect(field).to_have_attribute("aria-expanded", "true")
    expect(options.first.locator("mark")).to_have_text(re.compile("^reserv", re.IGNORECASE))
    count = options.count()
    assert count > 2

    def chosen() -> str | None:
        active = field.get_attribute("aria-activedescendant")
        selected = page.locator("[role=option][aria-selected=true]")
        assert selected.count() == (active is not None)
        return active if active is None or selected.get_attribute("id") == active else "another"

    assert chosen() is None
    page.keyboard.press("ArrowDown")
    assert chosen() == options.first.get_attribute("id")
    page.keyboard.press("ArrowUp")
    assert chosen() is None
    page.keyboard.press("ArrowUp")
    assert chosen() == options.nth(count - 1).get_attribute("id")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_have_count(0)
    assert is_focused(page)
    assert field.input_value() == "reserv"
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("listbox")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("listbox")).to_have_count(0)


def test_enter_without_a_choice_searches(open_page: OpenPage) -> None:
    page = open_page("/")
    box(page).press_sequentially("reservation")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=reservation")


def test_suggestions_of_a_strangers_titles_are_text(open_page: OpenPage) -> None:
    page = open_page("/")
    box(page).press_sequentially("<script>alert")
    option = page.get_by_role("option").first
    option.wait_for()
    assert "<script>alert(1)</script>" in option.inner_text()
    assert page.locator("[role=listbox] script").count() == 0


def test_suggestions_are_asked_for_once_after_somebody_typed(open_page: OpenPage) -> None:
    page = open_page("/")
    urls = requests_of(page, SUGGESTIONS)
    box(page).press_sequentially("berth", delay=10)
    page.get_by_role("option").first.wait_for()
    assert [url.rpartition("?")[2] for url in urls] == ["q=berth"]


def test_a_newer_text_aborts_the_request_for_the_older_one(open_page: OpenPage) -> None:
    page = open_page("/")
    held: list[Route] = []
    page.route(re.compile("suggest[?]q=res$"), lambda route: held.append(route))
    aborted: list[str] = []
    page.on("requestfailed", lambda request: aborted.append(request.url))
    box(page).press_sequentially("res")
    page.wait_for_timeout(400)
    assert len(held) == 1
    box(page).press_sequentially("ervations")
    page.get_by_role("option").first.wait_for()
    assert [url.rpartition("=")[2] for url in aborted] == ["res"]
    page.unroute_all()


def test_without_suggestions_the_box_still_searches(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=str(site.hub.client.base_url))
    page = context.new_page()
    page.route(SUGGESTIONS, lambda route: route.abort())
    page.goto("/")
    box(page).press_sequentially("reservation")
    page.wait_for_timeout(400)
    assert page.get_by_role("listbox").count() == 0
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=reservation")
    context.close()


def test_without_a_script_the_search_works(browser: Browser, site: Site) -> None:
    with visiting(browser, site.hub.client.base_url, has_script=False) as open_page:
        page = open_page("/")
        box(page).fill("exclusion constraints")
        box(page).press("Enter")
        page.wait_for_url("**/search?q=exclusion+constraints")
        expect(page.get_by_role("link", name="Technology")).to_be_visible()
