"""The JSON of sources, which the API calls project docs."""

from __future__ import annotations

from typing import Final

from marshmallow import fields

from service.git.names import BRANCH_MAX, FOLDER_MAX, URL_MAX
from service.schemas.example_ids import EXAMPLE_PROJECT_ID, EXAMPLE_RUN_ID, EXAMPLE_SOURCE_ID
from service.schemas.syncs import run_status_field
from service.web.bodies import ExactSchema, InputSchema, Text


class ProjectDocInputSchema(InputSchema):
    """A source, as a client sends it."""

    name = Text(shortest=1, longest=255, is_name=True, required=True)
    description = Text(longest=2000, allow_none=True, load_default=None)
    github_url = Text(
        shortest=1,
        longest=URL_MAX,
        required=True,
        metadata={"description": "The https URL of a git repository on one of GIT_HOSTS."},
    )
    github_folder_path = Text(
        longest=FOLDER_MAX,
        allow_none=True,
        load_default=None,
        metadata={"description": "Where the documents are; null is the whole repository."},
    )
    branch = Text(
        longest=BRANCH_MAX,
        allow_none=True,
        load_default=None,
        metadata={"description": "Null is the repository's default branch."},
    )


class LastRunSchema(ExactSchema):
    """The latest run of a source."""

    id = fields.UUID(required=True, metadata={"description": "As in `syncs/{run_id}`."})
    status = run_status_field()
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the sync failed."}
    )
    warning = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "What to look at although the sync is completed."},
    )
    created_at = fields.DateTime(
        required=True, metadata={"description": "When the sync was requested."}
    )
    finished_at = fields.DateTime(required=True, allow_none=True)


class ProjectDocSchema(ExactSchema):
    """A source."""

    id = fields.UUID(required=True)
    project_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    github_url = fields.String(required=True)
    github_folder_path = fields.String(required=True, allow_none=True)
    branch = fields.String(required=True, allow_none=True)
    default_branch = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "The name of the repository's default branch at the last sync; null "
            "before the first one, and where HEAD names no branch. With a `branch`, at the first "
            "sync of this URL."
        },
    )
    last_synced_at = fields.DateTime(required=True, allow_none=True)
    last_github_commit_date = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "The date of the last commit that changed the folder. If none of the "
            "newest 50 commits did, the date of the oldest of these."
        },
    )
    last_commit = fields.String(required=True, allow_none=True)
    last_run = fields.Nested(
        LastRunSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The latest sync, finished or not; null if there was none."},
    )
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


EXAMPLE_SOURCE_INPUT: Final = {
    "name": "Planning",
    "description": "PRD, architecture and stories.",
    "github_url": "https://github.com/example/payments",
    "github_folder_path": "docs",
    "branch": None,
}
EXAMPLE_SOURCE: Final = {
    "id": EXAMPLE_SOURCE_ID,
    "project_id": EXAMPLE_PROJECT_ID,
    **EXAMPLE_SOURCE_INPUT,
    "default_branch": "main",
    "last_synced_at": "2026-11-25T03:01:00.123456+00:00",
    "last_github_commit_date": "2026-11-24T17:30:00+00:00",
    "last_commit": "3f786850e387550fdab836ed7e6dc881de23001b",
    "last_run": {
        "id": EXAMPLE_RUN_ID,
        "status": "failed",
        "error": "There is no such branch.",
        "warning": None,
        "created_at": "2026-11-26T03:00:59.5+00:00",
        "finished_at": "2026-11-26T03:01:00.123456+00:00",
    },
    "created_at": "2026-11-25T03:00:00.123456+00:00",
    "updated_at": "2026-11-25T03:00:00.123456+00:00",
}
