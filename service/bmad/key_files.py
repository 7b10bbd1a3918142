"""Which files of a tree are those of the keys of sprint-status.yaml.

A file belongs to a key by name, else by slug and number, else by slug, else by the numbers of epic
and story: by name alone, one repository would lose 393 of 588 keys. The board asks for the keys and
files of a tree at once, and the history for those that a commit may have joined or parted.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from service.bmad.identity import Identity, fold_id, fold_slug, read_name
from service.bmad.keys import Key
from service.bmad.older_trackers import sort_trackers
from service.bmad.readings import Reading
from service.bmad.work_items import WorkItem, is_archived, number_of, stem_of
from service.documents.kinds import home_of

# What more files of a tree have in common than this says nothing of any of them.
MAX_SHARED: Final = 40
MAX_KEY_SLUG: Final = 60  # characters, as the method cuts the slugs of keys

# The places of KeyName.values, the surest first.
RULES: Final = (0, 1, 2)

# Before the key in the name of a 6.11 story's file, as fold_id returns it.
SPEC: Final = "SPEC-"

# The path of a tracker, and a key.
KeyPlace = tuple[str, str]
_LAST: Final = "\U0010ffff"


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


class KeyName(NamedTuple):
    """What the rules compare of a key, and of a file; empty where there is nothing to compare.

    `values` are the slug with the number, the slug, and the number, by which a key has a file that
    has another name.
    """

    name: str
    values: tuple[object, object, object]
    epic: str


class KeyFile(NamedTuple):
    """A file that a key may be for: a story, or a candidate, which a key's name makes a story."""

    path: str
    name: KeyName
    is_story: bool

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """Which of several files of one name comes first."""
        return is_archived(self.path), not self.is_story, self.path


# What the rules compare of a key.
NameOfKey = Callable[[str], KeyName]


def name_of_key(key: str, read: Key) -> KeyName:
    """Return what the rules compare of a key that is read so."""
    return _key_name(key, fold_slug(read.slug), read.identity)


def key_file(path: str, identity: Identity, *, is_story: bool) -> KeyFile:
    """Return what the rules compare of a file, given the id that it says."""
    stem = stem_of(path)
    return KeyFile(path, _key_name(stem, slug_of_name(stem), identity), is_story)


def _key_name(name: str, slug: str, identity: Identity) -> KeyName:
    cut = cut_slug(slug)
    number = number_of(identity)
    numbered = (cut, number) if cut and number else None
    return KeyName(fold_id(name), (numbered, cut, number), fold_id(identity.epic or ""))


def cut_slug(slug: str) -> str:
    """Return a folded slug as the method cuts that of a key."""
    return slug[:MAX_KEY_SLUG].strip("-")


def match_keys(
    files: Iterable[KeyFile], trackers: Mapping[str, Iterable[str]], name_of: NameOfKey
) -> dict[KeyPlace, str]:
    """Return the file of each key that has one: paths, by the path of the tracker and the key.

    `trackers` has the keys of each tracker. Within a tracker, each file belongs to one key at most.
    A candidate belongs to a key only if a key has its name, and no story the key's slug and number;
    then it is a story for all trackers.
    """
    index = _FileIndex(files)
    matched: dict[KeyPlace, str] = {}
    taken: dict[str, set[str]] = {}
    waiting: dict[str, list[str]] = {}
    for tracker, keys in sorted(trackers.items()):
        taken[tracker], waiting[tracker] = set(), []
        for key in sorted(set(keys)):
            path = index.find_named(name_of(key), tracker, taken[tracker])
            if path is None:
                waiting[tracker].append(key)
            else:
                taken[tracker].add(path)
                matched[tracker, key] = path
    named = {*matched.values()}
    for rule in RULES:
        for tracker, keys in waiting.items():
            for key in keys:
                if (tracker, key) in matched:
                    continue
                path = index.find_value(rule, name_of(key), named, taken[tracker])
                if path is not None:
                    taken[tracker].add(path)
                    matched[tracker, key] = path
    return matched


def names_begun(specs: Sequence[str], name: str) -> Sequence[str]:
    """Return those of sorted names that begin with a name."""
    begin = bisect_left(specs, name)
    return specs[begin : bisect_left(specs, name + _LAST, begin)]


class KeyLinks(NamedTuple):
    """The keys of each file, by its path, and those of each story that has no file.

    Keys are a path of a tracker and a key; of each story the one that decides comes first.
    """

    of_file: dict[str, list[KeyPlace]]
    without_file: list[list[KeyPlace]]


def link_keys(
    files: Sequence[KeyFile],
    trackers: Mapping[str, Iterable[str]],
    older: Collection[str],
    name_of: NameOfKey,
) -> KeyLinks:
    """Return which keys of the trackers of a tree are about one story.

    Equal keys are, whichever trackers have them: what one says of a file holds for the others that
    have none. Of several trackers the first of sort_trackers decides. Those among `older` are no
    longer kept: they come after the others, and since numbers start again, none of their keys
    belongs to a file with another slug, unless that is archived.
    """
    slugs = {file.path: file.name.values[1] for file in files}
    linked = {
        (tracker, key): path
        for (tracker, key), path in match_keys(files, trackers, name_of).items()
        if tracker not in older or is_archived(path) or slugs[path] == name_of(key).values[1]
    }
    in_order = sort_trackers(trackers)
    places = [
        (tracker, key)
        for tracker in sorted(in_order, key=lambda path: path in older)
        for key in sorted(set(trackers[tracker]))
    ]
    file_of_name: dict[str, str] = {}
    for place in places:
        if place in linked:
            file_of_name.setdefault(name_of(place[1]).name, linked[place])
    of_file: defaultdict[str, list[KeyPlace]] = defaultdict(list)
    without_file: defaultdict[str, list[KeyPlace]] = defaultdict(list)
    for place in places:
        name = name_of(place[1]).name
        path = linked.get(place) or file_of_name.get(name)
        (without_file[name] if path is None else of_file[path]).append(place)
    return KeyLinks(of_file, [*without_file.values()])


class _FileIndex:
    def __init__(self, files: Iterable[KeyFile]) -> None:
        self._by_name: defaultdict[str, list[KeyFile]] = defaultdict(list)
        self._by_value: defaultdict[tuple[int, object], list[KeyFile]] = defaultdict(list)
        for file in files:
            self._by_name[file.name.name].append(file)
            for rule, value in enumerate(file.name.values):
                if value:
                    self._by_value[rule, value].append(file)
        names = (name for name in self._by_name if name.startswith(SPEC))
        self._specs = sorted(name.removeprefix(SPEC) for name in names)

    def find_named(self, key: KeyName, tracker: str, taken: set[str]) -> str | None:
        """Return the file that has the name of a key.

        A story with the key's slug and number goes before a candidate, such as a review that is
        named after the story. So does one of its number without a slug, unless the candidate is in
        a folder of stories.
        """
        file = self._find_name(key.name, taken)
        if file is None or file.is_story or (is_archived(file.path) and is_archived(tracker)):
            return None if file is None else file.path
        found = self._find_story(0, key, key.values[1], taken)
        if found is None and home_of(file.path.split("/")[:-1]) != "story":
            found = self._find_story(2, key, "", taken)
        return file.path if found is None else found

    def _find_story(self, rule: int, key: KeyName, slug: object, taken: set[str]) -> str | None:
        """Return the story with a slug that has a value of a key and is not archived."""
        value = key.values[rule]
        files = self._by_value.get((rule, value), ()) if value else ()
        free = [
            each.path
            for each in files
            if each.is_story
            and each.name.values[1] == slug
            and each.path not in taken
            and not is_archived(each.path)
        ]
        return min(free, default=None) if len(files) <= MAX_SHARED else None

    def _find_name(self, name: str, taken: set[str]) -> KeyFile | None:
        """Return the file of a name, else of the shortest `spec-*` that begins with it.

        Each of these names stands for its first file.
        """
        for each in self._names(name):
            files = self._by_name.get(each, ())
            if 0 < len(files) <= MAX_SHARED:
                file = min(files, key=_rank)
                if file.path not in taken:
                    return file
        return None

    def _names(self, name: str) -> Iterator[str]:
        yield name
        for spec in sorted(names_begun(self._specs, name), key=len):
            yield SPEC + spec

    def find_value(self, rule: int, key: KeyName, named: set[str], taken: set[str]) -> str | None:
        """Return the file that has a value of a key: archived ones last, those of its epic first.

        Candidates are left out unless they are among those that keys have named.
        """
        value = key.values[rule]
        files = self._by_value.get((rule, value), ()) if value else ()
        if len(files) > MAX_SHARED:
            return None
        free = [
            (is_archived(file.path), file.name.epic != key.epic, file.path)
            for file in files
            if file.path not in taken and (file.is_story or file.path in named)
        ]
        return min(free)[-1] if free else None


def _rank(file: KeyFile) -> tuple[bool, bool, str]:
    return file.rank


def slug_of_item(item: WorkItem) -> str:
    """Return the slug of a story's file or else of its title, in the form that is compared."""
    return fold_slug(item.title) if item.path is None else slug_of_name(stem_of(item.path))


# Trees, keys and gates compare the same names.
@lru_cache(maxsize=8192)
def slug_of_name(stem: str) -> str:
    """Return the slug of a file's name without its suffix, in the form that is compared."""
    return fold_slug(read_name(stem).rest)
