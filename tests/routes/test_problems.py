"""GET /api/projects/{id}/problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def problems_of(work: Work) -> str:
    return f"/api/projects/{work.project}/problems"


def details(client: httpx.Client, work: Work, **parameters: Any) -> list[str]:
    return [problem["detail"] for problem in read(client, problems_of(work), **parameters)]


def test_a_problem_has_what_its_row_says_and_where_it_is(client: httpx.Client, work: Work) -> None:
    document = work.add_document("docs/prd.md")
    item = work.add_problem(
        detail="The link to <x> \u202e leads to no file.",
        path="docs/prd.md",
        line=12,
        target="<x> \u202e",
        reason="no_file",
    )
    added = {"document_id": document, "source": work.named}
    assert read(client, problems_of(work)) == [item | added]


def test_a_problem_may_be_of_no_document(client: httpx.Client, work: Work) -> None:
    work.add_problem()
    work.add_problem(path="docs/gone.md")
    assert [problem["document_id"] for problem in read(client, problems_of(work))] == [None, None]


def test_problems_by_tree(client: httpx.Client, work: Work) -> None:
    for tree in ("", "apps/web", "apps/web-old"):
        work.add_problem(tree=tree, detail=f"In {tree}.")
    assert details(client, work, tree="") == ["In ."]
    assert details(client, work, tree="apps/web/") == ["In apps/web."]
    assert details(client, work, tree="apps/web", severity="error") == []
    assert len(details(client, work)) == 3


def test_a_problem_is_shown_from_its_day_on(client: httpx.Client, work: Work) -> None:
    for days, detail in ((-1, "Yesterday"), (0, "Today"), (1, "Tomorrow")):
        work.add_problem(days=days, detail=detail)
    assert details(client, work) == ["Yesterday", "Today"]


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
def test_the_most_severe_problems_come_first_on_all_pages(
    client: httpx.Client, database: str, limit: int
) -> None:
    board = Board(database)
    project = board.add_project()
    first, second = board.add_source(project), board.add_source(project)
    for work, name in ((second, "second"), (first, "first")):
        for severity in ("info", "error", "warning", "error", "info"):
            work.add_problem(severity, detail=f"{name} {severity} {work.places}")
    pages = read_pages(client, problems_of(first), limit=limit)
    assert [problem["detail"] for page in pages for problem in page] == [
        "first error 1",
        "first error 3",
        "second error 1",
        "second error 3",
        "first warning 2",
        "second warning 2",
        "first info 0",
        "first info 4",
        "second info 0",
        "second info 4",
    ]
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_problems_are_filtered_by_kind_and_severity(client: httpx.Client, work: Work) -> None:
    for kind in ("broken_link", "status_conflict"):
        for severity in ("warning", "error"):
            work.add_problem(severity, kind=kind, detail=f"{kind} {severity}")
    assert details(client, work, kind="broken_link") == [
        "broken_link error",
        "broken_link warning",
    ]
    assert details(client, work, severity="warning") == [
        "broken_link warning",
        "status_conflict warning",
    ]
    assert details(client, work, severity="warning", kind="status_conflict") == [
        "status_conflict warning"
    ]
    assert details(client, work, severity="info") == []
    pages = read_pages(client, problems_of(work), severity="error", limit=1)
    assert [len(page) for page in pages] == [1, 1]


def test_a_page_has_100_problems_unless_the_limit_is_given(
    client: httpx.Client, work: Work
) -> None:
    for _ in range(101):
        work.add_problem()
    assert [len(page) for page in read_pages(client, problems_of(work))] == [100, 1]


def test_problems_of_a_deleted_source_are_not_there(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    kept, deleted = board.add_source(project), board.add_source(project)
    for work in (kept, deleted):
        work.add_problem()
    deleted.delete_source()
    assert [problem["source"] for problem in read(client, problems_of(kept))] == [kept.named]


def test_the_problems_of_an_unknown_project_are_a_404(client: httpx.Client) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/problems"), 404)
    assert problem["detail"] == "There is no such project."
    assert_problem(client.get("/api/projects/x/problems"), 400)


def test_a_project_without_problems_has_an_empty_list(client: httpx.Client, database: str) -> None:
    assert read(client, f"/api/projects/{Board(database).add_project()}/problems") == []


@pytest.mark.parametrize("name", ["limit", "cursor", "kind", "severity"])
def test_a_bad_parameter_is_a_400(client: httpx.Client, work: Work, name: str) -> None:
    problem = assert_problem(client.get(problems_of(work), params={name: "x"}), 400)
    assert list(problem["errors"]) == [name]
