"""What past versions of a story need: its id and the status that decides, in little time."""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.fields import Field
from service.bmad.identity import Identity
from service.bmad.readings import StatusWord
from service.bmad.story import read_beginning, read_ticket
from service.bmad.story_sections import cut_sections
from service.bmad.story_statuses import (
    STATUS_LINES,
    front_matter_statuses,
    read_statuses,
    statuses_below_headings,
    statuses_in_fields,
)


class StoryFacts(NamedTuple):
    """What tells a story from others, the status that decides, and what its file is for."""

    identity: Identity
    status: StatusWord | None
    ticket: str | None


def read_story_facts(document: BmadDocument) -> StoryFacts:
    """Return a part of what read_story does, in less time."""
    fields, title, identity = read_beginning(document)
    title_line = title.heading.line if title.heading else None
    status = _read_first_status(document, title_line, fields)
    return StoryFacts(identity, status, read_ticket(document) or None)


def _read_first_status(
    document: BmadDocument, title_line: int | None, fields: Sequence[Field]
) -> StatusWord | None:
    """Return the status of read_statuses that decides, from as few blocks as it takes."""
    if found := front_matter_statuses(document):
        return found[0]
    limit = document.html_line + STATUS_LINES
    sections = cut_sections(document.read_beginning(limit), title_line)
    in_text, _ = statuses_in_fields(document, sections, fields, limit)
    outer, inner = statuses_below_headings(sections)
    found = sorted(in_text + outer, key=itemgetter("line"))
    # Those on which more blocks have a say: the last section goes on.
    unsure = [each["line"] for each in inner]
    if (head := sections[-1].head) and sections[-1].name == "status":
        unsure.append(head.line)
    if found and found[0]["line"] < min([limit, *unsure]):
        return found[0]
    statuses = read_statuses(document, cut_sections(document.blocks, title_line), fields)
    return statuses[0] if statuses else None
