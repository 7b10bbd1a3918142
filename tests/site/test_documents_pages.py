"""Documents in Chromium: links and anchors, hostile texts, and every look.

`visiting` fails a test whose pages run into their policy, load anything from another host, or raise
an error in a script.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import pytest

from tests.site.browser import (
    LOOKS,
    Look,
    OpenPage,
    assert_accessible,
    assert_no_sideways_scroll,
    assert_works_by_keyboard,
    needs_axe,
    visiting,
)
from tests.support.browser import needs_chromium
from tests.support.hub import Synced, running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import within

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from tests.support.postgres import Postgres

pytestmark = needs_chromium

ELSEWHERE: Final = "https://evil.example"
# Each line would be noticed: it runs a script, asks another host, or changes the page.
HOSTILE: Final = f"""\
# Harmless <script>window.hacked = 1</script>

<script>window.hacked = 2</script>
<script src="{ELSEWHERE}/a.js"></script>
<style>body {{ display: none }} @import "{ELSEWHERE}/a.css";</style>
<link rel="stylesheet" href="{ELSEWHERE}/b.css">
<meta http-equiv="refresh" content="0; {ELSEWHERE}">
<base href="{ELSEWHERE}/">
<iframe src="{ELSEWHERE}/frame"></iframe>
<iframe srcdoc="<script>parent.hacked = 3</script>"></iframe>
<object data="{ELSEWHERE}/o"></object><embed src="{ELSEWHERE}/e">
<svg onload="window.hacked = 4">
<script>window.hacked = 5</script><use href="{ELSEWHERE}/u#a"/></svg>
<math><mtext><img src=x onerror="window.hacked = 6"></mtext></math>
<img src="{ELSEWHERE}/pixel.png" onerror="window.hacked = 7" srcset="{ELSEWHERE}/2x.png 2x">
<video src="{ELSEWHERE}/v" autoplay></video><audio src="{ELSEWHERE}/w" autoplay></audio>
<details open ontoggle="window.hacked = 8"><summary>Open</summary>x</details>
<form action="{ELSEWHERE}/form">
<input name="q" autofocus onfocus="window.hacked = 9"><button>Go</button></form>
<p style="position: fixed; inset: 0; background: url({ELSEWHERE}/bg)"
onclick="window.hacked = 10">Over</p>
<a id="evil" href="javascript:window.hacked = 11">one</a>
<a href="&#x6a;avascript:window.hacked = 12">two</a>
<a href="data:text/html,<script>1</script>">three</a>

[four](javascript:window.hacked=13) [five](<java\tscript:window.hacked=14>)
![six]({ELSEWHERE}/md.png) ![seven](javascript:window.hacked=15)

<noscript><p title="</noscript><img src=x onerror=window.hacked=16>"></noscript>
<textarea></textarea><xmp><img src=x onerror=window.hacked=17></xmp>
<template><script>window.hacked = 18</script></template>
<a name="hub-main">clobbered</a> <p id="hub-search-box" name="body">clobbered</p>

The end is visible.
"""

LONG_TABLE: Final = "# Table\n\n| a | b |\n|---|---|\n" + "| some words | more words |\n" * 175_000
MANY_HEADINGS: Final = "# Headings\n\n" + "".join(
    f"## Heading {number}\n\nText.\n\n" for number in range(10_000)
)
STORY: Final = """\
# Story 1.{0}: {1}

Status: Draft

## Story

As a skipper, I want a berth, so that I can stay.

## Acceptance Criteria

1. It floats.
"""
FILES: Final = {
    "README.md": "# Start\n\n[the goals](docs/prd.md#goals)\n",
    "docs/prd.md": "# Berths\n\n[Down](#ziel-ü) [a note](deep/a%20b%231%3F.md) [top](/README.md) "
    "[twice](#goals-1)\n\n"
    + "Words.\n\n" * 80
    + "## Goals\n\n"
    + "Words.\n\n" * 80
    + "## Goals\n\n"
    + "Words.\n\n" * 80
    + "## Ziel ü\n\nThere.\n\n"
    + "Words.\n\n" * 80
    + "![a picture](deep/map.png)\n",
    "docs/deep/a b#1?.md": "# A note\n\n[back](../prd.md) [folder](../deep)\n",
    "docs/deep/map.png": "png",
    "docs/hostile.md": HOSTILE,
    "docs/table.md": LONG_TABLE,
    "docs/headings.md": MANY_HEADINGS,
    "docs/stories/1.1.list.md": STORY.format(1, "List"),
    "docs/stories/1.2.pay.md": STORY.format(2, "Pay"),
    "docs/data.json": '{"a": [1, 2]}\n',
    "src/a.py": "print(1)\n",
}


@pytest.fixture(scope="module")
def synced(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    database = postgres.create_database(template="migrated")
    with running_hub(database, tmp_path_factory.mktemp("hub")) as hub:
        yield Synced(hub, {path: text.encode() for path, text in FILES.items()})
    postgres.drop_database(database)


@pytest.fixture
def open_page(browser: Browser, synced: Synced) -> Iterator[OpenPage]:
    with visiting(browser, synced.hub.client.base_url) as open_page:
        yield open_page


def path_of(synced: Synced, path: str) -> str:
    return f"/projects/{synced.project}/files/{quote(path)}"


def shown_path(page: Page) -> str:
    """Return the part of the page's address below the files."""
    return page.url.partition("/files")[2]


def top_of(page: Page, text: str) -> float:
    """Return how far a heading is below the top of the window, in pixels."""
    box = page.get_by_role("heading", name=text).last.bounding_box()
    assert box is not None
    return box["y"]


def test_links_lead_from_document_to_document(synced: Synced, open_page: OpenPage) -> None:
    page = open_page(path_of(synced, "README.md"))
    page.get_by_role("link", name="the goals").click()
    assert shown_path(page) == "/docs/prd.md#goals"
    page.get_by_role("link", name="a note", exact=True).click()
    assert shown_path(page) == "/docs/deep/a%20b%231%3F.md"
    page.get_by_role("link", name="back", exact=True).click()
    assert shown_path(page) == "/docs/prd.md"
    page.get_by_role("link", name="top", exact=True).click()
    assert shown_path(page) == "/README.md"


def test_every_step_of_the_breadcrumbs_leads_to_its_folder(
    synced: Synced, open_page: OpenPage
) -> None:
    page = open_page(path_of(synced, "docs/deep/a b#1?.md"))
    for name, path in (("deep", "/docs/deep"), ("docs", "/docs"), ("Files", "")):
        page.get_by_label("Breadcrumbs").get_by_role("link", name=name, exact=True).click()
        assert shown_path(page) == path
        assert page.get_by_role("heading", level=1).count() == 1


@pytest.mark.parametrize(
    ("link", "heading"), [("Down", "Ziel ü"), ("twice", "Goals"), ("Goals", "Goals")]
)
def test_an_anchor_is_scrolled_to(
    synced: Synced, open_page: OpenPage, link: str, heading: str
) -> None:
    page = open_page(path_of(synced, "docs/prd.md"))
    assert top_of(page, heading) > 900
    # The last one is in the table of contents.
    target = page.get_by_role("link", name=link, exact=True).last
    target.click()
    assert -1 <= top_of(page, heading) < 120


def test_an_anchor_in_an_address_is_scrolled_to(synced: Synced, open_page: OpenPage) -> None:
    page = open_page(path_of(synced, "docs/prd.md") + "#ziel-%C3%BC")
    assert top_of(page, "Ziel ü") < 900


def test_a_picture_is_a_link_to_the_repository(synced: Synced, open_page: OpenPage) -> None:
    query = "update project_doc set github_url = '{}' where id = '{}' returning last_commit"
    url, database = synced.remote.url, synced.hub.database
    [[commit]] = run_sql(database, query.format("https://github.com/team/docs", synced.source))
    try:
        page = open_page(path_of(synced, "docs/prd.md"))
        link = page.get_by_role("link", name="a picture")
        href = link.evaluate("element => element.href")
        response = synced.hub.client.get(href)
        assert response.status_code == 302
        assert response.headers["location"] == (
            f"https://github.com/team/docs/blob/{commit}/docs/deep/map.png"
        )
        assert page.locator(".rendered img").count() == 0
    finally:
        run_sql(database, query.format(url, synced.source))


def test_a_hostile_document_does_nothing(synced: Synced, open_page: OpenPage) -> None:
    page = open_page(path_of(synced, "docs/hostile.md"))
    page.wait_for_timeout(300)
    assert page.get_by_text("The end is visible.").is_visible()
    for link in page.locator(".rendered a").all():
        assert link.evaluate("element => /^https?:$/.test(element.protocol)")
    for text in ("one", "two", "three", "four"):
        for target in page.locator(".rendered").get_by_text(text, exact=True).all():
            target.click(no_wait_after=True)
    page.wait_for_timeout(200)
    assert page.evaluate("window.hacked") is None
    assert shown_path(page).startswith("/docs/hostile.md")
    forbidden = "script, style, iframe, object, embed, svg, form, input:not([type=checkbox]), base"
    assert page.locator(".rendered").locator(forbidden).count() == 0
    assert page.get_by_label("Search this project").is_visible()
    assert page.evaluate("document.getElementById('hub-main').tagName") == "MAIN"


@pytest.mark.parametrize("path", ["docs/table.md", "docs/headings.md"])
def test_a_huge_document_is_shown_in_bounded_time(
    synced: Synced, open_page: OpenPage, path: str
) -> None:
    with within(20):
        response = synced.hub.client.get(path_of(synced, path))
    assert response.status_code == 200
    assert len(response.content) < 12_000_000
    page = open_page(path_of(synced, path))
    assert page.locator(".rendered").is_visible()
    assert page.locator(".contents li").count() <= 200


def test_a_page_works_without_a_script(synced: Synced, browser: Browser) -> None:
    with visiting(browser, synced.hub.client.base_url, has_script=False) as open_page:
        page = open_page(path_of(synced, "docs/stories/1.1.list.md"))
        page.get_by_role("link", name="1.2 Pay").click()
        assert shown_path(page) == "/docs/stories/1.2.pay.md"
        page.get_by_label("In this folder").get_by_role("link", name="1.1.list.md").click()
        assert shown_path(page) == "/docs/stories/1.1.list.md"


def test_the_table_of_contents_is_open_where_there_is_room(
    synced: Synced, open_page: OpenPage
) -> None:
    path = path_of(synced, "docs/prd.md")
    contents = open_page(path).get_by_label("On this page")
    assert contents.get_by_role("link", name="Goals").first.is_visible()
    assert not contents.locator("summary").is_visible()
    narrow = open_page(path, Look("light", "narrow")).get_by_label("On this page")
    assert not narrow.get_by_role("link", name="Goals").first.is_visible()
    narrow.locator("summary").click()
    assert narrow.get_by_role("link", name="Goals").first.is_visible()


@needs_axe
@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize(
    "path", ["docs/hostile.md", "docs/deep/a b#1?.md", "docs/stories/1.1.list.md", "docs"]
)
def test_every_look_is_accessible(
    synced: Synced, open_page: OpenPage, path: str, look: Look
) -> None:
    page = open_page(path_of(synced, path), look)
    assert_accessible(page)
    assert_no_sideways_scroll(page)
    assert_works_by_keyboard(page)


def test_no_page_is_printed_wider_than_paper(synced: Synced, open_page: OpenPage) -> None:
    page = open_page(path_of(synced, "docs/stories/1.1.list.md"))
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 900})
    assert_no_sideways_scroll(page)
    assert not page.get_by_label("In this folder").is_visible()
    assert not page.get_by_role("link", name="Raw").is_visible()
