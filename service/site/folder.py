"""The page of a folder: its subfolders and its documents; and that of several sources."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Final

from service.problems import Problem
from service.routes.folders import count_documents, read_folder
from service.site.file_paths import find_file_page
from service.site.templating import not_modified_page, render_page
from service.web.bodies import invalid
from service.web.entity_tags import read_entity_tags
from service.web.operation import parameter
from service.web.page_addresses import files_page, project_page
from service.web.query_string import form_parameters, read_form

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.responses import Response

    from service.routes.project_tree import ProjectTree
    from service.site.file_paths import FilePlace
    from service.state import Request

ENTRIES_PER_PAGE: Final = 1_000
MAX_PAGES: Final = 10_000

PAGE_RULE: Final = f"must be a number from 1 to {MAX_PAGES:,}."
MISSING_PAGE: Final = "The folder has no such page."

_PAGE: Final = parameter(
    "page",
    "query",
    f"Of a folder with more than {ENTRIES_PER_PAGE:,} entries: which of them, from 1.",
    {"type": "integer", "minimum": 1, "maximum": MAX_PAGES, "default": 1},
)
(PAGE_PARAMETER,) = form_parameters([_PAGE])


async def show_sources(request: Request, project_id: UUID, tree: ProjectTree) -> Response:
    """Return the page with the sources of a project: a folder for each that has documents."""
    _read_page(request)  # a number that could be no folder's is refused here, too
    tag = repr(("sources", tree))
    if unchanged := not_modified_page(request, tag):
        return unchanged
    counts = await count_documents(
        request.state["database"], [source.id for source in tree.sources if source.has_documents]
    )
    return await render_page(
        request,
        "sources.html",
        tag=tag,
        listed=len(tree.sources),
        project_id=project_id,
        tree=tree,
        sources=[
            (source, counts.get(source.id, 0), find_file_page(project_id, source, ""))
            for source in tree.sources
        ],
    )


async def show_folder(request: Request, tree: ProjectTree, place: FilePlace) -> Response | None:
    """Return the page of a folder; None if there is no such folder, unless it is the root."""
    page = _read_page(request)
    tag = repr(("folder", tree, place, page))
    # A client that names the tag has had this very page, so the folder is there; `*` names none.
    if not read_entity_tags(request).is_any and (unchanged := not_modified_page(request, tag)):
        return unchanged
    async with request.state["list_turns"].take():
        return await _show_folder(request, tree, place, page, tag)


async def _show_folder(
    request: Request, tree: ProjectTree, place: FilePlace, page: int, tag: str
) -> Response | None:
    folder = await read_folder(
        request.state["database"],
        place.source.id,
        place.path,
        offset=(page - 1) * ENTRIES_PER_PAGE,
        limit=ENTRIES_PER_PAGE,
    )
    if not folder.total and place.path:
        return None
    pages = max(1, ceil((folder.folders + folder.files) / ENTRIES_PER_PAGE))
    if page > pages:
        raise Problem("not_found", MISSING_PAGE)
    path = f"{place.path}/" if place.path else ""
    return await render_page(
        request,
        "folder.html",
        tag=tag,
        tree=tree,
        place=place,
        steps=find_steps(tree, place),
        listed=len(folder.entries),
        folder=folder,
        # A generator, so that its work is done in the thread that renders many.
        entries=((entry, place.find_page(path + entry["name"])) for entry in folder.entries),
        page=page,
        pages=pages,
    )


def find_steps(tree: ProjectTree, place: FilePlace) -> list[tuple[str, str]]:
    """Return the way to a document or a folder, with it: each step's name and page.

    It begins with the project and its files. The pages are paths of this service.
    """
    steps = [
        (tree.name, project_page(place.project_id)),
        ("Files", files_page(place.project_id)),
    ]
    if place.source.top:
        steps.append((place.source.top.name, place.find_page("")))
    names = place.path.split("/") if place.path else []
    steps += [
        (name, place.find_page("/".join(names[:count]))) for count, name in enumerate(names, 1)
    ]
    return steps


def _read_page(request: Request) -> int:
    text = read_form(request).get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MAX_PAGES))):
        raise invalid({"page": [PAGE_RULE]})
    page = int(text)
    if not 1 <= page <= MAX_PAGES:
        raise invalid({"page": [PAGE_RULE]})
    return page
