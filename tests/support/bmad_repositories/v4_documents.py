"""The documents of the lending library of version 4, as they are first written."""

from __future__ import annotations

STORIES = "docs/stories"
REGISTER = f"{STORIES}/1.1.story.md"
LEND = f"{STORIES}/1.2.story.md"
REMIND = f"{STORIES}/1.3.story.md"
RETURN = f"{STORIES}/story-1.4.md"
RESERVE = f"{STORIES}/2.1.story.md"
PICK_UP = f"{STORIES}/2.2.pick-up-a-book.md"
RENEW = f"{STORIES}/2.3.story.md"
RENEW_TWICE = f"{STORIES}/2.3.renew-a-loan-twice.md"
CANCEL = f"{STORIES}/2.10.story.md"
OLD_REGISTER = f"{STORIES}/archive/1.1.story.md"
PRD = "docs/prd.md"
MEMBERS = "docs/epics/epic-1.md"
RESERVATIONS = "docs/epics/epic-2.md"
GATES = "docs/qa/gates"
REGISTER_GATE = f"{GATES}/1.1-register-a-member.yml"
FIRST_LEND_GATE = f"{GATES}/1.2-lend-a-book.yml"
LEND_GATE = f"{GATES}/1.2-lend-a-book-second.yml"
RETURN_GATE = f"{GATES}/1.4-return-a-book.yml"
CANCEL_GATE = f"{GATES}/2.10-cancel-a-reservation.yml"
FINE_GATE = f"{GATES}/2.11-pay-a-fine.yml"


def story(number: str, title: str, sentence: str, criteria: str, tasks: str) -> str:
    """Return a draft in the form of the method's template."""
    as_a, i_want, so_that = sentence.split("; ")
    return f"""\
# Story {number}: {title}

## Status

Draft

## Story

**As a** {as_a},
**I want** {i_want},
**so that** {so_that}.

## Acceptance Criteria

{criteria}
## Tasks / Subtasks

{tasks}
## Dev Notes

The clerk's desk has one screen. [Source: docs/prd.md#requirements]

## Dev Agent Record

### Completion Notes

Nothing yet.

## QA Results
"""


def gate(number: str, decision: str, score: int, updated: str, more: str = "") -> str:
    return f"""\
schema: 1
story: {number}
gate: {decision}
status_reason: "Reviewed at the clerk's desk."
reviewer: "Quinn (Test Architect)"
updated: "{updated}"
{more}
quality_score: {score}
expires: "2099-01-01T00:00:00Z"
"""


TOOLS = {
    ".bmad-core/core-config.yaml": "devStoryLocation: docs/stories\nqa:\n  qaLocation: docs/qa\n",
    ".bmad-core/tasks/create-next-story.md": "# Story 9.9: {{title}}\n\n## Status\n\nDone\n",
    "expansion-packs/games/stories/1.1.story.md": "# Story 1.1: A tool\n\n## Status\n\nDone\n",
}
# It says nothing of its criteria.
RENEW_TEXT = """\
# Story 2.3: Renew a loan

## Status

Draft

## Dependencies

- Story 2.2: the mail is the same
"""
PRD_TEXT = """\
# Lending Library Product Requirements Document (PRD)

## Requirements

### Functional

- FR1: Clerks register members.
- FR2: Clerks lend and take back books.
- FR3: Members reserve books.

## Epics

See [members](epics/epic-1.md) and [reservations](epics/epic-2.md#goal).
"""
MEMBERS_TEXT = """\
# Epic 1: Members and Loans

**Status:** In Progress

## Goal

Clerks lend books to members.

## Stories

- Story 1.1: Register a member
- Story 1.2: Lend a book
- Story 1.3: Remind late members
- Story 1.4: Return a book
"""
RESERVATIONS_TEXT = """\
# Epic 2: Reservations

**Status:** Draft

## Goal

Members reserve books that others have.
"""
