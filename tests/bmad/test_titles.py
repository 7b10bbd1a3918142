"""Titles without the status or the description after them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.titles import (
    split_description,
    split_title,
    title_of_item,
    title_of_name,
    title_of_slug,
)
from tests.support.linear_time import assert_linear


def test_name_or_slug_makes_a_title_of_its_words() -> None:
    assert title_of_name("1.2.sign-in_again") == "sign in again"
    assert title_of_name("story-1.2") == ""
    assert title_of_slug("sign-in") == "Sign in"


@pytest.mark.parametrize(
    ("written", "title", "status"),
    [
        ("Sign In ✅ DONE", "Sign In", "DONE"),
        ("Sign In [BACKLOG]", "Sign In", "BACKLOG"),
        ("Sign In (Done 2025-01-01)", "Sign In", "Done 2025-01-01"),
        ("Sign In - In Progress", "Sign In", "In Progress"),
        ("Sign In — done ✅", "Sign In", "done"),
        ("Sign In: Done", "Sign In", "Done"),
        ("Sign In ✅", "Sign In", None),
        ("Sign In (P0)", "Sign In (P0)", None),
        ("Code Review", "Code Review", None),
        ("Sprint - Review", "Sprint - Review", None),
        ("Who am I?", "Who am I?", None),
        ("C++", "C++", None),
        ("Done", "Done", None),
        ("", "", None),
    ],
)
def test_status_at_the_end_is_no_part_of_a_title(
    written: str, title: str, status: str | None
) -> None:
    assert split_title(written) == (title, status)


@pytest.mark.parametrize(
    ("written", "title", "status"),
    [
        ("Sign In: users sign in", "Sign In", None),
        ("Sign In — users sign in", "Sign In", None),
        ("Sign In - users sign in - Done", "Sign In", "Done"),
        ("Sign In [BACKLOG] - later", "Sign In", "BACKLOG"),
        ("Sign-in for A; then B", "Sign-in for A", None),
        ("Sign In", "Sign In", None),
    ],
)
def test_description_is_no_part_of_a_title(written: str, title: str, status: str | None) -> None:
    assert split_description(written) == (title, status)


@pytest.mark.parametrize(
    ("title", "text", "strong", "expected"),
    [
        ("Sign In", "Story 1.1: Sign In - Done ✅", "Story 1.1: Sign In", "Sign In"),
        ("", "Story 1.1 (Sign In) - later", "Story 1.1", "Sign In"),
        ("", "Story 1.1: Sign In - later", "Story 1.1:", "Sign In"),
        ("(MVP)", "Story 1.1 (MVP): Sign In - later", "Story 1.1 (MVP)", "Sign In"),
        ("(MVP)", "Story 1.1 (MVP)", "Story 1.1 (MVP)", "(MVP)"),
        ("Sign In: with a password", "Story 1.1: Sign In: with a password", "", "Sign In"),
    ],
)
def test_title_of_an_item_is_in_bold_or_after_it(
    title: str, text: str, strong: str, expected: str
) -> None:
    assert title_of_item(title, text, strong).text == expected


@given(st.text(alphabet=st.sampled_from("a -:()[]✅|;—. Done")))
def test_any_title_is_split(text: str) -> None:
    assert split_title(text).text in " ".join(text.split())
    assert split_description(text).text in " ".join(text.split())


@pytest.mark.parametrize("piece", ["- ", "✅ ", "(", "()", "a - ", ": a", "—", " "])
def test_titles_are_split_in_linear_time(piece: str) -> None:
    for split in (split_title, split_description):
        assert_linear(split, lambda size: piece * size, 20_000)
