"""The trees of a record: which past files belong together, as those of one product in a monorepo.

They are those of the board, for the past as well, so that a folder is one product all the time. The
epics of a tree, which say what an id means, are those of now, too.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from service.bmad.identity import Identity
from service.bmad.key_files import KeyFile, KeyName, key_file, name_of_key
from service.bmad.known_epics import KnownEpics
from service.bmad.past_facts import Fact, FactKind
from service.bmad.past_record import Record
from service.bmad.readings import Reading
from service.bmad.trees import folder_of_tree

NO_EPICS: Final = KnownEpics(())


class PastTrees:
    """The trees of all files of a record, given what the documents say that there are, by path.

    Where no document is left, the folder of a sprint-status.yaml is a tree of its own, and other
    files are of the nearest tree above.
    """

    def __init__(
        self, record: Record, readings: Mapping[str, Reading], trees: Mapping[str, str]
    ) -> None:
        """Take the trees of the readings, as find_trees returns them."""
        documents: defaultdict[str, list[tuple[str, Reading]]] = defaultdict(list)
        for path, tree in trees.items():
            documents[tree].append((path, readings[path]))
        self._known = {tree: KnownEpics(of_tree) for tree, of_tree in documents.items()}
        self._names: dict[tuple[str, str], KeyName] = {}
        self._files: dict[tuple[str, Identity, bool], KeyFile] = {}
        self._by_path = dict(trees)
        self._by_folder = {path.rpartition("/")[0]: tree for path, tree in trees.items()}
        self._trees = {folder_of_tree(path): tree for path, tree in trees.items()}
        paths: defaultdict[FactKind, set[str]] = defaultdict(set)
        for row in record.facts:
            if row.fact is not None:
                paths[row.fact.kind].add(row.path)
        for folder in map(folder_of_tree, paths["key"]):
            self._trees.setdefault(folder, folder)
        # Whether files ever had entries or plans.
        self.has_tickets = bool(paths["entry"] or paths["plan"])

    def tree_of(self, path: str) -> str:
        """Return the tree of a file."""
        tree = self._by_path.get(path)
        if tree is None:
            tree = self._by_folder.get(path.rpartition("/")[0])
            if tree is None:
                folders = _with_those_above(folder_of_tree(path))
                tree = next((self._trees[each] for each in folders if each in self._trees), "")
            self._by_path[path] = tree
        return tree

    def name_of_key(self, tree: str, key: str) -> KeyName:
        """Return what is compared of a key of a tree."""
        name = self._names.get((tree, key))
        if name is None:
            read = self._known.get(tree, NO_EPICS).read_key(key)
            name = self._names[tree, key] = name_of_key(key, read)
        return name

    def key_file(self, path: str, fact: Fact) -> KeyFile:
        """Return what is compared of a story's file, or of a candidate."""
        identity = Identity(fact.id or "", fact.epic, fact.story)
        is_story = fact.kind == "story"
        file = self._files.get((path, identity, is_story))
        if file is None:
            split = self._known.get(self.tree_of(path), NO_EPICS).split(identity)
            file = key_file(path, split, is_story=is_story)
            self._files[path, identity, is_story] = file
        return file


def _with_those_above(folder: str) -> Iterator[str]:
    """Yield a folder and all those above."""
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
