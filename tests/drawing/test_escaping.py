"""Text from outside in XML."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drawing.escaping import clean, clean_line, escape

# Any text, lone surrogates included, and texts full of what XML treats apart.
texts = st.one_of(
    st.text(st.characters(exclude_categories=[]), max_size=80),
    st.text(alphabet="<>&'\"]]> \t\r\n\0\x0b\x85\ud800\ufffe\u202e\u2028a", max_size=80),
)


@given(texts)
def test_any_text_comes_back_from_an_element(text: str) -> None:
    document = f"<a>{escape(text)}</a>"
    document.encode()
    # A parser reads CR and CR LF as LF (XML 1.0, 2.11).
    expected = clean(text).replace("\r\n", "\n").replace("\r", "\n")
    assert (ET.fromstring(document).text or "") == expected


@given(texts)
def test_any_line_comes_back_from_an_attribute(text: str) -> None:
    line = clean_line(text, 50)
    assert ET.fromstring(f'<a b="{escape(line)}"/>').get("b") == line
    assert ET.fromstring(f"<a b='{escape(line)}'/>").get("b") == line


@given(texts, st.integers(1, 100))
def test_a_line_is_at_most_as_long_as_its_limit(text: str, limit: int) -> None:
    line = clean_line(text, limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])


@pytest.mark.parametrize("character", ["\0", "\x0b", "\x1b", "\x7f", "\x9f", "\ud800", "\uffff"])
def test_characters_that_xml_forbids_are_removed(character: str) -> None:
    assert clean(f"a{character}b") == "ab"


def test_characters_that_change_the_direction_are_removed() -> None:
    assert clean("abc\u202edef\u2069") == "abcdef"


def test_the_end_of_a_line_that_is_cut_is_marked() -> None:
    assert clean_line("one two three", 9) == "one two…"
    assert clean_line("one two three", 13) == "one two three"


def test_white_space_is_squeezed() -> None:
    assert clean_line("  one \n\t two\u2028three ", 50) == "one two three"
