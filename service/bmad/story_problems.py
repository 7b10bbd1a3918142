"""The problems of a story: its statuses, findings, dependencies and id."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from service.bmad.epic_list import EpicList
from service.bmad.identity import fold_id, read_name
from service.bmad.key_files import KeyPlace, key_file, match_keys, name_of_key
from service.bmad.keys import read_key
from service.bmad.problem_kinds import BoardProblem
from service.bmad.readings import MAX_TEXT, Place, Status, StatusWord
from service.bmad.waiting import ENDED, Dependencies
from service.bmad.work_epics import Epic
from service.bmad.work_items import Said, WorkItem, stem_of
from service.documents.kinds import is_folder_of_tools
from service.documents.story_signs import is_companion
from service.documents.text import file_type_of

# What a status is called where, in sentences.
SAID_IN: Final[dict[Place, str]] = {
    "front_matter": "the front matter",
    "text": "the text",
    "tracker_status": "tracker_status",
    "sprint_status": "sprint-status",
    "plan": "the plan",
}

# Places in a ticket's file, which its plan outruns in version 7, and how far a status is.
OF_LEAF: Final[frozenset[Place]] = frozenset(("tracker_status", "front_matter", "text"))
STAGES: Final[Mapping[Status, int]] = {
    "draft": 0,
    "approved": 1,
    "in_progress": 2,
    "blocked": 2,
    "review": 3,
    "done": 4,
    "cancelled": 4,
}

# Folders that say of stories at most how far they are, and not which product or epic they are of.
STATE_FOLDER: Final = re.compile(
    r"(?:user[-_ ])?stor(?:y|ies)|backlog|to[-_ ]?do|ready|(?:in[-_ ])?progress|review|done",
    re.IGNORECASE,
)
# In the name of a file, what a number alone is of: bug-1 is not story-1.
OTHER_KIND: Final = re.compile(r"(?:bug(?:fix)?|spike|fix|task|ticket)(?=[-_. ])", re.IGNORECASE)

# Statuses of a key whose story has no file yet, as the method has it.
NO_FILE_YET: Final = frozenset(("draft", "cancelled"))


def statuses_of(item: WorkItem, unreadable: Mapping[KeyPlace, str]) -> Iterator[BoardProblem]:
    """Yield what sources say differently of a story, and words that are not known.

    `unreadable` has the files of keys that cannot be read: see find_unreadable.
    """
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
    yield from conflicts_of(f"the story {name_of(item)}", said)
    has_file = item.path or item.plan or item.entry
    keys = {(path, entry["key"]): entry for path, entry in item.keys}  # the last of equal ones
    for (path, _), entry in keys.items() if not has_file else ():
        is_early = entry["status"]["status"] in NO_FILE_YET
        file = unreadable.get((path, entry["key"]))
        lack = "has no file" if file is None else f"its file {file} cannot be read"
        yield BoardProblem(
            "key_without_file",
            "info" if is_early else "warning",
            f"The key {entry['key']} is “{entry['status']['word']}” and {lack}."[:MAX_TEXT],
            path,
            entry["status"]["line"],
        )


def find_unreadable(items: Iterable[WorkItem], skipped: Iterable[str]) -> dict[KeyPlace, str]:
    """Return which of the files that cannot be read are those of keys without a file."""
    files = [
        key_file(path, read_name(stem_of(path)).identity, is_story=True)
        for path in skipped
        if file_type_of(path) == "md" and not any(map(is_folder_of_tools, path.split("/")[:-1]))
    ]
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for item in items if files else ():
        for path, entry in item.keys if item.path is None else ():
            keys[path].add(entry["key"])
    return match_keys(files, keys, lambda key: name_of_key(key, read_key(key)))


def conflicts_of(name: str, said: Sequence[Said]) -> Iterator[BoardProblem]:
    """Yield what sources say otherwise than the first one, which decides, of the thing `name`.

    Of a text or a front matter only the first status counts, since later lines are about other
    things. A tracker whose key stands twice is one conflict at most.
    """
    if not said:
        return
    decides = said[0]
    place = (decides.path, decides.word["place"])
    seen = set[tuple[str, Place]]() if place[1] == "sprint_status" else {place}
    for other in said[1:]:
        place = (other.path, other.word["place"])
        # A key without a value says nothing.
        are_said = bool(other.word["word"] and decides.word["word"])
        differs = are_said and other.word["status"] != decides.word["status"]
        if differs and place not in seen:
            yield BoardProblem(
                "status_conflict",
                "info" if _lags(other.word, decides.word) else "warning",
                f"Of {name}, {SAID_IN[decides.word['place']]} says “{decides.word['word']}” and "
                f"{SAID_IN[other.word['place']]} says “{other.word['word']}”.",
                other.path,
                other.word["line"],
            )
        if differs or place[1] != "sprint_status":
            seen.add(place)


def _lags(word: StatusWord, decides: StatusWord) -> bool:
    """Return whether a ticket's file is behind its plan, or what it says behind tracker_status.

    The method writes the plan and leaves the file as it was.
    """
    if decides["place"] not in {"plan", "tracker_status"} or word["place"] not in OF_LEAF:
        return False
    stage, decided = STAGES.get(word["status"]), STAGES.get(decides["status"])
    return stage is not None and decided is not None and stage < decided


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
    line = entry.entry["line"] if entry else item.line
    own = epics.of_item.get(item.key)
    for each in dependencies.of(item):
        is_there = each.item or each.epic or epics.do_list(each.name)
        # Outside of version 7, what an ended story named may have gone since.
        may_wait = item.is_ticket or item.status not in ENDED
        if each.is_sure and may_wait and not is_there:
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
        leaf, tracked = item.reading["after"], entry.entry["after"]
        if {*map(fold_id, leaf)} != {*map(fold_id, tracked)}:
            yield BoardProblem(
                "dependency_conflict",
                "warning",
                f"In its file, the story {name_of(item)} waits for {_quote(leaf)}, and in its "
                f"entry for {_quote(tracked)}."[:MAX_TEXT],
                item.path,
                item.line,
            )


def _quote(names: Sequence[str]) -> str:
    *others, last = (f"“{name}”" for name in names) if names else ("nothing",)
    return f"{', '.join(others)} and {last}" if others else last


def cycles_of(items: Sequence[WorkItem], dependencies: Dependencies) -> Iterator[BoardProblem]:
    """Yield the stories and epics that wait for each other, or for themselves."""
    for cycle in dependencies.cycles(items):
        # Epics wait only for their stories, so that a cycle has one.
        first = next(each for each in cycle if isinstance(each, WorkItem))
        names = [
            f"story {name_of(each)}" if isinstance(each, WorkItem) else f"epic {each.id}"
            for each in (*cycle, cycle[0])
        ]
        awaited = ", which waits for the ".join(names[1:])
        entry = first.entry
        yield BoardProblem(
            "dependency_cycle",
            "warning",
            f"The {names[0]} waits for the {awaited}."[:MAX_TEXT],
            entry.path if entry else first.path,
            entry.entry["line"] if entry else first.line,
        )


def ids_of(items: Iterable[WorkItem]) -> Iterator[BoardProblem]:
    """Yield the stories whose id another file has.

    Of such files the first counts that is no document beside a story, such as its notes, and has a
    key. Ids without an epic are equal only below one folder, where they are of one kind: numbers
    begin again in the folder of another epic.
    """
    by_id: defaultdict[tuple[str, ...], list[WorkItem]] = defaultdict(list)
    for item in items:
        if item.path and item.id:
            by_id[item.number or (*_scope_of(item.path), fold_id(item.id))].append(item)
    for same in by_id.values():
        first, *others = sorted(same, key=_is_beside) if len(same) > 1 else same
        for item in others:
            yield BoardProblem(
                "duplicate_id",
                "warning",
                f"The story {name_of(item)} has the id of {first.path}."[:MAX_TEXT],
                item.path,
                item.line,
            )


def _scope_of(path: str) -> tuple[str, str]:
    """Return the folder and the kind within which an id without an epic is of one story."""
    folders = path.split("/")[:-1]
    while folders and STATE_FOLDER.fullmatch(folders[-1]):
        folders.pop()
    kind = OTHER_KIND.match(stem_of(path))
    return "/".join(folders), kind[0].lower() if kind else ""


def _is_beside(item: WorkItem) -> tuple[bool, bool]:
    return is_companion(stem_of(item.path or "")), not item.keys


def name_of(item: WorkItem) -> str:
    """Return how a sentence names a story: by its id and its title, or by its title alone."""
    return f"{item.id} ({item.title})" if item.id else f"“{item.title}”"
