"""The epics that a story's file names as its own: in its front matter, its fields, its folders."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeGuard

from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.identity import epic_of_folders, epic_of_name, read_epic_heading
from service.bmad.readings import MAX_TEXT
from service.bmad.story_sections import name_of_section
from service.documents.story_signs import EPIC_WORDS

EPIC_KEYS: Final = (
    "epic_id",
    "epicId",
    "epic_num",
    "epic_number",
    "epic",
    "parent_epic",
    "epic_link",
    "epic_ref",
)
# "Epic", "Parent Epic", "Epic Link"; "Parent" alone may be of something else.
EPIC_LABEL: Final = re.compile(
    rf"(?:parent\s)?(?:{EPIC_WORDS})(?:\s(?:id|number|no\.?|num|link|key|ref|reference))?",
    re.IGNORECASE,
)
PARENT: Final = "parent"
# The label of a line such as "Epic 2: Payments".
EPIC_LINE: Final = re.compile(
    rf"(?:{EPIC_WORDS})[\s#-]{{0,2}}(?:[a-z]{{1,4}}-?)?\d{{1,4}}", re.IGNORECASE
)
LINE_BEGIN: Final = re.compile(r"[ >]{0,8}+(?:\*\*|__)?\w")
# Of an epic: "AP-4 - Devices", "10", "Epic 10.1: Sharing".
EPIC_NUMBER: Final = re.compile(
    r"\W*+((?:(?:[A-Z]{1,6}|[A-Za-z]{1,3})-?)?\d{1,6}(?:[.-]\d{1,6})?[a-zA-Z]?)(?![\w.])"
)
# After such a number where the value names it surely; "24/7 support" and "1, 2" do not.
NUMBER_END: Final = re.compile(
    r"[\s*_`\]]*+(?:[:\uff1a\u2013\u2014()|](?!\s*+\d)|-\s(?!\s*+\d)|\.(?:\s|\Z)|\Z)"
)
# "Q3", "V2", "3D", "B2B" and "2024" are other things.
SURE_NUMBER: Final = re.compile(r"(?:[A-Z]{2,6}-|[eE][pP]?-?)?\d{1,3}[a-z]?")
# Of a line that says something about an epic.
SENTENCE: Final = re.compile(
    r"\W*+[a-z]|.*\b(?:this|is|are|was|needs?|uses?|blocks?|blocked|depends?|waits?)\b", re.DOTALL
)
NUMBER_ALONE: Final = re.compile(r"[\W_]*+\d{1,4}[\W_]*+")
IN_BRACKETS: Final = re.compile(r"\(([^()]{1,60}+)\)\W*+\Z")
FILE: Final = re.compile(r"(?>[\w .-]*+/)*+([\w .-]{1,255})\.md(?:#.*)?")
MAX_GAP: Final = 3  # lines below a heading "Epic", the first of which with text may name it
SECOND: Final = 2  # headings that a story's first fields may be below: its project's and its own


def own_epics(document: BmadDocument, fields: Iterable[Field]) -> list[str]:
    """Return the numbers of epics that a document names as its own, the surest first.

    Those of the front matter and of fields come first, then that of a heading "Epic", of a folder,
    and of a line such as "Epic 2: Payments" above the first section.
    """
    of_fields = [*fields]
    found = (
        *(epic_number(document.front_matter.get(key)) for key in EPIC_KEYS),
        _number_of_heading(document.front_matter.get(PARENT)),
        *(epic_number(each.value) for each in of_fields if EPIC_LABEL.fullmatch(each.label)),
        *(_number_of_heading(each.value) for each in of_fields if each.label == PARENT),
        *_below_heading(document),
        epic_of_folders(document.folders),
        *_of_lines(document, of_fields),
    )
    return [*filter(None, found)]


def epic_number(value: Any) -> str | None:
    """Return the number of an epic that a value names; None for values that name none or several.

    Values are as 2, "AP-4 - Devices", "Epic 2: Payments", "Payments (Epic 2)" and
    "../epics/epic-2.md", or a list of one of them.
    """
    if _is_list(value):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)[:MAX_TEXT]
    if heading := _number_of_heading(text):
        return heading
    if number := EPIC_NUMBER.match(text):
        return number[1]
    if brackets := IN_BRACKETS.search(text):
        return _number_of_heading(brackets[1])
    file = FILE.fullmatch(text.strip())
    return epic_of_name(file[1]) if file else None


def sure_epic(document: BmadDocument, fields: Iterable[Field]) -> str | None:
    """Return the number of the epic that a document without a story's number surely names.

    After the number of a value there is a sign or nothing, so "5G support" names no epic.
    """
    values = [
        *(document.front_matter.get(key) for key in EPIC_KEYS),
        *(each.value for each in fields if EPIC_LABEL.fullmatch(each.label)),
    ]
    unsure = {number for each in values if (number := epic_number(each)) and not _is_sure(each)}
    found = (each for each in own_epics(document, fields) if each not in unsure)
    return next(filter(SURE_NUMBER.fullmatch, found), None)


def _is_sure(value: Any) -> bool:
    text = str(value)[:MAX_TEXT]
    number = EPIC_NUMBER.match(text)
    return number is None or NUMBER_END.match(text, number.end()) is not None


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _number_of_heading(value: Any) -> str | None:
    found = read_epic_heading(value[:MAX_TEXT]) if isinstance(value, str) else None
    return found.identity.epic if found else None


def _below_heading(document: BmadDocument) -> Iterator[str | None]:
    """Yield the number below a heading such as "Parent Epic": a number alone, or "Epic 2: …"."""
    for heading in document.headings:
        if EPIC_LABEL.fullmatch(heading.text[:MAX_TEXT]):
            below = document.lines[heading.line : heading.line + MAX_GAP]
            text = next((line for line in below if line.strip()), "")[:MAX_TEXT]
            yield epic_number(text) if NUMBER_ALONE.fullmatch(text) else _number_of_heading(text)


def _of_lines(document: BmadDocument, fields: Iterable[Field]) -> Iterator[str | None]:
    """Yield the numbers of lines such as "Epic 2: Payments" above the first section, in no list."""
    for field in fields:
        if (
            EPIC_LINE.fullmatch(field.label)
            and not field.is_after_others
            and field.thing is None
            and not SENTENCE.match(field.value)
            and LINE_BEGIN.match(document.lines[field.line - 1])
            and is_above_sections(document, field.line)
        ):
            yield _number_of_heading(field.label)


def is_above_sections(document: BmadDocument, line: int) -> bool:
    """Return whether a line is among a story's first ones, above all headings of sections."""
    above = [each for each in document.headings if each.line < line]
    return len(above) <= SECOND and all(name_of_section(each.text) is None for each in above)
