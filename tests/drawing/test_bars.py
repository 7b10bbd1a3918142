"""Bars for a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drawing.bars import bar_legend, draw_bar, draw_length

STATUSES = ["draft", "approved", "in_progress", "review", "done", "blocked", "unknown"]
parts_strategy = st.lists(
    st.tuples(st.sampled_from(STATUSES), st.integers(-5, 100_000)), max_size=9
)


def test_a_bar_shows_the_stages_of_the_work() -> None:
    parts = [("draft", 2), ("in_progress", 1), ("review", 2), ("done", 4), ("blocked", 1)]
    assert draw_bar(parts, 10, is_plain=False) == "████▓▓▒░░░"
    assert draw_bar(parts, 10, is_plain=True) == "####++-..."


def test_the_legend_names_each_character() -> None:
    assert bar_legend(is_plain=False) == "█ done  ▓ in review  ▒ in progress  ░ other"
    assert bar_legend(is_plain=True) == "# done  + in review  - in progress  . other"


def test_few_stories_are_seen_beside_many() -> None:
    assert draw_bar([("done", 9_999), ("draft", 1)], 10, is_plain=True) == "#########."
    assert draw_bar([("done", 1), ("draft", 9_999)], 10, is_plain=True) == "#........."


def test_a_project_without_stories_has_a_blank_bar() -> None:
    assert draw_bar([], 5, is_plain=False) == "     "
    assert draw_bar([("done", 0)], 5, is_plain=False) == "     "


@pytest.mark.parametrize("width", [-1, 0, 10_000])
def test_the_width_is_bounded(width: int) -> None:
    assert len(draw_bar([("done", 1)], width, is_plain=False)) == min(max(width, 0), 1_000)


@given(parts_strategy, st.integers(0, 200), st.booleans())
def test_any_bar_has_its_exact_width(
    parts: list[tuple[str, int]], width: int, is_plain: bool
) -> None:
    bar = draw_bar(parts, width, is_plain=is_plain)
    assert len(bar) == width
    assert not is_plain or bar.isascii()


@given(parts_strategy, st.integers(4, 200))
def test_each_stage_with_stories_and_no_other_is_seen(
    parts: list[tuple[str, int]], width: int
) -> None:
    bar = draw_bar(parts, width, is_plain=True)
    marks = {"done": "#", "review": "+", "in_progress": "-"}
    expected = {marks.get(status, ".") for status, count in parts if count > 0}
    assert set(bar) == (expected or {" "})
    # The stages follow each other.
    assert list(dict.fromkeys(bar)) == [mark for mark in "#+-. " if mark in set(bar)]


@given(st.integers(0, 1_000), st.integers(1, 1_000), st.integers(4, 200))
def test_a_stage_is_as_long_as_its_share(done: int, rest: int, width: int) -> None:
    bar = draw_bar([("done", done), ("draft", rest)], width, is_plain=True)
    assert abs(bar.count("#") - done * width / (done + rest)) <= 1


def test_the_bar_of_a_number_is_as_long_as_its_part_of_the_largest() -> None:
    lengths = [len(draw_length(number, 40, 20, is_plain=True)) for number in (40, 20, 3, 1, 0, -5)]
    assert lengths == [20, 10, 1, 1, 0, 0]
    assert draw_length(1, 1, 3, is_plain=False) == "███"
    assert draw_length(0, 0, 3, is_plain=False) == draw_length(-2, -1, 3, is_plain=False) == ""
