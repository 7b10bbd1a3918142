"""All statuses of a story, in the order in which they decide."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.fields import MAX_LABEL, read_fields
from tests.bmad.story_text import story_of

FILLER = "\n\nText.\n" * 30


def statuses_of(text: str) -> list[tuple[str, str, int, str]]:
    """Return the statuses of a story: status, word, line and place of each."""
    story = story_of(text)
    return [
        (each["status"], each["word"], each["line"], each["place"]) for each in story["statuses"]
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("**Status:** Done", 3),
        ("**Status**: Done", 3),
        ("**Status** Done", 3),
        ("Status: Done", 3),
        ("Status: ✅ Done", 3),
        ("## Status\n\nDone", 5),
        ("## Status\nDone", 4),
        ("## Status: Done", 3),
        ("### Story Status\n\n**Done**", 5),
        ("## Status\n\n**Status:** Done", 5),
        ("## Status\n\n- [ ] Draft\n- [x] Done", 6),
        ("- **Status:** Done", 3),
        ("> **Status:** Done", 3),
        ("**Epic:** 1 | **Status:** Done | **Points:** 3", 3),
        ("**Epic:** 1 **Status:** Done **Points:** 3", 3),
        ("Epic: 1 · Status: Done · Points: 3", 3),
        ("Epic: 1, Status: Done, Points: 3", 3),
        ("Epic: 1; Status: Done", 3),
        ("Points: 3 / Status: Done", 3),
        ("Status - Done", 3),
        ("Current status \u2014 done \u2705", 3),
        ("- **Status \u2013 Done (merged)**", 3),
        ("Points: 3\nStatut - Terminé", 4),
        ("| Sprint: 3, Status: Done", 3),
        ("| Sprint: 3, Status: Done | Owner: Ann |", 3),
        ("| **Sprint:** 3, **Status:** Done", 3),
        ("Story Points: 3 - Status: Done", 3),
        ("_Priority: P1 \u2013 Status: Done_", 3),
        ("- Epic: 1 — Current Status: Done", 3),
        ("Epic: 2    Status: Done    Owner: Ann", 3),
        ("Epic: 2\tStatut : terminé\tOwner: Ann", 3),
        ("ID: 1.2 Status: Done", 3),
        ("Epic 1 — Status: Done", 3),
        ("(Epic 1, Status: Done)", 3),
        ("**Epic:** 1, Status: Done", 3),
        ("Epic: 1<br>Status: Done<br/>Points: 3", 3),
        ("<sub>Status: Done</sub>", 3),
        ("[Status: Done]", 3),
        ("**Status**\nDone", 4),
        ("__Story Status__\n\n- Done", 5),
        ("**Status:**&nbsp;Done &amp; merged", 3),
        ("| Status | Done |\n|---|---|\n| Points | 3 |", 3),
        ("| Status | Epic |\n|---|---|\n| Done | 1 |", 5),
        ("| Epic | Status |\n|---|---|\n| 1 | Done |", 5),
        ("> | Status | Epic | Points |\n> |---|---|---|\n> | Done | 1 | 3 |", 5),
        ("| | Story Status | Points | Owner |\n|---|---|---|---|\n| 1.2 | Done | 3 | Ann |", 5),
        ("| Epic | 1 | Status | Done |\n|---|---|---|---|\n| Points | 3 | Owner | Ann |", 3),
        ("| Epic: 1 | Status: Done |", 3),
        ("| **Epic:** 1 | **Status:** Done |\n|---|---|", 3),
        ("| Field | Value |\n|---|---|\n| **Status** | Done |", 5),
        ("| Story | Status | Points |\n|---|---|---|\n| 1.2 | Done | 3 |", 5),
        ("| Story | Status |\n|---|---|\n| **Story 1.02: T** | Done |", 5),
        ("| Title | Status |\n|---|---|\n| T | Done |", 5),
        ("Owner: Ann, Priority: High, Overall Status: Done", 3),
        ("ID: 1.2 Owner: Ann Status: Done", 3),
        ("**Status:**\nDone", 4),
        ("Statut : Done", 3),
        ("状态\uff1aDone", 3),
        ("**Estado:** Done", 3),
        ("상태: Done", 3),
        ("<!-- Status: Draft -->\nStatus: Done", 4),
        ("```\nStatus: Draft\n```\nStatus: Done", 6),
    ],
)
def test_a_status_is_found_in_each_form(text: str, line: int) -> None:
    found = statuses_of(f"# Story 1.2: T\n\n{text}\n\n## Tasks\n\n- [ ] Status: 200\n")
    assert [(status, at) for status, _, at, _ in found] == [("done", line)]


@pytest.mark.parametrize(
    "text",
    [
        "Status - done when all is merged",
        "Status - WIP",
        "Status - Ready - to review",
        "Status-Done",
        "Gate Status - Done",
        "The status - Done",
        "Status - Done | Owner - Ann",
        "| The reply, Status: Done",
        "| Sprint: 3 and the status: Done",
        "## Tasks\n\n- Status - Done",
        "**Gate Status:** PASS",
        "**Recommended Status:** Ready for Done",
        "## QA Results\n\n**Status:** PASS\n\n### Status\n\nDone",
        "## Acceptance Criteria\n\n- Status: 404",
        "Statuses: done",
        # Only a known status that is after a field of the story itself.
        "The reply is JSON, Status: Done",
        "Reply: JSON, status: done",
        "Epic: 1, Status: PASS",
        "Story 1.1: Sign in, Status: Done",
        "- Story 1.1 - Status: Done",
        "Depends on: 1.1 - Status: Done",
        "Previous Story: 1.1, Status: Done",
        "Epic 1 Status: Done",
        "Reviewer: Quinn Gate Status: Done",
        "Epic: 1, Gate Status: Done",
        # A field of something else, and text after a label.
        "**Builds on:** Story 1.1 - Status: Done",
        "**Follows:** Story 1.1 — Status: Done",
        "**PR:** #12, Status: Closed",
        "**Design:** Figma - Status: Approved",
        "Priority: High, Previous Story: 1.1, Status: Done",
        "Owner: Ann, who waits for Story 1.1 - Status: Done",
        "Epic: 1 - Payments, Status: In Progress",
        "Response: 200, Status: done",
        "Filter: All, Status: Done",
        "**Status**\nReady orders are shown first",
        # Tables that list other things.
        "## Related Stories\n\n| Story | Status |\n|---|---|\n| 1.1 | Done |",
        "| ID | Title | Status |\n|---|---|---|\n| 1.1 | T | Done |",
        "| Component | Status |\n|---|---|\n| Parser | Done |",
        "| Component | Owner | Status |\n|---|---|---|\n| Parser | Ann | Done |",
        "| Task | Status |\n|---|---|\n| A | Done |\n| B | Draft |",
        "| Story | Status | Points |\n|---|---|---|\n| 1.1 | Done | 3 |\n| 1.2 | Draft | 5 |",
        "| Status | Meaning |\n|---|---|\n| Done | merged |\n| Draft | not yet |",
        "| Status | Epic | Points |\n|---|---|---|",
    ],
)
def test_statuses_of_something_else_do_not_count(text: str) -> None:
    assert statuses_of(f"# Story 1.2: T\n\n{text}\n") == []


def test_front_matter_decides_and_the_texts_status_is_kept() -> None:
    text = "---\ntitle: T\nstatus: in-review\n---\n\n# Story 1.2: T\n\nStatus: Done\n"
    assert statuses_of(text) == [
        ("review", "in-review", 3, "front_matter"),
        ("done", "Done", 8, "text"),
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("- [x] Status: Done", [("done", "Done", 3, "text")]),
        ("* [X] **Status**: Done", [("done", "Done", 3, "text")]),
        ("- [ ] Status: Done", [("done", "Done", 3, "text")]),
        ("- [x] Status page: done", []),
        ("## Tasks\n\n- [x] Status: Done", []),
    ],
)
def test_status_may_be_a_ticked_item_above_the_sections(
    line: str, found: list[tuple[str, str, int, str]]
) -> None:
    text = f"# Story 1.2: T\n\n{line}\n\n## Acceptance Criteria\n\n1. A\n"
    assert statuses_of(text) == found


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("statut: terminé", [("done", "terminé")]),
        ("Statut: à planifier", [("draft", "à planifier")]),
        ("estado: done", [("done", "done")]),
        ("状态: done", [("done", "done")]),
        ("狀態: review", [("review", "review")]),
        ("상태: 완료", [("done", "완료")]),
        # Both are said, the English one first.
        ("statut: terminé\nstatus: draft", [("draft", "draft"), ("done", "terminé")]),
        # Other words may be of something else, such as a state of Brazil.
        ("estado: São Paulo\nstatus: done", [("done", "done")]),
        ("estado: São Paulo", []),
        ("estado: [São Paulo]\nstatus: done", [("done", "done")]),
        ("statut: ''", []),
        ("statut: [terminé]", []),
        ("statut_test: terminé", []),
        ("gate:\n  statut: terminé", []),
        ("state: done", []),
    ],
)
def test_the_front_matters_status_may_be_in_the_languages_of_stories(
    written: str, words: list[tuple[str, str]]
) -> None:
    text = f"---\n{written}\n---\n\n# Story 1.2: A\n"
    found = story_of(text)["statuses"]
    assert [(each["status"], each["word"]) for each in found] == words
    assert all(each["place"] == "front_matter" for each in found)


def test_the_front_matters_status_counts_whatever_its_case() -> None:
    text = "---\nTitle: T\nStatus: In Review\n---\n\n# Sign in\n\nText.\n"
    assert statuses_of(text) == [("review", "In Review", 3, "front_matter")]


@pytest.mark.parametrize(
    "written",
    [
        "[in-progress]",
        "[done",
        "{a: done}",
        "{{status}}",
        "{done",
        '"done',
        "'done",
        "*wip",
        "!x done",
        "? x",
        "\n  - done",
    ],
)
def test_the_text_decides_where_the_front_matters_status_is_no_text(written: str) -> None:
    text = f"---\nstatus: {written}\n---\n\n# Story 1.2: A\n\n**Status:** Review\n"
    assert [status for status, *_ in statuses_of(text)] == ["review"]
    [note] = story_of(text)["notes"]
    assert "cannot be read: " in note
    # A known word is better than nothing.
    known = ["done"] if written in {"[done", "{done", '"done', "'done"} else []
    without = statuses_of(text.replace("**Status:** Review", ""))
    assert [status for status, *_ in without] == known


@pytest.mark.parametrize(
    ("front_matter", "status", "line"),
    [
        ("status: wip", "unknown", 2),
        ('status: "wip"', "unknown", 2),
        ("title: fix: x\nstatus: wip", "unknown", 3),
        ("title: fix: x\nstatus: done", "done", 3),
        ("title: [a\nstatus: done", "done", 3),
        ("status: done: merged", "done", 2),
        ("status: `done`", "done", 2),
    ],
)
def test_a_word_in_front_matter_decides_whatever_is_broken_beside_it(
    front_matter: str, status: str, line: int
) -> None:
    text = f"---\n{front_matter}\n---\n\n# Story 1.2: A\n\n**Status:** Review\n"
    first, second = statuses_of(text)
    assert (first[0], first[2], first[3]) == (status, line, "front_matter")
    assert second[0] == "review"


def test_a_trackers_status_decides_before_a_leafs_own() -> None:
    text = "---\nstatus: draft\ntracker_status: in-progress\n---\n\n# Sign in\n"
    assert statuses_of(text) == [
        ("in_progress", "in-progress", 3, "tracker_status"),
        ("draft", "draft", 2, "front_matter"),
    ]


def test_a_heading_further_below_decides_where_the_first_lines_say_nothing() -> None:
    text = f"# Story 1.2: T{FILLER}\n## Status\n\nReview\n"
    assert [each[0] for each in statuses_of(text)] == ["review"]
    text = text.replace("T\n", "T\n\nStatus: Draft\n", 1)
    assert [each[0] for each in statuses_of(text)] == ["draft", "review"]


def test_of_two_statuses_in_one_paragraph_the_first_decides() -> None:
    statuses = story_of("# Story 1.1: T\n\nStatus: done\nStory Status: review\n")["statuses"]
    assert [each["word"] for each in statuses] == ["done", "review"]


@pytest.mark.parametrize(
    "field",
    [
        "**Dependencies:** 1.1",
        "**Depends on**: Story 1.1  ",
        "**Gate:** PASS",
        "**QA:** Quinn",
        "**Review:** Done by Ann",
        "**Validation Status:** Pass",
        "**Tasks:** 5/5",
        "**AC:** 4",
        "__Testing:__ unit",
        "**Definition of Done:** see the wiki",
        "**Testing:** unit\n**Tasks:** 5/5",
        "**Dependencies:** 1.1\n\n**Gate:** PASS",
    ],
)
def test_a_field_with_the_word_of_a_section_hides_no_status_below_it(field: str) -> None:
    text = f"# Story 1.2: T\n\n{field}\n**Status:** Draft\n\n## Acceptance Criteria\n\n1. A\n"
    assert [each[:2] for each in statuses_of(text)] == [("draft", "Draft")]


@pytest.mark.parametrize(
    "text",
    [
        "**QA Results**\n**Status:** Done",
        "**QA Results**\n\n**Gate:** PASS\n**Status:** Done",
        "**Review:**\n**Status:** Approved",
        "**Review:** Ann\nStatus: done is what she says",
        "## QA Results\n\n**Gate:** PASS\n**Status:** Done",
        "## Tasks\n\n**Tasks:** 5/5\n**Status:** Done",
        "## Acceptance Criteria\n\n1. A\n\n**Dependencies:** 1.1\n**Status:** Done",
        "## Dev Notes\n\n- A\n\n**References:** PRD\n**Status:** Done",
    ],
)
def test_a_status_in_a_section_of_other_things_says_nothing(text: str) -> None:
    assert statuses_of(f"# Story 1.2: T\n\n{text}\n\n## Change Log\n\nA\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "## Tasks\n\n- [ ] A\n\n**Status:** Done",
        "## Tasks\n\n- [ ] A\n\n---\n\n**Status:** Done",
        "## Acceptance Criteria\n\n1. A\n   - B\n\n**Status:** Done\n\n## Tasks\n\n- [ ] A",
        "## Change Log\n\n- A\n\n**Status:** Done",
        f"{FILLER}## Change Log\n\n- Status: Draft\n\n**Status:** Done",
    ],
)
def test_a_status_after_a_list_is_the_storys(text: str) -> None:
    found = [each[:2] for each in statuses_of(f"# Story 1.2: T\n\n{text}\n")]
    assert found == [("done", "Done")]


@pytest.mark.parametrize(
    "text",
    [
        "## Tasks\n\n- [ ] A\n\nStatus: Done",
        "## Tasks\n\n- [ ] A\n\n**Status:** Done when all pass",
        "## Tasks\n\n- [ ] A\n\n**Status:** Done\n\n- [ ] B",
        "## Tasks\n\n### One\n\n- [ ] A\n\n**Status:** Done",
        "## Acceptance Criteria\n\n**AC1:** A\n\n- B\n\n**Status:** Done",
        "## Acceptance Criteria\n\n1. A\n\n   **Status:** Done",
        # It may be that of a task, or of the story that this one waits for.
        "## Tasks\n\n- [x] A\n\n**Status:** Done\n\n### Task 2\n\n- [ ] B",
        "## Dependencies\n\n- 1.1\n\n**Status**: Done",
        "## Dependencies\n\n- Story 1.1\n\n**Status:** Done",
        "## QA Results\n\n- A\n\n**Status:** Done",
        "## Dev Notes\n\n- A\n\n**Status:** Done\n\n## Tasks\n\n- [ ] B",
        "## Change Log\n\n- Status: Draft\n- Status: Done",
    ],
)
def test_a_status_within_a_list_or_a_log_is_not_the_storys(text: str) -> None:
    assert statuses_of(f"# Story 1.2: T\n\n{text}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "## Tasks\n\n- [x] A\n\n**Status:** Completed\n\n### Task 2\n\n- [ ] B",
        "## Acceptance Criteria\n\n1. A\n\n**Status:** Done\n\n## Tasks\n\n- [ ] B",
        "## Context\n\n**Dependencies:** Story 1.1\n**Status:** Done",
        "## Overview\n\n**Prerequisites:** Story 1.1 (Login)\n**Status:** \u2705 Done",
        "**QA Results:** PASS\n**Status:** Done",
        "## Context\n\nThe columns are:\n\n- Name\n- Status - Done\n- Owner",
        "## Context\n\nWhen the order ends it says\n\nStatus - Completed",
        "> Status - Done",
        "The columns are:\n\n- Name\n- Status - Done\n- Owner",
        "## DoD\n\n- [x] Status: Done",
        "- [x] Status: Done",
    ],
)
def test_the_heading_status_goes_before_lines_that_may_be_of_something_else(text: str) -> None:
    found = statuses_of(f"# Story 1.2: P\n\n{text}\n\n## Status\n\nDraft\n")
    assert [each[:2] for each in found] == [("draft", "Draft")]


@pytest.mark.parametrize(
    "text",
    [
        "## Overview\n\n**Prerequisites:** Story 1.1 (Login)\n**Status:** Done",
        "## Context\n\nStatus - Done",
        "## Context\n\n- [x] Status: Done",
        "- [x] Status: Done is shown",
        "> Status - Done",
    ],
)
def test_lines_in_a_section_or_a_quote_that_may_be_of_something_else_say_nothing(text: str) -> None:
    assert statuses_of(f"# Story 1.2: P\n\n{text}\n\n## Tasks\n\n- [ ] A\n") == []


def test_a_log_says_no_status_beside_the_storys() -> None:
    log = "## Change Log\n\n- Status: Draft\n- Status: Review\n"
    text = f"# Story 1.2: T\n\n{log}\n## Status\n\nDone\n"
    assert [each[1] for each in statuses_of(text)] == ["Done"]


def test_the_agents_record_says_a_status_last() -> None:
    record = "## Dev Agent Record\n\n**Status:** Ready for Review\n\n**Status:** 12 tests\n"
    assert [each[0] for each in statuses_of(f"# Story 1.2: T{FILLER}\n{record}")] == ["review"]


@pytest.mark.parametrize("heading", ["## Dev Notes", "## Tasks", "## Acceptance Criteria"])
def test_a_heading_within_a_section_says_a_known_status_if_it_is_the_only_one(heading: str) -> None:
    text = f"# Story 1.2: T{FILLER}\n{heading}\n\n1. A\n\n### Status\n\nReady for Review\n"
    assert [each[0] for each in statuses_of(text)] == ["review"]
    assert statuses_of(f"{text}\n### Part 2\n\n#### Status\n\nDone\n") == []
    assert statuses_of(text.replace("Ready", "Not ready")) == []
    boxes = text.replace("Ready for Review", "- [ ] Draft\n- [x] Review")
    assert [each[0] for each in statuses_of(boxes)] == ["review"]
    blank = text.replace("Ready for Review", "- [] Draft\n- [] Done\n- [x] Review")
    assert [each[0] for each in statuses_of(blank)] == ["review"]


@pytest.mark.parametrize(
    "text",
    [
        "## Acceptance Criteria\n\n### Status\n\nDraft orders are shown in grey",
        "## Acceptance Criteria\n\n### Status\n\n- Draft\n- Done",
        "## Acceptance Criteria\n\n### AC1: Filter\n\nA\n\n### Status\n\nDone",
        "## Acceptance Criteria\n\n### Status\n\nDone\n\n### Filter\n\n- A",
        "## Tasks\n\n### Task 1\n\n#### Status\n\nDone",
        "## Tasks\n\n### Status\n\nDone\n\n### Task 2\n\nA",
        "## Dev Notes\n\n### Parser\n\n#### Status\n\nDone",
    ],
)
def test_a_heading_in_a_part_of_a_section_says_nothing_of_the_story(text: str) -> None:
    assert statuses_of(f"# Story 1.2: T\n\n{text}\n") == []


@pytest.mark.parametrize(
    "text",
    [
        "**Status:** Draft",
        "## Status\n\nDraft",
        f"{FILLER}\n## Status\n\nDraft",
        "**Status**\nDraft",
    ],
)
def test_a_status_after_other_fields_decides_only_where_no_other_does(text: str) -> None:
    before = "# Story 1.2: T\n\n**Epic:** 1, Status: Done"
    assert [each[0] for each in statuses_of(f"{before}\n\n{text}\n")] == ["draft"]
    record = "## Dev Agent Record\n\nStatus: Review\n"
    found = statuses_of(f"{before}{FILLER}{FILLER}\n{record}")
    assert [each[0] for each in found] == ["done", "review"]


@pytest.mark.parametrize(
    "end",
    [
        "## Dev Notes\n\nText.\n\n---\n\n**Status:** Done",
        "## Dev Notes\n\n### References\n\n- A\n\n**Status:** Done\n\n*Last change: today*",
        "## Testing\n\nText.\n\n*Status: Done*",
        "## Dev Notes\n\nText.\n\n**Statut :** terminé",
        "## Dev Notes\n\nText\n\n* * *\n\nStatus: Done",
        "## Final\n\n- Status: Done\n\nText.",
        "## Dev Agent Record\n\n| Status | Done |\n|---|---|\n| Agent | A |\n\n## Notes\n\nText.",
    ],
)
def test_the_end_of_a_document_may_say_the_status(end: str) -> None:
    assert [each[0] for each in statuses_of(f"# Story 1.2: T{FILLER}\n{end}\n")] == ["done"]
    assert [each[0] for each in statuses_of(f"# Story 1.2: T\n\n{end}\n")] == ["done"]


@pytest.mark.parametrize(
    "end",
    [
        "## Dev Notes\n\n**Status:** Done" + "\n\nText." * 3,
        "## Dev Notes\n\n- Status: Done",
        "## Dev Notes\n\nThe response of the API:\n\n*status: completed*",
        "## Dev Notes\n\nText.\n\n`status: completed`",
        "## Dev Notes\n\nText.\n\nStatus: Done",
        "## Dev Notes\n\nText.\n\n**Status:** Done means that it is paid",
        "## Dev Notes\n\n### Story 1.1\n\n**Status:** Done",
        "## Dev Notes\n\n**Status:** Done",
        "## References\n\nStory 1.1\n\n**Status:** Done",
        "## References\n\nStory 1.1: Pay\nStatus: Done",
        "## Dev Notes\n\nA:\n\n- Status: draft\n\n---\n\n**Status:** Done",
        "## Dependencies\n\nStory 1.1\n\nStatus: Done",
        "## Tasks\n\n- [x] A\n\nStatut : terminé",
        "## Tasks\n\n### One\n\n**Status:** Done\n\n### Two\n\n**Status:** Done",
        "## Acceptance Criteria\n\n1. A\n\n---\n\n**Status:** Done",
        "## Dev Notes\n\n**Status:** 404",
        "## QA Results\n\n**Status:** Done",
        "## QA Results\n\n### Status\n\nDone",
        "## Dev Notes\n\nText.\n\n## QA Results\n\nText.\n\n---\n\n**Status:** Approved",
        "## Dev Notes\n\n**Status:** Done\n\n## QA Results\n\nText.",
    ],
)
def test_other_late_lines_say_nothing(end: str) -> None:
    assert statuses_of(f"# Story 1.2: T{FILLER}\n{end}\n") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Story 1.2: A\n\n```yaml\nstatus: done\n```\n", ["done"]),
        ('# Story 1.2: A\n```yml\nid: 1.2\nstatus: "done" # merged\n```\n', ['"done" # merged']),
        ("```yaml\nstatus: done\n```\n\n# Story 1.2: A\n", ["done"]),
        ("---\ntitle: A\n---\n# Story 1.2\n\n~~~yaml\nstatus: done\n~~~\n", ["done"]),
        # The text after the block goes on, and another block is code.
        ("# Story 1.2: A\n\n```yaml\nid: 1\n```\n\nStatus: done\n", ["done"]),
        ("# Story 1.2: A\n\n```yaml\nid: 1\n```\n```yaml\nstatus: x\n```\nStatus: y\n", ["y"]),
        ("# Story 1.2: A\n\nText\n\n```yaml\nstatus: done\n```\n", []),
        ("# Story 1.2: A\n\n```\nstatus: done\n```\n", []),
        ("# Story 1.2: A\n\n```\nx\n```\n```yaml\nstatus: done\n```\n", []),
        ("# Story 1.2: A\n\n```json\nstatus: done\n```\nStatus: y\n", ["y"]),
        ("# Story 1.2: A\n\n## Acceptance Criteria\n\n```yaml\nstatus: done\n```\n", []),
        ("# Story 1.2: A\n\n## Response\n\n```yaml\nstatus: 200\n```\n", []),
    ],
)
def test_a_block_of_yaml_at_the_beginning_is_as_front_matter(text: str, words: list[str]) -> None:
    assert [each["word"] for each in story_of(text)["statuses"]] == words


def test_an_unknown_word_is_kept() -> None:
    assert statuses_of("# Story 1.2: T\n\n**Status:** Parked\n") == [
        ("unknown", "Parked", 3, "text")
    ]


def test_a_story_without_a_status_has_none() -> None:
    assert statuses_of("# Story 1.2: T\n\n## Status\n\n## Tasks\n\n- [ ] A\n") == []


def test_fields_are_read_with_their_lines() -> None:
    lines = ["# T", "**Epic:** 2 | **Points**: 3", "Owner: Ann", "", "see http://a.example/"]
    assert [each[:3] for each in read_fields(lines, 1, 60)] == [
        ("epic", "2", 2),
        ("points", "3", 2),
        ("owner", "Ann", 3),
    ]


def test_fields_of_a_table_are_read_with_their_lines() -> None:
    lines = ["| Field | Value |", "|---|---|", "| **Epic** | 2 |", "| Link | http://a.example/ |"]
    assert [each[:3] for each in read_fields(lines, 1, 60)] == [
        ("field", "Value", 1),
        ("epic", "2", 3),
        ("link", "http://a.example/", 4),
    ]
    lines = ["| Epic | Owner | Points |", "|---|---|---|", "| 2 | Ann | 3 |"]
    assert [each[:3] for each in read_fields(lines, 1, 60)] == [
        ("epic", "2", 3),
        ("owner", "Ann", 3),
        ("points", "3", 3),
    ]


@given(st.text(st.sampled_from("|:-, ;/\tStatusEpic1Done*\n<br>#")), st.integers(1, 9))
def test_fields_of_any_text_have_a_label_and_a_line(text: str, first: int) -> None:
    lines = text.split("\n")
    for field in read_fields(lines, first, 60):
        assert len(field.label) <= MAX_LABEL
        assert first <= field.line <= len(lines)


@pytest.mark.parametrize(
    "piece", [" ", "Status: ", "a: b ", "| ", "<br", ", Status:", "Epic 1 ", "*"]
)
def test_the_time_for_fields_is_linear(piece: str) -> None:
    lines = [piece * 100_000] * 60
    begin = time.process_time()
    assert all(field.line <= 60 for field in read_fields(lines, 1, 60))
    assert time.process_time() - begin < 1
