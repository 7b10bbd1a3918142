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


def test_keys_of_front_matter_are_found_however_they_are_written() -> None:
    document = bmad_document('---\nStory ID: 1.2\n"Status": Done\nstory_key: a\nstoryId: 3\n---\n')
    keys = ("story_id", "Story ID", "status", "story_key", "storyId")
    assert [document.front_matter.get(key) for key in keys] == ["1.2", "1.2", "Done", "a", 3]
    assert document.front_matter_line("story_id") == 2
    assert document.front_matter_line("status") == 3
    assert document.front_matter_line("title") == 1


def test_a_key_as_it_is_written_goes_before_others() -> None:
    document = bmad_document("---\nstatus: done\nStatus: draft\n---\n")
    assert document.front_matter["status"] == "done"
    assert document.front_matter_line("status") == 2


def test_the_beginning_ends_at_a_heading_unless_later_blocks_begin_above_it() -> None:
    text = "---\ntitle: T\n---\n# A\n\nB[^1]\n\n{}\n\n## C\n\nD\n"
    for more, texts in (("", ["A", "B[^1]"]), ("[^1]: E", ["A", "B1", "C", "D", "E ↩"])):
        document = bmad_document(text.format(more))
        assert [block.text for block in document.read_beginning(8)] == texts


@pytest.mark.parametrize(
    ("line", "is_checked"),
    [
        ("- [ ] Mark `[x]` when done", False),
        ("- [ ] a [X]", False),
        ("1. [ ] handle grid[y][x]", False),
        ("- [ ] [x] a", False),
        ("- [x] a", True),
        ("- [X] a [ ]", True),
        ("* [x] leave `[ ]` as it is", True),
    ],
)
def test_a_box_is_ticked_by_its_own_mark(line: str, is_checked: bool) -> None:
    for before in ("", "---\ntitle: T\n---\n"):
        document = bmad_document(f"{before}{line}\n  second [x] line\n\n# A\n")
        assert document.blocks[0].is_checked is is_checked
        assert document.read_beginning(3)[0].is_checked is is_checked
