"""Which files of a tree are those of the keys of sprint-status.yaml.

A file belongs to a key by name, else by slug, else by the numbers of epic and story: by name alone,
one repository would lose 393 of 588 keys. The indexes serve all trackers of a tree, so that many
trackers take no quadratic time.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import islice, takewhile
from typing import Final, NamedTuple

from service.bmad.identity import fold_id, fold_slug, read_name
from service.bmad.keys import Key
from service.bmad.known_epics import KnownEpics
from service.bmad.readings import Reading
from service.bmad.work_items import WorkItem, number_of, stem_of

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


class KeyFiles:
    """The files of a tree that keys may be for: stories, and candidates, which become stories.

    `items` are the stories that there are before a key is matched; `known` reads keys, and
    `promote` makes a story of a candidate.
    """

    def __init__(
        self,
        documents: Sequence[TreeDocument],
        items: Iterable[WorkItem],
        known: KnownEpics,
        promote: Callable[[TreeDocument], WorkItem],
    ) -> None:
        self._documents = documents
        self._known = known
        self._promote = promote
        self._items = {item.path: item for item in items if item.path}
        # By whether they are archived and what a rule compares, and by these and the epic.
        self._by_value: defaultdict[tuple[object, ...], list[WorkItem]] = defaultdict(list)
        for item in self._items.values():
            self._add(item)

    def match(self, keys: Iterable[str]) -> dict[str, WorkItem]:
        """Return the file of each key of a tracker that has one: each file belongs to one key."""
        taken: set[str] = set()  # paths
        matched: dict[str, WorkItem] = {}
        waiting: list[tuple[str, Key]] = []
        specs: dict[str, Iterator[str]] = {}
        for key in dict.fromkeys(keys):
            document = self._find_name(key, taken, specs)
            if document is None:
                waiting.append((key, self._known.read_key(key)))
                continue
            taken.add(document.path)
            item = self._items.get(document.path)
            if item is None:
                item = self._items[document.path] = self._promote(document)
                self._add(item)
            matched[key] = item
        queues: dict[object, Iterator[WorkItem]] = {}
        rules: Sequence[Callable[[Key], object]] = (
            lambda read: fold_slug(read.slug),
            lambda read: number_of(read.identity),
        )
        for of_key in rules:
            still: list[tuple[str, Key]] = []
            for key, read in waiting:
                if item := self._find_value(of_key(read), read, taken, queues):
                    taken.add(item.key)
                    matched[key] = item
                else:
                    still.append((key, read))
            waiting = still
        return matched

    def _add(self, item: WorkItem) -> None:
        for value in (slug_of_item(item), item.number):
            if value:
                self._by_value[item.is_archived, value].append(item)
                self._by_value[item.is_archived, value, item.epic_key].append(item)

    @cached_property
    def _by_name(self) -> dict[str, TreeDocument]:
        """The first document of each name that may be a key: stories before candidates."""
        last_first = reversed(self._documents)
        return {
            fold_id(each.stem): each
            for each in sorted(last_first, key=lambda each: each.path in self._items)
            if each.path in self._items or "candidate" in each.reading
        }

    @cached_property
    def _specs(self) -> list[str]:
        return sorted(name for name in self._by_name if name.startswith(SPEC))

    def _find_name(
        self, key: str, taken: set[str], specs: dict[str, Iterator[str]]
    ) -> TreeDocument | None:
        """Return the file that a key names, else the shortest `spec-*` that begins with the key."""
        name = fold_id(key)
        found = self._by_name.get(name)
        if found and found.path not in taken:
            return found
        if name not in specs:
            begin = bisect_left(self._specs, SPEC + name)
            begun = takewhile(
                lambda spec: spec.startswith(SPEC + name), islice(self._specs, begin, None)
            )
            specs[name] = iter(sorted(begun, key=len))
        for spec in specs[name]:
            if self._by_name[spec].path not in taken:
                return self._by_name[spec]
        return None

    def _find_value(
        self, value: object, read: Key, taken: set[str], queues: dict[object, Iterator[WorkItem]]
    ) -> WorkItem | None:
        """Return the next file with a value that is not taken.

        Archived files come last; of a slug that several files have, the number decides.
        """
        if not value:
            return None
        epic = fold_id(read.identity.epic or "")
        for name in ((False, value, epic), (False, value), (True, value, epic), (True, value)):
            if name not in queues:
                queues[name] = iter(self._by_value.get(name, ()))
            for item in queues[name]:
                if item.key not in taken:
                    return item
        return None


def slug_of_item(item: WorkItem) -> str:
    """Return the slug of a story's file or else of its title, in the form that is compared."""
    return fold_slug(item.title) if item.path is None else slug_of_name(stem_of(item.path))


# Trees, keys and gates compare the same names.
@lru_cache(maxsize=8192)
def slug_of_name(stem: str) -> str:
    """Return the slug of a file's name without its suffix, in the form that is compared."""
    return fold_slug(read_name(stem).rest)
