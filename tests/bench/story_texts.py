"""The texts of made-up stories, epics, gates and the like, in the shapes of versions 4 and 6."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from texts import Texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from board_corpus import PlannedStory

VERBS: Final = (
    "Add", "Show", "Store", "Send", "Check", "Refund", "Export", "Import", "Sort", "Limit", "Retry",
    "Cache", "Sign",
)  # fmt: skip
NOUNS: Final = (
    "invoices", "payments", "refunds", "cards", "customers", "orders", "reports", "ledgers",
    "sessions", "tokens", "webhooks", "documents", "searches", "filters", "queues", "limits",
    "alerts", "exports",
)  # fmt: skip
PLACES: Final = (
    "dashboard", "checkout", "backend", "archive", "mailbox", "gateway", "account", "registry",
    "terminal", "timeline",
)  # fmt: skip
ROLES: Final = ("developer", "customer", "product manager", "team lead", "operator")

# What a status of the tracker is in files of version 4.
V4_WORDS: Final = {
    "done": "Done",
    "review": "Ready for Review",
    "in-progress": "InProgress",
    "ready-for-dev": "Approved",
    "blocked": "Blocked",
    "backlog": "Draft",
    "drafted": "Draft",
}
BEGUN: Final = ("done", "review", "in-progress")

ANCHORS: Final = ("overview", "components", "data-model", "api", "security", "deployment")


def slug_of(title: str) -> str:
    """Return a title as names of files have it."""
    return title.lower().replace(" ", "-")


class StoryTexts:
    """Writes texts from a seed; each call goes on where the one before it ended."""

    def __init__(self, seed: str) -> None:
        self._random = random.Random(f"{seed} stories")
        self._texts = Texts(f"{seed} stories")

    def title(self) -> str:
        """Return a title of four words."""
        pick = self._random.choice
        return f"{pick(VERBS)} {pick(NOUNS)} of {pick(PLACES)}"

    def story(self, story: PlannedStory, size: int) -> str:
        """Return the text of a story's file, of about `size` bytes."""
        head = self._v4_head(story) if story.is_v4 else self._v6_head(story)
        tail = self._tail(story)
        parts = [head, "\n## Dev Notes\n"]
        length = len(head) + len(tail)
        while length < size:
            parts.append(self._dev_notes())
            length += len(parts[-1])
        return "".join([*parts, tail])

    def epic(self, epic: int, stories: Sequence[PlannedStory], level: int) -> str:
        """Return the text of an epic with its stories, below headings of this level."""
        mark = "#" * level
        parts = [f"{mark} Epic {epic}: {self.title()}\n\n{self._texts.sentence()}\n"]
        parts += [
            f"{mark}# Story {story.id}: {story.title}\n\n{self._sentence_of_story()}\n"
            for story in stories
        ]
        return "\n".join(parts)

    def requirements(self, epics: int) -> str:
        """Return an inventory of a requirement for each epic, and a map of what covers them."""
        numbers = range(1, epics + 1)
        inventory = "\n".join(f"FR{number}: {self._texts.sentence()}" for number in numbers)
        coverage = "\n".join(f"FR{number}: Epic {number}" for number in numbers if number % 10)
        return (
            f"## Requirements Inventory\n\n### Functional Requirements\n\n{inventory}\n\n"
            f"### FR Coverage Map\n\n{coverage}\n"
        )

    def gate(self, story: PlannedStory, decision: str) -> str:
        """Return the text of a gate."""
        waiver = "true" if decision == "WAIVED" else "false"
        return (
            f"schema: 1\nstory: '{story.id}'\nstory_title: '{story.title}'\ngate: {decision}\n"
            f"status_reason: '{self._texts.sentence()}'\nreviewer: 'Quinn (Test Architect)'\n"
            f"updated: '2026-05-{story.number % 28 + 1:02}T10:00:00Z'\n\n"
            f"top_issues:\n  - id: 'TEST-001'\n    severity: low\n"
            f"    finding: '{self._texts.sentence()}'\n"
            f"waiver: {{ active: {waiver} }}\nquality_score: {self._random.randint(60, 100)}\n"
        )

    def retrospective(self, epic: int) -> str:
        """Return the text of an epic's retrospective."""
        verdict = self._random.choice(("accepted", "accepted-with-open-items", "rejected"))
        return (
            f"---\nverdict: {verdict}\n---\n\n# Epic {epic} Retrospective\n\n"
            f"## What Went Well\n\n{self._bullets(4)}\n## Action Items\n\n{self._bullets(3)}"
        )

    def deferred_work(self, epics: int) -> str:
        """Return the text of deferred work from these epics."""
        parts = ["# Deferred Work\n"]
        parts += [
            f"## Deferred from: story {epic}.1 (2026-05-01)\n\n{self._bullets(3)}"
            for epic in range(1, epics + 1)
        ]
        return "\n".join(parts)

    def _v4_head(self, story: PlannedStory) -> str:
        criteria = self._texts.sentences(self._random.randint(3, 6))
        is_done = story.status == "done"
        mark = "x" if is_done else " "
        listed = "\n\n".join(
            f"{number}. **{criterion}**:\n"
            + "\n".join(f"   - [{mark}] {item}" for item in self._texts.sentences(3))
            for number, criterion in enumerate(criteria, 1)
        )
        return (
            f"# Story {story.id}: {story.title}\n\n## Status\n\n{V4_WORDS[story.status]}\n\n"
            f"## Story\n\n**As a** {self._random.choice(ROLES)},\n"
            f"**I want** {self._texts.sentence()},\n**so that** {self._texts.sentence()}\n\n"
            f"## Acceptance Criteria\n\n{listed}\n\n## Tasks / Subtasks\n\n"
            f"{self._tasks(story, len(criteria))}"
        )

    def _v6_head(self, story: PlannedStory) -> str:
        count = self._random.randint(3, 6)
        listed = "\n".join(
            "{}. **Given** {} **When** {} **Then** {}".format(number, *self._texts.sentences(3))
            for number in range(1, count + 1)
        )
        return (
            f"# Story {story.id}: {story.title}\n\nStatus: {story.status}\n\n## Story\n\n"
            f"{self._sentence_of_story()}\n## Acceptance Criteria\n\n{listed}\n\n"
            f"## Tasks / Subtasks\n\n{self._tasks(story, count)}"
        )

    def _sentence_of_story(self) -> str:
        one, other = self._texts.sentences(2)
        return f"As a {self._random.choice(ROLES)},\nI want {one},\nSo that {other}\n"

    def _tasks(self, story: PlannedStory, criteria: int) -> str:
        """Return tasks with subtasks, and at times a finding of a review."""
        lines: list[str] = []
        for number in range(1, self._random.randint(4, 7)):
            mark = "x" if story.status in BEGUN and self._random.randrange(8) else " "
            covered = self._random.randint(1, criteria)
            lines.append(f"- [{mark}] Task {number}: {self._texts.sentence()} (AC: {covered})")
            lines += [
                f"  - [{mark}] {sentence}"
                for sentence in self._texts.sentences(self._random.randint(2, 5))
            ]
        if story.status in BEGUN and not story.is_v4 and not self._random.randrange(10):
            finding = self._texts.sentence()
            lines.append(f"- [ ] [Review][Patch] {finding} [src/{slug_of(story.title)}.py:12]")
        return "\n".join(lines) + "\n"

    def _dev_notes(self) -> str:
        """Return a section of notes, with code and a reference to an architecture that is lost."""
        words = " ".join(self._texts.sentences(3))
        return (
            f"\n### {self.title()}\n\n{words}\n\n{self._bullets(3)}\n"
            f"```python\ndef {self._random.choice(NOUNS)}() -> None:\n    return None\n```\n\n"
            f"[Source: docs/notes/{self._random.randrange(8)}/note-"
            f"{self._random.randrange(1200)}.md#{self._random.choice(ANCHORS)}]\n"
        )

    def _tail(self, story: PlannedStory) -> str:
        files = "\n".join(
            f"- `src/{self._random.choice(PLACES)}/{self._random.choice(NOUNS)}.py`"
            for _ in range(6)
        )
        record = f"\n## Dev Agent Record\n\n### Completion Notes List\n\n{self._bullets(2)}"
        changes = (
            "\n## Change Log\n\n| Date | Version | Description |\n|---|---|---|\n"
            f"| 2026-04-01 | 1.0 | {self._texts.sentence()} |\n"
        )
        review = (
            f"\n## QA Results\n\n**Gate Status**: PASS\n\n{self._texts.sentence()}\n"
            if story.is_v4
            else ""
        )
        return f"{record}\n### File List\n\n{files}\n{changes}{review}"

    def _bullets(self, count: int) -> str:
        return "".join(f"- {sentence}\n" for sentence in self._texts.sentences(count))
