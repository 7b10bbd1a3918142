"""A document as the readers of the BMAD Method get it."""

import pytest

from tests.support.bmad_documents import bmad_document


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_of_blocks_and_headings_count_front_matter(line_end: str) -> None:
    lines = ["---", "title: T", "status: done", "---", "", "# A", "Text"]
    document = bmad_document(line_end.join(lines))
    assert document.lines == lines
    assert [block.line for block in document.blocks] == [6, 7]
    assert [heading.line for heading in document.headings] == [6]
    assert document.front_matter_line("status") == 3


def test_lines_without_front_matter_begin_with_the_first() -> None:
    document = bmad_document("# A\n\nText\n")
    assert [block.line for block in document.blocks] == [1, 3]
    assert document.front_matter_line("status") == 1
