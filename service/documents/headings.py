"""A heading of Markdown, and how it is read from the tags and the texts of its element."""

import html
from typing import Final, NamedTuple

from service.characters import one_line
from service.documents.anchors import anchor_of, unique_anchor
from service.documents.html_tags import PLAIN_TAG, Tag, read_attributes

MAX_HEADING_TEXT: Final = 300  # characters
MAX_HEADING_HTML: Final = 4_000
# As cmark-gfm writes it.
FOOTNOTE_REFERENCE: Final = ' class="footnote-ref"'


class Heading(NamedTuple):
    """A heading as GitHub shows it; `line` counts the lines of the text from 1."""

    level: int
    text: str
    anchor: str
    line: int


class OpenHeading:
    """A heading whose end has not been reached: the text of its anchor, and the text to show.

    Once it is closed, `is_whole` says whether that text is all that the page shows of it.
    """

    def __init__(self, level: int, line: int) -> None:
        self.level = level
        self.line = line
        self._text: list[str] = []
        self._shown: list[str] = []
        self._size = 0
        self._is_in_footnote = False
        self._image = ""
        self._image_count = 0
        self.is_whole = False

    def add_text(self, fragment: str) -> None:
        """Add HTML that is in the element, without tags but PLAIN_TAG; beyond a limit, nothing."""
        fragment = fragment[: MAX_HEADING_HTML - self._size]
        self._size += len(fragment)
        text = html.unescape(PLAIN_TAG.sub("", fragment) if "<" in fragment else fragment)
        self._text.append(text)
        if not self._is_in_footnote:
            self._shown.append(text)

    def add_tag(self, tag: Tag) -> None:
        """Add another tag in the element: a line break, a footnote's reference, an image."""
        if tag.name == "br":
            self._shown.append(" ")
        elif tag.name == "sup":
            self._is_in_footnote = tag.attributes == FOOTNOTE_REFERENCE
        elif tag.name == "img":
            image = one_line(read_attributes(tag).get("alt", ""), MAX_HEADING_TEXT)
            self._image = self._image or image
            self._image_count += bool(image)

    def close(self, taken: dict[str, int]) -> Heading:
        """Return the heading, whose anchor is none of those in `taken`, and add it there."""
        anchor = unique_anchor(anchor_of("".join(self._text)), taken)
        shown = "".join(self._shown)
        text = one_line(shown, MAX_HEADING_TEXT)
        self.is_whole = (
            max(len(shown), len(self._image)) < MAX_HEADING_TEXT
            and self._size < MAX_HEADING_HTML
            and self._image_count <= (not text)
        )
        return Heading(self.level, text or self._image, anchor, self.line)
