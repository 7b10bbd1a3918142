"""The trees of a source: which documents belong together, as those of one product in a monorepo.

Numbers of epics and stories mean something within a tree only. A tree is named by its folder, which
is "" for the repository itself.
"""

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from service.bmad.identity import fold_id, fold_slug, read_key
from service.bmad.key_files import slug_of_name
from service.bmad.readings import Reading
from service.bmad.work_items import stem_of

# Folders that hold the documents of a product, and are not the product.
CONTAINER: Final = re.compile(
    r"docs?|documentation|\.?_?bmad(?:-(?:output|core|method))?|_bmad-output|output"
)
# Folders of one part of a product's documents. What lies below is of the tree above.
PART: Final = re.compile(
    r"(?:user-)?stor(?:y|ies)|epics?|prds?|briefs?|architectures?|ux(?:-designs?)?|specs?|qa|gates"
    r"|(?:planning|implementation|sprint)-artifacts|sprints?(?:-\d+)?|backlog|retrospectives?|retros?"
    r"|archived?|completed|done|(?:in-)?progress|obsolete|old|backups?|epics?-\d.*"
)


@dataclass(slots=True)
class TreeContent:
    """What a folder has: stories with files, what trackers name, and whether it has epics.

    Stories are there by their ids, and by the slugs of their names.
    """

    stories: set[str] = field(default_factory=set)
    slugs: set[str] = field(default_factory=set)
    tracked: set[str] = field(default_factory=set)
    tracked_slugs: set[str] = field(default_factory=set)
    has_tracker: bool = False
    has_epics: bool = False


def folder_of_tree(path: str) -> str:
    """Return the folder of the tree that a document at this path is in, by its path alone.

    This is the folder above the first that holds a part of the documents, such as `stories`,
    without the containers at its end: `apps/a` of `apps/a/docs/stories/1.1.md`.
    """
    folders = path.split("/")[:-1]
    for number, folder in enumerate(folders):
        if PART.fullmatch(re.sub(r"[_\s]+", "-", folder.lower())):
            folders = folders[:number]
            break
    while folders and CONTAINER.fullmatch(folders[-1].lower()):
        folders.pop()
    return "/".join(folders)


def find_trees(readings: Mapping[str, Reading]) -> dict[str, str]:
    """Return the tree of each document that says something of the work, by path.

    Below a tickets.toml all documents are of its tree, and so are other such files. Any other
    folder is a tree of its own if it has a tracker, which is not one of the stories above, or
    stories and epics, which no tracker above names, or a story whose id one of another folder has
    as well; else its documents belong to the nearest tree above.
    """
    readings = {path: each for path, each in readings.items() if each.keys() - {"links"}}
    roots: set[str] = set()
    for path in sorted(readings, key=len):
        if "tickets" in readings[path] and path.endswith(".toml"):
            folder = path.rpartition("/")[0]
            if _ticket_root(path, roots) is None:
                roots.add(folder)
    folders: dict[str, str] = {}
    for path in readings:
        root = _ticket_root(path, roots)
        folders[path] = folder_of_tree(path) if root is None else root
    contents: dict[str, TreeContent] = {}
    for path, folder in folders.items():
        reading = readings[path]
        content = contents.setdefault(folder, TreeContent())
        if "story" in reading and (id_ := fold_id(reading["story"]["id"])):
            content.stories.add(id_)
            content.slugs.add(slug_of_name(stem_of(path)))
        if "sprint_status" in reading:
            keys = [read_key(each["key"]) for each in reading["sprint_status"]["stories"]]
            content.tracked.update(fold_id(key.identity.id) for key in keys)
            content.tracked_slugs.update(fold_slug(key.slug) for key in keys if key.slug)
        content.has_tracker |= "sprint_status" in reading or "tickets" in reading
        content.has_epics |= "epics" in reading
    files = Counter(chain.from_iterable(content.stories for content in contents.values()))
    merged: dict[str, str] = {}
    for folder in sorted(contents, key=len):
        content = contents[folder]
        above = _nearest_above(folder, merged)
        is_tracker_of_above = (
            not content.stories
            and above in contents
            and bool(content.tracked & contents[above].stories)
        )
        is_named_above = above in contents and bool(contents[above].tracked_slugs & content.slugs)
        is_own = (
            not folder
            or folder in roots
            or (content.has_tracker and not is_tracker_of_above)
            or (bool(content.stories) and content.has_epics and not is_named_above)
            or any(files[story] > 1 for story in content.stories)
        )
        merged[folder] = folder if is_own else above
    return {path: merged[folder] for path, folder in folders.items()}


def _ticket_root(path: str, roots: Collection[str]) -> str | None:
    """Return the folder of these that a document is in or below, if any."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in roots:
            return folder
    return None


def _nearest_above(folder: str, merged: Mapping[str, str]) -> str:
    """Return the tree of the nearest folder above that has documents; "" if none has."""
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in merged:
            return merged[folder]
    return ""
