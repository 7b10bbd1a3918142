"""Names of requirements, such as FR1, NFR-2 and UX-DR3, in lists and ranges."""

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from service.bmad.readings import MAX_ID, MAX_ITEMS

# Of functional and other requirements, constraints and capabilities, as the method's templates and
# real documents name them. "P0", "AC1", "E1" and "S1" name something else.
PREFIX: Final = r"(?:N?FR|UX-?DR|UXR?|REQ|CAP|[ABDIQST]R|CR|EF|ENF|RF|RNF|BR)"
NAME: Final = re.compile(
    rf"(?<![A-Za-z0-9_-]){PREFIX}(?:[-_ ]?|(?:-[A-Z]{{1,12}}){{1,2}}-?|-[A-Z])\d{{1,6}}"
    r"(?:\.\d{1,4}){0,3}[a-z]?(?!-?[A-Za-z0-9_])"
)
_RANGE: Final = re.compile(
    rf"(?<![A-Za-z0-9_-])({PREFIX}(?:-[A-Z]{{1,12}})?[-_ ]?)(\d{{1,6}})"
    r"\s?(?:[-\u2013\u2014~\uff5e\u81f3]|\.\.|to|through|à)"
    r"\s?(?:\1)?(\d{1,6})(?![.-]?[A-Za-z0-9_])"
)
_OPENING: Final = re.compile(r"[\W_]{0,20}+")

MAX_RANGE: Final = 100

# "FRs covered: FR1, FR2", "Requirements: …", in Chinese with a wide colon.
_LABEL: Final = re.compile(r"[\W_]{0,12}+([^:\uff1a|]{1,60}+)[:\uff1a](.*)", re.DOTALL)
_LABEL_WORD: Final = re.compile(
    r"(?:\bN?FRs?\b|requirements?|\bcover(?:s|ed|age)?\b|覆盖|需求|exigences?|couvert|requisitos"
    r"|요구\s?사항|要件)",
    re.IGNORECASE,
)


def read_names(text: str) -> list[str]:
    """Return the names of requirements in a text in order, each once; ranges are written out."""
    names: dict[str, None] = {}
    start = 0
    for found in _RANGE.finditer(text):
        names.update(dict.fromkeys(_single_names(text[start : found.start()])))
        names.update(dict.fromkeys(_names_of_range(*found.groups())))
        start = found.end()
    names.update(dict.fromkeys(_single_names(text[start:])))
    return [*names][:MAX_ITEMS]


def names_of_value(value: Any) -> list[str]:
    """Return the names in a value of front matter: a text, or a list of texts."""
    return read_names(json.dumps(value, ensure_ascii=False)) if value else []


def read_leading_name(text: str) -> tuple[str, str] | None:
    """Return the name that a text begins with, and the text after it; None without one."""
    opening = _OPENING.match(text)
    found = NAME.match(text, opening.end() if opening else 0)
    return (_written(found), text[found.end() :]) if found else None


def read_covered(line: str) -> list[str] | None:
    """Return the names on a line that says what is covered: "FRs covered: FR1, FR2".

    The list is empty where the names come on the next lines; None means another line.
    """
    found = _LABEL.match(line)
    if not found or not _LABEL_WORD.search(found[1]) or read_leading_name(found[1]):
        return None
    return read_names(found[2])


def _single_names(text: str) -> Iterator[str]:
    return map(_written, NAME.finditer(text))


def _written(found: re.Match[str]) -> str:
    return found[0].replace(" ", "")[:MAX_ID]


# A hostile text can have a hundred thousand ranges, most of them the same.
@lru_cache(maxsize=256)
def _names_of_range(prefix: str, first: str, last: str) -> tuple[str, ...]:
    numbers = range(int(first), int(last) + 1)
    prefix = prefix.replace(" ", "")
    if not 1 < len(numbers) <= MAX_RANGE:
        return (f"{prefix}{first}", f"{prefix}{last}")
    return tuple(f"{prefix}{number:0{len(first)}}" for number in numbers)
