"""GET /api/projects/{id}/progress."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from service.bmad.readings import STATUSES
from service.routes import progress
from tests.support.board import Board, Work, read
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
NONE = dict.fromkeys(STATUSES, 0)
NOWHERE = dict.fromkeys(("path", "document_id", "line", "anchor"))


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


def read_progress(client: httpx.Client, work: Work) -> dict[str, Any]:
    return read(client, f"/api/projects/{work.project}/progress")


def test_the_progress_of_a_project_is_counted_by_status_and_by_epic(
    client: httpx.Client, work: Work
) -> None:
    work.add_epic("2", "Second")
    document = work.add_document("docs/epics.md")
    place = {"path": "docs/epics.md", "line": 9, "anchor": "first"}
    other = {"path": "docs/more.md", "line": 1, "anchor": None}
    work.add_epic("1", "First", documents=[place, other])
    for story_id, status in (
        ("1.1", "done"),
        ("1.2", "done"),
        ("1.3", "review"),
        ("1.4", "cancelled"),
        ("", "unknown"),
    ):
        work.add_story(story_id, status=status)
    work.add_story("1.5", status="done", archived=True)
    run = work.add_activity("2026-11-25T03:01:00+00:00", changed=1)
    by_status = NONE | {"done": 2, "review": 1, "cancelled": 1}
    progress = read_progress(client, work)
    assert progress.pop("velocity") == []
    assert progress == {
        "totals": {"stories": 5, "done": 2, "built": 0, "share_done": 0.5},
        "by_status": by_status | {"unknown": 1},
        "by_epic": [
            {
                "id": "2",
                "title": "Second",
                "source": work.named,
                "tree": "",
                **NOWHERE,
                "stories_total": 0,
                "stories_by_status": NONE,
                "stories_built": 0,
                "share_done": None,
            },
            {
                "id": "1",
                "title": "First",
                "source": work.named,
                "tree": "",
                **place,
                "document_id": document,
                "stories_total": 4,
                "stories_by_status": by_status,
                "stories_built": 0,
                "share_done": 2 / 3,
            },
            {
                "id": None,
                "title": None,
                "source": work.named,
                "tree": "",
                **NOWHERE,
                "stories_total": 1,
                "stories_by_status": NONE | {"unknown": 1},
                "stories_built": 0,
                "share_done": 0,
            },
        ],
        "epics_total": 2,
        "last_changes": run | {"source": work.named},
    }


def test_stories_in_review_that_are_built_are_counted_apart(
    client: httpx.Client, work: Work
) -> None:
    work.add_epic("1")
    work.add_story("1.1", status="review", is_built=True)
    work.add_story("1.2", status="review", is_built=True, archived=True)
    work.add_story("1.3", status="review")
    work.add_story("", status="review", is_built=True)
    progress = read_progress(client, work)
    assert progress["by_status"] == NONE | {"review": 3}
    assert progress["totals"] == {"stories": 3, "done": 0, "built": 2, "share_done": 0}
    assert [epic["stories_built"] for epic in progress["by_epic"]] == [1, 1]


def test_the_epics_of_several_sources_are_apart(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    works = [board.add_source(project, name) for name in ("B", "A")]
    for count, work in enumerate(works, 1):
        work.add_epic("1")
        for _ in range(count):
            work.add_story("1.1", status="done")
            work.add_story("", status="draft")
    found = read_progress(client, works[0])
    assert found["totals"] == {"stories": 6, "done": 3, "built": 0, "share_done": 0.5}
    assert [
        (epic["source"]["name"], epic["id"], epic["stories_total"]) for epic in found["by_epic"]
    ] == [("B", "1", 1), ("B", None, 1), ("A", "1", 2), ("A", None, 2)]
    assert found["epics_total"] == 2


def test_the_epics_of_several_trees_are_apart(client: httpx.Client, work: Work) -> None:
    for count, tree in enumerate(("", "apps/web"), 1):
        work.add_epic("1", tree=tree)
        for _ in range(count):
            work.add_story("1.1", tree=tree, status="done")
            work.add_story("", tree=tree)
    found = read_progress(client, work)
    assert [(epic["tree"], epic["id"], epic["stories_total"]) for epic in found["by_epic"]] == [
        ("", "1", 1),
        ("apps/web", "1", 2),
        ("", None, 1),
        ("apps/web", None, 2),
    ]
    assert found["epics_total"] == 2


def test_the_tree_of_rows_of_an_older_version_is_not_known(
    client: httpx.Client, work: Work
) -> None:
    work.add_epic("1")
    work.add_story("1.1", waits_for=[{"id": "1.2", "title": "", "status": None}])
    work.add_story("")
    work.add_problem()
    for table in ("epic", "story", "problem"):
        work.board.execute(f"update {table} set item = item - 'tree'")
    path = f"/api/projects/{work.project}"
    lists = [read(client, f"{path}/{name}") for name in ("epics", "stories", "problems")]
    lists.append(read_progress(client, work)["by_epic"])
    assert [[each["tree"] for each in items] for items in lists] == [
        [None],
        [None, None],
        [None],
        [None, None],
    ]
    [awaited] = lists[1][0]["waits_for"]
    assert awaited["path"] is awaited["document_id"] is None


def test_no_more_epics_are_listed_than_the_limit(
    client: httpx.Client, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EPICS_SHOWN", 2)
    for number in (3, 1, 2):
        work.add_epic(f"{number}")
    found = read_progress(client, work)
    assert [epic["id"] for epic in found["by_epic"]] == ["3", "1"]
    assert found["epics_total"] == 3


def test_the_last_changes_are_those_of_the_newest_run(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    works = [board.add_source(project, name) for name in ("A", "B", "C")]
    days = (24, 26, 25)
    runs = [
        work.add_activity(f"2026-11-{day}T03:01:00+00:00")
        for work, day in zip(works, days, strict=True)
    ]
    assert read_progress(client, works[0])["last_changes"] == runs[1] | {"source": works[1].named}
    works[1].delete_source()
    assert read_progress(client, works[0])["last_changes"] == runs[2] | {"source": works[2].named}


def test_a_deleted_source_counts_nowhere(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    kept, deleted = board.add_source(project), board.add_source(project)
    for work in (kept, deleted):
        work.add_epic("1")
        work.add_story("1.1", status="done")
    deleted.delete_source()
    found = read_progress(client, kept)
    assert found["totals"] == {"stories": 1, "done": 1, "built": 0, "share_done": 1}
    assert len(found["by_epic"]) == 1


@pytest.mark.usefixtures("one_day")
def test_velocity_is_what_was_done_in_each_week(client: httpx.Client, work: Work) -> None:
    today = datetime.now(UTC).date()
    monday = today.weekday()  # days ago
    work.add_day(monday + 7 * 20, 9, 1)  # long ago
    work.add_day(monday + 14, 9, 2)  # on the Monday two weeks ago
    work.add_day(monday + 8, 9, 4)  # on the Sunday after
    work.add_day(monday, 9, 3)
    velocity = read_progress(client, work)["velocity"]
    assert [each["done"] for each in velocity] == [0, 0, 0, 0, 0, 3, 0, -1]
    assert velocity[-1]["week"] == str(today - timedelta(days=monday))


def test_the_progress_of_an_empty_project_is_nothing(client: httpx.Client, database: str) -> None:
    project = Board(database).add_project()
    progress = read(client, f"/api/projects/{project}/progress")
    assert progress.pop("velocity") == []
    assert progress == {
        "totals": {"stories": 0, "done": 0, "built": 0, "share_done": None},
        "by_status": NONE,
        "by_epic": [],
        "epics_total": 0,
        "last_changes": None,
    }


def test_the_progress_of_an_unknown_project_is_a_404(client: httpx.Client) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/progress"), 404)
    assert problem["detail"] == "There is no such project."
    assert_problem(client.get("/api/projects/x/progress"), 400)
