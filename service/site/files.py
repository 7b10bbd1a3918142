"""The pages of a project's files: folders, documents, and where a path leads that is neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from service.problems import Problem
from service.rendering.links import OUTSIDE
from service.routes.document_pages import read_document_facts
from service.routes.project_tree import read_project_tree
from service.routes.shared import read_id
from service.site.document import show_document
from service.site.file_paths import (
    clean_path,
    find_elsewhere,
    locate,
    may_be_in_repository,
)
from service.site.folder import PAGE_PARAMETER, PAGE_RULE, show_folder, show_sources
from service.site.templating import page_spec_of, redirect_to, render_page
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.middleware import prefers_page
from service.web.operation import ResponseSpec, operation, parameter
from service.web.query_string import read_form
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from starlette.responses import Response

    from service.routes.project_tree import ProjectTree
    from service.site.file_paths import FilePlace
    from service.state import Request

MISSING_FILE_PAGE: Final = "There is no document and no folder at this path."
OUT_OF_REPOSITORY: Final = "The link leads out of the repository."
MAX_OUTSIDE: Final = 1_000  # characters that the page shows
# From a file's page on GitHub, `../../issues` leads to the repository's page of issues.
ABOVE_FILES: Final = "../../"

PATH: Final = parameter(
    "path",
    "path",
    "From the repository's root. Where a project has documents of several sources, after the name "
    "of the source's folder, as the file tree has it.",
    is_required=True,
    example="docs/prd.md",
)
PARAMETERS: Final = (
    PAGE_PARAMETER,
    parameter(
        OUTSIDE,
        "query",
        "Where a document's link leads from the repository's root, if out of it: the page is a 404 "
        "that says so.",
    ),
)
REDIRECT_RESPONSE: Final = ResponseSpec(
    description="To the address of the document; or to the file in the repository, at the commit "
    "that was synced, if it may be there and is no document of the hub.",
    headers={"Location": "The page, or the URL in the repository."},
)


@operation(
    tag="pages",
    parameters=PARAMETERS,
    responses={
        200: page_spec_of("The page with the folders and documents at the top."),
        304: NOT_MODIFIED_RESPONSE,
    },
    problems={"invalid": f"page: {PAGE_RULE}"},
)
async def show_files(request: Request) -> Response:
    """Look at the files of a project.

    What is at the top of the file tree: of several sources with documents, the folder of each.
    """
    return await _show(request, "")


@operation(
    tag="pages",
    parameters=(PATH, *PARAMETERS),
    responses={
        200: page_spec_of("The page of the document or the folder."),
        302: REDIRECT_RESPONSE,
        304: NOT_MODIFIED_RESPONSE,
    },
    problems={"invalid": f"page: {PAGE_RULE}", "not_found": MISSING_FILE_PAGE},
)
async def show_file(request: Request) -> Response:
    """Look at a document or a folder.

    Relative links between documents lead from page to page, as they do in the repository.
    """
    return await _show(request, request.path_params["path"])


async def _show(request: Request, given_path: str) -> Response:
    project_id = read_id(request, "project_id")
    database = request.state["database"]
    tree = await read_project_tree(database, project_id)
    path = clean_path(given_path)
    if path is None:
        raise Problem("not_found", MISSING_FILE_PAGE)
    place = locate(project_id, tree, path)
    outside = read_form(request).get(OUTSIDE)
    if outside is not None:
        return await _show_missing(request, project_id, tree, outside[:MAX_OUTSIDE], place, None)
    if place is None and not path:
        return await show_sources(request, project_id, tree)
    if place is not None:
        facts = await read_document_facts(database, place.source.id, place.path)
        if facts is not None:
            # Else the browser would resolve the document's relative links against another folder.
            if _count_folders(request) != place.page.count("/"):
                return redirect_to(_reference(request, place))
            return await show_document(request, tree, place, facts)
        folder = await show_folder(request, tree, place)
        if folder is not None:
            return folder
    elsewhere = await find_elsewhere(database, project_id, tree, path)
    if len(elsewhere) == 1:
        return redirect_to(_reference(request, elsewhere[0]))
    if place is not None and not elsewhere and await may_be_in_repository(database, place):
        url = place.file_url()
        if url is not None:
            return redirect_to(url)
    return await _show_missing(request, project_id, tree, path, place, elsewhere)


def _count_folders(request: Request) -> int:
    """Return the number of slashes in the URL's path, as the client sent it, below the root."""
    scope = request.scope
    return scope["raw_path"].count(b"/") - scope["root_path"].count("/")


def _reference(request: Request, place: FilePlace) -> str:
    query = request.scope["query_string"].decode("ascii", errors="replace")
    reference = reference_to(request.scope, place.page)
    return f"{reference}?{query}" if query.isascii() and query else reference


async def _show_missing(
    request: Request,
    project_id: UUID,
    tree: ProjectTree,
    path: str,
    place: FilePlace | None,
    elsewhere: Sequence[FilePlace] | None,
) -> Response:
    """Return the 404: as a page it lists what the path may mean, and names the repositories.

    With None for `elsewhere` the path is where a link leads from the repository's root, and out.

    Also where it means several documents. With a 300 (RFC 9110, section 15.4.1) the path would be
    the address of a resource with several forms, which caches may keep; it is no address of the
    hub's, and what it may mean changes with the project's sources.
    """
    is_outside = elsewhere is None
    if not prefers_page(request.scope):
        raise Problem("not_found", OUT_OF_REPOSITORY if is_outside else MISSING_FILE_PAGE)
    on_host = None
    if is_outside and place is not None and place.repository.kind == "github":
        name = path.removeprefix(ABOVE_FILES)
        if name != path and name and ".." not in name:
            on_host = f"{place.repository.url}/{quote(name, safe='/%')}"
    return await render_page(
        request,
        "missing_file.html",
        status=404,
        project_id=project_id,
        project_name=tree.name,
        path=path,
        place=place,
        elsewhere=elsewhere or (),
        is_outside=is_outside,
        on_host=on_host,
        sources=[place.source] if place else tree.sources[:20],
    )
