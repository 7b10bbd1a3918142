"""Requirements, and the epics and stories that they are for, as documents state them.

Documents of requirements and of epics have lists, headings and tables of requirements ("FR1: Users
sign in"), maps of what covers them ("FR1: Epic 1"), and stories that name what they cover.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from service.bmad.coverage_tables import (
    EPIC_HEADER,
    MAP_HEADING,
    REQUIREMENT_MAP,
    is_of_work,
    read_loose_name,
    says_nothing_covers,
)
from service.bmad.document import BmadDocument
from service.bmad.epic_shapes import STORY_WORD, read_epic_name
from service.bmad.identity import read_heading
from service.bmad.names import is_in_tools
from service.bmad.readings import MAX_ID, MAX_ITEMS, MAX_TEXT, Coverage, Requirement
from service.bmad.requirement_names import NAME, PREFIX, read_covered, read_leading_name, read_names
from service.bmad.tables import Row, RowReader
from service.bmad.work_references import (
    WorkReferences,
    read_epics_of_cell,
    read_references,
    read_stories_of_cell,
)
from service.characters import one_line
from service.documents.blocks import Block
from service.documents.kinds import ABOUT

_NAME_OF_FILE: Final = re.compile(
    r"(?:.*[-_. ])?(?:requirements?|n?frs?|traceability)(?:[-_. ].*)?", re.IGNORECASE
)
_ANY_NAME: Final = re.compile(rf"{PREFIX}[-_ A-Z]{{0,14}}\d")
_MAP: Final = re.compile(
    r"coverage|traceab|\bmap(?:ping)?\b|matrix|覆盖|追踪|矩阵|couverture|traçabilité", re.IGNORECASE
)
# What such a section says of requirements is not what they are.
_NO_STATEMENTS: Final = re.compile(
    r"out of scope|non-goals|dropped|removed|change ?log|history|success metrics|\brisks?\b"
    r"|open questions|glossary|assumptions|dependenc|hors périmètre|范围外|变更",
    re.IGNORECASE,
)
_SIGN: Final = re.compile(
    r"[*_`)\]\s]{0,6}(?:[:\uff1a\u2014\u2013|=]|[-.](?=\s)|->|\u2192|\(|\uff08|\Z)"
)
# "FR1-FR9", "FR1, FR2": several names, which no statement begins with.
_MORE_NAMES: Final = re.compile(
    rf"\s?(?:[-\u2013\u2014~/,;&+\u3001\uff0c\uff1b\u81f3\u4e0e]|to|and|et)\s?(?=(?:{NAME.pattern}))"
)
_NO_TEXT_HEADER: Final = re.compile(
    r"owner|priorit|status|source|responsib|phase|type|负责人|证据|优先|状态|statut"
)
_MIDDLE: Final = re.compile(r"[:\uff1a\u2192=]|\s[\u2014\u2013-]\s|->")
_OPENING: Final = re.compile(r"[\s*_`)\]:\uff1a\u2014\u2013|=\u2192>.-]{0,12}+")
_TEXT_HEADER: Final = re.compile(
    r"(?:functional )?requirement|description|statement|text|title|name|需求|描述|说明|exigence"
)
MAX_LINE: Final = 2_000  # characters of a line that are read


class Requirements(NamedTuple):
    """What a document says of requirements."""

    stated: list[Requirement]
    coverage: list[Coverage]


def read_requirements(document: BmadDocument) -> Requirements:
    """Return the requirements that a document states, and what it says covers them.

    Of each requirement the first statement counts. Coverage has a row for each line that says so:
    of maps from requirements to epics or stories, of maps the other way round, and of stories.
    Each list has at most MAX_ITEMS items.
    """
    if not _may_have_requirements(document):
        return Requirements([], [])
    reader = _RequirementReader()
    for block in document.blocks:
        reader.read(block)
    return Requirements([*reader.stated.values()], reader.coverage)


def _may_have_requirements(document: BmadDocument) -> bool:
    if document.file_type != "md":
        return False
    if document.kind not in {"prd", "epic"}:
        name = document.name.lower()
        if document.kind != "other" or not _NAME_OF_FILE.fullmatch(name) or ABOUT.search(name):
            return False
        if is_in_tools(document):
            return False
    text = document.text
    return bool(_ANY_NAME.search(text) or MAP_HEADING.search(text))


class _RequirementReader:
    """Reads a document block by block."""

    def __init__(self) -> None:
        self.stated: dict[str, Requirement] = {}
        self.coverage: list[Coverage] = []
        self._rows = RowReader()
        self._is_map = False
        self._is_requirement_map = False
        self._states = True
        self._story: str | None = None  # whose section this is
        self._story_level = 0
        self._is_covering = False  # names of requirements that the story covers follow
        self._unstated: Requirement | None = None  # its heading has the name alone

    def read(self, block: Block) -> None:
        """Read a block. Blocks must be given in order."""
        if block.tag == "pre":
            return
        if block.tag == "tr":
            row = self._rows.read(block)
            if row:
                self._read_row(row)
            return
        lines = block.text.split("\n")
        if block.tag[0] == "h":
            self._read_heading(int(block.tag[1]), block.text, block.line)
            return
        is_bold = read_leading_name(block.strong) is not None
        for number, text in enumerate(lines):
            line = min(block.line + number, block.end_line)
            self._read_line(text[:MAX_LINE], line, is_bold=is_bold and number == 0)

    def _read_heading(self, level: int, text: str, line: int) -> None:
        self._is_covering = False
        self._unstated = None
        named = read_heading(text)
        if named.identity.story and named.is_about_story:
            self._story, self._story_level = named.identity.id, level
        elif level <= self._story_level or read_epic_name(text):
            self._story = None
        leading = read_leading_name(text)
        if leading and self._story is None:
            name, after = leading
            names, rest = _split_names(name, after, text)
            if references := self._references(rest):
                self._cover(names, references, line)
            elif self._may_state(names):
                self._state(name, after, line)
            return
        self._is_map = bool(_MAP.search(text))
        self._is_requirement_map = self._is_map and bool(REQUIREMENT_MAP.search(text))
        self._states = not _NO_STATEMENTS.search(text)
        self._is_covering = bool(self._story) and read_covered(f"{text}:") is not None

    def _read_line(self, text: str, line: int, *, is_bold: bool) -> None:
        if self._unstated and text.strip():
            self._unstated["text"] = one_line(text, MAX_TEXT)
            self._unstated = None
        if self._story:
            self._read_line_of_story(self._story, text, line)
            return
        leading = read_leading_name(text)
        if leading is None:
            if self._is_map:
                self._read_covering_line(text, line)
            return
        name, after = leading
        names, rest = _split_names(name, after, text)
        if references := self._references(rest):
            self._cover(names, references, line)
        elif self._may_state(names) and not self._is_map and (is_bold or _SIGN.match(after)):
            self._state(name, after, line)

    def _read_line_of_story(self, story: str, text: str, line: int) -> None:
        names = read_covered(text)
        if names is None:
            names = read_names(text) if self._is_covering and read_leading_name(text) else []
        else:
            self._is_covering = not names
        self._cover(names, WorkReferences([], [story]), line)

    def _read_covering_line(self, text: str, line: int) -> None:
        """Read a line of a map from epics, or from a range: "Epic 1: FR1", "FR1-FR3: Epic 1"."""
        sign = _MIDDLE.search(text)
        if sign is None:
            return
        before, after = text[: sign.start()], text[sign.end() :]
        if names := read_names(before):
            self._cover(names, read_references(after), line)
        elif references := read_references(_begin(before), is_begin=True):
            self._cover(read_names(after), references, line)

    def _references(self, text: str) -> WorkReferences | None:
        """Return the epics and stories that a text after a requirement's name is about, if any."""
        return (
            read_references(text) if self._is_map else read_references(_begin(text), is_begin=True)
        )

    def _read_row(self, row: Row) -> None:
        leading = read_leading_name(row.cells[0])
        epics = _of_columns(row, EPIC_HEADER, read_epics_of_cell)
        stories = _of_columns(row, STORY_WORD, read_stories_of_cell)
        if leading is None:
            names = read_names(" ".join(row.cells[1:]))
            if names and is_of_work(row.header[0]) and (epics or stories):
                self._cover(names, WorkReferences(epics, stories), row.line)
            elif names and row.header[0] in {"#", "id", "no"} and read_leading_name(row.cells[1]):
                self._read_row(Row(row.header[1:], row.cells[1:], row.line))
            elif self._is_requirement_map and (loose := read_loose_name(row)):
                self._read_loose_row(loose, row, WorkReferences(epics, stories))
            return
        name, after = leading
        names, _ = _split_names(name, after, row.cells[0])
        if epics or stories:
            self._cover(names, WorkReferences(epics, stories), row.line)
        elif self._is_map:
            if references := read_references(" | ".join(row.cells[1:])):
                self._cover(names, references, row.line)
        elif self._may_state(names) and not any(map(is_of_work, row.header)):
            column = row.find(_TEXT_HEADER, besides=0)
            if column is None and not _NO_TEXT_HEADER.search(row.cell_name(1)):
                column = 1
            if text := _begin(after) or row.cell(column):
                self._state(name, text, row.line)

    def _read_loose_row(self, name: str, row: Row, references: WorkReferences) -> None:
        """Read a row of a map of requirements that are called R1 or 1.2."""
        if references.epics or references.stories:
            self._cover([name], references, row.line)
        elif says_nothing_covers(row) and self._may_state([name]):
            # No list of requirements has such a name: the map says of it that nothing covers it.
            self._state(name, row.cell(row.find(_TEXT_HEADER, besides=0)), row.line)

    def _may_state(self, names: Sequence[str]) -> bool:
        return self._states and self._story is None and len(names) == 1

    def _state(self, name: str, text: str, line: int) -> None:
        if name in self.stated or len(self.stated) == MAX_ITEMS:
            return
        text = one_line(_begin(text), MAX_TEXT).rstrip(" :\uff1a*")
        self.stated[name] = {"id": name[:MAX_ID], "text": text, "line": line}
        self._unstated = None if text else self.stated[name]

    def _cover(self, names: Sequence[str], references: WorkReferences | None, line: int) -> None:
        if references is None:
            return
        for name in names[: MAX_ITEMS - len(self.coverage)]:
            self.coverage.append(
                {
                    "requirement": name,
                    "epics": [*references.epics],
                    "stories": [*references.stories],
                    "line": line,
                }
            )


def _begin(text: str) -> str:
    opening = _OPENING.match(text)
    return text[opening.end() if opening else 0 :]


def _split_names(name: str, after: str, text: str) -> tuple[list[str], str]:
    """Return the names that begin a line such as "FR1, FR2: Epic 1", and the rest."""
    if not _MORE_NAMES.match(after):
        return [name], after
    before, _, rest = text.partition(":")
    return read_names(before), rest


def _of_columns(row: Row, names: re.Pattern[str], read: Callable[[str], list[str]]) -> list[str]:
    """Return the epics, or the stories, of all columns that are called so."""
    found: dict[str, None] = {}
    for name, cell in zip(row.header, row.cells, strict=False):
        if names.search(name):
            found.update(dict.fromkeys(read(cell)))
    return [*found]
