"""Which product a PRD is for that lies apart from the work, as `prds/prd-shop/prd.md` does.

Version 7 has its tickets in the folder of an initiative, and the PRD may be in another one. Only
the board asks for this: a PRD has no past.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from service.bmad.identity import fold_slug
from service.bmad.readings import Reading
from service.bmad.trees import folder_of_tree
from service.bmad.work_items import is_archived, stem_of

# What has stories, or says which there are.
WORK: Final = frozenset(("story", "sprint_status", "tickets", "epics"))
# The folder of a PRD, or of several.
PRD_FOLDER: Final = re.compile(r"prds?", re.IGNORECASE)
# Words of a name that say what the document is, and its date.
COMMON: Final = re.compile(
    r"(?:\A|-)(?:prds?|requirements?|coverage|traceability|matrix|20\d\d-?\d\d-?\d\d)(?=-|\Z)"
)


def place_prds(trees: Mapping[str, str], readings: Mapping[str, Reading]) -> dict[str, str]:
    """Return the tree of each document, given that of each by its folder; PRDs may have another.

    A PRD that has no epics is of the only tree with work whose folder has its name, as `prd-shop`
    is of `shop`. Without such a tree, it is of the only one with work, if its own has none, no
    other PRD may be meant, and it lies in no folder of another product, as `apps/a/docs/prd.md`.
    """
    work: set[str] = set()
    # The documents of each PRD: those of a tree whose names say the same.
    prds: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for path, tree in trees.items():
        keys = readings[path].keys()
        if keys & WORK:
            if tree not in work and not is_archived(path):
                work.add(tree)
        elif ("requirements" in keys or "coverage" in keys) and not is_archived(path):
            prds[tree, name_of_prd(path)].append(path)
    stated = [
        prd
        for prd, paths in prds.items()
        if any("requirements" in readings[path] for path in paths)
    ]
    by_name = _trees_by_name(work)
    placed = dict(trees)
    unnamed: list[tuple[str, str]] = []
    for prd in stated:
        home = by_name.get(prd[1])
        if home is None:
            unnamed.append(prd)
        else:
            placed.update(dict.fromkeys(prds[prd], home))
    if len(unnamed) == 1 == len(work) and unnamed[0][0] not in work:
        [prd], [home] = unnamed, work
        is_above = all(_is_within(home, folder_of_tree(path)) for path in prds[prd])
        if is_above and not any(placed[path] == home for each in stated for path in prds[each]):
            placed.update(dict.fromkeys(prds[prd], home))
    return placed


def _is_within(tree: str, folder: str) -> bool:
    return not folder or f"{tree}/".startswith(f"{folder}/")


def name_of_prd(path: str) -> str:
    """Return what a PRD is about as its path says: "shop" of `prds/prd-shop-2026-01-31/prd.md`.

    Of one in a folder `prds` it is the name below that, else that of the file; empty where it says
    only that this is a PRD, as in a folder `prd`.
    """
    *folders, _ = path.split("/")
    for number, folder in enumerate(folders):
        if PRD_FOLDER.fullmatch(folder):
            if folder.lower() == "prd":
                return ""
            return _plain(next(iter(folders[number + 1 :]), stem_of(path)))
    return _plain(stem_of(path))


def _trees_by_name(trees: Iterable[str]) -> dict[str, str | None]:
    """Return the only tree whose folder has each name; None of several."""
    named: dict[str, str | None] = {}
    for tree in trees:
        if name := _plain(tree.rpartition("/")[2]):
            named[name] = None if name in named else tree
    return named


def _plain(name: str) -> str:
    return COMMON.sub("", fold_slug(name)).strip("-")
