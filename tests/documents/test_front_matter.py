from __future__ import annotations

from typing import Any

import pytest

from service.documents.metadata import read_metadata

PATH = "a.md"


def front_matter(source: str) -> Any:
    metadata = read_metadata(f"---\n{source}\n---\n", "md", PATH)
    assert "front_matter_error" not in metadata
    return metadata["front_matter"]


def broken(source: str) -> tuple[Any, str]:
    metadata = read_metadata(f"---\n{source}\n---\n# Rest", "md", PATH)
    assert [heading["text"] for heading in metadata["headings"]] == ["Rest"]
    return metadata["front_matter"], metadata["front_matter_error"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", {}),
        ("# comment", {}),
        (
            "a: b\nc: [1, -20, true, null, ~]",
            {"a": "b", "c": [1, -20, True, None, None]},
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
        ("a: |\n  one\n  two", {"a": "one\ntwo\n"}),
        ("a: " + "b" * 65532, {"a": "b" * 65532}),
    ],
)
def test_front_matter_becomes_json_values(source: str, expected: dict[str, Any]) -> None:
    assert front_matter(source) == expected


@pytest.mark.parametrize(
    "text",
    [
        *(
            "1.10",
            "2.10",
            "1.0",
            "0.5",
            "-1.5",
            "1e3",
            "1E3",
            "-2e+3",
            "0x1F",
            "0o17",
            "0b1",
            "010",
        ),
        *("00", "-0", "+1", "-01", "1_000", ".5", "5.", "1.2.3", "9" * 16, "-" + "9" * 15),
        *("12:30:45", "1:30", "2026-01-02", "2026-01-02T03:04:05Z", "2026-1-2 3:04:05 +01:00"),
        *("yes", "No", "ON", "off", "y", "n", "tRUE", "nULL", ".inf", "-.INF", ".NaN", "NaN", "="),
        *("v1.10", "1.10-rc", "1 2", "٣"),
    ],
)
def test_a_text_without_quotes_stays_as_it_is_written(text: str) -> None:
    assert front_matter(f"a: {text} # b\nc:\n- {text}\nd: {{e: {text}}}") == {
        "a": text,
        "c": [text],
        "d": {"e": text},
    }
    for source, file_type in (
        (f"---\ntitle: {text}\n---\n# Rest", "md"),
        (f"title: {text}", "yaml"),
    ):
        assert read_metadata(source, file_type, PATH)["title"] == text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("0", 0), ("7", 7), ("-12", -12), ("9" * 15, 10**15 - 1)),
        *(
            ("true", True),
            ("False", False),
            ("TRUE", True),
            ("~", None),
            ("Null", None),
            ("", None),
        ),
        *(
            ("!!int 7", 7),
            ("!!str 7", "7"),
            ("!!float 1.10", "1.10"),
            ("'7'", "7"),
            ('"true"', "true"),
        ),
        *(("&a 7", 7), ("&a", "&a"), ("?", "?")),
    ],
)
def test_only_integers_booleans_and_null_have_a_type(text: str, value: object) -> None:
    found = read_metadata(f"---\na: {text}\n---\n", "md", PATH)["front_matter"]["a"]
    assert (type(found), found) == (type(value), value)


def test_an_item_of_a_question_mark_is_a_text() -> None:
    assert front_matter("a:\n- ?\n-   ? # b\n- c\nd:\n- ? e\nf:\n- ''") == {
        "a": ["?", "?", "c"],
        "d": [{"e": None}],
        "f": [""],
    }
    assert front_matter('a:\n- "":\n- "?":') == {"a": [{"": None}, {"?": None}]}


@pytest.mark.parametrize(
    ("style", "value"),
    [
        *(("|", "one\n\n  two\n"), ("|-", "one\n\n  two"), ("|+", "one\n\n  two\n\n\n")),
        *((">", "one\n\n  two\n"), (">-", "one\n\n  two"), ("|2", "one\n\n  two\n")),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("end", ["---", "..."])
def test_the_last_block_keeps_its_line_ends(
    style: str, value: str, line_end: str, end: str
) -> None:
    lines = ["---", f"a: {style}", "  one", "", "    two", "", "", end, "# Rest"]
    metadata = read_metadata(line_end.join(lines), "md", PATH)
    assert metadata["front_matter"] == {"a": value}
    assert metadata["headings"][0]["text"] == "Rest"


@pytest.mark.parametrize(
    ("source", "fields", "error"),
    [
        ("title: fix: x\nv: 1.10", {"title": "fix: x", "v": "1.10"}, "line 2: mapping values are"),
        (
            "ok: 1\na: b: c",
            {"ok": 1, "a": "b: c"},
            "line 3: mapping values are not allowed in this",
        ),
        ("ok: 1\na: *bold* text # 1", {"ok": 1, "a": "*bold* text # 1"}, "line 3: did not find"),
        ("globs: *.ts\nb: 2", {"globs": "*.ts", "b": 2}, "line 2: did not find"),
        ("a: @x\nb: `c`\nd: %e", {"a": "@x", "b": "`c`", "d": "%e"}, "line 2: found character"),
        (
            "a: {{b}}\nc: {{d}} e",
            {"a": "{{b}}", "c": "{{d}} e"},
            "line 2: a key is not a plain value",
        ),
        ("a: 'b\nc: d", {"a": "'b", "c": "d"}, "line "),
        ('a: "b" c\nd: e', {"a": '"b" c', "d": "e"}, "line 2: did not find expected key"),
        ("a: [b, c\nd: e", {"a": "[b, c", "d": "e"}, "line 3: did not find expected"),
        ("a: b\n\tc: d\ne: f", {"a": "b c: d", "e": "f"}, "line 3: "),
        ("a:\n\tb: c\nd: e", {"d": "e"}, "line 3: found character that cannot start any token"),
        ("a: b: c\n  d\n\n  e # f\ng: h", {"a": "b: c d e # f", "g": "h"}, "line 2: mapping"),
        ('a: "b\n  c\nd: e', {"d": "e"}, "line "),
        ("a: [b,\n c\n]\nd: e: f", {"a": ["b", "c"], "d": "e: f"}, "line 5: mapping values"),
        ("a:\n  b: c: d\n  e: f\ng: h", {"g": "h"}, "line 3: mapping values are not allowed"),
        (
            "a:\n  - {b}/c.md\n  - 2\n  - [d]\ne: f",
            {"a": ["{b}/c.md", 2, ["d"]], "e": "f"},
            "line 3",
        ),
        ("a: # b\n- c: d: e\n\n# f\n- g", {"a": ["c: d: e", "g"]}, "line 3: mapping values"),
        ("a:\n- {b}c\n  - d\ne: f", {"e": "f"}, "line 3: did not find"),
        (
            "a: |\n  b: c: d\n\n  e\nf: g: h",
            {"a": "b: c: d\n\ne\n", "f": "g: h"},
            "line 6: mapping",
        ),
        ("f: g: h\na: |+\n  b\n", {"f": "g: h", "a": "b\n\n"}, "line 2: mapping values"),
        ("a: b\nnothing\nc: d", {"a": "b", "c": "d"}, "line 4: could not find expected ':'"),
        ("a: b\n{{c}}\n  d: e\nf: g", {"a": "b", "f": "g"}, "line "),
        (
            "\"a b\": c: d\n'e': f: g\nh i :j: k: l",
            {"a b": "c: d", "e": "f: g", "h i :j": "k: l"},
            "line 2",
        ),
        ("a: b: c\na: d", {"a": "d"}, "line 2: mapping values"),
        ("a: &x b\nc: *x", {"a": "b", "c": "*x"}, "line 3: the alias *x is not supported"),
        ("a: &x [*x]", {"a": "&x [*x]"}, "line 2: the alias *x is not supported"),
        ("<<: *x\na: b", {"<<": "*x", "a": "b"}, "line 2: the alias *x is not supported"),
        (
            "\na: !!python/object:os.system x",
            {"a": "!!python/object:os.system x"},
            "line 3: the tag",
        ),
        (
            "a: !include b.md\nc: d",
            {"a": "!include b.md", "c": "d"},
            "line 2: the tag !include is not",
        ),
        ("a: !my%0Aown b", {"a": "!my%0Aown b"}, "line 2: the tag !my own is not supported here"),
        ("a: !!map b", {"a": "!!map b"}, "line 2: the tag !!map is not supported here"),
        ('a: "\\ud800"\nb: c', {"a": '"\\ud800"', "b": "c"}, "line 2: found invalid Unicode"),
        (
            "ü: 1\na: \x07",
            {"ü": 1, "a": "\x07"},
            "line 3: has a character that YAML does not allow",
        ),
        (
            "a: " + "[" * 99 + "\nb: c",
            {"a": "[" * 99, "b": "c"},
            "line 2: more than 32 levels deep",
        ),
        ("a: b\n--- !!map\nc: d", {"a": "b", "c": "d"}, "line 3: a second document begins"),
    ],
)
def test_fields_that_can_be_read_are_kept_beside_the_error(
    source: str, fields: dict[str, Any], error: str
) -> None:
    found, reason = broken(source)
    assert found == fields
    assert reason.startswith(error)
    found, reason = broken(source.replace("\n", "\r\n"))
    assert found == fields
    assert reason.startswith(error)


def test_a_title_that_needs_quotes_is_the_documents_title() -> None:
    metadata = read_metadata("---\na: [\ntitle: Story 2.10: fix: x\n---\n# Rest", "md", PATH)
    assert metadata["title"] == "Story 2.10: fix: x"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("just text", "line 2: is not a mapping of names to values"),
        ("- a", "line 2: is not a mapping of names to values"),
        ("- ?", "line 2: is not a mapping of names to values"),
        ("[a: b]", "line 2: is not a mapping of names to values"),
        ("? [a]\n: b", "line 2: a key is not a plain value"),
        ("a: " + "b" * 65533, "line 2: is longer than 64 KiB"),
        ("**Status:** done", "line 2: did not find"),
    ],
)
def test_unreadable_front_matter_is_reported_with_its_line_and_reason(
    source: str, error: str
) -> None:
    found, reason = broken(source)
    assert found is None
    assert reason.startswith(error)


@pytest.mark.parametrize("text", ["", "a: b", "--- a\nb: c\n---", " ---\na: b\n---", "---\na: b"])
def test_front_matter_needs_both_marker_lines(text: str) -> None:
    metadata = read_metadata(text, "md", PATH)
    assert metadata["front_matter"] is None
    assert "front_matter_error" not in metadata
