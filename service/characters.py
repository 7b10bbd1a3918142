"""Characters that text from outside may not contain, and functions that replace or squeeze them.

Documents are read with these patterns and functions: a change of one increments READER_VERSION.
"""

import re
from typing import Final

# PostgreSQL's text and jsonb can store neither NUL nor a lone surrogate, which JSON can escape.
UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")

_CONTROLS = r"\x00-\x1f\x7f-\x9f"  # C0, DEL and C1
CONTROL: Final = re.compile(rf"[{_CONTROLS}]")

# The same, and Unicode's separators of lines and of paragraphs.
CONTROL_OR_LINE_END: Final = re.compile(rf"[{_CONTROLS}\u2028\u2029]")

# The same, invisible characters, marks that change the direction of text, and U+FFFD, which stands
# for bytes that could not be decoded.
UNPRINTABLE: Final = re.compile(
    rf"[{_CONTROLS}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffd]"
)

# C0 and DEL, but for white space and escape, which text may have.
CONTROL_BUT_SPACE: Final = re.compile(r"[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]")

BEYOND_ASCII: Final = re.compile(r"[^\0-\x7f]")

# The characters that JSON escapes with one more (RFC 8259, 7), and those that it writes as \u00XX.
_ESCAPED_SHORT: Final = b'"\\\b\t\n\f\r'
_ESCAPED_LONG: Final = bytes(set(range(0x20)) - set(_ESCAPED_SHORT))


def replace_unstorable(text: str) -> str:
    """Return the text with U+FFFD in place of each character that PostgreSQL cannot store."""
    if text.isascii() and "\0" not in text:
        return text
    return UNSTORABLE.sub("\ufffd", text)


def one_line(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text, each run of white space as one space."""
    # Cut first: the text may have megabytes.
    return " ".join(text[: 10 * limit].split())[:limit].rstrip()


def json_bytes(text: str | bytes) -> int:
    """Return the bytes of a text, or of its UTF-8, as a string of JSON, without building that."""
    utf8 = text.encode() if isinstance(text, str) else text
    without_long = utf8.translate(None, _ESCAPED_LONG)
    escaped_short = len(without_long) - len(without_long.translate(None, _ESCAPED_SHORT))
    return 2 + len(utf8) + escaped_short + 5 * (len(utf8) - len(without_long))
