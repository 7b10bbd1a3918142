"""The table of contents of a document."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from service.documents.headings import Heading
from service.site.contents import MAX_ENTRIES, write_contents

BROKEN = 'a" onclick="x'


def headings(*levels: int) -> list[Heading]:
    return [Heading(level, f"H{n}", f"h{n}", n) for n, level in enumerate(levels)]


def outline(html: str) -> str:
    """Return the table as the texts of its items, each with those inside it in brackets."""

    def show(items: ET.Element) -> str:
        shown: list[str] = []
        for item in items:
            link, *inner = item
            shown.append(f"{link.text}{''.join(f'({show(each)})' for each in inner)}")
        return " ".join(shown)

    return show(ET.fromstring(html))


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ((2, 2), "H0 H1"),
        ((2, 3, 3, 2), "H0(H1 H2) H3"),
        ((2, 4, 2), "H0(H1) H2"),
        ((3, 2, 4), "H0 H1(H2)"),
        ((4, 3, 2, 1), "H0 H1 H2 H3"),
        ((1, 2, 3, 1), "H0(H1(H2)) H3"),
        ((2, 3, 4, 5, 2), "H0(H1(H2(H3))) H4"),
        ((2, 4, 3, 3), "H1 H2 H3"),  # the first is a title
    ],
)
def test_each_heading_is_inside_the_one_above_it(levels: tuple[int, ...], expected: str) -> None:
    assert outline(write_contents(headings(*levels))) == expected


def test_the_title_is_left_out() -> None:
    assert outline(write_contents(headings(1, 2, 2))) == "H1 H2"
    assert outline(write_contents(headings(1, 1, 2))) == "H0 H1(H2)"


@pytest.mark.parametrize("levels", [(), (1,), (1, 2), (2,)])
def test_few_headings_have_no_table(levels: tuple[int, ...]) -> None:
    assert write_contents(headings(*levels)) == ""


def test_a_long_table_leaves_out_the_lower_levels_first() -> None:
    html = write_contents(headings(*[2, 3, 4] * 70))
    assert html.count("<li>") == 140
    assert "and 70 more headings" in html


def test_no_table_is_longer_than_its_limit() -> None:
    html = write_contents(headings(*[2] * 10_000))
    assert html.count("<li>") == MAX_ENTRIES
    assert "and 9,800 more headings" in html


def test_texts_and_anchors_are_escaped() -> None:
    hostile = "<script>\"&'"
    html = write_contents([Heading(2, hostile, hostile, 1), Heading(2, "", BROKEN, 2)])
    assert "<script" not in html
    assert not re.search(r'"[^"=<>]*" ?onclick', html)
    [first, second] = ET.fromstring(html)
    assert first[0].text == hostile
    assert list(second[0].attrib) == ["href"]
