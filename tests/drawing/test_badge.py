"""A badge for a README."""

from __future__ import annotations

from typing import Final, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drawing.badge import BadgeColor, draw_badge
from tests.drawing.svg import SVG, contrast, name_of, parse, shade, texts

BADGE_COLORS: Final[tuple[BadgeColor, ...]] = get_args(BadgeColor)


def test_a_badge_has_a_label_and_a_message() -> None:
    root = parse(draw_badge("stories", "12 of 40", "blue"))
    assert name_of(root) == "stories: 12 of 40"
    # Each text has a shadow.
    assert texts(root) == ["stories", "stories", "12 of 40", "12 of 40"]
    assert root.get("height") == "20"


def test_the_width_is_that_of_the_texts_in_verdana() -> None:
    # "gate" is 24.4 wide at 11 pixels, and "PASS" 28.1; each half has 6 on both sides.
    root = parse(draw_badge("gate", "PASS", "green"))
    assert root.get("width") == str(24 + 12 + 29 + 12)
    lengths = [text.attrib["textLength"] for text in root.iter(f"{SVG}text")]
    assert lengths == ["24", "24", "29", "29"]


def test_without_a_label_a_badge_is_one_half() -> None:
    root = parse(draw_badge("", "PASS", "green"))
    assert name_of(root) == "PASS"
    assert root.get("width") == str(29 + 12)


def test_a_message_that_says_nothing_is_unknown() -> None:
    assert name_of(parse(draw_badge("gate", " \0", "lightgrey"))) == "gate: unknown"


@pytest.mark.parametrize("color", BADGE_COLORS)
def test_texts_have_contrast_on_the_whole_shade(color: BadgeColor) -> None:
    root = parse(draw_badge("label", "message", color))
    fills = [path.attrib["fill"] for path in root.iter(f"{SVG}path")]
    inks = [
        text.attrib["fill"] for text in root.iter(f"{SVG}text") if "fill-opacity" not in text.attrib
    ]
    for fill, ink in zip(fills[:2], inks, strict=True):
        for end in ("#ffffff", "#000000"):
            assert contrast(shade(fill, end, 0.1), ink) >= 4.5, (fill, ink, end)


def test_colors_differ() -> None:
    assert len({draw_badge("a", "b", color) for color in BADGE_COLORS}) == len(BADGE_COLORS)


@given(
    st.text(st.characters(exclude_categories=[])),
    st.text(st.characters(exclude_categories=[])),
    st.sampled_from(BADGE_COLORS),
)
def test_any_texts_give_a_badge(label: str, message: str, color: BadgeColor) -> None:
    badge = draw_badge(label, message, color)
    badge.encode()
    name_of(parse(badge))


def test_long_texts_are_cut() -> None:
    root = parse(draw_badge("&" * 10_000, "\U0001f389" * 10_000, "red"))
    assert {len(text) for text in texts(root)} == {60}
    assert len(draw_badge("'" * 10_000, "'" * 10_000, "red")) < 4_000


def test_a_hostile_name_is_text() -> None:
    root = parse(draw_badge('"><script>alert(1)</script>', "</svg>", "red"))
    assert name_of(root) == '"><script>alert(1)</script>: </svg>'
