"""The elements of a page that have begun and not ended, so that each ends before the one around it.

Which elements end others, and which may be in others, follows the WHATWG's HTML standard, 13.2.6
(Tree construction), where that keeps text in place. Unlike a browser, nothing is begun again: what
`<b>` leaves open ends with the block that it is in.
"""

from collections import Counter
from typing import Final, NamedTuple

from service.rendering.elements import (
    BLOCKS,
    CELLS,
    HEADING,
    HEADINGS,
    INLINE,
    ITEMS,
    MAX_NESTING,
    ROW_GROUPS,
    SCOPES,
    TABLE_FRAMES,
    TABLE_PARTS,
    TRANSPARENT,
)

_OPEN_BLOCKS: Final = BLOCKS | {HEADING}
_BETWEEN_ITEMS: Final = _OPEN_BLOCKS - TRANSPARENT
_TABLE: Final = frozenset(("table",))
# Where the parts of a table may be.
_PARENTS: Final = {
    **dict.fromkeys(("caption", *ROW_GROUPS), _TABLE),
    "tr": frozenset(("table", *ROW_GROUPS)),
    **dict.fromkeys(CELLS, TABLE_FRAMES),
}


class _OpenElement(NamedTuple):
    """An element that has not ended, and the HTML of its end."""

    name: str
    end: str


class Nesting:
    """The open elements of a page, whose HTML is the pieces in `out`."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._stack: list[_OpenElement] = []
        self._open: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def is_in(self, name: str) -> bool:
        """Return whether an element of this name is open."""
        return self._open[name] > 0

    @property
    def is_at_top(self) -> bool:
        """Whether no element is open."""
        return not self._stack

    @property
    def is_in_table_frame(self) -> bool:
        """Whether the page is in a table, but in no cell of it."""
        return bool(self._stack) and self._stack[-1].name in TABLE_FRAMES

    def begin(self, name: str, opening: str, end: str) -> None:
        """Write an element's beginning; `end` is the HTML of its end."""
        self.out.append(opening)
        self._stack.append(_OpenElement(name, end))
        self._open[name] += 1

    def make_place(self, name: str) -> bool:
        """End the elements that a new one ends; return whether it may begin here.

        If it may not, its end tag is ignored.
        """
        if self._end_those_before(name) and len(self._stack) < MAX_NESTING:
            return True
        self._dropped[name] += 1
        return False

    def end(self, name: str) -> None:
        """End an element by its end tag, which is ignored if no such element can end here."""
        if name in HEADINGS:
            name = HEADING
        if self._dropped[name]:
            self._dropped[name] -= 1
        elif name in INLINE:
            self._close((name,), _OPEN_BLOCKS)
        else:
            is_of_table = name == "table" or name in TABLE_PARTS
            self._close((name,), _TABLE if is_of_table else SCOPES)

    def end_paragraph(self) -> None:
        """End the paragraph that the page is in, as the beginning of another block does."""
        self._close(("p",), SCOPES)

    def end_all(self) -> None:
        """End all elements."""
        while self._stack:
            self._pop()

    def _end_those_before(self, name: str) -> bool:
        if name in TABLE_PARTS:
            if not self._open["table"]:
                return False
            parents = _PARENTS[name]
            while self._stack[-1].name not in parents:
                self._pop()
            if name in CELLS and self._stack[-1].name != "tr":
                self.begin("tr", "<tr>", "</tr>")
            return True
        if self.is_in_table_frame:
            return False
        if name == "a" or name == HEADING:
            self._close((name,), _OPEN_BLOCKS)
        if name == "a":
            return not self.is_in("a")
        if name not in INLINE:
            self.end_paragraph()
            if name in ITEMS:
                self._close(ITEMS[name], _BETWEEN_ITEMS)
        return True

    def _close(self, names: tuple[str, ...], scope: frozenset[str]) -> None:
        """End the innermost open element of these names, unless it is outside of one of `scope`."""
        for name in names:
            if self._open[name]:
                break
        else:
            return
        for place in range(len(self._stack) - 1, -1, -1):
            name = self._stack[place].name
            if name in names:
                while len(self._stack) > place:
                    self._pop()
                return
            if name in scope:
                return

    def _pop(self) -> None:
        name, end = self._stack.pop()
        self.out.append(end)
        self._open[name] -= 1
