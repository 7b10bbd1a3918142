"""The tags of a page of HTML, found as a browser's tokenizer finds them.

The rules are those of the WHATWG's HTML standard, 13.2.5 (Tokenization), but for elements such as
<script>, whose content is not HTML: GitHub shows their tags as text. The patterns never give back
what they matched, so that no page takes more than linear time.
"""

import html
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

SPACE = r"[\t\n\f\r ]"
NAME = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
VALUE = r"""(?:"[^"]*+"|'[^']*+'|(?!["'])[^\t\n\f\r >]*+)"""
ATTRIBUTE: Final = re.compile(rf"({NAME})(?>{SPACE}*+={SPACE}*+({VALUE}))?+")
# A quote that is never closed fails the whole tag, as does the end of the page.
ATTRIBUTES = rf"(?>[\t\n\f\r /]++|{NAME}(?:{SPACE}*+={SPACE}*+{VALUE}|(?!{SPACE}*+=)))*+"
# Most of a page's tags, matched in a run for speed. They have neither an anchor nor a space.
PLAIN_TAG: Final = re.compile(
    r"</?(?!(?:h[1-6]|template|br|sup)[ />])[a-z][a-z0-9]*+"
    r"(?> (?:data-sourcepos=\"?+[0-9:-]++\"?+|href=\"[^\"<>]*+\"))*+(?> /)?+>"
)


def markup_between(plain: str) -> re.Pattern[str]:
    """Return a pattern for find_tags to which tags that `plain` matches are like text."""
    return re.compile(
        rf"(?>[^<]++|{plain}|<(?![a-zA-Z!?/]))*+"
        rf"(?:\Z|()<(?:(/?)([a-zA-Z][^\t\n\f\r />]*+)({ATTRIBUTES})>"
        r"|!--(?:-?>|.*?--!?>)"
        r"|(?:!(?!--)|\?|/(?![a-zA-Z]))[^>]*+>"
        r"|(?P<unclosed>[a-zA-Z!?/])))",
        re.DOTALL,
    )


MARKUP: Final = markup_between(PLAIN_TAG.pattern)
TEMPLATE = re.compile(r"<template\b", re.IGNORECASE)
# The attribute with which the parser says where an element is in the text; its quotes may be gone.
POSITION: Final = r' data-sourcepos="?[0-9:-]++"?'
QUOTED_POSITION: Final = re.compile(r' data-sourcepos="([0-9:-]+)"')


class Tag(NamedTuple):
    """`page[start:end]`; the name is in lower case, and empty for a comment."""

    name: str
    is_end: bool
    attributes: str
    start: int
    end: int


def find_tags(page: str, markup: re.Pattern[str] = MARKUP) -> Iterator[Tag]:
    """Yield the tags and comments of a page in order, but for those that are like text to `markup`.

    MARKUP leaves out PLAIN_TAG. A tag or comment that is never closed counts as a
    comment, and takes the rest of the page.
    """
    for match in markup.finditer(page):
        start, slash, name, attributes, unclosed = match.groups()
        if name:
            yield Tag(name.lower(), bool(slash), attributes, match.start(1), match.end())
        elif unclosed:
            yield Tag("", False, "", match.start(1), len(page))
            return
        elif start is not None:
            yield Tag("", False, "", match.start(1), match.end())


def read_attributes(tag: Tag) -> dict[str, str]:
    """Return a tag's attributes by name, in lower case; the first of equal names counts."""
    attributes: dict[str, str] = {}
    for name, value in ATTRIBUTE.findall(tag.attributes):
        if name.lower() not in attributes:
            is_quoted = value[:1] in {'"', "'"}
            attributes[name.lower()] = html.unescape(value[1:-1] if is_quoted else value)
    return attributes


def page_of_raw_html(source: str, page: str) -> str:
    """Return a page that Markdown with raw HTML was rendered to, as a browser reads GitHub's page.

    GitHub's page has no positions: their quotes must not close one that raw HTML leaves open.
    """
    if "data-sourcepos" not in source:
        page = QUOTED_POSITION.sub(r" data-sourcepos=\1", page)
    return without_templates(page)


def without_templates(page: str) -> str:
    """Return the page without its <template> elements, of which a browser shows nothing.

    The tag of a <template> that is never closed stays, and so does what comes after it.
    """
    if not TEMPLATE.search(page):
        return page
    unclosed: list[int] = []
    templates: list[tuple[int, int]] = []
    for tag in find_tags(page):
        if tag.name == "template":
            if not tag.is_end:
                unclosed.append(tag.start)
            elif unclosed:
                start = unclosed.pop()
                while templates and templates[-1][0] > start:
                    templates.pop()
                templates.append((start, tag.end))
    kept: list[str] = []
    position = 0
    for start, end in templates:
        kept.append(page[position:start])
        position = end
    return "".join([*kept, page[position:]])
