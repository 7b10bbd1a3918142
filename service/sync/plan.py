"""Choose a tree's documents, and plan what a run does to make the stored documents match them.

Pure functions. They compare git's ids of contents, and need no content.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.text import file_type_of
from service.sync.paths import (
    IN_A_FILE,
    LISTED_TWICE,
    MAX_PATH_BYTES,
    find_folders_named_as_files,
    why_refused,
)
from service.sync.results import SkippedFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.git.objects import Entry

# Characters of a path above MAX_PATH_BYTES that the list of skipped files shows.
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


def choose_files(entries: Sequence[Entry]) -> tuple[list[WantedFile], list[SkippedFile]]:
    """Return the documents among a tree's entries, and the skipped files.

    A skipped file has a document's name, but cannot be one. Submodules are skipped files, too. Of
    several files with one path, the first counts, as it does for git.
    """
    wanted: list[WantedFile] = []
    listed: set[str] = set()
    skipped: list[SkippedFile] = []
    for entry in entries:
        path = entry.path.decode(errors="backslashreplace")
        shown = path if len(entry.path) <= MAX_PATH_BYTES else f"{path[:PATH_SHOWN]}…"
        file_type = file_type_of(path)
        if entry.mode == SUBMODULE:
            skipped.append(SkippedFile(shown, "is a submodule", None))
        elif file_type is None:
            continue
        elif entry.mode == SYMBOLIC_LINK:
            skipped.append(SkippedFile(shown, "is a symbolic link", None))
        elif entry.mode not in REGULAR_FILES:
            skipped.append(SkippedFile(shown, f"has the unknown mode {entry.mode}", None))
        elif reason := why_refused(entry.path, path):
            skipped.append(SkippedFile(shown, reason, None))
        elif path in listed:
            skipped.append(SkippedFile(shown, LISTED_TWICE, None))
        else:
            listed.add(path)
            wanted.append(WantedFile(path, file_type, entry.id))
    if hidden := find_folders_named_as_files(listed):
        skipped += [
            SkippedFile(file.path, IN_A_FILE, None) for file in wanted if file.folder in hidden
        ]
        wanted = [file for file in wanted if file.folder not in hidden]
    return wanted, skipped


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
