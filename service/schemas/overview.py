"""The JSON of all projects at a glance."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.schemas.example_ids import EXAMPLE_PROJECT_ID
from service.schemas.problems import SeverityCountsSchema
from service.schemas.work import (
    EXAMPLE_FIGURES,
    EXAMPLE_SOURCE_NAMED,
    SourceSchema,
    StoryFiguresSchema,
    count_field,
)
from service.web.bodies import ExactSchema


class LastSyncSchema(ExactSchema):
    """The latest run that ended."""

    at = fields.DateTime(required=True, metadata={"description": "When it ended."})
    status = fields.String(required=True, validate=validate.OneOf(["completed", "failed"]))
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the sync failed."}
    )


class SyncedSourceSchema(SourceSchema):
    """A source, and whether its last sync failed."""

    last_sync = fields.Nested(
        LastSyncSchema,
        required=True,
        allow_none=True,
        metadata={"description": "Null before the first one ended."},
    )


class ProjectOverviewSchema(StoryFiguresSchema):
    """A project at a glance. Archived stories count nowhere."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    documents = count_field("Of the last completed sync of each source.")
    problems = fields.Nested(
        SeverityCountsSchema,
        required=True,
        metadata={"description": "How many there are today, by severity."},
    )
    sparkline: fields.List[Any] = fields.List(
        fields.Integer(strict=True),
        required=True,
        metadata={
            "description": "How many stories were done at the end of each of the last 30 days, in "
            "UTC, today included; from git's history. Empty where no story has one, as with "
            "SYNC_HISTORY_COMMITS=0."
        },
    )
    last_sync = fields.Nested(
        LastSyncSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The latest of its sources'; null before the first one ended."},
    )
    sources: fields.List[Any] = fields.List(
        fields.Nested(SyncedSourceSchema),
        required=True,
        metadata={"description": "The first 100 of them, oldest first."},
    )
    sources_total = count_field("All of them.")
    sources_failed = count_field("Those whose last sync failed.")


EXAMPLE_LAST_SYNC: Final = {
    "at": "2026-11-25T03:01:00.123456+00:00",
    "status": "completed",
    "error": None,
}
EXAMPLE_OVERVIEW: Final = {
    "id": EXAMPLE_PROJECT_ID,
    "name": "Payments",
    "documents": 41,
    **EXAMPLE_FIGURES,
    "problems": {"error": 0, "warning": 2, "info": 1},
    "sparkline": [*[0] * 20, *[1] * 8, 2, 2],
    "last_sync": EXAMPLE_LAST_SYNC,
    "sources": [{**EXAMPLE_SOURCE_NAMED, "last_sync": EXAMPLE_LAST_SYNC}],
    "sources_total": 1,
    "sources_failed": 0,
}
