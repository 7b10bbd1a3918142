"""What several routes share: ids in paths, 404 details, a document's version, the 202 of a sync."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, LiteralString
from uuid import UUID

import orjson

from service.database.database import DELETION_SECONDS
from service.database.errors import DETAILS, DatabaseUnavailable
from service.schemas.example_ids import (
    EXAMPLE_DOCUMENT_ID,
    EXAMPLE_PROJECT_ID,
    EXAMPLE_RUN_ID,
    EXAMPLE_SOURCE_ID,
)
from service.schemas.syncs import SyncStartedSchema
from service.sync.queue import MISSING_SOURCE
from service.web.bodies import NOT_A_UUID, invalid, json_response
from service.web.entity_tags import CACHED
from service.web.operation import Resource, ResponseSpec, parameter
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, MutableMapping, Sequence

    from starlette.responses import Response

    from service.database.database import Database, Queries, Row
    from service.state import Request

MISSING_PROJECT: Final = "There is no such project."
MISSING_DOCUMENT: Final = "There is no such document."
MISSING_RUN: Final = "There is no such sync of this project doc."

# Of a 503: a lock was not free within LOCK_LIMIT.
BEING_CHANGED: Final = DETAILS["locked"]

# The entity tag: of the content, and of the row's last change, since a move changes the path, and
# another READER_VERSION the metadata. And whether the document is too large to be responded to at
# once: PostgreSQL knows these sizes without reading the values; metadata are compressed.
VERSION: Final[LiteralString] = """
    (
        select blob_id || '-' || encode(timestamptz_send(document.updated_at), 'hex'),
               octet_length(content) > 256 * 1024 or octet_length(original) > 256 * 1024
                   or pg_column_size(doc_metadata) > 32 * 1024
    ) as version (tag, is_large)
    """

DOCUMENT_HEADERS: Final = {
    "ETag": "Identifies the document's state: it changes whenever content, path or metadata do.",
    "Cache-Control": CACHED,
}

# RFC 9562, section 4. UUID() also takes braces, prefixes and missing dashes.
UUID_TEXT: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)

# By the segment before the id in a path.
RESOURCES: Final = {
    "projects": Resource("The project.", EXAMPLE_PROJECT_ID, MISSING_PROJECT),
    "project-docs": Resource("The project doc.", EXAMPLE_SOURCE_ID, MISSING_SOURCE),
    "documents": Resource("The document.", EXAMPLE_DOCUMENT_ID, MISSING_DOCUMENT),
    "syncs": Resource("The sync.", EXAMPLE_RUN_ID, MISSING_RUN),
}

TREE_PARAMETER: Final = parameter(
    "tree",
    "query",
    "Only of this tree, the folder of a product from the repository's root; if empty, only of the "
    "repository itself.",
    example="apps/web",
)


def read_id(request: Request, name: str) -> UUID:
    """Return an id of the path; raise the Problem `invalid` where it is not a UUID."""
    text = request.path_params[name]
    if not UUID_TEXT.fullmatch(text):
        raise invalid({name: [NOT_A_UUID]})
    return UUID(text)


def read_choice(
    given: Mapping[str, str],
    name: str,
    choices: Sequence[str],
    problems: MutableMapping[str, list[str]],
) -> str | None:
    """Return the value of an optional parameter; where it is none of `choices`, add a problem."""
    value = given.get(name)
    if value is not None and value not in choices:
        problems[name] = [f"must be one of {', '.join(choices)}."]
    return value


def read_tree(given: Mapping[str, str]) -> str | None:
    """Return the tree that TREE_PARAMETER names, without slashes around it; None without it."""
    tree = given.get("tree")
    return None if tree is None else tree.strip("/")


async def find_project(queries: Queries, project: str) -> Row:
    """Return `id` and `name` of the project with this name, or else this id.

    Raises the Problem `not_found` without one.
    """
    return await queries.fetch_row_or_404(
        """
        select id, name
        from project
        where name = $1 or id::text = lower($1)
        order by name <> $1
        limit 1
        """,
        project,
        missing=MISSING_PROJECT,
    )


@contextmanager
def deleting(request: Request, too_large: str) -> Generator[Database]:
    """Yield the database with the limit of a deletion; `too_large` is the detail beyond it."""
    try:
        yield request.state["database"].with_limit(DELETION_SECONDS)
    except DatabaseUnavailable as error:
        if error.reason == "timeout":
            error.detail = too_large
        raise
    request.state["remover"].wake()


def document_headers(tag: str, *more: dict[str, str]) -> dict[str, str]:
    """Return the headers of a document's 200 and 304.

    `more` are those that a 304 replaces in the response that the cache keeps (RFC 9111, section
    3.2): without the policy a cached document would lose it.
    """
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    for each in more:
        headers |= each
    return headers


def change_arguments(data: Mapping[str, object], names: Sequence[str]) -> list[object]:
    """Return two arguments of an update for each name: whether `data` has it, and its value.

    A statement uses them as in `name = case when $2 then $3 else name end`.
    """
    return [argument for name in names for argument in (name in data, data.get(name))]


def _started_body(source_id: object, run_id: object) -> dict[str, str]:
    return {
        "message": "Sync started",
        "project_doc_id": str(source_id),
        "run_id": str(run_id),
        "status": "processing",
    }


STARTED_RESPONSE: Final = ResponseSpec(
    description="The sync is requested, or was queued or running already.",
    schema=SyncStartedSchema,
    headers={"Location": "The sync."},
    examples={"started": _started_body(EXAMPLE_SOURCE_ID, EXAMPLE_RUN_ID)},
)


def started_response(request: Request, source_id: UUID, run_id: UUID) -> Response:
    """Wake the syncer for a requested run, and return the 202 with the run's Location."""
    request.state["syncer"].wake()
    path = f"/api/project-docs/{source_id}/syncs/{run_id}"
    return json_response(
        orjson.dumps(_started_body(source_id, run_id)),
        status=202,
        headers={"Location": reference_to(request.scope, path)},
    )


def name_status(status: str) -> str:
    """Return the words for the status of a story, as in `3 in review` and `draft → in review`."""
    return "in review" if status == "review" else status.replace("_", " ")
