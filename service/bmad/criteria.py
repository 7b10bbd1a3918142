"""The acceptance criteria of a story, in each form that stories have them in."""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from service.bmad.boxes import read_box, takes_blanks
from service.bmad.story_sections import (
    HEADING_TAGS,
    MAX_LABEL,
    StorySection,
    level_of_label,
)
from service.documents.blocks import Block

# "AC1: …", "AC-2", "CA1 : …" in French, Spanish and Portuguese, "Criterion 3", "验收标准 4".
LABELLED: Final = re.compile(
    r"[\W_]*+(?:(?:ac|ca)[\s\-#.]{0,2}\d|(?:acceptance\s+)?criteri(?:on|a)\s*#?\d"
    r"|(?:crit[eè]re|crit[eé]rio)\s*(?:n?[#°º]\s*)?\d|(?:验收|驗收)(?:标准|標準|条件)\s*\d"
    r"|기준\s*\d)",
    re.IGNORECASE,
)
SCENARIO: Final = re.compile(
    r"[\W_]*+(?:scenario|scénario|escenario|cenário|场景|시나리오)\b", re.IGNORECASE
)
NUMBERED: Final = re.compile(r"[^\w\n]*+(\d{1,3})[.):\u3001\uff0e]")
# The words of steps in the languages of stories, with all their forms: "Étant données".
GIVEN: Final = re.compile(
    r"[^\w\n]*+(?:given|[ée]tant\s+donnée?s?|sachant|soit|dad[oa]s?|假设|假設|假定|给定|給定|假如"
    r"|주어진|前提)(?![a-z])",
    re.IGNORECASE,
)
_THEN = r"then|alors|donc|entonces|então|entao|那么|那麼|그러면|ならば"
STEP: Final = re.compile(
    rf"[\W_]*+(?:{_THEN}|when|and|but|quand|lorsque?|et|mais|cuando|y|pero|quando|e"
    r"|mas|当|當|并且|並且|而且|且|同时|만일|만약|그리고|하지만|もし|かつ)(?![a-z])",
    re.IGNORECASE,
)
THEN: Final = re.compile(rf"(?<![^\W_])(?:{_THEN})(?![a-z])", re.IGNORECASE)
# Labels and headings of what is beside the criteria: "Out of scope:", "Technical notes".
ASIDE: Final = re.compile(
    r"(?>[\W_]|\d{1,3}[.)])*+(?:(?:out[ -]of|not[ ]in)[ -]scope\b|hors[ ](?:du[ ])?périmètre\b"
    r"|fuera[ ]del?[ ]alcance\b|fora[ ]d[eo][ ]escopo\b|(?:不在|超出)?范围外?|범위[ ]?외"
    r"|(?:(?:[^\W_]{1,20}[ ]){0,2}notes?|non-?[ ]?goals?|definition[ ]of[ ](?:done|ready)|dod"
    r"|(?:verification|testing|test)[ ]steps"
    r"|assumptions?|open[ ]questions?|references?|background|risks?|hypothèses|références|notas"
    r"|supuestos|suposições|备注|備註|참고)(?=\W*+\Z|\s*[(\uff08]))",
    re.IGNORECASE,
)
# Such labels that may be a feature all the same: "User notes:" between "Login:" and "Export:".
MAYBE_FEATURE: Final = re.compile(
    r"(?>[\W_]|\d{1,3}[.)])*+(?!(?:technical|tech|dev\w*|implementation)[ ])"
    r"(?:(?:[^\W_]{1,20}[ ]){0,2}notes?|references?|background|risks?|références|notas"
    r"|备注|備註|참고)(?=\W*+\Z)",
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


class _Form(NamedTuple):
    """Whether a list is numbered, and whether it has boxes."""

    is_numbered: bool
    has_boxes: bool


NO_CRITERIA: Final = CriteriaCount(0, None, 0, 0)


def read_criteria(sections: Sequence[StorySection]) -> CriteriaCount:
    """Return the criteria of the first section of criteria that has any.

    What is below a label such as "Out of scope:" is none, unless there is nothing else.
    """
    for section in sections:
        if section.name != "criteria":
            continue
        for blocks in (_without_asides(section.blocks), section.blocks):
            if starts := _find_starts(section.head, blocks):
                return _count(blocks, starts)
    return NO_CRITERIA


def _without_asides(blocks: Sequence[Block]) -> list[Block]:
    """Return the blocks that are not below a label or a heading of what is beside the criteria.

    A list whose first number continues that of the last criterion has criteria all the same, and so
    has "Notes" after a label of the same level, such as "Login", with a list of the same form.
    """
    kept: list[Block] = []
    forms: dict[int, _Form | None] = {}  # of the lists below the last labels, by level
    aside_level: int | None = None
    number = 0  # of the last numbered item; -1 in a list that begins again beside the criteria
    for place, block in enumerate(blocks):
        if block.number is not None and block.depth == 1:
            if block.number == number + 1 > 1:
                aside_level = None
            number = block.number if aside_level is None else -1
        level = level_of_label(block)
        if level is not None:
            if aside_level is not None and level <= aside_level:
                aside_level = None
            label, form = block.text[:MAX_LABEL], _form_below(blocks, place)
            is_feature = form and form == forms.get(level) and MAYBE_FEATURE.match(label)
            if aside_level is None and ASIDE.match(label) and not is_feature:
                aside_level = level
            if aside_level is None:
                forms = {each: forms[each] for each in forms if each < level} | {level: form}
        if aside_level is None:
            kept.append(block)
    return kept


def _form_below(blocks: Sequence[Block], place: int) -> _Form | None:
    """Return the form of the list that a label has right below it."""
    block = blocks[place + 1] if place + 1 < len(blocks) else None
    if block is None or block.tag != "li":
        return None
    return _Form(block.number is not None, block.is_checked is not None)


def _find_starts(head: Block | None, blocks: Sequence[Block]) -> list[int]:
    """Return which blocks begin a criterion: a block twice that begins two."""
    found = _Candidates(takes_blanks(blocks))
    for place, block in enumerate(blocks):
        found.add(place, block)
    if head and LABELLED.match(head.text):
        is_heading = head.tag in HEADING_TAGS
        (found.labelled_headings if is_heading else found.labelled).insert(0, -1)
    return found.best()


class _Candidates:
    """Which blocks begin a criterion, for each form."""

    def __init__(self, takes_blank: bool) -> None:
        self._takes_blank = takes_blank
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
        self._number = 0  # of the last numbered item or line
        self._continued: list[int] = []  # numbered lines whose numbers continue those of items
        self._is_after_step = False  # the last paragraph was a step of a Given block

    def add(self, place: int, block: Block) -> None:
        if block.tag in HEADING_TAGS:
            self._is_after_step = False
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
        """Return the criteria: those in the form that marks them most clearly."""
        if self.labelled_headings:
            return self.labelled_headings
        if len(self.labelled) > 1 or (self.labelled and len(self.numbered) <= 1):
            return self.labelled
        given = sorted(self.given + self.given_items)
        are_steps = bool(self.step_items) or len(given) >= len(self.items)
        forms = (
            sorted(self.numbered + self._continued) if self._continued else [],
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
        self._is_after_step = False
        for line in block.text.splitlines():
            if LABELLED.match(line):
                self.labelled.append(place)
            elif number := NUMBERED.match(line):
                self._add_numbered_line(place, int(number[1]))
            elif SCENARIO.match(line):
                self.scenarios.append(place)
            elif GIVEN.match(line):
                self.given.append(place)
                self._is_after_step = THEN.search(line) is not None
            elif self.given and STEP.match(line):
                self._is_after_step = True

    def _add_numbered_line(self, place: int, number: int) -> None:
        """Add a numbered line of a paragraph: only a "1." begins a list right below a label."""
        is_next = number == self._number + 1 and len(self._continued) == len(
            self.numbered_paragraphs
        )
        if self.numbered and is_next:
            self._continued.append(place)
        elif self.numbered and not self.numbered_paragraphs and number > 1:
            return  # a line of a text that begins with a number
        self.numbered_paragraphs.append(place)
        self._number = number

    def _add_item(self, place: int, block: Block) -> None:
        if LABELLED.match(block.text):
            self.labelled.append(place)
        if block.number is not None:
            if not self._is_after_step:  # else it is a detail of the step
                self.numbered.append(place)
                self._number = block.number
            return
        self.items.append(place)
        if read_box(block, takes_blank=self._takes_blank):
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


def _count(blocks: Sequence[Block], starts: Sequence[int]) -> CriteriaCount:
    begins = set(starts)
    takes_blank = takes_blanks(blocks)
    items = items_done = tickable = done = 0
    # The boxes of the criterion that is being read: its own alone, if it has one.
    boxes = boxes_done = 0
    has_own = False
    for place, block in enumerate(blocks):
        box = read_box(block, takes_blank=takes_blank)
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
