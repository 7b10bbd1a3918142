"""The text that a page of HTML shows, cut at its headings.

Most pages are the parser's own HTML, whose tags are known: patterns and str methods change the
whole page at once, because calling Python for each tag or section would take several times as long.
Raw HTML is first reduced to tags without attributes (`reduce_tag`). Marks that no page contains,
since NUL cannot be in a document, keep places until the tags are gone.
"""

import html
import re
from typing import Final

from service.documents.html_tags import PLAIN_TAG, Tag, read_attributes

# Marks: of a heading that begins a section, of a line end, of a cell's end, of a footnote's link.
HEADING: Final = "\0h"
LINE_END: Final = "\0n"
CELL_END: Final = "\0c"
FOOTNOTE_LINK: Final = "\0f"

# Ends a line, as the tags of blocks do.
BLOCK: Final = "\n<p>"

# Elements that end no word. Of all others, a block ends the line, and an unknown one the word.
_INLINE = (
    "a|abbr|acronym|b|bdi|bdo|big|cite|code|data|del|dfn|em|font|i|ins|kbd|label|mark|nobr|q|s|samp"
    "|small|span|strike|strong|sub|sup|time|tt|u|var|wbr"
)
_BLOCK = (
    "address|article|aside|blockquote|button|caption|center|dd|details|dialog|dir|div|dl|dt"
    "|fieldset|figcaption|figure|footer|form|frameset|h[1-6]|header|hgroup|hr|legend|li|main|menu"
    "|nav|ol|optgroup|option|p|pre|search|section|select|summary|table|tbody|td|tfoot|th|thead|tr"
    "|ul"
)
_INLINE_NAME: Final = re.compile(_INLINE)
_BLOCK_NAME: Final = re.compile(_BLOCK)
_WITHOUT_ATTRIBUTES: Final = frozenset(("pre", "td", "th"))  # their places matter below

# These say more of the text than where a line ends.
_SPECIAL_TAG: Final = re.compile(r'<(?:br |img |pre |th[ >]|a href="#fn)')
_END = r"(?=[ >])[^<>]*+>"
_PRE: Final = re.compile(r"<pre\b[^<]*+(?:<(?!/?pre\b)[^<]*+)*+</pre>")
# A run of cells without text takes no more room than one cell's end.
_CELL_ENDS: Final = re.compile(rf"(?:</t[dh]>\s*+<t[dh]{_END})++")
_IMAGE: Final = re.compile(r'<img src="[^"]*+" alt="([^"]*+)"[^>]*+>')
_FOOTNOTE_LINK: Final = re.compile(
    r'<a href="#fn[^"]*+"[^>]*? data-footnote-[^>]*+>'
    r'↩?(?:<sup class="footnote-ref">)?[0-9]*+(?:</sup>)?</a>'
)
_REDUCED_FOOTNOTE_LINK: Final = re.compile(rf"{FOOTNOTE_LINK}(?:↩?[0-9]*+</a>)?+")
# Markdown may break a line inside a paragraph: a browser shows a blank.
_SOFT_BREAK: Final = re.compile(
    r"\n(?=[^<\n\0]|<(?:a |code>|del>|em>|img |strong>|sup |/(?:a|code|del|em|strong)>))"
)
_BLANKS: Final = re.compile(r"(?<=\S)[^\S\n]{2,}+")
_TAG: Final = re.compile("<[^>]*+>")
_INLINE_TAG: Final = re.compile(rf"</?(?:{_INLINE}){_END}")
_BLOCK_TAG: Final = re.compile(rf"</?(?:{_BLOCK}){_END}")
_BLANK_LINES: Final = re.compile(r"\n(?:[^\S\n]*+\n)++")
# GitHub shows the tags of these elements as text, whose `<` it escapes but not its `>`.
_CODE_OF_PAGES: Final = re.compile(r"&lt;(/?)(script|style)\b(?:[^<>\0&]++)?>", re.IGNORECASE)


def reduce_tag(tag: Tag) -> str:
    """Return what a tag or comment of raw HTML is to texts_of: often nothing."""
    if not tag.name or _INLINE_NAME.fullmatch(tag.name):
        return FOOTNOTE_LINK if " data-footnote-" in tag.attributes else ""
    if tag.name == "br":
        return LINE_END
    if tag.name == "img":
        return f" {html.escape(read_attributes(tag).get('alt', ''))} "
    if tag.name in _WITHOUT_ATTRIBUTES:
        return f"</{tag.name}>" if tag.is_end else f"<{tag.name}>"
    return BLOCK if _BLOCK_NAME.fullmatch(tag.name) else " "


def texts_of(page: str, *, has_raw_html: bool) -> list[str]:
    """Return the text before the first HEADING of a page, and that after each.

    Blocks, rows and `<br>` end their lines; ` | ` is between cells. Code keeps its line ends and
    indentation. Raw HTML must have been reduced to PLAIN_TAG.
    """
    text = page
    if has_raw_html:
        text = _without_code_of_pages(text) if "&lt;s" in text.lower() else text
        text = _REDUCED_FOOTNOTE_LINK.sub("", text)
    is_special = has_raw_html or _SPECIAL_TAG.search(text)
    if is_special:
        text = _with_marks(text)
    text = _SOFT_BREAK.sub(" ", text)
    if has_raw_html:
        text = _BLOCK_TAG.sub("\n", _INLINE_TAG.sub("", text))
        text = html.unescape(PLAIN_TAG.sub(" ", text))
    else:
        text = _TAG.sub("", text)
        if "&" in text:  # the parser escapes no other characters
            text = text.replace("&lt;", "<").replace("&gt;", ">")
            text = text.replace("&quot;", '"').replace("&amp;", "&")
    if is_special:
        text = _BLANKS.sub(" ", text.replace(LINE_END, "\n"))
        text = text.replace("\r\n", "\n").replace("\r", "\n").replace(" \n", "\n")
    return [part.strip() for part in _BLANK_LINES.sub("\n", text).split(HEADING)]


def _with_marks(page: str) -> str:
    """Return the page with what its tags say of its text: line ends, cells, pictures, footnotes."""
    text = page.replace("<br />\n", LINE_END)
    if "<pre" in text:
        text = _PRE.sub(lambda pre: pre[0].replace("\n", LINE_END), text)
    if "<td" in text or "<th" in text:
        text = _CELL_ENDS.sub(CELL_END, text)
        text = text.replace(f"{CELL_END}</t", "</t").replace(CELL_END, " | ")
    return _FOOTNOTE_LINK.sub("", _IMAGE.sub(r" \1 ", text))


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
