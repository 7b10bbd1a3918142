"""Large and deep documents: cut before a block, and rendered in bounded time."""

from __future__ import annotations

import time

import pytest

from service.rendering.document import render_document
from service.rendering.markdown_limits import MAX_SHOWN, MAX_TAGS
from service.rendering.sanitising import MAX_TEXT
from tests.rendering.harmless import check_harmless

LARGE = 5_000_000  # characters, the most that a document has
MAX_SECONDS = 1
NEARLY_A_PART = "aaaaaaaaa&" * (MAX_TEXT // 10 - 1)
TABLE = "| a | b | c |\n|---|---|---|\n"


def repeat(text: str, size: int = LARGE) -> str:
    return text * (size // len(text))


DOCUMENTS = {
    "rows of a table": TABLE + repeat("| x | y | z |\n"),
    "a wide table": "|" + "a|" * 2_000 + "\n|" + "-|" * 2_000 + "\n" + repeat("|x\n"),
    "headings": repeat("# Heading\n\n"),
    "raw headings": repeat("<h2>a</h2>\n"),
    "quotes": repeat("> "),
    "deeper and deeper quotes": "\n".join(">" * depth for depth in range(3_000)),
    "deeper and deeper lists": "\n".join(" " * (2 * depth) + "- x" for depth in range(2_000)),
    "emphasis in emphasis": repeat("*a **b ", 200_000) + repeat(" b** a*", 200_000),
    "open elements": repeat("<div>"),
    "open elements that are begun again": "".join(f"<b title={n}>" for n in range(200_000)),
    "paragraphs in open elements": "<b>" * 500 + repeat("<p>x"),
    "tables in tables": repeat("<table><tr><td>"),
    "links": repeat("[a](b) "),
    "links in HTML": repeat('<a href="b">'),
    "addresses": repeat("http://a "),
    "mail addresses": repeat("a@b.c "),
    "tags that do not end": repeat("<a "),
    "attributes that do not end": repeat('<a "'),
    "comments that do not end": repeat("<!-- "),
    "end tags": "<div>" * 99 + repeat("</b>"),
    "attributes": f"<div {repeat('a=b ')}>",
    "footnotes": repeat("[^1]", 500_000) + "\n\n[^1]: x\n",
    "code": repeat("```js\na = 'b';\n```\n"),
    "tasks": repeat("- [x] a\n"),
    "pictures": repeat("![a](b)"),
    "lines": repeat("a  \n"),
    "templates": repeat("<template>"),
    "signs and pictograms": repeat("&\U0001f600"),
    "paragraphs of nearly a part": repeat(f"{NEARLY_A_PART}\n\n"),
    **{
        f"{mark!r}": repeat(mark)
        for mark in ("<", "[", "*", "`", "_", "~", "&", "x", " ", "\n", "\xa9")
    },
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_no_document_takes_a_second(name: str) -> None:
    text = DOCUMENTS[name]
    render_document("md", "a", 0)  # loads the libraries
    start = time.thread_time()
    rendered = render_document("md", text, 2)
    assert time.thread_time() - start < MAX_SECONDS
    assert rendered.html.count("<") < 4 * MAX_TAGS
    assert len(rendered.html) < 4_000_000
    check_harmless(rendered.html)


@pytest.mark.parametrize("file_type", ["json", "yaml", "toml", "txt", "csv"])
@pytest.mark.parametrize(
    "text",
    [
        *('{"a": [1]},\n', "a: ", "[", ",", '"', "\n", "a,b\n", "<", "&", "\xa9", "&\U0001f600"),
        pytest.param(f"{NEARLY_A_PART}\n", id="lines of nearly a part"),
        pytest.param(f"{'&' * (MAX_TEXT - 1)}\n", id="lines of signs"),
    ],
)
def test_no_file_takes_a_second(file_type: str, text: str) -> None:
    render_document(file_type, "a", 0)
    start = time.thread_time()
    rendered = render_document(file_type, repeat(text), 0)
    assert time.thread_time() - start < MAX_SECONDS
    assert rendered.is_cut
    assert len(rendered.html) < 4_000_000


def test_a_large_table_is_cut_between_rows() -> None:
    rendered = render_document("md", DOCUMENTS["rows of a table"], 0)
    assert rendered.is_cut
    rows = rendered.html.count("<tr>")
    assert rows > 5_000
    assert rendered.html.count("<td>z</td>\n</tr>") == rows - 1


def test_a_document_is_cut_before_a_block() -> None:
    paragraph = f"{'word ' * 100}\n\n"
    rendered = render_document("md", repeat(paragraph, MAX_SHOWN + 10_000), 0)
    assert rendered.is_cut
    paragraphs = rendered.html.count("<p>")
    assert rendered.html.count(f"<p>{paragraph.strip()}</p>") == paragraphs
    assert paragraphs > 0.95 * MAX_SHOWN / len(paragraph)


def test_a_document_within_the_limits_is_whole() -> None:
    text = "# A *b*\n\n- c\n\n" * 2_500
    rendered = render_document("md", text, 0)
    assert not rendered.is_cut
    assert rendered.html.count("<h1") == 2_500
    assert not render_document("md", "", 0).is_cut


def test_headings_are_those_that_are_shown() -> None:
    text = f"# A\n\n{'word ' * (MAX_SHOWN // 5)}\n\n# B\n"
    rendered = render_document("md", text, 0)
    assert rendered.is_cut
    assert [heading.text for heading in rendered.headings] == ["A"]
