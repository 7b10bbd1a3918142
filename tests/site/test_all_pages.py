"""What holds for every page: each route with the tag `pages` that has HTML, those to come included.

Where a path has a new parameter, `EXAMPLES` must say what to put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import pytest

from service.app import ROUTES
from service.web.operation import find_spec
from tests.site.browser import (
    LOOKS,
    Look,
    OpenPage,
    assert_accessible,
    assert_no_sideways_scroll,
    assert_works_by_keyboard,
    needs_axe,
)
from tests.support.browser import needs_chromium

if TYPE_CHECKING:
    from starlette.routing import Route

    from tests.site.site import Site

pytestmark = [needs_chromium, needs_axe]

# Documents and folders of the two projects that have any.
BERTHS_PATHS: Final = (
    "docs",
    "docs/stories",
    "docs/prd.md",
    "docs/architecture.md",
    "docs/ux/front-end-spec.md",
    "docs/stories/2.2.reserve-a-berth.md",
    "docs/stories/sprint-status.yaml",
    "docs/prices.csv",
    "docs/qa/gates/2.2-reserve-a-berth.yml",
)
HOSTILE_PATHS: Final = (
    "docs",
    "docs/prd.md",
    "docs/long.md",
    "docs/style.md",
    "docs/stories/1.1.story.md",
    "docs/<script>alert(1)<script>.md",
)
QUERIES: Final = ("berth", "<script>", "resevation", "xyzzyqwk")


# Sheets of A4 at 96 dots per inch, upright and across.
PAPER: Final = ((794, 1123), (1123, 794))

# The grids with a column that nothing is in, but for bars of zero, and boards with few statuses.
FIND_EMPTY_COLUMNS: Final = """() => [
    ...document.querySelectorAll("main :not(td, .columns)"),
].flatMap(grid => {
    const style = getComputedStyle(grid);
    if (style.display !== "grid" || !grid.checkVisibility()) return [];
    const boxes = [...grid.children].map(each => each.getBoundingClientRect())
        .filter(box => box.width > 0 && box.height > 0);
    let left = grid.getBoundingClientRect().left + parseFloat(style.borderLeftWidth)
        + parseFloat(style.paddingLeft);
    const empty = style.gridTemplateColumns.split(" ").map(parseFloat).filter(width => {
        const start = left;
        left += width + (parseFloat(style.columnGap) || 0);
        return width > 1
            && !boxes.some(box => box.left < start + width - 1 && box.right > start + 1);
    });
    return empty.length ? [`${grid.outerHTML.slice(0, 100)}: ${style.gridTemplateColumns}`] : [];
})"""


def pages() -> list[Route]:
    """Return the routes of pages, without those of their assets."""
    found: list[Route] = []
    for route in ROUTES:
        spec = find_spec(route)
        response = spec.responses.get(200)
        if spec.tag == "pages" and response and response.media_type == "text/html":
            found.append(route)
    return found


def examples(route: Route, site: Site) -> list[str]:
    """Return paths of a route, with what has most on its page and what has least."""
    path = route.path
    found = [path]
    if "{project_id}" in path:
        ids = (site.berths, site.hostile, site.empty, site.failed)
        found = [path.replace("{project_id}", project) for project in ids]
    if path.endswith("{path:path}"):
        given = {site.berths: BERTHS_PATHS, site.hostile: HOSTILE_PATHS}
        found = [
            path.replace("{project_id}", project).replace("{path:path}", quote(each))
            for project, paths in given.items()
            for each in paths
        ]
    spec = find_spec(route)
    if "q" in {each["name"] for each in (*spec.parameters, *spec.responses[200].parameters)}:
        found += [f"{found[0]}?{urlencode({'q': query})}" for query in QUERIES]
    unknown = [path for path in found if "{" in path]
    assert not unknown, f"say here what the parameters of {unknown} are in tests"
    return found


@pytest.mark.parametrize("look", LOOKS, ids=str)
@pytest.mark.parametrize("route", pages(), ids=lambda route: route.path)
def test_axe_finds_nothing_and_no_page_scrolls_sideways(
    route: Route, look: Look, site: Site, open_page: OpenPage
) -> None:
    for path in examples(route, site):
        page = open_page(path, look)
        assert_accessible(page)
        assert_no_sideways_scroll(page)


@pytest.mark.parametrize("look", [LOOKS[0], LOOKS[-1]], ids=str)
@pytest.mark.parametrize("route", pages(), ids=lambda route: route.path)
def test_everything_works_by_keyboard(
    route: Route, look: Look, site: Site, open_page: OpenPage
) -> None:
    for path in examples(route, site):
        assert_works_by_keyboard(open_page(path, look))


@pytest.mark.parametrize("paper", PAPER)
@pytest.mark.parametrize("route", pages(), ids=lambda route: route.path)
def test_every_page_fits_paper_and_leaves_no_column_of_it_empty(
    route: Route, paper: tuple[int, int], site: Site, open_page: OpenPage
) -> None:
    for path in examples(route, site):
        page = open_page(path)
        page.emulate_media(media="print")
        page.set_viewport_size({"width": paper[0], "height": paper[1]})
        assert_no_sideways_scroll(page)
        assert not page.evaluate(FIND_EMPTY_COLUMNS), page.url


@pytest.mark.parametrize("route", pages(), ids=lambda route: route.path)
def test_no_page_needs_a_script(route: Route, site: Site) -> None:
    """Whatever is on a page is there without its script, and no policy allows an inline one."""
    for path in examples(route, site):
        response = site.hub.client.get(path)
        policy = response.headers["content-security-policy"]
        assert response.status_code == 200
        assert "unsafe" not in policy
        assert policy.startswith("default-src 'none'")
        assert " onclick=" not in response.text
        assert " style=" not in response.text
