"""The tree of a project's documents."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

import structlog
from starlette.concurrency import run_in_threadpool

from service import __version__
from service.documents.tree import FileTree, TreeSource, arrange_sources
from service.problems import Problem
from service.routes.shared import MISSING_DOCUMENT, MISSING_PROJECT, read_id
from service.schemas.file_tree import EXAMPLE_TREE, FileTreeSchema
from service.web.bodies import json_response
from service.web.entity_tags import (
    CACHED,
    NOT_MODIFIED_RESPONSE,
    not_modified,
    read_entity_tags,
)
from service.web.operation import ResponseSpec, operation
from service.web.pieces import PieceResponse, count_some

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Connection, Database, Queries, Row
    from service.state import Request
    from service.web.large_bodies import LargeBodies
    from service.web.room import Share

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

TREE_RESPONSE: Final = ResponseSpec(
    description="The tree.",
    schema=FileTreeSchema,
    headers={
        "ETag": "Identifies the tree: it changes whenever the tree does.",
        "Cache-Control": CACHED,
    },
    examples={"tree": EXAMPLE_TREE},
)
NO_SPACE: Final = "The service has no space for so large a tree now."
TREE_HEADERS: Final = {"Cache-Control": "no-cache"}


# A tree of so many documents is read in one statement, and its JSON is made at once, unless that
# has more bytes, as with long paths.
FEW: Final = 500
FEW_BYTES: Final = 256 * 1024

# Documents in one statement for a large tree: decoding them takes some 3 ms of the event loop.
ROWS: Final = 1000

# The room for building a tree: mostly for the documents of one source.
BUILDING_BYTES: Final = 32 * 1024 * 1024

# Counted for Content-Length before the tree is sent; a larger one has none.
COUNTED_BYTES: Final = 64 * 1024 * 1024


class DocumentPlace(NamedTuple):
    """A document's place: its path in the repository, and that of its source's folder, if any."""

    project_id: UUID
    path: str
    top: str | None


class BuiltTree(NamedTuple):
    """A tree, with its entity tag, and the length of its JSON if that is known."""

    tree: FileTree
    tag: str
    length: int | None


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
        matched = sent.match(await _read_tag(database, project_id))
        if matched is not None:
            return not_modified(matched, TREE_HEADERS)
    # One statement, so that the tree has all changes of a run that ends meanwhile, or none; and so
    # that the tag is that of this tree, not that of the statement before.
    rows = await database.fetch(
        """
        select project_doc.id as source_id, project_doc.name, project_doc.documents_tag,
               document.file_path, document.id::text, document.file_type, document.file_size
        from project
        left join project_doc on project_doc.project_id = project.id
        left join document on document.project_doc_id = project_doc.id
        where project.id = $1
        order by project_doc.number
        limit $2
        """,
        project_id,
        FEW + 1,
    )
    if not rows:
        raise Problem("not_found", MISSING_PROJECT)
    if len(rows) <= FEW:
        body, tag = await run_in_threadpool(_build_at_once, project_id, rows)
        if body is not None:
            return json_response(body, headers=_headers(tag))
    else:
        tag = await _read_tag(database, project_id)
    large_bodies = request.state["large_bodies"]
    built = await large_bodies.use(
        request.scope,
        ("file tree", project_id, tag),
        BUILDING_BYTES,
        partial(_build, large_bodies, database, project_id),
        close=lambda built: built.tree.close(),
    )
    return PieceResponse(
        built.tree.pieces(),
        built.length,
        threads=large_bodies.writers,
        media_type="application/json",
        headers=_headers(built.tag),
    )


async def read_tops(queries: Queries, project_ids: Sequence[UUID]) -> dict[str, str | None]:
    """Return the path of each source's folder at the top of its project's tree, by the source's id.

    None where the project has documents of one source only: its documents are at the top.
    """
    rows = await queries.fetch(
        """
        select project_id, id, name
        from project_doc
        where project_id = any($1)
            and exists (select from document where project_doc_id = project_doc.id)
        order by number
        """,
        project_ids,
    )
    sources: dict[UUID, list[TreeSource]] = {}
    for row in rows:
        sources.setdefault(row["project_id"], []).append(TreeSource(row["id"], row["name"]))
    return {
        str(source.id): None if top is None else top.path
        for found in sources.values()
        for source, top in arrange_sources(found)
    }


async def read_place(queries: Queries, document_id: UUID) -> DocumentPlace:
    """Return where a document is in its project's tree.

    Raises the Problem `not_found` without such a document.
    """
    row = await queries.fetch_row_or_404(
        """
        select project_id, project_doc_id, file_path
        from document
        join project_doc on project_doc.id = project_doc_id
        where document.id = $1
        """,
        document_id,
        missing=MISSING_DOCUMENT,
    )
    tops = await read_tops(queries, [row["project_id"]])
    top = tops.get(str(row["project_doc_id"]))
    return DocumentPlace(row["project_id"], row["file_path"], top)


def _headers(tag: str) -> dict[str, str]:
    return {**TREE_HEADERS, "ETag": f'"{tag}"'}


def _build_at_once(project_id: UUID, rows: Sequence[Row]) -> tuple[bytes | None, str]:
    """Return the tree as JSON, or None if that is large; and its entity tag."""
    sources: dict[UUID, Row] = {}
    files: dict[UUID, list[Sequence[Any]]] = {}
    for row in rows:
        sources[row["source_id"]] = row
        if row["id"] is not None:  # null for a project or a source without documents
            files.setdefault(row["source_id"], []).append(row[3:])
    tree = FileTree(project_id)
    found = [TreeSource(source_id, sources[source_id]["name"]) for source_id in files]
    for source, top in arrange_sources(found):
        tree.add(files[cast("UUID", source.id)])
        tree.end_source(top)
    pieces: list[bytes] = []
    tag = _tree_tag(row[:3] for row in sources.values())
    for piece in tree.pieces():
        pieces.append(piece)
        if sum(map(len, pieces)) > FEW_BYTES:
            return None, tag
    return b"".join(pieces), tag


async def _build(
    large_bodies: LargeBodies, database: Database, project_id: UUID, share: Share
) -> BuiltTree:
    """Return a tree of any size. The documents of one source are in memory at a time."""
    tree = FileTree(project_id)
    try:
        async with database.transaction() as transaction:
            tag = await _read_tree(large_bodies, transaction, project_id, tree)
        pieces, length = tree.pieces(), 0
        while (count := await large_bodies.run(count_some, pieces)) and length <= COUNTED_BYTES:
            length += count
    except BaseException:
        tree.close()
        raise
    share.shrink(tree.kept)
    return BuiltTree(tree, tag, None if count else length)


async def _read_tree(
    large_bodies: LargeBodies, transaction: Connection, project_id: UUID, tree: FileTree
) -> str:
    """Add the documents of a project to its tree, all from one snapshot; return the tree's tag."""
    await transaction.execute("set transaction isolation level repeatable read read only")
    sources = await transaction.fetch(
        """
        select project_doc.id, project_doc.name, project_doc.documents_tag,
               exists (select from document where project_doc_id = project_doc.id) as has_documents
        from project
        left join project_doc on project_doc.project_id = project.id
        where project.id = $1
        order by project_doc.number
        """,
        project_id,
    )
    if not sources:
        raise Problem("not_found", MISSING_PROJECT)
    found = [TreeSource(row["id"], row["name"]) for row in sources if row["has_documents"]]
    for source, top in arrange_sources(found):
        path = ""
        while rows := await transaction.fetch(
            """
            select file_path, id::text, file_type, file_size
            from document
            where project_doc_id = $1 and file_path > $2
            order by file_path
            limit $3
            """,
            source.id,
            path,
            ROWS,
        ):
            path = rows[-1]["file_path"]
            await large_bodies.run(tree.add, rows)
        try:
            await large_bodies.run(tree.end_source, top)
        except OSError as error:
            log.warning("file_tree_not_stored", error=repr(error))
            raise Problem("unavailable", NO_SPACE) from error
    return _tree_tag(row[:3] for row in sources)


async def _read_tag(database: Database, project_id: UUID) -> str:
    """Return the entity tag of the tree that there is now, without reading it."""
    sources = await database.fetch(
        """
        select project_doc.id, project_doc.name, project_doc.documents_tag
        from project
        left join project_doc on project_doc.project_id = project.id
        where project.id = $1
        order by project_doc.number
        """,
        project_id,
    )
    if not sources:
        raise Problem("not_found", MISSING_PROJECT)
    return _tree_tag(map(tuple, sources))


def _tree_tag(sources: Iterable[Sequence[Any]]) -> str:
    """Return the entity tag of a project's tree, from the id, name and tag of each source.

    In the order of the sources, without those that never had a document. Another version of the
    service may show the tree in another form.
    """
    tagged = [f"{id_} {name} {tag}" for id_, name, tag in sources if tag is not None]
    text = "\n".join([__version__, *tagged])  # a name has no line end
    return hashlib.sha256(text.encode()).hexdigest()[:40]
