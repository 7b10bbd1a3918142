"""What the folders of a source have of the work, to tell which of them are about one product."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from service.bmad.identity import fold_id, fold_slug
from service.bmad.key_files import cut_slug, slug_of_name
from service.bmad.keys import read_key
from service.bmad.older_trackers import find_older_trackers, keys_of_trackers
from service.bmad.readings import Reading, StoryReading
from service.bmad.work_items import is_archived, stem_of

# Folders of one part of a product's documents. What lies below is of the tree above.
PART: Final = re.compile(
    r"(?:user-)?stor(?:y|ies)|epics?|prds?|briefs?|architectures?|ux(?:-designs?)?|specs?|qa|gates"
    r"|(?:planning|implementation|sprint)-artifacts|sprints?(?:-\d+)?|backlog|retrospectives?|retros?"
    r"|archived?|completed|done|(?:in-)?progress|obsolete|old|backups?|epics?-\d.*"
)

# What a story's file and a tracker or an epic that names it have in common: an id with a slug, or
# the file's name, which is a key.
Sign = tuple[str, str]


class StorySigns(NamedTuple):
    """A story's file by its id and its signs."""

    id: str
    signs: frozenset[Sign]


@dataclass(slots=True)
class TreeContent:
    """What a folder or a tree has that is not archived.

    `stories` are those with files, and `candidates` documents that are stories if a tracker names
    them. `tracked` and `listed` have the signs of each story that its trackers and its epics name,
    and `epics` those of each epic with a title. `named` has all signs of stories that are named,
    and `named_by_trackers` those of trackers. `folders` are those that hold its trackers and epics.
    """

    stories: list[StorySigns] = field(default_factory=list[StorySigns])
    candidates: list[StorySigns] = field(default_factory=list[StorySigns])
    tracked: list[frozenset[Sign]] = field(default_factory=list[frozenset[Sign]])
    listed: list[frozenset[Sign]] = field(default_factory=list[frozenset[Sign]])
    epics: list[frozenset[Sign]] = field(default_factory=list[frozenset[Sign]])
    named: set[Sign] = field(default_factory=set[Sign])
    named_by_trackers: set[Sign] = field(default_factory=set[Sign])
    folders: set[str] = field(default_factory=set[str])
    has_tracker: bool = False
    has_epics: bool = False
    has_archived_stories: bool = False
    has_archived_plans: bool = False

    @property
    def has_whole_archive(self) -> bool:
        """Whether it is an archived product: stories with a tracker or with epics."""
        return self.has_archived_stories and self.has_archived_plans

    @property
    def ids(self) -> set[str]:
        """The ids of its stories."""
        return {story.id for story in self.stories if story.id}

    def add(self, other: "TreeContent") -> None:
        """Add what a folder of the tree has."""
        self.stories += other.stories
        self.candidates += other.candidates
        self.tracked += other.tracked
        self.listed += other.listed
        self.epics += other.epics
        self.named |= other.named
        self.named_by_trackers |= other.named_by_trackers
        self.has_tracker |= other.has_tracker
        self.has_epics |= other.has_epics

    def is_around(self, folder: str) -> bool:
        """Return whether a folder lies in one of those that hold its trackers and epics.

        All lies in the repository itself, so that this says nothing.
        """
        while folder:
            if folder in self.folders:
                return True
            folder = folder.rpartition("/")[0]
        return False


def hold_signs(contents: Mapping[str, TreeContent]) -> dict[Sign, str | None]:
    """Return the only folder or tree with stories that have each sign; None of several."""
    holders: dict[Sign, str | None] = {}
    for folder, content in contents.items():
        _hold(holders, folder, (each.signs for each in content.stories + content.candidates))
    return holders


def do_name(
    named: Collection[Sign],
    folder: str,
    stories: Sequence[StorySigns],
    holders: Mapping[Sign, str | None],
) -> bool:
    """Return whether the stories that are named are more than half of those of a folder.

    A story that another folder has as well, as all products have a "1.1 Project setup", says
    nothing: the other one may be meant.
    """
    count = 0
    for story in stories:
        signs = [sign for sign in story.signs if sign in named]
        count += bool(signs) and all(holders[sign] == folder for sign in signs)
    return 2 * count > len(stories)


def folders_above_parts(folder: str) -> list[str]:
    """Return the folders above the first that holds a part of a product's documents.

    They are those of the path of a folder, which is "" for the repository itself.
    """
    folders = folder.split("/") if folder else []
    for number, name in enumerate(folders):
        if PART.fullmatch(re.sub(r"[_\s]+", "-", name.lower())):
            return folders[:number]
    return folders


def read_contents(
    readings: Mapping[str, Reading], folders: Mapping[str, str]
) -> dict[str, TreeContent]:
    """Return what each folder has, given the folder of each document by its path."""
    contents: dict[str, TreeContent] = {folder: TreeContent() for folder in folders.values()}
    older = find_older_trackers(keys_of_trackers(readings.items()))
    for path, folder in folders.items():
        content, reading = contents[folder], readings[path]
        if path in older or is_archived(path):
            content.has_archived_stories |= "story" in reading
            content.has_archived_plans |= bool({"sprint_status", "epics"} & reading.keys())
        else:
            _add_reading(content, path, reading)
    return contents


def _add_reading(content: TreeContent, path: str, reading: Reading) -> None:
    name = fold_id(stem_of(path))
    if (story := reading.get("story")) is not None:
        content.stories.append(_signs_of(path, name, story))
    if "candidate" in reading:
        content.candidates.append(StorySigns("", frozenset([("", name)])))
    if (sprint := reading.get("sprint_status")) is not None:
        for entry in sprint["stories"]:
            key = read_key(entry["key"])
            signs = {("", fold_id(entry["key"])), *_sign(key.identity.id, key.slug)}
            content.tracked.append(frozenset(signs))
            content.named |= signs
            content.named_by_trackers |= signs
    for epic in reading.get("epics", ()):
        if signs := _sign(epic["number"], epic["title"]):
            content.epics.append(frozenset(signs))
        for listed in epic["stories"]:
            signs = {*_sign(listed["id"], listed["title"])}
            content.listed.append(frozenset(signs))
            content.named |= signs
    is_tracker = "sprint_status" in reading or "tickets" in reading
    content.has_tracker |= is_tracker
    content.has_epics |= "epics" in reading
    if is_tracker or "epics" in reading:
        content.folders.add("/".join(folders_above_parts(path.rpartition("/")[0])))


def _signs_of(path: str, name: str, story: StoryReading) -> StorySigns:
    slugs = (slug_of_name(stem_of(path)), story["title"])
    signs = [sign for slug in slugs for sign in _sign(story["id"], slug)]
    return StorySigns(fold_id(story["id"]), frozenset([("", name), *signs]))


def _sign(id_: str, slug: str) -> list[Sign]:
    slug = cut_slug(fold_slug(slug))
    return [(fold_id(id_), slug)] if id_ and slug else []


def find_homes(trees: Mapping[str, TreeContent]) -> dict[str, str]:
    """Return the tree that each tree without stories is about, where only one is.

    That is the one whose stories its tracker, or else its epics, name, or whose epics are those of
    its own. At least half of the stories of that tree or of those that are named must be the same,
    since the first stories of all products resemble each other, as "1.1 Project setup" does; and of
    a tree that has a tracker, or epics, of its own, at least half of the latter. Where several
    trees have stories, two must be the same, or all that are named, and of epics always two.
    """
    of_stories = hold_signs(trees)
    of_epics: dict[Sign, str | None] = {}
    has_several = sum(bool(content.stories) for content in trees.values()) > 1
    for tree, content in trees.items():
        if content.stories:
            _hold(of_epics, tree, content.epics)
    homes: dict[str, str] = {}
    for tree, content in trees.items():
        if content.stories:
            continue
        ways = [(content.tracked, of_stories), (content.listed, of_stories)]
        # A product that has a tracker and no story yet may have an epic of another's name.
        ways += [] if content.has_tracker else [(content.epics, of_epics)]
        for named, holders in ways:
            home, same = _find_home(trees, named, holders, is_tracker=named is content.tracked)
            is_all = same == len(named) and named is not content.epics
            if home is not None and home != tree and (same > 1 or is_all or not has_several):
                homes[tree] = home
                break
    return homes


def _hold(holders: dict[Sign, str | None], tree: str, signs: Iterable[Collection[Sign]]) -> None:
    """Note the only tree that has each sign; None of several."""
    for sign in {sign for of_one in signs for sign in of_one}:
        holders[sign] = None if sign in holders else tree


def _find_home(
    trees: Mapping[str, TreeContent],
    named: Sequence[Collection[Sign]],
    holders: Mapping[Sign, str | None],
    *,
    is_tracker: bool,
) -> tuple[str | None, int]:
    """Return the only tree that has the stories or epics of these signs, if enough are the same.

    Also returned is how many are.
    """
    found = [
        {holder for sign in signs if (holder := holders.get(sign)) is not None} for signs in named
    ]
    holding = set[str]().union(*found)
    if len(holding) != 1:
        return None, 0
    [tree] = holding
    home, same = trees[tree], sum(map(bool, found))
    has_own = home.has_tracker if is_tracker else home.has_epics
    is_enough = 2 * same >= len(named) or (not has_own and 2 * same >= len(home.stories))
    return (tree if is_enough else None), same
