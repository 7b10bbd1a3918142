"""GET /api/overview."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.bmad.readings import STATUSES
from service.routes import overview
from tests.support.board import Board, read, read_pages
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx

NONE = dict.fromkeys(STATUSES, 0)


def at(day: int) -> str:
    return f"2026-11-{day}T03:01:00+00:00"


def test_a_project_has_the_numbers_of_all_its_sources(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project("<b>Payments</b>")
    first, second = board.add_source(project, "B"), board.add_source(project, "A")
    for work, status in ((first, "done"), (second, "draft")):
        work.add_document("docs/a.md")
        work.add_story("1.1", status=status)
        work.add_story("1.2", status="cancelled")
        work.add_story("1.3", status="done", archived=True)
        work.add_problem("warning")
    second.add_problem("error")
    second.add_problem("info", days=0)
    second.add_problem("info", days=1)
    for work in (first, second):
        work.count()
    first.add_run("failed", at(25), "No.")
    first.add_run("completed", at(24))  # as after the database's clock was set back
    second.add_run("completed", at(22))
    second.add_run("failed", at(23), "There is no such branch.")
    completed = {"at": at(24), "status": "completed", "error": None}
    failed = {"at": at(23), "status": "failed", "error": "There is no such branch."}
    assert read(client, "/api/overview") == [
        {
            "id": project,
            "name": "<b>Payments</b>",
            "documents": 2,
            "stories_total": 4,
            "stories_by_status": NONE | {"done": 1, "draft": 1, "cancelled": 2},
            "stories_built": 0,
            "share_done": 0.5,
            "problems": {"error": 1, "warning": 2, "info": 1},
            "sparkline": [],
            "last_sync": completed,
            "sources": [
                first.named | {"last_sync": completed},
                second.named | {"last_sync": failed},
            ],
            "sources_total": 2,
            "sources_failed": 1,
        }
    ]


@pytest.mark.parametrize(
    ("statuses", "share"),
    [
        (["draft", "draft"], 0),
        (["draft", "cancelled"], 0),
        (["done"], 1),
        (["cancelled"], None),
        ([], None),
    ],
)
def test_share_is_null_only_without_stories_to_do(
    client: httpx.Client, database: str, statuses: list[str], share: int | None
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    for status in statuses:
        work.add_story("1.1", status=status)
    work.count()
    [found] = read(client, "/api/overview")
    progress = read(client, f"/api/projects/{work.project}/progress")
    assert found["share_done"] == progress["totals"]["share_done"] == share
    assert found["stories_by_status"] == progress["by_status"]


def test_sparkline_has_the_done_stories_of_all_sources(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    first, second = board.add_source(project, "B"), board.add_source(project, "A")
    first.add_day(40, 5, 1)
    first.add_day(10, 5, 3)
    second.add_day(2, 1, 1)
    [found] = read(client, "/api/overview")
    assert found["sparkline"] == [*[1] * 19, *[3] * 8, *[4] * 3]


def test_a_project_that_was_never_synced_has_no_numbers(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    work = board.add_source(board.add_project("Never synced"))
    board.add_project("Empty")
    board.execute("insert into sync_run (project_doc_id) values (%s)", work.source)  # queued
    empty, never = read(client, "/api/overview")
    assert (empty["name"], never["name"]) == ("Empty", "Never synced")
    assert never["sources"] == [work.named | {"last_sync": None}]
    assert empty["sources"] == []
    assert (empty["sources_total"], never["sources_total"]) == (0, 1)
    for project in (empty, never):
        assert project["documents"] == project["stories_total"] == project["sources_failed"] == 0
        assert project["stories_by_status"] == NONE
        assert project["share_done"] is project["last_sync"] is None
        assert project["sparkline"] == []
        assert project["problems"] == {"error": 0, "warning": 0, "info": 0}


def test_a_deleted_source_counts_nowhere(client: httpx.Client, database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_story("1.1")
    work.count()
    work.delete_source()
    [project] = read(client, "/api/overview")
    assert (project["stories_total"], project["sources_total"]) == (0, 0)


def test_no_more_sources_are_listed_than_the_limit(
    client: httpx.Client, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview, "SOURCES_SHOWN", 2)
    board = Board(database)
    project = board.add_project()
    for name in "CABD":
        work = board.add_source(project, name)
        work.add_story("1.1")
        work.count()
        work.add_run("failed", at(24))
    [found] = read(client, "/api/overview")
    assert [source["name"] for source in found["sources"]] == ["C", "A"]
    assert found["sources_total"] == found["sources_failed"] == found["stories_total"] == 4


@pytest.mark.parametrize("limit", [1, 2, 1000])
def test_pages_have_each_project_once_newest_first(
    client: httpx.Client, database: str, limit: int
) -> None:
    board = Board(database)
    for number in range(5):
        board.add_project(f"{number}")
    pages = read_pages(client, "/api/overview", limit=limit)
    assert [project["name"] for page in pages for project in page] == ["4", "3", "2", "1", "0"]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_a_page_has_100_projects_unless_the_limit_is_given(
    client: httpx.Client, database: str
) -> None:
    Board(database).execute("insert into project (name) select n from generate_series(1, 101) n")
    assert [len(page) for page in read_pages(client, "/api/overview")] == [100, 1]


def test_without_projects_the_overview_is_empty(client: httpx.Client) -> None:
    assert read(client, "/api/overview") == []


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_a_bad_page_is_a_400(client: httpx.Client, name: str) -> None:
    assert_problem(client.get("/api/overview", params={name: "x"}), 400)
