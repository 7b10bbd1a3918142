"""Choose a tree's documents, and plan what a run does to make the stored documents match them.

Pure functions. They compare git's ids of contents, and need no content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.characters import json_bytes
from service.documents.text import file_type_of
from service.git.errors import GitError
from service.sync.paths import (
    IN_A_FILE,
    LISTED_TWICE,
    MAX_PATH_BYTES,
    find_folders_named_as_files,
    why_refused,
)
from service.sync.skipped import SkippedFile, SkippedFiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from service.git.objects import Entry

# What the paths of a source may have for each document that SYNC_MAX_FILES allows: bytes as JSON,
# of the paths of the documents and of their folders, and folders. git stores a chain of folders
# once, even if it stands at thousands of paths; the file tree repeats each folder's path.
PATH_BYTES_PER_FILE: Final = 320
FOLDERS_PER_FILE: Final = 2
# A smaller SYNC_MAX_FILES leaves as much room: a few documents may all be in folders of their own.
FILES_ALLOWED_FOR: Final = 1000

# Characters of a path above MAX_PATH_BYTES, or not in UTF-8, that the list of skipped files shows.
PATH_SHOWN: Final = 200

# git's modes of entries.
REGULAR_FILES: Final = ("100644", "100755")
SYMBOLIC_LINK: Final = "120000"
SUBMODULE: Final = "160000"


class WantedFile(NamedTuple):
    """A document in git: its path, its type, and git's id of its content."""

    path: str
    file_type: str
    blob_id: str

    @property
    def folder(self) -> str:
        """The path of its folder; empty at the repository's root."""
        return self.path.rpartition("/")[0]


class StoredFile(NamedTuple):
    """A document in the database: git's id of its content, and its size in bytes."""

    blob_id: str
    size: int


class Plan(NamedTuple):
    """The work of a run. The documents in none of the lists are stored as they are in git."""

    # Documents that are new or changed, or that another READER_VERSION read.
    to_read: list[WantedFile]
    # git's ids of the contents to fetch.
    to_fetch: list[str]
    # Stored documents, by path, that have the other contents, such as those of moved files.
    to_copy: dict[str, StoredFile]
    # Files that are skipped unread, because an earlier run skipped their contents.
    skipped: list[SkippedFile]


class _FileTree:
    """Counts what a source's documents make of the file tree, before any of that is built."""

    def __init__(self, max_files: int) -> None:
        allowed_for = max(max_files, FILES_ALLOWED_FOR)
        self._max_folders = FOLDERS_PER_FILE * allowed_for
        self._max_bytes = PATH_BYTES_PER_FILE * allowed_for
        self._folders: set[str] = set()
        self._bytes = 0
        self.paths: set[str] = set()

    def add(self, path: str) -> None:
        """Count the path of a document, and its folders; raise GitError if they are too many."""
        self.paths.add(path)
        self._bytes += json_bytes(path)
        folder = path.rpartition("/")[0]
        while folder and folder not in self._folders:
            self._folders.add(folder)
            self._bytes += json_bytes(folder)
            folder = folder.rpartition("/")[0]
        if len(self._folders) > self._max_folders:
            raise GitError(
                f"The documents are in more than {self._max_folders:,} folders: name a folder, or "
                "raise SYNC_MAX_FILES."
            )
        if self._bytes > self._max_bytes:
            raise GitError(
                "The paths of the documents and of their folders have more than "
                f"{self._max_bytes:,} bytes together: name a folder, or raise SYNC_MAX_FILES."
            )


def choose_files(entries: Iterable[Entry], max_files: int) -> tuple[list[WantedFile], SkippedFiles]:
    """Return the documents among a tree's entries, and the skipped files.

    A skipped file has a document's name, but cannot be one. Submodules are skipped files, too. Of
    several files with one path, the first counts, as it does for git.

    Raises GitError if there are more than `max_files` documents, or if their paths have more bytes
    or folders than the file tree may have for so many.
    """
    wanted: list[WantedFile] = []
    tree = _FileTree(max_files)
    skipped = SkippedFiles()
    count = 0
    for entry in entries:
        path = entry.path.decode(errors="replace")
        file_type = file_type_of(path)
        if reason := _why_skipped(entry, path, file_type, tree.paths):
            shown = _shown_path(entry.path, path) if skipped.has_room else path
            skipped.add(SkippedFile(shown, reason, None))
        elif file_type is not None:
            count += 1
            if count <= max_files:
                tree.add(path)
                wanted.append(WantedFile(path, file_type, entry.id))
    if count > max_files:
        raise GitError(
            f"There are {count:,} documents, and {max_files:,} are the most that the service "
            "takes: name a folder, or raise SYNC_MAX_FILES."
        )
    if hidden := find_folders_named_as_files(tree.paths):
        for file in wanted:
            if file.folder in hidden:
                skipped.add(SkippedFile(file.path, IN_A_FILE, None))
        wanted = [file for file in wanted if file.folder not in hidden]
    return wanted, skipped


def _why_skipped(
    entry: Entry, path: str, file_type: str | None, listed: AbstractSet[str]
) -> str | None:
    """Return the reason to skip a file; None for a document and for files of other types."""
    if entry.mode == SUBMODULE:
        return "is a submodule"
    if file_type is None:
        return None
    if entry.mode == SYMBOLIC_LINK:
        return "is a symbolic link"
    if entry.mode not in REGULAR_FILES:
        return f"has the unknown mode {entry.mode}"
    return why_refused(entry.path, path) or (LISTED_TWICE if path in listed else None)


def _shown_path(raw: bytes, path: str) -> str:
    """Return a path for the list of skipped files: cut, if it is none that a document may have."""
    if path.encode() != raw:  # cut first, since escaping takes a microsecond for each byte
        path = raw[: PATH_SHOWN + 1].decode(errors="backslashreplace")
    elif len(raw) <= MAX_PATH_BYTES:
        return path
    return path if len(path) <= PATH_SHOWN else f"{path[:PATH_SHOWN]}…"


def compare(
    wanted: Sequence[WantedFile],
    stored: Mapping[str, StoredFile],
    refused: Mapping[str, str],
    *,
    read_all: bool,
) -> Plan:
    """Return the plan that turns the stored documents, by path, into the wanted ones.

    `refused` maps git's ids of contents that an earlier run skipped to the reasons. With
    `read_all`, every document is read again, stored or refused.
    """
    paths = {file.blob_id: path for path, file in stored.items()}
    plan = Plan([], [], {}, [])
    for file in wanted:
        if not read_all and file.blob_id in refused:
            plan.skipped.append(SkippedFile(file.path, refused[file.blob_id], file.blob_id))
        elif read_all or file.path not in stored or stored[file.path].blob_id != file.blob_id:
            plan.to_read.append(file)
            if (path := paths.get(file.blob_id)) is None:
                plan.to_fetch.append(file.blob_id)
            else:
                plan.to_copy[path] = stored[path]
    return plan
