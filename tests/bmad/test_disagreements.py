"""The problems of a tree: each kind, and what is none."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, get_args

import pytest

from service.bmad.problem_kinds import ProblemKind
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

if TYPE_CHECKING:
    from service.bmad.readings import Link, Reading, ReviewFinding


def _problems(
    readings: dict[str, Reading], skipped: list[tuple[str, str]] | None = None
) -> list[tuple[str, str, str | None]]:
    board = board_of(readings, links_of(readings), skipped or [])
    return [(row.kind, row.severity, row.item["detail"]) for row in board.problems]


FINDING: ReviewFinding = {"text": "Name it", "action": "Patch", "is_open": True, "line": 9}
# Of each kind: documents, the severity and the sentence of the only problem that they have.
EXAMPLES: list[tuple[ProblemKind, dict[str, Reading], str, str]] = [
    (
        "status_conflict",
        {
            "s/1.1.a.md": story("1.1", "In Progress"),
            "sprint-status.yaml": sprint({"1-1-a": "done"}),
        },
        "warning",
        "Of the story 1.1 (A title), the text says “In Progress” and sprint-status says “done”.",
    ),
    (
        "status_conflict",
        {"s/1.1.a.md": story("1.1", statuses=[word("done", "front_matter"), word("review")])},
        "warning",
        "Of the story 1.1 (A title), the front matter says “done” and the text says “review”.",
    ),
    (
        "status_conflict",
        {"s/1.1.a.md": story("1.1", "Draft"), "gates/1.1-a.yml": gate("PASS", "1.1")},
        "warning",
        "The story 1.1 (A title) is draft, and its gate says PASS.",
    ),
    (
        "status_conflict",
        {"s/1.1.a.md": story("1.1", "Approved"), "gates/1.1-a.yml": gate("PASS", "1.1")},
        "info",
        "The story 1.1 (A title) is approved, and its gate says PASS.",
    ),
    (
        "status_conflict",
        {
            "w/tickets.toml": tickets(entry("1", "A title")),
            "w/story-a-title.md": story(
                statuses=[word("ready-for-dev", "tracker_status")], ticket="1"
            ),
            "w/story-a-title-plan.md": plan("1", "done"),
        },
        "info",
        "Of the story 1 (A title), the plan says “done” and tracker_status says “ready-for-dev”.",
    ),
    (
        "status_conflict",
        {
            "w/tickets.toml": tickets(entry("1", "A title")),
            "w/story-a-title.md": story(statuses=[word("done", "tracker_status")], ticket="1"),
            "w/story-a-title-plan.md": plan("1", "in-progress"),
        },
        "warning",
        "Of the story 1 (A title), the plan says “in-progress” and tracker_status says “done”.",
    ),
    (
        "duplicate_id",
        {
            "docs/stories/STORY-001.md": story("STORY-001", "done"),
            "docs/stories/done/story-001-sign-in.md": story("STORY-001", "done", "Sign in"),
        },
        "warning",
        "The story 001 (Sign in) has the id of docs/stories/STORY-001.md.",
    ),
    (
        "duplicate_id",
        {
            "s/1-2-sign-in-notes.md": story("1.2", "done", "Notes"),
            "s/1-2-sign-in.md": story("1.2", "done"),
        },
        "warning",
        "The story 1.2 (Notes) has the id of s/1-2-sign-in.md.",
    ),
    (
        "unknown_status",
        {"s/1.1.a.md": story("1.1", "Simmering")},
        "warning",
        "The status “Simmering” of the story 1.1 (A title) is not known.",
    ),
    (
        "key_without_file",
        {"sprint-status.yaml": sprint({"1-1-a": "done"})},
        "warning",
        "The key 1-1-a is “done” and has no file.",
    ),
    (
        "key_without_file",
        {"sprint-status.yaml": sprint({"1-1-a": "backlog"})},
        "info",
        "The key 1-1-a is “backlog” and has no file.",
    ),
    (
        "file_without_key",
        {"s/1.1.a.md": story("1.1", "done"), "sprint-status.yaml": sprint({})},
        "info",
        "The story 1.1 (A title) has no key in sprint-status.yaml.",
    ),
    (
        "duplicate_id",
        {"s/1.1.a.md": story("1.1", "done"), "s/1.1.b.md": story("1.1", "done")},
        "warning",
        "The story 1.1 (A title) has the id of s/1.1.a.md.",
    ),
    (
        "epic_owes_stories",
        {
            "s/1.1.a.md": story("1.1", "review"),
            "epics/epic-1.md": epics(epic("1", statuses=[word("done")])),
        },
        "warning",
        "The epic 1 is “done” in the text, and 1 story is not.",
    ),
    (
        "retrospective_rejected",
        {
            "epic-1-retro.md": {
                "retrospective": {"epic": "1", "verdict": "rejected", "word": "rejected", "line": 2}
            },
            "sprint-status.yaml": sprint(
                {}, epics=[{"key": "epic-1", "status": word("done", "sprint_status")}]
            ),
        },
        "warning",
        "The retrospective rejects the epic 1, of which sprint-status says “done”.",
    ),
    (
        "retrospective_rejected",
        {
            "epic-1-retro.md": {
                "retrospective": {"epic": "1", "verdict": "rejected", "word": "rejected", "line": 2}
            },
            "epics/epic-1.md": epics(epic("1", statuses=[word("Complete")])),
        },
        "warning",
        "The retrospective rejects the epic 1, of which the text says “Complete”.",
    ),
    (
        "gate_failed",
        {"s/1.1.a.md": story("1.1", "review"), "gates/1.1-a.yml": gate("FAIL", "1.1")},
        "error",
        "The gate of the story 1.1 (A title) has failed.",
    ),
    (
        "gate_waived",
        {
            "s/1.1.a.md": story("1.1", "done"),
            "gates/1.1-a.yml": gate("WAIVED", "1.1", waiver_reason="A demo"),
        },
        "info",
        "The gate of the story 1.1 (A title) is waived: A demo.",
    ),
    (
        "gate_expired",
        {
            "s/1.1.a.md": story("1.1", "review"),
            "gates/1.1-a.yml": gate("PASS", "1.1", expires="2026-01-31T10:00:00Z"),
        },
        "warning",
        "The gate of the story 1.1 (A title) expired on 2026-01-31.",
    ),
    (
        "gate_expired",
        {
            "s/1.1.a.md": story("1.1", "done"),
            "gates/1.1-a.yml": gate("PASS", "1.1", expires="2026-01-31T10:00:00Z"),
        },
        "info",
        "The gate of the story 1.1 (A title) expired on 2026-01-31.",
    ),
    (
        "gate_without_story",
        {"gates/9.9-x.yml": gate("PASS", "9.9")},
        "info",
        "The gate names no story that there is.",
    ),
    (
        "review_finding_open",
        {
            "s/1.1.a.md": story(
                "1.1", "done", review_findings=[FINDING, {**FINDING, "is_open": False}]
            )
        },
        "warning",
        "Open review finding of the story 1.1 (A title): Name it",
    ),
    (
        "deferred_work",
        {
            "deferred-work.md": {
                "deferred": [
                    {"text": "Cache it", "source": None, "is_open": True, "line": 3},
                    {"text": "Done", "source": None, "is_open": False, "line": 4},
                ]
            }
        },
        "info",
        "Deferred: Cache it",
    ),
    (
        "action_item_open",
        {
            "sprint-status.yaml": sprint(
                {},
                action_items=[
                    {"epic": "1", "action": "Ask", "owner": None, "status": None, "line": 9},
                    {
                        "epic": "1",
                        "action": "Told",
                        "owner": None,
                        "status": word("done", "sprint_status"),
                        "line": 12,
                    },
                ],
            )
        },
        "info",
        "Open action item: Ask",
    ),
    (
        "requirement_without_story",
        {
            "prd.md": {
                "requirements": [
                    {"id": "FR1", "text": "Sign in.", "line": 3},
                    {"id": "FR-2", "text": "Sign out.", "line": 4},
                    {"id": "FR3", "text": "Mail.", "line": 5},
                ],
                "coverage": [{"requirement": "FR2", "epics": ["1"], "stories": [], "line": 9}],
            },
            "epics.md": epics(epic("1", covers=["FR1"], stories=[listed("1.1")])),
        },
        "warning",
        "No story is known for the requirement FR3: Mail.",
    ),
    (
        "broken_link",
        {"a.md": {"links": [{"target": "b.md", "line": 7, "path": "b.md", "fragment": None}]}},
        "warning",
        "The link to b.md leads to no file or folder of the repository.",
    ),
    (
        "unreadable_document",
        {
            "gates/1.1-a.yml": gate("PASS", "1.1", notes=["Line 3 is not YAML."]),
            "s/1.1.md": story("1.1", "done"),
        },
        "warning",
        "Line 3 is not YAML.",
    ),
    (
        "unknown_dependency",
        {"tickets.toml": tickets(entry("1", "A", after=["9"]))},
        "warning",
        "The story 1 (A) waits for “9”, which is nothing that there is.",
    ),
    (
        "undeclared_dependency",
        {
            "w/tickets.toml": tickets(epics=[ticket_epic("1", "login"), ticket_epic("2", "mail")]),
            "w/login/tickets.toml": tickets(entry("1", "Form")),
            "w/mail/tickets.toml": tickets(entry("1", "Send", after=["1.1"])),
        },
        "warning",
        "The story 2.1 (Send) waits for the epic 1, which its own epic does not declare.",
    ),
    (
        "dependency_cycle",
        {
            "s/1.1.a.md": story("1.1", "Draft", "A", after=["1.2"]),
            "s/1.2.b.md": story("1.2", "In Progress", "B", after=["1.1"]),
        },
        "warning",
        "The story 1.1 (A) waits for the story 1.2 (B), which waits for the story 1.1 (A).",
    ),
    (
        "dependency_conflict",
        {
            "w/tickets.toml": tickets(entry("1", "A"), entry("2", "B", after=["1"])),
            "w/story-b.md": story(title="B", after=["3"]),
        },
        "warning",
        "In its file, the story 2 (B) waits for “3”, and in its entry for “1”.",
    ),
    (
        "dependency_conflict",
        {
            "w/tickets.toml": tickets(*(entry(str(id_), "ABCD"[id_ - 1]) for id_ in (1, 2, 3, 4))),
            "w/story-d.md": story(title="D", after=["1", "2", "3"]),
        },
        "warning",
        "In its file, the story 4 (D) waits for “1”, “2” and “3”, and in its entry for nothing.",
    ),
    (
        "plan_without_ticket",
        {"w/story-a-plan.md": plan("7", "done")},
        "warning",
        "The plan's ticket “7” names no entry and no file beside it.",
    ),
]


def test_tracker_that_is_no_longer_kept_is_no_problem() -> None:
    action: dict[str, object] = {"epic": None, "action": "a", "owner": None, "status": None}
    assert (
        _problems(
            {
                "docs/sprint-status-old.yaml": sprint(
                    {"1-1-a": "backlog", "1-9-z": "done"},
                    epics=[{"key": "epic-1", "status": word("done", "sprint_status")}],
                    action_items=[action | {"line": 9}],
                ),
                "docs/stories/1-1-a.md": story("1.1", "review"),
            }
        )
        == []
    )


def test_archived_gate_alone_is_no_problem() -> None:
    readings = {"s/1.1.a.md": story("1.1", "done"), "g/old/1.1-a.yml": gate("FAIL", "1.1")}
    assert _problems(readings) == []


def _owed(readings: dict[str, Reading]) -> list[str | None]:
    return [detail for kind, _, detail in _problems(readings) if kind == "epic_owes_stories"]


def test_epic_that_is_done_owes_the_stories_that_it_only_lists() -> None:
    stories = [listed("1.1", "Form"), listed("1.2", "Token"), listed("1.3", "Mail")]
    stories += [listed("1.4", "Dropped"), listed("", "Reset"), listed("1.6", "Archived")]
    stories[3]["statuses"] = [word("cancelled")]
    done = epic("1", statuses=[word("done")], stories=stories)
    readings = {
        "epics.md": epics(done),
        "epics/epic-1.md": epics(epic("1", stories=stories)),
        "s/1.1.form.md": story("1.1", "done", title="Form"),
        "s/token.md": story("", "done", title="Token", epic="1"),
        "archive/1.6.archived.md": story("1.6", "draft"),
    }
    assert _owed(readings) == ["The epic 1 is “done” in the text, and 2 stories are not."]
    readings["s/1.3.mail.md"] = story("1.3", "draft", title="Mail")
    assert _owed(readings) == ["The epic 1 is “done” in the text, and 2 stories are not."]
    assert _owed(readings | {"s.yaml": sprint({"1-5-reset": "done"})}) == [
        "The epic 1 is “done” in the text, and 1 story is not."
    ]


def test_stories_that_are_listed_alone_are_owed_if_they_or_the_project_say_so() -> None:
    plain = epic("1", statuses=[word("done")], stories=[listed("1.1", "Form")])
    assert _owed({"epics.md": epics(plain)}) == []
    said = [listed("1.1", "Form"), listed("1.2", "Token")]
    said[0]["statuses"], said[1]["statuses"] = [word("review")], [word("done")]
    assert _owed({"epics.md": epics(epic("1", statuses=[word("done")], stories=said))}) == [
        "The epic 1 is “done” in the text, and 1 story is not."
    ]


def test_epic_whose_sources_disagree_is_a_conflict_at_the_one_that_does_not_decide() -> None:
    keys = [{"key": "epic-1", "status": word("done", "sprint_status", 7)}]
    readings = {
        "docs/epics/epic-1.md": epics(epic("1", statuses=[word("In Progress")])),
        "docs/sprint-status.yaml": sprint({}, epics=keys),
        "docs/stories/1-1-a.md": story("1.1", "review"),
    }
    board = board_of(readings, links_of(readings))
    [row] = [row for row in board.problems if row.kind == "status_conflict"]
    assert (row.severity, row.item["detail"], row.item["path"], row.item["line"]) == (
        "warning",
        "Of the epic 1, the text says “In Progress” and sprint-status says “done”.",
        "docs/sprint-status.yaml",
        7,
    )
    assert _owed(readings) == ["The epic 1 is “done” in sprint-status, and 1 story is not."]
    readings["docs/epics/epic-1.md"] = epics(epic("1", statuses=[word("Completed")]))
    assert all(kind != "status_conflict" for kind, *_ in _problems(readings))


def _with_key_twice(*words: str) -> Reading:
    """Return a tracker that has the key of story 1.1 once for each word, from line 3 on."""
    entries = [
        {"key": "1-1-a", "status": word(each, "sprint_status", line)}
        for line, each in enumerate(words, 3)
    ]
    return sprint({}, stories=entries)


def test_later_statuses_of_a_text_are_no_conflict() -> None:
    said = [word("Done", line=3), word("Draft", line=60)]
    assert _problems({"s/1.1.a.md": story("1.1", statuses=said)}) == []


def test_key_without_a_value_is_no_conflict() -> None:
    for words in (("",), ("", "draft"), ("draft", "")):
        readings = {
            "sprint-status.yaml": _with_key_twice(*words),
            "s/1-1-a.md": story("1.1", "done"),
        }
        conflicts = [detail for kind, _, detail in _problems(readings) if kind == "status_conflict"]
        assert ["draft" in str(each) for each in conflicts] == [True] * ("draft" in words)


def test_key_that_stands_twice_with_other_values_is_one_conflict() -> None:
    readings = {"sprint-status.yaml": _with_key_twice("done", "review")}
    assert _problems(readings) == [
        ("key_without_file", "warning", "The key 1-1-a is “review” and has no file."),
        (
            "status_conflict",
            "warning",
            "Of the story 1.1 (A), sprint-status says “review” and sprint-status says “done”.",
        ),
    ]
    same = {"sprint-status.yaml": _with_key_twice("done", "done")}
    assert [kind for kind, *_ in _problems(same)] == ["key_without_file"]
    for status, said in (("review", "done"), ("done", "review"), ("In Progress", "review")):
        conflicts = _problems(readings | {"s/1-1-a.md": story("1.1", status)})
        assert [detail for kind, _, detail in conflicts if kind == "status_conflict"] == [
            f"Of the story 1.1 (A title), the text says “{status}” and sprint-status says “{said}”."
        ]


def test_last_of_equal_keys_decides_the_status_of_an_epic() -> None:
    keys = [
        {"key": "epic-1", "status": word(each, "sprint_status", line)}
        for line, each in enumerate(("in-progress", "done"), 3)
    ]
    readings = {"sprint-status.yaml": sprint({}, epics=keys)}
    board = board_of(readings, links_of(readings))
    assert [row.item["status"] for row in board.epics] == ["done"]
    assert _problems(readings) == [
        (
            "status_conflict",
            "warning",
            "Of the epic 1, sprint-status says “done” and sprint-status says “in-progress”.",
        )
    ]


@pytest.mark.parametrize(("kind", "readings", "severity", "detail"), EXAMPLES)
def test_documents_have_the_problem(
    kind: ProblemKind, readings: dict[str, Reading], severity: str, detail: str
) -> None:
    assert _problems(readings) == [(kind, severity, detail)]


@pytest.mark.parametrize(
    ("status", "is_one"),
    [("Draft", True), ("In Progress", True), ("Review", False), ("Done", False)],
)
def test_missing_story_is_a_problem_of_one_that_has_not_ended(status: str, *, is_one: bool) -> None:
    readings = {"s/1.1.a.md": story("1.1", status, "A", after=["1.9"], after_stories=["1.9"])}
    detail = "The story 1.1 (A) waits for “1.9”, which is nothing that there is."
    assert _problems(readings) == [("unknown_dependency", "warning", detail)] * is_one


def test_every_kind_has_an_example() -> None:
    assert {kind for kind, *_ in EXAMPLES} == {*get_args(ProblemKind)}


@pytest.mark.parametrize("readings", [readings for _, readings, *_ in EXAMPLES[:4]])
def test_archived_documents_have_no_problems_of_the_work(readings: dict[str, Reading]) -> None:
    archived = {
        f"archive/{path}": reading for path, reading in readings.items() if "story" in reading
    }
    assert _problems(archived) == []


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("docs/login/01-form.md", "docs/mail/01-send.md"),
        ("docs/login/stories/story-1.md", "docs/mail/stories/story-1.md"),
        ("docs/stories/story-1-form.md", "docs/stories/bug-1-crash.md"),
    ],
)
def test_numbers_without_an_epic_begin_again_in_other_folders(path: str, other: str) -> None:
    assert _problems({path: story("1", "done"), other: story("1", "done")}) == []


def test_file_that_the_tracker_names_has_its_id_first() -> None:
    readings = {
        "s/1-2-a.md": story("1.2", "done"),
        "s/1-2-b.md": story("1.2", "done"),
        "sprint-status.yaml": sprint({"1-2-b": "done"}),
    }
    assert ("duplicate_id", "warning", "The story 1.2 (A title) has the id of s/1-2-b.md.") in (
        _problems(readings)
    )


@pytest.mark.parametrize("status", ["In Progress", "Review", "Done"])
def test_gate_that_passes_a_story_that_has_begun_is_no_conflict(status: str) -> None:
    assert _problems({"s/1.1.a.md": story("1.1", status), "g.yml": gate("PASS", "1.1")}) == []


def test_done_story_whose_gate_has_failed_is_a_conflict_too() -> None:
    problems = _problems({"s/1.1.a.md": story("1.1", "done"), "g.yml": gate("FAIL", "1.1")})
    assert [kind for kind, *_ in problems] == ["gate_failed", "status_conflict"]


def test_gate_that_expires_appears_on_the_day_after() -> None:
    readings = {
        "s/1.1.md": story("1.1", "done"),
        "g.yml": gate("PASS", "1.1", expires="2026-01-31"),
    }
    [row] = board_of(readings, links_of(readings)).problems
    assert row.appears_on == date(2026, 2, 1)


@pytest.mark.parametrize("expires", ["", "never", "2026-13-01", "31.01.2026"])
def test_gate_with_an_unreadable_day_does_not_expire(expires: str) -> None:
    readings = {"s/1.1.md": story("1.1", "done"), "g.yml": gate("PASS", "1.1", expires=expires)}
    assert _problems(readings) == []


def test_older_gates_do_not_count() -> None:
    readings = {
        "s/1.1.md": story("1.1", "done"),
        "a.yml": gate("FAIL", "1.1", updated="2026-01-01"),
        "b.yml": gate("PASS", "1.1", updated="2026-02-01"),
    }
    assert _problems(readings) == []


@pytest.mark.parametrize(
    ("covered", "stated", "are_missed"),
    [
        ("FR1", "FR2", True),
        ("FR1", "UX-DR2", False),  # nothing is said of what UX-DRs are covered by
        ("FR1", "FR-01", False),
        ("FR2.7", "FR2", False),  # a group
        ("FR2.7", "FR27", True),
        ("FR27", "FR-2.7", True),
    ],
)
def test_requirements_of_kinds_that_are_covered_have_stories(
    covered: str, stated: str, *, are_missed: bool
) -> None:
    readings: dict[str, Reading] = {
        "prd.md": {"requirements": [{"id": stated, "text": "Mail.", "line": 3}]},
        "s/1.1.a.md": story("1.1", covers=[covered]),
    }
    kinds = [kind for kind, _, _ in _problems(readings)]
    assert kinds == ["requirement_without_story"] * are_missed


def test_requirements_count_only_where_documents_say_what_is_covered() -> None:
    requirement = {"id": "FR1", "text": "Sign in.", "line": 3}
    assert _problems({"prd.md": {"requirements": [requirement]}}) == []  # pyright: ignore[reportArgumentType]


def test_retrospective_that_rejects_an_epic_under_way_is_no_problem() -> None:
    rejected = {"epic": "1", "verdict": "rejected", "word": "rejected", "line": 2}
    keys = [{"key": "epic-1", "status": word("in-progress", "sprint_status")}]
    readings = {"r.md": {"retrospective": rejected}, "s.yaml": sprint({}, epics=keys)}
    assert _problems(readings) == []  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("name", ["1", "epic-payments", "Payments"])
def test_retrospective_names_its_epic_by_number_or_title(name: str) -> None:
    rejected = {"epic": name, "verdict": "rejected", "word": "rejected", "line": 2}
    keys = [
        {"key": f"epic-{number}", "status": word("done", "sprint_status")} for number in (1, 2, 3)
    ]
    for third, found in (("Accounts", 1), ("Payments", 1 if name == "1" else 0)):
        titles = {"1": "Payments", "2": "Search", "3": third}
        readings = {
            "r.md": {"retrospective": rejected},
            "s.yaml": sprint({}, epics=keys, titles=titles),
        }
        problems = _problems(readings)  # pyright: ignore[reportArgumentType]
        assert [kind for kind, *_ in problems] == ["retrospective_rejected"] * found
        assert all("epic 1" in str(detail) for *_, detail in problems)


@pytest.mark.parametrize(
    ("path", "lack"),
    [
        ("docs/stories/1.1.a.md", "its file docs/stories/1.1.a.md cannot be read"),
        ("docs/stories/1-1-b.md", "its file docs/stories/1-1-b.md cannot be read"),
        ("docs/stories/1.2.a.md", "its file docs/stories/1.2.a.md cannot be read"),
        ("docs/stories/1.2.b.md", "has no file"),
        ("docs/gates/1.1-a.yml", "has no file"),
        (".bmad-core/1.1.a.md", "has no file"),
    ],
)
def test_key_whose_file_is_skipped_has_one(path: str, lack: str) -> None:
    readings = {"docs/sprint-status.yaml": sprint({"1-1-a": "done"})}
    details = [detail for *_, detail in _problems(readings, [(path, "is a binary file")])]
    assert sorted(filter(None, details)) == sorted(
        [f"The key 1-1-a is “done” and {lack}.", "The file is a binary file."]
    )


def test_skipped_file_is_that_of_no_key_with_another() -> None:
    readings = {
        "docs/sprint-status.yaml": sprint({"1-1-a": "done", "1-2-a": "draft"}),
        "docs/stories/1-1-a.md": story("1.1", "done"),
    }
    found = _problems(readings, [("docs/stories/1.1.a.md", "is a binary file")])
    assert [kind for kind, *_ in found] == ["unreadable_document", "key_without_file"]


def test_story_without_an_id_is_named_by_its_title() -> None:
    assert _problems({"s/story-leak.md": story("", "Simmering", title="Leak")}) == [
        ("unknown_status", "warning", "The status “Simmering” of the story “Leak” is not known.")
    ]


def test_skipped_files_are_problems() -> None:
    assert _problems({}, [("a.md", "is larger than 5 MB")]) == [
        ("unreadable_document", "warning", "The file is larger than 5 MB.")
    ]


def test_dead_link_that_a_line_has_twice_is_one_problem() -> None:
    link: Link = {"target": "b.md", "line": 7, "path": "b.md", "fragment": None}
    assert len(_problems({"a.md": {"links": [link, link, {**link, "line": 8}]}})) == 2


def test_problems_are_most_severe_first() -> None:
    readings: dict[str, Reading] = {}
    for _, each, *_ in EXAMPLES:
        readings |= {f"{len(readings)}/{path}": reading for path, reading in each.items()}
    severities = [severity for _, severity, _ in _problems(readings)]
    assert severities == sorted(severities, key=("error", "warning", "info").index)


def test_gate_that_expires_on_the_last_day_of_all_never_expires() -> None:
    readings = {
        "s/1.1.a.md": story("1.1", "done"),
        "g.yml": gate("PASS", "1.1", expires="9999-12-31"),
    }
    assert _problems(readings) == []


@pytest.mark.parametrize(
    ("path", "text", "lines"),
    [
        ("docs/stories/1.1.a.md", "---\na: 1\nb: x: y\n---\n# Story 1.1: A\n", [3]),
        ("docs/prd.md", "---\na: 1\nb: x: y\n---\n# PRD\n", [3]),
        ("docs/qa/gates/1.1-a.yml", "schema: 1\nstory: '1.1'\ngate: [PASS\n", [3]),
        ("docs/qa/gates/1.1-a.yml", "schema: 1\nstory: '1.1'\ngate: perhaps\n", [3]),
        ("docs/sprint-status.yaml", "# A\n\ndevelopment_status: [unclosed\n", [3]),
        ("docs/sprint-status.yaml", "development_status:\n  1-1-a: done\n  1-2-b: [x]\n", [3]),
        ("w/tickets.toml", "[[entry]]\nid = 1\ntitle = \n", [3]),
    ],
)
def test_what_cannot_be_read_is_one_problem_with_its_line(
    path: str, text: str, lines: list[int]
) -> None:
    type_ = {"md": "md", "toml": "toml"}.get(path.rpartition(".")[2], "yaml")
    readings = {path: read_document(bmad_document(text, path, type_))}
    board = board_of(readings, links_of(readings))
    found = [row.item["line"] for row in board.problems if row.kind == "unreadable_document"]
    assert found == lines
