"""The results of runs: their counts and skipped files, and how the end of a run is recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

from service.sync.pushes import lock_pushes, settle_pushes
from service.sync.queue import is_due
from service.sync.skipped import SkippedFile, SkippedFiles

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from service.database.database import Connection, Queries
    from service.sync.claims import Claim

# The runs kept of each source; older finished ones are deleted.
RUNS_KEPT: Final = 100


class Counts(NamedTuple):
    """The numbers of documents that a run added, changed, moved, left unchanged and removed.

    A moved document is neither added nor removed; its content may have changed as well. All but
    `removed` together are the documents that there are now.
    """

    added: int
    changed: int
    moved: int
    unchanged: int
    removed: int


async def complete_run(
    transaction: Connection,
    claim: Claim,
    *,
    counts: Counts,
    skipped: SkippedFiles,
    fetched_bytes: int,
    commit_id: str | None,
    warning: str | None,
    found: Collection[str],
) -> dict[str, Any]:
    """Record the results of a run, in the transaction that holds the claim and wrote documents.

    `found` are those of the awaited pushes' commits that the branch has. Returns fields of the
    run's log line: the pushed commit that the run did not find, if there is one.
    """
    # clock_timestamp(), since now() is the transaction's start, before the documents were written.
    kept = [file._asdict() for file in skipped.files]
    return await _end_run(
        transaction,
        claim,
        found,
        """
        update sync_run
        set status = 'completed', finished_at = clock_timestamp(), error = null, claim_id = null,
            added = $2, changed = $3, moved = $4, unchanged = $5, removed = $6,
            files_total = $2::bigint + $3::bigint + $4::bigint + $5::bigint,
            files_done = $2::bigint + $3::bigint + $4::bigint + $5::bigint,
            skipped = $7, skipped_files = $8::text::jsonb, bytes = $9, commit_id = $10,
            warning = $11
        where id = $1
        returning is_wanted_again
        """,
        *counts,
        skipped.total,
        json.dumps(kept),
        fetched_bytes,
        commit_id,
        warning,
    )


async def fail_run(
    transaction: Connection, claim: Claim, error: str, fetched_bytes: int
) -> dict[str, Any]:
    """Record why a run failed, in a transaction that holds the claim.

    Returns the same fields as complete_run.
    """
    return await _end_run(
        transaction,
        claim,
        (),
        """
        update sync_run
        set status = 'failed', finished_at = clock_timestamp(), error = $2, claim_id = null,
            bytes = $3
        where id = $1
        returning is_wanted_again
        """,
        error,
        fetched_bytes,
    )


async def _end_run(
    transaction: Connection,
    claim: Claim,
    found: Collection[str],
    update: LiteralString,
    *arguments: object,
) -> dict[str, Any]:
    is_wanted_again = await transaction.fetch_value(update, claim.run_id, *arguments)
    await lock_pushes(transaction, claim.source_id)
    awaited = await settle_pushes(transaction, claim.source_id, found)
    is_followed = await transaction.fetch_value(
        f"""
        select exists (
            select from sync_run where project_doc_id = $1 and status = 'queued' and {is_due()}
        )
        """,
        claim.source_id,
    )
    fields: dict[str, Any] = {}
    # Only code before migration 0007 sets is_wanted_again: it queues no run beside a running one.
    if is_wanted_again or is_followed:
        # This run may have read the repository before the push, so it says nothing about it.
        seconds: float | None = 0.0
    elif awaited:
        seconds = awaited.seconds
        fields = {"awaited_commit": awaited.commit, "looks_again_in_seconds": seconds}
    else:
        seconds = None
    await transaction.execute(
        "update sync_run set awaited_commit_id = $2 where id = $1",
        claim.run_id,
        fields.get("awaited_commit"),
    )
    if seconds is not None:
        await transaction.execute(
            """
            insert into sync_run (project_doc_id, awaited_commit_id, created_at, not_before)
            values ($1, $2, clock_timestamp(),
                    clock_timestamp() + nullif($3, 0.0) * interval '1 second')
            -- The run of a request: it comes sooner.
            on conflict (project_doc_id) where status = 'queued' do nothing
            """,
            claim.source_id,
            awaited.commit if awaited else None,
            seconds,
        )
    await transaction.execute(
        """
        delete from sync_run
        where project_doc_id = $1 and finished_at is not null and number < (
            select min(number)
            from (
                select number
                from sync_run
                where project_doc_id = $1
                order by number desc
                limit $2
            ) as kept
        )
        -- The next run reads the list of skipped files from the last completed one.
        and id is distinct from (
            select id
            from sync_run
            where project_doc_id = $1 and status = 'completed'
            order by number desc
            limit 1
        )
        """,
        claim.source_id,
        RUNS_KEPT,
    )
    return fields


async def read_skipped_files(queries: Queries, source_id: UUID) -> SkippedFiles:
    """Return the files that the last completed run of a source skipped."""
    row = await queries.fetch_row(
        """
        select skipped_files::text as files, skipped
        from sync_run
        where project_doc_id = $1 and status = 'completed'
        order by number desc
        limit 1
        """,
        source_id,
    )
    if row is None:
        return SkippedFiles()
    files = [SkippedFile(**file) for file in json.loads(row["files"])]
    return SkippedFiles(files, row["skipped"])
