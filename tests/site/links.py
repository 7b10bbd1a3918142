"""The links, the headings and the text of a page, for tests that need no browser."""

from __future__ import annotations

from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

BLOCKS = frozenset({"li", "td", "th", "p", "div", "h2", "h3", "ul", "ol", "summary", "caption"})


class ReadPage(HTMLParser):
    """A page: `links` has a text and a reference each, `headings` a level and a text.

    `sections` has the text of each h2's section by the text of that heading, without its count.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[tuple[str, str]] = []
        self.headings: list[tuple[int, str]] = []
        self.tags: list[str] = []
        self.sections: dict[str, str] = {}
        self._texts: list[str] = []
        self._starts: dict[str, int] = {}
        self._href = ""
        self._section = 0
        self.feed(html)
        self.close()
        self._end_section()

    @property
    def text(self) -> str:
        """The text of the page, with single spaces."""
        return " ".join("".join(self._texts).split())

    def leads_to(self, path: str) -> list[str]:
        """Return the paths that the links of the page at `path` lead to, in this service."""
        found = [urljoin(f"http://hub.test{path}", href) for _, href in self.links]
        urls = [urlsplit(url) for url in found]
        return [url._replace(scheme="", netloc="").geturl() for url in urls if "hub" in url.netloc]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag in BLOCKS:
            self._texts.append(" ")
        if tag in {"h2", "footer"}:
            self._end_section()
            self._section = len(self._texts) if tag == "h2" else 0
        self._starts[tag] = len(self._texts)
        if tag == "a":
            self._href = dict(attrs).get("href") or ""

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._texts[self._starts.get(tag, 0) :]).split())
        if tag == "a":
            self.links.append((text, self._href))
        elif tag in {"h1", "h2", "h3", "h4"}:
            self.headings.append((int(tag[1]), text))

    def handle_data(self, data: str) -> None:
        self._texts.append(data)

    def _end_section(self) -> None:
        if self._section and any(level == 2 for level, _ in self.headings):
            heading = next(text for level, text in reversed(self.headings) if level == 2)
            text = " ".join("".join(self._texts[self._section :]).split())
            self.sections[heading.rstrip("0123456789, ")] = text.removeprefix(heading).strip()
