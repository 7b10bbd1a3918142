"""The blocks of Markdown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.blocks import MAX_BLOCKS, Block, is_in_order, read_blocks
from service.documents.markdown import render_markdown


def _blocks(text: str, first_line: int = 1) -> list[Block]:
    return read_blocks(render_markdown(text).page, first_line)


def test_blocks_have_their_tag_lines_and_text() -> None:
    blocks = _blocks("# A & *b*\n\ntwo\nlines\n\n```\n- [x] code\n```\n\n> quoted\n", 11)
    assert [(each.tag, each.line, each.end_line, each.text) for each in blocks] == [
        ("h1", 11, 11, "A & b"),
        ("p", 13, 14, "two\nlines"),
        ("pre", 16, 18, "- [x] code"),
        ("p", 20, 20, "quoted"),
    ]


def test_items_have_their_depth_number_and_box() -> None:
    blocks = _blocks("1. one\n   - [x] ticked\n   - [ ] open\n2. two\n\n7) seven\n\n- [~] other\n")
    assert [(each.depth, each.number, each.is_checked, each.text) for each in blocks] == [
        (1, 1, None, "one"),
        (2, None, True, "ticked"),
        (2, None, False, "open"),
        (1, 2, None, "two"),
        (1, 7, None, "seven"),
        (1, None, None, "[~] other"),
    ]


def test_first_paragraph_of_an_item_is_its_text() -> None:
    blocks = _blocks("- [x] own\n\n  second\n\n- text\n  - below\n\n  after\n")
    assert [(each.tag, each.depth, each.text) for each in blocks] == [
        ("li", 1, "own"),
        ("p", 1, "second"),
        ("li", 1, "text"),
        ("li", 2, "below"),
        ("p", 1, "after"),
    ]


def test_code_at_the_margin_ends_no_item() -> None:
    """Indentation says less than the parser: a span of code may go on at the margin."""
    blocks = _blocks("- [x] `one\ntwo`\n- [ ] three\n")
    assert [(each.depth, each.is_checked) for each in blocks] == [(1, True), (1, False)]


def test_rows_have_their_cells_in_one_line() -> None:
    blocks = _blocks("| Status | Epic |\n|---|---|\n| **Done** | 2 |\n")
    assert [(each.tag, each.line, each.text) for each in blocks] == [
        ("tr", 1, "Status | Epic"),
        ("tr", 3, "Done | 2"),
    ]


def test_bold_beginnings_are_known() -> None:
    blocks = _blocks("**Status:** done\n\ndone **later**\n")
    assert [each.strong for each in blocks] == ["Status:", ""]


def test_tags_of_raw_html_are_no_blocks() -> None:
    blocks = _blocks("before <li>raw</li>\n\n<p>a</p>\n\n- item\n")
    assert [(each.tag, each.line) for each in blocks] == [("p", 1), ("li", 5)]


def test_number_of_blocks_is_bounded() -> None:
    assert len(_blocks("- a\n" * (MAX_BLOCKS + 10))) == MAX_BLOCKS


@given(st.text(st.sampled_from("-*+1.) \n[]x>#|`<li>pa")))
def test_any_text_has_blocks_in_order_of_their_lines(text: str) -> None:
    blocks = _blocks(text)
    lines = [each.line for each in blocks]
    assert lines == sorted(lines)
    assert all(each.line <= each.end_line for each in blocks)


def test_blocks_end_above_a_heading_outside_of_others() -> None:
    page = render_markdown("# A\n\n- b\n  # C\n\nd\n\n> # E\n\nf\n").page
    for before, texts in ((2, "AbCd"), (4, "AbCd"), (8, "AbCd"), (9, "AbCdEf"), (1, "")):
        assert "".join(each.text for each in read_blocks(page, before=before)) == texts
    assert [each.text for each in read_blocks(page, 11, before=12)] == ["A", "b", "C", "d"]


@given(st.text(st.sampled_from("-*+1.) \n[]x>#|`^:=<li>pa")), st.integers(1, 20))
def test_the_blocks_above_a_heading_are_the_first_of_all(text: str, before: int) -> None:
    page = render_markdown(text).page
    blocks = read_blocks(page)
    first = read_blocks(page, before=before)
    assert first == blocks[: len(first)]
    if is_in_order(page):
        assert all(each.line >= before for each in blocks[len(first) :])


def test_footnotes_are_not_in_order() -> None:
    assert is_in_order(render_markdown("# A\n\n| B |\n|---|\n| c |\n\n1. d\n   - e\n").page)
    assert not is_in_order(render_markdown("A[^1]\n\n[^1]: ## B\n\nC\n").page)


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("one\ntwo\n| A |\n|---|\n| 1 |\n", [("p", 1, 2), ("tr", 3, 3), ("tr", 5, 5)]),
        ("- one\n  two\n  | A |\n  |---|\n", [("li", 1, 4), ("tr", 3, 3)]),
        ("- one\n  | A |\n  |---|\n\n  two\n", [("li", 1, 5), ("tr", 2, 2), ("p", 5, 5)]),
        ("- one\n\n  two\n  | A |\n  |---|\n", [("li", 1, 5), ("p", 3, 3), ("tr", 4, 4)]),
        ("> one\n> | A |\n> |---|\n", [("p", 1, 1), ("tr", 2, 2)]),
        ("- | A |\n  |---|\n  | 1 |\n", [("li", 1, 3), ("tr", 1, 1), ("tr", 3, 3)]),
    ],
)
def test_table_after_a_line_of_text_has_its_lines(
    text: str, places: list[tuple[str, int, int]]
) -> None:
    for first_line in (1, 11):
        assert [(each.tag, each.line, each.end_line) for each in _blocks(text, first_line)] == [
            (tag, line + first_line - 1, end_line + first_line - 1)
            for tag, line, end_line in places
        ]


def test_code_that_a_block_begins_with_is_told_from_text() -> None:
    text = "- `[]` a\n- [] b `c`\n- [x] `d`\n\n`e` f\n"
    assert [each.is_code for each in _blocks(text)] == [True, False, True, True]
