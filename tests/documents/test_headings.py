from __future__ import annotations

import json

import pytest

from service.documents.headings import MAX_HEADINGS, anchor_of, unique_anchor
from service.documents.metadata import read_metadata

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
    metadata = read_metadata(f"# {'ä ' * 9999}\n" * 9999, "md", PATH)
    assert len(metadata["headings"]) == MAX_HEADINGS
    assert len(json.dumps(metadata, ensure_ascii=False)) < 4_000_000
