"""How much of a Markdown text is shown, and its HTML.

Beyond the parser's own limits a page has its own: a browser takes seconds for a larger one.
"""

import re
from typing import Final, NamedTuple

from service.documents.markdown import LimitedMarkdown, limit_markdown, render_limited

# The largest of 48,000 real documents has 589 KB.
MAX_SHOWN: Final = 600_000  # characters
MAX_TAGS: Final = 60_000  # of the HTML
# A text is cut at a blank line, if one is among as many characters before the limit.
_NEAR: Final = 20_000
_TAGS: Final = re.compile(rf"(?:[^<]*+<){{{MAX_TAGS + 1}}}")
# HTML is cut before one of these: a row is left out as a whole, and so is an item.
_BLOCKS: Final = ("blockquote", "h", "li", "ol", "p", "table", "tr", "ul")


class Beginning(NamedTuple):
    """The HTML of a Markdown text up to the limits; `is_cut` says that there is more."""

    page: str
    is_cut: bool


def render_beginning(text: str) -> Beginning:
    """Return the parser's HTML of a Markdown text, cut before a block where a limit is reached."""
    limited = _limit(text)
    page = render_limited(limited.text)
    is_cut = len(limited.text) < len(text)
    if len(page) > MAX_TAGS and (within := _TAGS.match(page)):
        # Whatever is open there is ended by the page's writer.
        last = within.end() - 1
        block = max(page.rfind(f"\n<{name}", last - _NEAR, last) for name in _BLOCKS)
        page = page[: last if block == -1 else block + 1]
        is_cut = True
    return Beginning(page, is_cut)


def _limit(text: str) -> LimitedMarkdown:
    shown = _cut(text, MAX_SHOWN)
    limited = limit_markdown(shown)
    # A table that is too large is left out: a shorter text has its first rows.
    while len(limited.text) < len(shown) // 2:
        shown = _cut(shown, len(shown) // 2)
        limited = max(limited, limit_markdown(shown), key=lambda each: len(each.text))
    return limited


def _cut(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text
    start = limit - _NEAR if limit > _NEAR else 0
    for end in ("\n\n", "\n"):
        if (place := text.rfind(end, start, limit)) != -1:
            return text[: place + 1]
    return text[:limit]
