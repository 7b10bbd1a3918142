"""Hostile documents: nothing in a page loads, runs, or is taken for a part of the page itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.documents.html_tags import page_of_raw_html
from service.documents.markdown import render_markdown
from service.documents.outline import outline_of
from service.documents.text import FILE_TYPES
from service.rendering.document import render_document
from service.rendering.page_writer import PageWriter
from service.rendering.sanitising import MAX_TEXT, sanitise
from tests.rendering.harmless import check_harmless
from tests.rendering.hostile import ATTRIBUTES, HIT, HOSTILE, NAMES, TEXTS
from tests.support.browser import browser_page, needs_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Dialog, Page, Request, Route

_tags = st.builds(
    "<{}{}{}{}>".format,
    st.sampled_from(["", "", "", "/"]),
    st.sampled_from(NAMES),
    st.sampled_from(ATTRIBUTES),
    st.sampled_from(ATTRIBUTES),
)
FIRST_LINE_END = re.compile(r"(<pre[^>]*>)\n+")
soups = st.lists(_tags | _tags | st.sampled_from(TEXTS), max_size=40).map("".join)


def written(text: str, depth: int = 1) -> str:
    """Return what nh3 gets of a Markdown text."""
    outline = outline_of(text, *render_markdown(text))
    writer = PageWriter(outline.anchors, {}, depth)
    page = page_of_raw_html(text, outline.html) if outline.has_raw_html else outline.html
    return writer.write(page)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_are_harmless(text: str) -> None:
    for file_type in {*FILE_TYPES.values()}:
        check_harmless(render_document(file_type, text, 1).html)
    for around in (
        "<div>\n{}\n</div>",
        "> - {}",
        "| {} |\n|---|\n| {} |",
        "a {} b",
        "<p\n{}",
        "# {}",
    ):
        check_harmless(render_document("md", around.replace("{}", text), 1).html)


@pytest.mark.parametrize("text", HOSTILE)
def test_what_nh3_gets_is_harmless_already(text: str) -> None:
    check_harmless(written(text))


@given(soups)
def test_any_soup_of_html_is_harmless(text: str) -> None:
    html = render_document("md", text, 2).html
    check_harmless(html)
    check_harmless(written(text))
    # A parser reads from the HTML what was written: another pass changes nothing, but for the line
    # end after <pre>, which parsers ignore.
    assert FIRST_LINE_END.sub(r"\1", sanitise(html)) == FIRST_LINE_END.sub(r"\1", html)


@given(soups)
def test_a_page_keeps_the_text_of_a_document_in_its_own_element(text: str) -> None:
    html = render_document("md", f"{text}\n\n</div></div>", 0).html
    assert html.startswith('<div class="rendered" dir="auto">')
    assert html.endswith("</div>")
    depth = 0
    for place in range(len(html)):
        depth += html.startswith("<div", place) - html.startswith("</div>", place)
        assert depth > 0 or place in (0, len(html) - 6) or place > len(html) - 6


def test_ids_of_the_page_itself_are_dropped_and_headings_keep_theirs_as_names() -> None:
    html = render_document("md", '# Hub search\n\n<p id="Hub-x">a</p><p id="y">b</p>', 0).html
    assert check_harmless(html) == ["y"]
    assert '<h1><a name="hub-search"></a>Hub search</h1>' in html


@pytest.mark.parametrize("before", range(MAX_TEXT - 6, MAX_TEXT + 2))
def test_a_long_text_stays_as_it_is(before: int) -> None:
    text = f"{'x' * before}&amp;\xa9&amp;lt;" * 3
    html = f"<p>{text}</p>\n<pre>\n{text}</pre>"
    assert sanitise(html) == html.replace("<pre>\n", "<pre>")


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser_page("http://documents.test") as page:
        yield page


class _Visits:
    """Opens pages without a Content-Security-Policy, and notes all that they do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.html = ""
        self.events: list[str] = []
        page.on("dialog", self._dismiss)
        page.on("request", self._note)
        page.on("popup", lambda _: self.events.append("popup"))
        page.on("pageerror", lambda error: self.events.append(f"error {error}"))
        page.route("**/*", self._respond)

    def _dismiss(self, dialog: Dialog) -> None:
        self.events.append("dialog")
        dialog.dismiss()

    def _note(self, request: Request) -> None:
        if request.url != "http://documents.test/a/b.md":
            self.events.append(request.url)

    def _respond(self, route: Route) -> None:
        body = (
            '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">'
            f'<main id="main">{self.html}</main><p id="last">x</p>'
        )
        route.fulfill(body=body, content_type="text/html; charset=utf-8")

    def visit(self, html: str, but: tuple[str, ...] = ()) -> None:
        self.html = html
        self.events.clear()
        self.page.goto("/a/b.md")
        found = [name for name in self.page.evaluate(LOOK) if name not in but]
        events = [event for event in self.events if not event.startswith("data:,")]
        assert (found, events) == ([], []), html


# Gives each element the focus and the pointer, and says what is not as it should be.
LOOK = """() => {
    const wrong = [];
    for (const element of document.querySelectorAll("main *")) {
        for (const type of ["pointerenter", "mouseover", "focus", "toggle", "error", "load"])
            element.dispatchEvent(new Event(type));
        element.focus();
        for (const {name} of element.attributes)
            if (/^on|style|src|srcset|action|background|ping|target/.test(name)) wrong.push(name);
        if (element.namespaceURI !== "http://www.w3.org/1999/xhtml") wrong.push(element.tagName);
        if (element.matches("a[href]") && !/^(https?|mailto):$/.test(element.protocol))
            wrong.push(element.href);
        if (element.matches("a a")) wrong.push("a link in a link");
    }
    if (window.hit) wrong.push("a script ran");
    if (document.querySelector("main > :not(.rendered)")) wrong.push("not in its element");
    if (document.body.lastElementChild.id !== "last") wrong.push("beside the page");
    if (document.querySelectorAll("script, style, svg, iframe, img, video, audio, object, form")
        .length) wrong.push("an element that may do something");
    return wrong;
}"""


@needs_chromium
def test_no_hostile_text_does_anything_in_a_browser(page: Page) -> None:
    visits = _Visits(page)
    pages = [render_document("md", text, 1).html for text in HOSTILE]
    for start in range(0, len(pages), 20):
        visits.visit("\n".join(pages[start : start + 20]))
    texts = "\n\n".join(HOSTILE)
    visits.visit(render_document("md", texts, 1).html)
    for file_type in ("csv", "yaml", "json", "txt"):
        visits.visit(render_document(file_type, texts, 1).html)


@needs_chromium
def test_nh3_alone_makes_hostile_html_harmless(page: Page) -> None:
    visits = _Visits(page)
    pages = [sanitise(f'<div class="rendered">{text}</div>') for text in HOSTILE]
    for start in range(0, len(pages), 20):
        # What ends the element around it is left to the page's writer, and so are nested links.
        visits.visit(
            "\n".join(pages[start : start + 20]), but=("not in its element", "a link in a link")
        )


@needs_chromium
def test_the_browser_finds_what_unsafe_html_does(page: Page) -> None:
    visits = _Visits(page)
    for html in (
        f"<img src=x onerror={HIT}>",
        f"<script>{HIT}</script>",
        "<a href='javascript:1'>",
    ):
        with pytest.raises(AssertionError):
            visits.visit(f'<div class="rendered">{html}</div>')
