"""GET /api/projects/{id}/epics."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.bmad.readings import STATUSES
from tests.support.board import Board, Work, read, read_pages
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
NONE = dict.fromkeys(STATUSES, 0)


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


def epics_of(work: Work) -> str:
    return f"/api/projects/{work.project}/epics"


def test_an_epic_has_what_its_row_says_and_the_numbers_of_its_stories(
    client: httpx.Client, work: Work
) -> None:
    document = work.add_document("docs/epics.md")
    item = work.add_epic(
        "2",
        "<b>Refunds</b>",
        status="in_progress",
        status_evidence=[
            {
                "source": "file",
                "status": "in_progress",
                "word": "In Progress",
                "path": "docs/epics.md",
                "line": 59,
                "decides": True,
            }
        ],
        requirements=["FR7", "NFR 1"],
        documents=[
            {"path": "docs/epics.md", "line": 57, "anchor": "epic-2"},
            {"path": "docs/gone.md", "line": 1, "anchor": None},
        ],
    )
    for status in ("done", "done", "draft", "cancelled"):
        work.add_story("2.1", status=status)
    work.add_story("2.1", status="done", archived=True)
    work.add_story("3.1", status="done")  # has no epic
    [epic] = read(client, epics_of(work))
    first, second = item["documents"]
    assert epic == item | {
        "status_evidence": [item["status_evidence"][0] | {"document_id": document}],
        "documents": [first | {"document_id": document}, second | {"document_id": None}],
        "source": work.named,
        "stories_total": 4,
        "stories_by_status": NONE | {"done": 2, "draft": 1, "cancelled": 1},
        "stories_built": 0,
        "share_done": 2 / 3,
    }


def test_the_documents_of_an_epic_are_in_the_order_of_its_row(
    client: httpx.Client, work: Work
) -> None:
    paths = [f"docs/{number}.md" for number in (3, 1, 2, 10)]
    work.add_epic("1", documents=[{"path": path, "line": 1, "anchor": None} for path in paths])
    [epic] = read(client, epics_of(work))
    assert [document["path"] for document in epic["documents"]] == paths


@pytest.mark.parametrize("statuses", [[], ["cancelled"]])
def test_an_epic_without_stories_to_do_has_no_share(
    client: httpx.Client, work: Work, statuses: list[str]
) -> None:
    work.add_epic("1")
    for status in statuses:
        work.add_story("1.1", status=status)
    [epic] = read(client, epics_of(work))
    assert (epic["stories_total"], epic["share_done"]) == (len(statuses), None)
    assert epic["stories_by_status"] == NONE | dict.fromkeys(statuses, 1)


def test_epics_by_tree(client: httpx.Client, work: Work) -> None:
    for tree in ("", "apps/web", "apps/web-old"):
        work.add_epic("1", tree=tree)
        work.add_story("1.1", tree=tree)
    for tree in ("", "apps/web"):
        found = read(client, epics_of(work), tree=tree)
        assert [(epic["tree"], epic["stories_total"]) for epic in found] == [(tree, 1)]
    assert len(read(client, epics_of(work))) == 3
    assert read(client, epics_of(work), tree="apps") == []


def test_epics_of_one_id_are_counted_apart(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    works = [board.add_source(project, name) for name in ("B", "A")]
    for work, count in zip(works, (1, 2), strict=True):
        work.add_epic("1", f"First of {count}")
        for _ in range(count):
            work.add_story("1.1")
        # A second tree of the same source counts from 1 again.
        work.add_epic("1", "Again")
        for _ in range(count + 2):
            work.add_story("1.1")
    found = read(client, epics_of(works[0]))
    assert [(each["source"]["name"], each["title"], each["stories_total"]) for each in found] == [
        ("B", "First of 1", 1),
        ("B", "Again", 3),
        ("A", "First of 2", 2),
        ("A", "Again", 4),
    ]


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_pages_have_each_epic_once_in_order(
    client: httpx.Client, database: str, limit: int
) -> None:
    board = Board(database)
    project = board.add_project()
    works = [board.add_source(project) for _ in range(2)]
    added = [work.add_epic(f"{number}")["id"] for work in works for number in (3, 1, 2)]
    pages = read_pages(client, epics_of(works[0]), limit=limit)
    assert [epic["id"] for page in pages for epic in page] == added
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_epics_of_a_deleted_source_are_not_there(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    kept, deleted = board.add_source(project), board.add_source(project)
    for work in (kept, deleted):
        work.add_epic("1")
    deleted.delete_source()
    assert [epic["source"] for epic in read(client, epics_of(kept))] == [kept.named]


def test_a_project_without_epics_has_an_empty_list(client: httpx.Client, database: str) -> None:
    assert read(client, f"/api/projects/{Board(database).add_project()}/epics") == []


def test_the_epics_of_an_unknown_project_are_a_404(client: httpx.Client) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/epics"), 404)
    assert problem["detail"] == "There is no such project."
    assert_problem(client.get("/api/projects/x/epics"), 400)


@pytest.mark.parametrize("name", ["limit", "cursor"])
def test_a_bad_page_is_a_400(client: httpx.Client, work: Work, name: str) -> None:
    problem = assert_problem(client.get(epics_of(work), params={name: "x"}), 400)
    assert list(problem["errors"]) == [name]
