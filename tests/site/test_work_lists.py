"""The pages of stories, epics and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.site.browser import Look, OpenPage
from tests.site.links import ReadPage
from tests.site.site import SCRIPT, Site
from tests.support.board import Board, Work, gate
from tests.support.browser import needs_chromium
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


def show(client: httpx.Client, work: Work, name: str, **filters: str) -> ReadPage:
    query = f"?{urlencode(filters)}" if filters else ""
    response = client.get(f"/projects/{work.project}/{name}{query}")
    assert response.status_code == 200, response.text
    return ReadPage(response.text)


def titles(page: ReadPage) -> list[str]:
    """Return the one-letter titles of a page's stories, in order."""
    return [word for word in page.text.split() if len(word) == 1 and word.isupper()]


@pytest.fixture
def stories(work: Work) -> Work:
    work.add_epic("1")
    work.add_story("1.1", "A", "done")
    work.add_story("1.2", "B", "draft", archived=True)
    work.add_epic("2")
    work.add_story("", "C", "draft")
    # The product comes after the repository itself.
    work.add_story("2.1", "D", "draft", tree="apps/web")
    return work


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "ABCD"),
        ({"status": "draft"}, "BCD"),
        ({"epic": "1"}, "AB"),
        ({"epic": "01", "status": "done"}, "A"),
        ({"without_epic": "yes"}, "C"),
        ({"without_epic": "yes", "epic": "1"}, "C"),
        ({"q": "2. d"}, "D"),
        ({"tree": ""}, "ABC"),
        ({"tree": "apps/web"}, "D"),
        ({"limit": "2"}, "AB"),
        # A form sends its empty fields, too.
        ({"status": "", "epic": "", "q": "", "cursor": "", "limit": ""}, "ABCD"),
    ],
    ids=str,
)
def test_stories_are_filtered(
    client: httpx.Client, stories: Work, filters: dict[str, str], found: str
) -> None:
    assert titles(show(client, stories, "stories", **filters)) == [*found]


def test_a_story_of_the_list_says_its_status_and_whether_it_is_archived(
    client: httpx.Client, stories: Work
) -> None:
    text = show(client, stories, "stories").text
    assert "1.1 A done" in text
    assert "1.2 B draft archived" in text


def test_a_form_keeps_what_was_asked_for(client: httpx.Client, work: Work) -> None:
    hostile = f'"> {SCRIPT}'
    path = f"/projects/{work.project}/stories"
    given = {"status": "review", "epic": hostile, "q": hostile, "tree": hostile}
    html = client.get(path, params=given).text
    assert '<option value="review" selected>' in html
    assert html.count('value="&#34;&gt; &lt;script&gt;alert(1)&lt;/script&gt;"') == 3
    assert '<input type="hidden" name="tree"' in html
    assert "checked" not in html
    assert '<input type="hidden" name="tree"' not in client.get(path).text
    assert " checked" in client.get(path, params={"without_epic": "yes"}).text
    problems = client.get(
        f"/projects/{work.project}/problems", params={"kind": "gate_failed", "severity": "info"}
    ).text
    assert '<option value="gate_failed" selected>' in problems
    assert "<option selected>info" in problems


def walk(client: httpx.Client, path: str) -> list[ReadPage]:
    """Return all pages of a list, each by the link of the one before."""
    pages: list[ReadPage] = []
    led: dict[str, str]
    while True:
        response = client.get(path)
        assert response.status_code == 200, response.text
        page = ReadPage(response.text)
        pages.append(page)
        texts = [text for text, _ in page.links]
        led = dict(zip(texts, page.leads_to(path), strict=True))
        assert ("First page" in led) == (len(pages) > 1)
        if "Next page" not in led:
            return pages
        path = led["Next page"]


def test_pages_lead_through_the_whole_list_with_the_same_filters(
    client: httpx.Client, work: Work
) -> None:
    for letter in "ABCDEFG":
        work.add_story("1.1", letter, "draft")
        work.add_story("1.1", letter.lower(), "done")
    path = f"/projects/{work.project}/stories?status=draft&limit=3&cursor="
    pages = walk(client, path)
    assert [titles(page) for page in pages] == [[*"ABC"], [*"DEF"], ["G"]]
    first = next(href for text, href in pages[1].links if text == "First page")
    assert dict(parse_qsl(urlsplit(first).query)) == {"status": "draft", "limit": "3"}


def test_epics_and_problems_have_pages_too(client: httpx.Client, work: Work) -> None:
    for letter in "ABCDE":
        work.add_epic(letter.lower(), letter)
        work.add_problem("warning", detail=letter)
    for name in ("epics", "problems"):
        pages = walk(client, f"/projects/{work.project}/{name}?limit=2")
        assert [titles(page) for page in pages] == [[*"AB"], [*"CD"], ["E"]]


def test_epics_are_filtered_by_product_and_lead_to_stories_and_documents(
    client: httpx.Client, work: Work
) -> None:
    place = {"path": "docs/epics.md", "line": 9, "anchor": "pay", "document_id": None}
    work.add_epic("1", "A", documents=[place], status="in_progress")
    work.add_epic("1", "B", tree="apps/web")
    page = show(client, work, "epics", tree="")
    assert titles(page) == ["A"]
    assert "called in progress" in page.text
    assert "Only of the product of the repository itself." in page.text
    led = page.leads_to(f"/projects/{work.project}/epics?tree=")
    assert f"/projects/{work.project}/stories?epic=1&tree=" in led
    assert f"/projects/{work.project}/files/docs/epics.md#pay" in led
    assert f"/projects/{work.project}/epics" in led
    assert titles(show(client, work, "epics", tree="apps/web")) == ["B"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "ABCD"),
        ({"severity": "warning"}, "BC"),
        ({"kind": "broken_link"}, "BD"),
        ({"kind": "", "severity": "", "cursor": ""}, "ABCD"),
        ({"tree": "apps/web"}, "C"),
    ],
    ids=str,
)
def test_problems_are_filtered_and_the_worst_come_first(
    client: httpx.Client, work: Work, filters: dict[str, str], found: str
) -> None:
    work.add_problem("warning", kind="broken_link", detail="B", path="docs/b.yaml", line=4)
    work.add_problem("info", kind="broken_link", detail="D")
    work.add_problem("error", kind="gate_failed", detail="A")
    work.add_problem("warning", kind="deferred_work", detail="C", tree="apps/web")
    page = show(client, work, "problems", **filters)
    assert titles(page) == [*found]
    if "B" in found:
        path = f"/projects/{work.project}/problems"
        assert f"/projects/{work.project}/files/docs/b.yaml#L4" in page.leads_to(path)


@pytest.mark.parametrize("name", ["stories", "epics", "problems"])
def test_a_list_of_nothing_says_so(client: httpx.Client, work: Work, name: str) -> None:
    assert f"There are no {name}." in show(client, work, name).text
    assert " is like this." in show(client, work, name, tree="nowhere").text


@pytest.mark.parametrize(
    "query",
    [
        *("stories?status=new", "stories?limit=0", "stories?cursor=x", "epics?cursor=x"),
        *("problems?kind=x", "problems?severity=x", "stories?epic=" + "1" * 61),
        *("stories?q=" + "w" * 257, "stories?q=%ff", "problems?tree=%00"),
    ],
)
def test_a_filter_that_cannot_be_is_a_400(client: httpx.Client, work: Work, query: str) -> None:
    path = f"/projects/{work.project}/{query}"
    assert_problem(client.get(path), 400)
    response = client.get(path, headers={"Accept": "text/html"})
    assert response.status_code == 400
    assert response.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("path", "names"),
    [
        *((f"/projects/{{project}}/{name}", "limit cursor") for name in ("stories", "epics")),
        ("/projects/{project}/stories", "status epic without_epic q"),
        ("/projects/{project}/problems", "severity kind limit cursor"),
        ("/projects/{project}/files", "page"),
        ("/search", "q project_id source_id kind path cursor"),
    ],
)
def test_fields_that_a_form_sends_empty_ask_for_nothing(
    client: httpx.Client, work: Work, path: str, names: str
) -> None:
    path = path.format(project=work.project)
    empty = client.get(path + "?" + "&".join(f"{name}=" for name in names.split()))
    assert empty.status_code == 200, empty.text
    assert empty.text == client.get(path).text


def test_parameters_of_others_are_ignored_and_lead_nowhere(
    client: httpx.Client, work: Work
) -> None:
    for letter in "AB":
        work.add_story("1.1", letter)
    html = client.get(f"/projects/{work.project}/stories?limit=1&utm_source=evil&kind=x").text
    assert "evil" not in html


def test_a_gate_that_cannot_be_read_is_shown(client: httpx.Client, work: Work) -> None:
    work.add_story("1.1", "A", gate=gate(None))
    assert "gate unreadable" in show(client, work, "stories").text


@needs_chromium
def test_the_filters_work_without_a_script(site: Site, open_page: OpenPage) -> None:
    page = open_page(f"/projects/{site.berths}/stories", Look("light", "wide"))
    every = page.locator(".work-item").count()
    page.get_by_label("Status").select_option("done")
    page.get_by_role("button", name="Show").click()
    assert "status=done" in page.url
    shown = page.locator(".work-item").count()
    assert 0 < shown < every
    assert page.get_by_label("Status").input_value() == "done"
    page.get_by_role("link", name="all stories").click()
    assert page.locator(".work-item").count() == every
