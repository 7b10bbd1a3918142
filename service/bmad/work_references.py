"""References to epics and stories in lines and cells: "Epics 1 and 2", "Stories 1.2-1.4"."""

import re
from typing import Final, NamedTuple

from service.bmad.readings import MAX_ID

MAX_REFERENCES: Final = 100  # of a line
MAX_LENGTH: Final = 2_000  # characters of a line or cell that are read

_END = r"[a-z]?(?![a-z0-9_])"
_PREFIX = r"(?:(?!N?FR|AC|V\d)[a-z]{1,4}-?(?=\d))?"
_EPIC = rf"{_PREFIX}\d{{1,4}}(?:\.\d{{1,4}}){{0,2}}{_END}"
_LEVELS = rf"{_PREFIX}\d{{1,4}}(?:(?:\.S?\d{{1,4}}){{1,3}}{_END}|-S?\d{{1,4}}{_END}(?!\.\d))"
_STORY = rf"(?:{_LEVELS}|{_PREFIX}\d{{1,4}}{_END})"
# Between two of a list, or of a range. A dash with spaces begins a description.
_AND = r"(?:\s*(?:[,;&+/\u3001\uff0c\uff1b]|and\b|et\b|y\b|to\b)\s*(?:and\s+)?|[-\u2013\u2014])"
_EPIC_WORDS = r"(?:epics?|épiques?|史诗|에픽|エピック)"
_STORY_WORDS = (
    r"(?:(?:user )?(?:stories|story)|histoires?|récits?|historias?|histórias?|故事|스토리"
    r"|ストーリー)"
)
_EPICS: Final = re.compile(
    rf"{_EPIC_WORDS}[\s#:-]{{0,3}}({_EPIC}(?>{_AND}{_EPIC})*+)", re.IGNORECASE
)
_STORIES: Final = re.compile(
    rf"{_STORY_WORDS}[\s#:-]{{0,3}}({_STORY}(?>{_AND}{_STORY})*+)", re.IGNORECASE
)
_EPICS_ALONE: Final = re.compile(
    rf"\W*({_EPIC}(?>{_AND}{_EPIC})*+)(?![a-z0-9]).*", re.IGNORECASE | re.DOTALL
)
_LEVELS_ALONE: Final = re.compile(
    rf"(?<![\w.-])({_LEVELS})(?:[-\u2013\u2014]({_LEVELS}))?", re.IGNORECASE
)
_EPIC_IN_LIST: Final = re.compile(rf"({_EPIC})({_AND})?", re.IGNORECASE)
_STORY_IN_LIST: Final = re.compile(rf"({_STORY})({_AND})?", re.IGNORECASE)
_IS_RANGE: Final = re.compile(r"\s*(?:to|[-\u2013\u2014])\s*", re.IGNORECASE)
_LAST_NUMBER: Final = re.compile(r"(.*?)(\d{1,4})", re.DOTALL)


class WorkReferences(NamedTuple):
    """The numbers of epics and the ids of stories, as they are written, each once."""

    epics: list[str]
    stories: list[str]


def read_references(text: str, *, is_begin: bool = False) -> WorkReferences | None:
    """Return the epics and stories that a text names, None if there are none.

    With `is_begin` a text without one at its beginning names none.
    """
    text = text[:MAX_LENGTH]
    if is_begin and not (_EPICS.match(text) or _STORIES.match(text)):
        return None
    epics = _of_lists(_EPICS, _EPIC_IN_LIST, text)
    stories = _of_lists(_STORIES, _STORY_IN_LIST, text)
    if epics and not stories:  # "Epic 1 (1.2, 1.3)"
        stories = _of_levels(_EPICS.sub(" ", text)) if "(" in text else []
    return WorkReferences(epics, stories) if epics or stories else None


def read_epics_of_cell(cell: str) -> list[str]:
    """Return the epics of a cell in a column of epics: "Epic 1: Accounts", "1, 3"."""
    cell = cell[:MAX_LENGTH]
    if epics := _of_lists(_EPICS, _EPIC_IN_LIST, cell):
        return epics
    alone = _EPICS_ALONE.fullmatch(cell)
    return _of_list(_EPIC_IN_LIST, alone[1]) if alone else []


def read_stories_of_cell(cell: str) -> list[str]:
    """Return the stories of a cell in a column of stories: "Story 1.2", "1.1c, 1.1d (owner)"."""
    cell = cell[:MAX_LENGTH]
    return _unique([*_of_lists(_STORIES, _STORY_IN_LIST, cell), *_of_levels(cell)])


def _of_lists(lists: re.Pattern[str], item: re.Pattern[str], text: str) -> list[str]:
    return _unique([each for found in lists.finditer(text) for each in _of_list(item, found[1])])


def _of_levels(text: str) -> list[str]:
    found = [
        _range(first, last) if last else [first] for first, last in _LEVELS_ALONE.findall(text)
    ]
    return _unique([each for ids in found for each in ids])


def _of_list(item: re.Pattern[str], listed: str) -> list[str]:
    ids: list[str] = []
    is_range = False
    for found in item.finditer(listed):
        written, sign = found.groups()
        ids += _range(ids[-1], written)[1:] if is_range else [written]
        is_range = bool(sign and _IS_RANGE.fullmatch(sign))
    return ids


def _range(first: str, last: str) -> list[str]:
    """Return the ids from one to another, or only these two if they have no numbers between."""
    begin, end = _LAST_NUMBER.fullmatch(first), _LAST_NUMBER.fullmatch(last)
    if begin and end and end[1] in {begin[1], ""}:
        numbers = range(int(begin[2]), int(end[2]) + 1)
        if 1 < len(numbers) <= MAX_REFERENCES:
            return [f"{begin[1]}{number}" for number in numbers]
    return [first, last]


def _unique(ids: list[str]) -> list[str]:
    return [each[:MAX_ID] for each in dict.fromkeys(ids)][:MAX_REFERENCES]
