"""The overview."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.board import Board

if TYPE_CHECKING:
    import httpx

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
