"""What the pages of a project share: one snapshot, one entity tag, and their links."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple, TypeAlias

import orjson
from starlette.responses import Response

from service.bmad.readings import STATUSES
from service.git.web_urls import find_pages
from service.routes.file_tree import read_tops
from service.routes.project_docs import read_sources
from service.routes.projects import read_project
from service.routes.shared import read_id
from service.site.templating import not_modified_page, render_page
from service.site.work_addresses import WorkAddresses
from service.web.paging import BEFORE_FIRST_ROW, MAX_LIMIT, Page
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from service.database.database import Connection, Queries
    from service.state import Request

    Item: TypeAlias = Mapping[str, Any]

# To compile a statement of these pages takes longer than to run it.
SETTINGS: Final[LiteralString] = "set local jit = off"

ALL_SOURCES: Final = Page(BEFORE_FIRST_ROW, MAX_LIMIT)


class ProjectPage(NamedTuple):
    """A page of a project: its template, and what returns the variables of that.

    Besides these the template has those of _shared().
    """

    template: str
    read: Callable[[Queries, UUID], Awaitable[Item]]


async def respond(request: Request, page: ProjectPage) -> Response:
    """Return a page of the project that the path names; a 304 if the client has this state of it.

    All queries of a page see one moment, since they are in one transaction: a run that ends
    meanwhile changes all of the page or nothing. That costs two round trips, and holds one
    connection; the queries together would take two or more for about as long. The first query reads
    the version of the project, which is the page's tag, so that a 304 costs no other.
    """
    project_id = read_id(request, "project_id")

    async def read(connection: Connection) -> Response | tuple[str, dict[str, Any]]:
        row = await read_project(connection, project_id)
        unchanged = not_modified_page(request, row["version"])
        if unchanged is not None:
            return unchanged
        project = orjson.loads(row["project"])
        shared = await _shared(request, connection, project_id, project)
        return row["version"], {**shared, **await page.read(connection, project_id)}

    async with request.state["list_turns"].take():
        found = await request.state["database"].run_repeatable(read, SETTINGS)
        if isinstance(found, Response):
            return found
        version, variables = found
        listed = len(variables.get("items", ())) + len(variables["sources"])
        return await render_page(request, page.template, tag=version, listed=listed, **variables)


async def _shared(
    request: Request, queries: Queries, project_id: UUID, project: Item
) -> dict[str, Any]:
    """Return what every page of a project has.

    `api` returns a reference to what the API says of the project, `product_of` the name of the
    product that an item is of, and `commit_url` the page of a source's last commit.
    """
    listed = await read_sources(queries, ALL_SOURCES, project_id)
    # The API lists the newest first. What failed comes first, and must not be overlooked.
    sources: list[dict[str, Any]] = [*map(orjson.loads, reversed(listed.texts))]
    sources.sort(key=_has_succeeded)
    return {
        "project": project,
        "sources": sources,
        "is_synced": any(source["last_synced_at"] for source in sources),
        "addresses": WorkAddresses(project["id"], await read_tops(queries, [project_id])),
        "api": partial(_api_reference, request, project["id"]),
        "product_of": partial(_name_product, has_sources=len(sources) > 1),
        "commit_url": _find_commit,
        "statuses": STATUSES,
    }


def _has_succeeded(source: Item) -> bool:
    run = source["last_run"]
    return run is None or run["status"] != "failed"


def _api_reference(request: Request, project_id: str, name: str) -> str:
    return reference_to(request.scope, f"/api/projects/{project_id}/{name}")


def _name_product(item: Item, *, has_sources: bool) -> str:
    """Return the name of the product that an item is of; empty where nothing tells it apart."""
    parts = [item["source"]["name"] if has_sources else "", item["tree"] or ""]
    return " / ".join(filter(None, parts))


def _find_commit(source: Item) -> str:
    """Return the URL of a source's folder at its last commit, or what comes nearest to it."""
    pages = find_pages(source["github_url"])
    commit, folder = source["last_commit"], source["github_folder_path"]
    found = pages.file_url(folder, commit=commit, branch=None) if folder else None
    return found or pages.commit_url(commit) or pages.url
