"""The problems of a story: its statuses, gates, findings, dependencies and id."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final

from service.bmad.epic_list import Epic, EpicList
from service.bmad.identity import fold_id
from service.bmad.problem_kinds import BoardProblem
from service.bmad.readings import MAX_TEXT, GateReading, Place
from service.bmad.waiting import Dependencies
from service.bmad.work_items import WorkItem

# What a status is called where, in sentences.
SAID_IN: Final[dict[Place, str]] = {
    "front_matter": "the front matter",
    "text": "the text",
    "tracker_status": "tracker_status",
    "sprint_status": "sprint-status",
    "plan": "the plan",
}

# Statuses of a key whose story has no file yet, as the method has it.
NO_FILE_YET: Final = frozenset(("draft", "cancelled"))


def statuses_of(item: WorkItem) -> Iterator[BoardProblem]:
    """Yield what sources say differently of a story, and words that are not known."""
    said = item.said
    if not said:
        return
    decides = said[0]
    if decides.word["status"] == "unknown":
        yield BoardProblem(
            "unknown_status",
            "warning",
            f"The status “{decides.word['word']}” of the story {name_of(item)} is not known.",
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
                f"Of the story {name_of(item)}, {SAID_IN[decides.word['place']]} says "
                f"“{decides.word['word']}” and {SAID_IN[other.word['place']]} says "
                f"“{other.word['word']}”.",
                other.path,
                other.word["line"],
            )
    has_file = item.path or item.plan or item.entry
    for path, entry in item.keys if not has_file else ():
        is_early = entry["status"]["status"] in NO_FILE_YET
        yield BoardProblem(
            "key_without_file",
            "info" if is_early else "warning",
            f"The key {entry['key']} is “{entry['status']['word']}” and has no file.",
            path,
            entry["status"]["line"],
        )


def gates_of(item: WorkItem) -> Iterator[BoardProblem]:
    """Yield what the newest gate of a story says."""
    for number, (path, gate) in enumerate(item.gates):
        if number:  # an older one, which no longer counts
            break
        if gate["decision"] == "FAIL":
            yield BoardProblem(
                "gate_failed",
                "error",
                f"The gate of the story {name_of(item)} has failed.",
                path,
                gate["line"],
            )
            if item.status == "done":
                yield BoardProblem(
                    "status_conflict",
                    "error",
                    f"The story {name_of(item)} is done, and its gate says {gate['word']}.",
                    path,
                    gate["line"],
                )
        if gate["decision"] == "WAIVED" or gate["is_waiver_active"]:
            reason = f": {gate['waiver_reason']}" if gate["waiver_reason"] else ""
            yield BoardProblem(
                "gate_waived",
                "info",
                f"The gate of the story {name_of(item)} is waived{reason}."[:MAX_TEXT],
                path,
                gate["line"],
            )
        expires = _read_date(gate)
        if expires and expires < date.max:
            yield BoardProblem(
                "gate_expired",
                # The method lets each gate expire after two weeks, also that of a done story.
                "info" if item.status == "done" else "warning",
                f"The gate of the story {name_of(item)} expired on {expires}.",
                path,
                gate["line"],
                appears_on=expires + timedelta(days=1),
            )
        if gate["other_word"]:
            yield BoardProblem(
                "status_conflict",
                "warning",
                f"The gate of the story {name_of(item)} says {gate['word']}, and its text says "
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


def findings_of(item: WorkItem) -> Iterator[BoardProblem]:
    """Yield the open findings of reviews of a story."""
    for path, finding in item.findings:
        if finding["is_open"]:
            yield BoardProblem(
                "review_finding_open",
                "warning",
                f"Open review finding of the story {name_of(item)}: {finding['text']}"[:MAX_TEXT],
                path,
                finding["line"],
            )


def dependencies_of(
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
                f"The story {name_of(item)} waits for “{each.name}”, which is nothing that there "
                "is.",
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
                f"The story {name_of(item)} waits for the epic {other.id}, which its own epic does "
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
                f"What the story {name_of(item)} waits for differs between its file and its entry.",
                item.path,
                item.reading["line"],
            )


def ids_of(items: Iterable[WorkItem]) -> Iterator[BoardProblem]:
    """Yield the stories whose id another file has."""
    by_id: defaultdict[tuple[str, str], list[WorkItem]] = defaultdict(list)
    for item in items:
        if item.path and item.number:
            by_id[item.number].append(item)
    for same in by_id.values():
        for item in same[1:]:
            yield BoardProblem(
                "duplicate_id",
                "warning",
                f"The story {name_of(item)} has the id of {same[0].path}."[:MAX_TEXT],
                item.path,
                item.reading["line"] if item.reading else 1,
            )


def name_of(item: WorkItem) -> str:
    """Return how a sentence names a story."""
    return f"{item.id} ({item.title})" if item.id else f"({item.title})"
