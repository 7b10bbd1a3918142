"""The HTML that a rendered document may have: what GitHub allows of raw HTML, and our own classes.

Nothing here loads anything, runs anything or has a style. The rules of which element ends which are
those of the WHATWG's HTML standard, 13.2.6 (Tree construction), as far as these elements need them.
"""

import re
from typing import Final

INLINE: Final = frozenset(
    (
        "a",
        "abbr",
        "b",
        "bdi",
        "bdo",
        "cite",
        "code",
        "del",
        "dfn",
        "em",
        "i",
        "ins",
        "kbd",
        "mark",
        "q",
        "rp",
        "rt",
        "ruby",
        "s",
        "samp",
        "small",
        "span",
        "strike",
        "strong",
        "sub",
        "sup",
        "time",
        "tt",
        "u",
        "var",
    )
)
# Their name among open elements, since a heading ends any other one. No tag has this name.
HEADING: Final = "any heading"
HEADINGS: Final = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
CELLS: Final = frozenset(("td", "th"))
ROW_GROUPS: Final = frozenset(("thead", "tbody", "tfoot"))
TABLE_PARTS: Final = frozenset((*ROW_GROUPS, "caption", "tr", *CELLS))
# Text and other elements may not be directly in these.
TABLE_FRAMES: Final = frozenset(("table", *ROW_GROUPS, "tr"))
BLOCKS: Final = frozenset(
    (
        *HEADINGS,
        "blockquote",
        "dd",
        "details",
        "div",
        "dl",
        "dt",
        "figcaption",
        "figure",
        "li",
        "ol",
        "p",
        "pre",
        "section",
        "summary",
        "table",
        "ul",
        *TABLE_PARTS,
    )
)
VOID: Final = frozenset(("br", "hr", "wbr"))

# An end tag of another element ends nothing outside of these.
SCOPES: Final = frozenset(("table", "caption", *CELLS))
# A new one ends an open one of these, unless another block than <div> and <p> is between them.
ITEMS: Final = {"li": ("li",), "dt": ("dt", "dd"), "dd": ("dt", "dd")}
TRANSPARENT: Final = frozenset((*INLINE, "div", "p"))

# The beginning of the element that a table is in, so that a wide one is scrolled to by itself.
TABLE_FIGURE: Final = '<figure class="table-scroll" aria-label="Table" tabindex="0">'

# The `rel` of links to other hosts.
FOREIGN_REL: Final = "nofollow noopener noreferrer"

# Ids of the page itself, but for those of headings, which are GitHub's.
OWN_IDS: Final = "hub-"
FOOTNOTES_ID: Final = f"{OWN_IDS}footnotes"

# More would take the parser quadratic time, and a browser shows no more than 512.
MAX_NESTING: Final = 100

SIDES: Final = re.compile("(?i:left|right|center|justify)")
EDGES: Final = re.compile("(?i:top|middle|bottom|baseline)")
SIZE: Final = re.compile("[0-9]{1,4}%?")
SPAN: Final = re.compile("[1-9][0-9]{0,2}")
# The values of attributes that are kept. `id`, `name`, `href`, `src` and `alt` are handled apart.
EVERYWHERE: Final = {
    "align": SIDES,
    "dir": re.compile("(?i:ltr|rtl|auto)"),
    "lang": re.compile("[A-Za-z0-9-]{1,35}"),
    "title": re.compile(".{1,1000}", re.DOTALL),
}
_CELL: Final = {
    "colspan": SPAN,
    "rowspan": SPAN,
    "valign": EDGES,
    "width": SIZE,
    "scope": re.compile("(?i:row|col|rowgroup|colgroup)"),
}
ATTRIBUTES: Final = {
    "details": {"open": re.compile("(?i:|open)")},
    "li": {"value": re.compile("-?[0-9]{1,9}")},
    "ol": {
        "reversed": re.compile("(?i:|reversed)"),
        "start": re.compile("-?[0-9]{1,9}"),
        "type": re.compile("[1AaIi]"),
    },
    "table": {"width": SIZE},
    "td": _CELL,
    "th": _CELL,
    "tr": {"valign": EDGES},
}
