"""Pages in the machine's Chromium: what no page of ours may do, and what each must be.

    with launched() as browser, visiting(browser, url) as open_page:
        page = open_page("/projects/…", Look("dark", "narrow"))
        assert_accessible(page)
        assert_no_sideways_scroll(page)
        assert_works_by_keyboard(page)

At its end `visiting` fails the test for all that the pages did wrong.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, Protocol
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.support.chromium import ARGUMENTS, CHROMIUM

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, Response

AXE: Final = Path(__file__).parent / "axe/node_modules/axe-core/axe.min.js"

# `just test` installs it. In CI its absence fails the tests instead of skipping them.
needs_axe = pytest.mark.skipif(
    not AXE.exists() and "CI" not in os.environ,
    reason="axe-core is not installed: `just test` installs it",
)

# Playwright's own 5 s are little on a busy machine.
expect.set_options(timeout=20_000)

Scheme = Literal["light", "dark"]
Width = Literal["wide", "narrow", "narrowest"]

SIZES: Final[Mapping[Width, tuple[int, int]]] = {
    "wide": (1280, 900),
    "narrow": (390, 844),
    "narrowest": (320, 640),
}


class Look(NamedTuple):
    """How a page is looked at. The narrow ones are telephones."""

    scheme: Scheme = "light"
    width: Width = "wide"

    def __str__(self) -> str:
        return f"{self.scheme}-{self.width}"


LOOKS: Final = (
    Look("light", "wide"),
    Look("dark", "wide"),
    Look("light", "narrow"),
    Look("dark", "narrowest"),
)


class OpenPage(Protocol):
    """Opens a path of the service; fails unless it has this status."""

    def __call__(self, path: str, look: Look = ..., *, status: int = ...) -> Page: ...


@contextmanager
def launched() -> Generator[Browser]:
    """Run Chromium while the block runs."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def visiting(
    browser: Browser, base_url: object, *, has_script: bool = True, **options: Any
) -> Generator[OpenPage]:
    """Yield a function that opens pages of a service, each look in a window of its own.

    Fails at the end if a page had an error in the console, such as a refusal by its policy, an
    uncaught error of a script, a request to another host, or one that failed. `options` are those
    of playwright's new_context.
    """
    errors: list[str] = []
    pages: dict[Look, Page] = {}
    expected: dict[str, int] = {}  # the status of each page that was asked for

    def note_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in {"data", "blob"} and url.netloc != urlsplit(str(base_url)).netloc:
            errors.append(f"request to {request.url}")

    def note_failure(request: Request) -> None:
        # A script may abort its own requests.
        if request.failure != "net::ERR_ABORTED":
            errors.append(f"{request.url}: {request.failure}")

    def note_response(response: Response) -> None:
        if response.status >= 400 and expected.get(response.url) != response.status:
            errors.append(f"{response.url}: {response.status}")

    def note_message(message: ConsoleMessage) -> None:
        # Chromium logs each response with an error, which note_response knows.
        is_status = message.text.startswith("Failed to load resource: the server responded with")
        if message.type in {"error", "warning"} and not is_status:
            errors.append(f"{message.text} ({message.location.get('url')})")

    def new_page(look: Look) -> Page:
        width, height = SIZES[look.width]
        page = browser.new_context(
            base_url=str(base_url),
            color_scheme=look.scheme,
            viewport={"width": width, "height": height},
            is_mobile=look.width != "wide",
            java_script_enabled=has_script,
            **options,
        ).new_page()
        page.set_default_timeout(20_000)
        page.on("request", note_request)
        page.on("requestfailed", note_failure)
        page.on("response", note_response)
        page.on("console", note_message)
        page.on("pageerror", lambda error: errors.append(f"script error: {error}"))
        return page

    def open_page(path: str, look: Look = LOOKS[0], *, status: int = 200) -> Page:
        page = pages.get(look) or new_page(look)
        pages[look] = page
        expected[urljoin(str(base_url), path)] = status
        response = page.goto(path)
        assert response is not None, path
        assert response.status == status, f"{path}: {response.status}, {response.text()[:500]}"
        return page

    try:
        yield open_page
    finally:
        for page in pages.values():
            page.context.close()
    assert not errors, "\n".join(errors)


RUN_AXE: Final = """async () => {
    // All rules but those of level AAA, those that axe itself has given up, and an experimental one
    // that wants a landmark for each table and block of code that scrolls.
    const isRule = ({ruleId, tags}) => !tags.includes("wcag2aaa") && !tags.includes("deprecated")
        && ruleId !== "focus-order-semantics";
    const rules = axe.getRules().map(rule => [rule.ruleId, {enabled: isRule(rule)}]);
    const {violations} = await axe.run(document, {
        rules: Object.fromEntries(rules), resultTypes: ["violations"],
    });
    return violations.flatMap(({id, impact, help, nodes}) => nodes.map(node => [
        `${id} (${impact}): ${help}`, `at ${node.target.join(" ")}`, node.html.slice(0, 200),
        ...node.failureSummary.split("\\n"),
    ].join("\\n  ")));
}"""


def assert_accessible(page: Page) -> None:
    """Fail with a list of all that axe-core finds: WCAG 2.2 A and AA, and its best practices."""
    page.evaluate(AXE.read_text("utf-8"))
    found: list[str] = page.evaluate(RUN_AXE)
    assert not found, f"{len(found)} findings at {page.url}:\n" + "\n".join(found[:20])


FIND_WIDE: Final = """() => {
    const root = document.documentElement;
    if (root.scrollWidth <= root.clientWidth) return [];
    const isClipped = element => {
        for (let above = element.parentElement; above && above !== document.body;
                above = above.parentElement) {
            if (getComputedStyle(above).overflowX !== "visible") return true;
        }
        return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter(element =>
        element.getBoundingClientRect().right > root.clientWidth + 0.5 && !isClipped(element));
    return [`${root.scrollWidth} of ${root.clientWidth} px`,
        ...wide.slice(0, 10).map(element => element.outerHTML.slice(0, 200))];
}"""


def assert_no_sideways_scroll(page: Page) -> None:
    """Fail if the page as a whole is wider than the window; its parts may scroll by themselves."""
    found: list[str] = page.evaluate(FIND_WIDE)
    assert not found, f"{page.url} scrolls sideways:\n" + "\n".join(found)


# Whatever the keyboard must reach: visible, not disabled, and not taken out of the order.
MARK_TARGETS: Final = """() => {
    const found = [...document.querySelectorAll(
        "a[href], button, input, select, textarea, summary, [tabindex]")].filter(element =>
            element.tabIndex >= 0 && !element.disabled && element.type !== "hidden"
            && element.checkVisibility({visibilityProperty: true}));
    window.unreached = new Set(found);
    window.reached = new Set();
    document.activeElement?.blur();
    return found.length;
}"""

# The element that has the focus now, or null after the last one.
SEE_FOCUS: Final = """() => {
    const element = document.activeElement;
    if (element === document.body || element === document.documentElement) return null;
    // Chromium also leads to blocks that scroll and have no targets in them.
    const isNew = !window.reached.has(element);
    window.reached.add(element);
    window.unreached.delete(element);
    const style = getComputedStyle(element);
    const box = element.getBoundingClientRect();
    const hasOutline = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    return {
        html: element.outerHTML.slice(0, 200), isNew, left: window.unreached.size,
        isMarked: hasOutline || style.boxShadow !== "none",
        isInWindow: box.width > 0 && box.height > 0 && box.bottom > 0 && box.right > 0
            && box.top < innerHeight && box.left < innerWidth,
    };
}"""


def assert_works_by_keyboard(page: Page) -> None:
    """Press Tab through the whole page: every target gets the focus, visibly; none keeps it."""
    targets: int = page.evaluate(MARK_TARGETS)
    for _ in range(2 * targets + 100):
        page.keyboard.press("Tab")
        focus: dict[str, Any] | None = page.evaluate(SEE_FOCUS)
        # After the last target the focus leaves the page, or begins with the first one again.
        if focus is None or not (focus["isNew"] or focus["left"]):
            break
        assert focus["isNew"], f"the focus came twice before the end of {page.url}: {focus}"
        assert focus["isMarked"], f"no mark shows the focus at {page.url}: {focus}"
        assert focus["isInWindow"], f"the focus is out of sight at {page.url}: {focus}"
    unreached: list[str] = page.evaluate(
        "[...window.unreached].map(element => element.outerHTML.slice(0, 200))"
    )
    assert not unreached, f"no Tab leads to these of {page.url}:\n" + "\n".join(unreached)
