"""The board of a source: its stories, epics and problems, made of what all its documents say.

A pure function. Numbers of different trees are not mixed: see trees.py.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from datetime import date
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any, Final, NamedTuple

from service.bmad.disagreements import find_problems
from service.bmad.epic_list import EpicList
from service.bmad.identity import fold_id
from service.bmad.joining import Joined, join_trees
from service.bmad.key_files import TreeDocument
from service.bmad.links import DeadLink, find_dead_link
from service.bmad.prd_trees import place_prds
from service.bmad.problem_kinds import SEVERITIES, BoardProblem
from service.bmad.readings import MAX_TEXT, Link, Reading
from service.bmad.story_json import show_said, show_story
from service.bmad.trees import nearest_of
from service.bmad.waiting import Dependencies
from service.bmad.work_epics import Epic
from service.bmad.work_items import WorkItem

WHERE_DEAD_LINKS_LEAD: Final[dict[DeadLink, str]] = {
    "no_file": "leads to no file or folder of the repository",
    "no_anchor": "leads to no heading or anchor of the document",
    "outside": "leads out of the repository",
}
NUMBERS: Final = re.compile(r"\d+")
# Digits of a number in a place; ids have less.
DIGITS: Final = 9
# Bytes of a place: a key of PostgreSQL's index can have 2,704, and paths and keys can be long.
MAX_PLACE: Final = 2_000
# The most problems of a source: a tree of a million dead links says no more than one of a thousand.
MAX_PROBLEMS: Final = 50_000


class StoryRow(NamedTuple):
    """A story as it is stored: see the table `story`."""

    place: str
    key: str
    epic_place: str | None
    epic: str
    id: str
    title: str
    status: str
    is_archived: bool
    file_path: str | None
    item: dict[str, Any]


class EpicRow(NamedTuple):
    """An epic as it is stored: see the table `epic`."""

    place: str
    id: str
    item: dict[str, Any]


class ProblemRow(NamedTuple):
    """A problem as it is stored: see the table `problem`. A run makes its place."""

    order: str
    kind: str
    severity: str
    file_path: str | None
    appears_on: date | None
    item: dict[str, Any]


class Board(NamedTuple):
    """All stories, epics and problems of a source, in order.

    `promoted` are the paths of documents that are stories only because a tracker names them.
    """

    stories: list[StoryRow]
    epics: list[EpicRow]
    problems: list[ProblemRow]
    promoted: list[str]


def make_board(
    readings: Mapping[str, Reading],
    links: Iterable[tuple[str, Sequence[Link]]],
    paths: Container[str],
    anchors: Callable[[str], Collection[str] | None],
    skipped: Iterable[tuple[str, str]],
    trees: Mapping[str, str],
) -> Board:
    """Return the board of a source, given what each of its documents says, by path.

    `links` has the links of each document, apart from the rest since all of them together may take
    much memory. `paths` has the paths of all files and folders of the repository that a link may
    lead to, and `anchors` returns those of a document, or None if they are not known. `skipped` are
    files that cannot be documents, with the reasons. `trees` are those of the readings, as
    find_trees returns them.
    """
    board = Board([], [], [], [])
    # Each with its tree.
    problems: list[tuple[str, BoardProblem]] = []
    trees = place_prds(trees, readings)
    by_tree: dict[str, list[TreeDocument]] = {}
    for path, tree in trees.items():
        by_tree.setdefault(tree, []).append(TreeDocument(path, readings[path]))

    def tree_of(path: str) -> str:
        """Return the tree of a document; one that says nothing of the work is in that above it."""
        return trees[path] if path in trees else nearest_of(path, by_tree) or ""

    unread: dict[str, list[str]] = {}
    for path, reason in skipped:
        said = f"The file {reason}."[:MAX_TEXT]
        problem = BoardProblem("unreadable_document", "warning", said, path, None)
        problems.append((tree_of(path), problem))
        unread.setdefault(tree_of(path), []).append(path)
    for tree, joined in sorted(join_trees(by_tree).items()):
        epics = EpicList(tree, joined.documents, joined.items)
        dependencies = Dependencies(joined.items, epics)
        places = _place_epics(epics)
        board.epics.extend(_epic_row(place, epic) for epic, place in places.items())
        board.stories.extend(_story_rows(joined, epics, places, dependencies))
        board.promoted.extend(joined.promoted)
        found = find_problems(joined.documents, joined, epics, dependencies, unread.get(tree, ()))
        problems += ((tree, problem) for problem in found)
    problems += islice(_dead_links(links, paths, anchors, tree_of), MAX_PROBLEMS)
    board.stories.sort(key=lambda row: row.place)
    board.epics.sort(key=lambda row: row.place)
    # A line may have the same dead link twice.
    rows = (_problem_row(*each) for each in dict.fromkeys(problems))
    board.problems.extend(sorted(rows, key=attrgetter("order")))
    del board.problems[MAX_PROBLEMS:]
    return board


def count_stories(board: Board) -> dict[str, int]:
    """Return the number of stories by status, without archived ones; and how many are `built`."""
    rows = [row for row in board.stories if not row.is_archived]
    counts = Counter[str](row.status for row in rows)
    if built := sum(row.item["is_built"] for row in rows):
        counts["built"] = built
    return dict(counts)


def count_problems(board: Board) -> dict[str, int]:
    """Return the number of problems by severity, without those that appear on a day."""
    return dict(Counter(row.severity for row in board.problems if row.appears_on is None))


def _dead_links(
    links: Iterable[tuple[str, Sequence[Link]]],
    paths: Container[str],
    anchors: Callable[[str], Collection[str] | None],
    tree_of: Callable[[str], str],
) -> Iterable[tuple[str, BoardProblem]]:
    for path, of_document in links:
        tree: str | None = None
        for link in of_document:
            reason = find_dead_link(link, paths, anchors)
            if reason:
                tree = tree_of(path) if tree is None else tree
                problem = BoardProblem(
                    "broken_link",
                    "warning",
                    f"The link to {link['target']} {WHERE_DEAD_LINKS_LEAD[reason]}."[:MAX_TEXT],
                    path,
                    link["line"],
                    link["target"],
                    reason,
                )
                yield tree, problem


def _natural(text: str) -> str:
    """Return a text that sorts as its numbers do."""
    return NUMBERS.sub(lambda number: number[0].zfill(DIGITS), text)


def _cut_place(place: str) -> str:
    """Return a place; a long one is cut, and ends with its digest."""
    written = place.encode()
    if len(written) <= MAX_PLACE:
        return place
    digest = blake2b(written, digest_size=16).hexdigest()
    return f"{written[: MAX_PLACE - len(digest)].decode(errors='ignore')}{digest}"


def _place_epics(epics: EpicList) -> dict[Epic, str]:
    """Return the place of each epic: epics of a tickets.toml in its order, the others by number."""
    places: dict[Epic, str] = {}
    taken: Counter[str] = Counter()
    for epic in epics.epics:
        order = _natural(fold_id(epic.id)) if epic.order is None else str(epic.order).zfill(DIGITS)
        place = f"{epic.tree}\t{order}"
        taken[place] += 1
        places[epic] = place if taken[place] == 1 else f"{place}\t{taken[place]}"
    return places


def _epic_row(place: str, epic: Epic) -> EpicRow:
    covers = dict.fromkeys(epic.covers)
    for item in epic.items:
        covers |= dict.fromkeys(item.covers)
    status = epic.said[0].word["status"] if epic.said else None
    item = {
        "tree": epic.tree,
        "id": epic.id,
        "title": epic.title or f"Epic {epic.id}",
        "status": status,
        "status_evidence": show_said(epic.said),
        "documents": [
            {"path": each.path, "line": each.line, "anchor": each.anchor} for each in epic.documents
        ],
        "requirements": sorted(covers, key=_natural),
    }
    return EpicRow(place, epic.id, item)


def _story_rows(
    joined: Joined, epics: EpicList, places: Mapping[Epic, str], dependencies: Dependencies
) -> Iterable[StoryRow]:
    for item in joined.items:
        epic = epics.of_item.get(item.key)
        epic_place = places[epic] if epic else None
        order = str(item.entry.number).zfill(DIGITS) if item.entry else _natural(_number_of(item))
        before = epic_place or f"{item.tree}\t~"
        yield StoryRow(
            place=_cut_place(f"{before}\t{order}\t{item.key}"),
            key=item.key,
            epic_place=epic_place,
            epic=item.epic_key,
            id=item.id,
            title=item.title,
            status=item.status,
            is_archived=item.is_archived,
            file_path=item.path,
            item=show_story(item, dependencies),
        )


def _number_of(item: WorkItem) -> str:
    return fold_id(item.story or item.id) or "~"


def _problem_row(tree: str, problem: BoardProblem) -> ProblemRow:
    kind, severity, detail, path, line, target, reason, appears_on = problem
    # The severity is first, as the list of problems expects it.
    order = f"{SEVERITIES.index(severity)}\t{kind}\t{path or ''}\t{line or 0:0{DIGITS}}"
    item = {
        "tree": tree,
        "kind": kind,
        "severity": severity,
        "detail": detail,
        "path": path,
        "line": line,
        "target": target,
        "reason": reason,
    }
    return ProblemRow(order, kind, severity, path, appears_on, item)
