"""What past versions of a story need: its id and the status that decides, in little time."""

import re
from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.fields import Field, own_fields, read_fields
from service.bmad.identity import Identity, read_heading
from service.bmad.readings import MAX_TEXT, StatusWord
from service.bmad.story import ID_KEYS, read_beginning, read_ticket
from service.bmad.story_sections import cut_sections
from service.bmad.story_statuses import (
    STATUS_LINES,
    front_matter_statuses,
    read_statuses,
    statuses_below_headings,
    statuses_in_fields,
)
from service.bmad.texts import text_of
from service.documents.story_signs import has_epic_heading

FIRST_LINES: Final = 10  # of the text, in which most stories say their status

# An id of more numbers is split as the epics that a document names say.
_NUMBER: Final = re.compile(r"\d++")
_MAX_NUMBERS: Final = 2


class StoryFacts(NamedTuple):
    """What tells a story from others, the status that decides, and what its file is for."""

    identity: Identity
    status: StatusWord | None
    ticket: str | None


def read_story_facts(document: BmadDocument) -> StoryFacts:
    """Return a part of what read_story does, in less time."""
    fields, title, identity = read_beginning(document)
    title_line = title.heading.line if title.heading else None
    status = _status_in_lines(document, title_line, fields, STATUS_LINES)
    if status is None:
        statuses = read_statuses(document, cut_sections(document.blocks, title_line), fields)
        status = next(iter(statuses), None)
    return StoryFacts(identity, status, read_ticket(document) or None)


def read_first_facts(document: BmadDocument) -> StoryFacts | None:
    """Return the same of a story of which read_first_lines has read FIRST_LINES.

    None unless these have the status that decides, and a heading with a title and an id on which
    neither other headings nor fields have a say.
    """
    heading = next((each for each in document.headings if each.level == 1), None)
    if heading is None or has_epic_heading(heading.text):
        return None
    identity, rest, *_ = read_heading(heading.text)
    title = text_of(rest, MAX_TEXT)
    is_whole = bool(identity.epic and identity.story and title)
    if not is_whole or len(_NUMBER.findall(identity.id)) > _MAX_NUMBERS:
        return None
    if any(key in document.front_matter for key in ID_KEYS):
        return None
    fields = read_fields(document.lines, document.html_line, document.headings[-1].line)
    own = own_fields(fields, identity.id, title)
    status = _status_in_lines(document, heading.line, own, FIRST_LINES)
    return status and StoryFacts(identity, status, read_ticket(document) or None)


def _status_in_lines(
    document: BmadDocument, title_line: int | None, fields: Sequence[Field], lines: int
) -> StatusWord | None:
    """Return the first status of read_statuses; None if it may be below so many lines.

    It may also be if blocks below them have a say on what is above.
    """
    if found := front_matter_statuses(document):
        return found[0]
    limit = document.html_line + lines
    sections = cut_sections(document.read_beginning(limit), title_line)
    in_text, _ = statuses_in_fields(document, sections, fields, limit)
    outer, inner = statuses_below_headings(sections)
    found = sorted(in_text + outer, key=itemgetter("line"))
    # More blocks have a say on these: the last section goes on.
    unsure = [each["line"] for each in inner]
    if (head := sections[-1].head) and sections[-1].name == "status":
        unsure.append(head.line)
    if found and found[0]["line"] < min([limit, *unsure]):
        return found[0]
    return None
