"""The headings of a Markdown text, and the anchors in its raw HTML.

Both are read from the tags of the HTML that GitHub's parser renders, so that headings in lists,
quotes and raw HTML are found too.
"""

import html
import re
from bisect import bisect_right
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple

from service.characters import json_bytes, one_line
from service.documents.anchors import anchor_of, unique_anchor
from service.documents.html_tags import (
    PLAIN_TAG,
    Tag,
    find_tags,
    read_attributes,
    without_templates,
)

MAX_HEADINGS = 2_000
MAX_HEADING_TEXT = 300  # characters
MAX_HEADING_HTML = 4_000
# Bytes of all headings and anchors as JSON.
MAX_OUTLINE_BYTES = 512_000
HEADING_FRAME_BYTES = 40  # of a heading besides its texts
MAX_HTML_ANCHORS = 2_000
MAX_HTML_ANCHOR = 300  # longer ones are left out

HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
SOURCE_POSITION: Final = re.compile(r' data-sourcepos="?([0-9]{1,9}):[0-9]+-([0-9]{1,9}):[0-9]+"?')
QUOTED_POSITION: Final = re.compile(r' data-sourcepos="([0-9:-]+)"')
LINE_END: Final = re.compile(r"\r\n|\r|\n")
HEADING_ELEMENT: Final = re.compile(
    r'<h([1-6]) data-sourcepos="([0-9]{1,9}):[^"]*">(.*?)</h\1>', re.DOTALL
)
END_OF_BLOCK: Final = re.compile("</(?:p|pre|h[1-6])>")
HTML_ANCHOR: Final = re.compile(r"\b(?:id|name)\b", re.IGNORECASE)
# Here `name` is no anchor but the name of a field, or of what <meta> says.
NAMED_OTHERWISE: Final = frozenset(
    ("button", "form", "input", "map", "meta", "object", "output", "param", "select", "slot")
)
# As cmark-gfm writes them.
FOOTNOTE_REFERENCE = ' class="footnote-ref"'
FOOTNOTES = ' class="footnotes" data-footnotes'


class Heading(NamedTuple):
    """A heading as GitHub shows it; `line` counts the lines of the text from 1."""

    level: int
    text: str
    anchor: str
    line: int


class Outline(NamedTuple):
    """What links into a Markdown text lead to, in order, up to a maximum of each.

    `html_anchors` has the values of `id` and `name` in the raw HTML, each once.
    """

    headings: list[Heading]
    html_anchors: list[str]


def read_outline(body: str) -> Outline:
    """Return the headings of a Markdown text, and the anchors in its raw HTML.

    A heading with neither text nor an image's alternative text is left out, but its anchor still
    numbers later equal anchors. `body` must not have lone surrogates.
    """
    outline = _read_page(body)
    size = 0
    for count, heading in enumerate(outline.headings):
        size += json_bytes(heading.text) + json_bytes(heading.anchor) + HEADING_FRAME_BYTES
        if size > MAX_OUTLINE_BYTES:
            return Outline(outline.headings[:count], [])
    for count, anchor in enumerate(outline.html_anchors):
        size += json_bytes(anchor)
        if size > MAX_OUTLINE_BYTES:
            return Outline(outline.headings, outline.html_anchors[:count])
    return outline


def _read_page(body: str) -> Outline:
    # Imported here, for the library takes memory that a process without syncs does not need.
    from service.documents.markdown import render_markdown

    page = render_markdown(body)
    if "<" not in body:
        # Without raw HTML every tag is the parser's own: only its headings lead anywhere.
        return Outline(_read_headings(page), [])
    if "data-sourcepos" not in body:
        # GitHub has no positions: their quotes must not close one that raw HTML leaves open.
        page = QUOTED_POSITION.sub(r" data-sourcepos=\1", page)
    return _OutlineReader(body, without_templates(page)).read()


def _read_headings(page: str) -> list[Heading]:
    taken: dict[str, int] = {}
    headings: list[Heading] = []
    for element in islice(HEADING_ELEMENT.finditer(page), MAX_HEADINGS):
        level, line, content = element.groups()
        heading = _OpenHeading(int(level), int(line))
        start = 0
        if "<" in content:
            for tag in find_tags(content):
                heading.add_text(content[start : tag.start])
                heading.add_tag(tag)
                start = tag.end
        heading.add_text(content[start:])
        headings.append(heading.close(taken))
    return [heading for heading in headings if heading.text]


class _OpenHeading:
    """A heading whose end has not been reached: the text of its anchor, and the text to show."""

    def __init__(self, level: int, line: int) -> None:
        self.level = level
        self.line = line
        self._text: list[str] = []
        self._shown: list[str] = []
        self._size = 0
        self._is_in_footnote = False
        self._image = ""

    def add_text(self, fragment: str) -> None:
        fragment = fragment[: MAX_HEADING_HTML - self._size]
        self._size += len(fragment)
        text = html.unescape(PLAIN_TAG.sub("", fragment) if "<" in fragment else fragment)
        self._text.append(text)
        if not self._is_in_footnote:
            self._shown.append(text)

    def add_tag(self, tag: Tag) -> None:
        if tag.name == "br":
            self._shown.append(" ")
        elif tag.name == "sup":
            self._is_in_footnote = tag.attributes == FOOTNOTE_REFERENCE
        elif tag.name == "img" and not self._image:
            self._image = one_line(read_attributes(tag).get("alt", ""), MAX_HEADING_TEXT)

    def close(self, taken: dict[str, int]) -> Heading:
        anchor = unique_anchor(anchor_of("".join(self._text)), taken)
        text = one_line("".join(self._shown), MAX_HEADING_TEXT) or self._image
        return Heading(self.level, text, anchor, self.line)


class _OutlineReader:
    """Reads a page tag by tag. Any heading's tag ends the heading before it, as in a browser."""

    def __init__(self, source: str, page: str) -> None:
        self._source = source
        self._page = page
        self._headings: list[Heading] = []
        self._html_anchors: dict[str, None] = {}
        self._is_in_footnotes = False
        self._has_own_positions = "data-sourcepos" in source
        self._raw_heading_end = 0  # in the page
        self._searched = 0  # in the source

    def read(self) -> Outline:
        heading: _OpenHeading | None = None
        taken: dict[str, int] = {}
        count = 0
        text_start = 0
        for tag in find_tags(self._page):
            if heading:
                heading.add_text(self._page[text_start : tag.start])
            text_start = tag.end
            if tag.name in HEADINGS:
                if heading:
                    self._headings.append(heading.close(taken))
                    heading = None
                if not tag.is_end and count < MAX_HEADINGS:
                    heading = _OpenHeading(HEADINGS[tag.name], self._line_of(tag))
                    count += 1
            elif heading:
                heading.add_tag(tag)
            if tag.attributes and not tag.is_end:
                self._read_anchors(tag)
        if heading:
            heading.add_text(self._page[text_start:])
            self._headings.append(heading.close(taken))
        return Outline(
            [heading for heading in self._headings if heading.text], [*self._html_anchors]
        )

    def _read_anchors(self, tag: Tag) -> None:
        if tag.attributes == FOOTNOTES:
            self._is_in_footnotes = True
        if len(self._html_anchors) >= MAX_HTML_ANCHORS or not HTML_ANCHOR.search(tag.attributes):
            return
        attributes = read_attributes(tag)
        if "data-footnote-ref" in attributes or (self._is_in_footnotes and tag.name == "li"):
            return
        anchors = [attributes.get("id")]
        if tag.name not in NAMED_OTHERWISE:
            anchors.append(attributes.get("name"))
        for anchor in anchors:
            if anchor and len(anchor) <= MAX_HTML_ANCHOR and anchor.split() == [anchor]:
                self._html_anchors[anchor] = None

    def _line_of(self, heading: Tag) -> int:
        written = self._page[heading.start : heading.end]
        position = SOURCE_POSITION.fullmatch(heading.attributes)
        if position and not (self._has_own_positions and written in self._source):
            return int(position[1])
        # Raw HTML has no position, but is in the source as it is. Look for it in the block that
        # it is in, or after the block before it.
        block = self._page.rfind(" data-sourcepos=", self._raw_heading_end, heading.start)
        self._raw_heading_end = heading.end
        start = self._searched
        if block != -1 and (position := SOURCE_POSITION.match(self._page, block)):
            is_past = END_OF_BLOCK.search(self._page, position.end(), heading.start)
            line = int(position[2]) + 1 if is_past else int(position[1])
            start = max(start, self._line_starts[min(line, len(self._line_starts)) - 1])
        found = self._source.find(LINE_END.split(written, 1)[0], start)
        self._searched = start if found == -1 else found + 1
        return bisect_right(self._line_starts, self._searched)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(end.end() for end in LINE_END.finditer(self._source))]
