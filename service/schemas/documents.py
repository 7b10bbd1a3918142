"""The JSON of documents."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.documents.text import FILE_TYPES
from service.schemas.example_ids import EXAMPLE_DOCUMENT_ID, EXAMPLE_SOURCE_ID
from service.schemas.story_metadata import StoryMetadataSchema
from service.web.bodies import ExactSchema


def file_type_field() -> fields.String:
    """Return the field of a document's type."""
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
    story = fields.Nested(
        StoryMetadataSchema,
        metadata={
            "description": "Of a story's document: what the file itself says, before it is joined "
            "with its plan, its trackers and its epic. The lists of stories have the result, whose "
            "id, epic, status and counts may be others."
        },
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


EXAMPLE_CONTENT: Final = "---\nstatus: draft\n---\n# Payments\n\nWhy.\n"
EXAMPLE_DOCUMENT: Final = {
    "id": EXAMPLE_DOCUMENT_ID,
    "project_doc_id": EXAMPLE_SOURCE_ID,
    "file_path": "docs/prd.md",
    "file_type": "md",
    "file_size": 38,
    "content": EXAMPLE_CONTENT,
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
