"""What a story's file says, read as a whole."""

from __future__ import annotations

import pytest

from service import ROOT
from tests.bmad.story_text import V4_STORY, story_of

REFERENCE = ROOT.parent / "shared/reference/story-1.3.md"


def test_a_story_of_version_4_is_read() -> None:
    story = story_of(V4_STORY, "docs/stories/2.10.pay-by-card.md")
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
        "covers": [],
        "ticket": None,
        "notes": [],
    }


@pytest.mark.skipif(not REFERENCE.exists(), reason="the story is not part of this repository")
def test_the_story_of_the_reference_is_read() -> None:
    story = story_of(REFERENCE.read_text(encoding="utf-8"), "docs/stories/1.3.story.md")
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
