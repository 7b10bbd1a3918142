"""How documents write epics: which documents have them, their headings, lists and columns."""

import re
from typing import Final, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.identity import (
    ID,
    MAX_NAME,
    epic_of_name,
    read_epic_heading,
    read_heading,
)
from service.bmad.names import is_in_tools
from service.bmad.requirement_names import read_leading_name
from service.bmad.statuses import is_status_alone, read_status
from service.bmad.tables import Row
from service.bmad.titles import split_title
from service.documents.blocks import Block
from service.documents.kinds import ABOUT
from service.documents.story_signs import EPIC_WORDS

EPIC_WORD: Final = re.compile(EPIC_WORDS, re.IGNORECASE)
STORY_WORD: Final = re.compile(
    r"stor(?:y|ies)\b|histoire|récit|historia|história|故事|스토리|ストーリー", re.IGNORECASE
)
FOLDER_FILES: Final = frozenset(("readme", "index", "overview", "epic"))
# Documents that have epics though they are of no kind: "roadmap.md", "product-backlog.md".
_PLAN_NAME: Final = re.compile(
    r"(?:.*[-_. ])?(?:roadmap|backlog|(?:user-)?stories|phases?|breakdown"
    r"|(?:implementation|project|development|mvp)[-_. ]plan)(?:[-_. ].*)?",
    re.IGNORECASE,
)

_SECTION_NUMBER: Final = re.compile(r"[\W_]{0,5}\d{1,3}(?:\.\d{1,3}){0,3}[.)]?\s+")
# "Phase 1 - Epic 2: Payments", unlike "Milestone 1: Epic 2 delivered".
_PHASE: Final = re.compile(
    r"[\W_]{0,5}(?:phase|milestone|part|release|stage)\s+[\w.]{1,8}\s*[:\uff1a\u2013\u2014|-]\s*"
    rf"(?=(?:{EPIC_WORDS})[\s#-]{{0,3}}[A-Za-z]{{0,4}}-?\d[\w.]{{0,10}}\s*(?:[:\uff1a\u2013\u2014]|-\s))",
    re.IGNORECASE,
)
_SLASH: Final = re.compile(r"\A/\s+")  # "Epic 1 / Payments"
# In a document of epics: "E12: Payments".
_SHORT_NAME: Final = re.compile(
    r"[\W_]{0,6}(EP?-?\d{1,3})(?:\s*[:\uff1a\u2014\u2013]|\s-)\s*(\S.*)", re.DOTALL
)
# "Epic 1 & 2", "Epic 1 and Epic 2": what follows the first number.
_OTHER_EPIC: Final = re.compile(
    r"(?:[&+,/]|and\b|et\b|y\b|e\b|to\b)\s*(?:epics?\b)?[\s#-]{0,3}\d", re.IGNORECASE
)
# Of an id with leading zeros: the prefix, and the number without them.
_WITH_ZEROS: Final = re.compile(r"([A-Za-z]{0,6}-?)0+(\d+(?:\.\d+)*[A-Za-z]?)")
_HAS_SIGN: Final = re.compile(r"\s*(?:[:\uff1a\u2014\u2013|(\uff08\u00b7.]|-\s|\Z)")
# After an epic's number without a sign between, these words say what a section has of that epic.
_ABOUT_EPIC: Final = re.compile(
    r".*\b(?:summary|completion|complete|retrospective|status|goals?|dependenc(?:y|ies)|overview"
    r"|stories|notes|metrics|criteria|risks?|timeline|progress|context|done|deliverables|scope"
    r"|checklist|requirements|details?|planning|review|sequence|estimates?|breakdown|validation"
    r"|and|to|is|was|has|must|depends|needs|requires)\b\W*",
    re.IGNORECASE,
)

# Sections that list epics or stories, and those that only mention them.
EPIC_LIST: Final = re.compile(
    r"\b(?:epics|[ée]pic[oa]s|épiques|[ée]popées|epopeyas)\b|\bepic\b.*\b(?:list|overview|summary|structure|breakdown|index)\b"
    r"|table of contents|^\W*contents\b|sommaire|目录|史诗|史詩|에픽|エピック",
    re.IGNORECASE,
)
STORY_LIST: Final = re.compile(
    r"\bstories\b|\bstory (?:list|overview|index|breakdown|summary)\b|\bhistoires\b|\brécits\b"
    r"|\bhist[oó]rias\b|table of contents|^\W*contents\b|sommaire|目录|故事|스토리|ストーリー",
    re.IGNORECASE,
)
OTHER_LIST: Final = re.compile(
    r"depend|sequenc|\border\b|timeline|schedul|estimat|risk|metric|parallel|critical path"
    r"|definition of done|checklist|coverage|traceab|matrix|out of scope|future|related|\bnotes?\b"
    r"|testing|validation|reference|next steps|dépendance|依赖|风险|矩阵|追踪|覆盖",
    re.IGNORECASE,
)
STATUS_LINE: Final = re.compile(
    r"(?:^[\W_]{0,12}|[|\u00b7\u2022;]\s*)(?:(?:epic|story|current)\s+)?"
    r"(?:status|statut|estado|状态|狀態|상태|ステータス)\s*[:\uff1a]\s*(\S.*)",
    re.IGNORECASE,
)
_STATUS_HEADING: Final = re.compile(
    r"[\W_]*(?:(?:epic|story|current)\s+)?(?:status|statut|estado|状态|狀態|상태)"
    r"(?:[\W_]*|\s*[:\uff1a]\s*(\S.*))",
    re.IGNORECASE,
)
# Sections whose "Status" is that of the epic.
OVERVIEW: Final = re.compile(
    r"[\W_\d]*(?:epic\s+)?(?:overview|summary|info(?:rmation)?|metadata|details|header)[\W_]*",
    re.IGNORECASE,
)

# Names of columns, in lower case.
_EPIC_COLUMN: Final = re.compile(rf"epics?\b(?! (?:title|name))|(?!epics?\b)(?:{EPIC_WORDS})")
_STORY_COLUMN: Final = re.compile(
    r"(?:user )?stor(?:y|ies)\b(?! (?:title|name|points))|故事|스토리|ストーリー"
)
_ID_COLUMN: Final = re.compile(r"id\b|#|no\b|nr\b|number|编号|番号|번호")
_TITLE_COLUMN: Final = re.compile(
    r"(?:(?:epic|story) )?(?:title|name)|titre|nom\b|título|标题|名称|제목|タイトル|summary"
    r"|description|goal"
)
_STATUS_COLUMN: Final = re.compile(r"status|statut|estado|state\b|状态|狀態|상태")
_COVERS_COLUMN: Final = re.compile(r"(?:.*\b)?n?frs?\b|requirements?|cover|需求|覆盖|exigences")
# "1.1, 1.2" and "1.1-1.5": a cell that lists stories names none.
_SEVERAL: Final = re.compile(r"\d[a-z]?\s*(?:[,;&\u2013\u2014\u3001\uff0c]|-\s*\d+\.|to)\s*\d")


class EpicName(NamedTuple):
    """The number and the title of an epic; the status is one that is written after the title."""

    number: str
    title: str
    status: str | None


class EpicCells(NamedTuple):
    """The cells of a row that is about an epic or, if `story` has an id, about a story."""

    epic: EpicName | None
    story: str
    title: str
    status: str
    covers: str


def read_cells(row: Row, section: str) -> EpicCells | None:
    """Return the cells of a row in a section of a document; None for a row on a requirement."""
    if read_leading_name(row.cells[0]) or _COVERS_COLUMN.match(row.header[0]):
        return None
    epic, story, ids = map(row.find, (_EPIC_COLUMN, _STORY_COLUMN, _ID_COLUMN))
    title = row.find(_TITLE_COLUMN, story)
    if epic is None and ids is not None:
        if story is not None and not _has_story_id(row.cell(story)):
            # The column of stories has their titles.
            title, story = story, ids
        elif story is None and STORY_LIST.search(section):
            story = ids
        elif story is None and EPIC_LIST.search(section):
            epic = ids
    elif (
        _has_title_in(row, epic, ids)
        and story is None
        and title is None
        and EPIC_LIST.search(section)
    ):
        epic, title = ids, epic
    return EpicCells(
        read_epic_number(row.cell(epic)),
        "" if _SEVERAL.search(row.cell(story)) else row.cell(story),
        row.cell(title),
        row.cell(row.find(_STATUS_COLUMN)),
        row.cell(row.find(_COVERS_COLUMN)),
    )


def _has_title_in(row: Row, epic: int | None, ids: int | None) -> bool:
    """Return whether the column of epics has their titles, and another one their numbers."""
    number = row.cell(ids)
    return (
        epic not in {None, ids}
        and read_epic_number(row.cell(epic)) is None
        and read_epic_number(number) is not None
        and not _has_story_id(number)
    )


def may_have_epics(document: BmadDocument) -> bool:
    """Return whether a document is of a kind, or has a name, with which it can have epics."""
    if document.file_type != "md":
        return False
    if document.kind in {"epic", "prd"}:
        return document.kind == "epic" or bool(EPIC_WORD.search(document.text))
    if document.kind not in {"readme", "other"}:
        return False
    if is_in_tools(document):
        return False
    name = document.name.lower()
    if name in FOLDER_FILES:
        folder = document.folders[-1].lower() if document.folders else ""
        return folder == "epics" or epic_of_name(folder) is not None
    is_plan = document.kind == "other" and _PLAN_NAME.fullmatch(name) and not ABOUT.search(name)
    return bool(is_plan and EPIC_WORD.search(document.text))


def read_epic_name(text: str, *, is_own: bool = False) -> EpicName | None:
    """Return the epic of a heading such as "Epic 2: Payments" or "4.2 Epic 2 - Payments".

    A heading of several epics is none. Without a sign after the number its title must begin as one:
    "Epic 1 goals" is no epic, unless the document `is_own`, that is about the epic.
    """
    named = read_heading(text)
    if named.is_about_story and named.identity.id:
        return None  # "Epic 1, Story 2: Sign in"
    found = read_epic_heading(text)
    phase = None
    if found is None and (number := _SECTION_NUMBER.match(text) or (phase := _PHASE.match(text))):
        text = text[number.end() :]
        found = read_epic_heading(text)
    if found is None or _OTHER_EPIC.match(found.rest):
        return None
    if phase and _ABOUT_EPIC.fullmatch(found.rest):
        return None
    after = text[text.find(found.written) + len(found.written) :]
    if not (is_own or _HAS_SIGN.match(after)):
        first = found.rest[:1]
        if not first or first.islower() or _ABOUT_EPIC.fullmatch(found.rest):
            return None
    title = split_title(_SLASH.sub("", found.rest))
    return EpicName(found.written, title.text, title.status)


def is_prose(title: str, after: str) -> bool:
    """Return whether bold text that names an epic goes on: "**Epic 9: dropped** and so on"."""
    return title[:1].islower() and after.lstrip(" ")[:1].islower()


def read_epic_title(heading: str, *, is_of_epics: bool) -> EpicName | None:
    """Return the epic of a heading; one in a document of epics may be as short as "E12: Pay"."""
    found = _SHORT_NAME.fullmatch(heading) if is_of_epics else None
    if not found:
        return read_epic_name(heading)
    title = split_title(found[2])
    return EpicName(found[1], title.text, title.status)


def read_status_heading(text: str) -> str | None:
    """Return the known word of a heading "Status: done", "" of "Status", and None of others."""
    found = _STATUS_HEADING.fullmatch(text)
    if not found or (found[1] and read_status(found[1]) == "unknown"):
        return None
    return found[1] or ""


def is_of_list(block: Block) -> bool:
    """Return whether an item says what is done, or of others what they are: no status alone."""
    return block.tag == "li" and (
        block.is_checked is not None or not is_status_alone(STATUS_LINE.sub(r"\1", block.text))
    )


def read_epic_number(cell: str) -> EpicName | None:
    """Return the epic of a cell in a column of epics: "Epic 1: Payments", "Epic 1", "E1", "1"."""
    if found := read_epic_name(cell):
        return found
    number = ID.fullmatch(cell.strip("*_` \u2705"))
    return EpicName(number[0], "", None) if number else None


def without_zeros(number: str) -> str:
    """Return the id of an epic without leading zeros: "1" of "01", as a folder may be called."""
    found = _WITH_ZEROS.fullmatch(number[:MAX_NAME])
    return f"{found[1]}{found[2]}" if found else number


def _has_story_id(cell: str) -> bool:
    """Return whether a cell begins with the id of a story."""
    return bool(read_heading(cell).identity.story)
