"""The rows of tables, with the names of their columns."""

import re

from service.bmad.tables import MAX_CELLS, Row, RowReader
from tests.support.bmad_documents import bmad_document


def _rows(text: str) -> list[Row]:
    reader = RowReader()
    rows = [reader.read(block) for block in bmad_document(text).blocks if block.tag == "tr"]
    return [row for row in rows if row]


def test_rows_have_the_header_of_their_table() -> None:
    text = "| A | **B** |\n|---|---|\n| 1 | |\n| | 2 |\n\n| C |\n|---|\n| [3](x) |\n"
    assert _rows(text) == [
        Row(["a", "b"], ["1", ""], 3),
        Row(["a", "b"], ["", "2"], 4),
        Row(["c"], ["3"], 8),
    ]


def test_header_alone_is_no_row() -> None:
    assert _rows("| A |\n|---|\n\n| B |\n|---|\n| 1 |\n") == [Row(["b"], ["1"], 6)]


def test_columns_are_found_by_name() -> None:
    row = Row(["id", "story title", "status"], ["1", "A"], 3)
    assert row.find(re.compile("story")) == 1
    assert row.find(re.compile("i"), besides=0) is None
    assert row.find(re.compile("status")) is None  # the row has no such cell
    assert row.cell(1) == "A"
    assert row.cell(None) == row.cell(2) == ""
    assert (row.cell_name(2), row.cell_name(3)) == ("status", "")


def test_wide_rows_are_cut() -> None:
    cells = "|" + " 1 |" * 100
    [row] = _rows(f"{cells}\n|{'---|' * 100}\n{cells}\n")
    assert len(row.cells) == MAX_CELLS


def test_table_after_a_line_of_text_has_its_header() -> None:
    assert _rows("text\n| A |\n|---|\n| 1 |\n") == [Row(["a"], ["1"], 4)]
