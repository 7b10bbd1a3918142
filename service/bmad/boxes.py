"""Boxes of task lists, such as "- [x] Sign in", also those that GitHub shows as text."""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from service.documents.blocks import Block

# "[x]text" without a space, and marks that GitHub does not know. "~" is begun, "N/A" needs nothing.
# There may be no space in the box, or several, such as no-break spaces.
MARK: Final = re.compile(
    r"\[[ \t\u00a0]{0,3}([xX~/>-]?|N/?A|n/?a|✓|✔️?|✅)[ \t\u00a0]{0,3}\](?!\()\s*+"
)
DONE_MARKS: Final = frozenset(("x", "n/a", "na", "✓", "✔", "✔️", "✅"))


class Box(NamedTuple):
    """A box: whether it is done, and the text after it."""

    is_done: bool
    text: str


def takes_blanks(blocks: Iterable[Block]) -> bool:
    """Return whether "[]" is a box in a section: where two of its items begin with one.

    One alone may be what the item says, as in "[] is returned for no hits".
    """
    boxes = 0
    for block in blocks:
        boxes += block.tag == "li" and read_box(block, takes_blank=True) is not None
        if boxes == 2:
            return True
    return False


def read_box(block: Block, *, takes_blank: bool) -> Box | None:
    """Return the box of an item; None without one, or without a text after it.

    "[]" is one only with `takes_blank`, and never as code.
    """
    if block.tag != "li":
        return None
    if block.is_checked is not None:
        return Box(block.is_checked, block.text) if block.text else None
    if not block.text.startswith("["):
        return None
    mark = MARK.match(block.text)
    if not mark or mark.end() == len(block.text):
        return None
    if block.text[1] == "]" and (block.is_code or not takes_blank):
        return None
    return Box(mark[1].lower() in DONE_MARKS, block.text[mark.end() :])
