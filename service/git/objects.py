"""Refs, trees and contents, read from what git printed into a file."""

from __future__ import annotations

import os
import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from service.git.errors import GitError
from service.git.names import parse_branch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from collections.abc import Set as AbstractSet
    from datetime import datetime
    from pathlib import Path

READ_BYTES = 1 << 20
# Before the target of a symbolic ref, in the place of an id.
SYMBOLIC = b"ref: "


class Entry(NamedTuple):
    """One file, link or submodule. The path begins at the repository's root."""

    path: bytes
    mode: str
    type: str
    id: str


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A folder as it is in a commit."""

    commit: str
    # The date of the last commit that changed the folder; None if it is not a valid time.
    commit_date: datetime | None
    # False where the fetched history is too short: commit_date is that of the oldest fetched
    # commit, and the folder last changed then or earlier.
    is_date_exact: bool
    # Folders have the same tree id if, and only if, their contents are equal.
    tree_id: str
    entries: Entries


class Entries:
    """The entries of a tree, read from git's file at each iteration: a list could take 300 MB.

    Readable from any thread, also after GitRepository.
    """

    def __init__(self, path: Path, prefix: bytes, max_entries: int) -> None:
        """Open the output of `git ls-tree -r -t -z`; `prefix` comes before each path.

        Raises GitError if there are more than `max_entries`, folders among them.
        """
        self._prefix = prefix
        # The descriptor outlives the file's directory; it is closed with the last reference.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        # A few trees that contain each other print millions of lines.
        self._count = sum(part.count(b"\0") for part in self._read())
        if self._count > max_entries:
            raise GitError(
                f"The folder has more than {max_entries:,} files and folders: name one that has "
                "less."
            )

    def __len__(self) -> int:
        """Return the number of entries, with the folders, which the iteration leaves out."""
        return self._count

    def __iter__(self) -> Iterator[Entry]:
        for record in split_records(self._read()):
            head, _, name = record.partition(b"\t")
            mode, kind, object_id = head.decode().split()
            if kind != "tree":
                path = self._prefix + name
                yield Entry(path, sys.intern(mode), sys.intern(kind), object_id)

    def _read(self) -> Iterator[bytes]:
        start = 0
        while part := os.pread(self._file, READ_BYTES, start):
            yield part
            start += len(part)


class Blobs:
    """The wanted contents, in one open file: readable from any thread, also after GitRepository.

    `sizes` has the size in bytes of each readable content, by its id. `too_large` has the sizes of
    contents that are too large, or None for an unknown size. The server cannot give the contents
    `missing`.
    """

    def __init__(
        self,
        path: Path,
        sizes: dict[str, int],
        too_large: dict[str, int | None],
        missing: AbstractSet[str] = frozenset(),
    ) -> None:
        """Open a file that `git cat-file --batch` wrote for the ids of `sizes`, in their order."""
        self.sizes = sizes
        self.too_large = too_large
        self.missing = missing
        self._offsets: dict[str, int] = {}
        end = 0
        for blob, size in sizes.items():
            self._offsets[blob] = end
            end += len(_batch_header(blob, size)) + size + 1
        # The descriptor outlives the file's directory; it is closed with the last reference.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._file)
        if os.fstat(self._file).st_size != end:
            raise GitError("git gave other contents than those that were asked for.")

    def read(self, blob: str) -> bytes:
        """Return a content. Raises KeyError if it is not one of `sizes`."""
        header = _batch_header(blob, self.sizes[blob])
        length = len(header) + self.sizes[blob]
        read = os.pread(self._file, length, self._offsets[blob])
        if len(read) != length or not read.startswith(header):
            raise GitError("git gave other contents than those that were asked for.")
        return read[len(header) :]


def _batch_header(blob: str, size: int) -> bytes:
    return f"{blob} blob {size}\n".encode()


def find_ref(path: Path, name: str) -> str | None:
    """Return the id of exactly this ref in the output of `git ls-remote`."""
    # Line by line, because git lists each ref whose name ends with this one: maybe a million.
    with path.open("rb") as file:
        for line in file:
            commit, _, found = line.rstrip(b"\n").partition(b"\t")
            if found == name.encode() and not commit.startswith(SYMBOLIC):
                return commit.decode()
    return None


def find_default_branch(path: Path) -> str | None:
    """Return the branch that HEAD names in the output of `git ls-remote --symref`.

    None if HEAD is detached, or if the name is none that a source's branch may have.
    """
    with path.open("rb") as file:
        for line in file:
            target, _, found = line.rstrip(b"\n").partition(b"\t")
            if found == b"HEAD" and target.startswith(SYMBOLIC + b"refs/heads/"):
                name = target.removeprefix(SYMBOLIC + b"refs/heads/")
                try:
                    return parse_branch(name.decode())
                except ValueError:  # UnicodeDecodeError is one, too
                    return None
    return None


def find_entry(path: Path, name: bytes) -> tuple[str, str] | None:
    """Return type and id of the first entry with this name in the output of `git ls-tree -z`."""
    with path.open("rb") as file:
        for record in split_records(iter(lambda: file.read(READ_BYTES), b"")):
            head, _, found = record.partition(b"\t")
            if found == name:
                _, kind, object_id = head.decode().split()
                return kind, object_id
    return None


def split_records(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what ends in NUL. Raises GitError for a record of more than READ_BYTES."""
    rest = b""
    for part in parts:
        *records, rest = (rest + part).split(b"\0")
        if len(rest) > READ_BYTES:
            raise GitError(f"The folder has a path of more than {READ_BYTES:,} bytes.")
        yield from records


def read_sizes(path: Path, wanted: AbstractSet[str]) -> dict[str, int]:
    """Return the sizes of the wanted blobs in the output of `git cat-file --batch-check`."""
    # Line by line, and the wanted ones alone: a server may send millions of others.
    sizes: dict[str, int] = {}
    with path.open() as file:
        for line in file:
            blob, kind, size = line.split()
            if kind == "blob" and blob in wanted:
                sizes[blob] = int(size)
    return sizes


def read_ancestors(listed: Path, commit: str) -> set[str]:
    """Return the commit and its ancestors among those that `rev-list --parents` listed."""
    lines = map(str.split, listed.read_text().splitlines())
    parents = {id_: above for id_, *above in lines}
    found: set[str] = set()
    waiting = [commit]
    while waiting:
        id_ = waiting.pop()
        if id_ in parents and id_ not in found:
            found.add(id_)
            waiting += parents[id_]
    return found
