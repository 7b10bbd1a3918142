"""Text from outside in XML: without what XML forbids, escaped, and as short as its place allows."""

import re
from typing import Final

from service.characters import DIRECTION, one_line

# What is not a Char of XML 1.0 (2.2), C1, which it discourages, and what moves the text around it.
# A lone surrogate is among them: it could not be encoded, either.
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|" + DIRECTION.pattern
)
_ESCAPES: Final = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
)


def clean(text: str) -> str:
    """Return the text without the characters that XML 1.0 forbids or that change its direction."""
    return _FORBIDDEN.sub("", text)


def clean_line(text: str, limit: int) -> str:
    """Return at most `limit` characters of the cleaned text on one line, the last one then "…"."""
    # Cut first: the text may have megabytes.
    line = one_line(clean(text[: 10 * limit]), 10 * limit)
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def escape(text: str) -> str:
    """Return the cleaned text as XML, for the content of an element and the value of an attribute.

    In an attribute, line ends and tabs become spaces: give it one line.
    """
    return clean(text).translate(_ESCAPES)
