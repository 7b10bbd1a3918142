"""The text that a page of HTML shows, cut at its headings.

Most pages are the parser's own HTML, whose tags are known: patterns and str methods change the
whole page at once, because calling Python for each tag or section would take several times as long.
Raw HTML is first reduced to tags without attributes (`reduce_tag`). Marks that no page contains,
since NUL cannot be in a document, keep places until the tags are gone.
"""

import html
import re
from typing import Final

from service.documents.html_tags import Tag, read_attributes

# Marks: of a heading that begins a section, a line end of code, a cell's end, a footnote's link.
HEADING: Final = "\0\n"
LINE_END: Final = "\0n"
CELL_END: Final = "\0c"
FOOTNOTE_LINK: Final = "\0f"

# Ends a line, as the tags of blocks do. The blank tells it from raw HTML.
BLOCK: Final = "\n<p >"

# Elements that end no word. Of all others, a block ends the line, and an unknown one the word.
_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|nobr|q|s|samp"
    "|small|span|strike|strong|sub|sup|time|tt|u|var|wbr"
)
_BLOCK = (
    "address|article|aside|blockquote|button|caption|center|dd|details|dialog|dir|div|dl|dt"
    "|fieldset|figcaption|figure|footer|form|frameset|h[1-6]|header|hgroup|hr|legend|li|main|menu"
    "|nav|ol|optgroup|option|p|search|section|select|summary|table|tbody|tfoot|thead|tr"
    "|ul"
)
_INLINE_NAMES: Final = frozenset(_INLINE.split("|"))
_BLOCK_NAMES: Final = frozenset((*_BLOCK.split("|"), "br"))
# The parser's own tags of blocks have an attribute, or a line end after them. Others are raw HTML.
_RAW_BLOCK: Final = re.compile(rf"</?(?:{_BLOCK})>(?!\n)")
_RAW_TAG: Final = re.compile(
    rf"<(?=/?[a-z][a-z0-9]*+>(?!\n))(?!/?(?:{_INLINE}|pre)>|/t[dh]>)[^>]*+>"
)

# These say more of the text than where a line ends.
_SPECIAL_TAG: Final = re.compile('<(?:br |img |pre |th[ >]|a href="#fn)')
_PRE: Final = re.compile(r"<pre\b[^<]*+(?><(?!/?pre\b)[^<]*+)*+</pre>")
_CELL_END: Final = re.compile(r"</t[dh]>\s*+")
_IMAGE: Final = re.compile(r'<img src="[^"]*+" alt="([^"]*+)"[^>]*+>')
_FOOTNOTE_LINK: Final = re.compile(
    r'<a href="#fn[^"]*+"[^>]*? data-footnote-[^>]*+>'
    r'↩?(?:<sup class="footnote-ref">)?[0-9]*+(?:</sup>)?</a>'
)
_REDUCED_FOOTNOTE_LINK: Final = re.compile(rf"{FOOTNOTE_LINK}(?>↩?[0-9]*+</a>)?+")
# Markdown may break a line inside a paragraph: a browser shows a blank.
_SOFT_BREAK: Final = re.compile(
    r"\n(?<!p>\n)(?=[^<\n\0]|<(?:a |code>|del>|em>|img |strong>|sup |/(?:a|code|del|em|strong)>))"
)
_TAG: Final = re.compile("<[^>]*+>")
_TAG_BESIDE_TEXT: Final = re.compile("</?[a-z][^<>]*+>")  # raw HTML can have a `<` that is text
_BLANKS: Final = re.compile("  ++")
_BLANK_LINES: Final = re.compile(r"\n\s++")
# GitHub shows the tags of these elements as text, whose `<` it escapes but not its `>`.
_CODE_OF_PAGES: Final = re.compile(r"&lt;(/?)(?i:(script|style))\b(?:[^<>\0&]++)?>")


def reduce_tag(tag: Tag) -> str:
    """Return what a tag or comment of raw HTML, but no heading, is to texts_of: often nothing."""
    if not tag.name or tag.name in _INLINE_NAMES:
        return FOOTNOTE_LINK if " data-footnote-" in tag.attributes else ""
    if tag.name == "img":
        return f" {html.escape(read_attributes(tag).get('alt', ''))} "
    if tag.name == "pre":
        return "</pre>" if tag.is_end else "<pre>"
    if tag.name in {"td", "th"}:
        return CELL_END
    return BLOCK if tag.name in _BLOCK_NAMES else " "


def reduce_page(page: str) -> str:
    """Return a page with raw HTML as texts_of needs it.

    All tags but PLAIN_TAG must have been reduced.
    """
    if "&lt;" in page:
        page = _without_code_of_pages(page)
    if _RAW_TAG.search(page):
        page = page.replace("<td>", CELL_END).replace("<th>", CELL_END)
        page = _RAW_TAG.sub(" ", _RAW_BLOCK.sub(BLOCK, page))
    if FOOTNOTE_LINK in page:
        page = _REDUCED_FOOTNOTE_LINK.sub("", page)
    return page


def texts_of(page: str, *, has_raw_html: bool) -> list[str]:
    """Return the text before the first HEADING of a page, and that after each.

    Blocks, rows and `<br>` end their lines; ` | ` is between cells. Code keeps its line ends, but
    not its indentation. A page with raw HTML must have been reduced.
    """
    text = page
    is_special = has_raw_html or _SPECIAL_TAG.search(text)
    has_gaps = has_raw_html
    if is_special:
        text = text.replace("<br />\n", BLOCK)
        text = _PRE.sub(_mark_line_ends, text)
        text = _CELL_END.sub(CELL_END, text)
        text, images = _IMAGE.subn(r" \1 ", text)
        text, links = _FOOTNOTE_LINK.subn("", text)
        has_gaps = has_raw_html or images + links > 0
    text = _SOFT_BREAK.sub(" ", text)
    text = (_TAG_BESIDE_TEXT if has_raw_html else _TAG).sub("", text)
    if is_special:
        text = _without_marks(text)
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"')
        # The parser itself escapes nothing else.
        text = html.unescape(text) if has_raw_html else text.replace("&amp;", "&")
    if has_gaps:
        text = _BLANKS.sub(" ", text).replace(" \n", "\n")
    return [part.strip() for part in _BLANK_LINES.sub("\n", text).split("\0")]


def _mark_line_ends(code: re.Match[str]) -> str:
    text = code[0].replace("\n", LINE_END)
    return f"{BLOCK}{text}{BLOCK}"


def _without_marks(text: str) -> str:
    text = text.replace(LINE_END, "\n")
    if CELL_END in text:
        # Cells without text leave no trace: a row of one cell can have hundreds of them.
        while 2 * CELL_END in text:
            text = text.replace(2 * CELL_END, CELL_END)
        text = text.replace(f"\n{CELL_END}", "\n").replace(f"{CELL_END}\n", "\n")
        text = text.replace(CELL_END, " | ")
    return text


def _without_code_of_pages(page: str) -> str:
    """Return the page without its scripts and styles; an element that is never closed stays."""
    kept: list[str] = []
    position = 0
    opened: re.Match[str] | None = None
    for tag in _CODE_OF_PAGES.finditer(page):
        if not tag[1]:
            opened = opened or tag
        elif opened and opened[2].lower() == tag[2].lower():
            if HEADING not in page[opened.end() : tag.start()]:
                kept += [page[position : opened.start()], BLOCK]
                position = tag.end()
            opened = None
    return "".join([*kept, page[position:]])
