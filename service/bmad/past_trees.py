"""The trees of a record: which past files belong together, as those of one product in a monorepo.

They are those of the board, for the past as well, so that a folder is one product all the time.
"""

from collections.abc import Iterator, Mapping

from service.bmad.past_record import Record
from service.bmad.trees import folder_of_tree


class PastTrees:
    """The trees of all files of a record, given those of the documents that there are, by path.

    Where no document is left, the folder of a sprint-status.yaml is a tree of its own, and other
    files are of the nearest tree above.
    """

    def __init__(self, record: Record, trees: Mapping[str, str]) -> None:
        self._by_path = dict(trees)
        self._by_folder = {path.rpartition("/")[0]: tree for path, tree in trees.items()}
        self._trees = {folder_of_tree(path): tree for path, tree in trees.items()}
        for row in record.facts:
            if row.fact is not None and row.fact.kind == "key":
                folder = folder_of_tree(row.path)
                self._trees.setdefault(folder, folder)

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


def _with_those_above(folder: str) -> Iterator[str]:
    """Yield a folder and all those above."""
    yield folder
    while folder:
        folder = folder.rpartition("/")[0]
        yield folder
