"""GET /api/projects/{id}/activity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.board import Board, Work, read, read_pages
from tests.support.problems import assert_problem

if TYPE_CHECKING:
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
        documents=[{"change": "added", "path": "docs/<a>.md"}],
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
