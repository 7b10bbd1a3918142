"""The last step of every rendering: nh3 removes what a document may not have in a page.

Why the result is harmless, twice over:

1. page_writer.py writes every tag itself, from fixed names and escaped values, and escapes every
   other `<`. None of its elements changes how a parser reads what comes after it, as <svg>,
   <style>, <noscript> or <textarea> do: so a browser finds the tags that were written, and no
   others.
2. nh3 does not rely on that. It parses the page as a browser does (html5ever), drops what is not
   listed here, and writes the tree again. Nothing changes the HTML after it. The elements listed
   here have no content that is read by other rules, so that a browser reads the same tree from it.

nh3 takes quadratic time for elements nested deeply; what comes here has a bounded depth. So it does
for one long text, since it looks for the next `<` at each `&`: such a text is given to it in parts,
with comments between them, which it removes.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Final

from service.rendering import alerts, highlighting
from service.rendering.elements import (
    ATTRIBUTES,
    BLOCKS,
    EVERYWHERE,
    FOOTNOTES_ID,
    FOREIGN_REL,
    INLINE,
    VOID,
)

if TYPE_CHECKING:
    from nh3 import Cleaner

_TAGS: Final = {*INLINE, *BLOCKS, *VOID, "input"}
CLASSES: Final = {
    "a": {"anchor", "footnote-backref", "picture"},
    "div": {"front-matter", "heading", "notice", "rendered", *alerts.CLASSES},
    "figure": {"mermaid", "table-scroll"},
    "h2": {"visually-hidden"},
    "li": {"task-list-item"},
    "p": {"markdown-alert-title"},
    "pre": {"lines"},
    "section": {"footnotes"},
    "span": {"line", "picture", *highlighting.CLASSES},
}
_ATTRIBUTES: Final = {
    "*": {"id", *EVERYWHERE},
    "a": {"aria-label", "href", "name"},
    "figure": {"aria-label"},
    "input": {"aria-label"},
    **{name: set(values) for name, values in ATTRIBUTES.items()},
}
_VALUES: Final = {
    "a": {"aria-describedby": {FOOTNOTES_ID}, "rel": {FOREIGN_REL}},
    "figure": {"tabindex": {"0"}},
    "input": {"checked": {""}, "disabled": {""}, "type": {"checkbox"}},
    "pre": {"tabindex": {"0"}},
}

MAX_TEXT: Final = 4_000  # characters of a text for nh3's writer
# A character reference is one character. The last part is shorter: if it did not match, each of its
# places would be tried.
_PART: Final = re.compile(rf"(?>[^&]|&[A-Za-z0-9#]*+;?+){{1,{MAX_TEXT}}}+", re.DOTALL)


@cache
def _cleaner() -> "Cleaner":
    from nh3 import Cleaner

    return Cleaner(
        tags=_TAGS,
        clean_content_tags=set(),
        attributes=_ATTRIBUTES,
        tag_attribute_values=_VALUES,
        allowed_classes=CLASSES,
        url_schemes={"http", "https", "mailto"},
        link_rel=None,
    )


def sanitise(page: str) -> str:
    """Return a page of the writers' of this room without anything that is not allowed in one."""
    return _cleaner().clean(_part_long_texts(page))


def _part_long_texts(page: str) -> str:
    pieces = page.split("<")
    if max(map(len, pieces)) <= MAX_TEXT:
        return page
    # The writers escape `>` in attributes, so the first one ends the tag.
    for place, piece in enumerate(pieces):
        if len(piece) > MAX_TEXT:
            tag, end, text = piece.partition(">")
            pieces[place] = tag + end + _PART.sub(r"\g<0><!---->", text)
    return "<".join(pieces)
