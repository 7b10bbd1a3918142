"""From a file's bytes to its text: which files are documents, and what cannot be shown.

A change here has to raise READER_VERSION in service/documents/metadata.py.
"""

import codecs
import posixpath
from collections.abc import Mapping
from typing import Final, NamedTuple

# The types are the words that the front end knows.
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

# How a pointer begins, and the size below which one stays (the specification of Git LFS).
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
LFS_POINTER_SIZE = 1024


class Unreadable(Exception):
    """A document cannot be shown; `str()` is the reason, for the list of skipped files."""


class DocumentText(NamedTuple):
    """What a file says, its line ends as they are.

    `is_exact` is whether `text` in UTF-8 is the file, byte for byte: so it is unless a byte order
    mark was taken off. `encoding` is Python's name of the one the file has.
    """

    text: str
    is_exact: bool
    encoding: str


def file_type_of(path: str) -> str | None:
    """Return the type of the document at `path`, one of FILE_TYPES' values; None if it is none.

    A file of which the suffix is the whole name, such as `.json`, is a hidden one, not a document.
    """
    return FILE_TYPES.get(posixpath.splitext(path)[1].lower())


def read_text(content: bytes) -> DocumentText:
    """Return the text of a file that is UTF-8, or UTF-16 with a byte order mark.

    Raises Unreadable for anything else, for NUL, which PostgreSQL's text cannot hold, and for a
    Git LFS pointer, which would be shown in place of the document.
    """
    # UTF-32's little-endian mark begins with that of UTF-16, so it is asked for first.
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
        # The codec that takes the mark off counts from behind it.
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
