"""GitHub's anchors for the headings of a Markdown text."""

import re
import unicodedata
from functools import lru_cache

MAX_ANCHOR = 1_000  # GitHub has no limit; a longer anchor is cut, and links to it lead nowhere

NOT_IN_ASCII_ANCHOR = re.compile(r"[^a-z0-9_\- ]")
# Letters, marks, digits and connecting punctuation. GitHub drops other numbers, such as fractions,
# and all symbols but letters in circles and squares.
IN_ANCHOR = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "Pc"))
CIRCLED_LETTERS = (
    ("\u24b6", "\u24e9"),
    ("\U0001f130", "\U0001f149"),
    ("\U0001f150", "\U0001f169"),
    ("\U0001f170", "\U0001f189"),
)


def anchor_of(text: str) -> str:
    """Return GitHub's anchor for a heading with this text, before it is made unique.

    The rules are those of https://github.com/Flet/github-slugger, whose authors compared them with
    GitHub character by character.
    """
    text = text.lower()
    if text.isascii():
        text = NOT_IN_ASCII_ANCHOR.sub("", text)
    else:
        text = "".join(filter(_is_in_anchor, text))
    return text.replace(" ", "-")[:MAX_ANCHOR]


def unique_anchor(anchor: str, taken: dict[str, int]) -> str:
    """Return the anchor, followed by -1, -2, … if it is `taken`, and add the result to `taken`.

    A number is skipped if the result is taken, too: the headings "a", "a-1", "a"
    get the anchors a, a-1, a-2.
    """
    unique = anchor
    while unique in taken:
        taken[anchor] += 1
        unique = f"{anchor}-{taken[anchor]}"
    taken[unique] = 0
    return unique


@lru_cache(maxsize=4096)
def _is_in_anchor(character: str) -> bool:
    return (
        character in "- "
        or unicodedata.category(character) in IN_ANCHOR
        or any(first <= character <= last for first, last in CIRCLED_LETTERS)
    )
