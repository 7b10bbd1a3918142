"""The ticks of the chart's axes."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drawing.axes import date_ticks, number_ticks, write_day


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (6, [0, 1, 2, 3, 4, 5, 6]),
        (7, [0, 2, 4, 6, 8]),
        (14, [0, 5, 10, 15]),
        (42, [0, 10, 20, 30, 40, 50]),
        (100_000, [0, 20_000, 40_000, 60_000, 80_000, 100_000]),
    ],
)
def test_numbers_have_round_ticks(largest: int, ticks: list[int]) -> None:
    assert number_ticks(largest) == ticks


@given(st.integers(0, 999_999_999))
def test_number_ticks_are_few_even_and_reach_the_largest(largest: int) -> None:
    ticks = number_ticks(largest)
    [step] = {after - before for before, after in pairwise(ticks)}
    assert str(step).rstrip("0") in {"1", "2", "5"}
    assert ticks[0] == 0
    assert largest <= ticks[-1] < largest + step or largest == 0
    assert 2 <= len(ticks) <= 7


def labels(first: str, last: str) -> list[str]:
    begin, end = date.fromisoformat(first).toordinal(), date.fromisoformat(last).toordinal() + 1
    return [f"{tick.label} {tick.year}".strip() for tick in date_ticks(begin, end, 9)]


def test_few_days_have_a_tick_each() -> None:
    assert labels("2026-12-30", "2027-01-02") == ["30 Dec 2026", "31 Dec", "1 Jan 2027", "2 Jan"]


def test_some_weeks_have_a_tick_for_each_monday() -> None:
    assert labels("2026-11-01", "2026-11-30") == [
        "2 Nov 2026",
        "9 Nov",
        "16 Nov",
        "23 Nov",
        "30 Nov",
    ]


def test_months_have_a_tick_on_their_first_day() -> None:
    assert labels("2026-10-15", "2027-03-31") == ["Nov 2026", "Dec", "Jan 2027", "Feb", "Mar"]


def test_some_years_have_a_tick_each() -> None:
    assert labels("2020-06-01", "2026-05-31") == [str(year) for year in range(2021, 2027)]


def test_thousands_of_years_have_round_ticks() -> None:
    assert labels("0001-01-01", "9999-12-31") == ["2000", "4000", "6000", "8000"]


def test_a_year_is_named_where_it_begins_to_be_another() -> None:
    assert labels("2025-12-20", "2026-01-10") == ["22 Dec 2025", "29 Dec", "5 Jan 2026"]


@given(st.dates(), st.dates(), st.integers(6, 12))
def test_ticks_of_any_days_are_few_and_within_them(one: date, other: date, most: int) -> None:
    first, last = sorted([one.toordinal(), other.toordinal()])
    ticks = date_ticks(first, last + 1, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(first <= tick.day <= last for tick in ticks)
    assert [tick.day for tick in ticks] == sorted({tick.day for tick in ticks})


def test_days_are_written_in_english() -> None:
    assert write_day(date(2026, 3, 2).toordinal()) == "2 Mar 2026"
