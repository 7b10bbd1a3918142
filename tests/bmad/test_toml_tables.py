"""TOML: the tables of arrays, with the lines of their headers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.toml_tables import MAX_TOML, TomlError, read_tables
from tests.support.linear_time import assert_linear

TOML = '''\
title = "A" # [[entry]]

[[entry]]
id = 1.10
text = """
[[entry]]
quoted "" and \\""" and """""
after = [
  1, # one
  "1.3",
]

  [[ "entry" ]]
id = "2"
literal = \'\'\'
[[entry]]
it\'s\'\'\'
[[entry.more]]
a = 1
[[epic]]
[[entry]]
'''


def test_tables_have_the_lines_of_their_headers() -> None:
    tables = read_tables(TOML, "entry", "epic", "other")
    assert [table.line for table in tables["entry"]] == [3, 13, 21]
    assert [table.line for table in tables["epic"]] == [20]
    assert tables["other"] == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_lines_count_both_line_ends(line_end: str) -> None:
    text = line_end.join(["", "[[entry]]", "id = 1", "[[entry]]"])
    assert [table.line for table in read_tables(text, "entry")["entry"]] == [2, 4]


def test_decimals_are_texts_as_written() -> None:
    [first, second, _] = read_tables(TOML, "entry")["entry"]
    assert first.values["id"] == "1.10"
    assert first.values["after"] == [1, "1.3"]
    assert second.values["id"] == "2"


def test_inline_tables_have_the_first_line() -> None:
    tables = read_tables("\nentry = [{id = 1}, {id = 2}, 3]\nepic = 1\n", "entry", "epic")
    assert [(table.values, table.line) for table in tables["entry"]] == [
        ({"id": 1}, 1), ({"id": 2}, 1),
    ]  # fmt: skip
    assert tables["epic"] == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a = \n", "It is not TOML: "),
        ("[[entry]]\nid = 1\nid = 2\n", "It is not TOML: "),
        ("a = " + "[" * 100_000, "It is not TOML: "),
        ("a = " + "9" * 5_000, "It is not TOML: "),
        ("a." * 40 + "b = 1", "It has a key of more than 32 parts."),
        ('a = {"b" . ' + "'c' . " * 40 + "d = 1}", "It has a key of more than 32 parts."),
        ("#" * (MAX_TOML + 1), "It is longer than 256 KiB."),
    ],
)
def test_what_is_no_toml_is_refused_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(TomlError) as caught:
        read_tables(text, "entry")
    assert str(caught.value).startswith(reason)


pieces = st.sampled_from(
    [
        *"\n\t #=.,[]{}\"'\\",
        "[[entry]]\n",
        "[[epic]]\n",
        "id = 1\n",
        '"""',
        "'''",
        "a = ",
        "\r\n",
        "1.10",
        "2025-01-05",
        "true",
        "\x00",
        "\u2028",
    ]
)


@given(st.text() | st.lists(pieces).map("".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    check(text)


@given(st.data())
def test_a_changed_text_is_read_or_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(TOML)))
    end = data.draw(st.integers(start, min(len(TOML), start + 5)))
    check(TOML[:start] + data.draw(st.lists(pieces, max_size=3).map("".join)) + TOML[end:])


def check(text: str) -> None:
    try:
        tables = read_tables(text, "entry")["entry"]
    except TomlError:
        return
    lines = text.split("\n")
    for table in tables:
        assert "entry" in lines[table.line - 1] or table.line == 1


@pytest.mark.parametrize(
    "piece",
    [
        "a",
        "a.",
        '"a".',
        "'",
        '"',
        '"""',
        "'''",
        "#",
        "[[entry]]\n",
        "[[a.b.c]]\n",
        "[",
        "a = 1\n",
        "a.b = 1\n",
        "[a.b]\nc.d = 1\n",
        " ",
        "\n",
        "a = '''",
        "x = [",
        "- ",
        "{",
        "\\",
    ],
)
def test_the_time_is_linear(piece: str) -> None:
    def read(text: str) -> None:
        with suppress(TomlError):
            read_tables(text, "entry")

    assert_linear(read, lambda size: piece * (size // len(piece)), MAX_TOML // 4)
