"""What a story's file says, read as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import ROOT
from service.bmad.readings import MAX_ID, MAX_TEXT
from service.bmad.story import read_plan, read_story
from tests.bmad.made import NO_COUNTS
from tests.bmad.story_text import V4_STORY, story_of
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

if TYPE_CHECKING:
    from service.bmad.document import BmadDocument

REFERENCE = ROOT.parent / "shared/reference/story-1.3.md"


def test_a_story_of_version_4_is_read() -> None:
    story = story_of(V4_STORY, "docs/stories/2.10.pay-by-card.md")
    assert story.pop("gate", {}).get("decision") == "PASS"
    assert story == {
        "id": "2.10",
        "epic": "2",
        "story": "10",
        "title": "Pay by card",
        "anchor": "story-210-pay-by-card",
        "line": 1,
        "kind": "story",
        "statuses": [{"status": "done", "word": "Done", "line": 5, "place": "text"}],
        "as_a": "customer",
        "i_want": "to pay by card",
        "so_that": "I need no cash",
        "acceptance_criteria_total": 2,
        "acceptance_criteria_done": 1,
        "acceptance_criteria_items_total": 4,
        "acceptance_criteria_items_done": 3,
        "tasks_total": 2,
        "tasks_done": 1,
        "subtasks_total": 4,
        "subtasks_done": 2,
        "review_findings": [],
        "after": [],
        "after_stories": [],
        "covers": [],
        "ticket": None,
        "notes": [],
    }


@pytest.mark.skipif(not REFERENCE.exists(), reason="the story is not part of this repository")
def test_the_story_of_the_reference_is_read() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    story = story_of(text, "docs/stories/1.3.story.md")
    assert "gate" in story
    assert (story["gate"]["decision"], story["gate"]["score"]) == ("PASS", 100)
    assert (story["id"], story["epic"], story["story"]) == ("1.3", "1", "3")
    assert [each["status"] for each in story["statuses"]] == ["done"]
    assert (story["acceptance_criteria_total"], story["acceptance_criteria_done"]) == (5, 5)
    assert story["acceptance_criteria_items_total"] == 22
    assert story["acceptance_criteria_items_done"] == 22
    assert (story["tasks_total"], story["tasks_done"]) == (6, 6)
    assert (story["subtasks_total"], story["subtasks_done"]) == (30, 30)
    assert story["as_a"] == "developer"


@pytest.mark.parametrize(
    "sentence",
    [
        "As a seller, I want the ledger, so that I see it.",
        "As a seller, I want the ledger so that I see it.",
        "Como vendedora, quiero el libro, para que I see it.",
    ],
)
def test_a_sentence_on_one_line_is_read(sentence: str) -> None:
    story = story_of(
        f"# Story 1.1: Ledger\n\n## Story\n\n{sentence}\n", "docs/stories/1.1.story.md"
    )
    assert story["i_want"] in {"the ledger", "el libro"}
    assert story["so_that"] == "I see it"


@pytest.mark.parametrize(
    ("path", "text", "identity", "title"),
    [
        ("docs/stories/1.2.story.md", "# Story 1.2: Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1-2-pay.md", "# Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1-2-pay-by-card.md", "", ("1.2", "1", "2"), "pay by card"),
        ("docs/stories/1-2-pay.md", "# Story 1.2", ("1.2", "1", "2"), "pay"),
        ("docs/stories/1-2-pay.md", "## Story 1.2: Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1-2-pay.md", "---\ntitle: Pay\n---\n## Tasks", ("1.2", "1", "2"), "Pay"),
        (
            "docs/stories/1-2-a.md",
            "---\nstory_id: 2.10\n---\n# Story 1.2: A",
            ("2.10", "2", "10"),
            "A",
        ),
        ("docs/stories/3-5-1-a.md", "# Story 3.5-1: A", ("3.5-1", "3.5", "1"), "A"),
        ("docs/stories/3-5-1-a.md", "# Story 3.5: A", ("3.5", "3", "5"), "A"),
        ("docs/stories/10-1-5-a.md", "# Story 10.1.5: A", ("10.1.5", "10.1", "5"), "A"),
        (
            "docs/stories/a.md",
            "# Story 10.1.5: A\n\n**Epic:** 10 - B",
            ("10.1.5", "10", "1.5"),
            "A",
        ),
        ("docs/epic-13/13.4.1.a.md", "# Story 13.4.1: A", ("13.4.1", "13", "4.1"), "A"),
        ("docs/stories/epic-01/02-pay.md", "# Pay", ("01.02", "01", "02"), "Pay"),
        ("docs/stories/epic-01/02-pay.md", "# Story 2: Pay", ("01.2", "01", "2"), "Pay"),
        ("docs/stories/1-2-pay.md", "# Story 2: Pay", ("1.2", "1", "2"), "Pay"),
        (
            "docs/stories/STORY-001.md",
            "# STORY-001: Pay\n\n**Epic:** 4",
            ("001", "4", "001"),
            "Pay",
        ),
        ("docs/stories/story-pay.md", "# Story: Pay", ("", None, None), "Pay"),
        ("docs/stories/02-pay.md", "---\nepic: [3, 4]\n---\n# Pay", ("02", None, "02"), "Pay"),
        # The first heading is of the project or the epic, or only says that this is a story.
        ("docs/stories/1.2.story.md", "# Story\n\n## Story 1.2: Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1.2.pay.md", "# Shop\n\n## Story 1.2: Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1.2.story.md", "# Epic 1: A\n\n# Story 1.2: Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/pay.story.md", "# Shop\n\n## Story 1.2: Pay", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1.2.pay.md", "# Pay\n\n## Story 1.1: Have it", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1.2.story.md", "# 1.2 Pay\n\n## Story 1.2: B", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1.2.pay.md", "# Pay\n\n## 1.2 Details", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/1.2.pay.md", "# Story: Pay\n\n## Story 1.2: B", ("1.2", "1", "2"), "Pay"),
        ("docs/stories/E12-S04-pay.md", "# Pay", ("E12-S04", "E12", "04"), "Pay"),
    ],
)
def test_a_story_has_an_id_and_a_title(
    path: str, text: str, identity: tuple[str, str | None, str | None], title: str
) -> None:
    story = story_of(text, path)
    assert (story["id"], story["epic"], story["story"]) == identity
    assert story["title"] == title


@pytest.mark.parametrize(
    ("path", "front_matter", "heading", "identity"),
    [
        # The title decides, unless `story_id` says otherwise.
        ("a.md", "id: 42", "Story 1.2: A", ("1.2", "1", "2")),
        ("a.md", "id: JIRA-77", "Story 1.2: A", ("1.2", "1", "2")),
        ("a.md", "id: STORY-105", "Story 1.2: A", ("1.2", "1", "2")),
        ("a.md", "id: 3.4", "Story 1.2: A", ("1.2", "1", "2")),
        ("a.md", "epic: 3\nstory: 5.1", "Story 3.5.1: A", ("3.5.1", "3", "5.1")),
        ("a.md", "story_id: 3.4", "Story 1.2: A", ("3.4", "3", "4")),
        ("a.md", 'storyId: "3-4"', "Story 1.2: A", ("3-4", "3", "4")),
        ("a.md", "story_key: 3-4-a", "Story 1.2: A", ("3.4", "3", "4")),
        ("a.md", "story_id: 017", "Story 1.2: A", ("017", "1", "017")),
        ("a.md", "story_id: 2", "Story 1.2: A", ("1.2", "1", "2")),
        ("a.md", "story_id: 2\nepic: 4", "Story 1.3: A", ("2", "4", "2")),
        # So does the name, if it has the epic too.
        ("1-10-a.md", "story: 1.1", "A", ("1.10", "1", "10")),
        ("1-10-a.md", "id: PROJ-7", "A", ("1.10", "1", "10")),
        ("3-step-checkout.md", "id: 1.4", "3-step checkout", ("1.4", "1", "4")),
        ("02-a.md", "id: 1.2", "A", ("1.2", "1", "2")),
        ("02-a.md", "id: PROJ-7", "A", ("02", None, "02")),
        # Other keys count where neither has one.
        ("a.md", "id: 2.10", "A", ("2.10", "2", "10")),
        ("a.md", "id: PROJ-7", "A", ("PROJ-7", "PROJ", "7")),
        ("a.md", "epic: AP-4\nstory: 4", "A", ("AP-4.4", "AP-4", "4")),
        ("a.md", "epic_num: 2\nstory_num: 10", "A", ("2.10", "2", "10")),
        ("a.md", "epic: 3\nstory: 3.4", "A", ("3.4", "3", "4")),
        ("a.md", "epic: 3\nstory: 5.1", "A", ("3.5.1", "3", "5.1")),
        # A number that the title begins with is no level of the id.
        ("1-2-3-way-sync.md", "type: story", "3-way sync", ("1.2", "1", "2")),
        ("1-2-2-phase-commit.md", "type: story", "2 phase commit", ("1.2", "1", "2")),
        ("1-2-3-way-sync.md", "type: story", "Way sync", ("1.2.3", "1.2", "3")),
        ("3-way-sync.md", "type: story", "3-way sync", ("3", None, "3")),
    ],
)
def test_the_title_says_the_id_before_keys_that_may_be_of_something_else(
    path: str, front_matter: str, heading: str, identity: tuple[str, str | None, str | None]
) -> None:
    story = story_of(f"---\n{front_matter}\n---\n\n# {heading}\n", f"docs/stories/{path}")
    assert (story["id"], story["epic"], story["story"]) == identity


@pytest.mark.parametrize(
    ("criteria", "tasks"),
    [
        ("Critères d\u2019acceptation", "Tâches / Sous-tâches"),
        ("Critères d'acceptance", "Tâches"),
        ("Critères d' acceptation", "Tâches"),
        ("CA1 : seulement", "Sous-tâches"),
        ("Critérios de Aceite", "Tarefas / Subtarefas"),
        ("Critérios de Aceitação", "Subtarefas"),
        ("Criterios de aceptación", "Tareas / Subtareas"),
        ("驗收標準", "任務"),
    ],
)
def test_sections_have_names_in_each_language(criteria: str, tasks: str) -> None:
    sections = f"## {criteria}\n\n- a\n- b\n\n## {tasks}\n\n- [x] c\n"
    story = story_of(f"# Story 1.2: T\n\n{sections}")
    assert story["acceptance_criteria_total"] == (1 if criteria.startswith("CA1") else 2)
    assert story["tasks_done"] == 1


@pytest.mark.parametrize(
    ("before", "after"), [("", ":"), ("", "\uff1a"), ("**", ":**"), ("**", "**:"), ("## ", "")]
)
def test_a_section_begins_with_a_heading_or_a_label(before: str, after: str) -> None:
    criteria, tasks, notes = (
        f"{before}{label}{after}"
        for label in ("Acceptance Criteria", "Tasks / Subtasks", "Dev Notes")
    )
    for gap in ("\n", "\n\n"):
        story = story_of(
            f"# Story 1.2: T\n\nText.\n\n{criteria}{gap}1. a\n2. b\n\n"
            f"{tasks}{gap}- [x] c\n- [ ] d\n\n{notes}{gap}- [ ] e\n"
        )
        assert story["acceptance_criteria_total"] == 2
        assert (story["tasks_total"], story["tasks_done"]) == (2, 1)


def test_a_section_may_be_an_item_of_a_list() -> None:
    story = story_of(
        "# Story 1.2: T\n\n- **Status:** done\n- **Acceptance Criteria:**\n  - a\n  - b\n    - c\n"
        "- **Priority:** P1\n  - d\n- Tasks:\n  - [x] e\n    - [ ] f\n  - [ ] g\n\nText.\n\n"
        "- [ ] h\n"
    )
    assert story["acceptance_criteria_total"] == 2
    assert (story["tasks_total"], story["tasks_done"], story["subtasks_total"]) == (3, 1, 1)
    assert [each["status"] for each in story["statuses"]] == ["done"]


@pytest.mark.parametrize(
    "label", ["## Acceptance Criteria", "**Acceptance Criteria:**", "Acceptance Criteria:"]
)
def test_an_item_within_criteria_is_no_section(label: str) -> None:
    criteria = "- Tasks:\n  - are shown\n- Users:\n  - can log in\n"
    text = f"# Story 1.2: T\n\n## Story\n\nText.\n\n{label}\n\n{criteria}"
    story = story_of(f"{text}\n## Plan\n\n- Tasks:\n  - [x] a\n")
    assert story["acceptance_criteria_total"] == 2
    assert (story["tasks_total"], story["tasks_done"]) == (1, 1)


def test_an_item_within_tasks_is_no_section() -> None:
    text = "# Tasks: T\n\n- Tasks:\n  - [x] a\n\n## Tasks\n\n- Acceptance criteria:\n  - [ ] b\n"
    story = story_of(text)
    assert (story["tasks_total"], story["acceptance_criteria_total"]) == (2, 0)


def test_a_numbered_list_after_an_item_is_its_section() -> None:
    text = "# Story 1.2: T\n\n- **Acceptance Criteria:**\n\n1. a\n2. b\n\n- **AC1:**\n  - c\n"
    assert story_of(text)["acceptance_criteria_total"] == 2


def test_a_line_with_a_colon_is_no_section_within_another_one() -> None:
    text = (
        "# Story 1.2: T\n\n## Tasks\n\n- [x] a\n\nNotes:\n\n- [ ] b\n\nReview:\n\n- [ ] c\n\n"
        "These are all tasks of today:\n\n- [ ] d\n\n## Dev Notes\n\nTasks:\n\n- [ ] e\n"
    )
    assert story_of(text)["tasks_total"] == 4


def test_criteria_may_be_labels_without_a_section() -> None:
    for form in ("**AC1:** a\n\n**AC2:** b\n", "AC1:\na\n\nAC2:\nb\n"):
        assert story_of(f"# Story 1.2: T\n\n{form}")["acceptance_criteria_total"] == 2


def test_a_leaf_of_version_7_names_its_ticket_and_its_kind() -> None:
    text = "---\nticket: 3\ntype: spike\ncovers: [FR1, FR2]\ntracker_status: built\n---\n# Try it\n"
    leaf = story_of(text, "plans/pay/spike-try-it.md")
    assert (leaf["ticket"], leaf["kind"], leaf["covers"]) == ("3", "spike", ["FR1", "FR2"])
    assert story_of("# Crash", "plans/pay/bug-crash.md")["kind"] == "bug"
    assert story_of("---\ntype: bugfix\n---\n# Crash", "spec-crash.md")["kind"] == "bug"


def test_a_plan_of_version_7_is_for_a_ticket() -> None:
    text = "---\nticket: 3\nstatus: in-review\n---\n# Plan\n"
    assert read_plan(bmad_document(text, "plans/pay/story-try-it-plan.md")) == {
        "ticket": "3",
        "ticket_line": 2,
        "statuses": [{"status": "review", "word": "in-review", "line": 3, "place": "plan"}],
        **NO_COUNTS,
    }
    assert read_plan(bmad_document("# Plan\n", "plans/pay/story-try-it-plan.md")) is None
    assert read_plan(bmad_document(text, "plans/pay/notes.md")) is None


def test_plan_has_criteria_tasks_and_findings_as_a_story_has() -> None:
    text = """---
ticket: 3
status: in-progress
---
# Tasks: try it

## Acceptance Criteria

- [x] It works
- [ ] It is fast

## Tasks

- [x] Write it
  - [x] In Python
  - [ ] With tests
- [ ] Measure it

### Review Findings

- [ ] [Review][Patch] Name the field [app.py:3]
- [x] [Review][Defer] Cache it
"""
    document = bmad_document(text, "plans/pay/story-try-it-plan.md")
    assert document.kind == "other"
    assert read_plan(document) == {
        "ticket": "3",
        "ticket_line": 2,
        "statuses": [{"status": "in_progress", "word": "in-progress", "line": 3, "place": "plan"}],
        "acceptance_criteria_total": 2,
        "acceptance_criteria_done": 1,
        "acceptance_criteria_items_total": 2,
        "acceptance_criteria_items_done": 1,
        "tasks_total": 2,
        "tasks_done": 1,
        "subtasks_total": 2,
        "subtasks_done": 1,
        "review_findings": [
            {"text": "Name the field [app.py:3]", "action": "Patch", "is_open": True, "line": 21},
            {"text": "Cache it", "action": "Defer", "is_open": False, "line": 22},
        ],
    }


def test_front_matter_that_cannot_be_read_is_noted() -> None:
    story = story_of("---\nstatus: done\nbad: [\n---\n# Story 1.2: A\n")
    assert [each["status"] for each in story["statuses"]] == ["done"]
    assert len(story["notes"]) == 1


PIECES = [
    *("## Status\n", "Status: done\n", "**Status:** ", "## Acceptance Criteria\n", "## Tasks\n"),
    *("- [ ] ", "- [x]", "  - [ ] [Review][Patch] ", "1. ", "**AC1:** ", "### AC2\n", "Given a\n"),
    *(
        "As a x, ",
        "I want y ",
        "so that z",
        "\n",
        "\n\n",
        "| a | b |\n",
        "|---|---|\n",
        "Story 1.2 ",
    ),
    *("---\n", "story_id: 1.2\n", "status: [\n", "## Dependencies\n", "```\n", "<!--", "-->", "**"),
    *("\0", "\ud800", "\u2028", "é", "(", "# Story 1.2: T\n"),
]
texts = st.text() | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
mutated = st.tuples(st.integers(0, len(V4_STORY)), st.integers(0, 40), texts).map(
    lambda each: V4_STORY[: each[0]] + each[2] + V4_STORY[each[0] + each[1] :]
)
names = st.sampled_from(["1.2.story.md", "epic-1/02-a.md", "spike-a.md", "story-1-2-3-a-plan.md"])


@settings(deadline=None)
@given(texts | mutated, names)
def test_any_text_is_read_and_its_reading_is_bounded(text: str, name: str) -> None:
    document = bmad_document(text, f"docs/stories/{name}")
    read_plan(document)
    story = read_story(document)
    assert story["title"]
    assert 0 <= story["tasks_done"] <= story["tasks_total"]
    assert 0 <= story["subtasks_done"] <= story["subtasks_total"]
    assert 0 <= (story["acceptance_criteria_done"] or 0) <= story["acceptance_criteria_total"]
    assert story["acceptance_criteria_items_done"] <= story["acceptance_criteria_items_total"]
    lines = len(document.lines)
    assert all(1 <= each["line"] <= lines for each in story["statuses"])
    assert len(story["id"]) <= MAX_ID
    for short in (story["title"], story["as_a"], story["i_want"], story["so_that"]):
        assert len(short or "") <= MAX_TEXT
        assert "\0" not in (short or "")
        assert (short or "").encode().decode() == (short or "")


@pytest.mark.parametrize(
    "piece", [*PIECES, *"[(*_|:-`<>1A", "x [", "**a ", "1.1, ", "# a\n", "(a "]
)
def test_a_long_text_is_read_in_linear_time(piece: str) -> None:
    for before in ("", "## Dependencies\n", "Status: "):

        def make(size: int, before: str = before) -> BmadDocument:
            return bmad_document(before + piece * size, "docs/stories/1.2.story.md")

        assert_linear(read_story, make, 2_000)
