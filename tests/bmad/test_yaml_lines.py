"""YAML as a tree of texts with their lines."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from service.bmad.texts import MAX_NOTES
from service.bmad.yaml_lines import (
    MAX_YAML,
    YamlList,
    YamlMapping,
    YamlText,
    read_yaml,
    text_of,
)
from tests.support.linear_time import assert_linear


def mapping(text: str) -> YamlMapping:
    root = read_yaml(text).root
    assert isinstance(root, YamlMapping)
    return root


def test_values_are_as_written_with_their_lines() -> None:
    root = mapping("story: 2.10\nat: 2025-01-05\n\nno: no\nzero: 010\nquoted: '2.10'\n")
    values = [(key.text, value) for key, value in root.pairs]
    assert values == [
        ("story", YamlText("2.10", 1)),
        ("at", YamlText("2025-01-05", 2)),
        ("no", YamlText("no", 4)),
        ("zero", YamlText("010", 5)),
        ("quoted", YamlText("2.10", 6)),
    ]


def test_a_key_that_is_there_twice_is_kept_and_the_last_value_counts() -> None:
    root = mapping("a: 1\nb: 2\na: 3\n")
    assert [key.text for key, _ in root.pairs] == ["a", "b", "a"]
    assert root.get("a") == YamlText("3", 3)
    assert root.text("missing", "b") == "2"
    assert root.get("missing") is None


def test_null_is_an_empty_text_and_a_quoted_null_is_not() -> None:
    root = mapping("a:\nb: ~\nc: null\nd: 'null'\ne: ''\n")
    assert [text_of(value) for _, value in root.pairs] == ["", "", "", "null", ""]


def test_lists_and_mappings_are_nested() -> None:
    root = mapping("items:\n  - id: A\n    more: [x, {y: z}]\n  - B\n")
    items = root.get("items")
    assert isinstance(items, YamlList)
    first, second = items.items
    assert isinstance(first, YamlMapping)
    assert (first.line, first.text("id")) == (2, "A")
    assert second == YamlText("B", 4)
    assert text_of(root.get("items")) == ""
    assert root.text("items") == ""


def test_aliases_are_not_expanded() -> None:
    assert mapping("a: &x 1\nb: *x\n").text("b") == "*x"


def test_keys_that_are_no_texts_are_left_out() -> None:
    assert [key.text for key, _ in mapping("? [a, b]\n: 1\nc: 2\n").pairs] == ["c"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_characters_that_only_yaml_takes_for_line_ends_count_for_none(line_end: str) -> None:
    text = line_end.join(["# \u2028 \x85 \u2029", "a: x\u2028y", "b: 2", ""])
    assert mapping(text).get("b") == YamlText("2", 3)


def test_characters_that_yaml_refuses_are_replaced() -> None:
    assert mapping("\ufeffa: x\x08\x00y\nb: \ufeff2\n").text("a", "b") == "x\ufffd\ufffdy"
    assert read_yaml("a: \x07\n").notes == []


def test_the_first_document_that_is_a_mapping_or_a_list_is_read() -> None:
    assert mapping("--- text\n---\na: 1\n---\nb: 2\n").text("a", "b") == "1"
    assert isinstance(read_yaml("- a\n").root, YamlList)
    assert read_yaml("only text\n").root is None
    assert read_yaml("").root is None


def test_broken_yaml_gives_each_key_that_can_be_read_and_a_note() -> None:
    tree = read_yaml(
        "gate: PASS\nreason: 'It's done'\nreviewer: Quinn: QA\nopen: \"never closed\nlist:\n"
        "  - a\n  - b: c: d\n  - e\nscore: 90 # of 100\n"
    )
    root = tree.root
    assert isinstance(root, YamlMapping)
    assert root.text("gate") == "PASS"
    assert root.text("reason") == "It's done"
    assert root.text("reviewer") == "Quinn: QA"
    assert root.text("open") == "never closed"
    assert root.get("score") == YamlText("90", 9)
    assert root.get("list") == YamlList(6, [YamlText("a", 6), YamlMapping(7)])
    assert [(lines.key, lines.first, lines.last) for lines in tree.unread] == [
        ("reason", 2, 2), ("reviewer", 3, 3), ("open", 4, 4), ("list", 7, 8),
    ]  # fmt: skip
    assert [re.sub(" cannot be read: .+", "", note) for note in tree.notes] == [
        "Line 2", "Line 3", "Line 4", "Line 7",
    ]  # fmt: skip


def test_the_half_of_a_value_is_left_out() -> None:
    root = mapping("story: 1.3\n gate: PASS\nissues:\n  - id: A\n    finding: B: C\n")
    assert root.text("story") == "1.3"
    assert root.get("issues") == YamlList(
        4, [YamlMapping(4, [(YamlText("id", 4), YamlText("A", 4))])]
    )


def test_a_fence_around_yaml_loses_nothing() -> None:
    tree = read_yaml("```yaml\ngate: PASS\nscore: 95\n```\n")
    assert isinstance(tree.root, YamlMapping)
    assert (tree.root.text("gate"), tree.root.text("score")) == ("PASS", "95")
    assert len(tree.notes) == 1


def test_a_tab_or_a_wrong_indentation_loses_only_what_it_is_in() -> None:
    root = mapping("a:\n\tb: c\nd: e\nf:\n    g: h\n  i: j\nk: [l\nm: n\n")
    assert root.text("d") == "e"
    assert root.text("m") == "n"


def test_broken_yaml_without_keys_gives_what_comes_before_the_error() -> None:
    tree = read_yaml("- id: '1'\n  title: A\n- id: '2'\n  title: B: C\n- id: '3'\n")
    assert isinstance(tree.root, YamlList)
    assert [item.text("id") for item in tree.root.items if isinstance(item, YamlMapping)] == [
        "1",
        "2",
    ]
    assert len(tree.notes) == 1


def test_limits_end_the_reading_with_a_note() -> None:
    deep = read_yaml("a: 1\nb: " + "[" * 40)
    assert isinstance(deep.root, YamlMapping)
    assert deep.root.text("a") == "1"
    assert deep.notes == ["Line 2 cannot be read: it is more than 32 levels deep."]
    many = read_yaml("a: b\n" * 30_000)
    assert many.notes == ["Line 25000 cannot be read: too many values come before it."]
    long = read_yaml("a: 1\n" + "# comment\n" * (MAX_YAML // 10 + 1))
    assert long.notes == ["Only the first 512 KiB were read."]
    broken = read_yaml("a: b: c\n" * 30)
    assert len(broken.notes) == MAX_NOTES


YAML = (
    "schema: 1\nstory: '1.3'\ngate: PASS # done\ntop_issues:\n  - id: \"S-1\"\n    finding: 'x'\n"
    "waiver: { active: false }\nnotes: |\n  one\n  two\nmore: >-\n  three\n"
)
pieces = st.sampled_from(
    [
        *"\n\t '\"[]{}:,-#&*!|>%@`?",
        ": ",
        "- ",
        "a: b\n",
        "  ",
        "\r\n",
        "---\n",
        "...\n",
        "\ufeff",
        "\x00",
        "\u2028",
        "\x85",
        "*x",
        "&x ",
        "!!str ",
        "<<: *x\n",
        "? ",
        "'It's'",
    ]
)


@given(st.text() | st.lists(pieces).map("".join))
@example("? ")
@example("a: *b c")
@example("'")
@settings(max_examples=300)
def test_any_text_is_read(text: str) -> None:
    tree = read_yaml(text)
    lines = len(re.split(r"\r\n|\r|\n", text))
    assert all(1 <= each.first <= each.last <= lines for each in tree.unread)
    assert tree.notes or not tree.unread


@given(st.data())
def test_a_changed_text_is_read(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(YAML)))
    end = data.draw(st.integers(start, min(len(YAML), start + 5)))
    text = YAML[:start] + data.draw(st.lists(pieces, max_size=3).map("".join)) + YAML[end:]
    tree = read_yaml(text)
    assert tree.root is not None or tree.notes or not text.strip()


@pytest.mark.parametrize(
    "piece",
    [
        "a: b\n",
        "- ",
        "[",
        "{a: ",
        "'",
        "a: 'x\n",
        'a: "\n\n',
        "? ",
        "a: |\n",
        "&a ",
        "!a ",
        "\t",
        "a:\n b:\n",
        "#\n",
        "a\n",
        "x: ",
        "a: [\n",
        "%YAML 1.1\n",
        "--- a\n",
        "a: b: c\n",
        ":",
        "# ",
    ],
)
def test_the_time_is_linear(piece: str) -> None:
    assert_linear(read_yaml, lambda size: piece * (size // len(piece)), MAX_YAML // 8)
