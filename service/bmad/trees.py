"""The trees of a source: which documents belong together, as those of one product in a monorepo.

Numbers of epics and stories mean something within a tree only. A tree is named by its folder, which
is "" for the repository itself.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Container, Mapping
from functools import lru_cache
from typing import Final

from service.bmad.readings import Reading
from service.bmad.tree_content import (
    Sign,
    TreeContent,
    do_name,
    find_homes,
    folders_above_parts,
    hold_signs,
    read_contents,
)
from service.bmad.work_items import is_toml

# Folders that hold the documents of a product, and are not the product.
CONTAINER: Final = re.compile(
    r"docs?|documentation|\.?_?bmad(?:-(?:output|core|method))?|_bmad-output|output"
)
# Folders that hold one part of a product's stories after the other.
PHASE: Final = re.compile(
    r"(?:phase|fase|part|milestone|release|iteration|wave|stage|mvp|v)[-_ .]?\d", re.IGNORECASE
)


def folder_of_tree(path: str) -> str:
    """Return the folder of the tree that a document at this path is in, by its path alone.

    This is the folder above the first that holds a part of the documents, such as `stories`,
    without the containers at its end: `apps/a` of `apps/a/docs/stories/1.1.md`.
    """
    return _folder_of_tree(path.rpartition("/")[0])


# Most of a repository's documents are in a few folders.
@lru_cache(maxsize=1024)
def _folder_of_tree(folder: str) -> str:
    folders = folders_above_parts(folder)
    while folders and CONTAINER.fullmatch(folders[-1].lower()):
        folders.pop()
    return "/".join(folders)


def nearest_of(path: str, folders: Container[str]) -> str | None:
    """Return the nearest folder of these that a document is in or below, if any."""
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in folders:
            return folder
    return None


def find_trees(readings: Mapping[str, Reading]) -> dict[str, str]:
    """Return the tree of each document that says something of the work, by path.

    Below a tickets.toml all documents are of its tree, and so are other such files. Any other
    folder is a tree of its own if it has a tracker, or stories and epics, unless a tracker above
    names most of the stories; if it is an archived product; or if its numbers start again. Else its
    documents belong to the nearest tree above. A tree without stories is one with that whose
    stories its tracker or its epics name, or whose epics it has.
    """
    readings = {path: each for path, each in readings.items() if each.keys() - {"links"}}
    roots: set[str] = set()
    for path in sorted(readings, key=len):
        if "tickets" in readings[path] and is_toml(path):
            folder = path.rpartition("/")[0]
            if nearest_of(path, roots) is None:
                roots.add(folder)
    folders: dict[str, str] = {}
    for path in readings:
        root = nearest_of(path, roots)
        folders[path] = folder_of_tree(path) if root is None else root
    contents = read_contents(readings, folders)
    holders = hold_signs(contents)
    merged = _split_folders(contents, _find_own(contents, roots, holders), holders)
    trees: dict[str, TreeContent] = {}
    for folder, tree in merged.items():
        trees.setdefault(tree, TreeContent()).add(contents[folder])
    homes = find_homes(trees)
    return {path: homes.get(tree := merged[folder], tree) for path, folder in folders.items()}


def _find_own(
    contents: Mapping[str, TreeContent], roots: Collection[str], holders: Mapping[Sign, str | None]
) -> dict[str, str]:
    """Return the tree of each folder: itself, if what it has is enough, or else that above."""
    merged: dict[str, str] = {}
    for folder in sorted(contents, key=len):
        content = contents[folder]
        above = _nearest_above(folder, merged)
        named = contents[above].named_by_trackers if above in contents else ()
        is_product = bool(content.stories) and content.has_epics
        is_own = (
            not folder
            or folder in roots
            or content.has_tracker
            or content.has_whole_archive
            or (is_product and not do_name(named, folder, content.stories, holders))
        )
        merged[folder] = folder if is_own else above
    return merged


def _split_folders(
    contents: Mapping[str, TreeContent],
    merged: Mapping[str, str],
    holders: Mapping[Sign, str | None],
) -> dict[str, str]:
    """Return the tree of each folder, as folders are trees of their own whose numbers start again.

    That is so where an id of its stories is one of another folder, as apps/a and apps/b both have a
    story 1.1, unless the tree's tracker or epics name most of its stories. In a folder that is
    named as a phase, or lies within the folder of these documents, as docs/phase-2 does, most ids
    must be, for one is a mistake. Within that folder, ids of stories that lie in the tree's own
    folder do not count.
    """
    files = Counter[str]()
    files_of: dict[str, Counter[str]] = defaultdict(Counter)
    files_below: dict[str, Counter[str]] = defaultdict(Counter)
    for folder, tree in merged.items():
        files.update(contents[folder].ids)
        files_of[tree].update(contents[folder].ids)
        if folder != tree:
            files_below[tree].update(contents[folder].ids)
    split: dict[str, str] = {}
    for folder in sorted(merged, key=len):
        stories, tree = contents[folder], merged[folder]
        above = contents.get(tree, TreeContent())
        is_within = above.is_around(folder)
        is_part = is_within or PHASE.match(folder.rpartition("/")[2])
        counted = files_below[tree] if is_within else files_of[tree] if is_part else files
        repeated = sum(counted[id_] > 1 for id_ in stories.ids)
        is_again = 2 * repeated > len(stories.ids) if is_part else repeated > 0
        is_own = folder == tree or (
            is_again
            and not (is_within and repeated == 1)
            and not do_name(above.named, folder, stories.stories, holders)
        )
        split[folder] = folder if is_own else _nearest_above(folder, split)
    return split


def _nearest_above(folder: str, merged: Mapping[str, str]) -> str:
    """Return the tree of the nearest folder above that has documents; "" if none has."""
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in merged:
            return merged[folder]
    return ""
