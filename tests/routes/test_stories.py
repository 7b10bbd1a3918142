"""GET /api/projects/{id}/stories and /next."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from service.bmad.readings import STATUSES
from service.web import paging
from tests.support.board import Board, Work, awaited, gate, read, read_pages
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    import httpx

UNKNOWN = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
HOSTILE = '<script>alert("1")</script> \u202e \x1b[31m %_\\ \U0001f600 \' or 1=1 --'


@pytest.fixture
def work(database: str) -> Work:
    """The work of a project's only source."""
    board = Board(database)
    return board.add_source(board.add_project())


def stories_of(work: Work) -> str:
    return f"/api/projects/{work.project}/stories"


def ids(client: httpx.Client, work: Work, **parameters: Any) -> list[str]:
    return [story["id"] for story in read(client, stories_of(work), **parameters)]


def test_a_story_has_what_its_row_says_and_where_it_is(client: httpx.Client, work: Work) -> None:
    path = "docs/stories/2.10.refunds.md"
    document = work.add_document(path)
    evidence = evidence_at(path)
    item = work.add_story(
        "2.10",
        HOSTILE,
        "done",
        path=path,
        anchor="story-210",
        status_evidence=[evidence],
        as_a="customer",
        acceptance_criteria_total=3,
        acceptance_criteria_done=2,
        gate=gate(path="docs/qa/gates/2.10-refunds.yml"),
        after=["2.9"],
        waits_for=[awaited("2.8", "Rules"), awaited("2.9", "Limits") | {"path": path}],
    )
    added = {
        "document_id": document,
        "source": work.named,
        "status_evidence": [evidence | {"document_id": document}],
        "gate": item["gate"] | {"document": item["gate"]["document"] | {"document_id": None}},
        "waits_for": [
            awaited("2.8", "Rules") | {"document_id": None},
            awaited("2.9", "Limits") | {"path": path, "document_id": document},
        ],
        "last_changed_at": None,
        "since": None,
    }
    assert read(client, stories_of(work)) == [item | added]


def evidence_at(path: str) -> dict[str, Any]:
    return {
        "source": "file",
        "status": "done",
        "word": "Done",
        "path": path,
        "line": 3,
        "decides": True,
    }


def test_each_place_of_a_story_has_the_id_of_its_document_in_the_same_source(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    project = board.add_project()
    paths = ["docs/z.md", "docs/sprint-status.yaml", "docs/gate.yml"]
    expected: list[tuple[str, list[str | None]]] = []
    for number in range(2):
        work = board.add_source(project)
        ids_of = {path: work.add_document(path) for path in paths}
        for each in paths:
            evidence = [evidence_at(path) for path in (*paths, "docs/gone.md")]
            item = work.add_story(
                f"{number}.1", path=each, status_evidence=evidence, gate=gate(path="docs/gate.yml")
            )
            found = [ids_of[path] for path in (each, *paths)]
            expected.append((item["id"], [*found, None, ids_of["docs/gate.yml"]]))
    stories = read(client, f"/api/projects/{project}/stories")
    assert expected == [
        (
            story["id"],
            [
                story["document_id"],
                *(each["document_id"] for each in story["status_evidence"]),
                story["gate"]["document"]["document_id"],
            ],
        )
        for story in stories
    ]


def test_a_story_without_a_file_has_no_document(client: httpx.Client, work: Work) -> None:
    work.add_story("1.1")
    work.add_story("1.2", path="docs/stories/gone.md")
    found = read(client, stories_of(work))
    assert [(story["path"], story["document_id"]) for story in found] == [
        (None, None),
        ("docs/stories/gone.md", None),
    ]


def test_stories_of_several_sources_are_in_the_order_of_the_sources(
    client: httpx.Client, database: str
) -> None:
    board = Board(database)
    project, other = board.add_project(), board.add_project("Other")
    first, second = board.add_source(project, "B"), board.add_source(project, "A")
    board.add_source(other).add_story("9.9")
    for work in (second, first):
        work.add_document("docs/same.md")
        for id_ in ("1.10", "1.2"):  # the build order is not that of the ids
            work.add_story(id_, path="docs/same.md")
    found = read(client, stories_of(first))
    assert [(story["source"]["name"], story["id"]) for story in found] == [
        ("B", "1.10"),
        ("B", "1.2"),
        ("A", "1.10"),
        ("A", "1.2"),
    ]
    # Each has the document of its own source.
    assert len({story["document_id"] for story in found}) == 2


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_pages_have_each_story_once_in_order(
    client: httpx.Client, database: str, limit: int
) -> None:
    board = Board(database)
    project = board.add_project()
    sources = [board.add_source(project) for _ in range(3)]
    added = [
        work.add_story(f"{number}.{count}")["id"]
        for number, (work, stories) in enumerate(zip(sources, (4, 0, 3), strict=True))
        for count in range(stories)
    ]
    pages = read_pages(client, stories_of(sources[0]), limit=limit)
    assert [story["id"] for page in pages for story in page] == added
    assert [len(page) for page in pages[:-1]] == [limit] * (len(pages) - 1)


def test_a_page_has_100_stories_unless_the_limit_is_given(client: httpx.Client, work: Work) -> None:
    for number in range(101):
        work.add_story(f"1.{number}")
    pages = read_pages(client, stories_of(work))
    assert [len(page) for page in pages] == [100, 1]


def test_the_next_page_keeps_the_filters(client: httpx.Client, work: Work) -> None:
    for number in range(6):
        status = "done" if number % 2 else "draft"
        work.add_story(f"1.{number}", f"Refund & {number}", status)
    filters = {"status": "done", "q": "refund &", "epic": "1", "limit": 2}
    pages = read_pages(client, stories_of(work), **filters)
    assert [[story["id"] for story in page] for page in pages] == [["1.1", "1.3"], ["1.5"]]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_of_filtered_stories_have_each_once_across_sources(
    client: httpx.Client, database: str, limit: int
) -> None:
    board = Board(database)
    project = board.add_project()
    expected: list[str] = []
    for source in range(3):
        work = board.add_source(project)
        for number in range(12):
            status, epic = ("done", "draft")[number % 2], number % 3
            title = "Refund" if number % 4 else "Limits"
            work.add_story(f"{epic}.{source}{number}", title, status)
            if (status, epic, title) == ("done", 1, "Refund"):
                expected.append(f"{epic}.{source}{number}")
    filters = {"status": "done", "epic": "1", "q": "refund"}
    pages = read_pages(client, f"/api/projects/{project}/stories", limit=limit, **filters)
    assert [story["id"] for page in pages for story in page] == expected
    assert len(expected) == 3


def test_a_page_is_shorter_where_its_stories_are_large(
    client: httpx.Client, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        work.add_story(f"1.{number}", i_want="x" * 3000)
    monkeypatch.setattr("service.web.cursors.MAX_PAGE_BYTES", 10_000)
    monkeypatch.setattr(paging, "MAX_PAGE_BYTES", 10_000)
    pages = read_pages(client, stories_of(work))
    assert [story["id"] for page in pages for story in page] == [f"1.{n}" for n in range(9)]
    assert all(1 <= len(page) <= 2 for page in pages)


def test_stories_are_filtered_by_status(client: httpx.Client, work: Work) -> None:
    for number, status in enumerate(STATUSES):
        work.add_story(f"1.{number}", status=status)
    for number, status in enumerate(STATUSES):
        assert ids(client, work, status=status) == [f"1.{number}"]


def test_stories_are_filtered_by_epic_however_its_id_is_written(
    client: httpx.Client, work: Work
) -> None:
    for id_ in ("1.1", "01.2", "2.1", "AP-1.1", "E1.1", "10.1", ""):
        work.add_story(id_)
    for epic in ("1", "01", " 1 ", "Epic 1"):
        assert ids(client, work, epic=epic) == ["1.1", "01.2"]
    assert ids(client, work, epic="ap-1") == ["AP-1.1"]
    assert ids(client, work, epic="3") == []
    assert ids(client, work, epic="") == [""]


def test_stories_have_all_words_in_id_or_title(client: httpx.Client, work: Work) -> None:
    work.add_story("1.1", "Refund LIMITS")
    work.add_story("1.2", "Refund émail 100%")
    work.add_story("2.1", "Limit_s of émails")
    assert ids(client, work, q="refund") == ["1.1", "1.2"]
    assert ids(client, work, q="  limits\trefund ") == ["1.1"]
    assert ids(client, work, q="ÉMAIL") == ["1.2", "2.1"]
    assert ids(client, work, q="2.1 émails") == ["2.1"]
    assert ids(client, work, q="%") == ["1.2"]
    assert ids(client, work, q="_") == ["2.1"]
    assert ids(client, work, q="limits nothing") == []
    assert ids(client, work, q="") == ids(client, work, q=" ") == ["1.1", "1.2", "2.1"]


@pytest.mark.parametrize("limit", [1, 100])
def test_stories_by_tree(client: httpx.Client, database: str, limit: int) -> None:
    board = Board(database)
    project = board.add_project()
    trees = ("", "apps", "apps/web", "apps\tweb", "apps\nweb", "apps/web-old")
    for work in (board.add_source(project), board.add_source(project)):
        for tree in trees:
            for number in range(2):
                work.add_story(f"1.{number}", tree, tree=tree)
    for tree in trees:
        pages = read_pages(client, f"/api/projects/{project}/stories", tree=tree, limit=limit)
        found = [(story["tree"], story["title"], story["id"]) for page in pages for story in page]
        assert found == [(tree, tree or f"Story 1.{n}", f"1.{n}") for n in (0, 1)] * 2
    path = f"/api/projects/{project}/stories"
    assert len(read(client, path, tree="/apps/web/", epic="1", q="web")) == 4
    assert read(client, path, tree="web") == []


def test_archived_stories_are_there(client: httpx.Client, work: Work) -> None:
    work.add_story("1.1", archived=True)
    assert [story["archived"] for story in read(client, stories_of(work))] == [True]


def test_stories_of_a_deleted_source_are_not_there(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    kept, deleted = board.add_source(project), board.add_source(project)
    kept.add_story("1.1", is_ready=True)
    deleted.add_story("2.1", is_ready=True)
    deleted.delete_source()
    assert ids(client, kept) == ["1.1"]
    assert lists(client, kept)["ready"] == ["1.1"]


def cursor(*values: object) -> str:
    return base64.urlsafe_b64encode(f"stories {json.dumps(values)}".encode()).decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "+1"),
        ("limit", "\u0661"),
        ("limit", ""),
        ("cursor", "x"),
        ("cursor", ""),
        ("cursor", "\u00e9"),
        ("cursor", base64.urlsafe_b64encode(b"stories {}").decode()),
        ("cursor", base64.urlsafe_b64encode(b'epics [0, ""]').decode()),
        ("cursor", base64.urlsafe_b64encode(b'\xff [0, ""]').decode()),
        ("cursor", cursor()),
        ("cursor", cursor(1)),
        ("cursor", cursor("1", "a")),
        ("cursor", cursor(1, 2)),
        ("cursor", cursor(True, "a")),
        ("cursor", cursor(1.0, "a")),
        ("cursor", cursor(-1, "a")),
        ("cursor", cursor(2**63, "a")),
        ("cursor", cursor(1, "\0")),
        ("cursor", cursor(1, "\ud800")),
        ("cursor", cursor(1, "a", "b")),
        ("status", "Done"),
        ("status", ""),
        ("epic", "1" * 61),
        ("q", "x" * 257),
        ("q", "\0"),
    ],
)
def test_a_bad_parameter_is_a_400(client: httpx.Client, work: Work, name: str, value: str) -> None:
    problem = assert_problem(client.get(stories_of(work), params={name: value}), 400)
    assert list(problem["errors"]) == [name]


def test_all_bad_parameters_are_named(client: httpx.Client, work: Work) -> None:
    bad = {"limit": "x", "cursor": "x", "status": "x", "epic": "x" * 61, "q": "x" * 257}
    problem = assert_problem(client.get(stories_of(work), params=bad), 400)
    assert set(problem["errors"]) == set(bad)
    assert_problem(client.get(stories_of(work) + "?q=%ff"), 400)


def test_a_cursor_of_any_place_leads_to_what_comes_after_it(
    client: httpx.Client, work: Work
) -> None:
    work.add_story("1.1")
    assert ids(client, work, cursor=cursor(0, "z")) == ["1.1"]
    assert ids(client, work, cursor=cursor(2**63 - 1, "")) == []
    assert ids(client, work, cursor=cursor(2**63 - 1, "\u00e9" * 5000)) == []


@pytest.mark.parametrize("name", ["stories", "next"])
def test_the_stories_of_an_unknown_project_are_a_404(client: httpx.Client, name: str) -> None:
    problem = assert_problem(client.get(f"/api/projects/{UNKNOWN}/{name}"), 404)
    assert problem["detail"] == "There is no such project."
    assert_problem(client.get(f"/api/projects/x/{name}"), 400)


def test_a_project_without_stories_has_an_empty_list(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    assert read(client, f"/api/projects/{project}/stories") == []
    board.add_source(project)
    assert read(client, f"/api/projects/{project}/stories") == []
    assert read(client, f"/api/projects/{project}/stories", q="x") == []


# --- what comes next


def lists(client: httpx.Client, work: Work) -> dict[str, list[str]]:
    """Return the ids in each list of what comes next, whose totals are right."""
    found = read(client, f"/api/projects/{work.project}/next")
    totals = found.pop("totals")
    del totals["unknown"]
    assert totals == {name: len(stories) for name, stories in found.items()}
    return {name: [story["id"] for story in stories] for name, stories in found.items()}


WAITS = [awaited("1.1", "First", "draft")]


def test_what_comes_next_is_in_build_order(client: httpx.Client, database: str) -> None:
    board = Board(database)
    project = board.add_project()
    work, other = board.add_source(project), board.add_source(project)
    other.add_story("5.1", status="approved", is_ready=True)
    work.add_story("1.9", status="approved", is_ready=True)
    work.add_story("1.2", status="draft", is_ready=True)
    work.add_story("1.3", status="in_progress")
    work.add_story("1.4", status="review")
    work.add_story("1.5", status="blocked")
    work.add_story("1.6", status="approved", waits_for=WAITS)
    work.add_story("1.7", status="draft", waits_for=WAITS)
    work.add_story("1.8", status="draft")
    for status in ("done", "cancelled", "unknown"):
        work.add_story(f"2.{status}", status=status)
    for status in STATUSES:
        work.add_story(f"3.{status}", status=status, archived=True, is_ready=True)
    assert lists(client, work) == {
        "ready": ["1.9", "1.2", "5.1"],
        "in_progress": ["1.3", "1.4"],
        "blocked": ["1.5", "1.6", "1.7"],
        "to_prepare": ["1.8"],
    }


def test_the_next_stories_are_as_in_the_list_of_stories(client: httpx.Client, work: Work) -> None:
    path = "docs/stories/1.2.md"
    work.add_document(path)
    work.add_story("1.2", status="blocked", waits_for=WAITS, path=path)
    work.add_story("1.3", status="in_progress")
    found = read(client, f"/api/projects/{work.project}/next")
    assert found["blocked"] + found["in_progress"] == read(client, stories_of(work))
    assert found["blocked"][0]["waits_for"] == [WAITS[0] | {"document_id": None}]
    assert found["in_progress"][0]["since"] is None


def test_each_list_of_what_comes_next_is_short_and_has_its_total(
    client: httpx.Client, work: Work
) -> None:
    for number in range(101):
        work.add_story(f"1.{number}", status="in_progress")
    for number in range(11):
        work.add_story(f"2.{number}", status="draft")
    found = read(client, f"/api/projects/{work.project}/next")
    totals = {"ready": 0, "in_progress": 101, "blocked": 0, "to_prepare": 11, "unknown": 0}
    assert found["totals"] == totals
    assert [story["id"] for story in found["in_progress"]] == [f"1.{n}" for n in range(100)]
    assert [story["id"] for story in found["to_prepare"]] == [f"2.{n}" for n in range(10)]


def test_stories_of_an_unknown_status_are_counted_beside_what_comes_next(
    client: httpx.Client, work: Work
) -> None:
    for number in range(3):
        work.add_story(f"1.{number}", status="unknown", waits_for=WAITS if number else [])
    work.add_story("1.3", status="unknown", archived=True)
    found = read(client, f"/api/projects/{work.project}/next")
    totals = {"ready": 0, "in_progress": 0, "blocked": 0, "to_prepare": 0, "unknown": 3}
    assert found == {"ready": [], "in_progress": [], "blocked": [], "to_prepare": []} | {
        "totals": totals
    }


def test_nothing_comes_next_in_an_empty_project(client: httpx.Client, database: str) -> None:
    board = Board(database)
    work = board.add_source(board.add_project())
    assert lists(client, work) == {"ready": [], "in_progress": [], "blocked": [], "to_prepare": []}
