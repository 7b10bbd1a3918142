"""Work in build order: tickets.toml of version 7 of the method, and stories.yaml of version 6.11.

tickets.toml has an [[epic]] for each epic of an initiative, or an [[entry]] for each ticket of an
epic. stories.yaml is a list of the stories of a specification, by itself or, in a folder spec-…,
below the key `stories`. It has no status by its schema.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, Final

from service.bmad.document import BmadDocument
from service.bmad.fields import read_fields
from service.bmad.names import is_of_tools
from service.bmad.readings import (
    MAX_ITEMS,
    SpecReading,
    StatusWord,
    TicketEntry,
    TicketEpic,
    TicketsReading,
    WorkKind,
)
from service.bmad.statuses import STATUS_LABEL, is_status_alone, status_word
from service.bmad.story_statuses import STATUS_LINES, front_matter_statuses
from service.bmad.texts import MAX_NOTES, short_id, short_key, short_text
from service.bmad.toml_tables import TomlError, TomlTable, list_of, read_tables
from service.bmad.yaml_lines import YamlList, YamlMapping, read_yaml
from service.documents.text import TOML_NAME

MAX_SLUG: Final = 60  # characters, as the method cuts the names of a ticket's files
SPEC_FOLDER: Final = re.compile(r"spec-.+", re.IGNORECASE)
MAX_BITS: Final = 64  # of a number that is an id
KINDS_OF_WORK: Final[dict[str, WorkKind]] = {"story": "story", "spike": "spike", "bug": "bug"}
# Before a title, as in "SPEC: Booking".
_SPEC_WORD: Final = re.compile(
    r"\A(?:spec|specification)\s{0,3}[:\uff1a\u2014\u2013-]\s*", re.IGNORECASE
)
_NOT_IN_SLUG: Final = re.compile("[^a-z0-9]+")
# A line of a list or a quote.
_MARKED: Final = re.compile(r"\s*+(?:>|[-+*]\s|\d{1,3}[.)]\s)")
# What `unknown` says where nothing has to be found out.
_NOTHING: Final = frozenset(("", "none", "no", "false", "n/a", "-"))


def read_tickets(document: BmadDocument) -> TicketsReading | None:
    """Return what tickets.toml or stories.yaml says; None for other documents.

    TOML that is invalid gives a note and nothing else. What `after` names is kept as it is written:
    "3" is a sibling, "1.3" is entry 3 of epic 1, and "epic-slug" is a whole epic.
    """
    if document.file_type == "toml":
        is_tickets = document.path.rpartition("/")[2].lower() == TOML_NAME
        return _read_toml(document) if is_tickets and not is_of_tools(document) else None
    if document.file_type == "yaml" and document.name.lower() == "stories":
        return None if is_of_tools(document) else _read_stories(document)
    return None


def _read_toml(document: BmadDocument) -> TicketsReading:
    reading = TicketsReading(epics=[], entries=[], notes=[])
    try:
        tables = read_tables(document.text, "epic", "entry")
    except TomlError as error:
        reading["notes"].append(short_text(str(error)))
        return reading
    reading["epics"] = [_epic_of(table) for table in tables["epic"][:MAX_ITEMS]]
    for table in tables["entry"][:MAX_ITEMS]:
        reading["entries"].append(_entry_of(table, reading["notes"]))
    reading["notes"] = [*reading["notes"], *_notes_of(reading)][:MAX_NOTES]
    return reading


def _epic_of(table: TomlTable) -> TicketEpic:
    title = _text(table.values.get("title"))
    return TicketEpic(
        id=short_id(_text(table.values.get("id"))),
        slug=short_key(_text(table.values.get("slug"))) or slug_of(title),
        title=short_text(title),
        covers=_texts(table.values.get("covers")),
        after=_texts(table.values.get("after")),
        line=table.line,
    )


def _entry_of(table: TomlTable, notes: list[str]) -> TicketEntry:
    values = table.values
    title = _text(values.get("title"))
    written = _text(values.get("type"))
    kind = KINDS_OF_WORK.get(written.strip().lower())
    if written and kind is None:
        notes.append(short_text(f"Line {table.line}: the type {written} is not known."))
    return TicketEntry(
        id=short_id(_text(values.get("id"))),
        slug=short_key(_text(values.get("slug"))) or slug_of(title),
        kind=kind or "story",
        title=short_text(title),
        description=short_text(_text(values.get("description"))),
        covers=_texts(values.get("covers")),
        after=_texts(values.get("after")),
        is_unknown=_is_unknown(values.get("unknown")),
        line=table.line,
    )


def read_spec(document: BmadDocument) -> SpecReading | None:
    """Return the title and the statuses of a SPEC.md of version 6.11; None where it has neither.

    Those of the front matter go before the first heading of level 1, and the fields right below it.
    A word that is not known, such as "final", is the document's own and none of its epic.
    """
    if document.name.lower() != "spec" or is_of_tools(document):
        return None
    heading = document.main_heading
    written = short_text(_text(document.front_matter.get("title")))
    if not written and heading:
        written = short_text(heading.text)
    title = _SPEC_WORD.sub("", written)
    written_statuses = (*front_matter_statuses(document), *_statuses_of_spec(document))
    statuses = [each for each in written_statuses if each["status"] != "unknown"][:MAX_ITEMS]
    if not title and not statuses:
        return None
    return SpecReading(
        title=title,
        anchor=heading.anchor if heading else None,
        line=heading.line if heading else 1,
        statuses=statuses,
    )


def _statuses_of_spec(document: BmadDocument) -> Iterator[StatusWord]:
    """Yield the statuses of the fields that stand before the first section.

    In prose, in lists and in quotes, "Status" may be a field of the product: the value must be a
    known word alone, on a line of its own.
    """
    begin = document.html_line
    end = begin + STATUS_LINES - 1
    sections = [each.line for each in document.headings if each.level > 1]
    for field in read_fields(document.lines, begin, min([end, *sections])):
        is_own = not field.is_after_others and field.thing is None
        near = document.lines[max(field.line - 2, 0) : field.line]
        if (
            is_own
            and STATUS_LABEL.fullmatch(field.label)
            and is_status_alone(field.value)
            and not any(map(_MARKED.match, near))
        ):
            yield status_word(field.value, field.line, "text")


def _read_stories(document: BmadDocument) -> TicketsReading | None:
    tree = read_yaml(document.text)
    root = tree.root
    is_of_spec = any(map(SPEC_FOLDER.fullmatch, document.folders[-1:]))
    if is_of_spec and isinstance(root, YamlMapping):
        root = root.get("stories")
    if not isinstance(root, YamlList):
        if not is_of_spec or (tree.root is None and not tree.notes):
            return None
        tree.notes.append("It has no list of stories.")
        root = YamlList(1)
    reading = TicketsReading(epics=[], entries=[], notes=tree.notes)
    stories = [item for item in root.items if isinstance(item, YamlMapping)]
    for story in stories[:MAX_ITEMS]:
        title = story.text("title")
        reading["entries"].append(
            TicketEntry(
                id=short_id(story.text("id")),
                slug=slug_of(title),
                kind="story",
                title=short_text(title),
                description=short_text(story.text("description")),
                covers=[],
                after=[],
                is_unknown=False,
                line=story.line,
            )
        )
    reading["notes"] = [*reading["notes"], *_notes_of(reading)][:MAX_NOTES]
    return reading


def slug_of(title: str) -> str:
    """Return the slug that the method makes of a ticket's title for the names of its files."""
    decomposed = unicodedata.normalize("NFKD", title[: 10 * MAX_SLUG])
    ascii_only = decomposed.encode("ascii", errors="ignore").decode().lower()
    return _NOT_IN_SLUG.sub("-", ascii_only).strip("-")[:MAX_SLUG].rstrip("-")


def _notes_of(reading: TicketsReading) -> Iterator[str]:
    for work in [*reading["epics"], *reading["entries"]]:
        if not work["id"]:
            yield f"Line {work['line']}: it has no id."


def _text(value: Any) -> str:
    """Return a text or a number of TOML as a text; an empty text for all other values."""
    if isinstance(value, str):
        return value
    is_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value) if is_number and value.bit_length() <= MAX_BITS else ""


def _texts(value: Any) -> list[str]:
    values = list_of(value) or [value]
    return [text for each in values if (text := short_key(_text(each)))][:MAX_ITEMS]


def _is_unknown(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().lower() not in _NOTHING
    return bool(value)
