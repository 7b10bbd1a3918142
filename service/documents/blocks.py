"""The blocks of a Markdown text: headings, paragraphs, items of lists, rows of tables.

They are read from the HTML that GitHub's parser renders, so that what looks like an item in a code
block is none, and an item below another one is found whatever its indentation.
"""

import html
import re
from typing import Final, NamedTuple

# Blocks whose tags have a position. Text of raw HTML belongs to the block before it.
_TAG: Final = re.compile(
    r"<(/?)(h[1-6]|p|li|ul|ol|pre|tr|td|th)(?=[ >])"
    r'(?: start="(\d{1,9})")?( data-sourcepos="(\d{1,9}):\d+-(\d{1,9}):\d+")?[^<>]*+>'
)
_CHECKBOX: Final = re.compile(r'\A\s*+<input type="checkbox"( checked="")?[^<>]*+>')
_STRONG: Final = re.compile(r"\A\s*+<strong>(.*?)</strong>", re.DOTALL)
_BREAK: Final = re.compile(r"<br ?/?>\n?")
_ROW_GAP: Final = re.compile(r" *+\n\s*+")
_ANY_TAG: Final = re.compile(r"<[^<>]*+>")

_LINE: Final = re.compile(
    r'<(?:h[1-6]|p|li|pre|tr)(?: start="\d{1,9}")? data-sourcepos="(\d{1,9}):'
)

MAX_BLOCKS: Final = 50_000


class Block(NamedTuple):
    """A block of a text, without the blocks inside it, which follow it.

    `tag` is h1 to h6, p, li, tr or pre. Lines are counted from 1. `depth` counts the lists that the
    block is in: 1 for an item of a list and for the paragraphs after its own text. `number` is that
    of an item of a numbered list. `is_checked` is None for all but task items. `text` is what the
    page shows, a line for each line of the source; the cells of a row have " | " between them.
    `strong` is what it begins with in bold; `is_code` says that it begins with code.
    """

    tag: str
    line: int
    end_line: int
    depth: int
    number: int | None
    is_checked: bool | None
    text: str
    strong: str
    is_code: bool = False


class _Open:
    """A block whose end has not been reached."""

    def __init__(self, tag: str, line: int, end_line: int, depth: int, number: int | None) -> None:
        self.tag = tag
        self.line = line
        self.end_line = end_line
        self.depth = depth
        self.number = number
        self.pieces: list[str] = []
        self.has_blocks = False

    def takes_paragraph(self) -> bool:
        """Return whether a paragraph that begins now is the item's own text, and note that."""
        is_own = self.tag == "li" and not self.has_blocks
        self.has_blocks = True
        return is_own


def is_in_order(page: str) -> bool:
    """Return whether no block begins on an earlier line than the one before it in a page.

    Most pages are: footnotes are not, for the page ends with them.
    """
    lines = [*map(int, _LINE.findall(page))]
    return lines == sorted(lines)


def read_blocks(page: str, first_line: int = 1, before: int | None = None) -> list[Block]:
    """Return the blocks of a rendered text in order, at most MAX_BLOCKS.

    `page` is render_markdown's; `first_line` is the line of the document that the text begins on.
    The first heading outside of other blocks that begins on the line `before`, or below it, ends
    the blocks that are read.
    """
    blocks: list[Block] = []
    lists: list[int | None] = []  # the number of each open list's next item, None in bullet lists
    stack: list[tuple[_Open, int]] = []
    position = 0
    offset = first_line - 1

    def close() -> None:
        opened, place = stack.pop()
        blocks[place] = _block(opened)

    for tag in _TAG.finditer(page):
        is_end, name, start, has_place, line, end_line = tag.groups()
        if not has_place and not is_end:
            continue  # raw HTML, or a list's paragraph without a place
        start_of_tag, end_of_tag = tag.span()
        if stack and start_of_tag > position:
            stack[-1][0].pieces.append(page[position:start_of_tag])
        position = end_of_tag
        if name in {"ul", "ol"}:
            if is_end:
                if lists:
                    lists.pop()
            else:
                lists.append(None if name == "ul" else int(start or 1))
        elif name in {"td", "th"}:
            if is_end and stack:
                stack[-1][0].pieces.append(" | ")
        elif is_end:
            if stack and stack[-1][0].tag == name:
                close()
        elif name == "p" and stack and stack[-1][0].takes_paragraph():
            continue  # the end of its paragraph closes nothing, since the item is open
        else:
            if len(blocks) == MAX_BLOCKS:
                break
            first, last = int(line) + offset, int(end_line) + offset
            if before is not None and first >= before and not stack and name[0] == "h":
                break
            if stack:
                stack[-1][0].has_blocks = True
            number = None
            if name == "li" and lists and (number := lists[-1]) is not None:
                lists[-1] = number + 1
            if name == "tr":
                lines = _lines_before(blocks, stack, first, offset)
                first, last = first + lines, last + lines
            opened = _Open(name, first, last, len(lists), number)
            stack.append((opened, len(blocks)))
            # In its place until it ends, since blocks inside it follow it.
            blocks.append(Block(name, first, last, len(lists), number, None, "", ""))
    while stack:
        close()
    return blocks


def _lines_before(
    blocks: list[Block], stack: list[tuple[_Open, int]], row_line: int, no_line: int
) -> int:
    """Return how many lines of text a table's row is too high by, and give them their lines.

    A table may follow a paragraph without a blank line. The parser then gives its first row the
    place of the paragraph, and the paragraph none.
    """
    place = len(blocks) - 1
    if blocks and blocks[place].tag == "p" and blocks[place].line == no_line:
        lines = blocks[place].text.count("\n") + 1
        blocks[place] = blocks[place]._replace(line=row_line, end_line=row_line + lines - 1)
        return lines
    if stack and stack[-1][1] == place and stack[-1][0].line == row_line:
        text = _shown("".join(stack[-1][0].pieces))  # of an item
        return text.count("\n") + 1 if text else 0
    return 0


def _block(opened: _Open) -> Block:
    content = "".join(opened.pieces)
    is_checked, strong, is_code = None, None, False
    if "<" in content:
        if opened.tag == "li" and (checkbox := _CHECKBOX.match(content)):
            is_checked = checkbox[1] is not None
            content = content[checkbox.end() :]
        strong = _STRONG.match(content)
        is_code = content.lstrip().startswith("<code>")
    text = _shown(content)
    if opened.tag == "tr":
        text = _ROW_GAP.sub(" ", text).removesuffix(" |")
    return Block(
        opened.tag,
        opened.line,
        opened.end_line,
        opened.depth,
        opened.number,
        is_checked,
        text,
        _shown(strong[1]) if strong else "",
        is_code,
    )


def _shown(content: str) -> str:
    if "<" in content:
        content = _ANY_TAG.sub("", _BREAK.sub("\n", content))
    return html.unescape(content).strip()
