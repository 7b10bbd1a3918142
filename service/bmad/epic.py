"""Epics and their stories, as documents of epics and requirements have them.

An epic is a heading ("Epic 2: Payments"), an item of a list, a row of a table, or the document
itself. What a document says of one epic in several places is merged by the epic's number.
"""

from service.bmad.document import BmadDocument
from service.bmad.epic_parts import (
    DETAIL,
    DOCUMENT,
    LISTED,
    MENTIONED,
    EpicPart,
    EpicParts,
    NamedPart,
    StoryPart,
    digits_of,
    is_id_of_story,
)
from service.bmad.epic_shapes import (
    EPIC_LIST,
    EPIC_WORD,
    OTHER_LIST,
    OVERVIEW,
    STATUS_LINE,
    STORY_LIST,
    EpicName,
    is_of_list,
    is_prose,
    may_have_epics,
    read_cells,
    read_epic_name,
    read_epic_title,
    read_status_heading,
)
from service.bmad.identity import Identity, NamedIdentity, read_heading, with_epic
from service.bmad.own_epic import OwnEpic, read_own_epic
from service.bmad.readings import EpicReading
from service.bmad.requirement_names import (
    names_of_value,
    read_covered,
    read_leading_name,
    read_names,
)
from service.bmad.statuses import read_status, status_after_dash, status_word
from service.bmad.story_statuses import front_matter_statuses
from service.bmad.tables import Row, RowReader
from service.bmad.titles import MAX_PIECE, split_title, title_of_item
from service.documents.blocks import Block

BELOW_HEADINGS = 7  # the level of what is no heading
COVERS_KEYS = ("covers", "requirements", "requirements_covered", "frs", "frs_covered")
MAX_FIELD = 1_000  # characters of a line that are read
# Lines below a heading in which a word that is not known is a status.
STATUS_LINES = 12
MAX_UNKNOWN = 40  # of a word below a heading or in a table that may be a status


def read_epics(document: BmadDocument) -> list[EpicReading]:
    """Return the epics that a document is about, describes or lists, at most MAX_ITEMS.

    Documents of epics and of requirements, the README of an epic's folder, and plans may have
    epics. A document of one epic has that epic alone: what it lists of others is about them.
    """
    if not may_have_epics(document):
        return []
    reader = _EpicReader(document)
    for block in document.blocks:
        reader.read(block)
    return reader.epics.readings()


class _EpicReader:
    """Reads a document block by block."""

    def __init__(self, document: BmadDocument) -> None:
        self.epics = EpicParts()
        self._lines = document.lines
        self._anchors = {heading.line: heading.anchor for heading in document.headings}
        self._rows = RowReader()
        self._section = ""  # the last heading
        self._epic: EpicPart | None = None
        self._epic_level = 0
        self._story: StoryPart | None = None
        self._story_level = 0
        self._part_level = 0  # of the outermost section that is around, since the last of these
        self._status_of: NamedPart | None = None  # what a heading "Status" is about
        self._is_covering = False  # names of covered requirements follow
        self._is_of_epics = document.kind == "epic"
        self._own = read_own_epic(document)
        if self._own:
            self._add_own(document, self._own)

    def read(self, block: Block) -> None:
        """Read a block. Blocks must be given in order."""
        if block.tag[0] == "h":
            self._read_heading(block)
            return
        if block.tag == "tr" or (self._status_of is self._epic and is_of_list(block)):
            self._status_of = None
        if block.tag == "tr":
            if row := self._rows.read(block):
                self._read_row(row)
        elif block.tag != "pre":
            for number, text in enumerate(block.text.split("\n")):
                line = min(block.line + number, block.end_line)
                if number and block.tag == "li":
                    self._read_field(text, line)
                else:
                    self._read_line(text, line, "" if number else block.strong)

    def _add_own(self, document: BmadDocument, own: OwnEpic) -> None:
        name, fields = own.name, document.front_matter
        self._epic = self.epics.epic(name.number)
        self._epic.name(name.title, own.line, own.anchor, DOCUMENT)
        for status in front_matter_statuses(document):
            self._epic.add_status(status, is_own=True)
        self._add_status(self._epic, name.status, own.line)
        for key in COVERS_KEYS:
            self._epic.add_covers(names_of_value(fields.get(key)))

    def _read_heading(self, block: Block) -> None:
        level, text = int(block.tag[1]), block.text
        anchor = self._anchors.get(block.line)
        self._section = text
        self._status_of, self._is_covering = None, False
        named = self._read_identity(text)
        epic = self._epic_of(named.identity, is_heading=True)
        is_story = named.is_about_story or (
            epic is self._epic and level > self._epic_level and is_id_of_story(named.identity, epic)
        )
        if is_story and epic and named.identity.id:
            self._story = epic.story(with_epic(named.identity, epic.number))
            self._story_level, self._part_level = level, 0
            title = split_title(named.rest)
            self._story.name(title.text, block.line, anchor, DETAIL)
            self._add_status(self._story, title.status, block.line)
        elif (name := read_epic_title(text, is_of_epics=self._is_of_epics)) and (
            self._own is None or self._own.may_have(name.number, level)
        ):
            self._open_epic(name, level, block.line, anchor)
        elif (word := read_status_heading(text)) is not None:
            self._leave(level)
            part = self._story or (None if 0 < self._part_level < level else self._epic)
            self._status_of = None if word else part
            if part and word:
                self._add_status(part, word, block.line)
        else:
            self._leave(level)
            if not 0 < self._part_level < level:
                self._part_level = 0 if level == 1 or OVERVIEW.fullmatch(text) else level
            self._is_covering = read_covered(f"{text}:") is not None

    def _open_epic(self, name: EpicName, level: int, line: int, anchor: str | None) -> None:
        self._epic = self.epics.epic(name.number)
        self._epic_level, self._part_level = level, 0
        self._story = None
        if not self._epic.stories:
            self._epic.move(line, anchor)
        self._epic.name(name.title, line, anchor, DETAIL)
        self._add_status(self._epic, name.status, line)

    def _leave(self, level: int) -> None:
        """Leave the story and the epic that end where another section of a level begins."""
        if level <= self._story_level:
            self._story = None
        if level <= self._epic_level and not self._own:
            self._epic = None

    def _read_line(self, text: str, line: int, strong: str) -> None:
        """Read a line of a paragraph, or the first line of an item."""
        if any(map(str.isdigit, text[:MAX_PIECE])) and (
            self._read_story_item(text, line, strong) or self._read_epic_item(text, line, strong)
        ):
            return
        self._read_field(text, line)

    def _read_field(self, text: str, line: int) -> None:
        """Read a line that may say a status or what is covered."""
        part = self._story or self._epic
        if part is None:
            return
        if self._status_of:
            if text.strip():
                word = STATUS_LINE.sub(r"\1", text[:MAX_FIELD])
                self._add_status(self._status_of, word, line, is_certain=False)
                self._status_of = None
        elif found := STATUS_LINE.search(text[:MAX_FIELD]):
            is_certain = line - part.line <= STATUS_LINES
            if not part.has_status_in_text and (is_certain or read_status(found[1]) != "unknown"):
                self._add_status(part, found[1], line)
        elif word := status_after_dash(text[:MAX_FIELD]):
            gap = self._lines[part.line : line - 1] if line - part.line < 3 else ["…"]
            if not ("".join(gap).strip() or part.has_status_in_text):  # right below the heading
                self._add_status(part, word, line)
        elif self._epic and part is self._epic:
            names = read_covered(text[:MAX_FIELD])
            if names is not None:
                self._epic.add_covers(names)
                self._is_covering = not names
            elif self._is_covering and read_leading_name(text):
                self._epic.add_covers(read_names(text[:MAX_FIELD]))

    def _read_story_item(self, text: str, line: int, strong: str) -> bool:
        named = self._read_identity(strong or text)
        if strong and not named.identity.id:
            named = self._read_identity(text)
            strong = ""
        epic = self._epic_of(named.identity, is_heading=False)
        is_listed = bool(STORY_LIST.search(self._section)) and not OTHER_LIST.search(self._section)
        is_story = named.is_about_story or (
            (is_listed or bool(strong)) and is_id_of_story(named.identity, epic)
        )
        if not (is_story and epic and named.identity.id):
            return False
        story = epic.story(with_epic(named.identity, epic.number))
        title, status = title_of_item(named.rest, text, strong)
        rank = LISTED if is_listed else MENTIONED
        story.name(title, line, None, rank)
        if is_listed or strong:
            self._add_status(story, status, line, is_own=False)
        return True

    def _read_epic_item(self, text: str, line: int, strong: str) -> bool:
        if (
            self._own
            or not EPIC_WORD.search(text, 0, MAX_PIECE)
            or OTHER_LIST.search(self._section)
        ):
            return False
        is_listed = bool(EPIC_LIST.search(self._section))
        name = read_epic_name(strong) if strong else None
        if name is None and is_listed:
            name = read_epic_name(text)
            strong = ""
        if name is None or not (is_listed or name.title):
            return False
        if strong and not is_listed and is_prose(name.title, text[len(strong) :]):
            return False
        title, status = title_of_item(name.title, text, strong)
        if not title:
            return False
        epic = self.epics.epic(name.number)
        epic.name(title, line, None, LISTED)
        self._add_status(epic, status or name.status, line, is_own=False)
        if self._epic is None or self._epic_level == BELOW_HEADINGS:
            self._epic, self._epic_level, self._story = epic, BELOW_HEADINGS, None
        return True

    def _read_row(self, row: Row) -> None:
        cells = read_cells(row, self._section)
        if cells is None:
            return
        name, named = cells.epic, self._read_identity(cells.story)
        if named.identity.story:
            epic = self.epics.find(name.number) if name else None
            epic = epic or self._epic_of(named.identity, is_heading=False)
            if epic:
                story = epic.story(with_epic(named.identity, epic.number))
                title = split_title(named.rest or cells.title).text
                story.name(title, row.line, None, MENTIONED)
                self._add_status(story, cells.status, row.line, is_certain=False, is_own=False)
        elif name and not self._own and not OTHER_LIST.search(self._section):
            title = split_title(name.title or cells.title)
            epic = self.epics.epic(name.number)
            if title.text:
                epic.name(title.text, row.line, None, LISTED)
            word = cells.status or title.status
            self._add_status(epic, word, row.line, is_certain=False, is_own=False)
            epic.add_covers(read_names(cells.covers[:MAX_FIELD]))
        elif len(row.cells) == 2:
            self._read_field(": ".join(row.cells), row.line)

    def _read_identity(self, text: str) -> NamedIdentity:
        return read_heading(text, (self._epic.number,) if self._epic else ())

    def _epic_of(self, identity: Identity, *, is_heading: bool) -> EpicPart | None:
        """Return the epic that a story belongs to: by its id, else the one that it is below."""
        if identity.epic is None:
            return self._epic
        found = self.epics.find(identity.epic)
        if found or self._epic is None:
            return found
        is_same = digits_of(identity.epic) == digits_of(self._epic.number)
        return self._epic if is_heading or is_same else None

    def _add_status(
        self,
        part: NamedPart,
        word: str | None,
        line: int,
        *,
        is_certain: bool = True,
        is_own: bool = True,
    ) -> None:
        """Add a status, if a word is one; one that is not `is_certain` may be another text."""
        if not word or not any(map(str.isalpha, word)):
            return
        if is_certain or len(word) <= MAX_UNKNOWN or read_status(word) != "unknown":
            part.add_status(status_word(word, line, "text"), is_own=is_own)
