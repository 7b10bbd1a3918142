"""CSV as a table."""

from __future__ import annotations

import re

import pytest

from service.rendering.csv_table import MAX_CELL, MAX_CELLS, MAX_COLUMNS, MAX_ROWS, csv_table


def rows(text: str) -> list[list[str]]:
    table = csv_table(text)
    assert table
    return [
        re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        for row in re.findall("<tr>(.*?)</tr>", table.html, re.DOTALL)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n", [["a", "b"], ["1", "2"]]),
        ("a;b;c,d\n1;2;3;4\n", [["a", "b", "c,d", ""], ["1", "2", "3", "4"]]),
        ("a\tb\n\n1\t2", [["a", "b"], ["1", "2"]]),
        ("a|b\n1|2", [["a", "b"], ["1", "2"]]),
        ('"a,""b""\nc",d', [['a,"b"\nc', "d"]]),
        ('a,b\n"never closed,1\n2', [["a", "b"], ["never closed,1\n2"]]),
        ("<b>,&\n", [["&lt;b&gt;", "&amp;"]]),
    ],
)
def test_rows_are_those_of_the_text(text: str, expected: list[list[str]]) -> None:
    assert rows(text) == expected
    table = csv_table(text)
    assert table
    assert not table.is_cut


@pytest.mark.parametrize("text", ["", "\n\n", '"' + "a" * 200_000])
def test_what_is_no_table_is_none(text: str) -> None:
    assert csv_table(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "a\n" * (MAX_ROWS + 1),
        "a," * MAX_COLUMNS + "b\n",
        ("a," * 99 + "b\n") * (MAX_CELLS // 100 + 1),
        "a" * (MAX_CELL + 1),
    ],
)
def test_a_large_table_is_cut(text: str) -> None:
    table = csv_table(text)
    assert table
    assert table.is_cut
    assert sum(map(len, rows(text))) <= MAX_CELLS
    assert len(rows(text)) <= MAX_ROWS
