"""Documents: the tree of a project's documents, and one document as JSON or as its bytes."""

from __future__ import annotations

import hashlib
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, LiteralString
from urllib.parse import quote

import orjson
from marshmallow import fields, validate
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from service import __version__
from service.characters import UNSTORABLE
from service.documents.text import FILE_TYPES, MEDIA_TYPES, UNKNOWN
from service.documents.tree import TreeFile, TreeSource, build_file_tree
from service.problems import Problem
from service.routes.shared import (
    EXAMPLE_DOCUMENT_ID,
    EXAMPLE_PROJECT_ID,
    EXAMPLE_SOURCE_ID,
    MISSING_DOCUMENT,
    MISSING_PROJECT,
    UUID_TEXT,
    read_id,
)
from service.web.bodies import NOT_A_UUID, ExactSchema, UnionSchema, invalid, json_response
from service.web.entity_tags import NOT_MODIFIED_RESPONSE, not_modified, read_entity_tags
from service.web.operation import ResponseSpec, operation, parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from service.database import Row
    from service.state import Request


MISSING_AT_PATH: Final = "There is no document at this path."
MISSING_SOURCE_OF_PROJECT: Final = "There is no such project doc in this project."
AMBIGUOUS: Final = "is needed, since several project docs have a document at this path."
PATH_RULE: Final = "must be the path of a document."

# The entity tag: of the content, and of the row's last change, since a move changes the path, and
# another READER_VERSION the metadata.
VERSION: Final[LiteralString] = """
    (select blob_id || '-' || to_hex((extract(epoch from document.updated_at) * 1e6)::bigint))
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
CACHED: Final = "`no-cache`: a cache may keep the response, and must revalidate it each time."
DOCUMENT_HEADERS: Final = {
    "ETag": "Identifies the document's state: it changes whenever content, path or metadata do.",
    "Cache-Control": CACHED,
}


def _file_type_field() -> fields.String:
    types = sorted(set(FILE_TYPES.values()))
    return fields.String(required=True, validate=validate.OneOf(types))


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
    file_type = _file_type_field()
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


EXAMPLE_FILE: Final = {
    "type": "file",
    "id": EXAMPLE_DOCUMENT_ID,
    "name": "prd.md",
    "path": "docs/prd.md",
    "file_type": "md",
    "size": 1204,
}
EXAMPLE_TREE: Final = {
    "project_id": EXAMPLE_PROJECT_ID,
    "tree": [{"type": "folder", "name": "docs", "path": "docs", "children": [EXAMPLE_FILE]}],
}
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


class NodeSchema(UnionSchema):
    """A folder or a file of the tree."""

    discriminator = "type"


class NodeFieldsSchema(ExactSchema):
    """The fields of every node."""

    name = fields.String(required=True)
    path = fields.String(
        required=True,
        metadata={
            "description": "Unique in the tree. Where the project has several sources it begins "
            "with the folder of its source."
        },
    )


class FolderNodeSchema(NodeFieldsSchema):
    """A folder."""

    type = fields.String(required=True, validate=validate.Equal("folder"))
    children: fields.List[Any] = fields.List(fields.Nested(NodeSchema), required=True)


class FileNodeSchema(NodeFieldsSchema):
    """A document."""

    type = fields.String(required=True, validate=validate.Equal("file"))
    id = fields.UUID(required=True, metadata={"description": "The document's."})
    file_type = _file_type_field()
    size = fields.Integer(required=True, strict=True, metadata={"description": "In bytes."})


NodeSchema.variants = {"folder": FolderNodeSchema, "file": FileNodeSchema}


class FileTreeSchema(ExactSchema):
    """The documents of a project: folders first, then by name."""

    project_id = fields.UUID(required=True)
    tree: fields.List[Any] = fields.List(fields.Nested(NodeSchema), required=True)


TREE_RESPONSE: Final = ResponseSpec(
    description="The tree.",
    schema=FileTreeSchema,
    headers={
        "ETag": "Identifies the tree: it changes whenever the tree does.",
        "Cache-Control": CACHED,
    },
    examples={"tree": EXAMPLE_TREE},
)
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


TREE_HEADERS: Final = {"Cache-Control": "no-cache"}


@operation(tag="documents", responses={200: TREE_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_file_tree(request: Request) -> Response:
    """Get the tree of a project's documents.

    Folders first, then by name. Where several sources of a project have documents, each is a
    folder at the top.
    """
    project_id = read_id(request, "project_id")
    database = request.state["database"]
    sent = read_entity_tags(request)
    if sent.tags or sent.is_any:
        sources = await database.fetch(
            """
            select project_doc.id, project_doc.name, project_doc.documents_tag
            from project
            left join project_doc on project_doc.project_id = project.id
            where project.id = $1
            order by project_doc.created_at, project_doc.id
            """,
            project_id,
        )
        if not sources:
            raise Problem("not_found", MISSING_PROJECT)
        matched = sent.match(_tree_tag(map(tuple, sources)))
        if matched is not None:
            return not_modified(matched, TREE_HEADERS)
    # One statement, so that the tree has all changes of a run that ends meanwhile, or none; and so
    # that the tag is that of this tree, not that of the statement before.
    rows = await database.fetch(
        """
        select project_doc.id as source_id, project_doc.name as source_name,
               project_doc.documents_tag,
               document.id, document.file_path, document.file_type, document.file_size
        from project
        left join project_doc on project_doc.project_id = project.id
        left join document on document.project_doc_id = project_doc.id
        where project.id = $1
        order by project_doc.created_at, project_doc.id
        """,
        project_id,
    )
    if not rows:
        raise Problem("not_found", MISSING_PROJECT)

    def build() -> tuple[bytes, str]:
        sources: dict[UUID, tuple[UUID, str, UUID]] = {}
        names: dict[UUID, str] = {}
        files: list[TreeFile] = []
        for source_id, source_name, tag, document_id, path, file_type, size in rows:
            sources[source_id] = source_id, source_name, tag
            if document_id is not None:  # null for a project or a source without documents
                names[source_id] = source_name
                files.append(TreeFile(source_id, document_id, path, file_type, size))
        tree = build_file_tree([TreeSource(*source) for source in names.items()], files)
        body = orjson.dumps({"project_id": str(project_id), "tree": tree})
        return body, _tree_tag(sources.values())

    # In a thread: a tree of thousands of documents would hold up other requests.
    body, tag = await run_in_threadpool(build)
    return json_response(body, headers={**TREE_HEADERS, "ETag": f'"{tag}"'})


def _tree_tag(sources: Iterable[Sequence[Any]]) -> str:
    """Return the entity tag of a project's tree, from the id, name and tag of each source.

    In the order of the sources, without those that never had a document. Another version of the
    service may show the tree in another form.
    """
    tagged = [f"{id_} {name} {tag}" for id_, name, tag in sources if tag is not None]
    text = "\n".join([__version__, *tagged])  # a name has no line end
    return hashlib.sha256(text.encode()).hexdigest()[:40]


@operation(tag="documents", responses={200: DOCUMENT_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_document(request: Request) -> Response:
    """Get a document."""
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select {DOCUMENT}
        from document
        cross join lateral {VERSION}
        where document.id = $1
        """,
        read_id(request, "id"),
        _read_tags(request),
        missing=MISSING_DOCUMENT,
    )
    return _respond_conditionally(request, row, _document_response)


@operation(
    tag="documents",
    responses={200: FOUND_RESPONSE, 304: NOT_MODIFIED_RESPONSE},
    problems={"invalid": f"source_id: {AMBIGUOUS}", "not_found": MISSING_AT_PATH},
)
async def find_document(request: Request) -> Response:
    """Get a document by its path.

    So that a front end can follow a link without loading the tree: resolve a relative link against
    `file_path` of the document that has it. A `+` in a query means a space: encode it as `%2B`.
    """
    project_id = read_id(request, "project_id")
    path = request.query_params.get("path", "").removeprefix("/")
    if not path or UNSTORABLE.search(path):
        raise invalid({"path": [PATH_RULE]})
    source_id = request.query_params.get("source_id")
    if source_id is not None and not UUID_TEXT.fullmatch(source_id):
        raise invalid({"source_id": [NOT_A_UUID]})
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
        _read_tags(request),
        path,
        source_id,
    )
    if len(rows) > 1:
        raise invalid({"source_id": [AMBIGUOUS]})
    if not rows:
        raise Problem("not_found", await _why_missing(request, project_id, source_id))
    return _respond_conditionally(request, rows[0], partial(_found_response, request))


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
        _read_tags(request),
        missing=MISSING_DOCUMENT,
    )
    return _respond_conditionally(request, row, _raw_response, _raw_headers(row))


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


def _read_tags(request: Request) -> list[str]:
    """Return the entity tags of the content that the client has."""
    return list(read_entity_tags(request).tags)


def _respond_conditionally(
    request: Request,
    row: Row,
    respond: Callable[[Row, dict[str, str]], Response],
    more_headers: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return a 304 if the client has the row's `tag`, else `respond(row, headers)`.

    Both have `more_headers`: those of a 304 replace those that the cache keeps with the content
    (RFC 9111, section 3.2), so without the policy a cached document would lose it.
    """
    headers = {"ETag": f'"{row["tag"]}"', "Cache-Control": "no-cache", **more_headers}
    matched = read_entity_tags(request).match(row["tag"])
    if matched is not None:
        return not_modified(matched, headers)
    return respond(row, headers)
