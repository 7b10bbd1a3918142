"""The outline of a Markdown text: its headings, and the anchors in its raw HTML.

Both are read from the tags of the HTML that GitHub's parser renders, so that headings in lists,
quotes and raw HTML are found too.
"""

import html
import re
from bisect import bisect_right
from functools import cached_property
from typing import Final, NamedTuple

from service.characters import json_bytes
from service.documents.anchors import anchor_of, unique_anchor
from service.documents.headings import MAX_HEADING_TEXT, Heading, OpenHeading
from service.documents.html_tags import Tag, find_tags, page_of_raw_html, read_attributes
from service.documents.page_text import BLOCK, HEADING, reduce_page, reduce_tag

MAX_HEADINGS = 2_000
# Bytes of all headings and anchors as JSON.
MAX_OUTLINE_BYTES = 512_000
HEADING_FRAME_BYTES = 40  # of a heading besides its texts
# The most bytes that JSON has of a heading's text and anchor for each character of its element.
JSON_PER_CHARACTER: Final = 12
MAX_HTML_ANCHORS = 2_000
MAX_HTML_ANCHOR = 300  # longer ones are left out

HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
SOURCE_POSITION: Final = re.compile(r' data-sourcepos="?([0-9]{1,9}):[0-9]+-([0-9]{1,9}):[0-9]+"?')
SOURCE_LINE_END: Final = re.compile(r"\r\n|\r|\n")
HEADING_ELEMENT: Final = re.compile(
    r'<h([1-6]) data-sourcepos="([0-9]{1,9}):[^"]*">(.*?)</h\1>', re.DOTALL
)
END_OF_BLOCK: Final = re.compile("</(?:p|pre|h[1-6])>")
HTML_ANCHOR: Final = re.compile(r"\b(?:id|name)\b", re.IGNORECASE)
# Here `name` is no anchor but the name of a field, or of what <meta> says.
NAMED_OTHERWISE: Final = frozenset(
    ("button", "form", "input", "map", "meta", "object", "output", "param", "select", "slot")
)
UNCLOSED_TAG: Final = re.compile("</?[a-zA-Z]")  # no comment
# Of those that are not PLAIN_TAG, roughly.
SIMPLE_TAG: Final = re.compile("<(?!/?[a-z0-9]+(?: data-sourcepos=[0-9:-]+)?>)[^<>]*+>")
# As cmark-gfm writes them.
FOOTNOTES = ' class="footnotes" data-footnotes'


class Outline(NamedTuple):
    """What links into a Markdown text lead to, in order, and the page between the headings.

    There is a maximum of headings and anchors. `html_anchors` has the values of `id` and `name` in
    the raw HTML, each once. `page` is HTML for page_text.texts_of: HEADING stands for each heading,
    followed by what it shows besides its text here, such as an image. `rest` is the Markdown that
    the parser's limits leave out. `html` is the whole page as the parser has rendered it, for
    read_blocks. `anchors` has those of all headings in order, of headings without text too.
    """

    headings: list[Heading]
    html_anchors: list[str]
    page: str
    has_raw_html: bool
    rest: str
    html: str
    anchors: list[str]


def read_outline(body: str) -> Outline:
    """Return the headings of a Markdown text, the anchors in its raw HTML, and its page.

    A heading with neither text nor an image's alternative text is left out, but its anchor still
    numbers later equal anchors. `body` must not have lone surrogates.
    """
    # Imported here, for the library takes memory that a process without syncs does not need.
    from service.documents.markdown import render_markdown

    return outline_of(body, *render_markdown(body))


def outline_of(body: str, page: str, rest: str) -> Outline:
    """Return the outline of a Markdown text from its HTML, or its first lines' from theirs."""
    if "<" not in body:
        # Without raw HTML every tag is the parser's own: only its headings lead anywhere.
        taken: dict[str, int] = {}
        headings, cut = _read_headings(page, taken)
        return Outline(
            headings, [], cut, has_raw_html=False, rest=rest, html=page, anchors=[*taken]
        )
    reader = _OutlineReader(body, page_of_raw_html(body, page))
    reader.read()
    cut = reduce_page("".join(reader.cut))
    return Outline(
        reader.headings,
        reader.html_anchors,
        cut,
        has_raw_html=True,
        rest=rest,
        html=page,
        anchors=[*reader.taken],
    )


def _read_headings(page: str, taken: dict[str, int]) -> tuple[list[Heading], str]:
    headings: list[Heading] = []
    room = _Room()
    fits = JSON_PER_CHARACTER * len(page) <= MAX_OUTLINE_BYTES  # most pages: nothing to count
    text, *parts = HEADING_ELEMENT.split(page, MAX_HEADINGS)
    cut = [text]
    for level, line, content, text in zip(*[iter(parts)] * 4, strict=True):
        is_whole = True
        if "<" in content or len(content) >= MAX_HEADING_TEXT:
            opened = OpenHeading(int(level), int(line))
            start = 0
            for tag in find_tags(content):
                opened.add_text(content[start : tag.start])
                opened.add_tag(tag)
                start = tag.end
            opened.add_text(content[start:])
            heading = opened.close(taken)
            is_whole = opened.is_whole
        else:  # most headings, several times as fast
            shown = html.unescape(content)
            anchor = unique_anchor(anchor_of(shown), taken)
            heading = Heading(int(level), " ".join(shown.split()), anchor, int(line))
        if heading.text and (fits or room.has_for_heading(heading)):
            headings.append(heading)
            cut += [HEADING] if is_whole else [HEADING, content, BLOCK]
        else:
            cut += [BLOCK, content, BLOCK]
        cut.append(text)
    return headings, "".join(cut)


class _Room:
    """What is left of MAX_OUTLINE_BYTES: nothing, once a heading or an anchor had no room."""

    def __init__(self) -> None:
        self._bytes = MAX_OUTLINE_BYTES

    def has_for_heading(self, heading: Heading) -> bool:
        self._bytes -= json_bytes(heading.text) + json_bytes(heading.anchor) + HEADING_FRAME_BYTES
        return self._bytes >= 0

    def has_for_anchor(self, anchor: str) -> bool:
        self._bytes -= json_bytes(anchor)
        return self._bytes >= 0


class _OutlineReader:
    """Reads a page tag by tag. Any heading's tag ends the heading before it, as in a browser."""

    def __init__(self, source: str, page: str) -> None:
        self.headings: list[Heading] = []
        self.html_anchors: list[str] = []
        self.cut: list[str] = []  # pieces of Outline.page
        self._source = source
        self._page = page
        self.taken: dict[str, int] = {}
        self._room = _Room()
        self._html_anchors: dict[str, None] = {}
        self._is_in_footnotes = False
        self._has_own_positions = "data-sourcepos" in source
        self._raw_heading_end = 0  # in the page
        self._searched = 0  # in the source

    def read(self) -> None:
        heading: OpenHeading | None = None
        cut_at = 0  # the place in `cut` of that heading
        count = 0
        text_start = 0
        tag: Tag | None = None
        for tag in find_tags(self._page):
            text = self._page[text_start : tag.start]
            self.cut.append(text)
            if heading:
                heading.add_text(text)
            text_start = tag.end
            if tag.name in HEADINGS:
                if heading:
                    self._close(heading, cut_at)
                    heading = None
                if not tag.is_end and count < MAX_HEADINGS:
                    heading = OpenHeading(HEADINGS[tag.name], self._line_of(tag))
                    cut_at = len(self.cut)
                    count += 1
                self.cut.append(BLOCK)
            else:
                if heading:
                    heading.add_tag(tag)
                self.cut.append(reduce_tag(tag))
            if tag.attributes and not tag.is_end:
                self._read_anchors(tag)
        text = self._page[text_start:]
        self.cut.append(text)
        if heading:
            heading.add_text(text)
            self._close(heading, cut_at)
        if tag and not tag.name and UNCLOSED_TAG.match(self._page, tag.start):
            # A browser shows nothing after a tag that is never closed. Search finds it.
            self.cut.append(SIMPLE_TAG.sub(" ", self._page[tag.start :]))
        self.html_anchors = [
            anchor for anchor in self._html_anchors if self._room.has_for_anchor(anchor)
        ]

    def _close(self, opened: OpenHeading, cut_at: int) -> None:
        heading = opened.close(self.taken)
        if heading.text and self._room.has_for_heading(heading):
            self.headings.append(heading)
            self.cut[cut_at] = HEADING
            if opened.is_whole:
                del self.cut[cut_at + 1 :]

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
        found = self._source.find(SOURCE_LINE_END.split(written, 1)[0], start)
        self._searched = start if found == -1 else found + 1
        return bisect_right(self._line_starts, self._searched)

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(end.end() for end in SOURCE_LINE_END.finditer(self._source))]
