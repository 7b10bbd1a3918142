"""sprint-status.yaml: the method's tracker, with a status for each story, epic and retrospective.

Its form is that of the method's template: a mapping `development_status` of keys to words, and a
list `action_items`. `story_location` is never read, for it can be a path of somebody's machine.
"""

import re
from collections.abc import Iterator
from typing import Final

from service.bmad.document import BmadDocument
from service.bmad.keys import read_key
from service.bmad.names import is_of_tools
from service.bmad.readings import (
    MAX_ITEMS,
    ActionItem,
    SprintEntry,
    SprintStatusReading,
    StatusWord,
)
from service.bmad.statuses import read_status, status_word
from service.bmad.texts import MAX_NOTES, short_id, short_key, short_text
from service.bmad.yaml_lines import (
    UnreadLines,
    YamlList,
    YamlMapping,
    YamlNode,
    YamlText,
    read_yaml,
)

NAME: Final = re.compile(r"sprint[-_]status(?:[-_. ].*)?", re.IGNORECASE)
KEYS: Final = "development_status"
# A value that begins on the line of its key.
_INLINE: Final = re.compile(rf"^[\"']?{KEYS}[\"']?[ \t]*+:[ \t]++[^\s#]", re.MULTILINE)
# A key and its status, on a line of YAML that cannot be parsed.
_ENTRY_LINE: Final = re.compile(
    r"([ \t]++)[\"']?([^\s:#\"'-][^\s:#\"']*+)[\"']?:[ \t]++([^\s#][^#]*+)"
)
# "# Epic 1: Title", "  # ==== Epic AP-1 - Title ====".
_TITLE: Final = re.compile(
    r"#[\s=*-]*+epic[-_ #]{0,3}([A-Za-z]{0,6}-?\d[\w.]{0,20}+)[ \t]*+"
    r"(?:[:\uff1a\u2014\u2013|]|-\s)(.*)",
    re.IGNORECASE,
)
_UPDATED: Final = re.compile(r"#[ \t]*+last_updated:[ \t]*+(\S.*)")
_RULE: Final = " \t=*#-"  # around a title


def read_sprint_status(document: BmadDocument) -> SprintStatusReading | None:
    """Return what sprint-status.yaml says; None for a document of another name or another type.

    A key that is there twice has two entries. Of YAML that is broken, the entries that a line has
    alone are read nevertheless, if they are below `development_status:`.
    """
    if document.file_type != "yaml" or not NAME.fullmatch(document.name) or is_of_tools(document):
        return None
    tree = read_yaml(document.text)
    reading = SprintStatusReading(
        stories=[],
        epics=[],
        retrospectives=[],
        titles={},
        action_items=[],
        last_updated=None,
        notes=tree.notes,
    )
    root = tree.root if isinstance(tree.root, YamlMapping) else YamlMapping(1)
    statuses = [value for key, value in root.pairs if key.text == KEYS]
    unread = [lines for lines in tree.unread if lines.key == KEYS]
    # Of a broken value on the line of its key, such as "[unclosed", nothing says what is a key.
    is_read = not unread or not _INLINE.search(document.text)
    for value in statuses if is_read else ():
        _read_statuses(reading, value)
    for lines in unread if is_read else ():
        _read_unread_lines(reading, document, lines)
    if not statuses and not unread:
        reading["notes"].append(f"It has no {KEYS}.")
    reading["action_items"] = list(_read_action_items(root.get("action_items")))
    _read_comments(reading, document)
    if updated := root.text("last_updated"):
        reading["last_updated"] = short_id(updated)
    del reading["notes"][MAX_NOTES:]
    return reading


def _read_statuses(reading: SprintStatusReading, statuses: YamlNode) -> None:
    if not isinstance(statuses, YamlMapping):
        if not isinstance(statuses, YamlText) or statuses.text:
            reading["notes"].append(f"Line {statuses.line}: {KEYS} is not a mapping.")
        return
    nested: list[YamlMapping] = []
    for key, value in statuses.pairs:
        word = value
        if isinstance(value, YamlMapping):
            word = value.get("status")
            epic = read_key(key.text)
            if epic.kind == "epic":
                _add_title(reading, epic.identity.id or key.text, value.text("title", "name"))
            if isinstance(stories := value.get("stories"), YamlMapping):
                nested.append(stories)
        if isinstance(word, YamlText):
            _add_entry(reading, key, word)
        else:
            note = f"Line {key.line}: the key {short_id(key.text)} has no status."
            reading["notes"].append(note)
            _add_entry(reading, key, YamlText("", key.line))
    for stories in nested:
        _read_statuses(reading, stories)


def _add_entry(reading: SprintStatusReading, key: YamlText, word: YamlText) -> None:
    kind = read_key(key.text).kind
    entries = reading[
        "stories" if kind == "story" else "epics" if kind == "epic" else "retrospectives"
    ]
    if len(entries) < MAX_ITEMS and (shown := short_key(key.text)):
        entries.append(SprintEntry(key=shown, status=_status(word)))


def _status(word: YamlText) -> StatusWord:
    return status_word(word.text, word.line, "sprint_status")


def _read_unread_lines(
    reading: SprintStatusReading, document: BmadDocument, unread: UnreadLines
) -> None:
    """Read the entries of lines that are no YAML; they are indented as the first one is."""
    indentation = None
    lines = document.lines[unread.first - 1 : unread.last]
    for line, text in enumerate(lines, unread.first):
        entry = _ENTRY_LINE.match(text)
        if entry and (indentation is None or entry[1] == indentation):
            indentation = entry[1]
            word = entry[3].strip("\"' ")
            # "note: see: README" is what makes it no YAML, unlike "1-1-a: see: README".
            is_text = ": " in word and read_status(word) == "unknown"
            if not is_text or read_key(entry[2]).identity.id:
                _add_entry(reading, YamlText(entry[2], line), YamlText(word, line))


def _read_action_items(items: YamlNode | None) -> Iterator[ActionItem]:
    for item in items.items[:MAX_ITEMS] if isinstance(items, YamlList) else []:
        if isinstance(item, YamlText):
            action = short_text(item.text)
            yield ActionItem(epic=None, action=action, owner=None, status=None, line=item.line)
        elif isinstance(item, YamlMapping):
            word = item.get("status")
            yield ActionItem(
                epic=short_id(item.text("epic")) or None,
                action=short_text(item.text("action", "item", "title", "description")),
                owner=short_id(item.text("owner")) or None,
                status=_status(word) if isinstance(word, YamlText) and word.text else None,
                line=item.line,
            )


def _read_comments(reading: SprintStatusReading, document: BmadDocument) -> None:
    for text in document.lines:
        if "#" not in text:
            continue
        if title := _TITLE.search(text):
            _add_title(reading, title[1], title[2].strip(_RULE))
        elif updated := _UPDATED.match(text):
            reading["last_updated"] = short_id(updated[1])


def _add_title(reading: SprintStatusReading, number: str, title: str) -> None:
    if title and len(reading["titles"]) < MAX_ITEMS:
        reading["titles"].setdefault(short_id(number), short_text(title))
