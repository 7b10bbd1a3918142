"""The JSON of runs, which the API calls syncs."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import fields, validate

from service.schemas.example_ids import EXAMPLE_RUN_ID, EXAMPLE_SOURCE_ID
from service.sync.skipped import SKIPPED_BYTES_KEPT, SKIPPED_FILES_KEPT
from service.web.bodies import ExactSchema


def run_status_field() -> fields.String:
    """Return the field of a run's status, whose values are those of `sync_run.status`."""
    statuses = ["queued", "running", "completed", "failed"]
    return fields.String(required=True, validate=validate.OneOf(statuses))


def _count_field(description: str | None = None) -> fields.Integer:
    metadata = {"description": description} if description else {}
    return fields.Integer(required=True, allow_none=True, strict=True, metadata=metadata)


class SyncStatusSchema(ExactSchema):
    """The status of a source's latest run."""

    status = fields.String(
        required=True, validate=validate.OneOf(["idle", "syncing", "completed", "failed"])
    )
    message = fields.String(required=True, metadata={"description": "The status, for people."})
    last_synced_at = fields.DateTime(required=True, allow_none=True)
    last_github_commit_date = fields.DateTime(required=True, allow_none=True)
    files_total = _count_field("How many documents there are; null until that is known.")
    files_done = fields.Integer(required=True, strict=True)
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the sync failed."}
    )


class SkippedFileSchema(ExactSchema):
    """A skipped file, and the reason."""

    path = fields.String(required=True)
    reason = fields.String(required=True)


class SyncRunSummarySchema(ExactSchema):
    """A run in a list. The counts are null until it is completed."""

    id = fields.UUID(required=True)
    project_doc_id = fields.UUID(required=True)
    status = run_status_field()
    created_at = fields.DateTime(
        required=True, metadata={"description": "When the sync was requested."}
    )
    started_at = fields.DateTime(required=True, allow_none=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    duration_seconds = fields.Float(required=True, allow_none=True)
    files_total = _count_field()
    files_done = fields.Integer(required=True, strict=True)
    added = _count_field()
    changed = _count_field()
    moved = _count_field(
        "Documents that kept their ids under new paths, with the same or a similar content. They "
        "are not in the other counts."
    )
    unchanged = _count_field()
    removed = _count_field()
    skipped = _count_field()
    bytes = _count_field("The bytes that git fetched.")
    commit_id = fields.String(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    warning = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "What to look at although the sync is completed, such as a host that "
            "refused the service's token."
        },
    )
    not_before = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "A sync that looks again for a pushed commit starts then."},
    )
    awaited_commit_id = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The commit that a webhook named and the sync did not find; of a queued "
            "sync, the commit that it looks for."
        },
    )


class SyncRunSchema(SyncRunSummarySchema):
    """A run, with the files that it skipped. The counts are null until it is completed."""

    skipped_files: fields.List[Any] = fields.List(
        fields.Nested(SkippedFileSchema),
        required=True,
        metadata={
            "description": f"The first {SKIPPED_FILES_KEPT:,} of them, or fewer if the list would "
            f"have more than {SKIPPED_BYTES_KEPT // 1000} kB."
        },
    )


class SyncStartedSchema(ExactSchema):
    """The response to a request for a run."""

    message = fields.String(required=True)
    project_doc_id = fields.UUID(required=True)
    run_id = fields.UUID(
        required=True, metadata={"description": "The run's, which is in `Location`, too."}
    )
    status = fields.String(required=True, validate=validate.Equal("processing"))


EXAMPLE_STATUS: Final = {
    "status": "completed",
    "message": "Sync completed successfully. 41 files synced.",
    "last_synced_at": "2026-11-25T03:01:00.123456+00:00",
    "last_github_commit_date": "2026-11-24T17:30:00+00:00",
    "files_total": 41,
    "files_done": 41,
    "error": None,
}
EXAMPLE_RUN: Final = {
    "id": EXAMPLE_RUN_ID,
    "project_doc_id": EXAMPLE_SOURCE_ID,
    "status": "completed",
    "created_at": "2026-11-25T03:00:59.5+00:00",
    "started_at": "2026-11-25T03:00:59.51+00:00",
    "finished_at": "2026-11-25T03:01:00.123456+00:00",
    "duration_seconds": 0.613456,
    "files_total": 41,
    "files_done": 41,
    "added": 2,
    "changed": 1,
    "moved": 0,
    "unchanged": 38,
    "removed": 0,
    "skipped": 1,
    "bytes": 48213,
    "commit_id": "3f786850e387550fdab836ed7e6dc881de23001b",
    "error": None,
    "warning": None,
    "not_before": None,
    "awaited_commit_id": None,
}
EXAMPLE_SKIPPED: Final = [{"path": "docs/latest.md", "reason": "is a symbolic link"}]
