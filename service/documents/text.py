"""A document's type, by its path, and its text, decoded from the file's bytes.

A change here has to raise READER_VERSION in service/documents/metadata.py.
"""

import codecs
import posixpath
from collections.abc import Mapping
from typing import Final, NamedTuple

from service.characters import UNSTORABLE, count_beyond_ascii, count_controls, json_bytes

# By suffix. The front end uses the same names of types.
FILE_TYPES: Final[Mapping[str, str]] = {
    ".md": "md",
    ".markdown": "md",
    ".txt": "txt",
    ".csv": "csv",
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".toml": "toml",
}

# Where the BMAD Method keeps its tickets from version 7 on. Other TOML files are settings of tools.
TOML_NAME: Final = "tickets.toml"

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "md": "text/markdown",
    "txt": "text/plain",
    "csv": "text/csv",
    "yaml": "application/yaml",
    "json": "application/json",
    "toml": "application/toml",
}

# The first line of a Git LFS pointer, and its size limit in bytes, by the specification of Git LFS.
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1"
LFS_POINTER_SIZE = 1024


# The encoding of an ASCII text with a few bytes that are no characters of UTF-8.
UNKNOWN = "unknown"

# The shares of a text that may be NUL, other control characters and broken characters: of a text
# that has NUL or is in a known encoding, and of one whose encoding is not known.
DAMAGE_ALLOWED = 1 / 10
UNKNOWN_ALLOWED = 1 / 200

# The most bytes that a text may have as a string of JSON, in which the API sends it. A control
# character takes six there, and a line end or a quote two: only a text that consists mostly of
# control characters is larger than this and has no more than 5 MB.
MAX_JSON_BYTES = 12_000_000


class Unreadable(Exception):
    """A file has no text to show; `str()` is the reason, for the list of skipped files."""


class DocumentText(NamedTuple):
    """The text of a file, with its line ends unchanged.

    `is_exact` says that `text` encoded as UTF-8 gives the file's bytes; a file with a byte order
    mark is not exact. `encoding` is Python's name for the file's encoding, or UNKNOWN. `replaced`
    counts the characters U+FFFD that stand for NUL and for bytes that are no characters.
    """

    text: str
    is_exact: bool
    encoding: str
    replaced: int = 0


def file_type_of(path: str) -> str | None:
    """Return a value of FILE_TYPES by the path's suffix; None if the file is not a document.

    A file whose whole name looks like a suffix, such as `.json`, is a hidden file, not a document.
    Of TOML files, only those named TOML_NAME are documents.
    """
    file_type = FILE_TYPES.get(posixpath.splitext(path)[1].lower())
    if file_type == "toml" and posixpath.basename(path).lower() != TOML_NAME:
        return None
    return file_type


def anchor_of_line(path: str | None, line: int | None) -> str | None:
    """Return the anchor of a line on the page of a document.

    None without a line, and for documents that are shown as text or as a table, not line by line.
    """
    if path is None or line is None or file_type_of(path) in ("md", "csv"):
        return None
    return f"L{line}"


def anchor_of_problem(path: str | None, line: int | None) -> str | None:
    """Return the anchor of a problem at a line on the page of its document; None without a line.

    That of the line. Where the page has no lines, it is where the page says what the problem is,
    from where a link leads to the section; no document has such an anchor of its own.
    """
    if path is None or line is None:
        return None
    return anchor_of_line(path, line) or f"hub-line-{line}"


def read_text(content: bytes) -> DocumentText:
    """Return the text of a file in UTF-8, UTF-16 with a byte order mark, or plainly windows-1252.

    A text may have NUL, which PostgreSQL cannot store, and bytes that are no characters, if they
    are few: U+FFFD stands for them. Raises Unreadable for other encodings, for binary files, and
    for a Git LFS pointer, which would be shown in place of the document, and for a text of more
    than MAX_JSON_BYTES.
    """
    text = _decode(content)
    size = json_bytes(content if text.is_exact else text.text)
    if size > MAX_JSON_BYTES:
        raise Unreadable(
            f"has more than {MAX_JSON_BYTES / 1e6:g} MB as JSON: it consists mostly of control "
            "characters"
        )
    return text


def _decode(content: bytes) -> DocumentText:
    # UTF-32 first, because its little-endian byte order mark begins with that of UTF-16.
    if content.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        raise Unreadable("is UTF-32, not UTF-8")
    if content.startswith(codecs.BOM_UTF16_LE):
        return _read_utf16(content, "utf-16-le")
    if content.startswith(codecs.BOM_UTF16_BE):
        return _read_utf16(content, "utf-16-be")
    if len(content) < LFS_POINTER_SIZE and content.startswith(LFS_POINTER):
        raise Unreadable("is a Git LFS pointer: its content is not in the repository")
    has_mark = content.startswith(codecs.BOM_UTF8)
    encoding = "utf-8-sig" if has_mark else "utf-8"
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _read_broken(content, error.start, encoding)
    if "\0" not in text:
        return DocumentText(text, not has_mark, encoding)
    if _is_damaged(text, 0):
        # Latin letters in UTF-16 and UTF-32 have NUL in every other byte, or in more of them.
        is_wide = len(content) > 4 and 2 * content.count(b"\0") >= len(content) - 1
        raise Unreadable("contains NUL bytes" + (": it may be UTF-16 without a mark" * is_wide))
    return _replace(text, encoding, 0)


def _read_utf16(content: bytes, encoding: str) -> DocumentText:
    encoded = content[len(codecs.BOM_UTF16) :]
    text = encoded.decode(encoding, errors="replace")
    broken = text.count("\ufffd") - encoded.decode(encoding, errors="ignore").count("\ufffd")
    if (broken or "\0" in text) and _is_damaged(text, broken):
        raise Unreadable("is not valid UTF-16")
    return _replace(text, encoding, broken)


def _read_broken(content: bytes, start: int, encoding: str) -> DocumentText:
    """Return the text of bytes that are not UTF-8, from `start` on; raise Unreadable."""
    text = content.decode(errors="replace")
    broken = text.count("\ufffd") - content.count("\ufffd".encode())
    intact = count_beyond_ascii(text) - broken
    # In another encoding, bytes are characters of UTF-8 only by chance.
    if (intact >= broken or encoding == "utf-8-sig") and not _is_damaged(text, broken):
        return _replace(text, encoding, broken)
    from service.documents.windows_1252 import read_windows_1252  # few repositories need it

    if (other := read_windows_1252(content)) is not None:
        return _replace(other, "windows-1252", 0)
    if broken + count_controls(text) <= UNKNOWN_ALLOWED * len(text):
        return _replace(text, UNKNOWN, broken)
    line = content.count(b"\n", 0, start) + 1
    raise Unreadable(f"is not valid UTF-8 (line {line}), and its encoding is not known")


def _is_damaged(text: str, broken: int) -> bool:
    return broken + count_controls(text) > DAMAGE_ALLOWED * len(text)


def _replace(text: str, encoding: str, broken: int) -> DocumentText:
    stored, count = UNSTORABLE.subn("\ufffd", text)
    return DocumentText(stored, is_exact=False, encoding=encoding, replaced=broken + count)
