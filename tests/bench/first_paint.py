"""How long Chromium takes until it paints something of a page, and the CPU time of its renderer.

Each load has a context of its own, so that nothing is cached but what the load before it brought:
a page of the same service, so that Chromium has begun and is connected.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from statistics import median
from typing import TYPE_CHECKING, Any, Final, cast

from playwright.sync_api import sync_playwright
from results import Paint

from tests.support.chromium import ARGUMENTS, CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from playwright.sync_api import Browser

# How the style and the script come: over the network, or from the browser's cache.
COLD: Final = "cold"
CACHED: Final = "cached"

LOADS: Final = 25
# Chromium writes what it loaded into its cache, and then is idle.
PAUSE_MS: Final = 200

# Returns when Chromium had the response, and when it painted, in milliseconds of the page's clock.
READ_TIMES: Final = """() => new Promise((resolve) => {
    const look = () => {
        const [paint] = performance.getEntriesByType("paint");
        const [navigation] = performance.getEntriesByType("navigation");
        if (paint) resolve([navigation.responseEnd, paint.startTime]);
        else setTimeout(look, 10);
    };
    look();
})"""


def measure_paints(
    url: str, pages: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, dict[str, Paint]]:
    """Return the first paint of each page, by its name, and by COLD and CACHED.

    `pages` has the paths; `before` the path that is loaded before each, by COLD and CACHED. All are
    loaded by turns, so that whatever else the machine does slows all of them. Chromium may use all
    cores, as it would on a person's machine. Without Chromium the figures are empty.
    """
    if CHROMIUM is None:
        return {}
    loads: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    with _all_cores(), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for _ in range(LOADS):
            for name, path in pages.items():
                for cache, path_before in before.items():
                    load = _load(browser, url + path_before, url + path)
                    loads.setdefault((name, cache), []).append(load)
        browser.close()
    paints: dict[str, dict[str, Paint]] = {}
    for (name, cache), of_page in loads.items():
        responses, firsts, cpu = (sorted(values) for values in zip(*of_page, strict=True))
        paints.setdefault(name, {})[cache] = Paint(
            response_ms=median(responses),
            p50_ms=median(firsts),
            p95_ms=firsts[int(len(firsts) * 0.95)],
            least_ms=firsts[0],
            cpu_ms=median(cpu),
        )
    return paints


def _load(browser: Browser, before: str, url: str) -> tuple[float, float, float]:
    """Return the time of the response, of the first paint, and the renderer's CPU time, in ms."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(before)
    page.wait_for_timeout(PAUSE_MS)
    session = context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(url, wait_until="load")
    response_ms, paint_ms = page.evaluate(READ_TIMES)
    answer = cast("dict[str, Any]", session.send("Performance.getMetrics"))
    metrics = {metric["name"]: metric["value"] for metric in answer["metrics"]}
    context.close()
    return response_ms, paint_ms, metrics["TaskDuration"] * 1000


@contextmanager
def _all_cores() -> Generator[None]:
    """Let this process, and those that it starts, use all cores while the block runs."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)
