"""Where links of documents lead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rendering.links import MAX_ADDRESS, picture, safe_address

SCHEME = re.compile("[a-z][a-z0-9+.-]*:", re.IGNORECASE)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("a.md", "a.md"),
        ("../a/b.md?c#d", "../a/b.md?c#d"),
        ("", ""),
        ("#a", "#a"),
        ("#user-content-a", "#a"),
        ("a.md#user-content-b", "a.md#b"),
        ("/a/b.md", "../../a/b.md"),
        ("/", "../../"),
        ("\\a", "../../a"),
        ("/javascript:a", "../../javascript:a"),
        ("http://a.b/c", "http://a.b/c"),
        ("HTTPS://a.b", "HTTPS://a.b"),
        ("mailto:a@b.c", "mailto:a@b.c"),
        ("//a.b/c", "https://a.b/c"),
        ("/\\a.b", "https://a.b"),
        ("\\\\a.b", "https://a.b"),
        ("///a.b", "https://a.b"),
        (" \x00\x1f a.md ", "a.md"),
        ("a\tb\nc.md", "abc.md"),
        ("a/b:c", "a/b:c"),
        ("./a:b", "./a:b"),
        ("1:a", "1:a"),
        ("javascript:a", None),
        ("java\tscript:a", None),
        ("\x01javascript:a", None),
        ("JAVASCRIPT:a", None),
        ("data:a", None),
        ("a:b", None),
        ("x" * MAX_ADDRESS + "x", None),
    ],
)
def test_links_lead_where_they_may(address: str, expected: str | None) -> None:
    assert safe_address(address, 2) == expected


@pytest.mark.parametrize(
    ("address", "depth", "outside"),
    [
        ("../../a.md", 2, None),
        ("../b/../../a.md#c", 2, None),
        ("../../../x", 2, "../x"),
        ("../../issues?q=1#a", 0, "../../issues"),
        ("a/../../../b/./c", 1, "../b/c"),
        ("/../x", 2, "../x"),
        ("%2E%2e/.%2E/x", 1, "../x"),
        ("..\\..\\x", 1, "../x"),
        ("..", 0, "../"),
        ("a..b/...", 0, None),
    ],
)
def test_links_out_of_the_repository_lead_to_a_page_that_says_so(
    address: str, depth: int, outside: str | None
) -> None:
    root = "../" * depth or "./"
    expected = f"{root}?outside={outside}" if outside else address
    assert safe_address(address, depth) == expected


def test_links_to_the_root_are_relative_also_from_the_root() -> None:
    assert safe_address("/a.md", 0) == "./a.md"
    assert safe_address("/javascript:a", 0) == "./javascript:a"


@given(
    st.text(
        st.sampled_from("javscript:JVS\t\n\r \x00\x01\x7f\x85/\\#?&;x1.+-\u00ad\u2028"), max_size=20
    )
)
def test_no_other_scheme_is_left(address: str) -> None:
    safe = safe_address(address, 1)
    scheme = SCHEME.match(safe or "")
    assert scheme is None or scheme[0] == "https:"


@pytest.mark.parametrize(
    ("address", "alternative", "expected"),
    [
        ("a/b.png", "", "b.png"),
        ("a/b.png?c", " d\ne ", "d e"),
        ("http://[/", "", ""),
        (None, "", ""),
        ("a.png", "<b>", "&lt;b&gt;"),
    ],
)
def test_a_pictures_text_is_the_alternative_one_or_the_name_of_its_file(
    address: str | None, alternative: str, expected: str
) -> None:
    shown = picture(address, alternative)
    assert shown.endswith(
        f"{' ' * bool(expected)}{expected}</{'span' if address is None else 'a'}>"
    )
    assert "<small>picture</small>" in shown
