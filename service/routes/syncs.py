"""Syncs: bringing a source's documents in, asking how far that is, and what it did before."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, Any, Final, LiteralString
from urllib.parse import parse_qs

from marshmallow import fields, validate

from service.problems import ExactSchema, Problem
from service.routes.project_docs import PROJECT_DOC_ID
from service.sync.queue import MISSING_PROJECT_DOC as MISSING
from service.sync.queue import request_sync
from service.web.bodies import parse_object
from service.web.middleware import MAX_BODY_BYTES
from service.web.openapi import (
    EXAMPLE_PROJECT_DOC_ID,
    EXAMPLE_RUN_ID,
    PAGE_HEADERS,
    PAGE_PARAMETERS,
    Answer,
    Body,
    operation,
    path_parameter,
)
from service.web.paging import json_response, page_query, page_response, read_id, read_page

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.responses import Response

    from service.state import Request

MISSING_RUN: Final = "There is no such sync of this project doc."
RUN_ID: Final = path_parameter("run_id", "The sync.", EXAMPLE_RUN_ID)
RUNS_PER_PAGE: Final = 20
SIGNATURE: Final = re.compile("sha256=[0-9a-f]{64}")

COLUMNS: Final[LiteralString] = """
    id, project_doc_id, status, created_at, started_at, finished_at,
    extract(epoch from finished_at - started_at)::float8 as duration_seconds,
    files_total, files_done, added, changed, unchanged, removed, skipped, bytes, commit_id, error,
    (
        select coalesce(json_agg(json_build_object(
                   'path', file ->> 'path', 'reason', file ->> 'reason')), '[]')
        from jsonb_array_elements(skipped_files) as file
    ) as skipped_files
    """


class SyncStartedSchema(ExactSchema):
    """A sync was asked for."""

    message = fields.String(required=True)
    project_doc_id = fields.UUID(required=True)
    status = fields.String(required=True, validate=validate.Equal("processing"))


class SyncStatusSchema(ExactSchema):
    """How the latest sync of a source stands."""

    status = fields.String(
        required=True, validate=validate.OneOf(["idle", "syncing", "completed", "failed"])
    )
    message = fields.String(required=True, metadata={"description": "The status, for people."})
    last_synced_at = fields.DateTime(required=True, allow_none=True)
    last_github_commit_date = fields.DateTime(required=True, allow_none=True)
    files_total = fields.Integer(
        required=True,
        allow_none=True,
        strict=True,
        metadata={"description": "How many documents there are; null until that is known."},
    )
    files_done = fields.Integer(required=True, strict=True)
    error = fields.String(
        required=True, allow_none=True, metadata={"description": "Why the sync failed."}
    )


class SkippedFileSchema(ExactSchema):
    """A file that is not shown, and why."""

    path = fields.String(required=True)
    reason = fields.String(required=True)


class SyncRunSchema(ExactSchema):
    """A sync. Counts are null until it is completed."""

    id = fields.UUID(required=True)
    project_doc_id = fields.UUID(required=True)
    status = fields.String(
        required=True, validate=validate.OneOf(["queued", "running", "completed", "failed"])
    )
    created_at = fields.DateTime(required=True, metadata={"description": "When it was asked for."})
    started_at = fields.DateTime(required=True, allow_none=True)
    finished_at = fields.DateTime(required=True, allow_none=True)
    duration_seconds = fields.Float(required=True, allow_none=True)
    files_total = fields.Integer(required=True, allow_none=True, strict=True)
    files_done = fields.Integer(required=True, strict=True)
    added = fields.Integer(required=True, allow_none=True, strict=True)
    changed = fields.Integer(required=True, allow_none=True, strict=True)
    unchanged = fields.Integer(required=True, allow_none=True, strict=True)
    removed = fields.Integer(required=True, allow_none=True, strict=True)
    skipped = fields.Integer(required=True, allow_none=True, strict=True)
    bytes = fields.Integer(
        required=True,
        allow_none=True,
        strict=True,
        metadata={"description": "What git fetched."},
    )
    commit_id = fields.String(required=True, allow_none=True)
    error = fields.String(required=True, allow_none=True)
    skipped_files: fields.List[Any] = fields.List(
        fields.Nested(SkippedFileSchema),
        required=True,
        metadata={"description": "The first 1,000 of them."},
    )


class PushSchema(ExactSchema):
    """What GitHub sends of a push: this much of it is looked at."""

    ref = fields.String(required=True)
    repository = fields.Dict()


EXAMPLE_STARTED: Final = {
    "message": "Sync started",
    "project_doc_id": EXAMPLE_PROJECT_DOC_ID,
    "status": "processing",
}
EXAMPLE_STATUS: Final[dict[str, Any]] = {
    "status": "completed",
    "message": "Sync completed successfully. 41 files synced.",
    "last_synced_at": "2026-11-25T03:01:00.123456+00:00",
    "last_github_commit_date": "2026-11-24T17:30:00+00:00",
    "files_total": 41,
    "files_done": 41,
    "error": None,
}
EXAMPLE_RUN: Final[dict[str, Any]] = {
    "id": EXAMPLE_RUN_ID,
    "project_doc_id": EXAMPLE_PROJECT_DOC_ID,
    "status": "completed",
    "created_at": "2026-11-25T03:00:59.5+00:00",
    "started_at": "2026-11-25T03:00:59.51+00:00",
    "finished_at": "2026-11-25T03:01:00.123456+00:00",
    "duration_seconds": 0.613456,
    "files_total": 41,
    "files_done": 41,
    "added": 2,
    "changed": 1,
    "unchanged": 38,
    "removed": 0,
    "skipped": 1,
    "bytes": 48213,
    "commit_id": "3f786850e387550fdab836ed7e6dc881de23001b",
    "error": None,
    "skipped_files": [{"path": "docs/latest.md", "reason": "is a symbolic link"}],
}
STARTED_ANSWER: Final = Answer(
    description="It was asked for, or was under way already.",
    schema=SyncStartedSchema,
    headers={"Location": "The sync."},
    examples={"started": EXAMPLE_STARTED},
)


@operation(
    operation_id="syncProjectDoc",
    tag="syncs",
    summary="Sync a documentation source",
    description=(
        "Brings in what is new in its repository. Returns at once. While a sync of the source is "
        "under way, it is that one that is told of."
    ),
    parameters=(PROJECT_DOC_ID,),
    answers={202: STARTED_ANSWER},
    problems={"invalid": "id: is not a UUID.", "not_found": MISSING},
)
async def sync_project_doc(request: Request) -> Response:
    return await _start(request, read_id(request, "id"), is_news=False)


async def _start(request: Request, project_doc_id: UUID, *, is_news: bool) -> Response:
    run_id = await request_sync(request.state["database"], project_doc_id, is_news=is_news)
    request.state["sync_worker"].wake()
    body = {
        "message": "Sync started",
        "project_doc_id": str(project_doc_id),
        "status": "processing",
    }
    return json_response(
        json.dumps(body),
        status=202,
        headers={"Location": f"/api/project-docs/{project_doc_id}/syncs/{run_id}"},
    )


@operation(
    operation_id="getSyncStatus",
    tag="syncs",
    summary="Tell how the latest sync of a source stands",
    parameters=(PROJECT_DOC_ID,),
    answers={
        200: Answer(
            description="How it stands.",
            schema=SyncStatusSchema,
            examples={"completed": EXAMPLE_STATUS},
        )
    },
    problems={"invalid": "id: is not a UUID.", "not_found": MISSING},
)
async def get_sync_status(request: Request) -> Response:
    row = await request.state["database"].fetch_row_or_404(
        """
        select project_doc.last_synced_at, project_doc.last_github_commit_date,
               run.status, run.files_total, coalesce(run.files_done, 0) as files_done, run.error
        from project_doc
        left join lateral (
            select status, files_total, files_done, error
            from sync_run
            where project_doc_id = project_doc.id
            -- The one that is not finished is the latest, whatever the clocks say.
            order by finished_at is null desc, created_at desc, id desc
            limit 1
        ) as run on true
        where project_doc.id = $1
        """,
        read_id(request, "id"),
        missing=MISSING,
    )
    status, message = describe_status(
        row["status"], row["files_total"], row["files_done"], row["error"]
    )
    synced, committed = row["last_synced_at"], row["last_github_commit_date"]
    body = {
        "status": status,
        "message": message,
        "last_synced_at": synced and synced.isoformat(),
        "last_github_commit_date": committed and committed.isoformat(),
        "files_total": row["files_total"],
        "files_done": row["files_done"],
        "error": row["error"],
    }
    return json_response(json.dumps(body))


def describe_status(
    run_status: str | None, files_total: int | None, files_done: int, error: str | None
) -> tuple[str, str]:
    """Return the status of a source and its message, by the status of its latest run."""
    match run_status:
        case None:
            return "idle", "Not synced yet."
        case "completed":
            return "completed", f"Sync completed successfully. {files_done} files synced."
        case "failed":
            return "failed", f"Sync failed. {error}"
        case _ if files_total is None:
            return "syncing", "Sync in progress."
        case _:
            return "syncing", f"Sync in progress: {files_done} of {files_total} files."


@operation(
    operation_id="listSyncs",
    tag="syncs",
    summary="List the syncs of a source",
    description="Newest first, `limit` of them, which is 20 if it is not given. 100 are kept.",
    parameters=(PROJECT_DOC_ID, *PAGE_PARAMETERS),
    answers={
        200: Answer(
            description="The syncs.",
            schema={"type": "array", "items": SyncRunSchema},
            headers=PAGE_HEADERS,
            examples={"syncs": [EXAMPLE_RUN]},
        )
    },
    problems={"invalid": "limit: must be a number from 1 to 1000.", "not_found": MISSING},
)
async def list_syncs(request: Request) -> Response:
    project_doc_id = read_id(request, "id")
    page = read_page(request, default_limit=RUNS_PER_PAGE)
    database = request.state["database"]
    row = await database.fetch_row(
        page_query(
            f"""
            select {COLUMNS}
            from sync_run
            where project_doc_id = $4
                and (created_at, id) < ($1, $2::uuid)
            order by created_at desc, id desc
            limit $3::bigint + 1
            """
        ),
        *page,
        project_doc_id,
    )
    assert row is not None
    if row["items"] == b"[]":
        await database.fetch_row_or_404(
            "select id from project_doc where id = $1", project_doc_id, missing=MISSING
        )
    return page_response(request, page, row)


@operation(
    operation_id="getSync",
    tag="syncs",
    summary="Get a sync",
    parameters=(PROJECT_DOC_ID, RUN_ID),
    answers={
        200: Answer(description="The sync.", schema=SyncRunSchema, examples={"sync": EXAMPLE_RUN})
    },
    problems={"invalid": "run_id: is not a UUID.", "not_found": MISSING_RUN},
)
async def get_sync(request: Request) -> Response:
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select row_to_json(found)::text as run
        from (
            select {COLUMNS} from sync_run where project_doc_id = $1 and id = $2
        ) as found
        """,
        read_id(request, "id"),
        read_id(request, "run_id"),
        missing=MISSING_RUN,
    )
    return json_response(row["run"])


@operation(
    operation_id="receiveWebhook",
    tag="syncs",
    summary="Take a webhook of GitHub's",
    description=(
        "A push to the source's branch syncs it at once. Needs GITHUB_WEBHOOK_SECRET, the secret "
        "that the webhook was given at GitHub; other events, and pushes to other branches, are "
        "answered with 200 and do nothing. A body may have 25 MiB here, as GitHub's do; of one of "
        "more than 1 MiB the branch is not looked at. GitHub sends JSON, or a form whose field "
        "`payload` has it: both are taken."
    ),
    parameters=(
        PROJECT_DOC_ID,
        {
            "name": "X-GitHub-Event",
            "in": "header",
            "required": True,
            "description": "Which event it is.",
            "schema": {"type": "string"},
        },
        {
            "name": "X-Hub-Signature-256",
            "in": "header",
            "required": True,
            "description": "`sha256=` and the HMAC of the body, in hexadecimal.",
            "schema": {"type": "string"},
        },
    ),
    body=Body(
        schema=PushSchema,
        examples={"push": {"ref": "refs/heads/main", "repository": {"default_branch": "main"}}},
    ),
    answers={
        200: Answer(
            description="Nothing is to be done.",
            schema={"type": "object", "properties": {"message": {"type": "string"}}},
            examples={"other": {"message": "Nothing to do for this event."}},
        ),
        202: STARTED_ANSWER,
    },
    problems={
        "invalid": "The body is not JSON.",
        "forbidden": "The signature does not fit the body.",
        "not_found": MISSING,
    },
)
async def receive_webhook(request: Request) -> Response:
    project_doc_id = read_id(request, "id")
    body = await _read_signed_body(request)
    row = await request.state["database"].fetch_row_or_404(
        "select branch from project_doc where id = $1", project_doc_id, missing=MISSING
    )
    event = request.headers.get("x-github-event", "")
    if event != "push":
        return json_response(json.dumps({"message": "Nothing to do for this event."}))
    if body is not None and not _is_push_to(row["branch"], _read_payload(request, body)):
        return json_response(json.dumps({"message": "Nothing to do for this branch."}))
    return await _start(request, project_doc_id, is_news=True)


async def _read_signed_body(request: Request) -> bytes | None:
    """Return the body; None instead of one of more than MAX_BODY_BYTES, which is only checked.

    A push of so many commits is not worth holding: syncing once too often does no harm.
    """
    # https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    secret = request.state["settings"].github_webhook_secret
    if secret is None:
        raise Problem("forbidden", "Webhooks are off: the operator has set no secret for them.")
    given = request.headers.get("x-hub-signature-256", "")
    # Whoever cannot have signed it is refused before its body is waited for.
    if SIGNATURE.fullmatch(given):
        expected = hmac.new(secret.encode(), digestmod=hashlib.sha256)
        body = bytearray()
        async for chunk in request.stream():
            expected.update(chunk)
            if len(body) <= MAX_BODY_BYTES:
                body += chunk
        if hmac.compare_digest(given, f"sha256={expected.hexdigest()}"):
            return bytes(body) if len(body) <= MAX_BODY_BYTES else None
    raise Problem("forbidden", "The signature does not fit the body.")


def _read_payload(request: Request, body: bytes) -> dict[str, Any]:
    # What GitHub sends unless it is told to send JSON.
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        payloads = parse_qs(body.decode(errors="replace")).get("payload", [""])
        body = payloads[0].encode()
    return parse_object(body)


def _is_push_to(branch: str | None, payload: dict[str, Any]) -> bool:
    """Return whether a push is to the branch, which is the default one if there is no name.

    One that deletes the branch leaves nothing to sync.
    """
    if payload.get("deleted") is True:
        return False
    if branch is None:
        match payload:
            case {"repository": {"default_branch": str(branch)}}:
                pass
            case _:
                return True  # it does not say, and syncing once too often does no harm
    return payload.get("ref") == f"refs/heads/{branch}"
