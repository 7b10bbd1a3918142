"""Readings as the readers make them, for tests of what is made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.bmad.board import make_board
from service.bmad.identity import read_id
from service.bmad.statuses import status_word
from service.bmad.trees import find_trees

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from service.bmad.board import Board
    from service.bmad.readings import (
        EpicReading,
        GateReading,
        Link,
        ListedStory,
        Place,
        PlanReading,
        Reading,
        SprintStatusReading,
        StatusWord,
        StoryReading,
        TicketEntry,
        TicketEpic,
        TicketsReading,
        WorkCounts,
    )


NO_COUNTS: Final[WorkCounts] = {
    "acceptance_criteria_total": 0,
    "acceptance_criteria_done": None,
    "acceptance_criteria_items_total": 0,
    "acceptance_criteria_items_done": 0,
    "tasks_total": 0,
    "tasks_done": 0,
    "subtasks_total": 0,
    "subtasks_done": 0,
    "review_findings": [],
}


def links_of(readings: Mapping[str, Reading]) -> list[tuple[str, Sequence[Link]]]:
    return [(path, reading.get("links", ())) for path, reading in readings.items()]


def board_of(
    readings: Mapping[str, Reading],
    links: Iterable[tuple[str, Sequence[Link]]],
    skipped: Iterable[tuple[str, str]] = (),
) -> Board:
    """Return the board of documents in a repository that has no other files."""
    trees = find_trees(readings)
    return make_board(readings, links, frozenset[str](), lambda _: None, skipped, trees)


def word(text: str, place: Place = "text", line: int = 3) -> StatusWord:
    return status_word(text, line, place)


def story(
    id_: str = "", status: str | None = None, title: str = "A title", **fields: Any
) -> Reading:
    identity = read_id(id_)
    reading: StoryReading = {
        "id": identity.id,
        "epic": identity.epic,
        "story": identity.story,
        "title": title,
        "anchor": None,
        "line": 1,
        "kind": "story",
        "statuses": [] if status is None else [word(status)],
        "as_a": None,
        "i_want": None,
        "so_that": None,
        **NO_COUNTS,
        "review_findings": [],
        "after": [],
        "after_stories": [],
        "covers": [],
        "ticket": None,
        "notes": [],
    }
    reading.update(fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return {"story": reading}


def plan(ticket: str, status: str | None = None, **fields: Any) -> Reading:
    reading: PlanReading = {
        "ticket": ticket,
        "ticket_line": 2,
        "statuses": [] if status is None else [word(status, "plan")],
        **NO_COUNTS,
        "review_findings": [],
    }
    reading.update(fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return {"plan": reading}


def sprint(keys: dict[str, str], **fields: Any) -> Reading:
    """Return the reading of a sprint-status.yaml with these keys of stories and their words."""
    reading: SprintStatusReading = {
        "stories": [
            {"key": key, "status": word(status, "sprint_status", line)}
            for line, (key, status) in enumerate(keys.items(), 3)
        ],
        "epics": [],
        "retrospectives": [],
        "titles": {},
        "action_items": [],
        "last_updated": None,
        "notes": [],
    }
    reading.update(fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return {"sprint_status": reading}


def entry(id_: str, title: str = "", **fields: Any) -> TicketEntry:
    made: TicketEntry = {
        "id": id_,
        "slug": "",
        "kind": "story",
        "title": title,
        "description": "",
        "covers": [],
        "after": [],
        "is_unknown": False,
        "line": 1,
    }
    made.update(fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return made


def ticket_epic(id_: str, slug: str, after: list[str] | None = None) -> TicketEpic:
    return {
        "id": id_,
        "slug": slug,
        "title": slug.capitalize(),
        "covers": [],
        "after": after or [],
        "line": 1,
    }


def tickets(*entries: TicketEntry, epics: list[TicketEpic] | None = None) -> Reading:
    reading: TicketsReading = {"epics": epics or [], "entries": [*entries], "notes": []}
    return {"tickets": reading}


def gate(decision: str, name: str | None = None, **fields: Any) -> Reading:
    """Return the reading of a gate whose file's name begins with an id."""
    reading: GateReading = {
        "decision": decision,
        "word": decision,
        "line": 2,
        "story": None,
        "story_in_name": name,
        "score": None,
        "reviewer": None,
        "updated": None,
        "expires": None,
        "issues": [],
        "waiver_reason": None,
        "is_waiver_active": False,
        "other_word": None,
        "notes": [],
    }
    reading.update(fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return {"gate": reading}


def listed(id_: str, title: str = "") -> ListedStory:
    identity = read_id(id_)
    return {
        "id": identity.id,
        "epic": identity.epic,
        "story": identity.story,
        "title": title,
        "anchor": None,
        "line": 1,
        "statuses": [],
    }


def epic(number: str, title: str = "", **fields: Any) -> EpicReading:
    made: EpicReading = {
        "number": number,
        "title": title,
        "anchor": None,
        "line": 1,
        "statuses": [],
        "covers": [],
        "stories": [],
    }
    made.update(fields)  # pyright: ignore[reportCallIssue, reportArgumentType]
    return made


def epics(*made: EpicReading) -> Reading:
    return {"epics": [*made]}
