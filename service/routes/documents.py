"""Documents as JSON: one by its id or its path."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

import orjson

from service.characters import UNSTORABLE
from service.problems import Problem
from service.routes.shared import (
    DOCUMENT_HEADERS,
    MISSING_DOCUMENT,
    MISSING_PROJECT,
    UUID_TEXT,
    VERSION,
    document_headers,
    read_id,
)
from service.schemas.documents import EXAMPLE_DOCUMENT, DocumentSchema, FoundDocumentSchema
from service.web.bodies import NOT_A_UUID, invalid, json_response
from service.web.entity_tags import NOT_MODIFIED_RESPONSE, not_modified, read_entity_tags
from service.web.operation import ResponseSpec, operation, parameter
from service.web.pieces import PieceResponse, count_some, cut, escape_in_pieces

if TYPE_CHECKING:
    from collections.abc import Generator
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Database, Row
    from service.state import Request
    from service.web.entity_tags import SentTags
    from service.web.large_bodies import LargeBodies
    from service.web.room import Share


MISSING_AT_PATH: Final = "There is no document at this path."
MISSING_SOURCE_OF_PROJECT: Final = "There is no such project doc in this project."
AMBIGUOUS: Final = "is needed, since several project docs have a document at this path."
PATH_RULE: Final = "must be the path of a document."

# Without the large columns for a client that has this version: $2 has its tags. The ids are text,
# because orjson does not write subclasses of UUID, such as asyncpg's.
DOCUMENT: Final[LiteralString] = """
    tag, document.id::text, project_doc_id::text, file_path, file_type, file_size,
    case when tag <> all($2::text[]) and is_large is not true then content end as content,
    case when tag <> all($2::text[]) and is_large is not true then doc_metadata end as doc_metadata,
    document.created_at, document.updated_at,
    case when tag <> all($2::text[]) and is_large
        then octet_length(content) + octet_length(doc_metadata::text)
    end as large_bytes
    """

DOCUMENT_RESPONSE: Final = ResponseSpec(
    description="The document.",
    schema=DocumentSchema,
    headers=DOCUMENT_HEADERS,
    examples={"document": EXAMPLE_DOCUMENT},
)
FOUND_RESPONSE: Final = ResponseSpec(
    description="The document.",
    schema=FoundDocumentSchema,
    headers=DOCUMENT_HEADERS,
    examples={"document": EXAMPLE_DOCUMENT | {"has_anchor": True}},
    parameters=(
        parameter(
            "path",
            "query",
            "From the repository's root, with or without a slash before it.",
            is_required=True,
            example="docs/prd.md",
        ),
        parameter(
            "source_id",
            "query",
            "The project doc. Needed where several have this path.",
            {"type": "string", "format": "uuid"},
        ),
        parameter("anchor", "query", "The fragment of the link, for `has_anchor`."),
    ),
)


@operation(tag="documents", responses={200: DOCUMENT_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_document(request: Request) -> Response:
    """Get a document."""
    sent = read_entity_tags(request)
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select {DOCUMENT}
        from document
        cross join lateral {VERSION}
        where document.id = $1
        """,
        read_id(request, "id"),
        list(sent.tags),
        missing=MISSING_DOCUMENT,
    )
    return await _document_response(request, sent, row)


@operation(
    tag="documents",
    responses={200: FOUND_RESPONSE, 304: NOT_MODIFIED_RESPONSE},
    problems={"invalid": f"source_id: {AMBIGUOUS}", "not_found": MISSING_AT_PATH},
)
async def find_document(request: Request) -> Response:
    """Get a document by its path.

    A front end can follow a link with it, without loading the tree: resolve a relative link against
    `file_path` of the document that has it. A `+` in a query means a space: encode it as `%2B`.
    """
    project_id = read_id(request, "project_id")
    path = request.query_params.get("path", "").removeprefix("/")
    if not path or UNSTORABLE.search(path):
        raise invalid({"path": [PATH_RULE]})
    source_id = request.query_params.get("source_id")
    if source_id is not None and not UUID_TEXT.fullmatch(source_id):
        raise invalid({"source_id": [NOT_A_UUID]})
    # No anchor has NUL or half a character, and PostgreSQL refuses a statement with either.
    anchor = request.query_params.get("anchor")
    wanted = None if anchor is None or UNSTORABLE.search(anchor) else _clean_anchor(anchor)
    sent = read_entity_tags(request)
    rows = await request.state["database"].fetch(
        f"""
        select {DOCUMENT},
               case when tag <> all($2::text[]) and $5::text is not null then
                   -- The top of any page, by the HTML standard.
                   $5 in ('', 'top')
                   or coalesce(
                       (doc_metadata -> 'headings')
                           @> jsonb_build_array(jsonb_build_object('anchor', $5::text)),
                       false)
                   or coalesce((doc_metadata -> 'anchors') ? $5, false)
               end as has_anchor
        from document
        cross join lateral {VERSION}
        join project_doc on project_doc.id = document.project_doc_id
        where project_doc.project_id = $1
            and document.file_path = $3
            and project_doc.id = coalesce($4::uuid, project_doc.id)
        limit 2
        """,
        project_id,
        list(sent.tags),
        path,
        source_id,
        wanted,
    )
    if len(rows) > 1:
        raise invalid({"source_id": [AMBIGUOUS]})
    if not rows:
        raise Problem("not_found", await _why_missing(request, project_id, source_id))
    has_anchor = False if anchor is not None and wanted is None else rows[0]["has_anchor"]
    return await _document_response(request, sent, rows[0], has_anchor=has_anchor)


async def _why_missing(request: Request, project_id: UUID, source_id: str | None) -> str:
    database = request.state["database"]
    if not await database.fetch_value("select true from project where id = $1", project_id):
        return MISSING_PROJECT
    if source_id is not None and not await database.fetch_value(
        "select true from project_doc where project_id = $1 and id = $2", project_id, source_id
    ):
        return MISSING_SOURCE_OF_PROJECT
    return MISSING_AT_PATH


def _clean_anchor(anchor: str) -> str:
    return anchor.removeprefix("#").removeprefix("user-content-")


async def _document_response(
    request: Request, sent: SentTags, row: Row, **more: bool | None
) -> Response:
    headers = document_headers(row["tag"])
    matched = sent.match(row["tag"])
    if matched is not None:
        return not_modified(matched, headers)
    if row["large_bytes"] is not None:
        return await _large_response(request, row, **more)
    document = dict(row) | more
    del document["tag"], document["large_bytes"]
    document["doc_metadata"] = orjson.Fragment(row["doc_metadata"])  # PostgreSQL's JSON
    return json_response(orjson.dumps(document), headers=headers)


class LargeDocument(NamedTuple):
    """A document whose JSON is written in pieces: what is before its content, and after it."""

    tag: str
    head: bytes
    content: bytes
    metadata: bytes
    tail: bytes
    length: int  # of the JSON before the tail

    def pieces(self, tail: bytes) -> Generator[bytes]:
        yield self.head
        yield from escape_in_pieces(self.content)
        yield b'","doc_metadata":'
        yield from cut(self.metadata)
        yield tail


async def _large_response(request: Request, row: Row, **more: bool | None) -> Response:
    """Respond with a document in pieces; clients that ask for it at the same time share it."""
    large_bodies = request.state["large_bodies"]
    document = await large_bodies.use(
        request.scope,
        ("document", row["id"], row["tag"]),
        row["large_bytes"],
        partial(_read_large, large_bodies, request.state["database"], row["id"]),
    )
    tail = document.tail
    if more:
        tail = tail[:-1] + b"," + orjson.dumps(more)[1:]
    return PieceResponse(
        document.pieces(tail),
        document.length + len(tail),
        threads=large_bodies.writers,
        media_type="application/json",
        headers=document_headers(document.tag),
    )


async def _read_large(
    large_bodies: LargeBodies, database: Database, document_id: str, share: Share
) -> LargeDocument:
    row = await database.fetch_row_or_404(
        f"""
        select tag, document.id::text, project_doc_id::text, file_path, file_type, file_size,
               convert_to(content, 'UTF8') as content,
               convert_to(doc_metadata::text, 'UTF8') as metadata,
               document.created_at, document.updated_at
        from document
        cross join lateral {VERSION}
        where id = $1
        """,
        document_id,
        missing=MISSING_DOCUMENT,
    )
    fields = dict(row)
    content, metadata = fields.pop("content"), fields.pop("metadata")
    tag = fields.pop("tag")
    times = {name: fields.pop(name) for name in ("created_at", "updated_at")}
    head = orjson.dumps(fields)[:-1] + b',"content":"'
    tail = b"," + orjson.dumps(times)[1:]
    document = LargeDocument(tag, head, content, metadata, tail, 0)
    length, pieces = 0, document.pieces(b"")
    while count := await large_bodies.run(count_some, pieces):
        length += count
    share.shrink(len(content) + len(metadata))
    return document._replace(length=length)
