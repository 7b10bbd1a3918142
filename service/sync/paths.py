"""Which paths of a git tree may be those of documents.

git's own checks (`fetch.fsckObjects`) are off, because they refuse whole repositories for faults in
old commits. Without them a tree may list any path, so each is checked here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# Bytes of UTF-8: a key of PostgreSQL's index of paths can have 2,704.
MAX_PATH_BYTES: Final = 1024
# Limits the depth of the file tree, because its readers recurse. orjson, which writes it here,
# allows 254 levels: two for each folder.
MAX_PATH_FOLDERS: Final = 100

# A path that begins or ends with a slash, or has an empty part, . or ..
_RELATIVE: Final = re.compile(r"(?:^|/)\.{0,2}(?:/|$)")
# A part that is .git for a file system: NTFS takes `git~1`, trailing dots and spaces, `:stream` and
# backslashes; HFS+ ignores the characters of _IGNORABLE. git's fsck refuses the same names.
_DOT_GIT: Final = re.compile(
    r"(?:^|[/\\])(?:\.git|git~1)[ .]*(?::[^/\\]*)?(?:[/\\]|$)", re.IGNORECASE
)
_IGNORABLE: Final = re.compile("[\\u200c-\\u200f\\u202a-\\u202e\\u206a-\\u206f\\ufeff]")

LISTED_TWICE: Final = "is listed more than once in its folder"
IN_A_FILE: Final = "is in a folder that has the name of a document"


def why_refused(raw: bytes, path: str) -> str | None:
    """Return why no document may have this path, given as git has it and decoded; None if it may.

    The reason continues a sentence that begins with the path.
    """
    if path.encode() != raw:
        return "has a name that is not valid UTF-8"
    if len(raw) > MAX_PATH_BYTES:
        return f"has a path of more than {MAX_PATH_BYTES:,} bytes"
    if raw.count(b"/") > MAX_PATH_FOLDERS:
        return f"is more than {MAX_PATH_FOLDERS} folders deep"
    if _RELATIVE.search(path):
        return "has a path with an empty part, . or .."
    if _DOT_GIT.search(path if path.isascii() else _IGNORABLE.sub("", path)):
        return "has a path with .git in it"
    return None


def find_folders_named_as_files(paths: Iterable[str]) -> set[str]:
    """Return the folders of these files whose path, or whose parent's path, is that of a file."""
    files = set(paths)
    # Folder by folder, since a tree of 50,000 files has few of them.
    is_in_file: dict[str, bool] = {"": False}

    def check(folder: str) -> bool:
        if folder not in is_in_file:
            is_in_file[folder] = folder in files or check(folder.rpartition("/")[0])
        return is_in_file[folder]

    return {folder for folder in {file.rpartition("/")[0] for file in files} if check(folder)}
