from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.characters import UNSTORABLE
from service.documents.markdown import MAX_CELLS, MAX_MARKDOWN, MAX_MARKS, render_markdown
from service.documents.metadata import read_metadata
from service.documents.outline import MAX_HEADINGS
from service.documents.sections import MAX_SECTION, read_document
from tests.documents.test_metadata import documents, file_types

PATH = "docs/prd.md"


def read(text: str, file_type: str = "md") -> list[tuple[str | None, str]]:
    """Return each section's heading and text."""
    metadata, sections = read_document(text, file_type, PATH)
    headings = [heading["text"] for heading in metadata.get("headings", [])]
    return [
        (None if section.heading is None else headings[section.heading], section.text)
        for section in sections
    ]


def read_text(text: str) -> str:
    """Return the text of Markdown that is one section."""
    [(_, section)] = read(text)
    return section


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_each_heading_begins_a_section() -> None:
    assert read("intro\n\n# A\n\nb\n\n## C\n# D\ne\n\nF\n===\n> # G\n> h\n\n- # I\n  j") == [
        (None, "intro"),
        ("A", "b"),
        ("C", ""),
        ("D", "e"),
        ("F", ""),
        ("G", "h"),
        ("I", "j"),
    ]


def test_text_before_the_first_heading_is_left_out_if_it_is_empty() -> None:
    assert read("\n\n# A\n") == [("A", "")]
    assert read("") == read(" \n\t\n") == read("<!-- a -->") == [(None, "")]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_front_matter_is_text_before_the_first_heading(line_end: str) -> None:
    text = "---\nstatus: draft\ntags: [PAY-12]\n---\n\nintro\n\n# A\n"
    assert read(text.replace("\n", line_end)) == [
        (None, "status: draft\ntags: [PAY-12]\nintro"),
        ("A", ""),
    ]
    assert read("---\na: b\n---\n# A\n") == [(None, "a: b"), ("A", "")]
    assert read("---\n---\n# A\n") == [("A", "")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Inline markup splits no word, and a line break in a paragraph is a blank.
        ("foo**bar** *b*az `c`d ~~e~~f [g](h)i", "foobar baz cd ef gi"),
        ("a\nb **c\nd** `e\nf`\n*g*\n[h](i)", "a b c d e f g h"),
        ("a  \nb\\\nc", "a\nb\nc"),
        ("a\n\nb\n***\nc", "a\nb\nc"),
        ("a &amp; &lt;b&gt; &quot; &copy; &amp;lt; \\* &#0;", 'a & <b> " © &lt; * \ufffd'),
        ("www.a.com/_b_c <https://d.e/f> g@h.de", "www.a.com/_b_c https://d.e/f g@h.de"),
        ("[docs/prd.md](docs/prd.md#scope) [a](b.md 'c')", "docs/prd.md a"),
        # Lists, quotes, tables, code.
        ("- a\n- [x] b\n  c\n\n  1. d\n  2. e\n- f", "a\nb c\nd\ne\nf"),
        ("- a\n  - b\n\n  c\n- ***\n  d", "a\nb\nc\nd"),
        ("> a\n> b\n>\n> > c", "a b\nc"),
        ("|a|b|\n|:-|-:|\n|c d|`e|\n|f|\ng", "a | b\nc d | `e\nf\ng"),
        ("|a|b|c|d|\n|-|-|-|-|\n||e||f|\n||||\n|g||||", "a | b | c | d\ne | f\ng"),
        ("|a\\|b|c|\n|-|-|\n|d<br>e|**f**g|", "a|b | c\nd\ne | fg"),
        (
            "```py\nif a < b:\n\n    c &amp; d\n```\n\n    e\n      f",
            "if a < b:\nc &amp; d\ne\nf",
        ),
        ("```\na\n<!-- b -->\n# c\n```", "a\n<!-- b -->\n# c"),
        ("`a | b`", "a | b"),
        # Pictures and footnotes.
        ("a![b *c* \"d\"](e.png 'f')g", 'a b c "d" g'),
        ("[![a](b)](c)", "a"),
        ("a[^1] b[^n][^1]\n\n[^1]: c\n\n    d\n[^n]: e [^1]", "a b\nc\nd\ne"),
        ("a[^1] <b>b</b>[^n][^1]\n\n[^1]: c\n\n    d\n[^n]: e [^1]", "a b\nc\nd\ne"),
        # Raw HTML.
        ("foo<b>bar</b><span class='a'>baz</span><!-- b --> <i>c</i>", "foobarbaz c"),
        ("a<br>b<br/>c<BR class=d>e", "a\nb\nc\ne"),
        ("<p>a</p><p align=center>b</p><div>c</div>d", "a\nb\nc\nd"),
        ("<ul><li>a<li class=b>c</ul>", "a\nc"),
        ("<task>a</task><task id=b>c</task>", "a c"),
        ("<table><tr><td>a</td><td class=x>b</td></tr>\n<tr><td>c<td>d</table>", "a | b\nc | d"),
        ("<pre>\na\n  b\n</pre>\n<pre class=c>\nd\n e", "a\nb\nd e"),
        ('<img src=a alt="b > c &amp;amp;">d <img alt=e>', "b > c &amp; d e"),
        ("<details open>\n<summary>a</summary>\n\nb\nc\n\n</details>", "a\nb c"),
        ("<div>\na &copy; b &lt;c\n</div>", "a © b <c"),
        ("<div>x < 5 and y > 3</div>", "x < 5 and y > 3"),
        ("`<b>` &lt;i>a</i>", "<b> <i>a"),
        # What no reader sees.
        ("a <!-- b\nc --> d", "a d"),
        ("a\n\n<!-- never closed\n\nb", "a"),
        ("a<?php b ?>c<!DOCTYPE d>e", "ace"),
        ("a\n\n<template>\n\nb\n\n</template>\n\nc", "a\nc"),
        ("a\n\n<script>\nb < c\n</script>\n<STYLE type=x>\n.d {}\n</STYLE>\n\ne", "a\ne"),
        ("a\n\n<script>\nb", "a\n<script> b"),
        ("`<script>a</script>` &lt;style>b&lt;/style>", "<script>a</script> <style>b</style>"),
        # A browser hides the rest of the page, but search should find it.
        ('a\n\n<div title="b>\n\nc **d**e', "a\nc de"),
    ],
)
def test_the_text_is_what_the_page_shows(text: str, expected: str) -> None:
    assert read_text(text) == expected
    assert read_text(text.replace("\n", "\r\n")) == expected


def test_a_raw_heading_begins_a_section() -> None:
    assert read("<!-- # A -->\n<h2 id=b>B</h2>\nc\n<H2>D<br>E\n<h3>F</h3>g</h3>h") == [
        ("B", "c"),
        ("D E", ""),
        ("F", "g\nh"),
    ]


@pytest.mark.parametrize(
    ("heading", "text", "shown"),
    [
        ("# ![Logo](a.png) Name\n\nb", "Name", "Logo Name\nb"),
        ("# ![Logo](a.png)\n\nb", "Logo", "b"),
        ("# ![Logo](a.png) ![Build](c)\n\nb", "Logo", "Logo Build\nb"),
        (f"# {'x ' * 200}\n\nb", ("x " * 150).strip(), f"{'x ' * 200}".strip() + "\nb"),
        (f"# a &amp; `b` {'x' * 300}\n\nb", f"a & b {'x' * 294}", f"a & b {'x' * 300}\nb"),
    ],
)
def test_what_a_heading_shows_besides_its_text_begins_its_section(
    heading: str, text: str, shown: str
) -> None:
    assert read(heading) == read(f"{heading}<!-- -->") == [(text, shown)]


def test_the_text_of_an_unclosed_heading_is_not_lost() -> None:
    words = " ".join(f"w{number}" for number in range(5_000))
    sections = read(f"<h2>\n\n{words}\n\n- last")
    assert squeeze("".join(text for _, text in sections)) == squeeze(f"{words} last")


def test_text_below_a_heading_that_is_left_out_stays_in_the_section_before() -> None:
    assert read("# A\n\nb\n\n#\n\nc\n\n## &nbsp;\nd") == [("A", "b\nc\nd")]
    assert read("# A\n\nb\n\n<h2></h2>c\n\n#\nd") == [("A", "b\nc\nd")]
    text = "".join(f"# h{number}\n\nt{number}\n\n" for number in range(MAX_HEADINGS + 2))
    for beyond in (text, f"{text}<!-- -->"):
        sections = read(beyond)
        assert len(sections) == MAX_HEADINGS
        assert sections[-2:] == [("h1998", "t1998"), ("h1999", "t1999\nh2000\nt2000\nh2001\nt2001")]
    text = "".join(f"# {'ä' * 290}{number}\n\nt{number}\n\n" for number in range(1_000))
    for beyond in (text, f"{text}<!-- -->"):
        sections = read(beyond)
        kept = len(read_metadata(beyond, "md", PATH)["headings"])
        assert len([text for _, text in sections[:kept] if text == f"t{kept - 1}"]) == 0
        assert kept < 1_000
        joined = "\n".join(text for _, text in sections[kept - 1 :])
        expected = [f"t{kept - 1}"]
        for number in range(kept, 1_000):
            expected += [f"{'ä' * 290}{number}", f"t{number}"]
        assert joined.split() == expected


@pytest.mark.parametrize(
    "text",
    [
        "# A\n\n" + "word-a words, (brackets). " * (MAX_MARKDOWN // 25) + "\n\n# Last\n\nend",
        "# A\n\n" + "*a* " * MAX_MARKS + "\n\n# Last\n\nend",
        "# A\n\n" + "|a|b|\n|-|-|\n" + "|c|d|\n" * MAX_CELLS + "\n\n# Last\n\nend",
        "# A\n\n" + "> - " * 6_000 + "a\n\n" + "*b* " * MAX_MARKS + "\n\n# Last\n\nend",
    ],
)
def test_text_beyond_the_parsers_limits_is_in_sections_of_the_last_heading(text: str) -> None:
    sections = read(text)
    assert {heading for heading, _ in sections} == {"A"}
    joined = "\n".join(text for _, text in sections)
    assert joined.endswith("\n# Last\n\nend")
    source = re.findall("[a-z]", text, re.IGNORECASE)
    assert re.findall("[a-z]", joined, re.IGNORECASE) == source[1:]
    rest = render_markdown(text).rest
    assert "# Last" in rest
    assert squeeze(joined).endswith(squeeze(rest))


@pytest.mark.parametrize("file_type", ["yaml", "json", "csv", "txt", "toml"])
def test_other_documents_are_sections_without_a_heading(file_type: str) -> None:
    assert read("\n  a: 1\n# b\n\n\n", file_type) == [(None, "  a: 1\n# b")]
    assert read("", file_type) == [(None, "")]


def test_a_long_section_is_cut_at_line_ends_then_at_blanks() -> None:
    lines = [f"line {number:04}" for number in range(2_000)]
    sections = read("# A\n\n```\n" + "\n".join(lines) + "\n```\n## B")
    assert [heading for heading, _ in sections] == ["A", "A", "A", "B"]
    assert "\n".join(text for _, text in sections).strip().split("\n") == lines
    for text in ("\n".join(lines), "\r".join(lines), "\r\n".join(lines)):
        pieces = [piece for _, piece in read(text, "txt")]
        assert "\n".join(pieces).splitlines() == lines
    words = [f"word{number:04}" for number in range(2_000)]
    pieces = [piece for _, piece in read(" ".join(words), "txt")]
    assert " ".join(pieces).split(" ") == words
    assert [len(text) for _, text in read("x" * 20_000, "txt")] == [8_000, 8_000, 4_000]
    assert [len(text) for _, text in read(f"a\n{'x' * MAX_SECTION}\nb", "txt")] == [1, 8_000, 1]


def test_characters_that_cannot_be_stored_are_replaced() -> None:
    assert read("a\0b\ud800", "txt") == [(None, "a\ufffdb\ufffd")]
    assert read("# a\0b\ud800\nc\0\n\n<i>&#0;&#xd800;</i>")[0][1] == "c\ufffd\n\ufffd\ufffd"


class _Page(HTMLParser):
    """What a page without raw HTML shows, by Python's own parser.

    A heading's text is left out, where it is all that the heading shows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.shown = ""
        self._heading: str | None = None
        self._has_image = False
        self._link_depth = 0

    def _show(self, text: str) -> None:
        if self._link_depth:
            return
        if self._heading is None:
            self.shown += text
        else:
            self._heading += text

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if re.fullmatch("h[1-6]", tag):
            self._heading, self._has_image = "", False
        elif tag == "img":
            self._show(attributes["alt"] or "")
            self._has_image = True
        elif tag == "a" and (self._link_depth or any("footnote" in name for name in attributes)):
            self._link_depth += 1

    def handle_endtag(self, tag: str) -> None:
        if re.fullmatch("h[1-6]", tag):
            heading, self._heading = self._heading, None
            assert heading is not None
            if self._has_image:
                self._show(heading)
        elif tag == "a" and self._link_depth:
            self._link_depth -= 1

    def handle_data(self, data: str) -> None:
        self._show(data)


# Everything but raw HTML and images alone in a heading.
markdown = st.lists(
    st.sampled_from(
        [
            *("# ", "## ", "\n", "\n\n", "\r\n", "===\n", "---\n", "word", "ab", " ", "- ", "1. "),
            *("> ", "    ", "```\n", "`", "*", "**", "~~", "[a](b)", "![i](s) x", "|", "|-|-|\n"),
            *("&", "&lt;", "&amp;gt;", '"', "[^1]", "\n[^1]: ", "[x] ", "\\", "www.a.b", "é", "中"),
            "| a | b |\n|---|---|\n",
        ]
    )
    | st.text("ab \n*_`#|->[]()!&", max_size=5),
    max_size=40,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(markdown)
def test_a_page_without_raw_html_loses_nothing_but_white_space(text: str) -> None:
    page = _Page()
    page.feed(render_markdown(text).page)
    page.close()
    expected = squeeze(page.shown).replace("|", "")
    # Not at the beginning, where it could be front matter.
    for written in (f"\n{text}", f"<!-- -->\n\n{text}"):
        sections = read_document(written, "md", PATH).sections
        joined = "".join(section.text for section in sections)
        assert squeeze(joined).replace("|", "") == expected


# Blocks of Markdown and HTML; each `{}` is a word that a reader sees.
BLOCKS = [
    "{}\n{} **{}**\n\n",
    "# {}\n\n",
    "<h2 id=a>{}</h2>\n\n",
    "{}\n===\n\n",
    "- {}\n- [x] {}\n\n  {}\n\n",
    "> {}\n> {}\n\n",
    "|{}|{}|\n|-|:-:|\n|{}|`{}`|\n||{}|\n\n",
    "```\n{}\n  {}\n\n{}\n```\n\n",
    "![{}](a.png) {} [{}](b.md 'c')\n\n",
    "{}<br>{}<!-- hidden --> <b title='a > b'>{}</b>\n\n",
    "<p>{}</p><p>{}</p><div class=a>{}</div>{}\n\n",
    "<table><tr><td>{}</td><td>{}<td>{}</table>\n\n",
    "<details><summary>{}</summary>\n\n{}\n\n</details>\n\n",
    "<pre>\n{}\n\n{}\n</pre>\n\n",
    "<!--\n\n# hidden\n\n-->\n\n",
    "<template>\n\nhidden\n\n</template>\n\n",
    "<script>\nhidden < 1\n</script>\n\n",
    "{} &amp; {} &copy;{}\n\n***\n\n",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(BLOCKS), max_size=12))
def test_every_word_is_in_the_section_of_its_heading(blocks: list[str]) -> None:
    text = ""
    expected: list[tuple[str | None, list[str]]] = [(None, [])]
    count = 0
    for block in blocks:
        words = [f"word{count + number}" for number in range(block.count("{}"))]
        count += len(words)
        text += block.format(*words)
        if block.startswith(("# ", "<h2")) or "===" in block:
            expected.append((words[0], []))
        else:
            expected[-1][1].extend(words)
    if not expected[0][1] and len(expected) > 1:
        del expected[0]
    found = [(heading, re.findall(r"\w*word\w*", section)) for heading, section in read(text)]
    assert found == expected
    assert not any("hidden" in section for _, section in read(text))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "bc ", "\n", "\r\n", "\r", " ", "\t", "中"]),
            st.integers(1, 9_000),
        ),
        max_size=6,
    ),
    st.sampled_from(["txt", "yaml", "json", "csv", "toml"]),
)
def test_plain_texts_lose_nothing_but_white_space(
    runs: list[tuple[str, int]], file_type: str
) -> None:
    text = "".join(part * count for part, count in runs)
    pieces = [section.text for section in read_document(text, file_type, PATH).sections]
    assert squeeze("".join(pieces)) == squeeze(text)
    assert max(map(len, pieces)) <= MAX_SECTION
    assert all(piece.strip() for piece in pieces) or pieces == [""]
    assert text.split() == [word for piece in pieces for word in piece.split()] or any(
        len(word) > MAX_SECTION for word in text.split()
    )


@settings(deadline=None, max_examples=300)
@given(documents, file_types)
def test_any_text_has_sections_that_can_be_stored(text: str, file_type: str) -> None:
    metadata, sections = read_document(text, file_type, PATH)
    assert metadata == read_metadata(text, file_type, PATH)
    assert sections
    assert all(not UNSTORABLE.search(section.text) for section in sections)
    assert all(len(section.text) <= MAX_SECTION for section in sections)
    # Every heading in order, and nothing before the first but sections without a heading.
    numbers = [-1 if section.heading is None else section.heading for section in sections]
    assert numbers == sorted(numbers)
    assert {*numbers} - {-1} == {*range(len(metadata.get("headings", [])))}
    json.dumps(sections, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "text",
    [
        *("#", "# a\n", "<h1>", "<h1 ", "</h1>", "<!--", "[", "![", "[a](", "*a_ ", "`a``", "> "),
        *("|-\n", "a|b\n-|-\n", "||||||||\n|-|-|-|-|-|-|-|\n", "- - - - a\n", "<pre>", "<pre>\n"),
        *("<script>", "<style></script>", "<td>", "</td><td>", "<td></td>", "<img alt=a>", "\n "),
        *("# [^1]\n\n[^1]: a\n", "[^1]", "<template>", "<x>", "<a ", "&lt;script>", "` `", "` "),
        *(
            "![a](b)",
            "a  \n",
            "```\n",
            "<p>a",
            "<br>",
            "&lt;/style>",
            "# ![a](b)\n",
            "a\n\n",
            "---\n",
        ),
        *(' "', "<h1>a</h1>", '<a href="#fn', "<a data-footnote-ref>", "↩"),
    ],
)
def test_a_megabyte_of_repeated_markup_is_cut_in_bounded_time_and_size(text: str) -> None:
    begun = time.process_time()
    source = (text * 1_000_000)[:1_000_000]
    sections = read_document(source, "md", PATH).sections
    assert time.process_time() - begun < 3  # 1.2 s at most, where nothing else runs
    assert sum(len(section.text) for section in sections) <= 2 * len(source)
    assert len(sections) <= MAX_HEADINGS + 2 * len(source) // MAX_SECTION + 2
