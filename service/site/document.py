"""The page of a document: its text as HTML, what it says of the work, and what changed it."""

from __future__ import annotations

import sys
from bisect import bisect_right
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
from starlette.concurrency import run_in_threadpool

from service.documents.text import anchor_of_line, anchor_of_problem
from service.routes.document_pages import (
    PROBLEMS_SHOWN,
    read_document_content,
    read_story_surroundings,
)
from service.routes.folders import read_near_documents
from service.site.contents import write_contents
from service.site.folder import find_steps
from service.site.templating import PART, not_modified_page, render_page
from service.web.kept_parts import KeptPart
from service.web.kept_values import KeptValues, Made
from service.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from service.database.database import Database, Row
    from service.routes.project_tree import ProjectTree
    from service.site.file_paths import FilePlace
    from service.state import Request

# Documents of the same folder beside a document, before it and after it.
NEAR_SHOWN: Final = 15

# Problems of a document that stand open beside it, on a telephone above it.
PROBLEMS_OPEN: Final = 3

# The memory of a worker for documents as HTML: 180 documents of 50 KB. To render one again takes
# 20 ms. To store the HTML in the database, and to read it for each page, would take 0.8 ms; the
# rest of the page takes 1.3 ms.
KEPT_BYTES: Final = 16 * 1024 * 1024
# Two, so that a large document does not hold up all others. More would only share the interpreter.
RENDERED_AT_ONCE: Final = 2
TURN_SECONDS: Final = 10.0
TOO_MANY: Final = "Too many documents are being rendered: try again soon."

# Bytes of a kept page besides its texts.
PAGE_OVERHEAD: Final = 1_000


class DocumentHtml(NamedTuple):
    """A document as HTML, with its table of contents."""

    contents: KeptPart | None
    html: KeptPart
    is_cut: bool
    has_title: bool  # a heading of the first level
    first_heading: str
    lines: Sequence[int]  # of the headings, in order
    anchors: Sequence[str]  # of the same

    @property
    def parts(self) -> Sequence[KeptPart]:
        """The parts of the page, in the order of the template."""
        return [self.html] if self.contents is None else [self.contents, self.html]

    @property
    def size(self) -> int:
        """About how many bytes of memory it takes."""
        sections = sum(map(sys.getsizeof, self.anchors)) + 50 * len(self.lines)
        return PAGE_OVERHEAD + sum(part.size for part in self.parts) + sections

    def anchor_above(self, line: int) -> str | None:
        """Return the anchor of the section that a line of the document is in; None before all."""
        index = bisect_right(self.lines, line)
        return self.anchors[index - 1] if index else None


def kept_documents() -> KeptValues[Any]:
    """Return what keeps the documents as HTML, for the state of a worker."""
    return KeptValues(KEPT_BYTES, Turns(RENDERED_AT_ONCE, TURN_SECONDS, TOO_MANY))


async def show_document(
    request: Request, tree: ProjectTree, place: FilePlace, facts: Row
) -> Response:
    """Return the page of a document, of which read_document_facts returned `facts`."""
    database = request.state["database"]
    source = place.source
    stories: list[dict[str, Any]] = orjson.loads(facts["stories"])
    surroundings = None
    if stories:
        surroundings = await read_story_surroundings(database, source.id, stories[0]["place"])
    near = await read_near_documents(database, source.id, place.path, NEAR_SHOWN)
    # All that the page shows besides the document's text, which its blob_id stands for.
    tag = repr((tree.name, tree.has_tops, place, tuple(facts), surroundings, near))
    if unchanged := not_modified_page(request, tag):
        return unchanged
    document = await read_html(
        request.state["kept_documents"], database, facts, place.path.count("/")
    )
    folder = place.path[: place.path.rfind("/") + 1]
    name = place.path[len(folder) :]
    return await render_page(
        request,
        "document.html",
        tag=tag,
        tree=tree,
        place=place,
        facts=facts,
        document=document,
        # A title that is read from a heading of a lower level stands in the text as well.
        shown_title=name
        if facts["title"] in {None, "", document.first_heading}
        else facts["title"],
        parts=document.parts,
        part=PART,
        steps=find_steps(tree, place)[:-1],
        name=name,
        change=None if facts["change"] is None else orjson.loads(facts["change"]),
        problems=_place_problems(place, document, orjson.loads(facts["problems"])),
        problems_shown=PROBLEMS_SHOWN,
        problems_open=PROBLEMS_OPEN,
        stories=stories,
        surroundings=_read_surroundings(surroundings),
        near=near,
        near_pages=[(each, place.find_page(folder + each)) for each in near.names],
        folder_page=place.find_page(folder.rstrip("/")),
    )


def _read_surroundings(row: Row | None) -> Mapping[str, Any]:
    if row is None:
        return {"epic": None, "previous": None, "next": None}
    return {name: None if text is None else orjson.loads(text) for name, text in row.items()}


def _place_problems(
    place: FilePlace, document: DocumentHtml, problems: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Return problems with the `anchor` of their text, and their own `id`; None for either.

    Of several problems with one id only the first has it.
    """
    taken: set[str | None] = set()
    placed: list[dict[str, Any]] = []
    for problem in problems:
        line = problem["line"]
        anchor, own = anchor_of_line(place.path, line), None
        if line is not None and anchor is None:
            anchor, own = document.anchor_above(line), anchor_of_problem(place.path, line)
        placed.append(problem | {"anchor": anchor, "id": None if own in taken else own})
        taken.add(own)
    return placed


async def read_html(
    kept: KeptValues[DocumentHtml], database: Database, facts: Row, depth: int
) -> DocumentHtml:
    """Return a document as HTML, which is kept by the content of which `facts` are.

    `depth` is the number of folders in the document's path.
    """
    # With the id, since git's id of a content is only as safe as SHA-1.
    key = (facts["id"], facts["blob_id"], facts["file_type"], depth)

    async def make() -> Made[DocumentHtml]:
        return await _make(database, facts, depth)

    return await kept.get(key, make)


async def _make(database: Database, facts: Row, depth: int) -> Made[DocumentHtml]:
    content = await read_document_content(database, facts["id"])
    document = await run_in_threadpool(_render_html, content.file_type, content.text, depth)
    # A run may have changed the document since its facts were read: the page is then newer than
    # its entity tag, which is another one for the next request, and nothing keeps the HTML.
    is_same = content.blob_id == facts["blob_id"]
    return Made(document, document.size if is_same else KEPT_BYTES)


def _render_html(file_type: str, text: str, depth: int) -> DocumentHtml:
    # Imported here, for the libraries take memory that a service without pages does not need.
    from service.rendering.document import render_document

    rendered = render_document(file_type, text, depth)
    contents = write_contents(rendered.headings)
    return DocumentHtml(
        KeptPart.of(contents.encode()) if contents else None,
        KeptPart.of(rendered.html.encode()),
        rendered.is_cut,
        has_title=any(heading.level == 1 for heading in rendered.headings),
        first_heading=rendered.headings[0].text if rendered.headings else "",
        lines=[heading.line for heading in rendered.headings],
        anchors=[heading.anchor for heading in rendered.headings],
    )
