"""A document of any type as HTML for a page.

What a hostile text can cost is bounded here and in the modules that this one calls: a text beyond a
limit is cut.
"""

from typing import Final, NamedTuple

from service.characters import replace_unstorable
from service.documents.front_matter import split_front_matter
from service.documents.headings import Heading
from service.documents.html_tags import page_of_raw_html
from service.documents.outline import outline_of
from service.rendering.code import numbered_lines
from service.rendering.csv_table import csv_table
from service.rendering.front_matter import front_matter_table
from service.rendering.page_writer import PageWriter
from service.rendering.sanitising import sanitise

# Of files that are shown in lines.
MAX_LINES: Final = 10_000
MAX_FILE: Final = 500_000  # characters


class RenderedDocument(NamedTuple):
    """A document's HTML, one <div class="rendered"> that may be in any page, and what is in it.

    `headings` are those of Markdown, whose anchors are ids in the HTML, with their lines in the
    document. `is_cut` says that the end of the document is missing, since it is beyond a limit.
    """

    html: str
    headings: list[Heading]
    is_cut: bool


def render_document(file_type: str, content: str, depth: int) -> RenderedDocument:
    """Return a document as HTML; never raises, whatever the text is.

    `file_type` is one of documents.text. `depth` is the number of folders in the document's path:
    links to the repository's root go up as often.
    """
    content = replace_unstorable(content).replace("\r\n", "\n").replace("\r", "\n")
    if file_type == "md":
        return _render_markdown(content, depth)
    if file_type == "csv" and (table := csv_table(content)):
        return RenderedDocument(_framed(table.html), [], table.is_cut)
    return _render_lines(file_type, content)


def _render_markdown(content: str, depth: int) -> RenderedDocument:
    # Imported here, for the library takes memory that a process that renders nothing does not need.
    from service.rendering.markdown_limits import render_beginning

    source, body = split_front_matter(content)
    beginning = render_beginning(body)
    outline = outline_of(body, beginning.page, "")
    texts = {heading.anchor: heading.text for heading in outline.headings}
    writer = PageWriter(outline.anchors, texts, depth)
    front_matter = front_matter_table(source, writer.code) if source else ""
    page = outline.html
    if outline.has_raw_html:
        page = page_of_raw_html(body, page)
    html = _framed(front_matter + writer.write(page))
    before = content.count("\n") - body.count("\n")
    return RenderedDocument(
        html,
        [heading._replace(line=before + heading.line) for heading in outline.headings],
        is_cut=beginning.is_cut or writer.is_cut,
    )


def _render_lines(file_type: str, content: str) -> RenderedDocument:
    shown = content[:MAX_FILE]
    lines = shown.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES and lines[-1]:
        shown = shown[: -len(lines[-1])]
    html = _framed(numbered_lines(shown, file_type))
    return RenderedDocument(html, [], is_cut=len(shown) < len(content))


def _framed(page: str) -> str:
    return sanitise(f'<div class="rendered" dir="auto">{page}</div>')
