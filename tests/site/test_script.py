"""The script of the pages in Chromium: each comfort that it adds, and that nothing needs it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from service.site.page_assets import FOLDER
from tests.site.browser import OpenPage, visiting
from tests.support.browser import needs_chromium
from tests.support.hub import running_hub
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Locator, Page, Route

    from tests.site.site import Site

pytestmark = needs_chromium

SUGGESTIONS = re.compile("/api/search/suggest")
SYNC_STATUS = re.compile("/sync-status$")

TYPING_PAUSE = 150  # in milliseconds, as the script has it


def box(page: Page) -> Locator:
    return page.locator("#hub-search-box")


def is_focused(page: Page) -> bool:
    return page.evaluate("document.activeElement.id === 'hub-search-box'")


def requests_of(page: Page, pattern: re.Pattern[str]) -> list[str]:
    """Return a list that gets the URL of each request from now on."""
    urls: list[str] = []
    page.on("request", lambda sent: urls.append(sent.url) if pattern.search(sent.url) else None)
    return urls


def stop_clock(page: Page) -> None:
    """Let the page's timers run only where a test says so, however long its steps take."""
    page.clock.install(time=0)
    page.clock.pause_at(3600)  # so far ahead that the clock is not there yet


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
    field.fill("reserv")
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


def test_enter_opens_the_chosen_suggestion_at_its_heading(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    box(page).fill("functional requ")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/projects/{site.berths}/files/docs/prd.md#functional-requirements")


def test_a_click_opens_a_suggestion(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    box(page).fill("berths architecture")
    page.get_by_role("option").first.click()
    page.wait_for_url(f"**/projects/{site.berths}/files/docs/architecture.md*")


def test_enter_without_a_choice_searches(open_page: OpenPage) -> None:
    page = open_page("/")
    box(page).fill("reservation")
    page.get_by_role("option").first.wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=reservation")


def test_enter_after_another_letter_searches_for_the_text(open_page: OpenPage) -> None:
    page = open_page("/")
    box(page).fill("goal")
    expect(page.locator("[role=option]").first).to_be_visible()
    box(page).press("ArrowDown")
    # As on a slow network: no suggestions for this text have come.
    page.route(SUGGESTIONS, lambda route: None)
    box(page).press("s")
    box(page).press("Enter")
    page.wait_for_url("**/search?q=goals")


def test_an_emptied_box_has_no_suggestions_of_the_text_before(open_page: OpenPage) -> None:
    page = open_page("/")
    box(page).fill("goal")
    expect(page.locator("[role=option]").first).to_be_visible()
    box(page).fill("")
    box(page).press("ArrowDown")
    expect(page.locator("[role=option]")).to_have_count(0)


def test_suggestions_of_a_strangers_titles_are_text(open_page: OpenPage) -> None:
    page = open_page("/")
    box(page).fill("<script>alert")
    option = page.get_by_role("option").first
    option.wait_for()
    assert "<script>alert(1)</script>" in option.inner_text()
    assert page.locator("[role=listbox] script").count() == 0


def test_suggestions_are_asked_for_once_after_somebody_typed(open_page: OpenPage) -> None:
    page = open_page("/")
    stop_clock(page)
    urls = requests_of(page, SUGGESTIONS)
    for letter in "berth":
        page.clock.run_for(TYPING_PAUSE - 1)
        box(page).press(letter)
    page.clock.run_for(TYPING_PAUSE)
    page.get_by_role("option").first.wait_for()
    assert [url.rpartition("?")[2] for url in urls] == ["q=berth"]


def test_a_newer_text_aborts_the_request_for_the_older_one(open_page: OpenPage) -> None:
    page = open_page("/")
    held: list[Route] = []
    page.route(re.compile("suggest[?]q=res$"), lambda route: held.append(route))
    aborted: list[str] = []
    page.on("requestfailed", lambda request: aborted.append(request.url))
    box(page).fill("res")
    eventually(lambda: page.wait_for_timeout(20) or held)
    box(page).fill("reservations")
    page.get_by_role("option").first.wait_for()
    eventually(lambda: page.wait_for_timeout(20) or aborted)
    assert len(held) == 1
    assert [url.rpartition("=")[2] for url in aborted] == ["res"]
    page.unroute_all()


def test_a_projects_page_suggests_of_that_project_only(open_page: OpenPage, site: Site) -> None:
    page = open_page(f"/projects/{site.hostile}")
    urls = requests_of(page, SUGGESTIONS)
    box(page).fill("links")
    page.get_by_role("option").first.wait_for()
    assert urls[-1].endswith(f"project_id={site.hostile}")


def test_without_suggestions_the_box_still_searches(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=str(site.hub.client.base_url))
    page = context.new_page()
    page.route(SUGGESTIONS, lambda route: route.abort())
    page.goto("/")
    box(page).fill("reservation")
    page.wait_for_timeout(400)
    assert page.get_by_role("listbox").count() == 0
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?q=reservation")
    context.close()


def test_a_running_sync_is_followed_to_its_end(
    browser: Browser, database: str, tmp_path: Path
) -> None:
    with running_hub(database, tmp_path) as hub:
        remote = hub.server.create()
        remote.commit({"docs/prd.md": b"# Payments\n"})
        project = hub.create_project()
        source = hub.create_source(project, remote)
        hub.server.behaviour.stall_after = 0
        location = hub.client.post(f"/api/project-docs/{source}/sync").headers["location"]
        eventually(lambda: hub.server.stalled)
        with visiting(browser, hub.client.base_url) as open_page:
            page = open_page(f"/projects/{project}")
            state = page.locator("[data-sync-status]")
            expect(state).to_have_attribute("data-sync-state", "running")
            urls = requests_of(page, SYNC_STATUS)
            eventually(lambda: page.wait_for_timeout(200) or urls, 30)
            expect(state.locator("[data-sync-text]")).to_contain_text("Sync in progress")
            hub.server.behaviour.stall_after = None
            hub.server.behaviour.resume.set()
            assert hub.wait(location)["status"] == "completed"
            expect(state).to_have_attribute("data-sync-state", "completed", timeout=30_000)
            expect(state.locator("[data-sync-text]")).to_contain_text("Sync completed")
            asked = len(urls)
            page.wait_for_timeout(4_000)
            assert len(urls) == asked  # it has ended
            state.get_by_role("link", name="Show its changes").click()
            expect(state.get_by_role("link", name="Show its changes")).to_have_count(0)


# Without a network, each request fails before the clock of the page goes on.
FAILING = """() => {
    window.asked = 0;
    window.fetch = async () => {
        window.asked++;
        throw new TypeError("Failed to fetch");
    };
}"""


def test_a_source_without_a_running_sync_is_not_asked_for(open_page: OpenPage, site: Site) -> None:
    page = open_page("/")
    urls = requests_of(page, SYNC_STATUS)
    stop_clock(page)  # before the page that may start a timer
    page = open_page(f"/projects/{site.berths}")
    page.evaluate(FAILING)
    page.clock.run_for(10_000)
    assert page.evaluate("asked") == 0
    assert urls == []


# Stands for the page of a project whose sync runs: the addresses lead nowhere.
RUNNING = """() => {
    const state = document.querySelector("[data-sync-status]");
    state.dataset.syncState = "running";
    document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_after_errors_a_sync_is_asked_for_less_and_less_often(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=str(site.hub.client.base_url))
    page = context.new_page()
    page.goto(f"/projects/{site.berths}")
    stop_clock(page)
    page.evaluate(FAILING)
    page.evaluate(RUNNING)
    times: list[int] = []
    for second in range(1, 201):
        page.clock.run_for(1_000)
        if page.evaluate("asked") > len(times):
            times.append(second)
    assert times[0] == 3
    assert [later - earlier for earlier, later in pairwise(times)] == [6, 12, 24, 48, 60]
    context.close()


def test_a_hidden_page_asks_for_nothing(browser: Browser, site: Site) -> None:
    context = browser.new_context(base_url=str(site.hub.client.base_url))
    page = context.new_page()
    page.goto(f"/projects/{site.berths}")
    stop_clock(page)
    page.evaluate(FAILING)
    page.evaluate("Object.defineProperty(document, 'visibilityState', {value: 'hidden'})")
    page.evaluate(RUNNING)
    page.clock.run_for(10_000)
    assert page.evaluate("asked") == 0
    context.close()


def test_a_button_copies_a_block_of_code(browser: Browser, site: Site) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    with visiting(browser, site.hub.client.base_url, permissions=permissions) as open_page:
        page = open_page(f"/projects/{site.berths}/files/docs/architecture.md")
        stop_clock(page)  # or the button may say Copy again before the test sees it
        page.get_by_role("button", name="Copy").nth(1).click()
        page.get_by_role("button", name="Copied").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith("create table reservation (")


def test_without_a_script_the_search_works(browser: Browser, site: Site) -> None:
    with visiting(browser, site.hub.client.base_url, has_script=False) as open_page:
        page = open_page("/")
        box(page).fill("exclusion constraints")
        box(page).press("Enter")
        page.wait_for_url("**/search?q=exclusion+constraints")
        page.get_by_role("link", name="Technology").click()
        page.wait_for_url("**/files/docs/architecture.md#technology")
        assert page.get_by_role("button", name="Copy").count() == 0
