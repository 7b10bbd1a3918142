"""Each epic once, whichever documents, trackers and stories name it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.bmad.epic_list import EpicList
from service.bmad.joining import TreeDocument, join_trees
from service.bmad.reading import read_document
from tests.bmad.made import (
    board_of,
    entry,
    epic,
    epics,
    listed,
    sprint,
    story,
    ticket_epic,
    tickets,
    word,
)
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

if TYPE_CHECKING:
    from service.bmad.readings import Coverage, Reading


def _list(readings: dict[str, Reading]) -> EpicList:
    documents = [TreeDocument(*each) for each in sorted(readings.items())]
    return EpicList("", documents, join_trees({"": documents})[""].items)


def test_documents_with_one_number_and_resembling_titles_are_about_one_epic() -> None:
    found = _list(
        {
            "docs/prd.md": epics(epic("1", "Foundation", covers=["FR1"]), epic("2", "Search")),
            "docs/epics/epic-1-foundation.md": epics(
                epic("01", "Foundation & core", covers=["FR2"])
            ),
        }
    ).epics
    assert [(each.id, each.title, [*each.covers]) for each in found] == [
        ("01", "Foundation & core", ["FR2", "FR1"]),
        ("2", "Search", []),
    ]
    assert [each.path for each in found[0].documents] == [
        "docs/epics/epic-1-foundation.md",
        "docs/prd.md",
    ]


@pytest.mark.parametrize(
    ("readings", "id_"),
    [
        ({"epic-01/01-a.md": story("01.01")}, "1"),
        ({"epic-01/01-a.md": story("01.01"), "s/1.2.b.md": story("1.2")}, "1"),
        ({"s/1.2.b.md": story("E01.2")}, "E1"),
        ({"s/1.2.b.md": story("0.2")}, "0"),
        ({"s/1.2.b.md": story("10.2")}, "10"),
        ({"epic-01/a.md": story("01.01"), "epics.md": epics(epic("1", "A"))}, "1"),
        ({"epic-01/a.md": story("01.01"), "epics.md": epics(epic("01", "A"))}, "01"),
        ({"s/1.2.b.md": story("1.2"), "epics.md": epics(epic("01", "A"))}, "01"),
        (
            {
                "sprint-status.yaml": sprint(
                    {"01-02-b": "done"},
                    epics=[{"key": "epic-01", "status": word("done", "sprint_status")}],
                )
            },
            "1",
        ),
    ],
)
def test_leading_zeros_of_an_epic_are_shown_where_its_document_has_them(
    readings: dict[str, Reading], id_: str
) -> None:
    assert [each.id for each in _list(readings).epics] == [id_]


def test_second_document_that_counts_from_1_again_has_epics_of_its_own() -> None:
    made = _list(
        {
            "docs/epics.md": epics(epic("1", "Sign in", stories=[listed("1.1", "Form")])),
            "docs/epics-next.md": epics(epic("1", "Reports", stories=[listed("1.1", "Export")])),
            "s/1.1.export.md": story("1.1", title="Export"),
            "s/1.1.form.md": story("1.1", title="Form"),
        }
    )
    assert {each.title: [item.title for item in each.items] for each in made.epics} == {
        "Sign in": ["Form"],
        "Reports": ["Export"],
    }


def test_coverage_map_says_what_epics_cover() -> None:
    lines: list[Coverage] = [
        {"requirement": "FR1", "epics": ["1"], "stories": [], "line": 3},
        {"requirement": "FR2", "epics": [], "stories": ["1.2"], "line": 4},
        {"requirement": "FR3", "epics": ["9"], "stories": [], "line": 5},
    ]
    [found] = _list({"epics.md": epics(epic("1", "Sign in")), "prd.md": {"coverage": lines}}).epics
    assert [*found.covers] == ["FR1", "FR2"]


def test_prefixes_are_different_epics() -> None:
    found = _list({"s/a.md": story("1.1"), "s/b.md": story("E1.1"), "s/c.md": story("AP-1.1")})
    assert sorted(each.id for each in found.epics) == ["1", "AP-1", "E1"]


def test_epic_without_a_document_has_the_title_of_a_comment() -> None:
    found = _list(
        {
            "sprint-status.yaml": sprint(
                {"1-1-a": "done"},
                epics=[{"key": "epic-1", "status": word("done", "sprint_status")}],
                titles={"1": "Sign in", "2": "Mail"},
            )
        }
    ).epics
    assert [(each.id, each.title, len(each.said)) for each in found] == [
        ("1", "Sign in", 1),
        ("2", "Mail", 0),
    ]


def test_epics_of_tickets_are_found_by_id_and_slug() -> None:
    made = _list(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("2", "mail"), ticket_epic("1", "login")]),
            "w/login/tickets.toml": tickets(entry("1", "Form")),
        }
    )
    assert [(each.id, each.order) for each in made.epics] == [("2", 0), ("1", 1)]
    login = made.find("1")
    assert login
    assert made.find("login") is made.find("epic-login") is login
    assert [item.title for item in login.items] == ["Form"]


def test_archived_documents_name_no_epics() -> None:
    assert _list({"docs/archive/epic-9.md": epics(epic("9", "Old"))}).epics == []


def test_archived_stories_alone_are_no_epic() -> None:
    made = _list({"archive/1.1.a.md": story("1.1"), "archive/9.1.z.md": story("9.1")})
    assert made.epics == []
    assert made.of_item == {}
    made = _list({"archive/1.1.a.md": story("1.1"), "s/1.2.b.md": story("1.2")})
    assert [[item.id for item in each.items] for each in made.epics] == [["1.2", "1.1"]]


def test_tracker_that_is_no_longer_kept_names_no_epics() -> None:
    said = {"key": "epic-1", "status": word("done", "sprint_status")}
    other = {"key": "epic-7", "status": word("done", "sprint_status")}
    now = {"key": "epic-1", "status": word("in-progress", "sprint_status")}
    [found] = _list(
        {
            "sprint-status-backup.yaml": sprint({}, epics=[said, other], titles={"8": "Old"}),
            "sprint-status.yaml": sprint({}, epics=[now]),
        }
    ).epics
    assert (found.id, [each.word["status"] for each in found.said]) == ("1", ["in_progress"])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("_bmad-output/sprint-status.yaml", "docs/sprint-status.yaml"),
        ("docs/sprint-status.yaml", "docs/sprint-status-mobile.yaml"),
        ("docs/sprint-status.yaml", "docs/sprint-status.yml"),
        ("docs/sprint-status-10.yaml", "docs/sprint-status-9.yaml"),
        ("docs/sprint-2/sprint-status.yaml", "docs/sprint-1/sprint-status.yaml"),
    ],
)
def test_one_tracker_decides_of_stories_and_epics(first: str, second: str) -> None:
    def tracker(status: str) -> Reading:
        epics = [{"key": "epic-1", "status": word(status, "sprint_status", 2)}]
        return sprint({"1-1-a": status, "1-2-b": status}, epics=epics)

    readings: dict[str, Reading] = {
        first: tracker("review"),
        second: tracker("done"),
        "docs/stories/1-1-a.md": story("1.1"),
    }
    board = board_of(dict(sorted(readings.items())), [])
    assert [row.status for row in board.stories] == ["review", "review"]
    assert [row.item["status"] for row in board.epics] == ["review"]
    deciding = {
        each["path"]
        for row in (*board.stories, *board.epics)
        for each in row.item["status_evidence"]
        if each["decides"]
    }
    assert deciding == {first}


def test_spec_decides_the_status_of_its_epic_before_the_tracker() -> None:
    folder = "docs/specs/spec-booking"
    text = "---\nstatus: Draft\n---\n\n# SPEC: Book a visit\n"
    readings: dict[str, Reading] = {
        f"{folder}/SPEC.md": read_document(bmad_document(text, f"{folder}/SPEC.md")),
        f"{folder}/stories.yaml": tickets(entry("1", "Form")),
        "docs/sprint-status.yaml": sprint(
            {},
            epics=[{"key": "epic-booking", "status": word("in-progress", "sprint_status", 7)}],
        ),
    }
    board = board_of(readings, [])
    [row] = board.epics
    assert row.item["status"] == "draft"
    said = [(each["source"], each["word"], each["decides"]) for each in row.item["status_evidence"]]
    assert said == [("front_matter", "Draft", True), ("sprint_status", "in-progress", False)]
    assert [row.kind for row in board.problems] == ["status_conflict"]


def test_title_of_a_spec_is_that_of_its_epic() -> None:
    folder = "docs/specs/spec-booking"
    readings: dict[str, Reading] = {
        f"{folder}/SPEC.md": read_document(
            bmad_document("---\nstatus: final\n---\n\n# SPEC: Book a visit\n", f"{folder}/SPEC.md")
        ),
        f"{folder}/stories.yaml": tickets(entry("1", "Form")),
        "docs/specs/spec-mail/stories.yaml": tickets(entry("1", "Send")),
        "docs/specs/spec-empty/stories.yaml": tickets(),
    }
    board = board_of(readings, [])
    assert [(row.id, row.item["title"]) for row in board.epics] == [
        ("booking", "Book a visit"),
        ("mail", "Mail"),
    ]
    assert board.epics[0].item["documents"] == [
        {"path": f"{folder}/SPEC.md", "line": 5, "anchor": "spec-book-a-visit"},
        {"path": f"{folder}/stories.yaml", "line": 1, "anchor": None},
    ]


def test_many_names_of_stories_are_looked_up_in_linear_time() -> None:
    def look_up(size: int) -> None:
        stories = [listed(f"1.{number}") for number in range(size)]
        made = EpicList("", [TreeDocument("epics.md", epics(epic("1", stories=stories)))], [])
        assert made.do_list("01.1")
        assert not any(made.do_list(f"1.{size + number}") for number in range(10 * size))

    assert_linear(look_up, lambda size: size, 200)
