"""The tree of a project's documents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import orjson
from marshmallow import fields, validate
from starlette.concurrency import run_in_threadpool

from service import __version__
from service.documents.tree import TreeFile, TreeSource, build_file_tree
from service.problems import Problem
from service.routes.shared import (
    CACHED,
    EXAMPLE_DOCUMENT_ID,
    EXAMPLE_PROJECT_ID,
    MISSING_PROJECT,
    file_type_field,
    read_id,
)
from service.web.bodies import ExactSchema, UnionSchema, json_response
from service.web.entity_tags import NOT_MODIFIED_RESPONSE, not_modified, read_entity_tags
from service.web.operation import ResponseSpec, operation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from starlette.responses import Response

    from service.state import Request


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
    file_type = file_type_field()
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
