"""How wide a text is, before any font draws it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.drawing.text_widths import cut_to_width, text_width


def test_every_visible_character_of_ascii_has_its_own_width() -> None:
    # Verdana's widths, in thousandths: the narrowest, the widest, and a text of several.
    assert text_width("'", 1_000) == 269
    assert text_width("%", 1_000) == 1_076
    assert text_width("passing", 1_000) == 623 + 601 + 521 + 521 + 274 + 633 + 623
    named = {character: text_width(character, 1_000) for character in map(chr, range(32, 127))}
    assert 700 not in named.values()


def test_digits_are_equally_wide() -> None:
    assert {text_width(digit, 11) for digit in "0123456789"} == {6.996}


def test_a_letter_with_an_accent_is_as_wide_as_without() -> None:
    assert text_width("é", 11) == text_width("e\u0301", 11) == text_width("e", 11)


def test_chinese_and_emoji_are_wider_than_letters() -> None:
    assert text_width("中", 10) > text_width("M", 10)
    assert text_width("🎉", 10) > text_width("中", 10)


@given(st.text(max_size=50), st.text(max_size=50))
def test_widths_add_up(one: str, other: str) -> None:
    assert abs(text_width(one + other, 11) - text_width(one, 11) - text_width(other, 11)) < 1e-6


@given(st.text(max_size=80), st.floats(20, 200))
def test_a_text_is_cut_to_a_width(text: str, limit: float) -> None:
    cut = cut_to_width(text, 11, limit)
    assert text_width(cut, 11) <= limit + 1e-6
    assert cut == text or text.startswith(cut.removesuffix("…"))
