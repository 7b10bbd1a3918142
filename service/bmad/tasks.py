"""The tasks of a story, and the findings of reviews among its boxes."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from service.bmad.boxes import Box, read_box, takes_blanks
from service.bmad.criteria import read_criteria
from service.bmad.readings import MAX_ITEMS, ReviewFinding, WorkCounts
from service.bmad.story_sections import (
    LABEL_LEVEL,
    MAX_LABEL,
    MAX_WORDS,
    StorySection,
    level_of_label,
)
from service.bmad.texts import short_id, short_text
from service.documents.blocks import Block

# "[Review][Patch] Name the field", "[AI-Review][High] …".
FINDING: Final = re.compile(
    r"\[\s*+(?:AI[- ])?Review\s*+\]\s*+(?:\[([^\[\]]{1,60}+)\]\s*+(?>\[[^\[\]]{1,60}+\](?!\())*+)?",
    re.IGNORECASE,
)
# Labels and headings of what is beside the tasks, in their section.
ASIDE: Final = re.compile(
    r"(?>[\W_]|\d{1,3}[.)])*+(?:definition[ ]of[ ](?:done|ready)|dod|out[ -]of[ -]scope)"
    r"(?:[ ]checklist)?(?=\W*+\Z|\s*[(\uff08])",
    re.IGNORECASE,
)
COLONS: Final = (":", "\uff1a")
SEVERITY: Final = re.compile(r"\[([^\[\]]{1,60}+)\](?!\()\s*+")


class TaskCount(NamedTuple):
    """The tasks of a story and those below them, how many are done, and the review's findings."""

    tasks: int
    tasks_done: int
    subtasks: int
    subtasks_done: int
    findings: list[ReviewFinding]


def count_work(sections: Sequence[StorySection]) -> WorkCounts:
    """Return the criteria, tasks and findings of a story, counted."""
    criteria = read_criteria(sections)
    tasks = read_tasks(sections)
    return WorkCounts(
        acceptance_criteria_total=criteria.total,
        acceptance_criteria_done=criteria.done,
        acceptance_criteria_items_total=criteria.items,
        acceptance_criteria_items_done=criteria.items_done,
        tasks_total=tasks.tasks,
        tasks_done=tasks.tasks_done,
        subtasks_total=tasks.subtasks,
        subtasks_done=tasks.subtasks_done,
        review_findings=tasks.findings,
    )


def read_tasks(sections: Sequence[StorySection]) -> TaskCount:
    """Return the tasks and findings of a story.

    A task is a box in a section of tasks that is below no other box; those below it are subtasks.
    So headings and items without a box only group, but for those of what is no task, such as
    "Definition of done". A box that begins with "[Review]" is a finding
    wherever it is, and so are those of sections of findings; boxes below it are its own.
    """
    tasks = tasks_done = subtasks = subtasks_done = 0
    findings: list[ReviewFinding] = []
    for section in sections:
        # The depths of the items with boxes around the next block, with whether it is a finding.
        around: list[tuple[int, bool]] = []
        takes_blank = takes_blanks(section.blocks)
        aside_level: int | None = None
        for block in section.blocks:
            is_aside = aside_level is not None
            if block.tag != "li":
                if block.depth == 0:
                    around.clear()
                    aside_level = _level_of_aside(block, aside_level)
                continue
            if aside_level is not None and aside_level >= LABEL_LEVEL and _ends_with_label(block):
                aside_level = None  # after this item
            while around and around[-1][0] >= block.depth:
                around.pop()
            box = read_box(block, takes_blank=takes_blank)
            if not box:
                continue
            is_in_finding = bool(around) and around[-1][1]
            marked = FINDING.match(box.text)
            is_finding = not is_in_finding and bool(marked or section.name == "findings")
            if is_finding and len(findings) < MAX_ITEMS:
                findings.append(_finding(box, marked, block.line))
            elif section.name == "tasks" and not (is_finding or is_in_finding or is_aside):
                tasks += not around
                tasks_done += box.is_done and not around
                subtasks += bool(around)
                subtasks_done += box.is_done and bool(around)
            around.append((block.depth, is_finding or is_in_finding))
    return TaskCount(tasks, tasks_done, subtasks, subtasks_done, findings)


def _level_of_aside(block: Block, level_before: int | None) -> int | None:
    """Return the level of the aside that is around the items after a block; None outside of one."""
    level = level_of_label(block)
    if level_before is not None and level_before >= LABEL_LEVEL and block.text.endswith(COLONS):
        return level if level and ASIDE.match(block.text[:MAX_LABEL]) else None
    if level is None or (level_before is not None and level > level_before):
        return level_before
    return level if ASIDE.match(block.text[:MAX_LABEL]) else None


def _ends_with_label(block: Block) -> bool:
    """Return whether the last line of an item is a label that no blank line parts from it."""
    above, _, last = block.text.rpartition("\n")
    if not above or len(last) > MAX_LABEL:
        return False
    is_short = len(last.split()) <= MAX_WORDS and last[:1].isupper() and last[-1:].isalnum()
    return is_short or last.endswith(COLONS)


def _finding(box: Box, marked: re.Match[str] | None, line: int) -> ReviewFinding:
    if marked is None:
        marked = SEVERITY.match(box.text)
    text = box.text[marked.end() if marked else 0 :]
    return ReviewFinding(
        text=short_text(text),
        action=short_id(marked[1] or "") if marked else "",
        is_open=not box.is_done,
        line=line,
    )
