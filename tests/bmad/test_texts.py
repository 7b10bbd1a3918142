"""Short texts on one line."""

from collections.abc import Callable

import pytest

from service.bmad.readings import MAX_ID, MAX_KEY, MAX_TEXT
from service.bmad.texts import short_id, short_key, short_text, text_of


@pytest.mark.parametrize(
    ("shorten", "limit"), [(short_text, MAX_TEXT), (short_id, MAX_ID), (short_key, MAX_KEY)]
)
def test_texts_are_on_one_line_short_and_storable(
    shorten: Callable[[str], str], limit: int
) -> None:
    assert shorten(" a\r\n\t b\u2028c ") == "a b c"
    assert shorten("x" * 10_000) == "x" * limit
    assert shorten("a\0\ud800b") == "a\ufffd\ufffdb"
    assert shorten("") == ""


def test_a_value_of_front_matter_is_a_text_or_a_number() -> None:
    values: list[object] = ["a\nbcd", 12, True, None, 1.5, []]
    assert [text_of(each, 4) for each in values] == ["a bc", "12", "", "", "", ""]
