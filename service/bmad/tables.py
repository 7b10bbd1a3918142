"""The rows of tables in Markdown, with what their columns are called."""

import re
from typing import Final, NamedTuple

from service.documents.blocks import Block

MAX_CELLS: Final = 30


class Row(NamedTuple):
    """A row of a table below its header; both have their cells in order, without white space."""

    header: list[str]
    cells: list[str]
    line: int

    def find(self, names: re.Pattern[str], besides: int | None = None) -> int | None:
        """Return the first column whose name, in lower case, begins as `names` match."""
        for column, name in enumerate(self.header[: len(self.cells)]):
            if column != besides and names.match(name):
                return column
        return None

    def cell_name(self, column: int) -> str:
        """Return what a column is called, in lower case; "" where there is none."""
        return self.header[column] if column < len(self.header) else ""

    def cell(self, column: int | None) -> str:
        """Return the text in a column, "" where there is none."""
        return "" if column is None or column >= len(self.cells) else self.cells[column]


class RowReader:
    """Gives the rows of a document, block by block, their headers."""

    def __init__(self) -> None:
        self._header: list[str] = []
        self._next_line = 0

    def read(self, row: Block) -> Row | None:
        """Return a row, or None for a header. Blocks of rows must be given in order."""
        cells = [cell.strip() for cell in row.text.split("|", MAX_CELLS)[:MAX_CELLS]]
        if row.line == self._next_line:
            self._next_line += 1
            return Row(self._header, cells, row.line)
        # The line of dashes comes between the header and the first row.
        self._header = [cell.lower() for cell in cells]
        self._next_line = row.line + 2
        return None
