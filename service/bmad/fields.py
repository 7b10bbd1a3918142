"""The fields at the beginning of a document: "**Status:** done | **Epic:** 2", those of tables.

Read from the source's lines rather than from blocks, since the bold of labels says where a field
begins that has others before it on its line.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import unescape
from itertools import chain
from typing import Final, NamedTuple

from service.bmad.identity import fold_id, fold_slug, read_heading
from service.bmad.statuses import (
    LABEL,
    STATUS_LABEL,
    is_status_alone,
    read_status,
    status_after_dash,
)

MAX_FIELD: Final = 500  # characters of a line that are read
MAX_LABEL: Final = 40

# A line without any of these has no field.
MARK: Final = re.compile(r"[:\uff1a]|\*\*|__")
FENCE: Final = re.compile(r"[ >]*+(?:```|~~~)")
YAML_FENCE: Final = re.compile(r"[ ]{0,3}(?:```|~~~)[ ]?ya?ml\s*+", re.IGNORECASE)
HEADING: Final = re.compile(r" {0,3}#{1,6}(?:\s|$)")
BEGIN: Final = re.compile(r"[\s>*+_-]*+(?:\[[ xX]\]\s*+)?")
# "**Epic:** 2", "**Epic**: 2": here a field begins. A status needs no colon: "**Status** done".
BOLD_LABEL: Final = re.compile(
    r"(?:\*\*|__)(?:([^*_:\uff1a|\n]{1,40}+)(?:[:\uff1a]\s*+(?:\*\*|__)|(?:\*\*|__)\s*+[:\uff1a])"
    r"|(status)(?:\*\*|__)\s*+(?:[=\u2013\u2014-]\s*+)?(?=[^\s:\uff1a]))",
    re.IGNORECASE,
)
# "**Status**", with a known word alone on the next line.
BOLD_ALONE: Final = re.compile(
    rf"[\s>-]*+(?:[*+]\s++)?(?:\*\*|__)((?:(?:story|current|overall) )?{LABEL})(?:\*\*|__)\s*+",
    re.IGNORECASE,
)
BETWEEN: Final = re.compile(r"\x1f|\s\|\s|\s[·•]\s")
# The status may be a ticked item: "- [x] Status: Done".
FIELD: Final = re.compile(
    rf"(?>[\s>*+-]*+\[[xX]\]\s*+(?=[*_]*+(?i:{STATUS_LABEL.pattern})[*_\s]*+[:\uff1a]))?+"
    r"[\W_]*+([^\W\d_][^:\uff1a|\x1f]{0,39}?)[*_]{0,2}\s*+[:\uff1a][*_\s]*+(?!//)"
)
TICKED: Final = re.compile(r"[\s>*+-]*+\[[xX]\]")
RULE: Final = re.compile(r"[\s>]*+\|[\s|:-]*+\Z")
EMPHASIS: Final = re.compile(r"\*\*|__|`")
LINE_BREAK: Final = re.compile(r"<br\s*+/?>", re.IGNORECASE)
TAG: Final = re.compile(
    r"</?(?:b|i|u|p|em|strong|span|small|sub|sup|code|kbd|div|font)\b[^<>]*+>", re.IGNORECASE
)
# A status that is not the first field of a line; of prose such as "the reply, status: done" none.
NEXT_STATUS: Final = re.compile(
    r"(?<![^\W_])(?:(?:Story|Current|Overall) )?"
    r"(?:Status|STATUS|Statut|STATUT|Estado|ESTADO|状态|狀態|상태)\s*+[:\uff1a]"
)
# What may be before it: fields of the story itself, or the number of its epic. Without a sign
# between two fields the value before must be one word: "ID: 1.2 Status: done".
OWN_LABEL: Final = (
    r"(?:id|story(?: id)?|epic(?: id)?|(?:story )?points|estimate|priority|owner|assignee|author"
    r"|sprint|date|type|version)"
)
OWN_FIELD: Final = re.compile(
    rf"[\W_]*+(?:{OWN_LABEL}[*_ ]*+[:\uff1a]\s*+[^\s:\uff1a][^:\uff1a]*+"
    rf"|(?>{OWN_LABEL}[*_ ]*+[:\uff1a]\s*+[^\s:\uff1a]++\s*+){{2,8}}+)",
    re.IGNORECASE,
)
EPIC_BEFORE: Final = re.compile(r"[\W_]*+epic\s++#?[\w.-]{1,12}+", re.IGNORECASE)
APART: Final = re.compile(r"[,;](?=\s|\Z)|\s[/\u2013\u2014-](?=\s|\Z)|\s{2,}|\t")
ONE_WORD_FIELDS: Final = re.compile(r"[\W_]*+(?>[^\W\d_][\w ]{0,20}[:\uff1a]\s?+\S++\s++)++")
# The first column of a table whose only row says the status of the story itself.
OWN_COLUMN: Final = re.compile(
    r"|epic(?: id)?|(?:story )?points|estimate|priority|owner|assignee|author|sprint", re.IGNORECASE
)


class Field(NamedTuple):
    """A field: its label in lower case, its value, and the line of that.

    A status may be less sure: `is_after_others` on its line, after a dash or in a box, or in a
    table that lists things, whose row begins with `thing`.
    """

    label: str
    value: str
    line: int
    is_after_others: bool = False
    thing: str | None = None


def read_fields(lines: Sequence[str], first: int, last: int) -> Iterator[Field]:
    """Yield the fields of these lines of a document, counted from 1, in order.

    Of a table whose header has labels the fields are those of its only row. A status may follow
    fields of the story itself after a comma, a dash or a wide space if its word is a known one. A
    value may be on the line after its label. "Status - Done" and "- [x] Status: Done" are less
    sure, and none below a second heading. Lines of code, comments and headings have none.
    """
    label = ""  # whose value is to come
    needs_word = False  # that must be a status
    headings = 0
    table: list[tuple[int, str]] = []
    for number, line in _prose(lines, first, last):
        text = line[:MAX_FIELD]
        if text.lstrip(" >").startswith("|"):
            table.append((number, text))
            continue
        if table:
            yield from _read_table(table)
            table.clear()
        if HEADING.match(text):
            label = ""
            headings += 1
            continue
        if headings < 2 and (status := status_after_dash(text)) is not None:
            yield Field("status", _plain(status), number, is_after_others=True)
            label = ""
            continue
        if not (label or MARK.search(text)) or not text.strip():
            continue
        is_first = True
        for piece, is_after_others in _pieces(text):
            if not piece.strip(" *_>|-"):
                continue
            if alone := BOLD_ALONE.fullmatch(piece):
                label, needs_word = _label(alone[1]), True
                continue
            found = FIELD.match(piece)
            if found:
                value = _plain(piece[found.end() :])
                is_ticked = "[" in piece and TICKED.match(piece) is not None
                if is_ticked and not (headings < 2 and is_status_alone(value)):
                    label = ""
                    continue
                if value:
                    yield Field(_label(found[1]), value, number, is_after_others or is_ticked)
                label, needs_word = "" if value else _label(found[1]), False
            elif is_first and label:
                if not needs_word or is_status_alone(piece):
                    yield Field(label, _plain(piece), number)
                label = ""
            is_first = False
    yield from _read_table(table)


def own_fields(fields: Iterable[Field], id_: str, title: str) -> list[Field]:
    """Return the fields without those of tables that list other things than this story."""
    return [each for each in fields if each.thing is None or _is_named(each.thing, id_, title)]


def _is_named(thing: str, id_: str, title: str) -> bool:
    named = fold_id(read_heading(thing).identity.id)
    return fold_id(id_) == named if named else fold_slug(thing) == fold_slug(title)


def _pieces(line: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a line that may be a field each; True with a status after others."""
    if "&" in line:
        line = unescape(line)  # "Status:&nbsp;Done"
    if "<" in line:
        line = TAG.sub("", LINE_BREAK.sub("\x1f", line))
    if "**" in line or "__" in line:
        line = BOLD_LABEL.sub("\x1f\\1\\2:", line)
    for piece in BETWEEN.split(line):
        place = _place_of_status(piece)
        if place:
            yield piece[:place].rstrip(" \t,;/\u2013\u2014-"), False
        yield piece[place:], place > 0


def _place_of_status(piece: str) -> int:
    """Return where a known status begins that is after other fields; 0 without one."""
    for found in NEXT_STATUS.finditer(piece):
        before = piece[: found.start()]
        text = before.rstrip()
        gap = before[len(text) :]
        has_sign = text[-1:] in {",", ";"} or (
            text[-1:] in {"/", "-", "\u2013", "\u2014"} and text[-2:-1].isspace()
        )
        is_apart = gap and (has_sign or len(gap) > 1 or gap == "\t")
        if not is_apart and not ONE_WORD_FIELDS.fullmatch(before):
            continue
        if _is_of_story(before) and read_status(piece[found.end() :]) != "unknown":
            return found.start()
    return 0


def _is_of_story(before: str) -> bool:
    """Return whether a line has fields of the story itself, and nothing else, before a status."""
    pieces = [piece for piece in APART.split(before) if piece.strip(" *_>()[]|-")]
    epic = bool(pieces and EPIC_BEFORE.fullmatch(pieces[0].rstrip()))
    return bool(pieces) and all(map(OWN_FIELD.fullmatch, pieces[epic:]))


def _read_table(rows: Sequence[tuple[int, str]]) -> Iterator[Field]:
    """Yield the fields of a table: each row has one or more, or the only row has their values."""
    cells = [(number, _cells(text)) for number, text in rows if not RULE.match(text)]
    if len(rows) > 1 and cells and RULE.match(rows[1][1]):
        header = cells[0][1]
        if _is_of_columns(header, cells[1][1] if len(cells) > 1 else ()):
            # Several rows list things that have a status each, such as other stories.
            for number, values in cells[1:] if len(cells) == 2 else ():
                is_own = OWN_COLUMN.fullmatch(header[0]) or STATUS_LABEL.fullmatch(header[0])
                thing = None if is_own else values[0]
                for name, value in zip(header, values, strict=False):
                    yield Field(name.lower()[:MAX_LABEL], value, number, thing=thing)
            return
    for number, values in cells:
        yield from _read_row(number, values)


def _read_row(number: int, cells: Sequence[str]) -> Iterator[Field]:
    begun = FIELD.match(cells[0])
    if begun and begun.end() < len(cells[0]):  # "| Epic: 1 | Sprint: 3, Status: Done |"
        for piece, is_after_others in chain.from_iterable(map(_pieces, cells)):
            if found := FIELD.match(piece):
                yield Field(_label(found[1]), piece[found.end() :], number, is_after_others)
        return
    for name, value in zip(cells[::2], cells[1::2], strict=False):
        yield Field(name.rstrip(":\uff1a").lower()[:MAX_LABEL], value, number)


def _is_of_columns(header: Sequence[str], first: Sequence[str]) -> bool:
    """Return whether the header row has labels, and the rows below have the values.

    A table of two columns has labels in its first one, unless a status below "Status" is known.
    """
    place = next((at for at, cell in enumerate(header) if STATUS_LABEL.fullmatch(cell)), None)
    if place is None:
        return len(header) > 2
    if place % 2 == 0 and read_status("".join(header[place + 1 : place + 2])) != "unknown":
        return False
    is_known = read_status("".join(first[place : place + 1])) != "unknown"
    return len(header) > 2 or place == 1 or is_known


def _cells(row: str) -> list[str]:
    return [
        _plain(cell) for cell in row.strip(" >\t").removeprefix("|").removesuffix("|").split("|")
    ]


def _prose(lines: Sequence[str], first: int, last: int) -> Iterator[tuple[int, str]]:
    """Yield the lines that are neither code nor comments, with their numbers.

    A block of YAML with nothing but a title above is no code: it is what front matter is.
    """
    is_code = is_comment = is_data = False
    is_begin = True
    for number in range(first, min(last, len(lines)) + 1):
        line = lines[number - 1]
        if is_comment:
            is_comment = "-->" not in line
        elif FENCE.match(line):
            if is_begin or is_data:
                is_data = not is_data and bool(YAML_FENCE.fullmatch(line))
                is_code = not is_data and is_begin
            else:
                is_code = not is_code
            is_begin = False
        elif not is_code:
            if "<!--" in line:
                before, _, rest = line.partition("<!--")
                is_comment = "-->" not in rest
                line = before + rest.partition("-->")[2]
            is_begin = is_begin and (not line.strip(" -\t") or line.startswith("# "))
            yield number, line


def _label(text: str) -> str:
    return EMPHASIS.sub("", text).strip(" *_").lower()


def _plain(text: str) -> str:
    begin = BEGIN.match(text)
    return EMPHASIS.sub("", text[begin.end() if begin else 0 :]).strip(" *_\t")
