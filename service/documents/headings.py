"""The headings of a Markdown text and their anchors, as GitHub shows them.

pyromark renders the text to HTML, so that headings in lists, quotes and raw HTML are found too.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import pyromark

from service.characters import one_line, replace_unstorable

MAX_HEADINGS = 2_000
MAX_HEADING_TEXT = 300  # characters
MAX_ANCHOR = 1_000  # GitHub has no limit; a longer anchor is cut, and links to it lead nowhere
MAX_HEADING_HTML = 4_000

# GitHub's extensions of CommonMark, as far as they change which lines are headings, or their text.
GITHUB_SYNTAX = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_GFM
)

# None of these patterns matches beyond the next `<` or `>`, so that no text takes quadratic time.
COMMENT_OR_HEADING = re.compile(r"<(?:!--|(/?)[hH]([1-6])(?=[\s/>]))")
TAG = re.compile(r"<[^<>]*>")
LINE_BREAK = re.compile(r"<br\b[^<>]*>", re.IGNORECASE)
ALTERNATIVE_TEXT = re.compile(r"<img\b[^<>]*?\balt=[\"']([^\"'<>]+)", re.IGNORECASE)
FOOTNOTE = re.compile(r'<sup class="footnote-reference"><a href="[^"<>]*">[^<>]*</a></sup>')

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


class Heading(NamedTuple):
    """One heading: its level, and the HTML between its tags."""

    level: int
    html: str


def read_headings(body: str) -> list[dict[str, Any]]:
    """Return the headings of a Markdown text in order, each with `level`, `text` and `anchor`.

    A heading with neither text nor an image's alternative text is left out, but its anchor still
    numbers later equal anchors.
    """
    headings: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for heading in islice(_find_headings(pyromark.html(body, options=GITHUB_SYNTAX)), MAX_HEADINGS):
        plain = _plain_text(heading.html)
        anchor = unique_anchor(anchor_of(plain), taken)
        if "<" in heading.html:
            plain = _plain_text(LINE_BREAK.sub(" ", FOOTNOTE.sub("", heading.html)))
        text = one_line(plain, MAX_HEADING_TEXT)
        if not text and (image := ALTERNATIVE_TEXT.search(heading.html)):
            text = one_line(html.unescape(image[1]), MAX_HEADING_TEXT)
        if text:
            headings.append({"level": heading.level, "text": text, "anchor": anchor})
    return headings


def _find_headings(page: str) -> Iterator[Heading]:
    # Any heading's end tag closes a heading, and so does the next start tag, as in a browser.
    level = 0
    parts: list[str] = []
    position = 0
    while mark := COMMENT_OR_HEADING.search(page, position):
        if level:
            parts.append(page[position : min(mark.start(), position + MAX_HEADING_HTML)])
        is_comment = mark[2] is None
        end = page.find("-->", mark.start() + 2) if is_comment else page.find(">", mark.end())
        if not is_comment:
            if level:
                yield Heading(level, "".join(parts)[:MAX_HEADING_HTML])
            level = 0 if mark[1] else int(mark[2])
            parts = []
        if end == -1:
            return  # an unclosed comment or tag swallows the rest of the page
        position = end + (3 if is_comment else 1)
    if level:
        yield Heading(level, page[position : position + MAX_HEADING_HTML])


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


def _is_in_anchor(character: str) -> bool:
    return (
        character in "- "
        or unicodedata.category(character) in IN_ANCHOR
        or any(first <= character <= last for first, last in CIRCLED_LETTERS)
    )


def _plain_text(fragment: str) -> str:
    if "<" in fragment:
        fragment = TAG.sub("", fragment)
    return replace_unstorable(html.unescape(fragment)) if "&" in fragment else fragment
