"""The JSON of epics."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from service.schemas.example_ids import EXAMPLE_DOCUMENT_ID
from service.schemas.work import (
    EXAMPLE_FIGURES,
    EXAMPLE_SOURCE_NAMED,
    StoryFiguresSchema,
    count_field,
    document_id_field,
    evidence_field,
    perhaps_status_field,
    source_field,
    texts_field,
    tree_field,
)
from service.web.bodies import ExactSchema


class EpicDocumentSchema(ExactSchema):
    """A place that describes or lists an epic."""

    path = fields.String(required=True, metadata={"description": "From the repository's root."})
    document_id = document_id_field()
    line = count_field("From 1.")
    anchor = fields.String(
        required=True, allow_none=True, metadata={"description": "That of its heading, if any."}
    )


class EpicSchema(StoryFiguresSchema):
    """An epic. Archived stories count nowhere."""

    id = fields.String(
        required=True, metadata={"description": 'As it is written, such as "2" or "AP-4".'}
    )
    title = fields.String(
        required=True, metadata={"description": '"Epic 2" where nothing names it.'}
    )
    source = source_field()
    tree = tree_field()
    status = perhaps_status_field("What documents or the tracker say; null if they say nothing.")
    status_evidence: fields.List[Any] = evidence_field()
    documents: fields.List[Any] = fields.List(
        fields.Nested(EpicDocumentSchema),
        required=True,
        metadata={"description": "Where documents describe or list it."},
    )
    requirements = texts_field("Those that it covers, where a document says so.")


EXAMPLE_EPIC: Final[dict[str, Any]] = {
    "id": "2",
    "title": "Refunds",
    "source": EXAMPLE_SOURCE_NAMED,
    "tree": "",
    "status": "in_progress",
    "status_evidence": [
        {
            "source": "sprint_status",
            "status": "in_progress",
            "word": "in-progress",
            "path": "docs/sprint-status.yaml",
            "document_id": EXAMPLE_DOCUMENT_ID,
            "line": 38,
            "decides": True,
        }
    ],
    "documents": [
        {
            "path": "docs/epics.md",
            "document_id": EXAMPLE_DOCUMENT_ID,
            "line": 57,
            "anchor": "epic-2-refunds",
        }
    ],
    "requirements": ["FR7", "FR8"],
    **EXAMPLE_FIGURES,
}
