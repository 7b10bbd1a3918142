"""The problems of a tree: where its documents disagree, and what they leave open.

Each problem has a kind, a severity, one sentence, and the place to mend it. A problem of a story
that is archived is none.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from service.bmad.epic_list import Epic, EpicList
from service.bmad.identity import fold_id
from service.bmad.joining import Joined, TreeDocument
from service.bmad.links import DeadLink
from service.bmad.readings import MAX_TEXT, GateReading, Place, Reading
from service.bmad.waiting import Dependencies
from service.bmad.work_items import WorkItem, is_archived

Severity = Literal["error", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")

ProblemKind = Literal[
    "status_conflict",
    "unknown_status",
    "key_without_file",
    "file_without_key",
    "duplicate_id",
    "epic_owes_stories",
    "retrospective_rejected",
    "gate_failed",
    "gate_expired",
    "gate_waived",
    "gate_without_story",
    "review_finding_open",
    "deferred_work",
    "action_item_open",
    "requirement_without_story",
    "broken_link",
    "unreadable_document",
    "unknown_dependency",
    "undeclared_dependency",
    "dependency_conflict",
    "plan_without_ticket",
]

# What a status is called where, in sentences.
SAID_IN: Final[dict[Place, str]] = {
    "front_matter": "the front matter",
    "text": "the text",
    "tracker_status": "tracker_status",
    "sprint_status": "sprint-status",
    "plan": "the plan",
}
WORD_OF: Final[dict[DeadLink, str]] = {
    "no_file": "leads to no file or folder of the repository",
    "no_anchor": "leads to no heading or anchor of the document",
    "outside": "leads out of the repository",
}
# Signs in the name of a requirement that are not between numbers: FR2.7 is not FR27.
NOT_IN_NAME: Final = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")

# Statuses of a key whose story has no file yet, as the method has it.
NO_FILE_YET: Final = frozenset(("draft", "cancelled"))


class BoardProblem(NamedTuple):
    """A problem, and where it is.

    A dead link has its target and why it is dead. `appears_on` is the day from which on the problem
    is one, as when a gate expires; None for now.
    """

    kind: ProblemKind
    severity: Severity
    detail: str
    path: str | None
    line: int | None
    target: str | None = None
    reason: DeadLink | None = None
    appears_on: date | None = None


def find_problems(
    documents: Sequence[TreeDocument],
    joined: Joined,
    epics: EpicList,
    dependencies: Dependencies,
) -> Iterator[BoardProblem]:
    """Yield the problems of a tree."""
    items = [item for item in joined.items if not item.is_archived]
    has_sprint = any("sprint_status" in document.reading for document in documents)
    declared: dict[str, set[Epic | None]] = {}
    for item in items:
        yield from _of_statuses(item)
        yield from _of_gates(item)
        yield from _of_findings(item)
        yield from _of_dependencies(item, epics, dependencies, declared)
        if has_sprint and item.path and not item.keys and not item.entry:
            yield BoardProblem(
                "file_without_key",
                "info",
                f"The story {_name(item)} has no key in sprint-status.yaml.",
                item.path,
                item.reading["line"] if item.reading else 1,
            )
    yield from _of_ids(items)
    for epic in epics.epics:
        yield from _of_epic(epic)
    yield from _of_requirements(documents, epics, items)
    for document in documents:
        if not is_archived(document.path):
            yield from _of_document(document, epics)
    for path in joined.plans_without_ticket:
        yield BoardProblem(
            "plan_without_ticket",
            "warning",
            "The plan's ticket names no entry and no file beside it.",
            path,
            1,
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


def _of_statuses(item: WorkItem) -> Iterator[BoardProblem]:
    said = item.said
    if not said:
        return
    decides = said[0]
    if decides.word["status"] == "unknown":
        yield BoardProblem(
            "unknown_status",
            "warning",
            f"The status “{decides.word['word']}” of the story {_name(item)} is not known.",
            decides.path,
            decides.word["line"],
        )
    # Of the same place in one document only the first counts: later lines are about other things.
    compared = {(each.path, each.word["place"]): each for each in reversed(said)}
    compared.pop((decides.path, decides.word["place"]), None)
    for other in compared.values():
        if other.word["status"] != decides.word["status"]:
            yield BoardProblem(
                "status_conflict",
                "warning",
                f"Of the story {_name(item)}, {SAID_IN[decides.word['place']]} says "
                f"“{decides.word['word']}” and {SAID_IN[other.word['place']]} says "
                f"“{other.word['word']}”.",
                other.path,
                other.word["line"],
            )
    has_file = item.path or item.plan_path or item.entry
    for path, entry in item.keys if not has_file else ():
        is_early = entry["status"]["status"] in NO_FILE_YET
        yield BoardProblem(
            "key_without_file",
            "info" if is_early else "warning",
            f"The key {entry['key']} is “{entry['status']['word']}” and has no file.",
            path,
            entry["status"]["line"],
        )


def _of_gates(item: WorkItem) -> Iterator[BoardProblem]:
    for number, (path, gate) in enumerate(item.gates):
        if number:  # an older one, which no longer counts
            break
        if gate["decision"] == "FAIL":
            yield BoardProblem(
                "gate_failed",
                "error",
                f"The gate of the story {_name(item)} has failed.",
                path,
                gate["line"],
            )
            if item.status == "done":
                yield BoardProblem(
                    "status_conflict",
                    "error",
                    f"The story {_name(item)} is done, and its gate says {gate['word']}.",
                    path,
                    gate["line"],
                )
        if gate["decision"] == "WAIVED" or gate["is_waiver_active"]:
            reason = f": {gate['waiver_reason']}" if gate["waiver_reason"] else ""
            yield BoardProblem(
                "gate_waived",
                "info",
                f"The gate of the story {_name(item)} is waived{reason}."[:MAX_TEXT],
                path,
                gate["line"],
            )
        expires = _read_date(gate)
        if expires and expires < date.max:
            yield BoardProblem(
                "gate_expired",
                "warning",
                f"The gate of the story {_name(item)} expired on {expires}.",
                path,
                gate["line"],
                appears_on=expires + timedelta(days=1),
            )
        if gate["other_word"]:
            yield BoardProblem(
                "status_conflict",
                "warning",
                f"The gate of the story {_name(item)} says {gate['word']}, and its text says "
                f"{gate['other_word']}.",
                path,
                gate["line"],
            )


def _read_date(gate: GateReading) -> date | None:
    """Return the day on which a gate expires; the hour differs over the world."""
    try:
        return date.fromisoformat((gate["expires"] or "")[:10])
    except ValueError:
        return None


def _of_findings(item: WorkItem) -> Iterator[BoardProblem]:
    for finding in item.reading["review_findings"] if item.reading else ():
        if finding["is_open"]:
            yield BoardProblem(
                "review_finding_open",
                "warning",
                f"Open review finding of the story {_name(item)}: {finding['text']}"[:MAX_TEXT],
                item.path,
                finding["line"],
            )


def _of_dependencies(
    item: WorkItem,
    epics: EpicList,
    dependencies: Dependencies,
    declared: dict[str, set[Epic | None]],
) -> Iterator[BoardProblem]:
    """Yield what is wrong with what a story waits for.

    `declared` is for all stories of a tree: by the path of a tickets.toml, the epics that its epic
    declares.
    """
    entry = item.entry
    path = entry.path if entry else item.path
    line = entry.entry["line"] if entry else item.reading["line"] if item.reading else 1
    own = epics.of_item.get(item.key)
    for each in dependencies.of(item):
        if each.item is None and each.epic is None and item.is_ticket:
            yield BoardProblem(
                "unknown_dependency",
                "warning",
                f"The story {_name(item)} waits for “{each.name}”, which is nothing that there is.",
                path,
                line,
            )
        other = each.epic or (epics.of_item.get(each.item.key) if each.item else None)
        if entry is None or entry.epic is None or other is None:
            continue
        if entry.path not in declared:
            declared[entry.path] = {*map(epics.find, entry.epic["after"])}
        if item.is_ticket and other is not own and other not in declared[entry.path]:
            yield BoardProblem(
                "undeclared_dependency",
                "warning",
                f"The story {_name(item)} waits for the epic {other.id}, which its own epic does "
                "not declare.",
                path,
                line,
            )
    if entry and item.is_ticket and item.reading and item.reading["after"]:
        leaf = {fold_id(name) for name in item.reading["after"]}
        if leaf != {fold_id(name) for name in entry.entry["after"]}:
            yield BoardProblem(
                "dependency_conflict",
                "warning",
                f"What the story {_name(item)} waits for differs between its file and its entry.",
                item.path,
                item.reading["line"],
            )


def _of_ids(items: Iterable[WorkItem]) -> Iterator[BoardProblem]:
    by_id: defaultdict[tuple[str, str], list[WorkItem]] = defaultdict(list)
    for item in items:
        if item.path and item.number:
            by_id[item.number].append(item)
    for same in by_id.values():
        for item in same[1:]:
            yield BoardProblem(
                "duplicate_id",
                "warning",
                f"The story {_name(item)} has the id of {same[0].path}."[:MAX_TEXT],
                item.path,
                item.reading["line"] if item.reading else 1,
            )


def _of_epic(epic: Epic) -> Iterator[BoardProblem]:
    done = next((each for each in epic.said if each.word["status"] == "done"), None)
    owed = [item for item in epic.counted if item.status not in {"done", "cancelled"}]
    if done and owed:
        stories = "1 story is" if len(owed) == 1 else f"{len(owed)} stories are"
        yield BoardProblem(
            "epic_owes_stories",
            "warning",
            f"The epic {epic.id} is “{done.word['word']}”, and {stories} not.",
            done.path,
            done.word["line"],
        )


def _of_requirements(
    documents: Sequence[TreeDocument], epics: EpicList, items: Sequence[WorkItem]
) -> Iterator[BoardProblem]:
    """Yield requirements of which no story is known, where documents say what is covered.

    Nothing is said of kinds of which none is covered, such as UX-DR where a map is of FR alone, and
    of FR2 where FR2.1 is covered.
    """
    covered: dict[str, bool] = {}  # by requirement, whether an epic that covers it has stories
    for epic in epics.epics:
        for name in epic.covers:
            folded = _fold_requirement(name)
            has_stories = bool(epic.counted or epic.has_listed)
            covered[folded] = covered.get(folded, False) or has_stories
    for item in items:
        covers = item.entry.entry["covers"] if item.entry else ()
        for name in (*covers, *(item.reading["covers"] if item.reading else ())):
            covered[_fold_requirement(name)] = True
    for document in documents:
        for line in document.reading.get("coverage", ()):
            folded = _fold_requirement(line["requirement"])
            found = [epic for name in line["epics"] if (epic := epics.find(name))]
            has_stories = bool(line["stories"]) or any(
                epic.counted or epic.has_listed for epic in found
            )
            covered[folded] = covered.get(folded, False) or has_stories
    known = [name for name, has_stories in covered.items() if has_stories]
    kinds = {_kind_of_requirement(name) for name in covered}
    groups = {group for name in known for group in _groups_of(name)}
    reported: set[str] = set()
    for document in documents:
        for requirement in document.reading.get("requirements", ()):
            folded = _fold_requirement(requirement["id"])
            if covered.get(folded) or folded in reported or folded in groups:
                continue
            if _kind_of_requirement(folded) not in kinds:
                continue
            reported.add(folded)
            yield BoardProblem(
                "requirement_without_story",
                "warning",
                f"No story is known for the requirement {requirement['id']}: {requirement['text']}"[
                    :MAX_TEXT
                ],
                document.path,
                requirement["line"],
            )


def _kind_of_requirement(folded: str) -> str:
    """Return the letters of a requirement's name: FR of FR2.7."""
    return folded.rstrip("0123456789.")


def _groups_of(folded: str) -> Iterator[str]:
    """Yield the names of the groups that a requirement is in: FR2 for FR2.7."""
    while "." in folded:
        folded = folded.rpartition(".")[0]
        yield folded


def _fold_requirement(name: str) -> str:
    """Return a requirement's name for comparisons: FR-01 is FR1, and FR2.7 is not FR27."""
    return fold_id(NOT_IN_NAME.sub("", name))


def _of_document(document: TreeDocument, epics: EpicList) -> Iterator[BoardProblem]:
    reading, path = document.reading, document.path
    retrospective = reading.get("retrospective")
    if retrospective and retrospective["verdict"] == "rejected" and retrospective["epic"]:
        epic = epics.find(retrospective["epic"])
        said = [] if epic is None else [*epic.said, *epic.retrospectives]
        if epic and any(each.word["status"] == "done" for each in said):
            yield BoardProblem(
                "retrospective_rejected",
                "warning",
                f"The retrospective rejects the epic {epic.id}, whose key says “done”.",
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
    for note in _notes(reading):
        yield BoardProblem("unreadable_document", "warning", note, path, 1)


def _notes(reading: Reading) -> Iterator[str]:
    """Yield what could not be read of a document."""
    if "story" in reading:
        yield from reading["story"]["notes"]
    if "sprint_status" in reading:
        yield from reading["sprint_status"]["notes"]
    if "tickets" in reading:
        yield from reading["tickets"]["notes"]
    if "gate" in reading:
        yield from reading["gate"]["notes"]


def _name(item: WorkItem) -> str:
    """Return how a sentence names a story."""
    return f"{item.id} ({item.title})" if item.id else f"({item.title})"
