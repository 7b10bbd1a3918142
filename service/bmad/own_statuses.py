"""Whether a field that says a status says that of the story, by the section that it is in."""

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.statuses import is_status_alone
from service.bmad.story_sections import HEADING_TAGS, SECTION_NAMES, StorySection
from service.documents.blocks import Block

# A field with its value on a line: "**Dependencies:** 1.1"; and the beginning of another one.
FIRST_FIELD: Final = re.compile(
    r"[ >]{0,8}+(?:\*\*|__)[^*_:\uff1a]{1,40}+"
    r"(?:[:\uff1a]\s*+(?:\*\*|__)|(?:\*\*|__)\s*+[:\uff1a])\s*+\S"
)
BOLD_BEGIN: Final = re.compile(r"[ >]{0,8}+(?:\*\*|__)")
# Sections with lines that say the status of something else.
OF_OTHERS: Final = frozenset(SECTION_NAMES) - {"status", "sentence", "record"}

# Of those, sections with a list, after which the story's own status may be.
WITH_LISTS: Final = frozenset(("criteria", "tasks", "dependencies"))
ITEM_BEGIN: Final = re.compile(r"\s*+(?:[-+|]|\*\s|\d{1,9}[.)]\s)")
LOG: Final = re.compile(r"[\W_]*+change\s?log", re.IGNORECASE)


def may_be_own(document: BmadDocument, sections: Sequence[StorySection], field: Field) -> bool:
    """Return whether a field may be the story's: in no section of other things.

    In the paragraph of a story's fields, one as "**Dependencies:** 1.1" begins no section. A status
    after a list of criteria, tasks or dependencies is the story's, too.
    """
    line = field.line
    place = _place_of_section(sections, line)
    section = sections[place]
    if section.name not in OF_OTHERS:
        return not (is_log(section) and ITEM_BEGIN.match(document.lines[line - 1]))
    if BOLD_BEGIN.match(document.lines[line - 1]) is None:
        return False
    if (
        section.name in WITH_LISTS
        and is_status_alone(field.value)
        and _is_after_list(section, line)
    ):
        return True
    head = section.head
    return (
        head is not None
        and head.tag == "p"
        and head.line < line <= head.end_line
        and all(
            each.name not in OF_OTHERS or _begins_with_field(document, each)
            for each in sections[: place + 1]
        )
    )


def _is_after_list(section: StorySection, line: int) -> bool:
    """Return whether a line is a paragraph after the list that is all of a section above it."""
    blocks = section.blocks
    place = next((at for at, block in enumerate(blocks) if block.line == line), 0)
    after = blocks[place + 1 : place + 2]
    return (
        place > 0
        and is_paragraph(blocks[place])
        and "\n" not in blocks[place].text
        and all(block.tag in {"li", "tr"} or block.depth for block in blocks[:place])
        and (not after or after[0].tag in HEADING_TAGS)
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
