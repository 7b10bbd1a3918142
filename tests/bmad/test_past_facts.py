"""What past versions of files said."""

from typing import Final, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bmad.document import BmadDocument
from service.bmad.past_facts import (
    Fact,
    FactKind,
    facts_of,
    may_be_work,
    read_facts,
)
from service.bmad.reading import read_document
from service.bmad.readings import Reading
from service.bmad.sprint_status import read_sprint_status
from service.documents.text import file_type_of
from tests.support.bmad_documents import bmad_document

TRACKER = """\
# generated: 2026-01-01
# STATUS DEFINITIONS:
#   - backlog
generated: 01-02-2026 10:00
project: shop
story_location: /home/me/shop

development_status:
  epic-1: in-progress
  1-1-sign-in: done
  # a comment
  1-2-sign-out: ready-for-dev # soon

  epic-1-retrospective: optional
  2-1-pay: backlog
"""


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("docs/stories/1.1.story.md", True),
        ("docs/stories/sign-in.md", True),
        ("docs/story-1.md", True),
        ("docs/spec-1-2-x.md", True),
        ("_bmad-output/implementation-artifacts/spec-fix-login.md", True),
        ("docs/sprint-artifacts/epic-3/spec-fix-login.md", True),
        ("_bmad-output/specs/spec-pay/stories/9-extra.md", True),
        ("epics/epic-01/02-slug.md", True),
        ("out/shop/story-x-plan.md", True),
        ("out/shop/tickets.toml", True),
        ("pyproject.toml", False),
        ("docs/sprint-status.yaml", True),
        ("docs/sprint_status.yml", True),
        ("specs/spec-a/stories.yaml", True),
        ("docs/config.yaml", False),
        ("docs/architecture.md", False),
        ("docs/guide/doc00001.md", False),
        (".bmad-core/tasks/story-x.md", False),
        ("_bmad/stories/1.1.md", False),
        ("docs/stories/1.1.png", False),
    ],
)
def test_files_that_may_be_work_are_known_by_their_paths(path: str, expected: bool) -> None:
    assert may_be_work(path) is expected


def test_a_story_has_its_id_and_its_status() -> None:
    text = "# Story 1.2: Sign in\n\nStatus: review\n\n## Acceptance Criteria\n\n1. It works\n"
    assert read_facts("docs/stories/1.2.story.md", text.replace("\\\n", "\n")) == {
        "": Fact("story", "review", "1.2", "1", "2")
    }
    assert read_facts("docs/stories/notes.md", "# Notes\n") == {"": Fact("candidate", None)}
    assert read_facts("docs/stories/reviews/notes.md", "# Notes\n") == {}


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("out/specs/spec-pay/stories/9-extra.md", ("9", None, "9")),
        ("out/implementation-artifacts/spec-3-1-lean.md", ("3.1", "3", "1")),
        ("out/implementation-artifacts/spec-fix-login.md", (None, None, None)),
    ],
)
def test_front_matter_makes_a_story_of_version_6_11(
    path: str, identity: tuple[str | None, ...]
) -> None:
    text = "---\ntitle: Lean\ntype: feature\nstatus: in-review\n---\n\n# Lean\n\n## Intent\n\nx\n"
    assert read_facts(path, text) == {"": Fact("story", "review", *identity)}
    document = bmad_document(text, path, "md")
    assert facts_of(read_document(document)) == read_facts(path, text)


def test_a_plan_has_its_ticket() -> None:
    text = "---\nticket: 3\nstatus: built\n---\n# Plan\n"
    assert read_facts("out/a/story-x-plan.md", text) == {"": Fact("plan", "review", ticket="3")}


def test_a_tracker_has_its_stories() -> None:
    facts = {
        "1-1-sign-in": Fact("key", "done"),
        "1-2-sign-out": Fact("key", "approved"),
        "2-1-pay": Fact("key", "draft"),
    }
    assert read_facts("docs/sprint-status.yaml", TRACKER) == facts
    # As YAML that only a parser reads.
    assert read_facts("docs/sprint-status.yaml", TRACKER + "  'odd': {status: done}\n") == facts | {
        "odd": Fact("key", "done")
    }
    assert read_facts("docs/other.yaml", TRACKER) == {}


def test_tickets_have_their_slugs() -> None:
    text = """\
[[epic]]
id = 4
slug = "pay"
[[entry]]
id = 1
type = "bug"
slug = "card"
title = "Pay by card"
[[entry]]
id = 1
title = "Refund"
"""
    assert read_facts("a/tickets.toml", text) == {
        "\tepic\tpay": Fact("epic", None, "4", ticket="pay"),
        "1": Fact("entry", None, "1", story="bug-pay-by-card", ticket="bug-card"),
        "1\t2": Fact("entry", None, "1", ticket="story-refund"),
    }


def test_a_file_of_a_name_that_a_key_may_have_is_a_candidate() -> None:
    text = "# Notes\n\nStatus: done\n"
    fact = Fact("candidate", "done", "1.4", "1", "4")
    assert read_facts("notes/1-4-notes.md", text) == {"": fact}
    assert may_be_work("notes/1-4-notes.md")
    assert read_facts("notes/notes.md", text) == {}
    assert read_facts("_bmad/1-4-notes.md", text) == {}


@given(
    st.lists(
        st.sampled_from(
            [*TRACKER.splitlines(), "  1-1-sign-in: review", "  a: b", "x: 1", "", "  - x", "\t"]
        )
    )
)
def test_a_plain_tracker_is_read_as_the_parser_reads_it(lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    path = "docs/sprint-status.yaml"
    reading = read_sprint_status(BmadDocument(path, "yaml", "other", {}, text, None))
    assert reading is not None
    assert read_facts(path, text) == facts_of(Reading(sprint_status=reading))


STORY_LINES = [
    *(
        "# Story 1.2: Sign in",
        "# Epic 3",
        "## Story 1.3 - Sign out",
        "Story 2.1: Pay\n===",
        "> # A",
    ),
    *("Status: done", "**Status:** review", "**Status** blocked", "Status", "Done", "in progress"),
    *("## Status", "## Status: Draft", "### Status", "Current status: odd", "| Status | done |"),
    *(
        "| Status | Epic | Owner |",
        "|---|---|---|",
        "| review | 7 | me |",
        "Status: done | Epic: 4",
    ),
    *("## Acceptance Criteria", "### AC1", "**Tasks:**", "## Tasks / Subtasks", "## Dev Notes"),
    *("## Dev Agent Record", "## QA Results", "## Change Log", "**Epic:** 5", "Story ID: 9.9"),
    *(
        "- [x] Done",
        "- [ ] Draft",
        "  - [x] One",
        "1. It works",
        "```",
        "<!--",
        "-->",
        "---",
        "***",
    ),
    *(
        "<details>",
        "</details>",
        "<ul>",
        "</ul>",
        "<h2>Status</h2>",
        "> Status: done",
        "Status - done",
        "| Sprint: 3, Status: done",
        "[^1]",
        "[1]",
    ),
    *("[^1]: Status: review", "    # Status", "[^2]: a\n\n    ## Status\n\n    Done\n", "[1]: x"),
    *["", ""] * 8,
]


@given(
    st.sampled_from(["docs/stories/1.2.story.md", "docs/stories/1.2.a.md", "epic-3/story-2.md"]),
    st.sampled_from(["", "---\nstatus: review\n---\n", "---\nstory_id: 4.5\nticket: 3\n---\n"]),
    st.lists(st.sampled_from(STORY_LINES), max_size=80),
    st.integers(0, 50),
)
def test_the_facts_of_a_story_are_those_of_its_whole_reading(
    path: str, front_matter: str, lines: list[str], blank: int
) -> None:
    # The 40 lines in which a status is looked for first end somewhere in the text.
    text = front_matter + "\n".join([*lines[:10], *[""] * blank, *lines[10:]])
    assert read_facts(path, text) == facts_of(read_document(bmad_document(text, path)))


HEAD: Final = "# Story 1.2: Sign in\n\n"
STORY: Final = HEAD + "Status: done\n"


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        (STORY, "## Status\n\nDraft", ("done", "1.2")),
        ("---\nstory_id: 3.4\n---\n" + STORY, "", ("done", "3.4")),
        (STORY.replace("1.2", "1.2.3"), "**Epic:** 1", ("done", "1.2.3")),
        ("# A\n\nStatus: done\n", "# Story 1.2: Sign in", ("done", "1.2")),
        (HEAD + "## [Status]\n\nDraft\n", "[status]: a", ("draft", "1.2")),
        (HEAD + "```\n\nText\n", "```\n\n## Status\n\nDraft", ("draft", "1.2")),
        (HEAD + "## Status\n\n- [x] Draft\n", "### More\n\n- [x] Done", ("done", "1.2")),
        (HEAD + "## Dev Notes\n\n### Status\n\nDone\n\n## A\nStatus: x\n", "", ("done", "1.2")),
        (
            "<template>\n\n# Story 9.9: A\n\nStatus: done\n",
            "</template>\n\n# Story 1.2: Sign in",
            ("done", "1.2"),
        ),
        (
            "# Story 1.2\n\n| Story | Status |\n|---|---|\n| Sign in | done |\n\nStatus: draft\n",
            "**Title:** Sign in",
            ("done", "1.2"),
        ),
    ],
)
def test_what_is_far_below_is_read_where_it_has_a_say(
    begin: str, end: str, expected: tuple[str, str]
) -> None:
    text = begin + 12 * "\ntext" + f"\n\n### B\n\ntext\n\n{end}\n"
    path = "docs/stories/1.2.story.md"
    facts = read_facts(path, text)
    assert facts == facts_of(read_document(bmad_document(text, path)))
    assert (facts[""].status, facts[""].id) == expected


def test_an_epic_whose_stories_are_far_below_is_no_story() -> None:
    text = "# EPIC-1.2: Pay\n\nStatus: done\n" + 12 * "\ntext" + "\n\n## A\n\n## Story 1.1: B\n"
    path = "docs/stories/1.2.story.md"
    assert read_facts(path, text)[""].kind == "story"
    text += "\n## Story 1.2: C\n"
    facts = read_facts(path, text)
    assert facts == facts_of(read_document(bmad_document(text, path)))
    assert facts[""].kind == "candidate"


# Before and after the lines that decide most stories, in and after what may hide these.
FIRST: Final = (
    "# Story 1.2: Sign in", "# 1.2 Sign in", "# Epic 1, Story 2 - Sign in", "# Story 1.2",
    "# Sign in", "# Story 1.2.3: Sign in", "# EPIC-1.2: Pay", "Story 1.2: A\n===",
    "<h1>Story 1.2: A</h1>",
)  # fmt: skip
SAYING: Final = (
    "Status: done", "**Status:** review", "## Status\n\nDone", "## Status: Draft",
    "| Status | done |", "| Status | Epic | Owner |\n|---|---|---|\n| review | 7 | me |",
    "| Story | Status |\n|---|---|\n| 1.2 | done |", "**Status**\n\nDone", "- Status: draft",
    "## Status\n\n- [x] Done", "```\nStatus: done\n```", "<!-- Status: done -->",
    "### Status\n\nDone", "ID: 1.2 Status: done",
)  # fmt: skip
BETWEEN: Final = (
    "## Story", "As a user,\nI want x", "## Acceptance Criteria\n\n1. It works", "### AC1", "text",
    "## Tasks\n\n- [x] Task 1\n  - [ ] sub", "## Dev Notes", "```python\n# a\n```", "```", "~~~",
    "<!-- note -->", "<!--", "-->", "<details>", "<template>", "</template>", "<h2>Status</h2>",
    "</li>", "<pre>", "- a\n\n  ## Status\n\n  Done", "> ## Status", "| a | b |\n|---|---|",
    "| a |", "**Epic:** 5", "Story ID: 9.9", "**Title:** X", "## Story 1.3: Sign out",
    "# Story 2.2: Other", "## Dev Agent Record\n\nStatus: review", "## QA Results\n\nStatus: PASS",
    "---", "## Status",
)  # fmt: skip


@settings(max_examples=300)
@given(
    st.sampled_from(["docs/stories/1.2.story.md", "docs/stories/1-2-a.md", "docs/epics/epic-1.md"]),
    st.sampled_from(["", "", "---\nstory_id: 4.5\n---\n", "---\nticket: 3\ntitle: A\n---\n"]),
    st.sampled_from(FIRST),
    st.lists(st.sampled_from(SAYING), min_size=1, max_size=2),
    st.lists(st.sampled_from(BETWEEN), max_size=10),
    st.lists(st.sampled_from(BETWEEN + SAYING + ("[a]: b", "[^1]: Status: done")), max_size=8),
    st.sampled_from(["\n", "\n\n", "\r\n\r\n"]),
)
def test_first_lines_that_decide_a_story_say_what_the_whole_does(
    path: str,
    front_matter: str,
    first: str,
    saying: list[str],
    above: list[str],
    below: list[str],
    between: str,
) -> None:
    pieces = [first, *saying, *above, "text\n" * 8, "", "## Change Log", *below]
    text = front_matter + between.join(pieces)
    assert read_facts(path, text) == facts_of(read_document(bmad_document(text, path)))


def test_a_status_in_a_last_section_counts_where_others_may_change_it() -> None:
    head = "# Story 1.2: Sign in\n\n## Acceptance Criteria\n\n1. It works\n\n### Status\n\nDone\n\n"
    for more, status in (("", "done"), ("## Tasks\n\n### Status\n\nDraft\n", None)):
        text = head + "- a\n" * 50 + more
        assert read_facts("docs/stories/1.2.story.md", text)[""].status == status


@given(st.sampled_from(["stories/1.1.md", "tickets.toml", "sprint-status.yaml"]), st.text())
def test_any_text_is_read(path: str, text: str) -> None:
    for fact in read_facts(path, text).values():
        assert fact.kind in get_args(FactKind)


LINES: Final = (
    "---", "status: done", "ticket: 1", "title: A", "story_id: 1.2", "# Story 1.1: A", "# Notes",
    "## Epic 1: Pay", "Status: review", "## Status", "Draft", "## Acceptance Criteria", "1. It is",
    "## Tasks", "- [ ] A", "development_status:", "  1-1-a: done", "[[entry]]", "id = 1",
    'title = "A"', "[[epic]]", 'slug = "a"', "- id: 1", "  title: A", "",
)  # fmt: skip
NAMES: Final = (
    "docs/stories/1.1.md", "docs/notes/1-1-a.md", "out/story-a.md", "out/story-a-plan.md",
    "docs/epics/epic-1.md", "docs/sprint-status.yaml", "specs/stories.yaml",
    "out/tickets.toml", "docs/qa/1.1-a.md",
)  # fmt: skip


@settings(max_examples=500)
@given(st.sampled_from(NAMES), st.lists(st.sampled_from(LINES)))
def test_facts_are_those_of_the_whole_document(path: str, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    assert may_be_work(path)
    document = bmad_document(text, path, file_type_of(path) or "")
    assert read_facts(path, text) == facts_of(read_document(document))
