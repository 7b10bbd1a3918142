"""What must be done before a story, where its text or its front matter names stories."""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple, TypeGuard

from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.identity import fold_id, read_id
from service.bmad.readings import MAX_ITEMS, StatusWord
from service.bmad.story_sections import StorySection, name_of_section
from service.bmad.texts import short_key

AFTER_KEYS: Final = (
    "after",
    "depends_on",
    "depends-on",
    "dependsOn",
    "dependencies",
    "blocked_by",
    "blocked-by",
    "blockedBy",
    "prerequisites",
)
AFTER_LABEL: Final = re.compile(r"after|waits?\s+for|requires", re.IGNORECASE)

# "1.2", "AP-4.4", "1-2", "3.5.1", "E12-S04".
_ID = (
    r"(?:[A-Z]{1,6}-?)?\d{1,4}[a-z]?\.\d{1,4}(?:\.\d{1,4})?[a-z]?(?![\w.]*\w)"
    r"|[A-Z]{1,4}\d{1,4}-S\d{1,4}(?!\w)|(?:[A-Z]{1,6}-)?\d{1,4}-\d{1,4}[a-z]?(?![\w-])"
)
_WORD = r"(?:user\s+)?(?:stor(?:y|ies)|histoires?|historias?|histórias?|故事|스토리)"
_AND = r"\s*+(?:,|;|&|\+|/|、|and\b|et\b|y\b|e\b|和|및|\u2013|-|to\b)\s*+"
_IDS = rf"(?:{_ID})(?>{_AND}(?:{_WORD}\s*+)?(?:{_ID}))*+"
# A line that begins with what must be done: "Story 1.2 (schema), Story 1.3", "Depends on: 1.2".
BEGIN: Final = re.compile(
    rf"[\W_]*+(?P<before>(?:[^\n:\uff1a]{{1,40}}?[:\uff1a]\s*+)?"
    r"(?:(?:depends?\s+on|requires?|needs?|blocked\s+by|after|waits?\s+for|dépend\s+de)\s+)?)"
    rf"(?:(?:epic\s+\d{{1,4}}[\s,:;/\u2013\u2014-]{{1,4}})?(?P<word>{_WORD})\s*+[:#]?\s*+)?"
    rf"(?P<ids>{_IDS})",
    re.IGNORECASE,
)
STORY_WORD: Final = re.compile(_WORD, re.IGNORECASE)
NEXT: Final = re.compile(rf"(?:[,;&+/、]|\band|\bet)\s*+{_WORD}\s*+({_IDS})", re.IGNORECASE)
ID: Final = re.compile(_ID, re.IGNORECASE)
# What waits for this story: lines of a section on dependencies may say that too.
OTHER_WAY: Final = re.compile(
    r"\b(?:blocks|blocking|enables?|unblocks?|required\s+(?:by|for)|needed\s+(?:by|for)|downstream"
    r"|dependents?|followed\s+by|used\s+by|next|future|bloque|débloque|optional|related)\b",
    re.IGNORECASE,
)
WAITS_FOR_THIS: Final = re.compile(
    r"\b(?:depends?|blocked|relies|waits|builds)\s+(?:on|by|for|upon)\s+(?:this|it)\b|\bnot\b"
    r"|\bindependent|\bwill\b",
    re.IGNORECASE,
)
# What comes before the ids in a status: "Blocked by", "Blocked - waiting for", "Blocked (needs".
BLOCKED: Final = re.compile(
    r"\A[\W_]*+blocked[\W_]*+(?:(?:by|on|until|pending|waiting\s+(?:for|on))\b[\W_]*+)?",
    re.IGNORECASE,
)
MAX_LINE: Final = 500


class After(NamedTuple):
    """What must be done before a story, and which of these names are surely stories.

    Of a text these are the ids after the word "story"; a number alone may be a version: "Vite 5.2".
    """

    names: list[str]
    stories: list[str]


class _Named(NamedTuple):
    name: str
    is_story: bool


def read_after(
    document: BmadDocument,
    sections: Sequence[StorySection],
    fields: Sequence[Field],
    own_id: str,
    status: StatusWord | None,
) -> After:
    """Return what must be done before a story, as the front matter has it, else as the text does.

    A value of the front matter is whole. Of the text these are ids of stories alone, with which a
    line below "Dependencies" or the value of such a field begins: prose may name any story. The
    status that decides may say it too: "Blocked by 1.2".
    """
    own = fold_id(own_id)
    found = [*_in_front_matter(document)]
    named = chain(() if found else _in_text(sections, fields), _in_status(status))
    found += [each for each in named if fold_id(each.name) != own]
    names = [*{fold_id(each.name): each.name for each in reversed(found)}.values()][::-1]
    stories = {each.name for each in found if each.is_story}
    return After(names[:MAX_ITEMS], [name for name in names[:MAX_ITEMS] if name in stories])


def values_of(value: Any) -> list[str]:
    """Return the values of a list of front matter, or of a text with commas between them."""
    if isinstance(value, str):
        return _short(value.split(","))
    return _short(value if _is_list(value) else [value])


def _short(values: Sequence[Any]) -> list[str]:
    texts = (
        short_key(str(each))
        for each in values[:MAX_ITEMS]
        if isinstance(each, str | int) and not isinstance(each, bool)
    )
    return [*filter(None, texts)]


def _is_list(value: Any) -> TypeGuard[list[Any]]:
    return isinstance(value, list)


def _in_front_matter(document: BmadDocument) -> Iterator[_Named]:
    for key in AFTER_KEYS:
        for value in values_of(document.front_matter.get(key)):
            if value.lower() not in {"none", "n/a", "-", "null"}:
                yield _Named(value, bool(read_id(value).epic))


def _in_text(sections: Sequence[StorySection], fields: Sequence[Field]) -> Iterator[_Named]:
    for field in fields:
        if name_of_section(field.label) == "dependencies" or AFTER_LABEL.fullmatch(field.label):
            yield from _ids_of(field.value)
    for section in sections:
        if section.name != "dependencies":
            continue
        is_other_way = False
        for block in section.blocks:
            lines = block.text.splitlines()
            is_label = lines and (block.tag[0] == "h" or lines[0].endswith((":", "\uff1a")))
            if is_label and block.depth <= 1:
                is_other_way = bool(OTHER_WAY.search(lines[0]))
            if not is_other_way:
                for line in lines:
                    yield from _ids_of(line)


def _in_status(status: StatusWord | None) -> Iterator[_Named]:
    """Yield the ids that a status names after a word such as "Blocked"."""
    if status is not None and status["status"] == "blocked":
        yield from _ids_of(BLOCKED.sub("", status["word"], count=1))


def _ids_of(line: str) -> Iterator[_Named]:
    line = line[:MAX_LINE]
    found = BEGIN.match(line)
    if found and not OTHER_WAY.search(found["before"]) and not WAITS_FOR_THIS.search(line):
        # The word counts for all ids after it.
        begin = STORY_WORD.search(
            line, found.start("word") if found["word"] else found.start("ids")
        )
        for id_ in ID.finditer(line, found.start("ids"), found.end("ids")):
            yield _Named(id_[0], begin is not None and begin.start() < id_.start())
        for named in NEXT.finditer(line, found.end()):
            for id_ in ID.findall(named[1]):
                yield _Named(id_, is_story=True)
