"""The first lines of a Markdown text, read without the rest where that makes no difference."""

import re
from typing import Final

from service.documents.html_tags import TEMPLATE
from service.documents.outline import Outline, outline_of

# After a blank line, nothing but code and raw HTML goes on with such a line.
_HEADING_LINE: Final = re.compile(r"\n[ \t\r]*+\n(#{1,6}[ \t][^\n]*+)")
# Of a definition, "[a]: b" or "[^1]: b", which changes texts in brackets wherever they are; and of
# raw HTML that could be the parser's own.
_FAR_REACHING: Final = ("]:", "data-sourcepos")


def outline_of_first_lines(body: str, lines: int) -> Outline | None:
    """Return the outline of a Markdown text down to the first heading after so many lines.

    Its headings and its HTML are those that read_outline's begin with, and that heading is its last
    one. None if there is no such heading after a blank line, or if what comes after it may change
    what is read of the lines above it.
    """
    # Imported here, for the library takes memory that a process without syncs does not need.
    from service.documents.markdown import limit_markdown, render_limited

    if any(mark in body for mark in _FAR_REACHING):
        return None
    text, rest = limit_markdown(body)
    heading = _HEADING_LINE.search(text, _end_of_lines(text, lines))
    if heading is None:
        return None
    page = render_limited(text[: heading.end()])
    if TEMPLATE.search(page):
        return None  # it may end further below
    outline = outline_of(body, page, rest)
    # Within code or raw HTML that is still open, that line is no heading.
    line = 1 + text.count("\n", 0, heading.start(1))
    return outline if outline.headings and outline.headings[-1].line == line else None


def _end_of_lines(text: str, lines: int) -> int:
    """Return where the line end of the last of so many lines is, or the end of the text."""
    end = -1
    for _ in range(lines):
        end = text.find("\n", end + 1)
        if end == -1:
            return len(text)
    return end
