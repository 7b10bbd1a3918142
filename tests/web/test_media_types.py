"""Which of several media types `Accept` prefers."""

from __future__ import annotations

import pytest

from service.web.media_types import choose_media_type

JSON, ATOM, SVG = "application/json", "application/atom+xml", "image/svg+xml"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (ATOM, ATOM),
        ("APPLICATION/Atom+XML", ATOM),
        (f"{ATOM};type=feed", ATOM),
        (f"{ATOM}, {JSON}", JSON),
        (f"{ATOM}, {JSON};q=0.9", ATOM),
        (f"{ATOM};q=0.5, {JSON};q=0.4", ATOM),
        (f"{ATOM} ; q=0.1 , */*;q=0.2", JSON),
        (f"{JSON};q=0, */*", ATOM),
        (f"{ATOM}, */*", ATOM),
        (f"*/*;q=0.5, {ATOM};q=0.5", ATOM),
        (f"image/*, {ATOM}, */*", ATOM),
        (f"{ATOM}, {SVG}, */*", ATOM),
        (f"{ATOM};q=0", JSON),
        ("image/*, */*;q=0.1", SVG),
        ("text/html,application/xhtml+xml,image/webp,*/*;q=0.8", JSON),
        ("text/html", JSON),
        (f"{ATOM};q=x", ATOM),
        (f"{ATOM};q=2", ATOM),
        (",;=,;q=0.1", JSON),
    ],
)
def test_the_preferred_type_is_chosen(accept: str, chosen: str) -> None:
    assert choose_media_type(accept, (JSON, ATOM, SVG)) == chosen


def test_a_long_header_is_read_in_part() -> None:
    assert choose_media_type("a/b," * 100_000 + ATOM, (JSON, ATOM)) == JSON
