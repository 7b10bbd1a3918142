"""The sections of a Markdown document, as ranges of its characters, by their anchors."""

from __future__ import annotations

import re
from bisect import bisect_right
from difflib import SequenceMatcher, get_close_matches
from heapq import nlargest
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import unquote

from service.documents.anchors import anchor_of
from service.documents.front_matter import split_front_matter
from service.documents.outline import SOURCE_LINE_END, read_outline
from service.mcp.tool import FIRST_SHOWN, NEAREST_SHOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_SUGGESTED: Final = 200  # characters
# To compare two of these takes up to a millisecond; to count their common characters a fiftieth.
MAX_COMPARED: Final = 100


class AnchoredSection(NamedTuple):
    """A section with its subsections: its heading, and its characters in the document."""

    anchor: str
    heading: str
    level: int
    start: int
    end: int


class Sections:
    """The sections of a document in order, and the anchors in its raw HTML."""

    def __init__(self, content: str) -> None:
        """Read them; a large text takes a tenth of a second."""
        _, body = split_front_matter(content)
        outline = read_outline(body)
        self._content = content
        self._body_start = len(content) - len(body)
        self._html_anchors = outline.html_anchors
        found = sorted(outline.headings, key=lambda heading: heading.line)
        last_line = found[-1].line if found else 1
        ends_of_lines = islice(SOURCE_LINE_END.finditer(body), last_line)
        starts = [0, *(end.end() for end in ends_of_lines)]
        places = [
            self._body_start + starts[min(heading.line, len(starts)) - 1] for heading in found
        ]
        ends = _find_ends([heading.level for heading in found], places, len(content))
        self.all = [
            AnchoredSection(heading.anchor, heading.text, heading.level, start, end)
            for heading, start, end in zip(found, places, ends, strict=True)
        ]

    def find(self, wanted: str) -> AnchoredSection | None:
        """Return the section with an anchor, or with a heading of this text, or None.

        An anchor may be percent-encoded, as in a URL. One in raw HTML leads to its line and the
        rest of the section that it is in.
        """
        wanted = wanted.removeprefix("#").removeprefix("user-content-")
        for anchor in (wanted, anchor_of(wanted.strip()), unquote(wanted)):
            for section in self.all:
                if section.anchor == anchor:
                    return section
        return self._find_in_html(wanted) if wanted in self._html_anchors else None

    def _find_in_html(self, anchor: str) -> AnchoredSection | None:
        pattern = rf"\b(?:id|name)\s*=\s*[\"']?{re.escape(anchor)}(?=[\"'\s>/])"
        place = re.compile(pattern, re.IGNORECASE).search(self._content, self._body_start)
        if place is None:
            return None
        start = self._content.rfind("\n", 0, place.start()) + 1
        index = bisect_right([section.start for section in self.all], start)
        inside = [section for section in self.all[:index] if section.end > start]
        heading, level, end = "", 1, len(self._content)
        if inside:
            heading, level, end = inside[-1].heading, inside[-1].level, inside[-1].end
        return AnchoredSection(anchor, heading, level, start, end)

    def suggest(self, wanted: str) -> tuple[str, list[str]]:
        """Return the words before a list of anchors that may be meant instead, and that list."""
        # To compare long anchors would take seconds.
        anchors = [each.anchor for each in self.all if len(each.anchor) <= MAX_SUGGESTED]
        meant = anchor_of(wanted[:100])
        matcher = SequenceMatcher(b=meant)

        def count_common(anchor: str) -> float:
            matcher.set_seq1(anchor)
            return matcher.quick_ratio()

        likely = nlargest(MAX_COMPARED, anchors, count_common)
        near = get_close_matches(meant, likely, NEAREST_SHOWN)
        if near:
            return "The nearest are", near
        which = "The first are" if len(anchors) > FIRST_SHOWN else "There are"
        return which, anchors[:FIRST_SHOWN]


def _find_ends(levels: Sequence[int], starts: Sequence[int], length: int) -> list[int]:
    """Return where each section ends: where the next one begins that is no subsection of it."""
    ends = [length] * len(levels)
    opened: list[int] = []
    for index, level in enumerate(levels):
        while opened and levels[opened[-1]] >= level:
            ends[opened.pop()] = starts[index]
        opened.append(index)
    return ends
