"""Markdown's HTML written again: anchors, links, footnotes, and raw HTML as GitHub allows it."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service import ROOT
from service.documents.front_matter import split_front_matter
from service.documents.metadata import LINE_END
from service.documents.outline import MAX_HEADINGS, read_outline
from service.rendering.document import render_document
from service.rendering.elements import MAX_NESTING
from service.rendering.nesting import Nesting
from service.rendering.page_writer import MAX_UNCLOSED
from tests.rendering.harmless import check_harmless
from tests.rendering.test_sanitising import soups

if TYPE_CHECKING:
    from service.documents.headings import Heading

HEADING_ID = re.compile(r'<h[1-6](?: id="([^"]*)")?[^>]*>(?:<a name="([^"]*)"></a>)?')


def shown(text: str, depth: int = 0) -> str:
    """Return the HTML of a Markdown text without the element around it."""
    html = render_document("md", text, depth).html
    return html.removeprefix('<div class="rendered" dir="auto">').removesuffix("</div>").strip()


def anchors_of(html: str) -> list[str]:
    """Return the anchors of the headings in a page, but for the title of the footnotes."""
    found = [unescape(one or other) for one, other in HEADING_ID.findall(html)]
    return [anchor for anchor in found if anchor and anchor != "hub-footnotes"]


def outlined(text: str) -> list[Heading]:
    """Return the headings of a document's outline, with their lines in the document."""
    _, body = split_front_matter(text)
    before = len(LINE_END.findall(text.removesuffix(body)))
    return [heading._replace(line=before + heading.line) for heading in read_outline(body).headings]


def check_anchors(text: str) -> list[Heading]:
    rendered = render_document("md", text, 1)
    headings = outlined(text)
    assert rendered.headings == headings
    anchors = anchors_of(rendered.html)
    missing = [heading.anchor for heading in headings if heading.anchor not in ("", *anchors)]
    assert missing == []
    return headings


PIECES = [
    *(
        "# ",
        "## ",
        "a",
        "A b",
        "hub-",
        " ",
        "\n",
        "\n\n",
        "*",
        "`",
        "<b>",
        "<h2>",
        "</h2>",
        "é",
        "1",
    ),
    *('<h3 id="a">', "![c](d)", "[^1]", "\n\n[^1]: x\n", "> ", "- ", "===\n", "\r\n", "---\n"),
    *("&amp;", "<br>", "<a name=a>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("---\n---\n# a")
@example("---\r\na: b\r\n---\r\n\r\n# a\r\n")
@example("---\ra: b\r---\r\n# a")
def test_headings_have_the_anchors_of_the_outline(text: str) -> None:
    check_anchors(text)


@given(soups)
def test_headings_in_raw_html_have_the_anchors_of_the_outline(text: str) -> None:
    rendered = render_document("md", text, 1)
    assert rendered.headings == outlined(text)
    anchors = {heading.anchor for heading in rendered.headings}
    # Of the headings that are shown; a table's frame, for example, has no place for one.
    assert set(anchors_of(rendered.html)) - anchors <= {"", *_unseen(text)}


def _unseen(text: str) -> list[str]:
    """Return the anchors of headings without text, which no outline lists."""
    outline = read_outline(split_front_matter(text)[1])
    return outline.anchors


def test_headings_of_real_documents_have_the_anchors_of_the_outline() -> None:
    count = 0
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]:
        text = path.read_text()
        count += len(check_anchors(text))
        check_harmless(render_document("md", text, 1).html)
    assert count > 50


def test_headings_beyond_the_outlines_limit_have_no_anchors() -> None:
    html = render_document("md", "# a\n\n" * (MAX_HEADINGS + 3), 0).html
    assert len(anchors_of(html)) == MAX_HEADINGS
    assert html.count("<h1") == MAX_HEADINGS + 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Addresses.
        ("[a](b/c.md#d)", '<p><a href="b/c.md#d">a</a></p>'),
        ("[a](/b/c.md?d)", '<p><a href="../../b/c.md?d">a</a></p>'),
        ("[a](#user-content-b)", '<p><a href="#b">a</a></p>'),
        ("<a@b.c>", '<p><a href="mailto:a@b.c">a@b.c</a></p>'),
        ('[a](b "c")', '<p><a href="b" title="c">a</a></p>'),
        (
            "[a](HTTPS://b.c)",
            '<p><a href="HTTPS://b.c" rel="nofollow noopener noreferrer">a</a></p>',
        ),
        ("[a](javascript:b)", "<p>a</p>"),
        # Pictures.
        ("![a](b.png)", '<p><a class="picture" href="b.png"><small>picture</small> a</a></p>'),
        (
            "![](b/c%20d.png)",
            '<p><a class="picture" href="b/c%20d.png"><small>picture</small> c d.png</a></p>',
        ),
        (
            "[![a](b.png)](c)",
            '<p><a href="c"><span class="picture"><small>picture</small> a</span></a></p>',
        ),
        ("![a](data:b)", '<p><span class="picture"><small>picture</small> a</span></p>'),
        (
            '<picture><source srcset="a"><img src="/b.png" alt="c"></picture>',
            '<p><a class="picture" href="../../b.png"><small>picture</small> c</a></p>',
        ),
        (
            '<video src="a.mp4"></video>',
            '<p><a class="picture" href="a.mp4"><small>video</small> a.mp4</a></p>',
        ),
        # Raw HTML.
        ('<p align="center" style="x">a</p>', '<p align="center">a</p>'),
        (
            "<details open>\n<summary>a</summary>\n\n- b\n\n</details>",
            '<details open="">\n<summary>a</summary>\n<ul>\n<li>b</li>\n</ul>\n</details>',
        ),
        ("<dl><dt>a<dd>b<dt>c</dl>", "<dl><dt>a</dt><dd>b</dd><dt>c</dt></dl>"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        ("<p>a<p>b", "<p>a</p><p>b\n</p>"),
        ("a <b>b *c</b> d*", "<p>a <b>b <em>c</em></b> d</p>"),
        ("<b>\n\na\n\n</b>\n\nb", "<b>\n<p>a</p>\n</b>\n<p>b</p>"),
        ("a <custom-x>b</custom-x> <!-- c --> d", "<p>a b  d</p>"),
        (
            "<h1>a</h2>b",
            (
                '<div class="heading"><h1 id="a">a</h1>'
                '<a class="anchor" href="#a" aria-label="Permalink: a"></a></div>b'
            ),
        ),
        ("<a name=b>a</a>", '<p><span id="b"></span>a</p>'),
        ("<a href=b>c <a href=d>e</a>", '<p><a href="b">c </a><a href="d">e</a></p>'),
        (
            '<h2 id="b">a</h2>',
            (
                '<div class="heading"><h2 id="a"><span id="b"></span>a</h2>'
                '<a class="anchor" href="#a" aria-label="Permalink: a"></a></div>'
            ),
        ),
        (
            '<a id="a"></a>\n\n# a',
            (
                '<p></p>\n<div class="heading"><h1 id="a">a</h1>'
                '<a class="anchor" href="#a" aria-label="Permalink: a"></a></div>'
            ),
        ),
        ("a < b <3 <", "<p>a &lt; b &lt;3 &lt;</p>"),
        ("<p title='a>b\n\n*c*", "&lt;p title='a&gt;b\n<p><em>c</em></p>"),
        # Alerts are GitHub's only outside of other blocks.
        (
            "- > [!NOTE]\n  > a",
            "<ul>\n<li>\n<blockquote>\n<p>[!NOTE]\na</p>\n</blockquote>\n</li>\n</ul>",
        ),
        (
            "> [!TIP]\n>\n> - a",
            (
                '<div class="markdown-alert markdown-alert-tip">\n'
                '<p class="markdown-alert-title">Tip</p>\n<ul>\n<li>a</li>\n</ul>\n</div>'
            ),
        ),
    ],
)
def test_the_parsers_page_is_written_again(text: str, expected: str) -> None:
    assert shown(text, 2) == expected


def test_raw_tables_get_the_rows_that_they_lack() -> None:
    html = shown("<table><td>a<th colspan=2 bgcolor=red>b<tr><td>c<table><td>d</table></table>e")
    assert html == (
        '<figure class="table-scroll" aria-label="Table" tabindex="0"><table><tbody>'
        '<tr><td>a</td><th colspan="2">b</th></tr><tr><td>c<table><tbody><tr><td>d</td></tr>'
        "</tbody></table></td></tr></tbody></table></figure>e"
    )


def test_footnotes_lead_there_and_back() -> None:
    html = shown("a[^x] b[^x]\n\n[^x]: c")
    ids = check_harmless(html)
    assert ids == ["hub-fnref-x", "hub-fnref-x-2", "hub-footnotes", "hub-fn-x"]
    targets = re.findall(r'href="#([^"]*)"', html)
    assert targets == ["hub-fn-x", "hub-fn-x", "hub-fnref-x", "hub-fnref-x-2"]
    assert html.count('aria-describedby="hub-footnotes"') == 2
    assert html.count('aria-label="Back to reference 1') == html.count("↩") == 2
    assert '<h2 id="hub-footnotes" class="visually-hidden">Footnotes</h2>' in html


def test_deep_nesting_is_cut_and_its_text_shown() -> None:
    html = shown("<div>" * 500 + "a" + "</div>" * 500 + "b")
    assert html == "<div>" * 100 + "a" + "</div>" * 100 + "b"


def test_text_after_tags_that_never_end_is_shown_and_else_cut() -> None:
    rendered = render_document("md", "<p title='\n\na *b*\n\n", 0)
    assert "<p>a <em>b</em></p>" in rendered.html
    assert not rendered.is_cut
    rendered = render_document("md", f"<div\n{'<a ' * 2 * MAX_UNCLOSED}", 0)
    assert rendered.html.count("&lt;") == MAX_UNCLOSED
    assert rendered.is_cut


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_make_no_difference(end: str) -> None:
    text = "---\na: b\n---\n# C\n\n```py\nx = 1\n\ny = 2\n```\n\n- d\n  <b>e\n  f</b>\n"
    assert render_document("md", text.replace("\n", end), 0) == render_document("md", text, 0)


def test_the_end_tag_of_an_element_that_is_too_deep_ends_no_other() -> None:
    nesting = Nesting()
    for _ in range(MAX_NESTING + 1):
        if nesting.make_place("div"):
            nesting.begin("div", "<div>", "</div>")
    nesting.end("div")
    assert "</div>" not in nesting.out
    nesting.end("div")
    assert nesting.out.count("</div>") == 1
