"""What the stories of a tree wait for, and which of them can start.

In a version 7 tree a bare number is a sibling's id, "1.3" is entry 3 of epic 1, and a slug is a
whole epic. A story can start when it is planned or in the backlog, all that it waits for is done or
in review, and nothing about it is unknown. Elsewhere, a story can start when it is approved.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple, TypeAlias

from service.bmad.epic_list import EpicList
from service.bmad.identity import fold_id, read_id
from service.bmad.work_epics import Epic
from service.bmad.work_items import WorkItem, stem_of

FINISHED: Final = frozenset(("done", "review"))
NOT_STARTED: Final = frozenset(("draft", "approved"))
# Of stories that wait for nothing any more.
ENDED: Final = frozenset(("done", "review", "cancelled"))

# What names an epic, and no story of that number.
WHOLE_EPIC: Final = re.compile(r"epic[\s:#-]*\d{1,4}", re.IGNORECASE)

# The most cycles that are listed of a tree.
MAX_CYCLES: Final = 100

Node: TypeAlias = WorkItem | Epic


class Dependency(NamedTuple):
    """What a story waits for, as it is written: a story, a whole epic, or nothing that is there.

    It is met when all of it is done or in review; cancelled stories of an epic do not count. A name
    of nothing counts only if it is sure: prose has numbers of other things, such as versions.
    """

    name: str
    item: WorkItem | None
    epic: Epic | None

    is_met: bool
    is_sure: bool = True


class Dependencies:
    """The dependencies of a tree's stories."""

    def __init__(self, items: Iterable[WorkItem], epics: EpicList) -> None:
        self._epics = epics
        self._by_name: dict[str, WorkItem] = {}
        self._siblings: dict[tuple[str, str], WorkItem] = {}
        self._is_epic_met: dict[Epic, bool] = {}
        # Archived stories are after the others: of equal ids the first counts.
        for item in sorted(items, key=lambda item: item.is_archived):
            for name in (item.id, stem_of(item.path) if item.path else ""):
                if name:
                    self._by_name.setdefault(fold_id(name), item)
            if item.entry:
                self._siblings[item.entry.path, fold_id(item.entry.entry["id"])] = item

    def of(self, item: WorkItem) -> list[Dependency]:
        """Return what a story waits for: its entry says it, else its file."""
        if item.entry:
            return [self._find(item, name) for name in item.entry.entry["after"]]
        return [self._find(item, name) for name in (item.reading or {}).get("after", ())]

    def waits_for(self, item: WorkItem) -> list[Dependency]:
        """Return what is not done, also what is not there where its name is sure."""
        return [each for each in self.of(item) if not each.is_met and each.is_sure]

    def is_ready(self, item: WorkItem) -> bool:
        """Return whether a story can start now."""
        if item.is_archived or item.status not in NOT_STARTED or self.waits_for(item):
            return False
        if item.is_ticket:
            return not (item.entry and item.entry.entry["is_unknown"])
        return item.status == "approved"

    def cycles(self, items: Iterable[WorkItem]) -> Iterator[list[Node]]:
        """Yield stories and epics that wait for each other: in a list each for the next one.

        The last one waits for the first. What has several cycles in common may have one list.
        """
        entered: dict[Node, Iterator[Node]] = {}
        left, listed = set[Node](), set[Node]()
        count = 0
        for item in items:
            path: list[Node] = [] if item in left else [item]
            while path:
                node = path[-1]
                if node not in entered:
                    entered[node] = iter(self._awaited_by(node))
                following = next(entered[node], None)
                if following is None:
                    left.add(path.pop())
                elif following not in entered:
                    path.append(following)
                elif following not in left and listed.isdisjoint((node, following)):
                    cycle = path[path.index(following) :]
                    listed.update(cycle)
                    yield cycle
                    count += 1
                    if count == MAX_CYCLES:
                        return

    def _awaited_by(self, node: Node) -> list[Node]:
        """Return what a story waits for, or the stories of an epic that have not ended."""
        if isinstance(node, Epic):
            return [item for item in node.counted if item.status not in ENDED]
        if node.is_archived or node.status in ENDED:
            return []
        awaited = (each.item or each.epic for each in self.waits_for(node))
        return [each for each in awaited if each is not None]

    def _find(self, item: WorkItem, name: str) -> Dependency:
        folded = fold_id(name)
        found = self._siblings.get((item.entry.path, folded)) if item.entry else None
        if found is not None:
            return Dependency(name, found, None, found.status in FINISHED)
        if item.is_ticket and folded.isdigit():
            return Dependency(name, None, None, is_met=False)  # a number alone is a sibling's id
        if not WHOLE_EPIC.fullmatch(name):
            # "Epic 1 Story 1.1" is the story of that id.
            found = self._by_name.get(folded) or self._by_name.get(fold_id(read_id(name).id))
        if found is not None and found is not item:
            return Dependency(name, found, None, found.status in FINISHED)
        epic = self._epics.find(name)
        # A story that waits for its own epic would wait for itself.
        if epic is not None and epic is not self._epics.of_item.get(item.key):
            return Dependency(name, None, epic, self._is_met(epic))
        is_sure = item.is_ticket or name in (item.reading or {}).get("after_stories", ())
        return Dependency(name, None, None, is_met=False, is_sure=is_sure)

    def _is_met(self, epic: Epic) -> bool:
        """Return whether an epic has stories, and all but cancelled ones are done or in review."""
        if epic not in self._is_epic_met:
            statuses = {item.status for item in epic.counted} - {"cancelled"}
            self._is_epic_met[epic] = bool(statuses) and statuses <= FINISHED
        return self._is_epic_met[epic]
