"""A page as the Markdown parser rendered it, written again as what a page of the hub may show.

The parser keeps raw HTML as the author wrote it: hostile, and with tags that never end. Each tag is
read, and written anew if it is allowed, with the attributes that are allowed. Elements end in the
order in which they began, and no more than MAX_NESTING are open. So the HTML that comes out has no
tag but those written here, means the same to every parser of HTML, and takes each of them linear
time, which the page that comes in does not: browsers repair wrong nesting in quadratic time.
"""

import re
from collections.abc import Mapping
from html import escape, unescape
from typing import Final

from service.documents.html_tags import POSITION, Tag, find_tags, markup_between, read_attributes
from service.documents.outline import UNCLOSED_TAG
from service.rendering.alerts import find_alert
from service.rendering.code import CodeWriter
from service.rendering.elements import (
    ATTRIBUTES,
    BLOCKS,
    EVERYWHERE,
    FOOTNOTES_ID,
    HEADING,
    HEADINGS,
    INLINE,
    OWN_IDS,
    TABLE_FIGURE,
    VOID,
)
from service.rendering.links import link_attributes, picture, safe_address
from service.rendering.nesting import Nesting

# Elements whose tags have no attributes, with only text in them: most of a page.
_PAIR: Final = r"<(?:code>[^<]*+</code|em>[^<]*+</em|strong>[^<]*+</strong|kbd>[^<]*+</kbd)>"
_MARKUP: Final = markup_between(_PAIR)
_NO_TAG: Final = re.compile("<(?!/?(?:code|em|strong|kbd)>)")
_CODE_BLOCK: Final = re.compile(
    rf"<pre(?:{POSITION})?>"
    r'<code(?: class="language-([^"]*+)")?>([^<]*+)</code></pre>'
)
_CHECKBOX: Final = re.compile(r"\s*+<input type=\"checkbox\"")
_FOOTNOTES: Final = ' class="footnotes" data-footnotes'
# The parser's ids and addresses of footnotes: `#fn-…` and `#fnref-…`.
_FOOTNOTE: Final = re.compile("#?fn(?:ref)?-")
MAX_ID: Final = 300
_FOOTNOTE_LINKS: Final = frozenset(("data-footnote-ref", "data-footnote-backref"))
_ONLY_POSITION: Final = re.compile(POSITION)
_PLAIN_LINK: Final = re.compile(r' href="([^"]*+)"')
_OWN_ID: Final = re.compile(r' id="[^"]*+"')
# Elements in whose place something else is shown, or in which nothing can be.
_REPLACED: Final = frozenset((*VOID, "audio", "img", "input", "video"))
_TASK: Final = '<input type="checkbox" disabled'
_CHECKED: Final = f'{_TASK} checked aria-label="Completed task">'
_UNCHECKED: Final = f'{_TASK} aria-label="Incomplete task">'
# A tag that never ends is shown as text, and what comes after it is read. As often as this.
MAX_UNCLOSED: Final = 20


class PageWriter:
    """Writes one page. `anchors` has those of its headings in order, `texts` some headings' texts.

    `depth` is the number of folders that the document is in.
    """

    def __init__(self, anchors: list[str], texts: Mapping[str, str], depth: int) -> None:
        self.code = CodeWriter()
        self.is_cut = False  # whether the end of the page is not written
        self._anchors = iter(anchors)
        self._texts = texts
        self._depth = depth
        self._ids = set(anchors)
        self._nesting = Nesting()
        self._out = self._nesting.out
        self._has_footnotes = False
        self._page = ""
        self._position = 0  # in the page, up to which it is written

    def write(self, page: str) -> str:
        """Return the HTML of a page. Call it once."""
        for _ in range(MAX_UNCLOSED):
            page = self._write_up_to_unclosed_tag(page)
            if not page:
                break
        self.is_cut = bool(page)
        self._nesting.end_all()
        return "".join(self._out)

    def _write_up_to_unclosed_tag(self, page: str) -> str:
        """Write a page, and return what comes after the `<` of a tag in it that never ends."""
        self._page = page
        self._position = 0
        for tag in find_tags(page, _MARKUP):
            if tag.start < self._position:
                continue  # it has been written with the tag before it
            if tag.start > self._position:
                self._add_text(page[self._position : tag.start])
            self._position = tag.end
            if tag.is_end:
                self._nesting.end(tag.name)
            elif tag.name:
                self._begin(tag)
            elif tag.end == len(page) and UNCLOSED_TAG.match(page, tag.start):
                self._out.append("&lt;")
                return page[tag.start + 1 :]
        self._add_text(page[self._position :])
        return ""

    def _add_text(self, text: str) -> None:
        self._out.append(_NO_TAG.sub("&lt;", text) if "<" in text else text)

    def _begin(self, tag: Tag) -> None:
        name = tag.name
        if name in _REPLACED:
            if not self._nesting.is_in_table_frame:
                self._write_replaced(tag)
        elif name == "a":
            if not self._nesting.is_in_table_frame:
                self._begin_link(tag)
        elif name in HEADINGS:
            self._begin_heading(tag, next(self._anchors, ""))
        elif name == "section":
            if tag.attributes == _FOOTNOTES and not self._has_footnotes:
                self._begin_footnotes()
        elif name == "pre" and (code := _CODE_BLOCK.match(self._page, tag.start)):
            self._write_code(code)
        elif name == "blockquote" and self._nesting.is_at_top and self._begin_alert(tag):
            pass
        elif name in INLINE or name in BLOCKS:
            self._begin_element(tag)

    def _begin_element(self, tag: Tag) -> None:
        name = tag.name
        if not self._nesting.make_place(name):
            return
        attributes = self._attributes(tag)
        if name == "li" and _CHECKBOX.match(self._page, tag.end):
            attributes += ' class="task-list-item"'
        if name == "table" and not self._nesting.is_in("table"):
            self._nesting.begin(name, f"{TABLE_FIGURE}<table{attributes}>", "</table></figure>")
        else:
            self._nesting.begin(name, f"<{name}{attributes}>", f"</{name}>")

    def _begin_link(self, tag: Tag) -> None:
        plain = _PLAIN_LINK.fullmatch(tag.attributes)
        attributes = {"href": unescape(plain[1])} if plain else read_attributes(tag)
        is_footnote = not attributes.keys().isdisjoint(_FOOTNOTE_LINKS)
        anchor = attributes.get("id") or attributes.get("name") or ""
        if is_footnote and _FOOTNOTE.match(anchor):
            anchor = f"{OWN_IDS}{anchor}"
        elif anchor.lower().startswith(OWN_IDS):
            anchor = ""
        own_id = self._take_id(anchor)
        address = attributes.get("href")
        if address is not None:
            if is_footnote and _FOOTNOTE.match(address):
                address = f"#{OWN_IDS}{address[1:]}"
            address = safe_address(address, self._depth)
        if address is None or not self._nesting.make_place("a"):
            # An anchor is no element around text: many never end.
            if own_id:
                self._out.append(f"<span{own_id}></span>")
            return
        written = f"<a{own_id}{link_attributes(address)}"
        if "data-footnote-backref" in attributes:
            label = attributes.get("aria-label", "")
            written += f' class="footnote-backref" aria-label="{escape(label)}"'
        elif is_footnote:
            written += f' aria-describedby="{FOOTNOTES_ID}"'
        elif title := attributes.get("title"):
            written += f' title="{escape(title[:1000])}"'
        self._nesting.begin("a", f"{written}>", "</a>")

    def _begin_heading(self, tag: Tag, anchor: str) -> None:
        if not self._nesting.make_place(HEADING):
            return
        name = tag.name
        others = ""
        attributes = self._attributes(tag)
        if " id=" in attributes and (own := _OWN_ID.match(attributes)):
            others = f"<span{own[0]}></span>"
            attributes = attributes[own.end() :]
        end = f"</{name}>"
        opening = f"<{name}{attributes}>{others}"
        if anchor:
            shown = escape(anchor)
            if anchor.startswith(OWN_IDS):  # an element of the page may have this id
                opening = f'<{name}{attributes}><a name="{shown}"></a>{others}'
            else:
                opening = f'<{name} id="{shown}"{attributes}>{others}'
            if (text := self._texts.get(anchor)) and not self._nesting.is_in("a"):
                opening = f'<div class="heading">{opening}'
                label = escape(f"Permalink: {text}")
                end += f'<a class="anchor" href="#{shown}" aria-label="{label}"></a></div>'
        self._nesting.begin(HEADING, opening, end)

    def _write_code(self, code: re.Match[str]) -> None:
        if not self._nesting.is_in_table_frame:
            self._nesting.end_paragraph()
            self._out.append(self.code.block(unescape(code[2]), unescape(code[1] or "")))
        self._position = code.end()

    def _begin_footnotes(self) -> None:
        self._nesting.end_all()
        self._has_footnotes = True
        title = f'<h2 id="{FOOTNOTES_ID}" class="visually-hidden">Footnotes</h2>'
        self._nesting.begin("section", f'<section class="footnotes">{title}', "</section>")

    def _begin_alert(self, tag: Tag) -> bool:
        alert = find_alert(self._page, tag.start)
        if not alert:
            return False
        self._nesting.begin("blockquote", alert.opening, "</div>")
        if alert.is_in_paragraph:
            self._nesting.begin("p", "<p>", "</p>")
        self._position = alert.end
        return True

    def _write_replaced(self, tag: Tag) -> None:
        name = tag.name
        if name == "hr":
            self._nesting.end_paragraph()
        if name in VOID:
            self._out.append(f"<{name}>")
            return
        attributes = read_attributes(tag)
        if name == "input":
            if attributes.get("type", "").lower() == "checkbox":
                self._out.append(_CHECKED if "checked" in attributes else _UNCHECKED)
            return
        source = attributes.get("src")
        if name != "img" and not source:
            return  # its <source> elements show nothing, and what else is in it is shown
        address = None
        if source and not self._nesting.is_in("a"):
            address = safe_address(source, self._depth)
        word = "picture" if name == "img" else name
        self._out.append(picture(address, attributes.get("alt", ""), word))

    def _attributes(self, tag: Tag) -> str:
        if not tag.attributes or _ONLY_POSITION.fullmatch(tag.attributes):
            return ""
        allowed = ATTRIBUTES.get(tag.name, {})
        written: list[str] = []
        attributes = read_attributes(tag)
        anchor = attributes.get("id", "")
        if self._has_footnotes and tag.name == "li" and _FOOTNOTE.match(anchor):
            written.append(self._take_id(f"{OWN_IDS}{anchor}"))
        elif not anchor.lower().startswith(OWN_IDS):
            written.append(self._take_id(anchor))
        for name, value in attributes.items():
            values = allowed.get(name) or EVERYWHERE.get(name)
            if values and values.fullmatch(value):
                written.append(f' {name}="{escape(value)}"')
        return "".join(written)

    def _take_id(self, anchor: str) -> str:
        """Return an element's id as an attribute, if it is one, and no other element has it."""
        if not anchor or len(anchor) > MAX_ID or anchor.split() != [anchor]:
            return ""
        if anchor in self._ids:
            return ""
        self._ids.add(anchor)
        return f' id="{escape(anchor)}"'
