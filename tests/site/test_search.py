"""The page of a search, with synced documents, in Chromium without its script."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlencode

import pytest
from playwright.sync_api import expect

from service.routes.search import TOO_MANY_SEARCHES
from service.routes.search_parameters import DEFAULT_LIMIT
from tests.site.browser import visiting
from tests.site.site import SCRIPT
from tests.support.browser import needs_chromium
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Locator, Page

    from tests.site.site import Site

HTML = {"Accept": "text/html"}
UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


class Search(Protocol):
    """Opens the page of a search with these parameters."""

    def __call__(self, query: str, **filters: str) -> Page: ...


@pytest.fixture
def search(browser: Browser, site: Site) -> Iterator[Search]:
    with visiting(browser, site.hub.client.base_url, has_script=False) as open_page:

        def search(query: str, **filters: str) -> Page:
            return open_page(f"/search?{urlencode({'q': query, **filters})}")

        yield search


def results(page: Page) -> Locator:
    return page.locator(".result")


def facet(page: Page, name: str) -> Locator:
    return page.locator(".facet").filter(has=page.get_by_role("heading", name=name))


@needs_chromium
def test_a_result_leads_to_its_document_its_sections_and_its_project(
    search: Search, site: Site
) -> None:
    page = search("exclusion constraints")
    result = results(page).first
    files = f"projects/{site.berths}/files"
    expect(result.get_by_role("heading")).to_have_text("Berths Architecture Document")
    section = result.locator(".sections li").first
    expect(section.get_by_role("link")).to_have_text("Technology")
    expect(section.locator("mark")).to_have_text(["exclusion", "constraints"])
    place = result.locator(".result-place")
    expect(place).to_contain_text("docs/architecture.md")
    expect(place).to_contain_text("architecture")
    addresses = [link.get_attribute("href") for link in result.get_by_role("link").all()[:3]]
    assert addresses == [
        f"./{files}/docs/architecture.md",
        f"./projects/{site.berths}",
        f"./{files}/docs/architecture.md#technology",
    ]
    section.get_by_role("link").click()
    page.wait_for_url("**/docs/architecture.md#technology")


@needs_chromium
def test_the_links_of_a_facet_narrow_the_search_and_widen_it_again(
    search: Search, site: Site
) -> None:
    page = search("the reservation of a berth", path="docs/")
    expect(facet(page, "Kinds").locator("[aria-current]")).to_have_text(["All kinds"])
    link = facet(page, "Kinds").get_by_role("link", name=re.compile("story"))
    count = int(link.locator(".count").inner_text())
    link.click()
    expect(page.locator(".search-total")).to_contain_text(f"{count} document")
    expect(facet(page, "Kinds").locator("[aria-current]")).to_contain_text("story")
    expect(page.locator(".search-limits")).to_contain_text("docs/")
    assert "kind=story" in page.url
    assert "path=docs%2F" in page.url
    facet(page, "Kinds").get_by_role("link", name="All kinds").click()
    expect(facet(page, "Kinds").locator("[aria-current]")).to_have_text(["All kinds"])
    assert "kind" not in page.url
    page.get_by_role("link", name="Search everywhere").click()
    assert "path" not in page.url


@needs_chromium
def test_a_new_query_keeps_the_filters(search: Search, site: Site) -> None:
    page = search("berth", project_id=site.berths, kind="story")
    page.locator("#hub-search-box").fill("skipper")
    page.get_by_role("button", name="Search").click()
    page.wait_for_url(f"**/search?q=skipper&project_id={site.berths}&kind=story")


@needs_chromium
@pytest.mark.parametrize(
    ("name", "status"),
    [
        *((name, 200) for name in ("", "/stories", "/epics", "/problems", "/files")),
        ("/files/docs/prd.md", 200),
        ("/files/x.md", 404),
    ],
)
def test_a_page_of_a_project_searches_that_project(
    browser: Browser, site: Site, name: str, status: int
) -> None:
    with visiting(browser, site.hub.client.base_url, has_script=False) as open_page:
        page = open_page(f"/projects/{site.berths}{name}", status=status)
        box = page.get_by_label("Search this project")
        assert page.locator(".search-form").get_attribute("data-project") == site.berths
        box.fill("links")
        page.get_by_role("button", name="Search").click()
        page.wait_for_url(f"**/search?q=links&project_id={site.berths}")
        expect(page.locator(".search-form")).to_have_attribute("data-project", site.berths)
        page.get_by_role("link", name=re.compile("Search everywhere")).click()
        expect(page.get_by_label("Search all documents")).to_have_value("links")
        expect(page.locator(".search-form")).to_have_attribute("data-project", "")


@needs_chromium
def test_results_of_one_project_name_it(search: Search, site: Site) -> None:
    page = search("skipper", project_id=site.berths)
    expect(page.locator(".search-limits")).to_contain_text("Only in the project Berths.")


@needs_chromium
def test_pages_of_results_follow_each_other_and_lead_back(search: Search, site: Site) -> None:
    page = search("berth", project_id=site.berths)
    total = int(re.findall(r"\d+", page.locator(".search-total").inner_text())[0])
    assert total > 2 * DEFAULT_LIMIT
    seen: list[str] = []
    for first in range(1, total + 1, DEFAULT_LIMIT):
        last = min(first + DEFAULT_LIMIT - 1, total)
        expect(page.locator(".search-total")).to_contain_text(f"{first} to {last} here")
        expect(page.locator(".results")).to_have_attribute("start", str(first))
        seen += page.locator(".result h2 a").evaluate_all("links => links.map(link => link.href)")
        if last < total:
            page.get_by_role("link", name="More results").click()
    assert len(set(seen)) == total
    expect(page.get_by_role("link", name="More results")).to_have_count(0)
    page.get_by_role("link", name="First results").click()
    expect(page.locator(".search-total")).to_contain_text(f"1 to {DEFAULT_LIMIT} here")


@needs_chromium
def test_a_corrected_word_is_said(search: Search) -> None:
    page = search("calender")
    expect(page.locator(".correction")).to_contain_text("Showing results for calendar")
    expect(page.locator(".correction")).to_contain_text("calender")
    assert results(page).count()


@needs_chromium
def test_without_results_the_page_helps_on(search: Search, site: Site) -> None:
    page = search("xyzzyqwk", project_id=site.berths)
    expect(page.locator(".search-total")).to_have_text("No document has it.")
    expect(page.get_by_role("heading", name="How to ask")).to_be_visible()
    page.get_by_role("link", name="Search all projects").click()
    page.wait_for_url("**/search?q=xyzzyqwk")


@needs_chromium
def test_without_a_query_the_page_says_how_to_ask(search: Search) -> None:
    page = search("  ")
    expect(page.get_by_role("heading", level=1)).to_have_text("Search")
    expect(page.locator("#hub-search-box")).to_be_visible()
    page.get_by_role("link", name="refund limits").click()
    page.wait_for_url("**/search?q=refund+limits")


@needs_chromium
def test_the_texts_of_strangers_are_shown_and_do_nothing(search: Search, site: Site) -> None:
    page = search(f"{SCRIPT} stranger")
    expect(page.locator("h1")).to_contain_text(SCRIPT)
    expect(results(page).first).to_contain_text("script")
    assert page.locator("main script, main style, main img").count() == 0
    page = search("hostile", project_id=site.hostile)
    expect(results(page).first.locator(".result-place")).to_contain_text("<script>alert(1)")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("q=" + "a" * 257, 400, "256 characters"),
        ("q=berth&kind=none", 400, "kind"),
        ("q=berth&project_id=1", 400, "project_id"),
        ("q=berth&cursor=none", 400, "cursor"),
        ("q=%ff", 400, "UTF-8"),
        (f"q=berth&project_id={UNKNOWN}", 404, "There is no such project."),
    ],
)
def test_wrong_parameters_get_a_page_that_says_so(
    site: Site, query: str, status: int, said: str
) -> None:
    response = site.hub.client.get(f"/search?{query}", headers=HTML)
    assert response.status_code == status
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert said in response.text


def test_too_many_searches_get_a_page_that_says_so(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.routes.search.SEARCHES_AT_ONCE", 0)
    monkeypatch.setattr("service.routes.search.WAIT_SECONDS", 0.05)
    with serving(database) as client:
        response = client.get("/search?q=berth", headers=HTML)
    assert response.status_code == 503
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert TOO_MANY_SEARCHES in response.text


def test_a_page_that_a_client_has_is_a_304(site: Site) -> None:
    response = site.hub.client.get("/search?q=berth", headers=HTML)
    tag = response.headers["etag"]
    again = site.hub.client.get("/search?q=berth", headers={**HTML, "If-None-Match": tag})
    assert again.status_code == 304
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == "private, no-cache"
