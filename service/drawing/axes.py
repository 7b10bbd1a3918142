"""Where an axis has its ticks, and what stands beside them."""

from collections.abc import Iterator
from datetime import date
from typing import Final, NamedTuple

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)

_DAY_STEPS: Final = (1, 2, 7, 14)
_MONTH_STEPS: Final = (1, 2, 3, 6)
_YEAR_STEPS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
_DAYS_PER_MONTH: Final = 30
_DAYS_PER_YEAR: Final = 365


class DateTick(NamedTuple):
    """A tick of an axis of days: its day, as date.toordinal returns it, and its label.

    `year` stands below the label where the year begins to be another one, else it is empty.
    """

    day: int
    label: str
    year: str


def number_ticks(largest: int) -> list[int]:
    """Return at most 7 round numbers from 0 on; the last is at least `largest`, and at least 1."""
    step = 1
    while step * 6 < largest:
        # 1, 2, 5, 10, 20, 50, …
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return [*range(0, max(largest, 1), step), -(-max(largest, 1) // step) * step]


def date_ticks(first: int, end: int, most: int) -> list[DateTick]:
    """Return about `most` ticks at round dates from the day `first` to the one before `end`.

    The ticks are days, Mondays, first days of months or of years. Up to `most` days have a tick
    each. `most` is at least 6: with fewer, a month between two round dates would have no tick, and
    thousands of years too many.
    """
    ticks: list[DateTick] = []
    year = 0
    for day, label in _round_dates(first, end, most):
        other = date.fromordinal(day).year
        is_named = other == year or label == str(other)
        ticks.append(DateTick(day, label, "" if is_named else str(other)))
        year = other
    return ticks


def write_day(day: int) -> str:
    """Return the day as "3 Nov 2026", in English whatever the machine's locale is."""
    return f"{_write_short(day)} {date.fromordinal(day).year}"


def _round_dates(first: int, end: int, most: int) -> Iterator[tuple[int, str]]:
    """Yield the day and the label of each tick, with the smallest step that is large enough."""
    days = end - first
    for step in _DAY_STEPS:
        if days <= step * most:
            # Day 1 of the calendar, by which toordinal counts, is a Monday.
            start = first if step < 7 else first + (1 - first) % step
            yield from ((day, _write_short(day)) for day in range(start, end, step))
            return
    for step in _MONTH_STEPS:
        if days <= step * _DAYS_PER_MONTH * most:
            yield from _months(first, end, step)
            return
    enough = (step for step in _YEAR_STEPS if days <= step * _DAYS_PER_YEAR * most)
    step = next(enough, _YEAR_STEPS[-1])
    for month_day, _ in _months(first, end, 12):
        year = date.fromordinal(month_day).year
        if year % step == 0:
            yield month_day, str(year)


def _months(first: int, end: int, step: int) -> Iterator[tuple[int, str]]:
    """Yield the first day and the name of each `step`th month of a year, counted from January."""
    begin, last = date.fromordinal(first), date.fromordinal(end - 1)
    for year in range(begin.year, last.year + 1):
        for month in range(1, 13, step):
            day = date(year, month, 1).toordinal()
            if first <= day < end:
                yield day, _MONTHS[month - 1]


def _write_short(day: int) -> str:
    there = date.fromordinal(day)
    return f"{there.day} {_MONTHS[there.month - 1]}"
