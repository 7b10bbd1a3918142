"""The tools `list_projects` and `list_documents`: what the hub has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import orjson

from service.mcp.answers import (
    BAD_TOOL_CURSOR,
    AnswerEntry,
    ListAnswer,
    Listed,
    open_project,
    read_sorted_cursor,
    write_fitting,
)
from service.mcp.places import SourcePlaces, shown_path, write_commit
from service.mcp.project_argument import PROJECT
from service.mcp.schema_parts import (
    CURSOR,
    KIND,
    make_arguments,
    make_limit,
    make_list,
)
from service.mcp.texts import clean_line, escape_line, write_json, write_path, write_time
from service.mcp.tool import NEAREST_SHOWN, Tool, ToolError, ToolResult
from service.routes.document_lists import (
    DOCUMENTS,
    DocumentFilter,
    read_documents,
    read_nearest_paths,
    read_synced_sources,
)
from service.routes.overview import read_overview
from service.routes.search_parameters import MAX_PATH
from service.web.cursors import SortedPage, next_cursor
from service.web.paging import BEFORE_FIRST_ROW, Page, cursor_after, read_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.state import Request

DEFAULT_DOCUMENTS: Final = 30
MAX_DOCUMENTS: Final = 200
DEFAULT_PROJECTS: Final = 20
MAX_PROJECTS: Final = 100
SOURCES_SHOWN: Final = 5
MAX_ERROR: Final = 200  # characters
NONE_FITS: Final = (
    "No document fits. path is how paths begin, from the repository's root, without wildcards: "
    "list_documents(project) lists all paths, and search finds documents by their words."
)


async def list_projects(request: Request, arguments: Mapping[str, Any]) -> ToolResult:
    """Return a page of the projects, newest first, with their sources and figures."""
    database = request.state["database"]
    before = read_cursor(arguments["cursor"]) if "cursor" in arguments else BEFORE_FIRST_ROW
    if before is None:
        raise ToolError(BAD_TOOL_CURSOR)

    async def read(limit: int) -> Listed:
        items = await read_overview(database, Page(before, limit))
        projects = [orjson.loads(text) for text in items.texts]
        ids = [UUID(project["id"]) for project in projects]
        places = SourcePlaces(request, await read_synced_sources(database, ids, SOURCES_SHOWN), {})
        return Listed([_make_project(places, each) for each in projects], cursor_after(items))

    answer = ListAnswer(
        SourcePlaces(request, (), {}),
        head=["Projects, newest first."],
        fields={},
        name="projects",
        tool="list_projects",
        arguments=arguments,
        hint="Go on with search(query, project), list_documents(project) or next(project).",
        when_empty="There are no more projects." if "cursor" in arguments else "No projects yet.",
        names_sources=False,
    )
    return await write_fitting(answer, arguments.get("limit", DEFAULT_PROJECTS), read)


def _make_project(places: SourcePlaces, project: Mapping[str, Any]) -> AnswerEntry:
    own = [each for each in places.sources.values() if each.project_id == project["id"]]
    figures = {
        "documents": project["documents"],
        "stories": project["stories_total"],
        "stories_done": project["stories_by_status"]["done"],
        "stories_cancelled": project["stories_by_status"]["cancelled"],
        "problems": project["problems"],
    }
    to_do = figures["stories"] - figures["stories_cancelled"]
    sync = project["last_sync"]
    failure = None
    if sync and sync["status"] == "failed":
        failure = clean_line(sync["error"] or "failed", MAX_ERROR)
    item: dict[str, Any] = {
        "name": clean_line(project["name"]),
        "id": project["id"],
        "url": places.project_url(project["id"]),
        **figures,
        "sources": [
            {
                "source": source.label,
                "id": source.id,
                "commit": source.commit,
                "synced_at": source.synced_at,
            }
            for source in own
        ],
        "sources_total": project["sources_total"],
        "last_sync_error": failure,
    }
    problems = ", ".join(f"{count} {name}" for name, count in project["problems"].items() if count)
    lines = [
        f"- **{escape_line(project['name'])}** · id {project['id']} · "
        f"{figures['documents']:,} documents · "
        f"{figures['stories_done']:,}/{to_do:,} stories done"
        + (f" · problems: {problems}" if problems else "")
        + (f" · last sync failed: {escape_line(failure, MAX_ERROR)}" if failure else "")
        + f" · {item['url']}",
        *(f"  - source {escape_line(each.label)}: {write_commit(each)}" for each in own),
    ]
    if project["sources_total"] > len(own):
        lines.append(f"  - and {project['sources_total'] - len(own):,} more sources")
    return AnswerEntry("\n".join(lines), item)


async def list_documents(request: Request, arguments: Mapping[str, Any]) -> ToolResult:
    """Return a page of the documents of a project, by path and kind."""
    project, places, described, line = await open_project(request, arguments["project"])
    page = read_sorted_cursor(arguments, DOCUMENTS)
    path, kind = arguments.get("path", "").removeprefix("./").lstrip("/"), arguments.get("kind")
    source_id, path = await _choose_source(request, project["id"], places, path)

    async def read(limit: int) -> Listed:
        items = await read_documents(
            request.state["database"],
            page._replace(limit=limit),
            project["id"],
            DocumentFilter(source_id, kind, path),
        )
        entries = [_make_document(places, orjson.loads(text)) for text in items.texts]
        return Listed(entries, next_cursor(items))

    wanted = [f"kind {kind}"] if kind else []
    if path:
        wanted.append(f"paths that begin with {write_json(clean_line(path))}")
    answer = ListAnswer(
        places,
        head=[f"Documents by path{''.join(f', {each}' for each in wanted)}. {line}"],
        fields={"project": described},
        name="documents",
        tool="list_documents",
        arguments=arguments,
        hint="Read one with read_document(project, path) or read_document(id).",
        when_empty=NONE_FITS if wanted else "There are no documents (any more).",
    )
    result = await write_fitting(answer, arguments.get("limit", DEFAULT_DOCUMENTS), read)
    if path and not result.structured["documents"] and "cursor" not in arguments:
        near = await read_nearest_paths(
            request.state["database"], project["id"], path, NEAREST_SHOWN
        )
        similar = ", ".join(write_path(each) for each in map(shown_path, near) if each)
        if similar:
            answer.when_empty = f"{NONE_FITS} Similar paths: {similar}."
        return answer.write([], None)
    return result


async def _choose_source(
    request: Request, project_id: UUID, places: SourcePlaces, path: str
) -> tuple[str | None, str]:
    """Return a source and how paths begin in it, for a path with its folder of the file tree.

    A path of the repository that begins so comes first.
    """
    top, _, rest = path.partition("/")
    named = [source.id for source in places.sources.values() if source.top and source.top == top]
    if len(named) != 1:
        return None, path
    first = SortedPage(DOCUMENTS.name, DOCUMENTS.first, 1)
    found = await read_documents(
        request.state["database"], first, project_id, DocumentFilter(path=path)
    )
    return (None, path) if found.texts else (named[0], rest)


def _make_document(places: SourcePlaces, document: Mapping[str, Any]) -> AnswerEntry:
    source = places.sources.get(document["source"]["id"])
    path = shown_path(document["path"])
    item: dict[str, Any] = {
        "id": document["id"],
        "path": path,
        "title": clean_line(document["title"] or ""),
        "kind": document["kind"] or "other",
        "bytes": document["size"],
        "changed_at": write_time(document["updated_at"]),
        "source": places.label(document["source"]),
        "url": places.url(source, document["path"]) if source else None,
    }
    parts = [f"- {write_path(path)}", escape_line(item["title"]), item["kind"]]
    parts.append(f"{item['bytes']:,} bytes")
    if len(places.sources) > 1:
        parts.append(f"source {escape_line(item['source'])}")
    if len(places.sources) > 1 or path != document["path"]:
        parts.append(f"id {document['id']}")
    return AnswerEntry(" · ".join(parts), item, document["source"]["id"])


LIST_PROJECTS: Final = Tool(
    name="list_projects",
    title="List projects",
    description=(
        "The hub's projects with their sources, synced commits and figures. Use it when you do not "
        "know a project's name; then search or list_documents."
    ),
    input_schema=make_arguments(
        {"limit": make_limit(DEFAULT_PROJECTS, MAX_PROJECTS), "cursor": CURSOR}
    ),
    output_schema=make_list(
        "projects", ["name", "id", "url", "documents", "sources"], names_sources=False
    ),
    run=list_projects,
)
LIST_DOCUMENTS: Final = Tool(
    name="list_documents",
    title="List documents",
    description=(
        "A project's documents by path, with titles, kinds and sizes. Use it to see what is there; "
        "to find something, use search. Then read_document."
    ),
    input_schema=make_arguments(
        {
            "project": PROJECT,
            "path": {
                "type": "string",
                "maxLength": MAX_PATH,
                "description": "Only paths that begin so, from the repository's root.",
            },
            "kind": KIND,
            "limit": make_limit(DEFAULT_DOCUMENTS, MAX_DOCUMENTS),
            "cursor": CURSOR,
        },
        ["project"],
    ),
    output_schema=make_list(
        "documents", ["id", "path", "title", "kind", "bytes", "source", "url"], ["project"]
    ),
    run=list_documents,
)
