"""Which story a gate is about: the one of its file's name, else the one that its text names.

A text may name a story by its id, the name of its key, its slug, or the path of its file.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple

from service.bmad.identity import fold_id, fold_slug, read_name
from service.bmad.key_files import TreeDocument, slug_of_item, slug_of_name
from service.bmad.readings import GateReading
from service.bmad.work_items import FoundGate, WorkItem, is_archived, stem_of

# Of what may be the path of a story's file.
FILE_SUFFIX: Final = ".md"
DAY: Final = len("2026-01-31")


class _Names(NamedTuple):
    """What a gate says of its story. `ids` are in the order in which they count."""

    ids: list[str]
    file: str
    path: str
    slugs: list[str]


class StoriesByName:
    """The stories of a tree, or of all trees, by what a gate may name them by.

    Archived stories are after the others. Of equal ids the first story counts, unless the gate says
    more; a slug alone says nothing where several stories have it.
    """

    def __init__(self, items: Iterable[WorkItem]) -> None:
        self._by_id: dict[str, WorkItem] = {}
        self._by_more: dict[tuple[str, str], WorkItem] = {}
        self._by_slug: dict[tuple[bool, str], WorkItem | None] = {}
        self._shared: set[str] = set()
        for item in sorted(items, key=lambda item: item.is_archived):
            slug, id_ = slug_of_item(item), fold_id(item.id)
            if id_:
                if id_ in self._by_id and not item.is_archived:
                    self._shared.add(id_)
                self._by_id.setdefault(id_, item)
                self._by_more.setdefault((id_, slug), item)
            if slug:
                place = (item.is_archived, slug)
                self._by_slug[place] = None if place in self._by_slug else item
            for name in _names_of(item):
                self._by_more.setdefault(("", name), item)

    def find(self, document: TreeDocument, gate: GateReading) -> WorkItem | None:
        """Return the story of a gate, None without one."""
        names = _read_names(document, gate)
        exact = self._by_more.get(("", names.path)) or self._by_more.get(("", names.file))
        id_ = next((each for each in names.ids if each in self._by_id), None)
        # The file's name is before the text, which may be 2.1 for 2.10.
        if exact and (id_ is None or id_ == fold_id(exact.id)):
            return exact
        if id_ is None:
            return self._find_slug(names.slugs)
        first = self._by_id[id_]
        more = (self._by_more.get((id_, slug)) for slug in names.slugs)
        return next(
            (each for each in more if each and each.is_archived == first.is_archived), first
        )

    def find_elsewhere(
        self, document: TreeDocument, gate: GateReading, below: str | None
    ) -> WorkItem | None:
        """Return the only story that a gate of another tree can be about, None without one.

        That is the file whose path it says, or the story of its id and its slug: ids alone mean
        nothing in another tree. They do in trees below the folder `below`, if it is not None.
        """
        names = _read_names(document, gate)
        named = self._by_more.get(("", names.path))
        if named and named.path == names.path:
            return named
        for id_ in names.ids:
            found = self._by_id.get(id_)
            if found is None or found.is_archived or id_ in self._shared:
                continue
            has_slug = any(self._by_more.get((id_, slug)) is found for slug in names.slugs)
            if has_slug or (below is not None and f"{found.tree}/".startswith(below)):
                return found
        return None

    def _find_slug(self, slugs: Sequence[str]) -> WorkItem | None:
        places = ((is_old, slug) for is_old in (False, True) for slug in slugs)
        return next((item for place in places if (item := self._by_slug.get(place))), None)


def _names_of(item: WorkItem) -> Iterable[str]:
    if item.path is not None:
        yield item.path
        yield fold_id(stem_of(item.path))
    for _, entry in item.keys:
        yield fold_id(entry["key"])


def _read_names(document: TreeDocument, gate: GateReading) -> _Names:
    text = gate["story"] or ""
    name = text.rpartition("/")[2]
    stem = stem_of(name) if name.lower().endswith(FILE_SUFFIX) else name
    read = read_name(stem)
    in_name = fold_id(gate["story_in_name"] or "")
    ids = [fold_id(each) for each in (text, read.identity.id) if each]
    # A number has lost its zeros: 2.1 may be 2.10, as the name says.
    ids = [in_name, *(each for each in ids if each != in_name.rstrip("0"))]
    slugs = (fold_slug(read.rest), slug_of_name(document.stem))
    return _Names([*filter(None, ids)], fold_id(stem), text, [*filter(None, slugs)])


def add_gates(items: Sequence[WorkItem], documents: Iterable[TreeDocument]) -> list[FoundGate]:
    """Add the gates of a tree to its stories, and return those whose story is not there."""
    stories = StoriesByName(items)
    lost: list[FoundGate] = []
    for document in documents:
        gate = document.reading.get("gate")
        if gate is None:
            continue
        item = stories.find(document, gate)
        (lost if item is None else item.gates).append(FoundGate(document.path, gate))
    return lost


def add_lost_gates(
    items: Mapping[str, Sequence[WorkItem]], lost: Mapping[str, Sequence[FoundGate]]
) -> dict[str, list[FoundGate]]:
    """Add gates whose story their tree lacks to stories of others; return those that remain.

    All are by tree. In a tree that has no stories, those of a folder below it may be meant.
    """
    if not any(lost.values()):
        return {}
    every = StoriesByName(item for of_tree in items.values() for item in of_tree)
    remaining: dict[str, list[FoundGate]] = {}
    for tree, gates in lost.items():
        below = None if items.get(tree) else f"{tree}/" if tree else ""
        for found in gates:
            document = TreeDocument(found.path, {"gate": found.gate})
            item = every.find_elsewhere(document, found.gate, below)
            of_item = remaining.setdefault(tree, []) if item is None else item.gates
            of_item.append(found)
    return remaining


def settle_gates(items: Iterable[WorkItem]) -> None:
    """Put the gate that counts first: the newest that is not archived.

    What the review in a story's own file says comes after the gates that have files of their own.
    """
    for item in items:
        item.gates.sort(key=_rank, reverse=True)
        if item.path and item.reading and "gate" in item.reading:
            place = sum(is_archived(item.path) or not is_archived(path) for path, _ in item.gates)
            item.gates.insert(place, FoundGate(item.path, item.reading["gate"]))


def _rank(found: FoundGate) -> tuple[bool, float, str, str]:
    updated = found.gate["updated"] or ""
    return not is_archived(found.path), moment_of(updated), updated, found.path


def moment_of(text: str) -> float:
    """Return when a date of ISO 8601 is, in seconds, for comparisons; the least number of others.

    A day is its beginning, and a time without a zone is in UTC.
    """
    for written in (text.strip(), text.strip()[:DAY]):
        try:
            read = datetime.fromisoformat(written)
        except ValueError:
            continue
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    return float("-inf")
