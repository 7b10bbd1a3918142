from __future__ import annotations

import json

import pytest

from service.documents.anchors import anchor_of, unique_anchor
from service.documents.metadata import read_metadata
from service.documents.outline import (
    MAX_HEADINGS,
    MAX_HTML_ANCHORS,
    MAX_OUTLINE_BYTES,
    read_outline,
)

PATH = "a.md"


def headings(text: str) -> list[tuple[int, str, str]]:
    found = read_metadata(text, "md", PATH)["headings"]
    return [(heading["level"], heading["text"], heading["anchor"]) for heading in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A #\n###### B ##", [(1, "A", "a"), (6, "B", "b")]),
        ("####### A\n#B\n\\# C", []),
        ("A\n===\nB\n---", [(1, "A", "a"), (2, "B", "b")]),
        ("A\nB\n===", [(1, "A B", "ab")]),
        ("```\n# A\n```\n    # B\n~~~\n# C", []),
        ("<!-- # A\n\n# B\n-->\n# C", [(1, "C", "c")]),
        ("<!-- <h1>A</h1> -->\n<h1>B<!-- </h1> --></h1>", [(1, "B", "b")]),
        ("<!-->\n# A\n\n<!-- -->", [(1, "A", "a")]),
        ("<!-- never closed\n\n# A", []),
        ("> # A\n\n- # B\n  ## C", [(1, "A", "a"), (1, "B", "b"), (2, "C", "c")]),
        ("# `a<b>` *c* [d](e) ~~f~~ g_h", [(1, "a<b> c d f g_h", "ab-c-d-f-g_h")]),
        ("# A &amp; B &lt;h1&gt; <b>C</b>", [(1, "A & B <h1> C", "a--b-h1-c")]),
        ("# ![Logo](a.png) Name", [(1, "Name", "-name")]),
        ("# ![Logo](a.png)", [(1, "Logo", "")]),
        ("#\n# \n# A\n", [(1, "A", "a")]),
        ('<h1 align="center">A <i>B</i></h1>', [(1, "A B", "a-b")]),
        ("<H2>\nA<br/>B\n</H2>", [(2, "A B", "ab")]),
        ("<div>\n\n# A\n\n</div>", [(1, "A", "a")]),
        ("<header>A</header>\n<h7>B</h7>\n<hr>", []),
        ("| a | b |\n|---|---|\n| c | d |\n---\n", []),
        ("# A[^1]\n\n[^1]: note", [(1, "A", "a1")]),
        ("# A\r\n## B\r\n", [(1, "A", "a"), (2, "B", "b")]),
        ("---\n# A\na: b\n---\n# C", [(1, "C", "c")]),
        ("---\na: b\n...\n# C", [(1, "C", "c")]),
        ("---\n\n# C", [(1, "C", "c")]),
        ("# A\n---\nb: c\n---\n", [(1, "A", "a"), (2, "b: c", "b-c")]),
    ],
)
def test_headings_match_those_of_github(text: str, expected: list[tuple[int, str, str]]) -> None:
    assert headings(text) == expected


# The expected values are those of cmark-gfm 0.29.0.gfm.6, parse5 8.1 and github-slugger 2.0.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Tags that GitHub shows as text, or that have `<` or `>` in an attribute.
        ("# The <title> element", [(1, "The <title> element", "the-title-element")]),
        ("# <script>a</script>", [(1, "<script>a</script>", "scriptascript")]),
        ('# <img alt="a > b" src="x.png"> Title', [(1, "Title", "-title")]),
        ("# <a title='<h2>b</h2>'>A</a>", [(1, "A", "a")]),
        ("<h2>x < 5 and y > 3</h2>", [(2, "x < 5 and y > 3", "x--5-and-y--3")]),
        ("<h2>a <= b</h2>", [(2, "a <= b", "a--b")]),
        ("<h2 title=a>b>c</h2>", [(2, "b>c", "bc")]),
        ("<h2 ='>'>b</h2>", [(2, "'>b", "b")]),
        ('<h2 title="never closed>b</h2>\n\n# c', []),
        ('<div title="a>\n\n# B [c](d)\n\n# D', [(1, "D", "d")]),
        ("<h2>a</h2\n>b\n\n# c", [(2, "a", "a"), (1, "c", "c")]),
        ("<h2>a&ampb &copy c</h2>", [(2, "a&b © c", "ab--c")]),
        # What a browser takes for a comment.
        ("<![CDATA[\n<h2>A</h2>\n]]>\n\n# B", [(1, "B", "b")]),
        ("# A <![CDATA[ > ]]> B", [(1, "A ]]> B", "a---b")]),
        ("# A <?php 1 > 0 ?> B", [(1, "A 0 ?> B", "a--0--b")]),
        ("<!DOCTYPE <h1>A</h1>\n\n# B", [(1, "B", "b")]),
        ("<!-- --!><h1>A</h1>", [(1, "A", "a")]),
        ("<h1>A</ h2>B</h1>", [(1, "AB", "ab")]),
        # What a browser does not show.
        ("<template>\n\n# A\n\n</template>\n\n# B", [(1, "B", "b")]),
        ("<h1>A <TEMPLATE><template>B</template>C</TEMPLATE> D</h1>", [(1, "A D", "a--d")]),
        # Autolinks keep what would be emphasis.
        ("# www.a.com/_b_c", [(1, "www.a.com/_b_c", "wwwacom_b_c")]),
        ("# http://a.com/**b", [(1, "http://a.com/**b", "httpacomb")]),
        ("# <https://a.com/?b_c_d>", [(1, "https://a.com/?b_c_d", "httpsacomb_c_d")]),
        ("# a_b_@c.de", [(1, "a_b_@c.de", "a_b_cde")]),
        # Symbols are no punctuation beside `*`: not in cmark-gfm, whose CommonMark is 0.29.
        ("# a*€*b_c", [(1, "a€b_c", "ab_c")]),
        ("# a**€5**b", [(1, "a€5b", "a5b")]),
        ("|a\t|b|\n|-\t|-|\nc\n===", []),
        ("|a\t|b|\n|-\t|-|\n# c", [(1, "c", "c")]),
        ("| # a |\n|---|\n| # b |\n---", []),
        ("1. a\n   <h2>B</h2>\n   # C", [(2, "B", "b")]),
        ("- a\n  <div>\n# B", [(1, "B", "b")]),
        ("<details>\n<summary>a</summary>\n\n## B\n\n</details>", [(2, "B", "b")]),
        ('<h1 align="center">\n\n# A\n\n</h1>', [(1, "A", "a")]),
        ("> [!NOTE]\n> # A", [(1, "A", "a")]),
        ("[^1]\n\n# B\n\n[^1]: c\n\n    # D", [(1, "B", "b"), (1, "D", "d")]),
        # Texts that anchors are made of.
        ("# :tada: A", [(1, ":tada: A", "tada-a")]),
        ("# 👩\u200d💻 A\ufe0f", [(1, "👩\u200d💻 A\ufe0f", "-a\ufe0f")]),
        ("# a\u00a0b &nbsp;", [(1, "a b", "ab-")]),
        ("# שלום e\u0301", [(1, "שלום e\u0301", "שלום-e\u0301")]),
        ("# İ ΑΣ ẞ", [(1, "İ ΑΣ ẞ", "i̇-ας-ß")]),
        ("# A #\\# #", [(1, "A ##", "a-")]),
        ("A  \nB\\\nC\n===", [(1, "A B C", "abc")]),
        ("# ![a *b*](c) ![d](e)", [(1, "a b", "-")]),
        (
            "# FR-1.10: a\n# Story 2.10: b",
            [(1, "FR-1.10: a", "fr-110-a"), (1, "Story 2.10: b", "story-210-b")],
        ),
    ],
)
def test_headings_match_those_of_cmark_gfm_and_github_slugger(
    text: str, expected: list[tuple[int, str, str]]
) -> None:
    assert headings(text) == expected
    assert headings(text.replace("\n", "\r\n")) == expected


# The expected anchors are those of github-slugger's fixtures, which its authors took from GitHub.
@pytest.mark.parametrize(
    ("text", "anchor"),
    [
        ("foo bar", "foo-bar"),
        ("Привет non-latin 你好", "привет-non-latin-你好"),
        ("😄 emoji", "-emoji"),
        ("I ♥ unicode", "i--unicode"),
        ("Dash-dash", "dash-dash"),
        ("en\u2013dash", "endash"),
        ("Über Straße", "über-straße"),
        ("snake_case and tie‿d", "snake_case-and-tie‿d"),
        ("देवनागरी", "देवनागरी"),
        ("x² and ½", "x-and-"),
        ("Ⅳ", "ⅳ"),
        ("Ⓐ and 🅰", "ⓐ-and-🅰"),
        ("What's new? (1.2.3)", "whats-new-123"),
        ("a  b\tc\n\u00a0d", "a--bcd"),
        (" a ", "-a-"),
        ("", ""),
    ],
)
def test_anchors_match_those_of_github(text: str, anchor: str) -> None:
    assert anchor_of(text) == anchor


@pytest.mark.parametrize(
    ("texts", "anchors"),
    [
        (["a", "a", "a-1"], ["a", "a-1", "a-1-1"]),
        (["a", "a-1", "a", "a"], ["a", "a-1", "a-2", "a-3"]),
        (["a-1", "a", "a", "a-1"], ["a-1", "a", "a-2", "a-1-1"]),
        (["", "", "A", "a"], ["", "-1", "a", "a-1"]),
    ],
)
def test_repeated_anchors_get_the_next_free_number(texts: list[str], anchors: list[str]) -> None:
    taken: dict[str, int] = {}
    assert [unique_anchor(anchor_of(text), taken) for text in texts] == anchors


def test_empty_headings_count_for_the_anchors_of_later_ones() -> None:
    assert headings("#\n\n# ![A](a)") == [(1, "A", "-1")]


def test_the_number_and_the_length_of_headings_are_limited() -> None:
    metadata = read_metadata("# ä\n" * 2 * MAX_HEADINGS, "md", PATH)
    assert len(metadata["headings"]) == MAX_HEADINGS
    long = read_metadata(f"# {'ä ' * 99_999}\n", "md", PATH)
    assert len(json.dumps(long, ensure_ascii=False)) < 2_000


def test_an_unclosed_template_hides_nothing() -> None:
    assert headings("# The <template> element\n\n# B") == [
        (1, "The element", "the--element"),
        (1, "B", "b"),
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("# a\n\nb\nc\n===\n\n- # d\n\n  > ## e", [1, 3, 7, 9]),
        ("# a\r\n\r\n# b\r# c", [1, 3, 4]),
        ("`<h2>`\n\n<h2>a</h2>\n<h2>b</h2>\n\n```\n<h2>\n```\n\n<div>\n<h2>c</h2>", [3, 4, 11]),
        ("a\n<h2\n  id=a>b</h2> <h2>c</h2>\n\n# d", [2, 3, 5]),
        ("> - <h2>a</h2>\n>   <h2>a</h2>", [1, 2]),
        ('<h1 data-sourcepos="9:1-9:9">a</h1>\n# b\n\n# c', [1, 4]),
        ("[^1]\n\n[^1]: # a\n\n# b", [5, 3]),
    ],
)
def test_headings_have_the_line_that_they_begin_on(text: str, lines: list[int]) -> None:
    assert [heading.line for heading in read_outline(text).headings] == lines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<a name=\"a\"></a>\n\n# b <a id='c'></a>", ["a", "c"]),
        ("<div ID=a Name=b>\n\n- <span id=c>d</span>", ["a", "b", "c"]),
        ('<h2 id="a&amp;b">c</h2> <p id="é%20">', ["a&b", "é%20"]),
        ("<a id=a><a id=a name=a><a id=b id=c>", ["a", "b"]),
        ('<a title="id=a" href="#name=b">c</a>', []),
        ('`<a id="a">` <!-- <a id="b"> -->\n\n    <a id="c">\n\n```\n<a id="d">\n```', []),
        ('<input name="a" id="b"><meta name="c"><a id=""><a id="a b"></a id="d">', ["b"]),
        ("# A[^n]\n\n[^n]: b <a id=c>", ["c"]),
        ('<li id="fn-1">a</li>', ["fn-1"]),
        ("<template><a id=a></template><textarea id=b>", []),
    ],
)
def test_ids_and_names_in_raw_html_are_anchors(text: str, expected: list[str]) -> None:
    assert read_outline(text).html_anchors == expected


def test_the_number_of_html_anchors_is_limited() -> None:
    text = "".join(f'<a id="{number}" name="n{number}">' for number in range(MAX_HTML_ANCHORS))
    assert len(read_outline(text).html_anchors) == MAX_HTML_ANCHORS
    assert read_outline(f'<a id="{"a" * 301}">').html_anchors == []


@pytest.mark.parametrize("text", ["x", "\u4e2d", "\U0001f600", '"', "a \x01"])
def test_headings_and_anchors_are_limited_in_bytes_as_json(text: str) -> None:
    body = "".join(f"# {text * 100}\n\n<a id={number}{'y' * 200}>\n\n" for number in range(1800))
    metadata = read_metadata(body, "md", PATH)
    kept = {name: metadata[name] for name in ("headings", "anchors")}
    written = len(json.dumps(kept, ensure_ascii=False, separators=(",", ":")).encode())
    assert MAX_OUTLINE_BYTES * 0.9 < written < MAX_OUTLINE_BYTES
    assert metadata["headings"][0]["text"] == (text * 100).strip()


def test_the_headings_of_a_long_document_are_all_kept() -> None:
    body = "".join(
        f"## Story {number}: the title of a story of usual length\n" for number in range(2000)
    )
    assert len(headings(body)) == MAX_HEADINGS == 2000
