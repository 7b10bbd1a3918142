"""The JSON of stories."""

from __future__ import annotations

from typing import Any, Final, get_args

from marshmallow import fields, validate

from service.bmad.readings import WorkKind
from service.schemas.example_ids import EXAMPLE_DOCUMENT_ID
from service.schemas.work import (
    EXAMPLE_SOURCE_NAMED,
    count_field,
    document_id_field,
    evidence_field,
    path_field,
    perhaps_status_field,
    source_field,
    status_field,
    texts_field,
    tree_field,
)
from service.web.bodies import ExactSchema


def _perhaps(description: str) -> fields.String:
    return fields.String(required=True, allow_none=True, metadata={"description": description})


class GateDocumentSchema(ExactSchema):
    """The place of a gate."""

    path = fields.String(required=True, metadata={"description": "From the repository's root."})
    document_id = document_id_field()
    line = count_field("From 1.")


class GateSchema(ExactSchema):
    """The gate of a story, as QA decided."""

    decision = _perhaps("PASS, CONCERNS, FAIL or WAIVED; null where it cannot be read.")
    score = fields.Integer(
        required=True, strict=True, allow_none=True, metadata={"description": "0 to 100."}
    )
    reviewer = _perhaps("As it is written.")
    updated = _perhaps("As it is written.")
    expires = _perhaps("As it is written.")
    document = fields.Nested(
        GateDocumentSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null if an older version of the service read it last."},
    )


class AwaitedStorySchema(ExactSchema):
    """Something that a story waits for."""

    id = fields.String(
        required=True,
        metadata={"description": "Of the story or the whole epic; if it is neither, as written."},
    )
    title = fields.String(required=True, metadata={"description": '"" where there is none.'})
    status = perhaps_status_field("Null for an epic, and for what is not there.")
    path = path_field("Of its file, from the repository's root; null for an epic.")
    document_id = document_id_field()


class StorySchema(ExactSchema):
    """A story, a spike or a bug."""

    path = path_field()
    document_id = document_id_field()
    source = source_field()
    tree = tree_field()
    anchor = _perhaps("That of its heading, where it has one.")
    id = fields.String(
        required=True, metadata={"description": 'The whole id, such as "2.10"; "" without one.'}
    )
    epic = _perhaps(
        "The id's first part. With `source` and `tree` it names the epic, whose `id` may have "
        "another case, or zeros before a number. Null without an epic."
    )
    story = _perhaps("The id's second part; null without one.")
    title = fields.String(
        required=True,
        metadata={"description": "Of its file, else of its epic's document or a tracker."},
    )
    status = status_field()
    status_evidence: fields.List[Any] = evidence_field()
    is_built = fields.Boolean(
        required=True,
        metadata={
            "description": "Whether it is in review since its status is “built”: finished, but "
            "nobody has called it done."
        },
    )
    kind = fields.String(
        required=True,
        validate=validate.OneOf(get_args(WorkKind)),
        metadata={"description": "What its file or its entry calls it; else a story."},
    )
    as_a = _perhaps("The role of the story's sentence.")
    i_want = _perhaps("What that role wants.")
    so_that = _perhaps("And why.")
    acceptance_criteria_total = count_field("Of the plan, or of the file where it has none.")
    acceptance_criteria_done = fields.Integer(
        required=True,
        strict=True,
        allow_none=True,
        metadata={"description": "Null where no criterion has a box."},
    )
    acceptance_criteria_items_total = count_field("Boxes in and below criteria.")
    acceptance_criteria_items_done = count_field("Those of them that are ticked.")
    tasks_total = count_field("Without findings of reviews.")
    tasks_done = count_field("Those of them that are ticked.")
    subtasks_total = count_field("Those below tasks.")
    subtasks_done = count_field("Those of them that are ticked.")
    review_findings_open = count_field("Findings of reviews that are not ticked.")
    gate = fields.Nested(
        GateSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The newest that is not archived; null without one."},
    )
    after = texts_field("What must be done before, as it is written.")
    waits_for: fields.List[Any] = fields.List(
        fields.Nested(AwaitedStorySchema),
        required=True,
        metadata={"description": "Those of `after` that are neither done nor in review."},
    )
    is_ready = fields.Boolean(required=True, metadata={"description": "Whether it can start now."})
    archived = fields.Boolean(
        required=True, metadata={"description": "Archived stories count nowhere."}
    )
    last_changed_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "The date of the commit that last changed its file or its plan, or else "
            "its entry in a tracker; `since` where that is later, as when a tracker alone changed "
            "the status. Null if not known."
        },
    )
    since = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "When its status became what it is. Null if not known."},
    )


def _stories_field(description: str) -> fields.List[Any]:
    return fields.List(
        fields.Nested(StorySchema), required=True, metadata={"description": description}
    )


# How many stories each list would have without its limit. Not a class, as StatusCountsSchema.
NextTotalsSchema: Final = ExactSchema.from_dict(
    {
        **{
            name: count_field("Those of the list without its limit.")
            for name in ("ready", "in_progress", "blocked", "to_prepare")
        },
        "unknown": count_field(
            "Those of an unknown status, which are in none of the lists: `stories?status=unknown`."
        ),
    },
    name="NextTotalsSchema",
)


class NextSchema(ExactSchema):
    """What comes next, in build order."""

    ready = _stories_field("Stories that can start now.")
    in_progress = _stories_field("Stories under way, and in review.")
    blocked = _stories_field("Stories that are blocked, or wait for others.")
    to_prepare = _stories_field("The first drafts that wait for nothing, and are not ready.")
    totals = fields.Nested(
        NextTotalsSchema,
        required=True,
        metadata={
            "description": "Together all stories that are neither done nor cancelled nor archived."
        },
    )


EXAMPLE_STORY: Final[dict[str, Any]] = {
    "path": "docs/stories/2.10.refund-emails.md",
    "document_id": EXAMPLE_DOCUMENT_ID,
    "source": EXAMPLE_SOURCE_NAMED,
    "tree": "",
    "anchor": "story-210-refund-emails",
    "id": "2.10",
    "epic": "2",
    "story": "10",
    "title": "Refund emails",
    "status": "review",
    "status_evidence": [
        {
            "source": "file",
            "status": "review",
            "word": "Ready for Review",
            "path": "docs/stories/2.10.refund-emails.md",
            "document_id": EXAMPLE_DOCUMENT_ID,
            "line": 3,
            "decides": True,
        },
        {
            "source": "sprint_status",
            "status": "in_progress",
            "word": "in-progress",
            "path": "docs/sprint-status.yaml",
            "document_id": EXAMPLE_DOCUMENT_ID,
            "line": 41,
            "decides": False,
        },
    ],
    "is_built": False,
    "kind": "story",
    "as_a": "customer",
    "i_want": "an email about my refund",
    "so_that": "I know when to expect it",
    "acceptance_criteria_total": 3,
    "acceptance_criteria_done": None,
    "acceptance_criteria_items_total": 0,
    "acceptance_criteria_items_done": 0,
    "tasks_total": 4,
    "tasks_done": 4,
    "subtasks_total": 9,
    "subtasks_done": 8,
    "review_findings_open": 1,
    "gate": {
        "decision": "CONCERNS",
        "score": 80,
        "reviewer": "Quinn",
        "updated": "2026-11-24",
        "expires": None,
        "document": {
            "path": "docs/qa/gates/2.10-refund-emails.yml",
            "document_id": EXAMPLE_DOCUMENT_ID,
            "line": 4,
        },
    },
    "after": ["2.9"],
    "waits_for": [
        {
            "id": "2.9",
            "title": "Refund limits",
            "status": "in_progress",
            "path": "docs/stories/2.9.refund-limits.md",
            "document_id": EXAMPLE_DOCUMENT_ID,
        }
    ],
    "is_ready": False,
    "archived": False,
    "last_changed_at": None,
    "since": None,
}
EXAMPLE_NEXT: Final = {
    "ready": [],
    "in_progress": [EXAMPLE_STORY],
    "blocked": [],
    "to_prepare": [],
    "totals": {"ready": 0, "in_progress": 1, "blocked": 0, "to_prepare": 0, "unknown": 0},
}
