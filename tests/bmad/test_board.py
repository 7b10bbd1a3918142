"""The board of a source: the rows of its stories, epics and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.board import MAX_PLACE, Board, count_problems, count_stories
from service.bmad.problem_kinds import SEVERITIES
from service.bmad.reading import read_document
from tests.bmad.made import (
    board_of,
    entry,
    epic,
    epics,
    gate,
    links_of,
    listed,
    plan,
    sprint,
    story,
    ticket_epic,
    tickets,
    word,
)
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

if TYPE_CHECKING:
    from service.bmad.readings import Link, Reading


def _board(readings: dict[str, Reading]) -> Board:
    return board_of(readings, links_of(readings))


def _ids(board: Board) -> list[str]:
    return [row.id for row in board.stories]


def test_item_of_a_story_has_all_fields() -> None:
    reading = story(
        "2.10",
        title="Sign in",
        anchor="story-210-sign-in",
        statuses=[word("Done", "front_matter", 2), word("Review", "text", 9)],
        as_a="user",
        i_want="to sign in",
        so_that="I am known",
        acceptance_criteria_total=5,
        acceptance_criteria_done=4,
        acceptance_criteria_items_total=22,
        acceptance_criteria_items_done=21,
        tasks_total=6,
        tasks_done=5,
        subtasks_total=30,
        subtasks_done=29,
        review_findings=[{"text": "a", "action": "Patch", "is_open": True, "line": 40}],
        after=["2.9"],
    )
    board = _board(
        {
            "docs/stories/2.10.sign-in.md": reading,
            "docs/stories/2.9.form.md": story("2.9", "Approved", title="Form"),
            "docs/sprint-status.yaml": sprint({"2-9-form": "drafted", "2-10-sign-in": "review"}),
            "docs/qa/gates/2.10-sign-in.yml": gate(
                "PASS", "2.10", score=95, reviewer="Quinn", updated="2026-02-03"
            ),
        }
    )
    row = board.stories[1]
    path, tracker = "docs/stories/2.10.sign-in.md", "docs/sprint-status.yaml"
    gate_path = "docs/qa/gates/2.10-sign-in.yml"
    assert (row.file_path, row.id, row.epic, row.status) == (path, "2.10", "2", "done")
    assert row.item == {
        "tree": "",
        "path": path,
        "anchor": "story-210-sign-in",
        "id": "2.10",
        "epic": "2",
        "story": "10",
        "title": "Sign in",
        "status": "done",
        "status_evidence": [
            {
                "source": "front_matter",
                "status": "done",
                "word": "Done",
                "path": path,
                "line": 2,
                "decides": True,
            },
            {
                "source": "file",
                "status": "review",
                "word": "Review",
                "path": path,
                "line": 9,
                "decides": False,
            },
            {
                "source": "sprint_status",
                "status": "review",
                "word": "review",
                "path": tracker,
                "line": 4,
                "decides": False,
            },
            {
                "source": "gate",
                "status": None,
                "word": "PASS",
                "path": gate_path,
                "line": 2,
                "decides": False,
            },
        ],
        "is_built": False,
        "kind": "story",
        "as_a": "user",
        "i_want": "to sign in",
        "so_that": "I am known",
        "acceptance_criteria_total": 5,
        "acceptance_criteria_done": 4,
        "acceptance_criteria_items_total": 22,
        "acceptance_criteria_items_done": 21,
        "tasks_total": 6,
        "tasks_done": 5,
        "subtasks_total": 30,
        "subtasks_done": 29,
        "review_findings_open": 1,
        "gate": {
            "decision": "PASS",
            "score": 95,
            "reviewer": "Quinn",
            "updated": "2026-02-03",
            "expires": None,
            "document": {"path": gate_path, "line": 2},
        },
        "after": ["2.9"],
        "waits_for": [
            {
                "id": "2.9",
                "title": "Form",
                "status": "approved",
                "path": "docs/stories/2.9.form.md",
            }
        ],
        "is_ready": False,
        "archived": False,
    }


def test_stories_are_in_the_order_of_their_numbers() -> None:
    board = _board({f"s/{id_}.md": story(id_) for id_ in ("10.1", "2.10", "2.9", "2.9b", "")})
    assert _ids(board) == ["2.9", "2.9b", "2.10", "10.1", ""]


def test_entries_are_in_build_order() -> None:
    board = _board(
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("2", "mail"), ticket_epic("1", "login")]),
            "w/login/tickets.toml": tickets(entry("9", "Form"), entry("1", "Token")),
            "w/mail/tickets.toml": tickets(entry("3", "Send")),
            "w/mail/story-send-plan.md": plan("3", "done"),
        }
    )
    assert _ids(board) == ["2.3", "1.9", "1.1"]
    assert [row.status for row in board.stories] == ["done", "draft", "draft"]
    assert board.stories[1].item["status_evidence"] == [
        {
            "source": "tickets",
            "status": "draft",
            "word": "",
            "path": "w/login/tickets.toml",
            "line": 1,
            "decides": True,
        }
    ]


_LEAF: Final[dict[str, Any]] = {"acceptance_criteria_total": 3, "tasks_total": 1, "tasks_done": 0}
_PLAN: Final = {"tasks_total": 4, "tasks_done": 3, "subtasks_total": 2, "subtasks_done": 1}
_FINDING: Final = {"text": "Name it", "action": "Patch", "is_open": True, "line": 9}


@pytest.mark.parametrize(
    ("leaf", "of_plan", "criteria", "tasks"),
    [
        (_LEAF, {}, (3, None), (1, 0, 0, 0)),
        (_LEAF, _PLAN, (3, None), (4, 3, 2, 1)),
        (None, _PLAN, (0, None), (4, 3, 2, 1)),
        (
            _LEAF,
            {"acceptance_criteria_total": 2, "acceptance_criteria_done": 0},
            (2, 0),
            (1, 0, 0, 0),
        ),
    ],
)
def test_counts_of_the_plan_go_before_those_of_the_file(
    leaf: dict[str, Any] | None,
    of_plan: dict[str, int],
    criteria: tuple[int, int | None],
    tasks: tuple[int, ...],
) -> None:
    readings = {
        "w/tickets.toml": tickets(entry("1", "Sign in")),
        "w/story-sign-in-plan.md": plan("1", "in-progress", **of_plan),
    }
    if leaf:
        readings["w/story-sign-in.md"] = story(ticket="1", **leaf)
    [row] = _board(readings).stories
    names = ("acceptance_criteria_total", "acceptance_criteria_done")
    assert tuple(row.item[name] for name in names) == criteria
    names = ("tasks_total", "tasks_done", "subtasks_total", "subtasks_done")
    assert tuple(row.item[name] for name in names) == tasks


def test_findings_of_plan_and_file_count_together() -> None:
    board = _board(
        {
            "w/tickets.toml": tickets(entry("1", "Sign in")),
            "w/story-sign-in.md": story(ticket="1", review_findings=[_FINDING]),
            "w/story-sign-in-plan.md": plan("1", "done", review_findings=[_FINDING]),
        }
    )
    assert board.stories[0].item["review_findings_open"] == 2
    assert [(row.kind, row.file_path) for row in board.problems] == [
        ("review_finding_open", "w/story-sign-in-plan.md"),
        ("review_finding_open", "w/story-sign-in.md"),
    ]


def test_epics_have_their_documents_and_requirements() -> None:
    board = _board(
        {
            "docs/epics/epic-1.md": epics(epic("1", "Sign in", covers=["FR10", "FR9"])),
            "docs/stories/1.1.a.md": story("1.1", covers=["FR2"]),
        }
    )
    [row] = board.epics
    assert row.item == {
        "tree": "",
        "id": "1",
        "title": "Sign in",
        "status": None,
        "status_evidence": [],
        "documents": [{"path": "docs/epics/epic-1.md", "line": 1, "anchor": None}],
        "requirements": ["FR2", "FR9", "FR10"],
    }
    assert board.stories[0].epic_place == row.place


def test_status_of_an_epic_has_its_evidence() -> None:
    keys = [{"key": "epic-1", "status": word("in-progress", "sprint_status", 4)}]
    board = _board(
        {
            "docs/epics.md": epics(epic("1", "Sign in", statuses=[word("Done", line=7)])),
            "docs/sprint-status.yaml": sprint({}, epics=keys),
        }
    )
    [row] = board.epics
    assert row.item["status"] == "done"
    names = ("source", "status", "word", "path", "line", "decides")
    assert [tuple(each[name] for name in names) for each in row.item["status_evidence"]] == [
        ("file", "done", "Done", "docs/epics.md", 7, True),
        ("sprint_status", "in_progress", "in-progress", "docs/sprint-status.yaml", 4, False),
    ]


def test_epic_without_a_title_is_named_by_its_number() -> None:
    assert _board({"s/E1.1.md": story("E1.1")}).epics[0].item["title"] == "Epic E1"


def test_trees_do_not_mix_their_epics() -> None:
    board = _board({f"apps/{name}/docs/stories/1.1.a.md": story("1.1") for name in "ab"})
    places = [row.place for row in board.epics]
    assert [row.epic_place for row in board.stories] == places
    assert len({*places}) == 2


def test_epics_of_one_number_have_places_in_the_order_of_their_documents() -> None:
    board = _board(
        {
            "docs/epics-a.md": epics(epic("1", "Payments", stories=[listed("1.1", "Pay")])),
            "docs/epics-b.md": epics(epic("1", "Search"), epic("2", "Mail")),
        }
    )
    assert [row.item["title"] for row in board.epics] == ["Payments", "Search", "Mail"]
    assert len({row.place for row in board.epics}) == 3


def test_epic_covers_what_its_stories_and_entries_cover() -> None:
    board = _board(
        {
            "i/tickets.toml": tickets(epics=[ticket_epic("1", "pay")]),
            "i/pay/tickets.toml": tickets(entry("1", "Pay", covers=["FR2"])),
            "i/pay/story-pay.md": story("1", title="Pay", covers=["FR10"]),
        }
    )
    assert [row.item["requirements"] for row in board.epics] == [["FR2", "FR10"]]


def test_counts_leave_out_archived_stories() -> None:
    board = _board(
        {
            "s/1.1.a.md": story("1.1", "done"),
            "s/archive/1.2.b.md": story("1.2", "done"),
            "s/1.3.c.md": story("1.3", "Simmering"),
        }
    )
    assert count_stories(board) == {"done": 1, "unknown": 1}
    assert count_problems(board) == {"warning": 1}


def test_stories_that_are_built_are_counted_apart() -> None:
    board = _board(
        {
            "w/tickets.toml": tickets(entry("1", "A"), entry("2", "B")),
            "w/story-a-plan.md": plan("1", "built"),
            "w/story-b-plan.md": plan("2", "in-review"),
            "s/1.1.c.md": story("1.1", statuses=[word("Done"), word("built", "front_matter")]),
            "s/archive/1.2.d.md": story("1.2", "Built"),
        }
    )
    assert [row.item["is_built"] for row in board.stories] == [False, True, True, False]
    assert count_stories(board) == {"review": 2, "done": 1, "built": 1}


# Strings that name the same things, so that what is made refers to each other.
_TEXTS = st.sampled_from(
    ["", "1", "1.1", "1-1-a", "epic-1", "a", "E1.2", "3-5-1-x", "\u0130", "  "]
)
_WORDS = st.sampled_from(["done", "review", "draft", "", "Simmering"])


_FOLDERS = ("", "docs/stories/", "a/docs/", "w/", "w/epic-1/", "archive/", "gates/")
_NAMES = ("1.1.a.md", "1-1-a.md", "spec-1-1-a.md", "tickets.toml", "stories.yaml", "x.md")


def _candidate(id_: str) -> Reading:
    return {"candidate": story(id_)["story"]}  # pyright: ignore[reportTypedDictNotRequiredAccess]


def _some_story(id_: str, status: str, after: list[str]) -> Reading:
    return story(id_, status, after=after, covers=after)


def _some_sprint(keys: list[str]) -> Reading:
    return sprint(dict.fromkeys(keys, "done"))


def _some_tickets(ids: list[str], after: list[str], slugs: list[str]) -> Reading:
    return tickets(
        *[entry(id_, after=after) for id_ in ids],
        epics=[ticket_epic(slug, slug, after) for slug in slugs],
    )


def _some_epics(ids: list[str]) -> Reading:
    return epics(*[epic(id_, id_) for id_ in ids])


_LISTS = st.lists(_TEXTS, max_size=3)
_ANY_READING = st.one_of(
    st.builds(_some_story, _TEXTS, _WORDS, _LISTS),
    st.builds(_candidate, _TEXTS),
    st.builds(plan, _TEXTS, _WORDS),
    st.builds(_some_sprint, _LISTS),
    st.builds(_some_tickets, _LISTS, _LISTS, _LISTS),
    st.builds(gate, st.sampled_from(["PASS", "FAIL"]), _TEXTS),
    st.builds(_some_epics, _LISTS),
)
_PATHS = st.builds(str.__add__, st.sampled_from(_FOLDERS), st.sampled_from(_NAMES))
_READINGS = st.dictionaries(_PATHS, _ANY_READING, max_size=12)


@given(_READINGS)
def test_any_readings_have_a_board(readings: dict[str, Reading]) -> None:
    board = _board(readings)
    for rows in (board.stories, board.epics):
        places = [row.place for row in rows]
        assert places == sorted(places)
        assert len({*places}) == len(places)
    epic_places = {row.place for row in board.epics}
    assert {row.epic_place for row in board.stories} <= epic_places | {None}
    assert len({row.key for row in board.stories}) == len(board.stories)
    files = [row.file_path for row in board.stories if row.file_path]
    assert len({*files}) == len(files)
    # Every file of a story is on the board once, whatever the others say.
    assert {path for path, reading in readings.items() if "story" in reading} <= {*files}


def test_places_fit_into_an_index() -> None:
    folder = "/".join("".join(map(chr, range(start, start + 66))) for start in range(200, 950, 150))
    keys = [f"1.1.1-{'😀' * 240}-{end}" for end in "ab"]
    board = _board({f"{folder}/sprint-status.yaml": sprint(dict.fromkeys(keys, "done"))})
    places = {row.place for row in board.stories}
    assert len(places) == 2
    assert all(len(place.encode()) <= MAX_PLACE for place in places)


def _wide(many: int) -> dict[str, dict[str, Reading]]:
    """Return readings by what is the same in many documents."""
    return {
        "gates of one id": {
            **{f"docs/stories/1.1.a{number}.md": story("1.1") for number in range(many)},
            **{f"docs/qa/gates/1.1-b{number}.yml": gate("PASS", "1.1") for number in range(many)},
        },
        "trackers of one tree": {
            **{f"docs/stories/1.{number}.a.md": story(f"1.{number}") for number in range(many)},
            **{
                f"docs/sprint-status-{number}.yaml": sprint({f"{number}-1-b": "done"})
                for number in range(many)
            },
        },
        "keys of one number": {
            **{f"docs/stories/1.1.a{number}.md": story("1.1") for number in range(many)},
            "docs/sprint-status.yaml": sprint({f"1-1-b{n}": "done" for n in range(many)}),
        },
        "epics of one number": {
            **{f"docs/epics/{n}.md": epics(epic("1", f"a{n}")) for n in range(many)},
            **{f"docs/stories/1.{n}.a.md": story(f"1.{n}") for n in range(many)},
        },
        "stories that wait for an epic": {
            "w/tickets.toml": tickets(
                epics=[ticket_epic(str(n), f"e{n}", ["e1"] * many) for n in range(2)]
            ),
            "w/e0/tickets.toml": tickets(*[entry(str(n), after=["e1"]) for n in range(many)]),
            "w/e1/tickets.toml": tickets(*[entry(str(n)) for n in range(many)]),
            **{f"w/e1/story-{n}.md": story("", "done", ticket=str(n)) for n in range(many)},
        },
        "trees of tickets": {
            **{f"p{number}/tickets.toml": tickets(entry("1")) for number in range(many)},
            **{f"p{number}/story-a.md": story("") for number in range(many)},
        },
    }


@pytest.mark.parametrize("name", _wide(1))
def test_boards_take_linear_time(name: str) -> None:
    assert_linear(_board, lambda many: _wide(many)[name], 500)


def test_place_of_a_problem_begins_with_the_number_of_its_severity() -> None:
    refused = [("docs/a.md", "it is too large")]
    links = {"docs/b.md": story("1.1", statuses=[word("Finito")])}
    board = board_of(links, links_of(links), refused)
    assert len(board.problems) >= 2
    for row in board.problems:
        number, _, rest = row.order.partition("\t")
        assert SEVERITIES[int(number)] == row.severity
        assert rest.startswith(f"{row.kind}\t")


def test_epics_that_there_are_say_which_part_of_an_id_is_the_epic() -> None:
    key = {"key": "epic-10", "status": word("in-progress", "sprint_status")}
    board = _board(
        {
            "epics.md": epics(epic("10", "Mail", stories=[listed("10.1.5", "Send")])),
            "s/10-1-6-read.md": story("10.1.6"),
            "sprint-status.yaml": sprint(
                {"10-1-5-send": "backlog", "10-1-6-read": "done"}, epics=[key]
            ),
        }
    )
    assert [row.id for row in board.epics] == ["10"]
    assert [(row.id, row.epic, row.file_path) for row in board.stories] == [
        ("10.1.5", "10", None),
        ("10.1.6", "10", "s/10-1-6-read.md"),
    ]


def test_dead_links_of_a_line_are_in_the_order_of_the_text() -> None:
    text = "[z](z.md) [a](a.md) ![m](../../m.png) [b](b.md)\n"
    read = {path: read_document(bmad_document(text, path)) for path in ("docs/2.md", "docs/1.md")}
    board = _board(read)
    targets = ["z.md", "a.md", "../../m.png", "b.md"]
    assert [row.item["target"] for row in board.problems] == targets * 2
    assert len({row.order for row in board.problems}) == 2  # a run makes places of them in order


TITLED = "---\ntitle: Log in\n---\n\n## Status\n\nDone\n\n## Acceptance Criteria\n\n1. A form.\n"


def test_story_whose_file_has_no_title_has_the_one_that_its_epic_lists() -> None:
    texts = {
        "docs/epics/epic-1.md": "# Epic 1: Accounts\n\n### Story 1.1: Sign in with SSO\n\nText.\n",
        "docs/stories/1.1.sign-in-sso.md": " \n\n",
    }

    def board(texts: dict[str, str]) -> Board:
        return _board(
            {path: read_document(bmad_document(text, path)) for path, text in texts.items()}
        )

    made = board(texts)
    assert [row.title for row in made.stories] == ["Sign in with SSO"]
    assert [(row.kind, row.item["detail"], row.item["path"]) for row in made.problems] == [
        ("unreadable_document", "The file is empty.", "docs/stories/1.1.sign-in-sso.md")
    ]
    texts["docs/stories/1.1.sign-in-sso.md"] = "# Story 1.1: Log in\n\n## Status\n\nDone\n"
    assert [row.title for row in board(texts).stories] == ["Log in"]
    texts["docs/stories/1.1.sign-in-sso.md"] = TITLED
    assert [row.title for row in board(texts).stories] == ["Log in"]


def test_stories_epics_and_problems_name_their_tree() -> None:
    web, api = "apps/web/docs", "apps/api/docs"
    readings: dict[str, Reading] = {}
    for folder in (web, api):
        readings[f"{folder}/epics.md"] = epics(epic("1", f"Begin {folder}"))
        readings[f"{folder}/stories/1.1.a.md"] = story("1.1", statuses=[word("Finito")])
    dead: list[Link] = [{"target": "x.md", "line": 1, "path": "docs/x.md", "fragment": None}]
    # A document that says nothing of the work is in the nearest tree above, which may be the
    # repository itself.
    paths = [f"{web}/stories/1.1.a.md", f"{web}/notes.md", "apps/readme.md", f"{api}/x/y.md"]
    refused = [(f"{api}/large.md", "is too large"), ("large.md", "is too large")]
    links = [(path, dead) for path in paths]
    board = board_of(readings, links, refused)
    trees = ["apps/api", "apps/web"]
    assert [row.item["tree"] for row in board.epics] == trees
    assert [(row.item["tree"], row.file_path) for row in board.stories] == [
        ("apps/api", f"{api}/stories/1.1.a.md"),
        ("apps/web", f"{web}/stories/1.1.a.md"),
    ]
    found = {(row.kind, row.file_path, row.item["tree"]) for row in board.problems}
    assert found == {
        ("unknown_status", f"{api}/stories/1.1.a.md", "apps/api"),
        ("unknown_status", f"{web}/stories/1.1.a.md", "apps/web"),
        *(("broken_link", path, "apps/web") for path in paths[:2]),
        ("broken_link", "apps/readme.md", ""),
        ("broken_link", f"{api}/x/y.md", "apps/api"),
        ("unreadable_document", f"{api}/large.md", "apps/api"),
        ("unreadable_document", "large.md", ""),
    }
