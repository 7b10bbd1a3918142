"""Documents: one document as JSON, by its id or its path, or as its bytes."""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, LiteralString
from urllib.parse import quote

import orjson
from marshmallow import fields, validate
from starlette.responses import Response

from service.characters import UNSTORABLE
from service.documents.text import MEDIA_TYPES, UNKNOWN
from service.problems import Problem
from service.routes.shared import (
    CACHED,
    EXAMPLE_DOCUMENT_ID,
    EXAMPLE_SOURCE_ID,
    MISSING_DOCUMENT,
    MISSING_PROJECT,
    UUID_TEXT,
    file_type_field,
    read_id,
)
from service.web.bodies import NOT_A_UUID, ExactSchema, invalid, json_response
from service.web.entity_tags import NOT_MODIFIED_RESPONSE, not_modified, read_entity_tags
from service.web.operation import ResponseSpec, operation, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from service.database import Row
    from service.state import Request
    from service.web.entity_tags import SentTags


MISSING_AT_PATH: Final = "There is no document at this path."
MISSING_SOURCE_OF_PROJECT: Final = "There is no such project doc in this project."
AMBIGUOUS: Final = "is needed, since several project docs have a document at this path."
PATH_RULE: Final = "must be the path of a document."

# The entity tag: of the content, and of the row's last change, since a move changes the path, and
# another READER_VERSION the metadata.
VERSION: Final[LiteralString] = """
    (select blob_id || '-' || encode(timestamptz_send(document.updated_at), 'hex'))
        as version (tag)
    """
# Without the large columns for a client that has this version: $2 has its tags. The ids are text,
# because orjson does not write subclasses of UUID, such as asyncpg's.
DOCUMENT: Final[LiteralString] = """
    tag, document.id::text, project_doc_id::text, file_path, file_type, file_size,
    case when tag <> all($2::text[]) then content end as content,
    case when tag <> all($2::text[]) then doc_metadata end as doc_metadata,
    document.created_at, document.updated_at
    """

# A document comes from outside. Opened in a browser it may run no script and load nothing.
SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
# The charset of `/raw` where it is not the encoding's name; a browser guesses an unknown one.
CHARSETS: Final = {
    None: "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    UNKNOWN: None,
}
DOCUMENT_HEADERS: Final = {
    "ETag": "Identifies the document's state: it changes whenever content, path or metadata do.",
    "Cache-Control": CACHED,
}


class HeadingSchema(ExactSchema):
    """A heading of a Markdown document."""

    level = fields.Integer(required=True, strict=True, validate=validate.Range(1, 6))
    text = fields.String(required=True)
    anchor = fields.String(
        required=True, metadata={"description": "As GitHub makes it, without the #."}
    )


class DocumentMetadataSchema(ExactSchema):
    """Title, front matter and headings of a document."""

    title = fields.String(required=True)
    front_matter = fields.Dict(
        allow_none=True,
        metadata={
            "description": "Of a Markdown document: the YAML before its text. Integers, booleans "
            "and null keep their types; other values are texts as they are written, such as `1.10`."
        },
    )
    front_matter_error = fields.String(
        metadata={
            "description": "Which line of the front matter cannot be read, and why. `front_matter` "
            "then has the fields that can be read without that line, or is null."
        }
    )
    encoding = fields.String(
        metadata={
            "description": "The file's encoding, unless that is UTF-8 without a byte order mark: "
            "`utf-8-sig`, `utf-16-le`, `utf-16-be`, `windows-1252`, or `unknown` for an ASCII text "
            "with a few other bytes."
        }
    )
    replaced_characters = fields.Integer(
        strict=True,
        metadata={
            "description": "How many U+FFFD in `content` stand for NUL and for bytes that are no "
            "characters, if any. `/raw` has the bytes."
        },
    )
    headings: fields.List[Any] = fields.List(
        fields.Nested(HeadingSchema), metadata={"description": "Of Markdown documents only."}
    )
    anchors: fields.List[Any] = fields.List(
        fields.String(),
        metadata={
            "description": "Of a Markdown document: what a `#fragment` may name besides the "
            "headings, that is `id` and `name` in raw HTML."
        },
    )
    body_offset = fields.Integer(
        strict=True,
        metadata={
            "description": "Of a Markdown document: where in `content` the text after the front "
            "matter begins, in UTF-16 code units, as JavaScript's `content.slice(body_offset)` "
            "takes it. A language that counts code points needs `body_line` where the front matter "
            "has characters above U+FFFF."
        },
    )
    body_line = fields.Integer(
        strict=True,
        metadata={"description": "The line at `body_offset`, from 1. CR, LF and CRLF end lines."},
    )


class DocumentSchema(ExactSchema):
    """A document."""

    id = fields.UUID(required=True)
    project_doc_id = fields.UUID(required=True)
    file_path = fields.String(
        required=True, metadata={"description": "From the repository's root."}
    )
    file_type = file_type_field()
    file_size = fields.Integer(
        required=True, strict=True, metadata={"description": "In bytes, in the repository."}
    )
    content = fields.String(required=True)
    doc_metadata = fields.Nested(DocumentMetadataSchema, required=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


class FoundDocumentSchema(DocumentSchema):
    """A document that was asked for by its path."""

    has_anchor = fields.Boolean(
        required=True,
        allow_none=True,
        metadata={
            "description": "Whether the document has the `anchor` of the request; null without one."
        },
    )


EXAMPLE: Final = {
    "id": EXAMPLE_DOCUMENT_ID,
    "project_doc_id": EXAMPLE_SOURCE_ID,
    "file_path": "docs/prd.md",
    "file_type": "md",
    "file_size": 38,
    "content": "---\nstatus: draft\n---\n# Payments\n\nWhy.\n",
    "doc_metadata": {
        "title": "Payments",
        "front_matter": {"status": "draft"},
        "body_offset": 22,
        "body_line": 4,
        "headings": [{"level": 1, "text": "Payments", "anchor": "payments"}],
        "anchors": [],
    },
    "created_at": "2026-11-25T03:01:00.123456+00:00",
    "updated_at": "2026-11-25T03:01:00.123456+00:00",
}


DOCUMENT_RESPONSE: Final = ResponseSpec(
    description="The document.",
    schema=DocumentSchema,
    headers=DOCUMENT_HEADERS,
    examples={"document": EXAMPLE},
)
FOUND_RESPONSE: Final = ResponseSpec(
    description="The document.",
    schema=FoundDocumentSchema,
    headers=DOCUMENT_HEADERS,
    examples={"document": EXAMPLE | {"has_anchor": True}},
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
RAW_RESPONSE: Final = ResponseSpec(
    description="The document's bytes. JSON, YAML and CSV come with their own media types.",
    schema={"type": "string"},
    media_type="text/markdown",
    headers={**DOCUMENT_HEADERS, "Content-Security-Policy": f"`{SANDBOX}`"},
    examples={"markdown": EXAMPLE["content"]},
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
    return _respond_conditionally(sent, row, _document_response)


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
    sent = read_entity_tags(request)
    rows = await request.state["database"].fetch(
        f"""
        select {DOCUMENT}
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
    )
    if len(rows) > 1:
        raise invalid({"source_id": [AMBIGUOUS]})
    if not rows:
        raise Problem("not_found", await _why_missing(request, project_id, source_id))
    return _respond_conditionally(sent, rows[0], partial(_found_response, request))


async def _why_missing(request: Request, project_id: UUID, source_id: str | None) -> str:
    database = request.state["database"]
    if not await database.fetch_value("select true from project where id = $1", project_id):
        return MISSING_PROJECT
    if source_id is not None and not await database.fetch_value(
        "select true from project_doc where project_id = $1 and id = $2", project_id, source_id
    ):
        return MISSING_SOURCE_OF_PROJECT
    return MISSING_AT_PATH


def _found_response(request: Request, row: Row, headers: dict[str, str]) -> Response:
    anchor = request.query_params.get("anchor")
    has_anchor = None
    if anchor is not None:
        anchor = anchor.removeprefix("#").removeprefix("user-content-")
        metadata = orjson.loads(row["doc_metadata"])
        anchors = {heading["anchor"] for heading in metadata.get("headings", ())}
        # The top of any page, by the HTML standard.
        has_anchor = anchor in anchors | {*metadata.get("anchors", ())} | {"", "top"}
    return _document_response(row, headers, has_anchor=has_anchor)


def _document_response(row: Row, headers: dict[str, str], **more: bool | None) -> Response:
    document = dict(row) | more
    del document["tag"]
    document["doc_metadata"] = orjson.Fragment(row["doc_metadata"])  # PostgreSQL's JSON
    return json_response(orjson.dumps(document), headers=headers)


@operation(tag="documents", responses={200: RAW_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_raw_document(request: Request) -> Response:
    """Get a document as it is in the repository.

    The exact bytes, with their media type. A browser may display them, but runs and loads nothing.
    """
    sent = read_entity_tags(request)
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select tag, file_path, file_type, doc_metadata ->> 'encoding' as encoding,
               case when tag <> all($2::text[])
                   then coalesce(original, convert_to(content, 'UTF8'))
               end as bytes
        from document
        cross join lateral {VERSION}
        where id = $1
        """,
        read_id(request, "id"),
        list(sent.tags),
        missing=MISSING_DOCUMENT,
    )
    return _respond_conditionally(sent, row, _raw_response, _raw_headers(row))


def _raw_headers(row: Row) -> dict[str, str]:
    name = row["file_path"].rpartition("/")[2]
    return {
        "Content-Security-Policy": SANDBOX,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
    }


def _raw_response(row: Row, headers: dict[str, str]) -> Response:
    content = row["bytes"]
    media_type = MEDIA_TYPES[row["file_type"]]
    charset = CHARSETS.get(row["encoding"], row["encoding"])
    headers["Content-Type"] = f"{media_type}; charset={charset}" if charset else media_type
    return Response(content, headers=headers)


def _respond_conditionally(
    sent: SentTags,
    row: Row,
    respond: Callable[[Row, dict[str, str]], Response],
    more_headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return a 304 if the client sent the row's `tag`, else `respond(row, headers)`.

    Both have `more_headers`: those of a 304 replace those that the cache keeps with the content
    (RFC 9111, section 3.2), so without the policy a cached document would lose it.
    """
    headers = {"ETag": f'"{row["tag"]}"', "Cache-Control": "no-cache", **more_headers}
    matched = sent.match(row["tag"])
    if matched is not None:
        return not_modified(matched, headers)
    return respond(row, headers)
