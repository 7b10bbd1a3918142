"""GET /api/projects/{id}/activity, as JSON and as a feed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree.ElementTree import fromstring

import pytest

from tests.support.board import Board, Work, read, read_pages
from tests.support.problems import assert_problem
from tests.support.service import serving

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


def activity_of(work: Work) -> str:
    return f"/api/projects/{work.project}/activity"


def test_a_run_has_what_it_changed(client: httpx.Client, work: Work) -> None:
    run = work.add_activity(
        "2026-11-25T03:01:00.123456+00:00",
        committed_at="2026-11-24T17:30:00+00:00",
        added=1,
        changed=2,
        moved=3,
        removed=4,
        documents=[{"change": "added", "path": "docs/<a>.md", "from": None}],
        statuses=[{"id": "1.1", "title": "<b>", "path": None, "from": None, "to": "done"}],
    )
    assert read(client, activity_of(work)) == [run | {"source": work.named}]


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_pages_have_each_run_once_newest_first(
    client: httpx.Client, database: str, limit: int
) -> None:
    board = Board(database)
    project = board.add_project()
    works = [board.add_source(project) for _ in range(2)]
    added = [
        works[number % 2].add_activity(f"2026-11-25T03:01:00.12345{second}+00:00")
        for number, second in enumerate((3, 5, 1, 2, 2, 2))
    ]
    pages = read_pages(client, activity_of(works[0]), limit=limit)
    found = [run["run_id"] for page in pages for run in page]
    newest_first = sorted(added, key=lambda run: (run["at"], run["run_id"]), reverse=True)
    assert found == [run["run_id"] for run in newest_first]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_a_page_has_20_runs_unless_the_limit_is_given(client: httpx.Client, work: Work) -> None:
    for second in range(21):
        work.add_activity(f"2026-11-25T03:01:{second:02}+00:00")
    assert [len(page) for page in read_pages(client, activity_of(work))] == [20, 1]


def test_the_activity_of_a_deleted_source_is_not_there(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    kept, deleted = board.add_source(project), board.add_source(project)
    for work in (kept, deleted):
        work.add_activity("2026-11-25T03:01:00+00:00")
    deleted.delete_source()
    assert [run["source"] for run in read(client, activity_of(kept))] == [kept.named]


def test_the_activity_of_an_unknown_project_is_a_404(client: httpx.Client) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/activity"), 404)
    assert problem["detail"] == "There is no such project."
    assert_problem(client.get("/api/projects/x/activity"), 400)


def test_a_project_without_runs_has_an_empty_list(client: httpx.Client, database: str) -> None:
    assert read(client, f"/api/projects/{Board(database).add_project()}/activity") == []


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_a_bad_page_is_a_400(client: httpx.Client, work: Work, name: str) -> None:
    problem = assert_problem(client.get(activity_of(work), params={name: "x"}), 400)
    assert list(problem["errors"]) == [name]


def test_a_cursor_of_another_list_is_a_400(client: httpx.Client, work: Work) -> None:
    for number in range(2):
        work.add_story(f"1.{number}")
        work.add_epic(f"{number}")
        work.add_problem()
        work.add_activity(f"2026-11-25T03:01:0{number}+00:00")
    names = ("stories", "epics", "problems", "activity")
    for name in names:
        page = client.get(f"/api/projects/{work.project}/{name}", params={"limit": 1})
        query = page.links["next"]["url"].partition("?")[2]
        for other in names:
            response = client.get(f"/api/projects/{work.project}/{other}?{query}")
            if other == name:
                assert response.status_code == 200
            else:
                assert list(assert_problem(response, 400)["errors"]) == ["cursor"]


# --- the feed

ATOM = "{http://www.w3.org/2005/Atom}"


def read_feed(client: httpx.Client, work: Work) -> Element:
    response = client.get(f"{activity_of(work)}.atom")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/atom+xml"
    return fromstring(response.content)


def text_of(element: Element, name: str) -> str | None:
    return element.findtext(f"{ATOM}{name}")


def test_the_feed_has_an_entry_for_each_run_newest_first(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project("<Payments> & co"), "Planning")
    work.add_activity("2026-11-24T03:01:00+00:00", removed=1200)
    run = work.add_activity(
        "2026-11-25T03:01:00.5+00:00",
        added=1,
        changed=2,
        documents=[
            {"change": "added", "path": "docs/<a>.md", "from": None},
            {"change": "moved", "path": "docs/c.md", "from": "docs/b.md"},
        ],
        statuses=[
            {"id": "1.1", "title": "<b>Limits", "path": None, "from": "in_progress", "to": "done"},
            {"id": "1.2", "title": "New", "path": None, "from": None, "to": "draft"},
            {"id": "", "title": "Old", "path": None, "from": "done", "to": None},
        ],
    )
    feed = read_feed(client, work)
    assert text_of(feed, "id") == f"urn:uuid:{work.project}"
    assert text_of(feed, "title") == "<Payments> & co: activity"
    assert text_of(feed, "updated") == "2026-11-25T03:01:00Z"
    own = feed.find(f"{ATOM}link[@rel='self']")
    assert own is not None
    assert own.get("href") == f"{client.base_url}{activity_of(work)}.atom"
    newest, oldest = feed.findall(f"{ATOM}entry")
    assert text_of(newest, "title") == (
        "Planning: documents: 1 added, 2 changed; stories: 1 of another status, 1 new, 1 gone"
    )
    assert text_of(oldest, "title") == "Planning: documents: 1,200 removed"
    assert text_of(newest, "summary") == (
        "1.1 <b>Limits: in progress → done; 1.2 New: new, draft; Old: gone, was done"
    )
    assert text_of(newest, "content") == (
        "commit 3f786850e387550fdab836ed7e6dc881de23001b\n"
        "1.1 <b>Limits: in progress → done\n1.2 New: new, draft\nOld: gone, was done\n"
        "added: docs/<a>.md\nmoved: docs/b.md → docs/c.md"
    )
    link = newest.find(f"{ATOM}link")
    assert link is not None
    path = f"/api/project-docs/{work.source}/syncs/{run['run_id']}"
    assert link.get("href") == f"{client.base_url}{path}"
    assert text_of(newest, "id") != text_of(oldest, "id")


def test_the_ids_of_entries_stay_while_newer_ones_come(client: httpx.Client, work: Work) -> None:
    work.add_activity("2026-11-24T03:01:00+00:00")
    [entry] = read_feed(client, work).findall(f"{ATOM}entry")
    work.add_activity("2026-11-25T03:01:00+00:00")
    _, same = read_feed(client, work).findall(f"{ATOM}entry")
    assert text_of(same, "id") == text_of(entry, "id")


def test_the_feed_is_short(client: httpx.Client, work: Work) -> None:
    documents = [
        {"change": "added", "path": f"docs/{number}.md", "from": None} for number in range(30)
    ]
    for second in range(51):
        work.add_activity(f"2026-11-25T03:01:{second:02}+00:00", documents=documents)
    entries = read_feed(client, work).findall(f"{ATOM}entry")
    assert len(entries) == 50
    assert text_of(entries[0], "updated") == "2026-11-25T03:01:50Z"
    content = text_of(entries[0], "content")
    assert content is not None
    assert content.endswith("docs/19.md")


def test_an_entry_says_that_there_may_be_more_stories_than_its_run_lists(
    client: httpx.Client, work: Work
) -> None:
    story = {"id": "1.1", "title": "New", "path": None, "from": None, "to": "draft"}
    work.add_activity("2026-11-24T03:01:00+00:00", added=1000, statuses=[story] * 1000)
    [entry] = read_feed(client, work).findall(f"{ATOM}entry")
    assert text_of(entry, "title") == "Docs: documents: 1,000 added; stories: 1,000 new or more"


def test_the_feed_of_a_project_without_runs_has_no_entry(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    feed = read_feed(client, work)
    assert feed.findall(f"{ATOM}entry") == []
    assert text_of(feed, "updated")


def test_a_feed_that_the_client_has_is_a_304(client: httpx.Client, work: Work) -> None:
    work.add_activity("2026-11-24T03:01:00+00:00")
    path = f"{activity_of(work)}.atom"
    tag = client.get(path).headers["etag"]
    same = client.get(path, headers={"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    work.add_activity("2026-11-25T03:01:00+00:00")
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_the_activity_is_a_feed_for_those_who_accept_only_that(
    client: httpx.Client, work: Work
) -> None:
    work.add_activity("2026-11-24T03:01:00+00:00")
    for accept, media_type in (
        ("application/atom+xml", "application/atom+xml"),
        ("application/atom+xml, application/json;q=0.5", "application/atom+xml"),
        ("application/json", "application/json"),
        ("*/*", "application/json"),
        ("text/html", "application/json"),
    ):
        response = client.get(activity_of(work), headers={"Accept": accept})
        assert response.status_code == 200
        assert response.headers["content-type"] == media_type
        assert "Accept" in response.headers.get_list("vary", split_commas=True)
    feed = {"Accept": "application/atom+xml"}
    assert_problem(client.get(f"/api/projects/{UNKNOWN}/activity", headers=feed), 404)


def test_the_feed_of_an_unknown_project_is_a_404(client: httpx.Client) -> None:
    assert_problem(client.get(f"/api/projects/{UNKNOWN}/activity.atom"), 404)
    assert_problem(client.get("/api/projects/x/activity.atom"), 400)


def test_the_links_of_the_feed_have_the_prefix_and_the_scheme_of_the_proxy(
    database: str,
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_activity("2026-11-24T03:01:00+00:00")
    with serving(database, root_path="/hub", trusted_proxies=("127.0.0.1",)) as client:
        headers = {"Host": "localhost:8443", "X-Forwarded-Proto": "https"}
        response = client.get(f"/hub{activity_of(work)}.atom", headers=headers)
    links = re.findall('href="([^"]+)"', response.text)
    assert len(links) == 2
    assert all(link.startswith("https://localhost:8443/hub/api/project") for link in links)
