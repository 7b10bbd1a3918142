"""A document as the readers of this room get it: its text, and what has been parsed of it."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Final

from service.documents.blocks import Block, is_in_order, read_blocks
from service.documents.headings import Heading
from service.documents.kind_names import Kind
from service.documents.outline import Outline

LINE_END: Final = re.compile(r"\r\n|\r|\n")
BETWEEN_WORDS: Final = re.compile(r"[\s-]+")
BOX: Final = re.compile(r"\[[ xX]\]")


class BmadDocument:
    """A document: `path` from the repository's root, and the rest as read_document returns it.

    `text` is the whole text. All lines are those of the document, counted from 1.
    """

    def __init__(
        self,
        path: str,
        file_type: str,
        kind: Kind,
        metadata: Mapping[str, Any],
        text: str,
        outline: Outline | None,
    ) -> None:
        self.path = path
        self.file_type = file_type
        self.kind: Kind = kind
        self.metadata = metadata
        self.text = text
        self._outline = outline

    @property
    def name(self) -> str:
        """The name of the file, without folders and without its suffix."""
        name = self.path.rpartition("/")[2]
        return name.rpartition(".")[0] or name

    @property
    def folders(self) -> list[str]:
        """The names of the folders that the file is in, from the root on."""
        return self.path.split("/")[:-1]

    @cached_property
    def front_matter(self) -> Mapping[str, Any]:
        """The front matter, as far as it can be read; empty without one.

        Its keys are there as they are written and as "story_id" is: of "Story ID" and "story-id".
        """
        written: Mapping[str, Any] = self.metadata.get("front_matter") or {}
        return {**{fold_key(key): value for key, value in written.items()}, **written}

    @cached_property
    def lines(self) -> list[str]:
        """The lines of the text, those of the front matter included: that of number 1 is first."""
        if "\r" in self.text:
            return LINE_END.split(self.text)
        return self.text.split("\n")  # in a tenth of the time

    def front_matter_line(self, key: str) -> int:
        """Return the line of a key at the front matter's highest level; 1 if it is not found."""
        folded = fold_key(key)
        for number, line in enumerate(self.lines[: self._body_line - 1], 1):
            written, colon, _ = line.partition(":")
            if colon and not line[0].isspace() and folded == fold_key(written):
                return number
        return 1

    @cached_property
    def headings(self) -> list[Heading]:
        """The headings of Markdown."""
        if self._outline is None:
            return []
        offset = self.html_line - 1
        return [each._replace(line=each.line + offset) for each in self._outline.headings]

    @property
    def main_heading(self) -> Heading | None:
        """The first heading of level 1, which most documents have their title in."""
        return next((each for each in self.headings if each.level == 1), None)

    @cached_property
    def blocks(self) -> list[Block]:
        """The blocks of Markdown, headings among them."""
        if self._outline is None:
            return []
        return self._tick(read_blocks(self._outline.html, self.html_line))

    def read_beginning(self, line: int) -> list[Block]:
        """Return the blocks above a heading that is on this line or below it, or all.

        No block after them begins above that line.
        """
        html = self.html
        if not is_in_order(html):
            return self.blocks
        return self._tick(read_blocks(html, self.html_line, line))

    def _tick(self, blocks: Sequence[Block]) -> list[Block]:
        """Return blocks whose boxes are ticked as the first box of their lines is.

        The parser ticks "- [ ] Mark it `[x]`" too, for it looks for "[x]" in the whole line.
        """
        return [
            block._replace(is_checked=False)
            if block.is_checked
            and (box := BOX.search(self.lines[block.line - 1]))
            and box[0] == "[ ]"
            else block
            for block in blocks
        ]

    @property
    def html(self) -> str:
        """The HTML of Markdown, unsafe; its line 1 is `html_line`."""
        return "" if self._outline is None else self._outline.html

    @property
    def html_line(self) -> int:
        """The line that the positions of the HTML count from: that of the front matter's end.

        The parser gets the rest of that line, which is empty.
        """
        return max(1, self._body_line - 1)

    @property
    def _body_line(self) -> int:
        line: int = self.metadata.get("body_line", 1)
        return line


def fold_key(key: str) -> str:
    """Return a key of data for comparisons: "story_id" of "Story ID" and "story-id"."""
    return BETWEEN_WORDS.sub("_", key.strip(" \t\"'").lower())
