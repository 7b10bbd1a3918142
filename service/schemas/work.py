"""The parts of the JSON of stories, epics and progress that several of them have."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.bmad.readings import STATUSES
from service.schemas.example_ids import EXAMPLE_SOURCE_ID
from service.web.bodies import ExactSchema

SHARE_DONE: Final = (
    "Of the stories that are not cancelled, those that are done: 0 to 1. Null without any."
)

BUILT: Final = "Those in review whose status is “built”: finished, but nobody has called them done."


def count_field(description: str | None = None) -> fields.Integer:
    """Return the field of a count, which is never null."""
    metadata = {"description": description} if description else {}
    return fields.Integer(required=True, strict=True, metadata=metadata)


def status_field() -> fields.String:
    """Return the field of a normalised status, one of STATUSES."""
    return fields.String(required=True, validate=validate.OneOf(STATUSES))


def perhaps_status_field(description: str) -> fields.String:
    """Return the field of a normalised status that may be null."""
    # Without the statuses: a generator of clients would read the null among them differently.
    return fields.String(required=True, allow_none=True, metadata={"description": description})


# How many stories have each status. Not a class, whose attributes could not be named `unknown`.
StatusCountsSchema: Final = ExactSchema.from_dict(
    {status: count_field() for status in STATUSES}, name="StatusCountsSchema"
)


class StoryFiguresSchema(ExactSchema):
    """How far some stories are. Archived stories count nowhere."""

    stories_total = count_field("Also the cancelled ones.")
    stories_by_status = fields.Nested(StatusCountsSchema, required=True)
    stories_built = count_field(BUILT)
    share_done = fields.Float(required=True, allow_none=True, metadata={"description": SHARE_DONE})


class SourceSchema(ExactSchema):
    """The source that something is in."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)


def source_field() -> fields.Nested:
    """Return the field of the source that something is in."""
    return fields.Nested(SourceSchema, required=True)


def tree_field() -> fields.String:
    """Return the field of the tree that something is in."""
    return fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The folder of the product, from the repository's root, as in a "
            'monorepo; "" is the repository itself. Numbers of epics and stories begin again in '
            "each tree. Null if an older version of the service read it last."
        },
    )


def document_id_field() -> fields.UUID:
    """Return the field of the id of the document at `path`."""
    return fields.UUID(
        required=True,
        allow_none=True,
        metadata={"description": "The document at `path`; null if there is none now."},
    )


def path_field(
    description: str = "From the repository's root; null without a file.",
) -> fields.String:
    """Return the field of a path that may be null."""
    return fields.String(required=True, allow_none=True, metadata={"description": description})


def texts_field(description: str) -> fields.List[Any]:
    """Return the field of a list of strings."""
    return fields.List(fields.String(), required=True, metadata={"description": description})


class StatusEvidenceSchema(ExactSchema):
    """What one place says of the status of a story or an epic."""

    source = fields.String(
        required=True,
        metadata={
            "description": "front_matter or file, of the document itself; plan or tracker_status, "
            "of version 7; sprint_status, tickets or gate."
        },
    )
    status = perhaps_status_field("The status that the word means; null where it means none.")
    word = fields.String(required=True, metadata={"description": "As it is written."})
    path = fields.String(required=True, metadata={"description": "From the repository's root."})
    document_id = document_id_field()
    line = count_field("From 1.")
    decides = fields.Boolean(
        required=True, metadata={"description": "Whether the status is this one."}
    )


def evidence_field() -> fields.List[Any]:
    """Return the field of all that is said of a status, that which decides first."""
    return fields.List(fields.Nested(StatusEvidenceSchema), required=True)


EXAMPLE_SOURCE_NAMED: Final = {"id": EXAMPLE_SOURCE_ID, "name": "Planning"}
EXAMPLE_FIGURES: Final = {
    "stories_total": 4,
    "stories_by_status": {
        "draft": 1,
        "approved": 0,
        "in_progress": 1,
        "review": 0,
        "done": 2,
        "blocked": 0,
        "cancelled": 0,
        "unknown": 0,
    },
    "stories_built": 0,
    "share_done": 0.5,
}
