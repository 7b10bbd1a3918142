from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from service.site.filters import (
    FILTERS,
    show_count,
    show_date,
    show_kind,
    show_number,
    show_percent,
    show_severity,
    show_signed,
    show_size,
    show_time,
    show_url,
    show_words,
)

SHOWN = '<time datetime="2026-11-25T03:01:59Z">25 Nov 2026, 03:01 UTC</time>'


def test_numbers_have_commas() -> None:
    assert (show_number(1_234_567), show_number(0)) == ("1,234,567", "0")


@pytest.mark.parametrize(("number", "shown"), [(5, "+5"), (0, "0"), (-1_000, "\u22121,000")])
def test_a_signed_number_has_its_sign(number: int, shown: str) -> None:
    assert show_signed(number) == shown


def test_a_count_has_its_noun_in_the_right_number() -> None:
    assert show_count(1, "story", "stories") == "1 story"
    assert show_count(0, "story", "stories") == "0 stories"
    assert show_count(1_200, "error") == "1,200 errors"


def test_problems_are_counted_by_severity_and_info_has_no_plural() -> None:
    counts = [(1, "error"), (2, "warning"), (1, "info"), (1_200, "info")]
    assert [show_severity(*count) for count in counts] == [
        "1 error",
        "2 warnings",
        "1 info",
        "1,200 info",
    ]


@pytest.mark.parametrize(
    ("share", "shown"),
    [(None, "\u2013"), (0, "0%"), (1, "100%"), (0.999, "99%"), (0.29, "29%"), (1 / 3, "33%")],
)
def test_a_share_is_rounded_down(share: float | None, shown: str) -> None:
    assert show_percent(share) == shown


def test_a_name_is_shown_in_words() -> None:
    assert [FILTERS["status"](status) for status in ("review", "in_progress")] == [
        "in review",
        "in progress",
    ]
    assert show_words("in_progress") == "in progress"


@pytest.mark.parametrize(
    ("size", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1.0 kB"),
        (52_345, "52.3 kB"),
        (123_456, "123 kB"),
        (999_949, "1,000 kB"),
        (999_950, "1.0 MB"),
        (5_000_000, "5.0 MB"),
    ],
)
def test_a_size_is_shown_in_the_unit_that_fits(size: int, shown: str) -> None:
    assert show_size(size) == shown


@pytest.mark.parametrize(
    ("kind", "shown"),
    [(None, ""), ("other", ""), ("prd", "PRD"), ("readme", "README"), ("story", "Story")],
)
def test_a_kind_is_shown_as_people_call_it(kind: str | None, shown: str) -> None:
    assert show_kind(kind) == shown


def test_a_url_is_shown_without_its_scheme() -> None:
    assert show_url("https://github.com/a/b") == "github.com/a/b"


@pytest.mark.parametrize(
    "moment",
    [
        "2026-11-25T03:01:59.123456+00:00",
        "2026-11-25T05:01:59+02:00",
        "2026-11-25T03:01:59Z",
        datetime(2026, 11, 25, 3, 1, 59, tzinfo=UTC),
        datetime(2026, 11, 24, 22, 1, 59, tzinfo=timezone(timedelta(hours=-5))),
        datetime(2026, 11, 25, 3, 1, 59),
    ],
)
def test_a_moment_is_shown_in_utc(moment: datetime | str) -> None:
    assert show_time(moment) == SHOWN
    assert show_date(moment) == '<time datetime="2026-11-25">25 Nov 2026</time>'
