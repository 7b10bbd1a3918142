"""The JSON of a project's progress."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields

from service.schemas.activity import EXAMPLE_ACTIVITY, ActivitySchema
from service.schemas.example_ids import EXAMPLE_DOCUMENT_ID
from service.schemas.work import (
    BUILT,
    EXAMPLE_FIGURES,
    EXAMPLE_SOURCE_NAMED,
    SHARE_DONE,
    StatusCountsSchema,
    StoryFiguresSchema,
    count_field,
    document_id_field,
    path_field,
    source_field,
    tree_field,
)
from service.web.bodies import ExactSchema


class TotalsSchema(ExactSchema):
    """How far the whole project is."""

    stories = count_field("Also the cancelled ones, but not the archived ones.")
    done = count_field("Those of them that are done.")
    built = count_field(BUILT)
    share_done = fields.Float(required=True, allow_none=True, metadata={"description": SHARE_DONE})


class EpicProgressSchema(StoryFiguresSchema):
    """How far an epic is, or the stories of a source that have none."""

    id = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null for stories without an epic."},
    )
    title = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Null for stories without an epic."},
    )
    source = source_field()
    tree = tree_field()
    path = path_field(
        "Of the document that describes the epic first, from the repository's root; null without."
    )
    document_id = document_id_field()
    line = fields.Integer(
        required=True,
        strict=True,
        allow_none=True,
        metadata={"description": "Where the document names the epic, from 1; null without one."},
    )
    anchor = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Of the epic's heading in the document; null without one."},
    )


class WeekSchema(ExactSchema):
    """A week, from Monday on."""

    week = fields.Date(required=True, metadata={"description": "Its Monday."})
    done = fields.Integer(
        required=True,
        strict=True,
        metadata={
            "description": "How many more stories were done at its end than at its beginning; "
            "below 0 where more were taken up again."
        },
    )


class ProgressSchema(ExactSchema):
    """How far a project is."""

    totals = fields.Nested(TotalsSchema, required=True)
    by_status = fields.Nested(StatusCountsSchema, required=True)
    by_epic: fields.List[Any] = fields.List(
        fields.Nested(EpicProgressSchema),
        required=True,
        metadata={
            "description": "The first 1,000 epics in build order, source by source; after those of "
            "a source, for each tree its stories without an epic, if any."
        },
    )
    epics_total = count_field("All epics, also those that are not in `by_epic`.")
    velocity: fields.List[Any] = fields.List(
        fields.Nested(WeekSchema),
        required=True,
        metadata={
            "description": "The last eight weeks in UTC, the current one included, from git's "
            "history. Empty where no story has one, as with SYNC_HISTORY_COMMITS=0."
        },
    )
    last_changes = fields.Nested(
        ActivitySchema,
        required=True,
        allow_none=True,
        metadata={"description": "What the last run changed that changed something."},
    )


EXAMPLE_PROGRESS: Final = {
    "totals": {"stories": 4, "done": 2, "built": 0, "share_done": 0.5},
    "by_status": EXAMPLE_FIGURES["stories_by_status"],
    "velocity": [{"week": "2026-11-16", "done": 1}, {"week": "2026-11-23", "done": 1}],
    "by_epic": [
        {
            "id": "2",
            "title": "Refunds",
            "source": EXAMPLE_SOURCE_NAMED,
            "tree": "",
            "path": "docs/epics.md",
            "document_id": EXAMPLE_DOCUMENT_ID,
            "line": 21,
            "anchor": "epic-2-refunds",
            **EXAMPLE_FIGURES,
        }
    ],
    "epics_total": 1,
    "last_changes": EXAMPLE_ACTIVITY,
}
