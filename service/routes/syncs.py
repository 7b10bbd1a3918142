"""Runs, which the API calls syncs: queue one, follow it, list those of a source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

import orjson

from service.routes.shared import (
    MISSING_RUN,
    MISSING_SOURCE,
    STARTED_RESPONSE,
    read_id,
    started_response,
)
from service.schemas.syncs import (
    EXAMPLE_RUN,
    EXAMPLE_SKIPPED,
    EXAMPLE_STATUS,
    SyncRunSchema,
    SyncRunSummarySchema,
    SyncStatusSchema,
)
from service.sync.queue import QUEUE_FULL, is_due, request_sync
from service.web.bodies import json_response
from service.web.operation import ResponseSpec, operation
from service.web.paging import (
    LIMIT_RANGE,
    PAGE_COLUMNS,
    fetch_page_or_404,
    page_response,
    page_spec,
    read_page,
)

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request

RUNS_PER_PAGE: Final = 20

COLUMNS: Final[LiteralString] = """
    id, project_doc_id, status, created_at, started_at, finished_at,
    -- Not negative where the clock was set back meanwhile.
    case when finished_at is not null
        then greatest(extract(epoch from finished_at - started_at), 0)::float8
    end as duration_seconds,
    files_total, files_done, added, changed,
    -- Null in runs that older code completed.
    case when status = 'completed' then coalesce(moved, 0) end as moved,
    unchanged, removed, skipped, bytes, commit_id, error, warning,
    not_before, awaited_commit_id
    """

# Only of one run: a list would carry those of each of its runs.
SKIPPED_FILES: Final[LiteralString] = """
    (
        select coalesce(json_agg(json_build_object(
                   'path', file ->> 'path', 'reason', file ->> 'reason')), '[]')
        from jsonb_array_elements(skipped_files) as file
    ) as skipped_files
    """

STATUS_RESPONSE: Final = ResponseSpec(
    description="The status.", schema=SyncStatusSchema, examples={"completed": EXAMPLE_STATUS}
)
RUN_RESPONSE: Final = ResponseSpec(
    description="The sync.",
    schema=SyncRunSchema,
    examples={"sync": EXAMPLE_RUN | {"skipped_files": EXAMPLE_SKIPPED}},
)


@operation(tag="syncs", responses={202: STARTED_RESPONSE}, problems={"unavailable": QUEUE_FULL})
async def sync_project_doc(request: Request) -> Response:
    """Sync a documentation source.

    Requests a sync and returns at once. If the source has a queued sync, or else a running one,
    returns that one.
    """
    source_id = read_id(request, "id")
    max_queued = request.state["settings"].sync_max_queued
    run_id = await request_sync(request.state["database"], source_id, max_queued)
    return started_response(request, source_id, run_id)


@operation(tag="syncs", responses={200: STATUS_RESPONSE})
async def get_sync_status(request: Request) -> Response:
    """Get the status of a source's latest sync."""
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select project_doc.last_synced_at, project_doc.last_github_commit_date,
               run.status, run.files_total, coalesce(run.files_done, 0) as files_done, run.error,
               run.awaited_commit_id
        from project_doc
        left join lateral (
            select status, files_total, files_done, error, awaited_commit_id
            from sync_run
            where project_doc_id = project_doc.id
                -- A run that looks later for a pushed commit has no status to tell before that.
                and (status <> 'queued' or {is_due()})
            -- The running one before the queued one, which has no progress yet.
            order by status = 'running' desc, status = 'queued' desc, number desc
            limit 1
        ) as run on true
        where project_doc.id = $1
        """,
        read_id(request, "id"),
        missing=MISSING_SOURCE,
    )
    status, message = describe_status(
        row["status"], row["files_total"], row["files_done"], row["error"]
    )
    if status in {"completed", "failed"} and row["awaited_commit_id"]:
        message += f" The repository does not show the pushed commit {row['awaited_commit_id']}."
    body = {
        "status": status,
        "message": message,
        "last_synced_at": row["last_synced_at"],
        "last_github_commit_date": row["last_github_commit_date"],
        "files_total": row["files_total"],
        "files_done": row["files_done"],
        "error": row["error"],
    }
    return json_response(orjson.dumps(body))


def describe_status(
    run_status: str | None, files_total: int | None, files_done: int, error: str | None
) -> tuple[str, str]:
    """Return the status of a source, and the message about it, from its latest run."""
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
    tag="syncs",
    responses={200: page_spec("The syncs.", SyncRunSummarySchema, {"syncs": [EXAMPLE_RUN]})},
    problems={"invalid": f"limit: {LIMIT_RANGE}"},
)
async def list_syncs(request: Request) -> Response:
    """List the syncs of a source.

    Newest first, up to `limit`, which is 20 if it is not given. The service keeps 100 of each
    source. `skipped` is the number of skipped files; a sync by its id lists them.
    """
    source_id = read_id(request, "id")
    page = read_page(request, default_limit=RUNS_PER_PAGE)
    items = await fetch_page_or_404(
        request.state["database"],
        f"""
        select {PAGE_COLUMNS}
        from (
            select number, row_to_json((
                select item from (select {COLUMNS}) as item
            ))::text as item
            from sync_run
            where project_doc_id = $4 and number < $1
            order by number desc
            limit $2::bigint + 1
        ) as page
        """,
        page,
        source_id,
        owner="project_doc",
        missing=MISSING_SOURCE,
    )
    return page_response(request, page, items)


@operation(tag="syncs", responses={200: RUN_RESPONSE})
async def get_sync(request: Request) -> Response:
    """Get a sync."""
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select row_to_json(found)::text as run
        from (
            select {COLUMNS}, {SKIPPED_FILES}
            from sync_run
            where project_doc_id = $1 and id = $2
        ) as found
        """,
        read_id(request, "id"),
        read_id(request, "run_id"),
        missing=MISSING_RUN,
    )
    return json_response(row["run"])
