"""Which files, keys, entries, plans and gates of a tree are about one story.

A file belongs to an entry of tickets.toml by the id or the slug in its name, and to one of
stories.yaml by its id; key_files.py finds the files of keys of sprint-status.yaml.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from service.bmad.gate_stories import add_gates, add_lost_gates, settle_gates
from service.bmad.identity import Identity, fold_id, fold_slug, read_name
from service.bmad.key_files import KeyFiles, TreeDocument, slug_of_item
from service.bmad.known_epics import KnownEpics
from service.bmad.older_trackers import find_older_trackers
from service.bmad.readings import MAX_TEXT, StoryReading
from service.bmad.work_items import (
    FoundEntry,
    FoundGate,
    FoundPlan,
    Said,
    WorkItem,
    is_archived,
    stem_of,
)


class Joined(NamedTuple):
    """The work items of a tree in the order of its documents, and what belongs to none of them.

    `promoted` are paths of documents that are stories only because sprint-status.yaml names them.
    Of those, `documents` have nothing but what they say as stories.
    """

    documents: list[TreeDocument]
    items: list[WorkItem]
    plans_without_ticket: list[str]
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
        self._taken: Counter[str] = Counter()

    def _new_key(self, path: str, name: str) -> str:
        """Return a key for a story without a file; a tracker may name two alike."""
        key = f"{path}\t{name}"
        self._taken[key] += 1
        return key if self._taken[key] == 1 else f"{key}\t{self._taken[key]}"

    def add_files(self) -> None:
        for document in self.documents:
            if (reading := document.reading.get("story")) is not None:
                self._add_file(document, reading)

    def _add_file(self, document: TreeDocument, reading: StoryReading) -> WorkItem:
        identity = Identity(reading["id"], reading["epic"], reading["story"])
        identity = self.known.split(identity)
        item = WorkItem(
            tree=self.tree,
            key=document.path,
            id=identity.id,
            epic=identity.epic,
            story=identity.story,
            title=reading["title"],
            kind=reading["kind"],
            path=document.path,
            reading=reading,
            own=[Said(document.path, word) for word in reading["statuses"]],
            is_archived=is_archived(document.path),
        )
        self.items.append(item)
        self._by_path[document.path] = item
        return item

    def add_tickets(self) -> None:
        trackers = [
            (each, tickets)
            for each in self.documents
            if (tickets := each.reading.get("tickets")) is not None
        ]
        epics = {
            (document.folder, epic["slug"]): epic
            for document, tickets in trackers
            for epic in tickets["epics"]
        }
        for document, tickets in trackers:
            parent, _, name = document.folder.rpartition("/")
            epic = epics.get((parent, name))
            for number, entry in enumerate(tickets["entries"]):
                self._add_entry(FoundEntry(document.path, number, entry, epic))

    def _add_entry(self, found: FoundEntry) -> None:
        entry = found.entry
        item = self._find_leaf(found)
        if item is None:
            item = WorkItem(
                tree=self.tree,
                key=self._new_key(found.path, entry["id"]),
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
                item.epic = _spec_of(found.folder)
            item.id = item.id or entry["id"]
        else:
            item.kind = entry["kind"]
            item.epic = found.epic["id"] if found.epic else None
            item.id = f"{item.epic}.{entry['id']}" if item.epic else entry["id"]

    def _find_leaf(self, found: FoundEntry) -> WorkItem | None:
        """Return the file of an entry, unless another entry has it."""
        folder, entry = found.folder, found.entry
        names = [(folder, fold_id(entry["id"]))]
        if found.is_of_spec:
            names += [(f"{folder}/stories", fold_id(entry["id"]))]
        else:
            slugs = filter(None, (entry["slug"], fold_slug(entry["title"])))
            names += [(folder, f"{entry['kind']}-{slug}") for slug in slugs]
        items = [item for name in names for item in self._leaves.get(name, ())]
        item = next((item for item in items if item.entry is None), None)
        if item is not None:
            return item
        documents = (each for name in names for each in self._leaf_candidates.get(name, ()))
        document = next((each for each in documents if each.path not in self._by_path), None)
        return None if document is None else self._promote(document)

    @cached_property
    def _leaves(self) -> dict[tuple[str, str], list[WorkItem]]:
        """The stories' files by folder, and by what an entry may name: its id, or its name."""
        leaves: defaultdict[tuple[str, str], list[WorkItem]] = defaultdict(list)
        for path, item in self._by_path.items():
            assert item.reading is not None
            folder, stem = path.rpartition("/")[0], stem_of(path)
            ids = {item.reading["ticket"] or "", read_name(stem).written, item.id}
            for name in {*map(fold_id, ids), stem.lower()} - {""}:
                leaves[folder, name].append(item)
        return leaves

    @cached_property
    def _leaf_candidates(self) -> dict[tuple[str, str], list[TreeDocument]]:
        """Documents that are leaves only because a tracker says so, as `_leaves` has files.

        A leaf of version 7 has the name of its entry, or says its id; in the folder of a 6.11
        specification, its name begins with the id.
        """
        leaves: defaultdict[tuple[str, str], list[TreeDocument]] = defaultdict(list)
        for document in self.documents:
            if (reading := document.reading.get("candidate")) is not None:
                folder, stem = document.folder, document.stem
                names = {stem.lower(), fold_id(reading["ticket"] or "")}
                if folder.endswith("/stories"):
                    names.add(fold_id(read_name(stem).written or stem))
                for name in names - {""}:
                    leaves[folder, name].append(document)
        return leaves

    def add_sprint_keys(self) -> None:
        files = KeyFiles(self.documents, self.items, self.known, self._promote)
        trackers = [
            (document.path, reading)
            for document in self.documents
            if (reading := document.reading.get("sprint_status")) is not None
        ]
        older = find_older_trackers(path for path, _ in trackers)
        # The items of all trackers by key: one that is no longer kept adds none of a kept one.
        by_key: dict[str, WorkItem] = {}
        for path, reading in sorted(trackers, key=lambda each: each[0] in older):
            items: dict[str, WorkItem] = {}
            matches = files.match([entry["key"] for entry in reading["stories"]])
            for entry in reading["stories"]:
                key, said = entry["key"], Said(path, entry["status"])
                item = items.get(key) or matches.get(key)
                if path in older:
                    item = self._find_older(key, item) or by_key.get(fold_id(key))
                if item is None:
                    item = self._add_key(path, key, is_archived=path in older)
                items[key] = by_key[fold_id(key)] = item
                if path in older and not item.is_archived:
                    if not item.said:
                        item.tracked.append(said)
                    continue
                item.keys.append((path, entry))
                # The last one counts where a key stands twice, as YAML has it.
                item.tracked.insert(0, said)

    def _find_older(self, key: str, item: WorkItem | None) -> WorkItem | None:
        """Return the file of a key of a tracker that is no longer kept.

        Numbers start again: that of a story that is worked on is no sign without its slug.
        """
        if item is None or item.is_archived:
            return item
        return item if fold_slug(self.known.read_key(key).slug) == slug_of_item(item) else None

    def _add_key(self, path: str, key: str, *, is_archived: bool) -> WorkItem:
        _, identity, slug = self.known.read_key(key)
        item = WorkItem(
            tree=self.tree,
            key=self._new_key(path, key),
            id=identity.id,
            epic=identity.epic,
            story=identity.story,
            title=(slug.replace("-", " ").capitalize() or key)[:MAX_TEXT],
            kind="story",
            is_archived=is_archived,
        )
        self.items.append(item)
        return item

    def _promote(self, document: TreeDocument) -> WorkItem:
        assert "candidate" in document.reading
        self.promoted.append(document.path)
        return self._add_file(document, document.reading["candidate"])

    def documents_as_read(self) -> list[TreeDocument]:
        """Return the documents: one that has become a story is no epic, gate or PRD."""
        promoted = {*self.promoted}
        return [
            TreeDocument(each.path, {"story": each.reading["candidate"]})
            if each.path in promoted and "candidate" in each.reading
            else each
            for each in self.documents
        ]

    def add_plans(self) -> list[str]:
        """Add plans to their tickets, and return the paths of those whose ticket is not there."""
        lost: list[str] = []
        tickets: dict[tuple[str, str], WorkItem] = {}
        for item in reversed(self.items):
            if item.path:
                tickets[item.path.rpartition("/")[0], fold_id(stem_of(item.path))] = item
            if item.entry:
                for name in (item.id, item.entry.entry["id"]):
                    tickets[item.entry.folder, fold_id(name)] = item
        for document in self.documents:
            plan = document.reading.get("plan")
            if plan is None:
                continue
            item = tickets.get((document.folder, fold_id(plan["ticket"])))
            if item is None:
                lost.append(document.path)
                continue
            item.plan = FoundPlan(document.path, plan)
            item.own[:0] = [Said(document.path, word) for word in plan["statuses"]]
        return lost


def _spec_of(folder: str) -> str:
    return folder.rpartition("/")[2].removeprefix("spec-")
