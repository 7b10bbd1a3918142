"""The statuses that a document says, each with its line, in the order in which they decide."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Final

from service.bmad.boxes import read_box, takes_blanks
from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.own_statuses import is_log, is_own, is_paragraph, may_be_own
from service.bmad.readings import MAX_ITEMS, Place, StatusWord
from service.bmad.statuses import MAX_WORD, STATUS_LABEL, is_status_alone, status_word
from service.bmad.story_sections import HEADING_TAGS, LABEL_LEVEL, StorySection
from service.documents.blocks import Block
from service.documents.broken_front_matter import OPENINGS
from service.documents.front_matter import FrontMatterError, read_front_matter

FRONT_MATTER_KEYS: Final[Sequence[tuple[str, Place]]] = (
    ("tracker_status", "tracker_status"),  # of a leaf of version 7
    ("status", "front_matter"),
)
# As STATUS_LABEL has it. Only known words count, for "estado" is a state of Brazil, too.
OTHER_KEYS: Final = ("statut", "estado", "状态", "狀態", "상태")
ALL_KEYS: Final[Sequence[tuple[str, Place]]] = (
    *FRONT_MATTER_KEYS,
    *((key, "front_matter") for key in OTHER_KEYS),
)
STATUS_LINES: Final = 40  # of the text, in which a line may say the status

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
# Sections whose parts may have a heading "Status" each.
WITH_PARTS: Final = frozenset(("criteria", "tasks", "notes"))
MAX_AT_END: Final = 3  # paragraphs at the end of a document, one of which may be its status
MAX_GAP: Final = 5  # lines above such a paragraph, one of which may be a rule
RULE: Final = re.compile(r"\s*+(?:(?:-\s*+){3,}|(?:\*\s*+){3,}|(?:_\s*+){3,})")
SENTENCE_ENDS: Final = (".", "!", "?", "…", ")", "。", "\uff01", "\uff1f")


def front_matter_statuses(document: BmadDocument, place: Place | None = None) -> list[StatusWord]:
    """Return the statuses of the front matter: that of a tracker goes before the document's own.

    A value that is no text says nothing, and neither does one that cannot be read as YAML, unless
    it begins with a known word: so the text of the document decides. `place` is what to call the
    places of both.
    """
    return [status for status, is_broken in _in_front_matter(document, place) if not is_broken]


def _in_front_matter(
    document: BmadDocument, place: Place | None = None
) -> Iterator[tuple[StatusWord, bool]]:
    """Yield the statuses of the front matter, and whether each is no YAML."""
    for key, own_place in ALL_KEYS:
        value = document.front_matter.get(key)
        if isinstance(value, str) and value.strip():
            status = status_word(value, document.front_matter_line(key), place or own_place)
            if key not in OTHER_KEYS or status["status"] != "unknown":
                yield status, _is_broken(document, value, status)


def notes_of_front_matter(document: BmadDocument) -> Iterator[str]:
    """Yield that a status in the front matter is a list or a mapping, which says nothing."""
    for key, _ in FRONT_MATTER_KEYS:
        if isinstance(value := document.front_matter.get(key), list | dict):
            kind = "list" if isinstance(value, list) else "mapping"
            line = document.front_matter_line(key)
            yield f"Line {line} cannot be read: the {key} of the front matter is a {kind}."


def _is_broken(document: BmadDocument, value: str, status: StatusWord) -> bool:
    """Return whether a value is the text of what is no YAML by itself, as "[done" is."""
    if "front_matter_error" not in document.metadata:
        return False
    if status["status"] != "unknown" and not value.startswith(OPENINGS):
        return False
    try:
        read_front_matter(f"status: {value}\n")
    except FrontMatterError:
        return True
    return False


def read_statuses(
    document: BmadDocument, sections: Sequence[StorySection], fields: Sequence[Field]
) -> list[StatusWord]:
    """Return all statuses of a story, of which the first one decides.

    First that of the front matter. Then what the first 40 lines of the text say first, in a field
    or below a heading "Status"; then such headings further below. Where these say nothing, a field
    after others on its line does, or one in a section of other things; then a line of the agent's
    record, of the last section or at the document's end, if its word is one of a status; and at
    last a known word of front matter that is no YAML.
    """
    found = front_matter_statuses(document)
    limit = document.html_line + STATUS_LINES
    in_text, others = statuses_in_fields(document, sections, fields, limit)
    outer, inner = statuses_below_headings(sections)
    below_headings = sorted(outer + inner, key=itemgetter("line"))
    first = [each for each in below_headings if each["line"] < limit]
    found += sorted(in_text + first, key=itemgetter("line"))
    found += [each for each in below_headings if each["line"] >= limit]
    found += others if not in_text and not below_headings else []
    found += _late_statuses(document, sections)
    if not found and "front_matter_error" in document.metadata:
        broken = (status for status, is_broken in _in_front_matter(document) if is_broken)
        found += (each for each in broken if each["status"] != "unknown")
    by_line: dict[int, StatusWord] = {}
    for each in found:
        by_line.setdefault(each["line"], each)
    return [*by_line.values()][:MAX_ITEMS]


def statuses_in_fields(
    document: BmadDocument, sections: Sequence[StorySection], fields: Iterable[Field], limit: int
) -> tuple[list[StatusWord], list[StatusWord]]:
    """Return the statuses of fields above `limit`, and those that count if these say nothing.

    The latter are after others on a line, or in a section of other things.
    """
    found: list[StatusWord] = []
    others: list[StatusWord] = []
    for field in fields:
        if field.line >= limit or not STATUS_LABEL.fullmatch(field.label):
            continue
        if is_own(document, sections, field):
            status = _status(field.value, field.line)
            (others if field.is_after_others else found).append(status)
        elif may_be_own(document, sections, field):
            others.append(_status(field.value, field.line))
    return found, others


def statuses_below_headings(
    sections: Sequence[StorySection],
) -> tuple[list[StatusWord], list[StatusWord]]:
    """Return the statuses below headings "Status", and that within criteria, tasks or notes.

    Parts of the work may have a status each, and a criterion may be about one. So the latter must
    be the only one there, a known word alone, and of no part that has a heading of its own.
    """
    found: list[StatusWord] = []
    inner: list[StatusWord | None] = []
    around: list[StorySection] = []
    for section in sections:
        while around and around[-1].level >= section.level:
            around.pop()
        if section.name == "status" and section.head and (status := _status_below(section)):
            outer = around[-1] if around and around[-1].name in WITH_PARTS else None
            if outer is None:
                found.append(status)
            else:
                is_alone = is_status_alone(status["word"]) and _is_of_whole(section, outer)
                inner.append(status if is_alone and not _has_parts(outer, sections) else None)
        around.append(section)
    return found, [inner[0]] if len(inner) == 1 and inner[0] else []


def _is_of_whole(section: StorySection, outer: StorySection) -> bool:
    """Return whether a section "Status" has a single text, and is not below a part of another."""
    texts = [block for block in section.blocks if block.text]
    levels = (int(block.tag[1]) for block in outer.blocks if block.tag in HEADING_TAGS)
    are_boxes = all(read_box(block, takes_blank=True) for block in texts)
    is_single = len(texts) < 2 or texts[0].tag == "p" or are_boxes
    return is_single and section.level <= min(levels, default=section.level)


def _has_parts(outer: StorySection, sections: Iterable[StorySection]) -> bool:
    """Return whether criteria or tasks have headings of their own besides "Status"."""
    return outer.name != "notes" and (
        any(block.tag in HEADING_TAGS for block in outer.blocks)
        or any(
            each.name == outer.name and outer.level < each.level < LABEL_LEVEL for each in sections
        )
    )


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
    takes_blank = takes_blanks(blocks)
    boxes = [(block, box) for block in blocks if (box := read_box(block, takes_blank=takes_blank))]
    if boxes:
        return next((block for block, box in reversed(boxes) if box.is_done), None)
    return next((block for block in blocks if block.text), None)


def _late_statuses(
    document: BmadDocument, sections: Sequence[StorySection]
) -> Iterator[StatusWord]:
    """Yield the statuses in the agent's record, in a last section, or at the end of the document.

    That at the end is a paragraph of its own after the notes, the only one there with a status.
    """
    last = len(sections) - 1
    for place, section in enumerate(sections):
        if section.name == "record" or (place == last and section.name is None):
            tags = {"p"} if is_log(section) else {"p", "li", "tr"}
            for block in section.blocks:
                if block.tag in tags and (found := LATE_STATUS.search(block.text)):
                    line = block.line + block.text.count("\n", 0, found.start(1))
                    status = _status(found[1], line)
                    if status["status"] != "unknown":
                        yield status
        elif place == last and section.name == "notes":
            yield from _status_at_end(document, section)


def _status_at_end(document: BmadDocument, section: StorySection) -> Iterator[StatusWord]:
    """Yield the status after the notes: a known word alone, in italics or bold, or after a rule.

    A text right before it is a whole sentence: of "Story 1.1" or "The response:" it is no status.
    """
    if sum(len(LATE_STATUS.findall(block.text)) for block in section.blocks) != 1:
        return
    blocks = [section.head, *section.blocks] if section.head else section.blocks
    for before, block in reversed([*pairwise(blocks)][-MAX_AT_END:]):
        if not is_paragraph(block):
            return
        found = LATE_STATUS.fullmatch(block.text)
        if found and is_status_alone(found[1]) and _is_apart(document, before, block):
            yield _status(found[1], block.line)


def _is_apart(document: BmadDocument, before: Block, block: Block) -> bool:
    above = document.lines[max(block.line - 1 - MAX_GAP, 0) : block.line - 1]
    nearest = next((line for line in reversed(above) if line.strip(" \t>")), "")
    if RULE.fullmatch(nearest):
        return True
    is_sentence = before.tag == "p" and before.text.endswith(SENTENCE_ENDS)
    is_list = before.tag in {"li", "tr", "pre"} and not before.text.endswith((":", "\uff1a"))
    is_marked = document.lines[block.line - 1].lstrip(" >").startswith(("*", "_"))
    return is_marked and (is_sentence or is_list)


def _status(word: str, line: int) -> StatusWord:
    own = NEXT_FIELD.split(word[:MAX_WORD], 1)[0].rstrip(BETWEEN_FIELDS)
    for begin, end in ("()", "[]"):  # around several fields
        own = own if begin in own else own.rstrip(end)
    return status_word(own, line, "text")
