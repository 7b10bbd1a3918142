"""What a run changes in the stored documents: which of them move, and how many change.

Pure functions. A moved document keeps its id.
"""

from __future__ import annotations

from collections import defaultdict, deque
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from service.sync.results import Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from service.sync.plan import StoredFile

# The old path of each moved document, by its new path.
Moves: TypeAlias = "dict[str, str]"

# Folders of a path that are compared to find the nearest of several files with one content.
FOLDERS_COMPARED: Final = 8

# The most removed and the most new documents that git compares, and the most bytes of each: 1,000
# of 5 KB take two seconds.
SIMILAR_FILES: Final = 1000
SIMILAR_BYTES: Final = 32_000_000


class Changes(NamedTuple):
    """A run's changes of the stored documents: how many, and the paths to delete."""

    counts: Counts
    removed: list[str]


class UnmatchedFile(NamedTuple):
    """A removed or a new document: its path, git's id of its content, its size in bytes."""

    path: str
    blob_id: str
    size: int


def find_moves(shown: Mapping[str, str], stored: Mapping[str, StoredFile]) -> Moves:
    """Return the moves of unchanged contents; `shown` has git's id of each document by path.

    A document moves if its path is gone and a new path has its content. Of several such paths the
    one with the same name wins, then the one in the nearest folder. Documents also move along a
    chain (a to b, b to c) or exchange their paths, if each has a content of its own; otherwise a
    path that is still there keeps its document. An empty document moves only under its name.
    """
    left: defaultdict[str, list[str]] = defaultdict(list)
    came: defaultdict[str, list[str]] = defaultdict(list)
    empty = {file.blob_id for file in stored.values() if not file.size}
    for path, file in stored.items():
        if shown.get(path) != file.blob_id:
            left[file.blob_id].append(path)
    for path, blob_id in shown.items():
        if blob_id in left and (path not in stored or stored[path].blob_id != blob_id):
            came[blob_id].append(path)
    moves: Moves = {}
    followers: dict[str, str] = {}
    for blob_id, new in came.items():
        old = left[blob_id]
        is_empty = blob_id in empty
        if len(old) == len(new) == 1 and not is_empty:
            followers[old[0]] = new[0]
        else:
            gone = [path for path in old if path not in shown]
            added = [path for path in new if path not in stored]
            moves.update(_pair(gone, added, any_name=not is_empty))
    moves.update(_follow(followers, shown.keys(), stored.keys()))
    return moves


def _follow(
    followers: Mapping[str, str], shown: AbstractSet[str], stored: AbstractSet[str]
) -> Iterator[tuple[str, str]]:
    """Yield the moves of the chains that begin at a path that is gone and end at a new one.

    Cycles move as well. `followers` maps old paths to new ones, one to one.
    """
    chained: set[str] = set()
    for start in followers:
        if start in shown:
            continue
        chain = [start]
        while (path := followers.get(chain[-1])) is not None:
            chain.append(path)
        chained.update(chain)
        if chain[-1] not in stored:
            yield from zip(chain[1:], chain, strict=False)
    targets = set(followers.values())
    for start in followers:
        if start in chained or start not in targets:
            continue
        chain = [start]
        while (path := followers.get(chain[-1])) is not None and path not in chained:
            chain.append(path)
            chained.add(path)
        if chain[-1] == start and len(chain) > 1:
            yield from zip(chain[1:], chain, strict=False)


def _pair(gone: list[str], new: list[str], *, any_name: bool) -> Iterator[tuple[str, str]]:
    """Yield pairs of a new and an old path of one content, the most similar paths first."""
    for key in _keys(any_name=any_name):
        if not gone or not new:
            return
        waiting: defaultdict[object, deque[str]] = defaultdict(deque)
        for path in sorted(gone):
            if (value := key(path.split("/"))) is not None:
                waiting[value].append(path)
        taken: dict[str, str] = {}
        for path in sorted(new):
            value = key(path.split("/"))
            if value is not None and waiting.get(value):
                taken[path] = waiting[value].popleft()
        yield from taken.items()
        old = set(taken.values())
        gone = [path for path in gone if path not in old]
        new = [path for path in new if path not in taken]


def _keys(*, any_name: bool) -> Iterator[Callable[[list[str]], object]]:
    """Yield functions of a path's parts: paths with equal values, other than None, are similar."""
    depths = range(FOLDERS_COMPARED, 0, -1)
    for depth in depths:  # the same name, and the same folders above it
        yield lambda parts, depth=depth: tuple(parts[-depth - 1 :]) if len(parts) > depth else None
    for depth in (*depths, 0):  # the same name, below the same folders
        yield lambda parts, depth=depth: (parts[-1], *parts[:depth]) if len(parts) > depth else None
    for depth in (*depths, 0) if any_name else ():  # below the same folders
        yield lambda parts, depth=depth: tuple(parts[:depth]) if len(parts) > depth else None


def list_changes(
    shown: Mapping[str, str], stored: Mapping[str, StoredFile], moves: Moves
) -> Changes:
    """Return the changes that make the stored documents, given by path, match the shown ones.

    `shown` has git's id of each document's content, by path. A moved document counts as moved
    alone, even if its content changed as well.
    """
    kept = shown.keys() & stored.keys() - moves.keys()
    changed = sum(stored[path].blob_id != shown[path] for path in kept)
    old = set(moves.values())
    removed = [path for path in stored if path not in shown and path not in old]
    counts = Counts(
        added=len(shown) - len(kept) - len(moves),
        changed=changed,
        moved=len(moves),
        unchanged=len(kept) - changed,
        removed=len(removed),
    )
    return Changes(counts, removed)


def name_changes(
    shown: Mapping[str, str],
    stored: Mapping[str, StoredFile],
    moves: Moves,
    removed: Iterable[str],
    limit: int,
) -> list[dict[str, str | None]]:
    """Return what list_changes counts, document by document: at most `limit` of them.

    Each has `change`, which is added, changed, moved or removed, `path`, and `from`, which is the
    old path of a moved one, and else None.
    """

    def name() -> Iterator[dict[str, str | None]]:
        for path, blob_id in shown.items():
            if path in moves:
                yield {"change": "moved", "path": path, "from": moves[path]}
            elif path not in stored:
                yield {"change": "added", "path": path, "from": None}
            elif stored[path].blob_id != blob_id:
                yield {"change": "changed", "path": path, "from": None}
        for path in removed:
            yield {"change": "removed", "path": path, "from": None}

    return [*islice(name(), limit)]


def choose_similar(
    gone: Iterable[UnmatchedFile], new: Iterable[UnmatchedFile]
) -> tuple[list[UnmatchedFile], list[UnmatchedFile]]:
    """Return the removed and the new documents that git shall compare, as many as the limits allow.

    Documents whose name is on both sides come first. Empty documents are similar to none.
    """
    old_files = [file for file in gone if file.size]
    new_files = [file for file in new if file.size]
    names = {_name(file) for file in old_files} & {_name(file) for file in new_files}
    return _cut(old_files, names), _cut(new_files, names)


def _cut(files: Sequence[UnmatchedFile], names: AbstractSet[str]) -> list[UnmatchedFile]:
    chosen: list[UnmatchedFile] = []
    total = 0
    for file in sorted(files, key=lambda file: (_name(file) not in names, file.path)):
        if len(chosen) < SIMILAR_FILES and total + file.size <= SIMILAR_BYTES:
            chosen.append(file)
            total += file.size
    return chosen


def _name(file: UnmatchedFile) -> str:
    return file.path.rpartition("/")[2]
