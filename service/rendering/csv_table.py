"""CSV as a table, its first row as the header, as GitHub shows it."""

import csv
from html import escape
from typing import Final, NamedTuple

from service.rendering.elements import TABLE_FIGURE

MAX_ROWS: Final = 2_000
MAX_CELLS: Final = 20_000
MAX_COLUMNS: Final = 200
MAX_CELL: Final = 2_000  # characters
MAX_CSV: Final = 1_000_000
_DELIMITERS: Final = ",;\t|"


class CsvTable(NamedTuple):
    """A table's HTML, and whether it has less than the text."""

    html: str
    is_cut: bool


def csv_table(text: str) -> CsvTable | None:
    """Return CSV as a table, up to the limits; None if it cannot be read as one, or is empty."""
    lines = text[:MAX_CSV].splitlines(keepends=True)
    if len(text) > MAX_CSV:
        del lines[-1:]
    first = next((line for line in lines if line.strip()), "")
    delimiter = max(_DELIMITERS, key=first.count)
    rows: list[list[str]] = []
    cells = 0
    is_cut = len(text) > MAX_CSV
    try:
        for row in csv.reader(lines, delimiter=delimiter):
            if not row:
                continue
            cells += min(len(row), MAX_COLUMNS)
            if len(rows) == MAX_ROWS or cells > MAX_CELLS:
                is_cut = True
                break
            is_cut = is_cut or len(row) > MAX_COLUMNS or max(map(len, row)) > MAX_CELL
            rows.append(row[:MAX_COLUMNS])
    except csv.Error:  # such as a field of more than 128 KiB
        return None
    if not rows:
        return None
    header, *others = rows
    width = max(map(len, rows))
    head = "".join(f'<th scope="col">{_shown(cell)}</th>' for cell in _padded(header, width))
    body = "".join(
        f"<tr>{''.join(f'<td>{_shown(cell)}</td>' for cell in row)}</tr>\n" for row in others
    )
    table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"
    return CsvTable(f"{TABLE_FIGURE}{table}</figure>", is_cut)


def _padded(row: list[str], width: int) -> list[str]:
    return row + [""] * (width - len(row))


def _shown(cell: str) -> str:
    return escape(cell[:MAX_CELL], quote=False)
