"""The JSON of the tree of a project's documents."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.schemas.documents import file_type_field
from service.schemas.example_ids import EXAMPLE_DOCUMENT_ID, EXAMPLE_PROJECT_ID
from service.web.bodies import ExactSchema, UnionSchema


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
