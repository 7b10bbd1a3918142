from __future__ import annotations

import json
import time
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.documents.metadata import (
    MAX_HEADINGS,
    MAX_TITLE,
    anchor_of,
    read_metadata,
    unique_anchor,
)

PATH = "docs/epics/epic-1.2.md"
PARTS = [
    *("# ", "## ", "\n", "\r\n", "---\n", "===\n", "...\n", "a", "title: ", "- ", "> ", "    "),
    *("```\n", "`", "*", "[x](y)", "![i](s)", "<!-- ", "-->", "<h1>", "</h1>", "<h2 ", "|", "&"),
    *("&#0;", "&#xd800;", "[^1]", "\0", "\ud800", "\ufeff", "{", "[", "]", "}", '"', "\\ud800"),
    *("\\0", "&a ", "*a", "!!binary ", "!x ", ".nan", "1e999", "9" * 5000, "? ", ": ", "%YAML"),
]
texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=5), max_size=40).map("".join)
documents = texts | texts.map("---\n{}\n---\n# a".format)
file_types = st.sampled_from(["md", "txt", "csv", "yaml", "json"])


def headings(text: str) -> list[tuple[int, str, str]]:
    found = read_metadata(text, "md", PATH)["headings"]
    return [(heading["level"], heading["text"], heading["anchor"]) for heading in found]


def front_matter(source: str) -> Any:
    metadata = read_metadata(f"---\n{source}\n---\n", "md", PATH)
    assert "front_matter_error" not in metadata
    return metadata["front_matter"]


def front_matter_error(source: str) -> str:
    metadata = read_metadata(f"---\n{source}\n---\n# Rest", "md", PATH)
    assert metadata["front_matter"] is None
    assert metadata["title"] == "Rest"
    return metadata["front_matter_error"]


@pytest.mark.parametrize(
    ("text", "file_type", "title"),
    [
        ("---\ntitle: Front\n---\n# First", "md", "Front"),
        ("---\ntitle: 2024\n---\n", "md", "2024"),
        ("---\ntitle: 2024-01-05\n---\n", "md", "2024-01-05"),
        ("---\ntitle: [a]\n---\n# First", "md", "First"),
        ("---\ntitle:\n---\n# First", "md", "First"),
        ("---\ntitle: true\n---\n# First", "md", "First"),
        ('---\ntitle: " "\n---\n# First', "md", "First"),
        ('---\ntitle: "a\\nb"\n---\n', "md", "a b"),
        ("## Second\n# First\n# Other", "md", "First"),
        ("### Third\n## Second", "md", "Third"),
        ("#\n\n# First", "md", "First"),
        ("text", "md", "epic-1.2"),
        ("# " + "x" * 999, "md", "x" * MAX_TITLE),
        ("# First", "txt", "epic-1.2"),
        ("title,b", "csv", "epic-1.2"),
        ("a: {title: no}\nb: [title, no]\ntitle: Yes\n", "yaml", "Yes"),
        ("? {a: b}\n: c\ntitle: Yes", "yaml", "Yes"),
        ("a: &b c\nd: *b\ntitle: Yes", "yaml", "Yes"),
        ("b: title\nc: d", "yaml", "epic-1.2"),
        ("title: [a]", "yaml", "epic-1.2"),
        ("- title: a", "yaml", "epic-1.2"),
        ("title: 'a", "yaml", "epic-1.2"),
        ('{"a": 1, "title": "\\ud83d\\ude04 Yes"}', "json", "😄 Yes"),
        ('{"title": {}}', "json", "epic-1.2"),
        ('[{"title": "a"}]', "json", "epic-1.2"),
        ('{"title": "a"', "json", "epic-1.2"),
    ],
)
def test_the_title_is_what_the_document_calls_itself(text: str, file_type: str, title: str) -> None:
    assert read_metadata(text, file_type, PATH)["title"] == title


@pytest.mark.parametrize(
    ("path", "title"),
    [("a.yaml", "a"), ("x/.md", ".md"), ("", "Untitled"), ("a\nb\ud800.md", "a b\ufffd")],
)
def test_a_document_without_a_title_has_its_files_name(path: str, title: str) -> None:
    assert read_metadata("", "md", path)["title"] == title


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
def test_headings_are_those_that_github_shows(
    text: str, expected: list[tuple[int, str, str]]
) -> None:
    assert headings(text) == expected


# The results are github-slugger's own, of whose fixtures GitHub was asked.
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
def test_an_anchor_is_the_one_github_gives(text: str, anchor: str) -> None:
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
def test_a_repeated_anchor_gets_a_number_that_is_free(texts: list[str], anchors: list[str]) -> None:
    taken: dict[str, int] = {}
    assert [unique_anchor(anchor_of(text), taken) for text in texts] == anchors


def test_headings_without_text_count_for_the_anchors_of_others() -> None:
    assert headings("#\n\n# ![A](a)") == [(1, "A", "-1")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", {}),
        ("# comment", {}),
        (
            "a: b\nc: [1, 1.5, -2e3, true, null, ~]",
            {"a": "b", "c": [1, 1.5, -2e3, True, None, None]},
        ),
        ("a: 'true'\nb: \"1\"\nc: !!str 1\nd: ! 1", {"a": "true", "b": "1", "c": "1", "d": "1"}),
        (
            "day: 2024-01-05\nat: 2024-01-05T10:00:00Z",
            {"day": "2024-01-05", "at": "2024-01-05T10:00:00Z"},
        ),
        ("a: no\nb: 10:30\nc: 010\nd: 0x1F", {"a": "no", "b": "10:30", "c": "010", "d": "0x1F"}),
        ("a: .nan\nb: -.inf\nc: 1e999", {"a": ".nan", "b": "-.inf", "c": "1e999"}),
        (f"a: {'9' * 5000}", {"a": "9" * 5000}),
        (
            "1: a\ntrue: b\n2024-01-05: c\n~: d",
            {"1": "a", "true": "b", "2024-01-05": "c", "~": "d"},
        ),
        ("a: 1\na: 2", {"a": 2}),
        ("a: !!binary aGk=\nb: !!set {x, y}", {"a": "aGk=", "b": {"x": None, "y": None}}),
        ('a: "x\\0y"\n"\\0": b', {"a": "x\ufffdy", "\ufffd": "b"}),
        ("a: {b: [{c: d}]}", {"a": {"b": [{"c": "d"}]}}),
        ("a: |\n  one\n  two", {"a": "one\ntwo"}),
    ],
)
def test_front_matter_is_json(source: str, expected: dict[str, Any]) -> None:
    assert front_matter(source) == expected


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("ok: 1\na: b: c", "line 3: mapping values are not allowed in this context"),
        ("just text", "line 2: is not a mapping of names to values"),
        ("- a", "line 2: is not a mapping of names to values"),
        ("a: &x b\nc: *x", "line 3: the alias *x is not supported"),
        ("a: &x [*x]", "line 2: the alias *x is not supported"),
        ("\na: !!python/object:os.system x", "line 3: the tag !!python/object:os.system is"),
        ("a: !mine {b: c}", "line 2: the tag !mine is not supported here"),
        ("a: !my%0Aown b", "line 2: the tag !my own is not supported here"),
        ("a: !!map b", "line 2: the tag !!map is not supported here"),
        ("? [a]\n: b", "line 2: a key is not a plain value"),
        ("a: [1, 2", "line "),
        ('a: "\\ud800"', "line 2: found invalid Unicode character escape code"),
        ("ü: 1\na: \x07", "line 3: has a character that YAML does not allow"),
        ("a: " + "[" * 1000, "line 2: more than 32 levels deep"),
        ("a: b\n--- !!map\nc: d", "line 3: a second document begins"),
        ("a: " + "b" * 65536, "line 2: is longer than 64 KiB"),
    ],
)
def test_front_matter_that_cannot_be_read_has_a_reason(source: str, error: str) -> None:
    assert front_matter_error(source).startswith(error)


@pytest.mark.parametrize("text", ["", "a: b", "--- a\nb: c\n---", " ---\na: b\n---", "---\na: b"])
def test_without_its_two_lines_there_is_no_front_matter(text: str) -> None:
    metadata = read_metadata(text, "md", PATH)
    assert metadata["front_matter"] is None
    assert "front_matter_error" not in metadata


def test_headings_and_their_texts_are_limited() -> None:
    metadata = read_metadata(f"# {'ä ' * 9999}\n" * 9999, "md", PATH)
    assert len(metadata["headings"]) == MAX_HEADINGS
    assert len(json.dumps(metadata, ensure_ascii=False)) < 4_000_000


@pytest.mark.parametrize(
    "text",
    [
        *("#", "# a\n", "<h1>", "<h1 ", "</h1>", "<!--", "[", "![", "[a](", "*a_ ", "`a``", "> "),
        *(">", "- ", "a|b\n-|-\n", "<h1><br>", "<h1>&lt;", "<h1><img alt=", "a\n=\n", "&", "---\n"),
    ],
)
def test_megabytes_of_anything_take_bounded_time(text: str) -> None:
    begun = time.process_time()
    read_metadata((text * 1_000_000)[:1_000_000], "md", PATH)
    assert time.process_time() - begun < 2  # 0.2 s at most, where nothing else runs


@pytest.mark.parametrize("file_type", ["yaml", "json", "md"])
@pytest.mark.parametrize("part", ["[", "{a: ", "- ", "? ", "{", "&a ", "&a [*a, ", "%", "a: b\n"])
def test_nothing_nested_is_too_much(file_type: str, part: str) -> None:
    begun = time.process_time()
    text = (part * 65_000)[:65_000]
    read_metadata(f"---\n{text}\n---\n" if file_type == "md" else text, file_type, PATH)
    assert time.process_time() - begun < 2


@settings(deadline=None)
@given(documents, file_types, st.text(max_size=9))
def test_any_text_gives_metadata_that_is_json(text: str, file_type: str, path: str) -> None:
    metadata = read_metadata(text, file_type, path)
    assert metadata["title"] == " ".join(metadata["title"].split()) != ""
    assert json.loads(json.dumps(metadata, allow_nan=False)) == metadata
    json.dumps(metadata, ensure_ascii=False).encode()


def test_any_metadata_comes_back_from_postgresql(database: str) -> None:
    with psycopg.connect(database, autocommit=True) as connection:

        @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
        @given(documents, file_types)
        def comes_back(text: str, file_type: str) -> None:
            metadata = read_metadata(text, file_type, PATH)
            row = connection.execute("select %s::jsonb", [json.dumps(metadata)]).fetchone()
            assert row == (metadata,)

        comes_back()
