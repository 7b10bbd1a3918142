"""The epics of a tree: each once, whichever documents, trackers and stories name it.

Epics of several documents are one if they have the same number and resembling titles: a second
document may count from 1 again.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from service.bmad.epic_shapes import without_zeros
from service.bmad.epic_titles import (
    MAX_UNLIKE,
    EpicTitles,
    do_differ,
    do_list_same,
    do_resemble,
)
from service.bmad.identity import fold_id, fold_slug, read_id
from service.bmad.key_files import TreeDocument
from service.bmad.keys import read_key
from service.bmad.known_epics import KnownEpics
from service.bmad.older_trackers import find_older_trackers, keys_of_trackers, sort_trackers
from service.bmad.readings import EpicReading, SprintStatusReading, TicketEpic
from service.bmad.ticket_files import name_of_spec
from service.bmad.titles import title_of_slug
from service.bmad.work_epics import Epic, EpicDocument, take_listed_titles
from service.bmad.work_items import Said, WorkItem, is_archived, is_toml

# Epics of one number whose titles are compared: of more, only equal titles are one epic.
MAX_COMPARED: Final = 50


# By which an epic lists a story: the epic's id, and the story's title and id, or one of both.
_ListedKey = tuple[str, str | None, str | None]


class EpicList:
    """The epics of a tree. `of_item` has the epic of each story, by its key."""

    def __init__(
        self, tree: str, documents: Sequence[TreeDocument], items: Iterable[WorkItem]
    ) -> None:
        self._tree = tree
        self._by_id: defaultdict[str, list[Epic]] = defaultdict(list)
        self._by_slug: dict[str, Epic] = {}
        self._by_title: dict[tuple[str, str], Epic] = {}
        self._by_listed: dict[_ListedKey, Epic] = {}
        self.of_item: dict[str, Epic] = {}
        self._specs = {
            each.folder: (each.path, spec)
            for each in documents
            if (spec := each.reading.get("spec")) is not None
        }
        self._known = KnownEpics(documents)
        self._titles = EpicTitles(documents)
        for document in sorted(documents, key=self._order):
            if not is_archived(document.path):
                self._add_document(document)
        trackers = keys_of_trackers(documents)
        older = find_older_trackers(trackers)
        sprints = {each.path: each.reading.get("sprint_status") for each in documents}
        for path in sort_trackers(trackers.keys() - older):
            if sprint := sprints[path]:
                self._add_sprint(path, sprint)
        for document in documents:
            if not is_archived(document.path):
                self._add_coverage(document)
        for item in sorted(items, key=lambda item: item.is_archived):
            # An archived story alone is no epic, as an archived document names none.
            if item.epic is not None and (not item.is_archived or self._by_id.get(item.epic_key)):
                epic = self._epic_of(item)
                epic.items.append(item)
                self.of_item[item.key] = epic
        for epic in self.epics:
            take_listed_titles(epic)

    def _order(self, document: TreeDocument) -> tuple[bool, bool, str]:
        """Return what orders documents: those of epics first, and those about one last."""
        path = document.path
        return self._titles.is_about(path), "epic" not in path.lower(), path

    @property
    def epics(self) -> list[Epic]:
        """All epics."""
        return [epic for epics in self._by_id.values() for epic in epics]

    def find_titled(self, name: str) -> Epic | None:
        """Return the epic of an id, a slug, or the only title: "Payments" for "epic-payments"."""
        return self.find(name) or self._by_slug_of_title.get(fold_slug(name).removeprefix("epic-"))

    @cached_property
    def _by_slug_of_title(self) -> dict[str, Epic | None]:
        titled: dict[str, Epic | None] = {}
        for epic in self.epics:
            slug = fold_slug(epic.title)
            titled[slug] = None if slug in titled else epic
        return titled

    def find(self, name: str) -> Epic | None:
        """Return the epic of an id or a slug, such as "2", "Epic 2" or "epic-payments"."""
        slug = fold_slug(name)
        by_slug = self._by_slug.get(slug) or self._by_slug.get(slug.removeprefix("epic-"))
        return by_slug or next(iter(self._by_id.get(fold_id(name), ())), None)

    def do_list(self, id_: str) -> bool:
        """Return whether a document of an epic lists the story of an id."""
        epic = read_id(id_).epic
        return epic is not None and (fold_id(epic), None, fold_id(id_)) in self._by_listed

    def _add_document(self, document: TreeDocument) -> None:
        reading = document.reading
        for each in reading.get("epics", ()):
            self._add_reading(document.path, each)
        if (tickets := reading.get("tickets")) is not None:
            for order, ticket in enumerate(tickets["epics"]):
                self._add_ticket(document.path, order, ticket)
            if tickets["entries"] and not is_toml(document.path):
                self._add_spec(document)

    def _add_coverage(self, document: TreeDocument) -> None:
        """Add what a coverage map says of epics, and of stories by their epics."""
        for line in document.reading.get("coverage", ()):
            of_stories = [self._known.split(read_id(story)).epic for story in line["stories"]]
            for name in (*line["epics"], *filter(None, of_stories)):
                if (epic := self.find(name)) is not None:
                    epic.covers[line["requirement"]] = None

    def _add_reading(self, path: str, reading: EpicReading) -> None:
        is_about = self._titles.is_about(path)
        epic = self._find_about(path, reading) if is_about else self._find_listed(path, reading)
        epic.documents.append(EpicDocument(path, reading["line"], reading["anchor"]))
        if not is_about:
            epic.said += [Said(path, word) for word in reading["statuses"]]
        epic.covers |= dict.fromkeys(reading["covers"])
        epic.listed += reading["stories"]
        number = fold_id(reading["number"])
        for story in reading["stories"]:
            for key in _listed_keys(number, story["title"], story["id"]):
                self._by_listed.setdefault(key, epic)

    def _add_ticket(self, path: str, order: int, ticket: TicketEpic) -> None:
        epic = self._find_resembling(ticket["id"], ticket["title"])
        epic.order, epic.slug, epic.after = order, ticket["slug"], ticket["after"]
        epic.covers |= dict.fromkeys(ticket["covers"])
        epic.documents.append(EpicDocument(path, ticket["line"], None))
        self._by_slug.setdefault(fold_slug(ticket["slug"]), epic)

    def _add_spec(self, document: TreeDocument) -> None:
        """Add the epic that a folder of stories.yaml is: it has no number.

        Its title and its status are those of the SPEC.md beside it; without a title, the folder's
        name is.
        """
        name = name_of_spec(document.folder)
        epic = self._find_resembling(name, "")
        epic.slug = epic.slug or name
        if found := self._specs.get(document.folder):
            path, spec = found
            epic.title = epic.title or spec["title"]
            epic.documents.append(EpicDocument(path, spec["line"], spec["anchor"]))
            epic.said += [Said(path, word) for word in spec["statuses"]]
        epic.title = epic.title or title_of_slug(name)
        epic.documents.append(EpicDocument(document.path, 1, None))
        self._by_slug.setdefault(fold_slug(name), epic)

    def _add_sprint(self, path: str, reading: SprintStatusReading) -> None:
        titles = {fold_id(number): title for number, title in reading["titles"].items()}
        # The last one counts where a key stands twice, as YAML has it.
        for entry in reversed(reading["epics"]):
            _, identity, slug = read_key(entry["key"])
            name = identity.epic or slug or entry["key"]
            title = titles.pop(fold_id(name), "")
            epic = self._first(name)
            epic.title = epic.title or title or title_of_slug(slug)
            epic.said.append(Said(path, entry["status"]))
        for entry in reading["retrospectives"]:
            _, identity, slug = read_key(entry["key"])
            if (epic := self.find(identity.epic or slug)) is not None:
                epic.retrospectives.append(Said(path, entry["status"]))
        for number, title in reading["titles"].items():
            if fold_id(number) in titles:
                epic = self._first(number)
                epic.title = epic.title or title

    def _first(self, number: str) -> Epic:
        epics = self._by_id[fold_id(number)]
        if not epics:
            epics.append(Epic(self._tree, without_zeros(number), ""))
        return epics[0]

    def _find_about(self, path: str, reading: EpicReading) -> Epic:
        """Return the epic that a document has something about: of several the first, as for keys.

        One whose title resembles that of the document goes before.
        """
        number, title = reading["number"], reading["title"]
        found = self._find_titled(number, title)
        for epic in () if found else self._by_id[fold_id(number)][:MAX_COMPARED]:
            paths = (each.path for each in epic.documents[:MAX_COMPARED])
            if not self._titles.is_of_other_product(path, paths):
                return epic
        return found or self._find_resembling(number, title)

    def _find_listed(self, path: str, reading: EpicReading) -> Epic:
        """Return the epic that a document lists or describes."""
        number, title = reading["number"], reading["title"]
        found = self._find_titled(number, title)
        other_title = self._titles.other_title(path)
        if found is None and other_title is not None:
            found = self._find_titled(number, other_title)
        if found is None:
            compared = self._by_id[fold_id(number)][:MAX_UNLIKE]
            found = next((epic for epic in compared if self._is_same(epic, path, reading)), None)
        if found is not None:
            self._by_title[fold_id(number), title] = found
        found = self._find_resembling(number, title)
        if other_title is not None:
            self._by_title.setdefault((fold_id(number), other_title), found)
            found.title = title or found.title  # that of the epic's own document
        return found

    def _is_same(self, epic: Epic, path: str, reading: EpicReading) -> bool:
        """Return whether an epic with another title is the same, as its stories, or others, say."""
        paths = [each.path for each in epic.documents[:MAX_UNLIKE]]
        if any(self._titles.do_differ(path, each) for each in paths):
            return False  # a product of its own, whose first stories may be the same
        if do_list_same(epic.listed, reading["stories"]):
            return True
        is_other = do_differ(epic.listed, reading["stories"])
        return not is_other and any(self._titles.do_agree(path, each) for each in paths)

    def _find_titled(self, number: str, title: str) -> Epic | None:
        """Return the epic of a number with this title, or with one that resembles it."""
        folded = fold_id(number)
        found = self._by_title.get((folded, title))
        if found is None:
            compared = self._by_id[folded][:MAX_COMPARED]
            found = next((epic for epic in compared if do_resemble(epic.title, title)), None)
        return found

    def _find_resembling(self, number: str, title: str) -> Epic:
        folded = fold_id(number)
        epics = self._by_id[folded]
        found = self._find_titled(number, title)
        if found is None:
            found = Epic(self._tree, number, title)
            epics.append(found)
        found.title = found.title or title
        self._by_title.setdefault((folded, title), found)
        return found

    def _epic_of(self, item: WorkItem) -> Epic:
        assert item.epic is not None
        first = self._first(item.epic)
        if len(self._by_id[item.epic_key]) == 1:
            return first
        keys = _listed_keys(item.epic_key, item.title, item.id)
        return next((self._by_listed[key] for key in keys if key in self._by_listed), first)


def _listed_keys(number: str, title: str, id_: str) -> list[_ListedKey]:
    """Return the keys of a story of an epic, the surest first."""
    title, id_ = fold_slug(title), fold_id(id_)
    return [(number, title, id_), (number, title, None), (number, None, id_)]
