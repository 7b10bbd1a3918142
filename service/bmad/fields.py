"""The fields at the beginning of a document: "**Status:** done | **Epic:** 2", rows of tables.

Read from the source's lines rather than from blocks, since the bold of labels says where a field
begins that has others before it on its line.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

MAX_FIELD: Final = 500  # characters of a line that are read
MAX_LABEL: Final = 40

# A line without any of these has no field.
MARK: Final = re.compile(r"[:\uff1a]|\*\*|__")
FENCE: Final = re.compile(r"[ >]*+(?:```|~~~)")
HEADING: Final = re.compile(r" {0,3}#{1,6}(?:\s|$)")
BEGIN: Final = re.compile(r"[\s>*+_-]*+(?:\[[ xX]\]\s*+)?")
# "**Epic:** 2", "**Epic**: 2": here a field begins. A status needs no colon: "**Status** done".
BOLD_LABEL: Final = re.compile(
    r"(?:\*\*|__)(?:([^*_:\uff1a|\n]{1,40}+)(?:[:\uff1a]\s*+(?:\*\*|__)|(?:\*\*|__)\s*+[:\uff1a])"
    r"|(status)(?:\*\*|__)\s*+(?:[=\u2013\u2014-]\s*+)?(?=[^\s:\uff1a]))",
    re.IGNORECASE,
)
BETWEEN: Final = re.compile(r"\x1f|\s\|\s|\s[·•]\s")
FIELD: Final = re.compile(
    r"[\W_]*+([^\W\d_][^:\uff1a|\x1f]{0,39}?)[*_]{0,2}\s*+[:\uff1a][*_\s]*+(?!//)"
)
RULE: Final = re.compile(r"[\s>]*+\|[\s|:-]*+\Z")
EMPHASIS: Final = re.compile(r"\*\*|__|`")


class Field(NamedTuple):
    """A field: its label in lower case, its value, and the line of that."""

    label: str
    value: str
    line: int


def read_fields(lines: Sequence[str], first: int, last: int) -> Iterator[Field]:
    """Yield the fields of these lines of a document, counted from 1, in order.

    A value may be on the line after its label. Lines of code, comments and headings have none.
    """
    label = ""  # whose value is to come
    labels: list[str] = []  # of a table's columns
    before: list[str] = []  # the cells of the line before
    for number, line in _prose(lines, first, last):
        text = line[:MAX_FIELD]
        if HEADING.match(text):
            label = ""
            continue
        if text.lstrip(" >").startswith("|"):
            cells = [_plain(cell) for cell in text.strip(" >|").split("|")]
            if RULE.match(text):
                labels = before
            elif labels and len(labels) > 2:
                for name, value in zip(labels, cells, strict=False):
                    yield Field(name.lower()[:MAX_LABEL], value, number)
            else:
                for name, value in zip(cells[::2], cells[1::2], strict=False):
                    yield Field(name.rstrip(":\uff1a").lower()[:MAX_LABEL], value, number)
            before = cells
            continue
        labels, before = [], []
        if not label and not MARK.search(text):
            continue
        if not text.strip():
            continue
        pieces = BETWEEN.split(BOLD_LABEL.sub("\x1f\\1\\2:", text))
        is_first = True
        for piece in pieces:
            if not piece.strip(" *_>|-"):
                continue
            found = FIELD.match(piece)
            if found:
                value = _plain(piece[found.end() :])
                if value:
                    yield Field(_label(found[1]), value, number)
                label = "" if value else _label(found[1])
            elif is_first and label:
                yield Field(label, _plain(piece), number)
                label = ""
            is_first = False


def _prose(lines: Sequence[str], first: int, last: int) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither code nor comments, with their numbers."""
    is_code = is_comment = False
    for number in range(first, min(last, len(lines)) + 1):
        line = lines[number - 1]
        if is_comment:
            is_comment = "-->" not in line
        elif FENCE.match(line):
            is_code = not is_code
        elif not is_code:
            if "<!--" in line:
                before, _, rest = line.partition("<!--")
                is_comment = "-->" not in rest
                line = before + rest.partition("-->")[2]
            yield number, line


def _label(text: str) -> str:
    return EMPHASIS.sub("", text).strip(" *_").lower()


def _plain(text: str) -> str:
    begin = BEGIN.match(text)
    return EMPHASIS.sub("", text[begin.end() if begin else 0 :]).strip(" *_\t")
