"""The JSON of what runs changed."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.schemas.example_ids import EXAMPLE_PROJECT_ID, EXAMPLE_RUN_ID
from service.schemas.work import (
    EXAMPLE_SOURCE_NAMED,
    count_field,
    perhaps_status_field,
    source_field,
)
from service.web.bodies import ExactSchema


def _from_field(description: str) -> fields.String:
    # `from` is a keyword of Python.
    return fields.String(
        required=True,
        allow_none=True,
        data_key="from",
        attribute="from",
        metadata={"description": description},
    )


class ChangedDocumentSchema(ExactSchema):
    """A document that a run changed."""

    change = fields.String(
        required=True, validate=validate.OneOf(["added", "changed", "moved", "removed"])
    )
    path = fields.String(
        required=True,
        metadata={"description": "From the repository's root; of a moved document the new one."},
    )
    from_ = _from_field("The old path of a moved document; null for the others.")


class ChangedStatusSchema(ExactSchema):
    """A story that is new, gone, or of another status than before the run."""

    id = fields.String(required=True)
    title = fields.String(required=True)
    path = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "From the repository's root; null without a file. Of a moved file the "
            "new path, of a story that is gone the old one."
        },
    )
    from_ = _from_field("The status before; null for a new story.")
    to = perhaps_status_field("The status since; null for a story that is gone.")


class ActivitySchema(ExactSchema):
    """What a run changed."""

    run_id = fields.UUID(required=True, metadata={"description": "As in `syncs/{run_id}`."})
    source = source_field()
    at = fields.DateTime(required=True, metadata={"description": "When the run ended."})
    commit_id = fields.String(required=True)
    committed_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "The commit's date."}
    )
    added = count_field("Documents.")
    changed = count_field("Documents.")
    moved = count_field("Documents.")
    removed = count_field("Documents.")
    documents: fields.List[Any] = fields.List(
        fields.Nested(ChangedDocumentSchema),
        required=True,
        metadata={"description": "The first 1,000 of these documents."},
    )
    statuses: fields.List[Any] = fields.List(
        fields.Nested(ChangedStatusSchema),
        required=True,
        metadata={
            "description": "The first 1,000 of the stories whose status changed, then of the new "
            "ones, then of those that are gone; none of a source's first run."
        },
    )


EXAMPLE_ACTIVITY: Final[dict[str, Any]] = {
    "run_id": EXAMPLE_RUN_ID,
    "source": EXAMPLE_SOURCE_NAMED,
    "at": "2026-11-25T03:01:00.123456+00:00",
    "commit_id": "3f786850e387550fdab836ed7e6dc881de23001b",
    "committed_at": "2026-11-24T17:30:00+00:00",
    "added": 0,
    "changed": 1,
    "moved": 0,
    "removed": 0,
    "documents": [
        {"change": "changed", "path": "docs/stories/2.10.refund-emails.md", "from": None}
    ],
    "statuses": [
        {
            "id": "2.10",
            "title": "Refund emails",
            "path": "docs/stories/2.10.refund-emails.md",
            "from": "in_progress",
            "to": "review",
        }
    ],
}
EXAMPLE_FEED: Final = f"""<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
<id>urn:uuid:{EXAMPLE_PROJECT_ID}</id>
<title type="text">Payments: activity</title>
<updated>2026-11-25T03:01:00Z</updated>
<author><name>Payments</name></author>
<link rel="self" type="application/atom+xml"
 href="https://hub.example/api/projects/{EXAMPLE_PROJECT_ID}/activity.atom"/>
</feed>
"""
