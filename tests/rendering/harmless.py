"""What every rendered document keeps, whatever its text is."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"br", "hr", "wbr", "input"}
TAGS = {
    *("a", "abbr", "b", "bdi", "bdo", "blockquote", "caption", "cite", "code", "dd", "del"),
    *("details", "dfn", "div", "dl", "dt", "em", "figcaption", "figure", "h1", "h2", "h3", "h4"),
    *("h5", "h6", "i", "ins", "kbd", "li", "mark", "ol", "p", "pre", "q", "rp", "rt", "ruby", "s"),
    *("samp", "section", "small", "span", "strike", "strong", "sub", "summary", "sup", "table"),
    *("tbody", "td", "tfoot", "th", "thead", "time", "tr", "tt", "u", "ul", "var", *VOID),
}
ATTRIBUTES = {
    *("align", "aria-describedby", "aria-label", "checked", "class", "colspan", "dir", "disabled"),
    *("href", "id", "lang", "name", "open", "rel", "reversed", "rowspan", "scope", "start"),
    *("tabindex", "title", "type", "valign", "value", "width"),
}
ADDRESS = re.compile(r"(?:(?:https?|mailto):|(?![a-z][a-z0-9+.-]*:)(?![/\\]))", re.IGNORECASE)
FOREIGN = re.compile(r"https?:", re.IGNORECASE)
OWN_ID = re.compile(r"hub-(?:footnotes|fn(?:ref)?-.+)", re.DOTALL)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.ids: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        values = {name: value or "" for name, value in attrs}
        assert len(values) == len(attrs)
        assert values.keys() <= ATTRIBUTES, values
        if tag == "input":
            assert values["type"] == "checkbox"
            assert values["disabled"] == ""
            assert values["aria-label"]
        if tag == "a":
            assert "a" not in self.open, "a link in a link"
            assert "href" in values or values["name"].startswith("hub-")
        else:
            assert not {"href", "rel", "name"} & values.keys()
        if "href" in values:
            assert ADDRESS.match(values["href"]), values["href"]
            rel = "nofollow noopener noreferrer" if FOREIGN.match(values["href"]) else None
            assert values.get("rel") == rel
        if (anchor := values.get("id")) is not None:
            assert anchor
            assert not anchor.lower().startswith("hub-") or OWN_ID.fullmatch(anchor)
            self.ids.append(anchor)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def check_harmless(html: str) -> list[str]:
    """Assert that nothing in the HTML loads, runs, or breaks out; return its ids."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    assert len(reader.ids) == len(set(reader.ids)), "an id twice"
    return reader.ids
