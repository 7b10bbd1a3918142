"""The JSON of what was read of a story's document: StoryReading in service/bmad/readings.py."""

from __future__ import annotations

from typing import Any, Final, get_args

from marshmallow import fields, validate

from service.bmad.readings import Place, WorkKind
from service.schemas.work import count_field, status_field, texts_field
from service.web.bodies import ExactSchema

FROM_1: Final = "From 1."


def _text(description: str = "As it is written.") -> fields.String:
    return fields.String(required=True, metadata={"description": description})


def _perhaps(description: str = "As it is written.") -> fields.String:
    return fields.String(required=True, allow_none=True, metadata={"description": description})


def _notes() -> fields.List[Any]:
    return texts_field("Sentences about what could not be read.")


class StatusWordSchema(ExactSchema):
    """A status that the document says."""

    status = status_field()
    word = _text()
    line = count_field(FROM_1)
    place = fields.String(
        required=True,
        validate=validate.OneOf(get_args(Place)),
        metadata={
            "description": "Where it stands. `text`, the document's body, is the source `file` in "
            "the evidence of a status; the other words are the same there."
        },
    )


class ReviewFindingSchema(ExactSchema):
    """A finding of a review, which is no task."""

    text = _text()
    action = _text("Such as Patch, Decision or Defer; empty without one.")
    is_open = fields.Boolean(required=True)
    line = count_field(FROM_1)


class GateIssueSchema(ExactSchema):
    """An issue of a gate."""

    id = _text()
    severity = _text()
    finding = _text()


class GateReadingSchema(ExactSchema):
    """What the story's own review says of its gate."""

    decision = _perhaps("PASS, CONCERNS, FAIL or WAIVED; null where it cannot be read.")
    word = _text("The decision as it is written.")
    line = count_field(FROM_1)
    story = _perhaps("The story that the text names.")
    story_in_name = _perhaps("The story that the file's name names.")
    score = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "0 to 100."}
    )
    reviewer = _perhaps()
    updated = _perhaps()
    expires = _perhaps()
    issues: fields.List[Any] = fields.List(fields.Nested(GateIssueSchema), required=True)
    waiver_reason = _perhaps()
    is_waiver_active = fields.Boolean(required=True)
    other_word = _perhaps("Another decision that the text says.")
    notes = _notes()


class StoryMetadataSchema(ExactSchema):
    """What a story's document itself says, with lines, before it is joined with others."""

    id = _text("The whole id, as it is written; empty without one.")
    epic = _perhaps("The first part of the id.")
    story = _perhaps("The second part of the id.")
    title = fields.String(required=True)
    anchor = _perhaps("Of the title's heading.")
    line = count_field("Of the title, from 1.")
    kind = fields.String(required=True, validate=validate.OneOf(get_args(WorkKind)))
    statuses: fields.List[Any] = fields.List(
        fields.Nested(StatusWordSchema),
        required=True,
        metadata={"description": "All that the document says; the first one decides."},
    )
    as_a = _perhaps()
    i_want = _perhaps()
    so_that = _perhaps()
    after = texts_field("What must be done before.")
    after_stories = texts_field(
        "Those of `after` that are surely stories: a number alone may be a version."
    )
    covers = texts_field("Names of requirements.")
    ticket = _perhaps("The id of the version 7 entry that the front matter names.")
    gate = fields.Nested(
        GateReadingSchema, metadata={"description": "Where the document has a review's gate."}
    )
    acceptance_criteria_total = count_field()
    acceptance_criteria_done = fields.Integer(
        required=True,
        strict=True,
        allow_none=True,
        metadata={"description": "Null where no criterion can be ticked."},
    )
    acceptance_criteria_items_total = count_field()
    acceptance_criteria_items_done = count_field()
    tasks_total = count_field()
    tasks_done = count_field()
    subtasks_total = count_field()
    subtasks_done = count_field()
    review_findings: fields.List[Any] = fields.List(
        fields.Nested(ReviewFindingSchema), required=True
    )
    notes = _notes()
