"""The acceptance criteria of a story, in each form that stories have them in."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from service.bmad.boxes import read_box
from service.bmad.story_sections import HEADING_TAGS, StorySection
from service.documents.blocks import Block

# "AC1: …", "AC-2", "Criterion 3", "验收标准 4".
LABELLED: Final = re.compile(
    r"[\W_]*+(?:ac[\s\-#.]{0,2}\d|(?:acceptance\s+)?criteri(?:on|a)\s*#?\d|crit[eè]re\s*\d"
    r"|criterio\s*\d|critério\s*\d|验收标准\s*\d|기준\s*\d)",
    re.IGNORECASE,
)
SCENARIO: Final = re.compile(
    r"[\W_]*+(?:scenario|scénario|escenario|cenário|场景|시나리오)\b", re.IGNORECASE
)
NUMBERED: Final = re.compile(r"[^\w\n]*+\d{1,3}[.):\u3001\uff0e]")
GIVEN: Final = re.compile(
    r"[^\w\n]*+(?:given|étant\s+donné|etant\s+donné|soit|dado|dada|dados|假设|给定|假如|주어진)"
    r"(?![a-z])",
    re.IGNORECASE,
)
STEP: Final = re.compile(
    r"[\W_]*+(?:when|then|and|but|quand|lorsque|alors|et|cuando|entonces|y|quando|então|e|当|那么"
    r"|并且|且)(?![a-z])",
    re.IGNORECASE,
)


class CriteriaCount(NamedTuple):
    """How many criteria there are, and how many are done: None where none can be ticked.

    `items` counts the boxes in and below criteria.
    """

    total: int
    done: int | None
    items: int
    items_done: int


NO_CRITERIA: Final = CriteriaCount(0, None, 0, 0)


def read_criteria(sections: Sequence[StorySection]) -> CriteriaCount:
    """Return the criteria of the first section of criteria that has any."""
    for section in sections:
        if section.name == "criteria" and (starts := _find_starts(section)):
            return _count(section, starts)
    return NO_CRITERIA


def _find_starts(section: StorySection) -> list[int]:
    """Return which blocks begin a criterion: a block twice that begins two."""
    blocks = section.blocks
    found = _Candidates()
    for place, block in enumerate(blocks):
        found.add(place, block)
    if section.head and LABELLED.match(section.head.text) and section.head.tag in HEADING_TAGS:
        found.labelled_headings.insert(0, -1)
    return found.best()


class _Candidates:
    """Which blocks begin a criterion, for each form."""

    def __init__(self) -> None:
        self.labelled_headings: list[int] = []
        self.labelled: list[int] = []
        self.numbered_paragraphs: list[int] = []
        self.numbered: list[int] = []
        self.scenarios: list[int] = []
        self.given: list[int] = []
        self.given_items: list[int] = []
        self.step_items: list[int] = []
        self.boxes: list[int] = []
        self.items: list[int] = []
        self.code: list[int] = []
        self.rows: list[int] = []
        self.headings: list[int] = []
        self._row_line = 0  # after which a table's next row is

    def add(self, place: int, block: Block) -> None:
        if block.tag in HEADING_TAGS:
            self.headings.append(place)
            if any(form.match(block.text) for form in (LABELLED, SCENARIO, NUMBERED)):
                self.labelled_headings.append(place)
        elif block.tag == "p":
            if block.depth == 0:
                self._add_paragraph(place, block)
        elif block.tag == "li":
            if block.depth == 1:
                self._add_item(place, block)
        elif block.tag == "tr":
            self._add_row(place, block)
        else:
            lines = block.text.splitlines()
            starts = [place for line in lines if SCENARIO.match(line)]
            self.code += starts or [place for line in lines if GIVEN.match(line)]

    def best(self) -> list[int]:
        """Return the criteria: those of the form that says most clearly that they are some."""
        if self.labelled_headings:
            return self.labelled_headings
        if len(self.labelled) > 1 or (self.labelled and len(self.numbered) <= 1):
            return self.labelled
        given = sorted(self.given + self.given_items)
        are_steps = bool(self.step_items) or len(given) >= len(self.items)
        forms = (
            self.numbered_paragraphs,
            self.scenarios,
            self.numbered,
            given if self.given or self.step_items else [],
            self.boxes,
            given if are_steps else self.items,
            self.items,
            self.code,
            self.rows,
            self.headings,
        )
        return next((form for form in forms if form), self.items)

    def _add_paragraph(self, place: int, block: Block) -> None:
        for line in block.text.splitlines():
            if LABELLED.match(line):
                self.labelled.append(place)
            elif NUMBERED.match(line):
                self.numbered_paragraphs.append(place)
            elif SCENARIO.match(line):
                self.scenarios.append(place)
            elif GIVEN.match(line):
                self.given.append(place)

    def _add_item(self, place: int, block: Block) -> None:
        if LABELLED.match(block.text):
            self.labelled.append(place)
        if block.number is not None:
            self.numbered.append(place)
            return
        self.items.append(place)
        if read_box(block):
            self.boxes.append(place)
        if GIVEN.match(block.text):
            self.given_items.append(place)
        elif STEP.match(block.text):
            self.step_items.append(place)

    def _add_row(self, place: int, block: Block) -> None:
        if block.line == self._row_line + 1:
            self.rows.append(place)
            self._row_line = block.line
        else:  # a table's first row, with a line of hyphens below it
            self._row_line = block.line + 1


def _count(section: StorySection, starts: Sequence[int]) -> CriteriaCount:
    begins = set(starts)
    items = items_done = tickable = done = 0
    # The boxes of the criterion that is being read: its own alone, if it has one.
    boxes = boxes_done = 0
    has_own = False
    for place, block in enumerate(section.blocks):
        box = read_box(block)
        if place in begins:
            tickable += boxes > 0
            done += 0 < boxes == boxes_done
            boxes = boxes_done = 0
            has_own = box is not None
        if not box:
            continue
        items += 1
        items_done += box.is_done
        if not has_own or not boxes:
            boxes += 1
            boxes_done += box.is_done
    tickable += boxes > 0
    done += 0 < boxes == boxes_done
    return CriteriaCount(len(starts), done if tickable else None, items, items_done)
