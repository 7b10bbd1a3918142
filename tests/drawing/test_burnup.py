"""The burn-up chart, and its numbers as CSV."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.drawing.burnup import BURNUP_POLICY, MAX_COUNT, burnup_csv, draw_burnup
from tests.drawing.svg import SVG, contrast, line, name_of, parse, shade, texts

if TYPE_CHECKING:
    from xml.etree import ElementTree as ET

Days = list[tuple[date, int, int]]

START = date(2026, 3, 2)

any_days = st.lists(
    st.tuples(st.dates(), st.integers(-10, 10**12), st.integers(-10, 10**12)), max_size=30
)


def numbers(root: ET.Element, name: str) -> list[tuple[float, float]]:
    """Return the corners of a line as days from the left and as counts, by the axes' own ticks."""
    (left, bottom), (right, _) = _ends(root, "axis")
    grid = [path.attrib["d"] for path in root.iter(f"{SVG}path") if path.get("class") == "grid"]
    tops = sorted(float(re.findall(r"[0-9.]+", d)[1]) for d in grid)
    labels = [
        text.text or "" for text in root.iter(f"{SVG}text") if text.get("text-anchor") == "end"
    ]
    most = int(labels[-1].replace(",", ""))
    return [
        ((x - left) / (right - left), (bottom - y) / (bottom - tops[0]) * most)
        for x, y in line(root, name)
    ]


def _ends(root: ET.Element, name: str) -> list[tuple[float, float]]:
    [path] = [
        path.attrib["d"]
        for path in root.iter(f"{SVG}path")
        if path.get("class") == name and "H" in path.attrib["d"]
    ]
    left, y, right = map(float, re.findall(r"[0-9.]+", path))
    return [(left, y), (right, y)]


def value_at(corners: list[tuple[float, float]], share: float) -> float:
    """Return the height of a line at a share of its width."""
    return [y for x, y in corners if x <= share][-1]


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(0, 5_000), st.integers(0, 5_000)), min_size=1
    )
)
def test_the_value_of_each_day_is_in_the_line(changes: list[tuple[int, int, int]]) -> None:
    days = [(START + timedelta(offset), scope, done) for offset, scope, done in changes]
    root = parse(draw_burnup(days, "Payments"))
    by_day = {offset: (scope, done) for offset, scope, done in changes}
    first, last = min(by_day), max(by_day)
    lines = [numbers(root, "scope"), numbers(root, "done")]
    now = by_day[first]
    tolerance = max(*(max(pair) for pair in by_day.values()), 1) / 200
    for offset in range(first, last + 1):
        now = by_day.get(offset, now)
        for corners, count in zip(lines, now, strict=True):
            # In the middle of the day, whose start is rounded to half a unit.
            there = value_at(corners, (offset - first + 0.5) / (last + 1 - first))
            assert abs(there - count) <= tolerance


def test_lines_have_steps_and_hold_to_the_end_of_the_last_day() -> None:
    days = [(START, 10, 0), (START + timedelta(4), 12, 0), (START + timedelta(9), 12, 8)]
    root = parse(draw_burnup(days, "Payments"))
    scope = [(round(x, 2), round(y, 2)) for x, y in numbers(root, "scope")]
    done = [(round(x, 2), round(y, 2)) for x, y in numbers(root, "done")]
    assert scope == [(0, 10), (0.4, 10), (0.4, 12), (1, 12)]
    assert done == [(0, 0), (0.9, 0), (0.9, 8), (1, 8)]


def test_one_day_is_a_line_from_edge_to_edge() -> None:
    root = parse(draw_burnup([(START, 14, 9)], "Payments"))
    assert [x for x, _ in numbers(root, "scope")] == [0, 1]
    assert "9 of 14 stories done (64 %) · 2 Mar 2026" in texts(root)


def test_the_chart_says_what_it_shows() -> None:
    days = [(START, 10, 0), (date(2026, 11, 27), 1_042, 1_041)]
    root = parse(draw_burnup(days, "Payments"))
    assert name_of(root) == "Payments"
    assert root.findtext(f"{SVG}desc") == (
        "2 Mar 2026: 0 of 10 stories done (0 %). 27 Nov 2026: 1,041 of 1,042 stories done (99 %)."
    )
    shown = texts(root)
    assert {"Payments", "Stories", "Done", "Scope 1,042", "Done 1,041", "1,200"} <= set(shown)
    assert "1,041 of 1,042 stories done (99 %) · 2 Mar 2026 to 27 Nov 2026" in shown


def test_without_days_the_chart_says_so() -> None:
    root = parse(draw_burnup([], "Payments"))
    assert texts(root) == ["Payments", "No history yet"]
    assert root.findtext(f"{SVG}desc") == "No history yet."


def test_without_stories_the_lines_are_on_the_axis() -> None:
    root = parse(draw_burnup([(START, 0, 0)], "Payments"))
    assert {y for _, y in numbers(root, "scope")} == {0}
    assert "0 of 0 stories done · 2 Mar 2026" in texts(root)


@pytest.mark.parametrize(("scope", "done"), [(0, 0), (5, 5), (100, 99), (100, 0), (100, 100)])
def test_the_labels_at_the_ends_are_apart_and_not_below_the_axis(scope: int, done: int) -> None:
    root = parse(draw_burnup([(START, scope, done)], "Payments"))
    [(_, bottom), _] = _ends(root, "axis")
    upper, lower = (
        float(text.attrib["y"])
        for text in root.iter(f"{SVG}text")
        if text.attrib["class"] in {"scope-text", "done-text"}
    )
    assert lower - upper >= 18
    assert lower <= bottom + 4


def test_the_lines_differ_by_more_than_colour() -> None:
    style = parse(draw_burnup([(START, 1, 1)], "Payments")).findtext(f"{SVG}style") or ""
    rules = dict(re.findall(r"\.burnup \.([a-z-]+)\{(.*?)\}", style.partition("@media")[0]))
    assert "stroke-dasharray" in rules["scope"]
    assert "stroke-dasharray" not in rules["done"]
    assert "stroke-width:2" in rules["scope"]
    assert "stroke-width:3" in rules["done"]


def test_colours_have_contrast_in_light_and_dark() -> None:
    style = parse(draw_burnup([], "Payments")).findtext(f"{SVG}style") or ""
    light, _, dark = style.partition("@media (prefers-color-scheme:dark)")
    for scheme, ground in ((light, "#ffffff"), (dark, "#0d1117")):
        rules = dict(re.findall(r"\.burnup \.([a-z-]+)\{(.*?)\}", scheme))
        for name in ("ink", "muted", "scope-text", "done-text", "scope", "done"):
            [color] = re.findall(r"#[0-9a-f]{6}", rules[name])
            assert contrast(color, ground) >= 4.5, (name, ground)
        [axis] = re.findall(r"#[0-9a-f]{6}", rules["axis"])
        assert contrast(axis, ground) >= 3  # of what is no text (WCAG 2.2, 1.4.11)
        # Lines may cross the area below the line of what is done.
        fill, opacity = re.findall(r"fill:(#[0-9a-f]{6});fill-opacity:(.*)", rules["area"])[0]
        area = shade(ground, fill, float(opacity))
        for name in ("scope", "done"):
            [color] = re.findall(r"#[0-9a-f]{6}", rules[name])
            assert contrast(color, area) >= 3, (name, area)


@given(any_days, st.text(st.characters(exclude_categories=[])))
def test_anything_gives_a_chart(days: Days, title: str) -> None:
    chart = draw_burnup(days, title)
    chart.encode()
    name_of(parse(chart))
    assert not re.search("nan|inf", chart.partition("</style>")[2])


@given(any_days)
def test_the_order_of_the_entries_does_not_matter(days: Days) -> None:
    once = [(day, *pair) for day, pair in {day: tuple(rest) for day, *rest in days}.items()]
    assert draw_burnup(once, "P") == draw_burnup(once[::-1], "P")  # pyright: ignore[reportArgumentType]


def test_a_hostile_title_is_text() -> None:
    root = parse(draw_burnup([], '"><script>alert(1)</script>\u202e\0'))
    assert name_of(root) == '"><script>alert(1)</script>'


def test_numbers_are_bounded() -> None:
    root = parse(draw_burnup([(START, 10**40, -5)], "Payments"))
    assert f"Scope {MAX_COUNT:,}" in texts(root)
    assert "Done 0" in texts(root)


@pytest.mark.parametrize("count", [2_000, 100_000])
def test_many_days_give_a_chart_of_bounded_size(count: int) -> None:
    first = date(1900, 1, 1)
    days = [(first + timedelta(day), 100_000 + day * 7 % 501, day * 3) for day in range(count)]
    start = time.process_time()
    chart = draw_burnup(days, "Payments")
    assert time.process_time() - start < 0.02 + count * 20e-6
    assert len(chart) < 60_000
    parse(chart)


def test_the_policy_lets_in_the_style_sheet_and_nothing_else() -> None:
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[A-Za-z0-9+/]{43}='; "
        r"frame-ancestors 'none'; sandbox",
        BURNUP_POLICY,
    )


def test_csv_has_a_line_for_each_day() -> None:
    days = [(date(2026, 3, 9), 12, 3), (date(2026, 3, 2), 10, 0)]
    assert burnup_csv(days) == "date,scope,done\r\n2026-03-02,10,0\r\n2026-03-09,12,3\r\n"
    assert burnup_csv([]) == "date,scope,done\r\n"


@given(any_days)
def test_csv_of_any_days_can_be_read(days: Days) -> None:
    rows = list(csv.DictReader(io.StringIO(burnup_csv(days), newline="")))
    assert [date.fromisoformat(row["date"]) for row in rows] == sorted({day for day, *_ in days})
    assert all(0 <= int(row["scope"]) <= MAX_COUNT for row in rows)
