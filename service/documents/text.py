"""A document's type, by its path, and its text, decoded from the file's bytes.

A change here has to raise READER_VERSION in service/documents/metadata.py.
"""

import codecs
import posixpath
from collections.abc import Mapping
from typing import Final, NamedTuple

# By suffix. The front end uses the same names of types.
FILE_TYPES: Final[Mapping[str, str]] = {
    ".md": "md",
    ".markdown": "md",
    ".txt": "txt",
    ".csv": "csv",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
}

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "md": "text/markdown",
    "txt": "text/plain",
    "csv": "text/csv",
    "yaml": "application/yaml",
    "json": "application/json",
}

# The first line of a Git LFS pointer, and its size limit in bytes, by the specification of Git LFS.
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
LFS_POINTER_SIZE = 1024


class Unreadable(Exception):
    """A file has no text to show; `str()` is the reason, for the list of skipped files."""


class DocumentText(NamedTuple):
    """The text of a file, with its line ends unchanged.

    `is_exact` says that `text` encoded as UTF-8 gives the file's bytes; a file with a byte order
    mark is not exact. `encoding` is Python's name for the file's encoding.
    """

    text: str
    is_exact: bool
    encoding: str


def file_type_of(path: str) -> str | None:
    """Return a value of FILE_TYPES by the path's suffix; None if the file is not a document.

    A file whose whole name looks like a suffix, such as `.json`, is a hidden file, not a document.
    """
    return FILE_TYPES.get(posixpath.splitext(path)[1].lower())


def read_text(content: bytes) -> DocumentText:
    """Return the text of a file in UTF-8, or in UTF-16 with a byte order mark.

    Raises Unreadable for any other encoding, for NUL, which PostgreSQL's text cannot store, and for
    a Git LFS pointer, which would be shown in place of the document.
    """
    # UTF-32 first, because its little-endian byte order mark begins with that of UTF-16.
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Unreadable("is UTF-32, not UTF-8")
    if content.startswith(codecs.BOM_UTF16_LE):
        return _read_utf16(content, "utf-16-le")
    if content.startswith(codecs.BOM_UTF16_BE):
        return _read_utf16(content, "utf-16-be")
    if len(content) < LFS_POINTER_SIZE and content.startswith(LFS_POINTER):
        raise Unreadable("is a Git LFS pointer: its content is not in the repository")
    if b"\0" in content:
        raise Unreadable("contains NUL bytes")
    has_mark = content.startswith(codecs.BOM_UTF8)
    encoding = "utf-8-sig" if has_mark else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        # `error.object`, not `content`: utf-8-sig counts bytes from after the byte order mark.
        line = error.object.count(b"\n", 0, error.start) + 1
        raise Unreadable(f"is not valid UTF-8 (line {line})") from error
    return DocumentText(text, not has_mark, encoding)


def _read_utf16(content: bytes, encoding: str) -> DocumentText:
    if len(content) % 2:
        raise Unreadable("is not valid UTF-16: half a character is missing at its end")
    try:
        text = content[len(codecs.BOM_UTF16) :].decode(encoding)
    except UnicodeDecodeError as error:
        raise Unreadable("is not valid UTF-16") from error
    if "\0" in text:
        raise Unreadable("contains NUL characters")
    return DocumentText(text, is_exact=False, encoding=encoding)
