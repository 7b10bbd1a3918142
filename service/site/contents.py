"""The table of contents of a document: a nested list of links to its headings."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from service.web.page_addresses import UNESCAPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.documents.headings import Heading

# More than a person looks through: a longer table leaves out the lower levels first.
MAX_ENTRIES: Final = 200
# Fewer need no table.
MIN_ENTRIES: Final = 2


def write_contents(headings: Sequence[Heading]) -> str:
    """Return the table as HTML, an `ol` in which each heading's list is inside its own item.

    A title, the only heading of its level and the first one, is left out. Of more than MAX_ENTRIES
    headings, the table has only the upper levels, or if even these are too many, the first ones,
    and says how many are missing. Empty for fewer than MIN_ENTRIES.
    """
    shown = _without_title(headings)
    if len(shown) < MIN_ENTRIES:
        return ""
    upper = _upper_levels(shown)[:MAX_ENTRIES]
    table = _write_list(upper)
    missing = len(shown) - len(upper)
    return (
        f'{table}<p class="contents-more">and {missing:,} more headings</p>' if missing else table
    )


def _without_title(headings: Sequence[Heading]) -> Sequence[Heading]:
    if headings and all(heading.level > headings[0].level for heading in headings[1:]):
        return headings[1:]
    return headings


def _upper_levels(headings: Sequence[Heading]) -> Sequence[Heading]:
    """Return the headings down to the lowest level with which they are few enough; one at least."""
    levels = sorted({heading.level for heading in headings})
    while len(headings) > MAX_ENTRIES and len(levels) > 1:
        levels.pop()
        headings = [heading for heading in headings if heading.level <= levels[-1]]
    return headings


def _write_list(headings: Sequence[Heading]) -> str:
    parts: list[str] = []
    opened: list[int] = []  # the levels of the items that are open
    for heading in headings:
        closed = 0
        while opened and opened[-1] >= heading.level:
            opened.pop()
            closed += 1
        # The last one closed has the same list as this heading.
        parts.append("</li></ol>" * (closed - 1) + "</li>" if closed else "<ol>")
        opened.append(heading.level)
        reference = escape(quote(heading.anchor, safe=UNESCAPED))
        text = escape(heading.text) or "(without a text)"
        parts.append(f'<li><a href="#{reference}">{text}</a>')
    parts.append("</li></ol>" * len(opened))
    return "".join(parts)
