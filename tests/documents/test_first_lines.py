"""The first lines of Markdown, read without the rest."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.documents.first_lines import outline_of_first_lines
from service.documents.markdown import LARGE, MAX_CELLS, MAX_DEPTH_OF_LINE
from service.documents.outline import read_outline

TEXT = "# A\n\na\nb\n\n## B\n\nc\n\n## C\n\nd\n"


def headings_of(body: str, lines: int) -> list[str] | None:
    outline = outline_of_first_lines(body, lines)
    return outline and [heading.text for heading in outline.headings]


def test_first_lines_end_with_the_first_heading_after_them() -> None:
    assert headings_of(TEXT, 3) == ["A", "B"]
    assert headings_of(TEXT, 5) == ["A", "B", "C"]
    assert headings_of(TEXT.replace("\n", "\r\n"), 3) == ["A", "B"]
    assert headings_of(TEXT, 9) is None
    assert headings_of(TEXT, 99) is None
    assert headings_of("", 3) is None


@pytest.mark.parametrize(
    "before",
    ["```", "~~~", "<!--", "<pre>", "<script>", "<template>", '<div title="', "<?php"],
)
def test_what_is_open_at_that_heading_has_no_first_lines(before: str) -> None:
    assert headings_of(f"# A\n\n{before}\n\n## B\n\nc\n", 2) is None


@pytest.mark.parametrize(
    "before", ["```\n```", "<!-- a -->", "<details>", "<h2>", "<b> < c", "- a"]
)
def test_what_ends_above_that_heading_has_first_lines(before: str) -> None:
    assert headings_of(f"# A\n\n{before}\n\n## B\n\nc\n", 2) == ["A", "B"]


@pytest.mark.parametrize("after", ["[a]: b", "[^1]: c", '<p data-sourcepos="1:1-1:2">'])
def test_what_reaches_the_first_lines_from_further_below_has_none(after: str) -> None:
    assert headings_of(f"# [A][^1]\n\n\n## B\n\n{after}\n", 2) is None


def test_first_lines_have_the_limits_of_the_whole() -> None:
    deep = "> " * (MAX_DEPTH_OF_LINE + 9) + "# C\n"
    text = f"# A\n\n{deep}\n## B\n\n" + "a\n" * LARGE
    assert headings_of(text, 2) == ["A", "C", "B"]
    first = outline_of_first_lines(text, 2)
    assert first is not None
    assert first.html.count("<blockquote") == MAX_DEPTH_OF_LINE
    assert headings_of("# A\n\n|a|b|\n|-|-|\n" + "|\n" * MAX_CELLS + "\n## B\n", 2) is None


PIECES = (
    "# A", "## B", "### *C* <b>d</b>", "#", "D\n===", "text", "- a", "- [ ] a\n  - b", "1. a",
    "| a | b |\n|---|---|\n| c | d |", "|-|", "```", "~~~ x", "<!--", "-->", "<!-- a -->", "<div>",
    "</div>", "<h2>E</h2>", "<h3>", "<template>", "</template>", "<pre>", "</pre>", "<script>",
    "<a title='", "'>", "<ul>", "</li>", "    code", "  ## F", "> ## G", "- # H", "[a]", "[a](b)",
    "> q", "![i](j)", "`", "**", "\\", "<![CDATA[", "]]>", "<?", "?>", "***", "\t", "\x0c", "\r",
)  # fmt: skip


@settings(max_examples=400)
@given(
    st.lists(st.sampled_from(PIECES), max_size=8),
    st.lists(st.sampled_from(PIECES), max_size=8),
    st.sampled_from(["\n", "\n\n", "\r\n", "\r"]),
    st.integers(0, 12),
)
def test_first_lines_are_those_of_the_whole(
    above: list[str], below: list[str], between: str, lines: int
) -> None:
    body = between.join(["# A", *above, "", "## B", *below])
    if (first := outline_of_first_lines(body, lines)) is not None:
        whole = read_outline(body)
        assert whole.html.startswith(first.html)
        assert whole.headings[: len(first.headings)] == first.headings
        assert first.headings[-1].line > lines


@given(st.text(), st.integers(0, 5))
def test_any_text_may_be_asked_for_its_first_lines(body: str, lines: int) -> None:
    first = outline_of_first_lines(body.replace("\ud800", ""), lines)
    assert first is None or first.headings
