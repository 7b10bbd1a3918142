"""The resources of MCP: the documents, by their ids or by their paths in the file tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import unquote

import orjson

from service.characters import UNSTORABLE
from service.documents.text import MEDIA_TYPES
from service.problems import Problem
from service.routes.document_lists import ALL_DOCUMENTS, read_all_documents
from service.routes.document_texts import find_in_tree, read_whole_text, share_large_text
from service.routes.file_tree import read_tops
from service.routes.shared import UUID_TEXT, find_project
from service.web.cursors import next_cursor, read_sorted_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.state import Request

DOCUMENT_URI: Final = re.compile("bmadflow://documents/([^/?#]+)")
FILE_URI: Final = re.compile("bmadflow://projects/([^/?#]+)/files/([^?#]+)")

MISSING_RESOURCE: Final = (
    "There is no such resource. A document is bmadflow://documents/ID, or "
    "bmadflow://projects/PROJECT/files/PATH with the name or the id of its project and its path "
    "in the file tree."
)

BAD_RESOURCES_CURSOR: Final = "The cursor is not one of this list: begin without one."

# URI templates (RFC 6570): a path keeps its slashes.
RESOURCE_TEMPLATES: Final[tuple[Mapping[str, str], ...]] = (
    {
        "uriTemplate": "bmadflow://documents/{id}",
        "name": "document",
        "title": "A document by its id",
        "description": "The text of a document. Answers of tools and of the API have its id.",
    },
    {
        "uriTemplate": "bmadflow://projects/{project}/files/{+path}",
        "name": "file",
        "title": "A document by its path",
        "description": (
            "The text of a document, by the name or the id of its project, and its path in the "
            "project's file tree: from the repository's root, and where a project has several "
            "sources, below the folder of one."
        ),
    },
)


class ResourcePage(NamedTuple):
    """A page of the list of resources, and the cursor of the next page, if there is one."""

    resources: list[Mapping[str, Any]]
    next_cursor: str | None


async def list_resources(request: Request, cursor: str | None) -> ResourcePage:
    """Return a page of the documents of all projects; raise the Problem `invalid` for a cursor."""
    problems: dict[str, list[str]] = {}
    given = {} if cursor is None else {"cursor": cursor}
    page = read_sorted_page(given, ALL_DOCUMENTS, problems)
    if problems or not UUID_TEXT.fullmatch(str(page.after[0])):
        raise Problem("invalid", BAD_RESOURCES_CURSOR)
    items = await read_all_documents(request.state["database"], page)
    documents: list[dict[str, Any]] = orjson.loads(f"[{','.join(items.texts)}]")
    return ResourcePage([_describe(document) for document in documents], next_cursor(items))


def _describe(document: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "uri": f"bmadflow://documents/{document['id']}",
        "name": document["path"],
        "title": document["title"] or document["path"],
        "description": f"{document['project']}: {document['source']}",
        "mimeType": MEDIA_TYPES[document["file_type"]],
        "size": document["size"],
    }


async def read_resource(request: Request, uri: str) -> Mapping[str, Any]:
    """Return the contents of a document; the text of a large one is a LargeText.

    Raises the Problem `not_found` without such a document.
    """
    database = request.state["database"]
    if by_id := DOCUMENT_URI.fullmatch(uri):
        document_id = by_id[1]
    elif by_path := FILE_URI.fullmatch(uri):
        project, path = (unquote(part) for part in by_path.groups())
        if UNSTORABLE.search(project + path):
            raise Problem("not_found", MISSING_RESOURCE)
        found = await find_project(database, project)
        tops = await read_tops(database, [found["id"]])
        document_id = await find_in_tree(database, tops, path)
    else:
        raise Problem("not_found", MISSING_RESOURCE)
    row = await read_whole_text(database, document_id)
    is_large = row["content"] is None
    text = await share_large_text(request, row) if is_large else row["content"]
    return {"uri": uri, "mimeType": MEDIA_TYPES[row["file_type"]], "text": text}
