"""The overview."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from service.routes.overview import read_overview_version
from service.site import overview
from service.site.templating import render
from tests.site.browser import (
    LOOKS,
    Look,
    OpenPage,
    Scheme,
    assert_accessible,
    assert_no_sideways_scroll,
    assert_works_by_keyboard,
    needs_axe,
    visiting,
)
from tests.support.board import Board
from tests.support.browser import needs_chromium

if TYPE_CHECKING:
    import httpx
    from playwright.sync_api import Browser, Page

    from tests.site.site import Site

AT = "2026-11-25T03:01:00+00:00"


def text_of(html: str) -> str:
    """Return the words of a page, with single spaces."""
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_project_has_its_stories_problems_and_last_sync(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    project = board.add_project("<b>Payments</b>")
    work = board.add_source(project)
    for number, status in enumerate(["done", "done", "draft", "in_progress", "cancelled"]):
        work.add_story(f"1.{number}", status=status)
    for severity in ("error", "warning", "warning"):
        work.add_problem(severity)
    work.add_document("a.md")
    work.count()
    work.add_day(10, 4, 1)
    work.add_day(0, 4, 2)
    work.add_run("completed", AT)
    response = client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = response.text
    assert f'<a href="./projects/{project}">&lt;b&gt;Payments&lt;/b&gt;</a>' in page
    assert f'href="./projects/{project}#problems"' in page
    words = text_of(page)
    assert "1 document · 1 source · synced 25 Nov 2026, 03:01 UTC" in words
    assert "50% done: 2 of 4 stories" in words
    assert "2 done 1 in progress 1 draft 1 cancelled" in words
    assert "+2 done in 30 days" in words
    assert "1 error 2 warnings" in words


def test_a_project_without_stories_has_no_pace(client: httpx.Client, database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_document("a.md")
    work.count()
    work.add_day(0, 0, 0)
    work.add_run("completed", AT)
    page = client.get("/").text
    assert "No stories" in page
    assert "sparkline" not in page
    assert "done in 30 days" not in page


def test_a_failed_sync_is_shown_with_its_error(client: httpx.Client, database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_run("failed", AT, "There is no <branch>.")
    words = text_of(client.get("/").text)
    assert "sync failed 25 Nov 2026, 03:01 UTC" in words
    assert "1 source could not be synced: Docs , 25 Nov 2026, 03:01 UTC : There is no &lt;" in words


def test_without_projects_it_says_what_to_do(client: httpx.Client) -> None:
    page = client.get("/").text
    assert "just sync https://" in page
    assert "POST /api/projects" in page
    assert 'href="./docs"' in page


def test_it_has_100_projects_on_a_page_and_a_link_to_the_next(
    client: httpx.Client, database: str
) -> None:
    Board(database).execute("insert into project (name) select n from generate_series(1, 101) n")
    first = client.get("/")
    assert first.text.count('<li class="project">') == 100
    [reference] = re.findall(r'href="([^"]+)" rel="next"', first.text)
    last = client.get(first.url.join(reference.replace("&amp;", "&")))
    assert last.text.count('<li class="project">') == 1
    assert 'rel="next"' not in last.text
    assert "Welcome" not in client.get("/?cursor=MA==").text
    assert client.get("/?limit=1000").text.count('<li class="project">') == 100


def test_every_change_of_a_project_is_on_the_next_page(client: httpx.Client, database: str) -> None:
    board = Board(database)
    tags: set[str] = set()

    def assert_changed(words: str) -> None:
        page = client.get("/")
        assert words in text_of(page.text)
        tag = page.headers["etag"]
        assert tag not in tags
        tags.add(tag)
        assert client.get("/", headers={"If-None-Match": tag}).status_code == 304
        assert client.get("/").text == page.text

    project = board.add_project("Payments")
    assert_changed("Payments 0 documents · 0 sources")
    work = board.add_source(project)
    assert_changed("0 documents · 1 source · not synced yet")
    # A run writes all of this when it ends, in one transaction.
    work.add_document("a.md")
    work.add_story("1.1", status="done")
    work.add_problem("error")
    work.count()
    work.add_run("completed", AT)
    assert_changed("1 document · 1 source · synced 25 Nov 2026, 03:01 UTC 100% done: 1 of 1 story")
    work.add_run("failed", AT, "There is no branch.")
    assert_changed("1 source could not be synced")
    client.put(f"/api/projects/{project}", json={"name": "Refunds"})
    assert_changed("Refunds 1 document")
    client.post("/api/projects", json={"name": "Second"})
    assert_changed("Second 0 documents · 0 sources")
    client.delete(f"/api/projects/{project}")
    assert_changed("Second 0 documents · 0 sources")


def test_pages_of_the_same_projects_differ_by_their_query(
    client: httpx.Client, database: str
) -> None:
    Board(database).execute("insert into project (name) select n from generate_series(1, 3) n")
    pages = [client.get(path).text for path in ("/", "/?limit=2", "/?limit=1", "/")]
    assert [page.count('<li class="project">') for page in pages] == [3, 2, 1, 3]


def test_an_overview_is_rendered_once_while_nothing_changes(
    client: httpx.Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    async def render_and_count(*arguments: Any) -> str:
        rendered.append(arguments[1])
        return await render(*arguments)

    monkeypatch.setattr(overview, "render", render_and_count)
    board = Board(database)
    board.add_project()
    first, again = client.get("/"), client.get("/")
    assert first.text == again.text
    assert len(rendered) == 1
    board.add_project("Second")
    assert "Second" in client.get("/").text
    assert len(rendered) == 2


def test_a_project_that_appears_while_the_page_is_read_is_not_kept_for_the_state_before(
    client: httpx.Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(database)
    board.add_project("First")
    added: list[str] = []

    async def read_version_and_add(*arguments: Any) -> str:
        version = await read_overview_version(*arguments)
        if not added:
            added.append(board.add_project("Second"))
        return version

    monkeypatch.setattr(overview, "read_overview_version", read_version_and_add)
    page = client.get("/")
    assert "Second" in page.text
    tag = {"If-None-Match": page.headers["etag"]}
    assert client.get("/", headers=tag).status_code == 304
    client.delete(f"/api/projects/{added[0]}")
    assert client.get("/", headers=tag).status_code == 200
    assert "Second" not in client.get("/").text


def color_of(page: Page, selector: str, name: str) -> str:
    return page.eval_on_selector(selector, f"element => getComputedStyle(element).{name}")


@needs_chromium
@pytest.mark.parametrize(
    ("scheme", "ground", "ink"),
    [
        ("light", "rgb(255, 255, 255)", "rgb(31, 35, 40)"),
        ("dark", "rgb(13, 17, 23)", "rgb(230, 237, 243)"),
    ],
)
def test_its_colours_follow_the_reader_s_scheme(
    open_page: OpenPage, scheme: Scheme, ground: str, ink: str
) -> None:
    page = open_page("/", Look(scheme))
    assert color_of(page, "body", "backgroundColor") == ground
    assert color_of(page, "body", "color") == ink


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_paper_it_is_black_on_white_without_navigation(
    open_page: OpenPage, scheme: Scheme
) -> None:
    page = open_page("/", Look(scheme))
    page.emulate_media(media="print")
    assert color_of(page, "body", "backgroundColor") == "rgb(255, 255, 255)"
    assert color_of(page, "body", "color") == "rgb(0, 0, 0)"
    for selector in (".site-header", ".site-footer", ".skip-link"):
        assert not page.locator(selector).is_visible()
    assert page.get_by_role("link", name="Berths", exact=True).is_visible()
    page.emulate_media(media="screen")


@needs_chromium
def test_a_bar_has_for_each_status_its_share_of_the_width(open_page: OpenPage, site: Site) -> None:
    by_status = site.hub.client.get(f"/api/projects/{site.berths}/progress").json()["by_status"]
    page = open_page("/")
    project = page.locator("li.project", has=page.get_by_role("link", name="Berths", exact=True))
    bar = project.locator(".status-bar").bounding_box()
    assert bar is not None
    for status, number in by_status.items():
        part = project.locator(f"rect.is-{status}")
        assert part.count() == bool(number), status
        if number:
            box = part.bounding_box()
            assert box is not None
            share = number / sum(by_status.values())
            assert box["width"] == pytest.approx(bar["width"] * share, abs=0.5)


@needs_chromium
@needs_axe
@pytest.mark.parametrize(("path", "status"), [("/", 200), ("/nothing", 404), ("/?limit=x", 400)])
def test_the_first_run_and_problems_are_accessible(
    browser: Browser, client: httpx.Client, path: str, status: int
) -> None:
    with visiting(browser, client.base_url) as open_page:
        for look in LOOKS:
            page = open_page(path, look, status=status)
            assert_accessible(page)
            assert_no_sideways_scroll(page)
            assert_works_by_keyboard(page)


# Whether what is in the last project is laid out.
IS_LAID_OUT = "node => node.checkVisibility({contentVisibilityAuto: true})"


@needs_chromium
@needs_axe
def test_many_projects_are_laid_out_once_the_reader_comes_near_and_on_paper(
    browser: Browser, client: httpx.Client, database: str
) -> None:
    Board(database).execute("insert into project (name) select n from generate_series(1, 50) n")
    with visiting(browser, client.base_url) as open_page:
        page = open_page("/")
        last = page.locator("li.project h2").last
        assert not last.evaluate(IS_LAID_OUT)
        page.emulate_media(media="print")
        assert last.evaluate(IS_LAID_OUT)
        page.emulate_media(media="screen")
        # Find in page, screen readers and the keyboard reach those that are not laid out.
        assert page.get_by_role("link", name="1", exact=True).count() == 1
        page.get_by_role("link", name="1", exact=True).focus()
        page.wait_for_function(f"() => ({IS_LAID_OUT})(document.querySelector('li:last-child h2'))")
        assert_accessible(page)
