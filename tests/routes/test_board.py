"""What the page of a project reads besides the routes: the board, and the project's version."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID, uuid4

import orjson
import pytest

from service.problems import Problem
from service.routes.board import read_columns
from service.routes.problems import read_worst_problems
from service.routes.projects import read_project
from service.routes.stories import read_next
from tests.support.board import Board, Work

if TYPE_CHECKING:
    from service.database.database import Database

pytestmark = pytest.mark.anyio

# Each changes something that the page of the project in `work` shows.
CHANGES: Final = {
    "the project": "update project set description = 'New' where id = '{project}'",
    "a source": "update project_doc set name = 'New' where id = '{source}'",
    "a new source": "insert into project_doc (project_id, name, github_url) "
    "values ('{project}', 'New', 'https://git.example/a/b')",
    "a queued run": "insert into sync_run (project_doc_id, status) values ('{source}', 'queued')",
    "a failed run": "insert into sync_run (project_doc_id, status, started_at, finished_at, error) "
    "values ('{source}', 'failed', now(), now(), 'It failed.')",
}


@pytest.fixture
def work(database: str) -> Work:
    board = Board(database)
    return board.add_source(board.add_project())


async def columns_of(opened: Database, work: Work, shown: int) -> dict[str, list[str]]:
    """Return the titles of the stories in each column."""
    columns = await read_columns(opened, UUID(work.project), shown)
    return {
        status: [orjson.loads(story)["title"] for story in stories]
        for status, stories in columns.items()
    }


async def test_a_column_has_the_first_stories_of_its_status_in_build_order(
    opened: Database, work: Work
) -> None:
    other = work.board.add_source(work.project, "Another")
    for title in "BA":
        work.add_story("1.1", title, "draft")
    other.add_story("1.1", "C", "draft")
    work.add_story("1.2", "D", "review")
    work.add_story("1.3", "E", "review", archived=True)
    stranger = work.board.add_source(work.board.add_project("Strangers"))
    stranger.add_story("1.1", "F", "draft")
    assert await columns_of(opened, work, 9) == {"draft": ["B", "A", "C"], "review": ["D"]}
    assert await columns_of(opened, work, 2) == {"draft": ["B", "A"], "review": ["D"]}


async def test_finished_stories_come_with_the_last_finished_first(
    opened: Database, work: Work
) -> None:
    for day, title in ((3, "A"), (None, "B"), (9, "C"), (5, "D")):
        for status in ("done", "in_progress"):
            work.add_story("1.1", title, status)
        since = None if day is None else f"2026-11-0{day}"
        work.board.execute("update story set status_since = %s where title = %s", since, title)
    assert await columns_of(opened, work, 9) == {
        "done": ["C", "D", "A", "B"],
        "in_progress": ["A", "B", "C", "D"],
    }


async def test_a_list_of_what_comes_next_may_be_shorter_and_counts_all(
    opened: Database, work: Work
) -> None:
    for _ in range(12):
        work.add_story("1.1", status="draft")
        work.add_story("1.1", status="review")
    found: dict[str, Any] = orjson.loads(await read_next(opened, UUID(work.project), 3))
    assert [len(found[name]) for name in ("in_progress", "to_prepare")] == [3, 3]
    assert found["totals"]["in_progress"] == found["totals"]["to_prepare"] == 12


async def test_the_worst_problem_of_a_kind_names_its_source(opened: Database, work: Work) -> None:
    work.add_problem("warning")
    other = work.board.add_source(work.project, "Another")
    other.add_problem("error", path="docs/b.md")
    [worst] = await read_worst_problems(opened, UUID(work.project))
    found = orjson.loads(worst)
    assert (found["source"], found["path"]) == (other.named, "docs/b.md")
    assert found["counts"] == {"error": 1, "warning": 1}


@pytest.mark.parametrize("change", CHANGES)
async def test_the_version_of_a_project_changes_with_what_its_page_shows(
    opened: Database, work: Work, change: str
) -> None:
    project_id = UUID(work.project)
    before = await read_project(opened, project_id)
    assert (await read_project(opened, project_id))["version"] == before["version"]
    work.board.execute(CHANGES[change].format(project=work.project, source=work.source))
    assert (await read_project(opened, project_id))["version"] != before["version"]


async def test_the_version_of_a_project_is_its_own(opened: Database, work: Work) -> None:
    before = await read_project(opened, UUID(work.project))
    other = work.board.add_source(work.board.add_project("Other"))
    other.add_run("failed", "2026-11-27")
    assert (await read_project(opened, UUID(work.project)))["version"] == before["version"]
    assert (await read_project(opened, UUID(other.project)))["version"] != before["version"]


async def test_a_project_that_is_not_there_has_no_version(opened: Database) -> None:
    with pytest.raises(Problem):
        await read_project(opened, uuid4())
