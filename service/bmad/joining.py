"""Which files, keys, entries, plans and gates of a tree are about one story.

key_files.py finds the files of keys of sprint-status.yaml, and ticket_files.py those of entries of
tickets.toml and stories.yaml, and the plans.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

from service.bmad.gate_stories import add_gates, add_lost_gates, settle_gates
from service.bmad.identity import Identity, fold_slug
from service.bmad.key_files import (
    KeyFile,
    TreeDocument,
    key_file,
    link_keys,
    name_of_key,
)
from service.bmad.known_epics import KnownEpics
from service.bmad.older_trackers import find_older_trackers, keys_of_trackers
from service.bmad.readings import MAX_TEXT, SprintEntry, StoryReading
from service.bmad.ticket_files import (
    NameInFolder,
    epic_names,
    file_names,
    match_entries,
    match_plans,
    name_entries,
    name_for_plan,
    name_of_spec,
    names_for_plan,
    names_of_candidate,
    names_of_entry,
    names_of_leaf,
    whole_id,
)
from service.bmad.titles import title_of_slug
from service.bmad.work_items import (
    FoundEntry,
    FoundGate,
    FoundPlan,
    Said,
    WorkItem,
    is_archived,
)


class Joined(NamedTuple):
    """The work items of a tree in the order of its documents, and what belongs to none of them.

    `promoted` are paths of documents that are stories only because a tracker names them.
    Of those, `documents` have nothing but what they say as stories.
    """

    documents: list[TreeDocument]
    items: list[WorkItem]
    plans_without_ticket: list[FoundPlan]
    gates_without_story: list[FoundGate]
    promoted: list[str]


def join_trees(trees: Mapping[str, Sequence[TreeDocument]]) -> dict[str, Joined]:
    """Return the work items of each tree, given the documents of each."""
    items: dict[str, list[WorkItem]] = {}
    gates: dict[str, list[FoundGate]] = {}
    joined: dict[str, Joined] = {}
    for tree, documents in trees.items():
        joiner = _Joiner(tree, documents)
        joiner.add_files()
        joiner.add_tickets()
        joiner.add_sprint_keys()
        plans = joiner.add_plans()
        read = joiner.documents_as_read()
        items[tree], gates[tree] = joiner.items, add_gates(joiner.items, read)
        joined[tree] = Joined(read, joiner.items, plans, [], joiner.promoted)
    for tree, lost in add_lost_gates(items, gates).items():
        joined[tree].gates_without_story.extend(lost)
    for of_tree in items.values():
        settle_gates(of_tree)
    return joined


class _Joiner:
    def __init__(self, tree: str, documents: Sequence[TreeDocument]) -> None:
        self.tree = tree
        self.documents = documents
        self.known = KnownEpics(documents)
        self.items: list[WorkItem] = []
        self.promoted: list[str] = []
        self._by_path: dict[str, WorkItem] = {}

    def add_files(self) -> None:
        for document in self.documents:
            if (reading := document.reading.get("story")) is not None:
                self._add_file(document.path, reading)

    def _add_file(self, path: str, reading: StoryReading) -> WorkItem:
        identity = self._identify(reading)
        item = WorkItem(
            tree=self.tree,
            key=path,
            id=identity.id,
            epic=identity.epic,
            story=identity.story,
            title=reading["title"],
            kind=reading["kind"],
            path=path,
            reading=reading,
            own=[Said(path, word) for word in reading["statuses"]],
            is_archived=is_archived(path),
        )
        self.items.append(item)
        self._by_path[path] = item
        return item

    def add_tickets(self) -> None:
        trackers = [
            (each, tickets)
            for each in self.documents
            if (tickets := each.reading.get("tickets")) is not None
        ]
        if not trackers:
            return
        epics = {
            (document.folder, epic["slug"]): epic
            for document, tickets in trackers
            for epic in tickets["epics"]
        }
        found: dict[tuple[str, str], FoundEntry] = {}
        for document, tickets in trackers:
            names_of_epic = epic_names(document.path)
            epic = next((epics[name] for name in names_of_epic if name in epics), None)
            for number, (name, entry) in enumerate(name_entries(tickets["entries"])):
                found[document.path, name] = FoundEntry(document.path, number, entry, epic)
        leaves = {
            path: names_of_leaf(path, item.id, item.reading["ticket"] if item.reading else None)
            for path, item in self._by_path.items()
        }
        names = {
            place: names_of_entry(each.path, each.entry["id"], file_names(each.entry))
            for place, each in found.items()
        }
        named = {
            path: names_of_candidate(path, reading["ticket"], has_status=bool(reading["statuses"]))
            for path, reading in self._candidates.items()
        }
        matches = match_entries(leaves, named, names)
        self._promote(matches.values())
        for place, each in found.items():
            path = matches.get(place)
            self._add_entry(each, place, None if path is None else self._by_path[path])

    def _add_entry(self, found: FoundEntry, place: tuple[str, str], item: WorkItem | None) -> None:
        entry = found.entry
        if item is None:
            item = WorkItem(
                tree=self.tree,
                key="\t".join(place),
                id="",
                epic=None,
                story=None,
                title=entry["title"],
                kind=entry["kind"],
                is_archived=is_archived(found.path),
            )
            self.items.append(item)
        item.entry = found
        item.story = entry["id"]
        if fold_slug(item.title) == fold_slug(entry["title"]):
            item.title = entry["title"]  # a title that is made of the file's name lacks signs
        if found.is_of_spec:
            # The letters of an id as "a1" name no epic.
            if not any(map(str.isdigit, item.epic or "")):
                item.epic = name_of_spec(found.folder)
            item.id = item.id or entry["id"]
        else:
            item.kind = entry["kind"]
            item.epic = found.epic["id"] if found.epic else None
            item.id = whole_id(item.epic, entry["id"])

    def add_sprint_keys(self) -> None:
        entries: defaultdict[tuple[str, str], list[SprintEntry]] = defaultdict(list)
        trackers = keys_of_trackers(self.documents)
        for document in self.documents:
            if (reading := document.reading.get("sprint_status")) is not None:
                for entry in reading["stories"]:
                    entries[document.path, entry["key"]].append(entry)
        if not trackers:
            return
        older = find_older_trackers(trackers)
        keys = {*chain.from_iterable(trackers.values())}
        names = {key: name_of_key(key, self.known.read_key(key)) for key in keys}
        links = link_keys([*self._key_files()], trackers, older, names.__getitem__)
        self._promote(links.of_file)
        for path, places in links.of_file.items():
            self._add_said(self._by_path[path], places, entries, older)
        for places in sorted(links.without_file):
            is_archived = all(path in older for path, _ in places)
            self._add_said(
                self._add_key(places[0], is_archived=is_archived), places, entries, older
            )

    @cached_property
    def _candidates(self) -> dict[str, StoryReading]:
        """What the documents say that a tracker may name as stories, by path."""
        return {
            document.path: document.reading["candidate"]
            for document in self.documents
            if "candidate" in document.reading
        }

    def _promote(self, paths: Iterable[str]) -> None:
        """Make stories of the candidates among these documents."""
        for path in sorted((self._candidates.keys() & paths) - self._by_path.keys()):
            self.promoted.append(path)
            self._add_file(path, self._candidates[path])

    @staticmethod
    def _add_said(
        item: WorkItem,
        places: Sequence[tuple[str, str]],
        entries: Mapping[tuple[str, str], Sequence[SprintEntry]],
        older: Collection[str],
    ) -> None:
        """Add what the keys of a story say, of which the first one decides."""
        for place in places:
            path = place[0]
            # The last one counts where a key stands twice, as YAML has it.
            said = [Said(path, entry["status"]) for entry in reversed(entries[place])]
            if path not in older or item.is_archived:
                item.keys.extend((path, entry) for entry in entries[place])
                item.tracked += said
            elif not item.said:
                item.tracked += said[:1]

    def _key_files(self) -> Iterator[KeyFile]:
        for document in self.documents:
            path = document.path
            reading = document.reading.get("story") or document.reading.get("candidate")
            if reading is not None:
                identity = self._identify(reading)
                yield key_file(path, identity, is_story=path in self._by_path)

    def _identify(self, reading: StoryReading) -> Identity:
        return self.known.split(Identity(reading["id"], reading["epic"], reading["story"]))

    def _add_key(self, place: tuple[str, str], *, is_archived: bool) -> WorkItem:
        key = place[1]
        _, identity, slug = self.known.read_key(key)
        item = WorkItem(
            tree=self.tree,
            key="\t".join(place),
            id=identity.id,
            epic=identity.epic,
            story=identity.story,
            title=(title_of_slug(slug) or key)[:MAX_TEXT],
            kind="story",
            is_archived=is_archived,
        )
        self.items.append(item)
        return item

    def documents_as_read(self) -> list[TreeDocument]:
        """Return the documents: one that has become a story is no epic, gate or PRD."""
        promoted = {*self.promoted}
        return [
            TreeDocument(each.path, {"story": each.reading["candidate"]})
            if each.path in promoted and "candidate" in each.reading
            else each
            for each in self.documents
        ]

    def add_plans(self) -> list[FoundPlan]:
        """Add plans to their tickets, and return those whose ticket is not there."""
        readings = {
            each.path: plan
            for each in self.documents
            if (plan := each.reading.get("plan")) is not None
        }
        matches = match_plans(
            {path: name_for_plan(path, plan["ticket"]) for path, plan in readings.items()},
            [(item, _names_for_plan(item)) for item in self.items] if readings else [],
        )
        for path, item in sorted(matches.items(), key=itemgetter(0)):
            item.plan = FoundPlan(path, readings[path])
            item.own[:0] = [Said(path, word) for word in readings[path]["statuses"]]
        return [FoundPlan(*each) for each in readings.items() if each[0] not in matches]


def _names_for_plan(item: WorkItem) -> list[NameInFolder]:
    if item.entry is None:
        return names_for_plan(item.path)
    return names_for_plan(item.path, item.entry.path, (item.id, item.entry.entry["id"]))
