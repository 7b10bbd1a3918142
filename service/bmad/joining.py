"""Which files, keys, entries, plans and gates of a tree are about one story.

A file belongs to a key of sprint-status.yaml by name, else by slug, else by the numbers of epic and
story: by name alone, one repository would lose 393 of 588 keys. A file belongs to an entry of
tickets.toml by the id or the slug in its name, and to one of stories.yaml by its id.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from itertools import islice, takewhile
from typing import Final, NamedTuple

from service.bmad.identity import Key, fold_id, fold_slug, read_key, read_name
from service.bmad.readings import MAX_TEXT, Reading, StoryReading
from service.bmad.work_items import (
    FoundEntry,
    FoundGate,
    Said,
    WorkItem,
    is_archived,
    number_of,
    stem_of,
)

# Before the key in the name of a 6.11 story's file, as fold_id returns it.
SPEC: Final = "SPEC-"


class TreeDocument(NamedTuple):
    """A document of a tree."""

    path: str
    reading: Reading

    @property
    def folder(self) -> str:
        """The path of its folder; empty at the repository's root."""
        return self.path.rpartition("/")[0]

    @property
    def stem(self) -> str:
        """The file's name, without its suffix."""
        return stem_of(self.path)


class Joined(NamedTuple):
    """The work items of a tree in the order of its documents, and what belongs to none of them.

    `promoted` are paths of documents that are stories only because sprint-status.yaml names them.
    """

    items: list[WorkItem]
    plans_without_ticket: list[str]
    gates_without_story: list[FoundGate]
    promoted: list[str]


def join_tree(tree: str, documents: Sequence[TreeDocument]) -> Joined:
    """Return the work items of a tree."""
    joiner = _Joiner(tree, documents)
    joiner.add_files()
    joiner.add_tickets()
    joiner.add_sprint_keys()
    plans = joiner.add_plans()
    gates = joiner.add_gates()
    return Joined(joiner.items, plans, gates, joiner.promoted)


class _Joiner:
    def __init__(self, tree: str, documents: Sequence[TreeDocument]) -> None:
        self.tree = tree
        self.documents = documents
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
        item = WorkItem(
            tree=self.tree,
            key=document.path,
            id=reading["id"],
            epic=reading["epic"],
            story=reading["story"],
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
        if found.is_of_spec:
            item.epic = item.epic or _spec_of(found.folder)
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
        return next((item for item in items if item.entry is None), None)

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

    def add_sprint_keys(self) -> None:
        for tracker in self.documents:
            reading = tracker.reading.get("sprint_status")
            if reading is None:
                continue
            items: dict[str, WorkItem] = {}
            matches = self._match_keys([entry["key"] for entry in reading["stories"]])
            for entry in reading["stories"]:
                key = entry["key"]
                item = items.get(key) or matches.get(key)
                if item is None:
                    item = self._add_key(tracker.path, key)
                items[key] = item
                item.keys.append((tracker.path, entry))
                # The last one counts where a key stands twice, as YAML has it.
                item.tracked.insert(0, Said(tracker.path, entry["status"]))

    def _add_key(self, path: str, key: str) -> WorkItem:
        (identity, slug) = read_key(key)[1:]
        item = WorkItem(
            tree=self.tree,
            key=self._new_key(path, key),
            id=identity.id,
            epic=identity.epic,
            story=identity.story,
            title=(slug.replace("-", " ").capitalize() or key)[:MAX_TEXT],
            kind="story",
        )
        self.items.append(item)
        return item

    def _match_keys(self, keys: Sequence[str]) -> dict[str, WorkItem]:
        """Return the file of each key that has one: each file belongs to one key."""
        candidates = [
            each
            for each in self.documents
            if "candidate" in each.reading or each.path in self._by_path
        ]
        left = {fold_id(each.stem): each for each in reversed(candidates)}
        specs = sorted(stem for stem in left if stem.startswith(SPEC))
        matched: dict[str, WorkItem] = {}
        waiting: list[tuple[str, Key]] = []
        for key in dict.fromkeys(keys):
            document = left.pop(fold_id(key), None) or _find_spec(key, specs, left)
            if document:
                matched[key] = self._by_path.get(document.path) or self._promote(document)
            else:
                waiting.append((key, read_key(key)))
        taken = {id(item) for item in matched.values()}
        free = {each.key: each for each in self._by_path.values() if id(each) not in taken}
        rules: Sequence[tuple[Callable[[WorkItem], object], Callable[[Key], object]]] = (
            (slug_of_item, lambda read: fold_slug(read.slug)),
            (lambda item: item.number, lambda read: number_of(read.identity)),
        )
        for of_item, of_key in rules:
            found: defaultdict[object, list[WorkItem]] = defaultdict(list)
            for item in free.values():
                if value := of_item(item):
                    found[value].append(item)
            still: list[tuple[str, Key]] = []
            for key, read in waiting:
                # Archived files come last; of a slug that several files have, the number decides.
                epic = fold_id(read.identity.epic or "")
                item = min(
                    (each for each in found.get(of_key(read), ()) if each.key in free),
                    key=lambda item, epic=epic: (item.is_archived, item.epic_key != epic),
                    default=None,
                )
                if item:
                    matched[key] = free.pop(item.key)
                else:
                    still.append((key, read))
            waiting = still
        return matched

    def _promote(self, document: TreeDocument) -> WorkItem:
        assert "candidate" in document.reading
        self.promoted.append(document.path)
        return self._add_file(document, document.reading["candidate"])

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
            item.plan_path = document.path
            item.own[:0] = [Said(document.path, word) for word in plan["statuses"]]
        return lost

    def add_gates(self) -> list[FoundGate]:
        """Add gates to their stories, and return those whose story is not there."""
        by_number: defaultdict[object, list[WorkItem]] = defaultdict(list)
        by_slug: defaultdict[str, list[WorkItem]] = defaultdict(list)
        for item in self.items:
            for value in {fold_id(item.id), item.number} - {"", None}:
                by_number[value].append(item)
            if own_slug := slug_of_item(item):
                by_slug[own_slug].append(item)
        lost: list[FoundGate] = []
        for document in self.documents:
            gate = document.reading.get("gate")
            if gate is None:
                continue
            found = FoundGate(document.path, gate)
            items: Iterable[WorkItem] = ()
            for name in (gate["story_in_name"], gate["story"]):
                if name and (items := by_number.get(fold_id(name), ())):
                    break
            slug = _slug_of_name(document.stem)
            items = items or by_slug.get(slug, ())
            best = min(
                items,
                key=lambda item: (
                    item.is_archived,
                    slug_of_item(item) != _slug_of_name(document.stem),
                ),
                default=None,
            )
            if best is None:
                lost.append(found)
            else:
                best.gates.append(found)
        for item in self.items:
            # The newer counts.
            item.gates.sort(key=lambda each: (each.gate["updated"] or "", each.path), reverse=True)
        return lost


def slug_of_item(item: WorkItem) -> str:
    """Return the slug of a story's file or else of its title, in the form that is compared."""
    return fold_slug(item.title) if item.path is None else _slug_of_name(stem_of(item.path))


def _slug_of_name(stem: str) -> str:
    return fold_slug(read_name(stem).rest)


def _find_spec(
    key: str, specs: Sequence[str], left: dict[str, TreeDocument]
) -> TreeDocument | None:
    """Return the shortest `spec-*` that begins with the key, which may be cut."""
    name = f"{SPEC}{fold_id(key)}"
    begin = bisect_left(specs, name)
    found = takewhile(lambda stem: stem.startswith(name), islice(specs, begin, None))
    stem = min((each for each in found if each in left), key=len, default=None)
    return None if stem is None else left.pop(stem)


def _spec_of(folder: str) -> str:
    return folder.rpartition("/")[2].removeprefix("spec-")
