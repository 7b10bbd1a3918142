"""The epic that a document is about as a whole, as its first heading or its name says."""

import re
from typing import Final, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.epic_shapes import FOLDER_FILES, EpicName, read_epic_name, without_zeros
from service.bmad.identity import MAX_NAME, epic_of_name, fold_id, read_id, read_name
from service.bmad.titles import split_title
from service.documents.story_signs import EPIC_WORDS

# "epics-v2", "v2-epics": a document of several epics, whatever number is in its name.
_LIST_NAME: Final = re.compile(r"(?:^|[-_. ])[eé]pics(?![a-z])", re.IGNORECASE)
_PLAIN_LIST_NAME: Final = re.compile(
    r"[eé]pics[-_. ]?(\d{1,3})(?![\w.])(?!-(?:\d|to-))", re.IGNORECASE
)
_NUMBER_BEFORE: Final = re.compile(
    r"[\W_]{0,6}((?:[A-Za-z]{1,6}-?)?\d{1,9}[A-Za-z]?(?:[.-]\d{1,9}){0,2})[)\]]?"
    r"\s*(?:[:\uff1a\u2014\u2013\u00b7|]|-\s|\.\s)\s*(?=\S)"
)
_EPIC_ALONE: Final = re.compile(
    rf"[\W_]*(?:{EPIC_WORDS})(?:[\s#-]{{0,3}}[A-Za-z]{{0,4}}-?\d[\w.]{{0,10}})?"
    r"\s*(?:[:\uff1a\u2014\u2013|-]\s*|\Z)",
    re.IGNORECASE,
)


class OwnEpic(NamedTuple):
    """The epic that a document is: `level` is that of its heading, 0 where it has none."""

    name: EpicName
    line: int
    anchor: str | None
    level: int

    def may_have(self, number: str, level: int) -> bool:
        """Return whether a heading of this level with an epic's number is that of an epic here."""
        if level <= self.level:
            return True
        own = fold_id(self.name.number)
        return fold_id(number) == own or fold_id(number).startswith(f"{own}.")


def read_own_epic(document: BmadDocument) -> OwnEpic | None:
    """Return the epic that a document is, by its first heading, else its name or its folder.

    A list of epics is none of them: "epics-v2.md", "epics-1-5.md", and "epics/00-overview.md" whose
    headings name two. Only a plain number is that of an epic in a name that begins with "epics",
    and only where no heading names one.
    """
    first = document.main_heading
    by_name = None if document.kind == "prd" else _number_of_name(document)
    if document.kind != "prd" and first:
        name = read_epic_name(first.text, is_own=by_name is not None)
        if name and not ("-" in name.number and _has_others(document, name.number)):
            return OwnEpic(name, first.line, first.anchor, 1)
    if by_name is None:
        return None
    written = document.front_matter.get("title") or (first.text if first else "")
    title = split_title(_without_number(_without_word(str(written)), by_name))
    name = EpicName(by_name, title.text, title.status)
    return OwnEpic(name, first.line if first else 1, first.anchor if first else None, 0)


def _without_word(title: str) -> str:
    word = _EPIC_ALONE.match(title)
    return title[word.end() :] if word else title


def _without_number(title: str, number: str) -> str:
    """Return a title without the epic's own number: "Devices" of "AP-4: Devices"."""
    found = _NUMBER_BEFORE.match(title[:MAX_NAME])
    is_own = found and fold_id(found[1]) == fold_id(number)
    return title[found.end() :] if found and is_own else title


def _number_of_name(document: BmadDocument) -> str | None:
    """Return the number of an epic in a document's name, its folder or its front matter."""
    name = document.name
    if _LIST_NAME.search(name):
        plain = _PLAIN_LIST_NAME.match(name)
        return plain[1] if plain and not _numbers_of_headings(document) else None
    if found := epic_of_name(name):
        is_plain = found.replace(".", "").isdecimal()
        return found if is_plain or not _has_others(document, found) else None
    if name.lower() in FOLDER_FILES:
        folder = document.folders[-1] if document.folders else ""
        number = None if _LIST_NAME.match(folder) else epic_of_name(folder)
        found = without_zeros(number) if number else None
    elif document.folders and document.folders[-1].lower() == "epics":
        found = read_name(name).identity.id or None
        if found and len(_numbers_of_headings(document)) > 1:
            return None
    if found is None and document.kind == "epic":
        values = map(document.front_matter.get, ("epic", "epic_number", "epic_id", "epicId"))
        found = next((read_id(value).id for value in values if value is not None), None)
    return found or None


def _has_others(document: BmadDocument, number: str) -> bool:
    """Return whether headings name two epics or more, and not the one of a number."""
    own, numbers = fold_id(number), _numbers_of_headings(document)
    return own not in numbers and sum(not each.startswith(f"{own}.") for each in numbers) > 1


def _numbers_of_headings(document: BmadDocument) -> set[str]:
    """Return the epics that headings name, without the first of level 1."""
    first = document.main_heading
    names = (read_epic_name(each.text) for each in document.headings if each != first)
    return {fold_id(name.number) for name in names if name is not None}
