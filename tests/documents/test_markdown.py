from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from service.documents.markdown import (
    LARGE,
    MAX_CELLS,
    MAX_DEPTH_OF_LINE,
    MAX_MARKDOWN,
    MAX_MARKS,
    render_markdown,
)


def test_markdown_has_githubs_extensions_and_the_places_of_blocks() -> None:
    assert render_markdown("# ~~a~~ www.b.c\n\n[^1]<title>\n\n[^1]: d").page == (
        '<h1 data-sourcepos="1:1-1:15"><del>a</del> <a href="http://www.b.c">www.b.c</a></h1>\n'
        '<p data-sourcepos="3:1-3:11"><sup class="footnote-ref">'
        '<a href="#fn-1" id="fnref-1" data-footnote-ref>1</a></sup>&lt;title></p>\n'
        '<section class="footnotes" data-footnotes>\n<ol>\n<li id="fn-1">\n'
        '<p data-sourcepos="5:7-5:7">d <a href="#fnref-1" class="footnote-backref" '
        'data-footnote-backref data-footnote-backref-idx="1" '
        'aria-label="Back to reference 1">↩</a></p>\n</li>\n</ol>\n</section>\n'
    )
    assert "<table" in render_markdown("a|b\n-|-").page
    assert 'type="checkbox"' in render_markdown("- [ ] a").page


def test_rendering_frees_its_memory() -> None:
    text = "# *a* [b](c)\n\n- d\n\n" * 5_000
    process = psutil.Process()
    render_markdown(text)
    before = process.memory_info().rss
    for _ in range(30):
        render_markdown(text)
    assert process.memory_info().rss - before < 20_000_000  # 300 MB, if nothing were freed


def test_texts_are_rendered_in_several_threads_at_once() -> None:
    # With characters that are only marked while a parser with extensions runs.
    texts = [f"# ~~{number}~~ www.a.com b@c.de\n\n- [x] a\n" * 300 for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(render_markdown, texts)) == list(map(render_markdown, texts))


def test_the_length_and_the_depth_of_what_is_rendered_are_limited() -> None:
    assert "b" not in render_markdown("a" * MAX_MARKDOWN + "b").page
    assert render_markdown(">" * 5_000 + " a").page.count("<blockquote") == 5_000
    for deep in (">", "> ", "* - ", "1. ", "- > "):
        page = render_markdown(deep * LARGE + "a\n\n# b").page
        assert page.count("<blockquote") + page.count("<li") <= MAX_DEPTH_OF_LINE
        assert "</h1>" in page


@pytest.mark.parametrize(
    ("text", "marks"), [("*a", 1), ("- a\n", 2), ("1. a\n", 2), ("> a\r\n", 3), ("[a](b)\n", 3)]
)
def test_the_marks_of_what_is_rendered_are_limited(text: str, marks: int) -> None:
    within = text * ((MAX_MARKS - 10) // marks) + "\n\n# b"
    assert "<h1" in render_markdown(within).page
    assert "<h1" not in render_markdown(text * (MAX_MARKS // marks + 1) + "\n\n# b").page


@pytest.mark.parametrize(
    "line",
    ["word " * 20 + "\n", "*word* " * 3 + "\n", "|word|word|\n|-|-|\n" + "|word\n" * 300 + "\n"],
)
def test_the_rest_begins_with_a_line(line: str) -> None:
    text = line * (MAX_MARKDOWN // len(line) + 1)
    page, rest = render_markdown(text)
    assert rest
    assert text.endswith(f"\n{rest}")
    assert page.count("word") + rest.count("word") == text.count("word")


def test_text_without_marks_is_rendered_up_to_its_limit() -> None:
    text = "Words-with-hyphens, 1.5 numbers and (brackets). " * 20_000
    assert MAX_MARKS < len(text) < MAX_MARKDOWN
    assert "<h1" in render_markdown(text + "\n\n# b").page


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("quote", ["", "> "])
def test_the_cells_that_short_rows_are_filled_with_are_limited(end: str, quote: str) -> None:
    columns = 100
    lines = ["|a" * columns + "|", "|-" * columns + "|", *("a" for _ in range(MAX_CELLS // 1000))]
    table = end.join(f"{quote}{line}" for line in lines) + 2 * end
    assert render_markdown(table).page.count("<td") == columns * (len(lines) - 2)
    fitting = MAX_CELLS // columns // (len(lines) - 1)
    assert "<h1" in render_markdown(table * fitting + "# b").page
    page = render_markdown(table * (fitting + 2) + "# b").page
    assert "<h1" not in page
    assert page.count("<td") <= MAX_CELLS


def test_a_table_that_has_its_cells_is_rendered() -> None:
    rows = "| Story | Epic | Status |\n" * 5_000
    page = render_markdown(f"| a | b | c |\n|:--|:-:|--:|\n{rows}\n# b\n").page
    assert page.count("<td") == 15_000
    assert "<h1" in page


def test_the_library_is_loaded_with_the_first_markdown_only() -> None:
    code = """
import sys
from service.documents.metadata import read_metadata
read_metadata("a: b", "yaml", "a.yaml")
assert "cmarkgfm" not in sys.modules
read_metadata("# a", "md", "a.md")
assert "cmarkgfm" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
