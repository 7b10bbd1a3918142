"""The chart and the badge in a real Chromium, in light and dark."""

from __future__ import annotations

import math
from datetime import date, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Literal, NamedTuple

import pytest

from service.drawing.badge import draw_badge
from service.drawing.burnup import BURNUP_POLICY, draw_burnup
from service.web.request_context import SECURITY_HEADERS
from tests.support.browser import browser_page, needs_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

START = date(2024, 12, 28)
LONG = "The payments platform of the whole company, & its <b>partners</b>, with a long name " * 3


def grow(days: int, factor: int = 1) -> list[tuple[date, int, int]]:
    """Return a history in which the scope grows, shrinks once, and more and more is done."""
    return [
        (
            START + timedelta(day),
            factor * (20 + day // 3 - (5 if day > 20 else 0)),
            factor * int((20 + day // 3) * (day / days) ** 2 * 0.9),
        )
        for day in range(days)
    ]


CHARTS = {
    "3 days": draw_burnup(grow(3), "Payments"),
    "40 days": draw_burnup(grow(40), LONG),
    "2,000 days": draw_burnup(grow(2_000), "Payments"),
    "one day": draw_burnup([(START, 14, 9)], "Payments"),
    "zeros": draw_burnup([(START + timedelta(day), 0, 0) for day in range(5)], "Payments"),
    "100,000 stories": draw_burnup(grow(300, 1_000), "M" * 200),
    "all done": draw_burnup([(START, 5, 1), (START + timedelta(200), 5, 5)], "文" * 100),
    "the largest numbers": draw_burnup([(START, 10**12, 10**12)], "e\u0301" * 100),
    "9,999 years": draw_burnup([(date.min, 1, 0), (date.max, 7, 3)], "Payments"),
    "no days": draw_burnup([], "Payments"),
}


class Box(NamedTuple):
    """Where an element is, in the units of its picture."""

    what: str
    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Return whether the two share more than a hair's breadth."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > 0.5
            and min(self.bottom, other.bottom) - max(self.top, other.top) > 0.5
        )


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser_page("http://drawings.test") as page:
        page.set_viewport_size({"width": 760, "height": 420})
        yield page


def boxes(page: Page, selector: str) -> list[Box]:
    return [
        Box(*fields)
        for fields in page.eval_on_selector_all(
            selector,
            """elements => elements.map(element => {
                const box = element.getBoundingClientRect();
                return [element.textContent, box.left, box.top, box.right, box.bottom];
            })""",
        )
    ]


def show(page: Page, *pictures: str) -> None:
    page.goto("about:blank")  # set_content cannot replace a picture
    page.set_content("<body style='margin:0'>" + "".join(pictures))


@needs_chromium
@pytest.mark.parametrize("name", CHARTS)
def test_no_text_overlaps_another_or_the_plot_or_leaves_the_chart(page: Page, name: str) -> None:
    show(page, CHARTS[name])
    # The title is cut off at the edges of its own svg.
    texts = [*boxes(page, ".burnup > text"), *boxes(page, ".burnup > svg")]
    [chart] = boxes(page, ".burnup > .ground")
    plots = [] if name == "no days" else _plots(page)
    assert page.eval_on_selector(".burnup > svg", "e => getComputedStyle(e).overflow") == "hidden"
    assert len(texts) >= 2
    for text in texts:
        assert text.left >= chart.left + 10, text
        assert text.right <= chart.right - 10, text
        assert text.bottom <= chart.bottom, text
        assert not any(text.overlaps(plot) for plot in plots), text
    for one, other in combinations(texts, 2):
        assert not one.overlaps(other), (one, other)


def _plots(page: Page) -> list[Box]:
    """Return the rectangle of the lines with their ends, and the lines of the legend."""
    parts = boxes(page, ".burnup > .area, .burnup > .grid, .burnup > circle")
    plot = Box(
        "plot",
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
    )
    return [plot, *boxes(page, ".burnup > path.done")[:1], *boxes(page, ".burnup > .scope")[:1]]


@needs_chromium
@pytest.mark.parametrize(
    ("scheme", "ground", "ink"),
    [
        ("light", "rgb(255, 255, 255)", "rgb(31, 35, 40)"),
        ("dark", "rgb(13, 17, 23)", "rgb(230, 237, 243)"),
    ],
)
def test_a_chart_on_its_own_has_its_style_under_its_policy(
    page: Page, scheme: Literal["light", "dark"], ground: str, ink: str
) -> None:
    headers = {**SECURITY_HEADERS, "content-security-policy": BURNUP_POLICY}
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.route(
        "**/chart.svg",
        lambda route: route.fulfill(
            body=CHARTS["3 days"], content_type="image/svg+xml", headers=headers
        ),
    )
    page.emulate_media(color_scheme=scheme)
    page.goto("http://drawings.test/chart.svg")
    fill = "element => getComputedStyle(element).fill"
    assert page.eval_on_selector(".ground", fill) == ground
    assert page.eval_on_selector(".title", fill) == ink
    assert complaints == []
    page.emulate_media(color_scheme="light")


@needs_chromium
def test_a_chart_fills_the_width_that_it_gets(page: Page) -> None:
    for width in (380, 760):
        show(page, f"<div style='width:{width}px'>{CHARTS['3 days']}</div>")
        [box] = boxes(page, ".burnup")
        assert box.right - box.left == width
        assert math.isclose(box.bottom - box.top, width * 420 / 760, abs_tol=1)


@needs_chromium
def test_a_chart_in_a_page_changes_nothing_else(page: Page) -> None:
    show(page, "<p class='done muted title'>Text</p>", CHARTS["3 days"])
    style = page.eval_on_selector(
        "p", "e => [getComputedStyle(e).fontSize, getComputedStyle(e).fill]"
    )
    assert style == ["16px", "rgb(0, 0, 0)"]


@needs_chromium
@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("stories", "12 of 40"),
        ("", "PASS"),
        ("W" * 60, "i" * 60),
        ("文字", "é🎉 \ufdfd"),
        ("&<", "'"),
    ],
)
def test_the_texts_of_a_badge_stay_in_their_halves(page: Page, label: str, message: str) -> None:
    show(page, draw_badge(label, message, "blue"))
    halves = boxes(page, "svg > path")[:-1]  # without the shade
    texts = boxes(page, "svg text:not([aria-hidden])")
    assert [text.what for text in texts] == [text for text in (label, message) if text]
    for half, text in zip(halves, texts, strict=True):
        assert half.left + 5 <= text.left
        assert text.right <= half.right - 5
    assert halves[0].left == 0
    assert halves[-1].right == boxes(page, "svg")[0].right
