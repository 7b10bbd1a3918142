"""The problems of a tree: where its documents disagree, and what they leave open.

Each problem has a kind, a severity, one sentence, and the place to mend it. A problem of a story
that is archived is none.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from service.bmad.epic_list import EpicList
from service.bmad.gate_problems import gates_of
from service.bmad.joining import Joined
from service.bmad.key_files import TreeDocument
from service.bmad.older_trackers import find_older_trackers, keys_of_trackers
from service.bmad.problem_kinds import BoardProblem
from service.bmad.readings import MAX_TEXT, Reading
from service.bmad.requirement_problems import requirements_of
from service.bmad.story_problems import (
    SAID_IN,
    conflicts_of,
    cycles_of,
    dependencies_of,
    find_unreadable,
    findings_of,
    ids_of,
    name_of,
    statuses_of,
)
from service.bmad.waiting import Dependencies
from service.bmad.work_epics import Epic
from service.bmad.work_items import is_archived

# The line that a note names: "Line 3 cannot be read", "It is not TOML: … (at line 3, column 9)".
LINE: Final = re.compile(
    r"(?:\ALine |cannot be read(?: whole)?: line |\(at line )(\d{1,9})(?=[\s:,])"
)

# Statuses of stories that an epic no longer owes.
ENDED: Final = frozenset(("done", "cancelled"))


def find_problems(
    documents: Sequence[TreeDocument],
    joined: Joined,
    epics: EpicList,
    dependencies: Dependencies,
    skipped: Sequence[str],
) -> Iterator[BoardProblem]:
    """Yield the problems of a tree, given the paths of its files that cannot be documents."""
    items = [item for item in joined.items if not item.is_archived]
    trackers = keys_of_trackers(documents)
    older = find_older_trackers(trackers)
    has_sprint = bool(trackers.keys() - older)
    declared: dict[str, set[Epic | None]] = {}
    unreadable = find_unreadable(items, skipped) if skipped else {}
    for item in items:
        yield from statuses_of(item, unreadable)
        yield from gates_of(item)
        yield from findings_of(item)
        yield from dependencies_of(item, epics, dependencies, declared)
        if has_sprint and item.path and not item.keys and not item.entry:
            yield BoardProblem(
                "file_without_key",
                "info",
                f"The story {name_of(item)} has no key in sprint-status.yaml.",
                item.path,
                item.line,
            )
    yield from cycles_of(items, dependencies)
    yield from ids_of(items)
    for epic in epics.epics:
        yield from _of_epic(epic, has_stories=bool(items))
    yield from requirements_of(documents, epics, items)
    for document in documents:
        if not is_archived(document.path) and document.path not in older:
            yield from _of_document(document, epics)
    for path, plan in joined.plans_without_ticket:
        yield BoardProblem(
            "plan_without_ticket",
            "warning",
            f"The plan's ticket “{plan['ticket']}” names no entry and no file beside it.",
            path,
            plan["ticket_line"],
        )
    for path, gate in joined.gates_without_story:
        if not is_archived(path):
            yield BoardProblem(
                "gate_without_story",
                "info",
                "The gate names no story that there is.",
                path,
                gate["line"],
            )


def _of_epic(epic: Epic, *, has_stories: bool) -> Iterator[BoardProblem]:
    """Yield what is wrong with an epic, given whether any epic of its tree has stories.

    Without any, the project keeps its stories in documents of epics alone, and nothing says how far
    those without a status are.
    """
    yield from conflicts_of(f"the epic {epic.id}", epic.said)
    done = next((each for each in epic.said if each.word["status"] == "done"), None)
    if done is None:
        return
    owed = sum(item.status not in ENDED for item in epic.counted)
    for story in epic.only_listed:
        status = next((word["status"] for word in story["statuses"]), None)
        owed += has_stories if status is None else status not in ENDED
    if owed:
        stories = "1 story is" if owed == 1 else f"{owed} stories are"
        yield BoardProblem(
            "epic_owes_stories",
            "warning",
            f"The epic {epic.id} is “{done.word['word']}” in {SAID_IN[done.word['place']]}, and "
            f"{stories} not.",
            done.path,
            done.word["line"],
        )


def _of_document(document: TreeDocument, epics: EpicList) -> Iterator[BoardProblem]:
    reading, path = document.reading, document.path
    retrospective = reading.get("retrospective")
    if retrospective and retrospective["verdict"] == "rejected" and retrospective["epic"]:
        epic = epics.find_titled(retrospective["epic"])
        said = [] if epic is None else [*epic.said, *epic.retrospectives]
        done = next((each.word for each in said if each.word["status"] == "done"), None)
        if epic and done:
            yield BoardProblem(
                "retrospective_rejected",
                "warning",
                f"The retrospective rejects the epic {epic.id}, of which {SAID_IN[done['place']]} "
                f"says “{done['word']}”.",
                path,
                retrospective["line"],
            )
    for deferred in reading.get("deferred", ()):
        if deferred["is_open"]:
            yield BoardProblem(
                "deferred_work",
                "info",
                f"Deferred: {deferred['text']}"[:MAX_TEXT],
                path,
                deferred["line"],
            )
    sprint = reading.get("sprint_status")
    for action in sprint["action_items"] if sprint else ():
        status = action["status"]
        if status is None or status["status"] not in {"done", "cancelled"}:
            yield BoardProblem(
                "action_item_open",
                "info",
                f"Open action item: {action['action']}"[:MAX_TEXT],
                path,
                action["line"],
            )
    for note in dict.fromkeys(_notes(reading)):
        found = LINE.search(note)
        line = int(found[1]) if found else reading["gate"]["line"] if "gate" in reading else 1
        yield BoardProblem("unreadable_document", "warning", note, path, line)


def _notes(reading: Reading) -> Iterator[str]:
    """Yield what could not be read of a document."""
    if "story" in reading:
        yield from reading["story"]["notes"]
    yield from reading.get("notes", ())
    if "sprint_status" in reading:
        yield from reading["sprint_status"]["notes"]
    if "tickets" in reading:
        yield from reading["tickets"]["notes"]
    if "gate" in reading:
        yield from reading["gate"]["notes"]
