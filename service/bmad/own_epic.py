"""The epic that a document is about as a whole, as its first heading or its name says."""

import re
from typing import Final, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.epic_shapes import FOLDER_FILES, EpicName, read_epic_name, without_zeros
from service.bmad.identity import (
    MAX_NAME,
    epic_of_name,
    fold_id,
    fold_slug,
    read_heading,
    read_id,
    read_name,
)
from service.bmad.titles import split_title
from service.documents.story_signs import EPIC_WORDS

# "epics-v2", "v2-epics": a document of several epics, whatever number is in its name.
_LIST_NAME: Final = re.compile(r"(?:^|[-_. ])[eé]pics(?![a-z])", re.IGNORECASE)
_PLAIN_WORD: Final = re.compile(r"[eé]pics", re.IGNORECASE)
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

_NUMBER_FIRST: Final = re.compile(
    r"[\W_]{0,6}((?:[A-Za-z]{1,6}-?)?\d{1,9}[A-Za-z]?(?:[.-]\d{1,9}){0,2})(?![\w-])"
)
_RANGE: Final = re.compile(r"(\d{1,3})-(\d{1,3})")
# What is in a name before its words: "epic-2-", "01-", "ap-4-".
_NAME_START: Final = re.compile(r"(?:[a-z]{1,6}-?){0,2}\d[\d-]*[a-z]?-")
# Titles of lists, and sections that have other epics than a document's own.
_LIST_TITLE: Final = re.compile(
    r"\bepics\b|overview|\blist\b|index|breakdown|summary|roadmap|contents|readme|introduction"
    r"|\bplan|backlog",
    re.IGNORECASE,
)
_ASIDE: Final = re.compile(
    r"\b(?:related|relation|depend|next|other|previous|follow|prerequisite|block|integrat|see also"
    r"|link|impact|interface|upstream|downstream|future|out of scope|reference)",
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
    and only where no heading names one before its stories.
    """
    first = document.main_heading
    by_name = None if document.kind == "prd" else _number_of_name(document)
    if document.kind != "prd" and first:
        name = read_epic_name(first.text, is_own=by_name is not None)
        if name and _is_range(document, name.number):
            return None
        if name:
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
    found = None if _PLAIN_WORD.match(name) else epic_of_name(name)
    if found is None and _LIST_NAME.search(name):
        plain = _PLAIN_LIST_NAME.match(name)
        return plain[1] if plain and _is_first_own(document, plain[1]) else None
    if found:
        is_plain = found.replace(".", "").isdecimal()
        return found if is_plain or not _has_others(document, found) else None
    if name.lower() in FOLDER_FILES:
        folder = document.folders[-1] if document.folders else ""
        number = None if _LIST_NAME.match(folder) else epic_of_name(folder)
        found = without_zeros(number) if number else None
    elif document.folders and document.folders[-1].lower() == "epics":
        found = read_name(name).identity.id or None
        if found and _is_list(document, found):
            return None
    if found is None and document.kind == "epic":
        values = map(document.front_matter.get, ("epic", "epic_number", "epic_id", "epicId"))
        found = next((read_id(value).id for value in values if value is not None), None)
    return found or None


def _is_range(document: BmadDocument, number: str) -> bool:
    """Return whether "1-5" is that of a list, whose headings name two epics of these."""
    found = _RANGE.fullmatch(number)
    numbers = (int(each) for each in _numbers_of_headings(document) if found and each.isdecimal())
    return found is not None and sum(int(found[1]) <= each <= int(found[2]) for each in numbers) > 1


def _has_others(document: BmadDocument, number: str) -> bool:
    """Return whether headings name two epics or more, and not the one of a number."""
    own, numbers = fold_id(number), _numbers_of_headings(document)
    has_others = sum(not each.startswith(f"{own}.") for each in numbers) > 1
    return has_others and own not in numbers and _is_list(document, number)


def _is_list(document: BmadDocument, number: str) -> bool:
    """Return whether headings name two epics in a document that is not the one of a number.

    That one has the number or the words of its name as its title, or stories of that epic, without
    a heading of it above these.
    """
    numbers = _numbers_of_headings(document)
    if len(numbers) < 2 or _is_titled(document, number):
        return False
    own = fold_id(number)
    return own in numbers or not any(_is_story(each.text, own) for each in document.headings)


def _is_titled(document: BmadDocument, number: str) -> bool:
    """Return whether the first heading has the number of an epic, or the words of its name."""
    first = document.main_heading
    if first is None or _LIST_TITLE.search(first.text):
        return False
    written = _NUMBER_FIRST.match(first.text[:MAX_NAME])
    if written and fold_id(written[1]) == fold_id(number):
        return True
    name, slug = fold_slug(document.name[:MAX_NAME]), fold_slug(first.text[:MAX_NAME])
    return bool(slug) and name.endswith(slug) and bool(_NAME_START.fullmatch(name[: -len(slug)]))


def _is_first_own(document: BmadDocument, number: str) -> bool:
    """Return whether no heading names an epic, or only that of a number below its stories."""
    own = fold_id(number)
    if not _numbers_of_headings(document) <= {own}:
        return False
    for each in document.headings:
        if each != document.main_heading:
            if _is_story(each.text, own):
                return True
            if read_epic_name(each.text) is not None:
                return False
    return True


def _is_story(heading: str, epic: str) -> bool:
    """Return whether a heading is that of a story of an epic."""
    named = read_heading(heading)
    return named.is_about_story and fold_id(named.identity.epic or "") == epic


def _numbers_of_headings(document: BmadDocument) -> set[str]:
    """Return the epics that headings name, without the first of level 1.

    Those below a section such as "Related epics" do not count.
    """
    first = document.main_heading
    numbers: set[str] = set()
    aside = 0  # the level of a section of other epics
    for each in document.headings:
        if each == first:
            continue
        if each.level <= aside:
            aside = 0
        name = read_epic_name(each.text)
        if name is not None and not aside:
            numbers.add(fold_id(name.number))
        elif name is None and not aside and _ASIDE.search(each.text):
            aside = each.level
    return numbers
