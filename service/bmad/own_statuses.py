"""Whether a field that says a status says that of the story, by the section that it is in."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.statuses import is_status_alone
from service.bmad.story_sections import SECTION_NAMES, StorySection
from service.documents.blocks import Block

# A field with its value on a line: "**Dependencies:** 1.1"; and the beginning of another one.
FIRST_FIELD: Final = re.compile(
    r"[ >]{0,8}+(?:\*\*|__)[^*_:\uff1a]{1,40}+"
    r"(?:[:\uff1a]\s*+(?:\*\*|__)|(?:\*\*|__)\s*+[:\uff1a])\s*+\S"
)
BOLD_BEGIN: Final = re.compile(r"[ >]{0,8}+(?:\*\*|__)")
# Sections with lines that say the status of something else.
OF_OTHERS: Final = frozenset(SECTION_NAMES) - {"status", "sentence", "record"}

# Of those, sections with a list, after which the story's own status may be. After a list of other
# stories it may be theirs.
WITH_LISTS: Final = frozenset(("criteria", "tasks"))
ITEM_BEGIN: Final = re.compile(r"\s*+(?:[-+|]|\*\s|\d{1,9}[.)]\s)")
LOG: Final = re.compile(r"[\W_]*+change\s?log", re.IGNORECASE)


def is_own(document: BmadDocument, sections: Sequence[StorySection], field: Field) -> bool:
    """Return whether a field is the story's: in no section of other things, nor in a log's list."""
    section = sections[_place_of_section(sections, field.line)]
    if section.name in OF_OTHERS:
        return False
    return not (is_log(section) and ITEM_BEGIN.match(document.lines[field.line - 1]))


def may_be_own(document: BmadDocument, sections: Sequence[StorySection], field: Field) -> bool:
    """Return whether a field in a section of other things is the story's if no other status is.

    It is in the paragraph of the story's first fields, where one as "**Dependencies:** 1.1" begins
    no section, or after all of a list of criteria or tasks.
    """
    line = field.line
    place = _place_of_section(sections, line)
    section, head = sections[place], sections[place].head
    if head is None or BOLD_BEGIN.match(document.lines[line - 1]) is None:
        return False
    if (
        section.name in WITH_LISTS
        and is_status_alone(field.value)
        and section.blocks
        and _is_after_list(section, line)
    ):
        return True
    return (
        head.tag == "p"
        and head.line < line <= head.end_line
        and sum(each.line < line for each in document.headings[:2]) < 2
        and all(
            each.name not in OF_OTHERS or _begins_with_field(document, each)
            for each in sections[: place + 1]
        )
    )


def _is_after_list(section: StorySection, line: int) -> bool:
    """Return whether a line is the last paragraph of a section, and a list is all that is above."""
    *above, last = section.blocks
    return (
        last.line == line
        and is_paragraph(last)
        and "\n" not in last.text
        and bool(above)
        and all(block.tag in {"li", "tr"} or block.depth for block in above)
    )


def is_log(section: StorySection) -> bool:
    """Return whether a section has what a story was: the items of a log say past statuses."""
    return section.name == "record" and bool(section.head and LOG.match(section.head.text))


def _begins_with_field(document: BmadDocument, section: StorySection) -> bool:
    """Return whether a section's first line is a field with its value, not a heading or a label."""
    head = section.head
    return head is not None and FIRST_FIELD.match(document.lines[head.line - 1]) is not None


def is_paragraph(block: Block) -> bool:
    """Return whether a block is a paragraph outside of lists."""
    return block.tag == "p" and block.depth == 0


def _place_of_section(sections: Sequence[StorySection], line: int) -> int:
    return max(bisect_right(sections, line, key=_first_line) - 1, 0)


def _first_line(section: StorySection) -> int:
    return section.head.line if section.head else 0
