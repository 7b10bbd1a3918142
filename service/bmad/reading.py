"""Reads what a document says of the work: begin here."""

from collections.abc import Iterator
from typing import Final

from service.bmad.deferred_work import read_deferred_work
from service.bmad.document import BmadDocument
from service.bmad.epic import read_epics
from service.bmad.gate import read_gate
from service.bmad.links import read_links
from service.bmad.names import is_in_tools, is_of_tools
from service.bmad.readings import Reading
from service.bmad.requirements import read_requirements
from service.bmad.retrospective import read_retrospective
from service.bmad.sprint_status import read_sprint_status
from service.bmad.story import read_candidate, read_plan, read_story
from service.bmad.story_statuses import notes_of_front_matter
from service.bmad.texts import short_text
from service.bmad.tickets import read_spec, read_tickets

# What has a status that the front matter may say.
WITH_STATUS: Final = frozenset(("plan", "epics", "spec"))


def read_document(document: BmadDocument) -> Reading:
    """Return all that a document says; never raises, whatever its text is."""
    reading: Reading = {}
    if document.file_type == "md":
        _read_markdown(document, reading)
    if (sprint_status := read_sprint_status(document)) is not None:
        reading["sprint_status"] = sprint_status
    if (tickets := read_tickets(document)) is not None:
        reading["tickets"] = tickets
    if (gate := read_gate(document)) is not None:
        reading["gate"] = gate
    return reading


def _read_markdown(document: BmadDocument, reading: Reading) -> None:
    if document.kind == "story":
        reading["story"] = read_story(document)
    elif not is_in_tools(document):
        if (plan := read_plan(document)) is not None:
            reading["plan"] = plan
        else:
            _read_other(document, reading)
        if notes := [*_notes(document, reading)]:
            reading["notes"] = notes
    if links := read_links(document):
        reading["links"] = links


def _read_other(document: BmadDocument, reading: Reading) -> None:
    """Read Markdown that is neither a story nor a plan."""
    if (candidate := read_candidate(document)) is not None:
        reading["candidate"] = candidate
        reading["candidate_kind"] = document.kind
    if epics := read_epics(document):
        reading["epics"] = epics
    requirements, coverage = read_requirements(document)
    if requirements:
        reading["requirements"] = requirements
    if coverage:
        reading["coverage"] = coverage
    if (spec := read_spec(document)) is not None:
        reading["spec"] = spec
    if (retrospective := read_retrospective(document)) is not None:
        reading["retrospective"] = retrospective
    if deferred := read_deferred_work(document):
        reading["deferred"] = deferred


def _notes(document: BmadDocument, reading: Reading) -> Iterator[str]:
    """Yield what cannot be read of the front matter of a document that is no story."""
    if "front_matter_error" in document.metadata and not is_of_tools(document):
        reason = document.metadata["front_matter_error"]
        yield short_text(f"The front matter cannot be read whole: {reason}.")
    if reading.keys() & WITH_STATUS:
        yield from notes_of_front_matter(document)
