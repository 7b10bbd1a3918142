"""The statuses that a document says, each with its line, in the order in which they decide."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import takewhile
from operator import itemgetter
from typing import Final

from service.bmad.boxes import read_box
from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.readings import MAX_ITEMS, Place, StatusWord
from service.bmad.statuses import LABEL, MAX_WORD, status_word
from service.bmad.story_sections import SECTION_NAMES, StorySection
from service.documents.blocks import Block

FRONT_MATTER_KEYS: Final[Sequence[tuple[str, Place]]] = (
    ("tracker_status", "tracker_status"),  # of a leaf of version 7
    ("status", "front_matter"),
)
STATUS_LINES: Final = 40  # of the text, in which a line may say the status

# "Gate Status", "Recommended Status" and all others with a word of their own are about others.
STATUS_LABEL: Final = re.compile(rf"(?:(?:story|current|overall)\s+)?{LABEL}", re.IGNORECASE)
AFTER_LABEL: Final = re.compile(
    rf"[\W_]*+{STATUS_LABEL.pattern}[*_\s]*+[:\uff1a]\s*+", re.IGNORECASE
)
LATE_STATUS: Final = re.compile(
    rf"^[^\w\n]*+{STATUS_LABEL.pattern}[^\S\n]*+[:\uff1a|][^\S\n]*+(\S.*)",
    re.IGNORECASE | re.MULTILINE,
)
# Another field on the same line, which nothing separates.
NEXT_FIELD: Final = re.compile(r"\s(?=[A-Z][\w /]{1,20}:\s)")
BETWEEN_FIELDS: Final = " \t,;/|\u2013\u2014-"
# Sections with lines that say the status of something else.
OF_OTHERS: Final = frozenset(SECTION_NAMES) - {"status", "sentence", "record"}


# Sections whose parts may have a heading "Status" each.
WITH_PARTS: Final = frozenset(("criteria", "tasks", "notes"))
MAX_AT_END: Final = 3  # paragraphs at the end of a document, one of which may be its status


def front_matter_statuses(document: BmadDocument, place: Place | None = None) -> list[StatusWord]:
    """Return the statuses of the front matter: that of a tracker goes before the document's own.

    `place` is what to call the places of both.
    """
    found: list[StatusWord] = []
    for key, own_place in FRONT_MATTER_KEYS:
        value = document.front_matter.get(key)
        if isinstance(value, str) and value.strip():
            line = document.front_matter_line(key)
            found.append(status_word(value, line, place or own_place))
    return found


def read_statuses(
    document: BmadDocument, sections: Sequence[StorySection], fields: Sequence[Field]
) -> list[StatusWord]:
    """Return all statuses of a story, of which the first one decides.

    First that of the front matter. Then what the first 40 lines of the text say first, in a field
    or below a heading "Status"; then such headings further below; then a line of the agent's
    record, of the last section or at the document's end, if its word is one of a status.
    """
    found = front_matter_statuses(document)
    limit = document.html_line + STATUS_LINES
    in_text = statuses_in_fields(sections, fields, limit)
    outer, inner = statuses_below_headings(sections)
    if len(inner) == 1 and inner[0]["status"] != "unknown":
        outer += inner
    below_headings = sorted(outer, key=itemgetter("line"))
    first = [each for each in below_headings if each["line"] < limit]
    found += sorted(in_text + first, key=itemgetter("line"))
    found += [each for each in below_headings if each["line"] >= limit]
    found += _late_statuses(sections)
    by_line: dict[int, StatusWord] = {}
    for each in found:
        by_line.setdefault(each["line"], each)
    return [*by_line.values()][:MAX_ITEMS]


def statuses_in_fields(
    sections: Sequence[StorySection], fields: Iterable[Field], limit: int
) -> list[StatusWord]:
    """Return the statuses of fields above the line `limit`."""
    return [
        _status(field.value, field.line)
        for field in fields
        if field.line < limit
        and STATUS_LABEL.fullmatch(field.label)
        and _section_at(sections, field.line).name not in OF_OTHERS
    ]


def statuses_below_headings(
    sections: Sequence[StorySection],
) -> tuple[list[StatusWord], list[StatusWord]]:
    """Return the statuses below headings "Status", and those within criteria, tasks or notes.

    The latter must be the only one there, and its word must be known: parts of the work may have a
    status each.
    """
    found: list[StatusWord] = []
    inner: list[StatusWord] = []
    around: list[StorySection] = []
    for section in sections:
        while around and around[-1].level >= section.level:
            around.pop()
        if section.name == "status" and section.head and (status := _status_below(section)):
            is_inner = bool(around) and around[-1].name in WITH_PARTS
            (inner if is_inner else found).append(status)
        around.append(section)
    return found, inner


def _status_below(section: StorySection) -> StatusWord | None:
    assert section.head is not None
    label = AFTER_LABEL.match(section.head.text)
    if label and label.end() < len(section.head.text):
        return _status(section.head.text[label.end() :], section.head.line)
    block = _status_block(section.blocks)
    if block is None:
        return None
    text, line = block.text, block.line
    label = AFTER_LABEL.match(text)
    if block.tag == "tr":
        text = text.rpartition(" | ")[2]
    elif label:
        text = text[label.end() :]
        line += block.text.count("\n", 0, label.end())
    return _status(text.partition("\n")[0], line)


def _status_block(blocks: Sequence[Block]) -> Block | None:
    """Return the block with the status: of several boxes the last one that is ticked."""
    boxes = [(block, box) for block in blocks if (box := read_box(block))]
    if boxes:
        return next((block for block, box in reversed(boxes) if box.is_done), None)
    return next((block for block in blocks if block.text), None)


def _late_statuses(sections: Sequence[StorySection]) -> Iterator[StatusWord]:
    """Yield the statuses in the agent's record, in a last section, or at the end of the document.

    Those at the end are in one of the last paragraphs, below a section that says other things.
    """
    last = len(sections) - 1
    for place, section in enumerate(sections):
        blocks: Iterable[Block] = ()
        if section.name == "record" or (place == last and section.name is None):
            blocks = section.blocks
        elif place == last and section.name not in {"review", "findings"}:
            end = section.blocks[-MAX_AT_END:]
            blocks = [*takewhile(_is_paragraph, reversed(end))][::-1]
        for block in blocks:
            if block.tag in {"p", "li", "tr"} and (found := LATE_STATUS.search(block.text)):
                line = block.line + block.text.count("\n", 0, found.start(1))
                status = _status(found[1], line)
                if status["status"] != "unknown":
                    yield status


def _is_paragraph(block: Block) -> bool:
    return block.tag == "p" and block.depth == 0


def _status(word: str, line: int) -> StatusWord:
    own = NEXT_FIELD.split(word[:MAX_WORD], 1)[0].rstrip(BETWEEN_FIELDS)
    for begin, end in ("()", "[]"):  # around several fields
        own = own if begin in own else own.rstrip(end)
    return status_word(own, line, "text")


def _section_at(sections: Sequence[StorySection], line: int) -> StorySection:
    place = bisect_right(sections, line, key=_first_line)
    return sections[max(place - 1, 0)]


def _first_line(section: StorySection) -> int:
    return section.head.line if section.head else 0
