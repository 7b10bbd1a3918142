from __future__ import annotations

from typing import Any

import pytest

from service.documents.metadata import read_metadata

PATH = "a.md"


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
        ("a: " + "b" * 65533, {"a": "b" * 65533}),
    ],
)
def test_front_matter_becomes_json_values(source: str, expected: dict[str, Any]) -> None:
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
        ("a: " + "b" * 65534, "line 2: is longer than 64 KiB"),
    ],
)
def test_unreadable_front_matter_is_reported_with_its_line_and_reason(
    source: str, error: str
) -> None:
    assert front_matter_error(source).startswith(error)


@pytest.mark.parametrize("text", ["", "a: b", "--- a\nb: c\n---", " ---\na: b\n---", "---\na: b"])
def test_front_matter_needs_both_marker_lines(text: str) -> None:
    metadata = read_metadata(text, "md", PATH)
    assert metadata["front_matter"] is None
    assert "front_matter_error" not in metadata
