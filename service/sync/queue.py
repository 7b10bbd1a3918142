"""The queue of runs: how a run is requested, and how its end is recorded.

The rows of `sync_run` are both the queue and what the API shows, so there is no second system to
install, watch or keep in step. `claims` says which worker may work on a run.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

import asyncpg

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database import Connection, Database, Queries
    from service.sync.claims import Claim

# The runs kept of each source; older finished ones are deleted.
RUNS_KEPT: Final = 100

# The most skipped files that a run's row lists; the row also has their number.
SKIPPED_FILES_KEPT: Final = 1000

MISSING_SOURCE: Final = "There is no such project doc."


class SkippedFile(NamedTuple):
    """A file that is not stored, and the reason.

    `blob_id` is None unless the content is the reason. A later run skips the same content for the
    same reason without reading it.
    """

    path: str
    reason: str
    blob_id: str | None


class SkippedFiles(NamedTuple):
    """The files that a run skipped, or the first SKIPPED_FILES_KEPT of them, and their number."""

    files: Sequence[SkippedFile]
    total: int

    def reasons(self) -> dict[str, str]:
        """Return the reason of each content that was skipped, by git's id of the content."""
        return {file.blob_id: file.reason for file in self.files if file.blob_id}


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


async def request_sync(queries: Queries, source_id: UUID, *, after_push: bool = False) -> UUID:
    """Return the id of the source's unfinished run; queue a run if there is none.

    With `after_push`, another run follows an unfinished one that has started: it may have read the
    repository before the push. Raises the Problem `not_found` where the source does not exist.
    """
    while True:
        if after_push:
            run_id = await queries.fetch_value(
                """
                update sync_run
                set is_wanted_again = started_at is not null
                where project_doc_id = $1 and finished_at is null
                returning id
                """,
                source_id,
            )
        else:
            run_id = await queries.fetch_value(
                "select id from sync_run where project_doc_id = $1 and finished_at is null",
                source_id,
            )
        if run_id is not None:
            return run_id
        try:
            run_id = await queries.fetch_value(
                """
                insert into sync_run (project_doc_id)
                values ($1)
                on conflict (project_doc_id) where finished_at is null do nothing
                returning id
                """,
                source_id,
            )
        except asyncpg.ForeignKeyViolationError as error:
            if error.constraint_name == "sync_run_has_project_doc":
                raise Problem("not_found", MISSING_SOURCE) from None
            raise
        if run_id is not None:
            return run_id


async def request_due_syncs(database: Database, every_minutes: float) -> None:
    """Queue a run of each source without an unfinished run or one of the last `every_minutes`."""
    await database.execute(
        """
        insert into sync_run (project_doc_id)
        select id
        from project_doc
        where not exists (
            select 1
            from sync_run
            where project_doc_id = project_doc.id
                and (finished_at is null or created_at > now() - $1 * interval '1 minute')
        )
        -- In one order, so that two workers that do this at once cannot deadlock.
        order by id
        -- Not waiting for sources that are being deleted: they need no run.
        for key share skip locked
        on conflict (project_doc_id) where finished_at is null do nothing
        """,
        every_minutes,
    )


async def complete_run(
    transaction: Connection,
    claim: Claim,
    *,
    counts: Counts,
    skipped: SkippedFiles,
    fetched_bytes: int,
    commit_id: str | None,
) -> None:
    """Record the results of a run, in the transaction that holds the claim and wrote documents."""
    # clock_timestamp(), since now() is the transaction's start, before the documents were written.
    kept = [file._asdict() for file in skipped.files[:SKIPPED_FILES_KEPT]]
    await _end_run(
        transaction,
        claim,
        """
        update sync_run
        set status = 'completed', finished_at = clock_timestamp(), error = null, claim_id = null,
            added = $2, changed = $3, moved = $4, unchanged = $5, removed = $6,
            files_total = $2::bigint + $3::bigint + $4::bigint + $5::bigint,
            files_done = $2::bigint + $3::bigint + $4::bigint + $5::bigint,
            skipped = $7, skipped_files = $8::text::jsonb, bytes = $9, commit_id = $10
        where id = $1
        returning is_wanted_again
        """,
        *counts,
        skipped.total,
        json.dumps(kept),
        fetched_bytes,
        commit_id,
    )


async def fail_run(transaction: Connection, claim: Claim, error: str, fetched_bytes: int) -> None:
    """Record why a run failed, in a transaction that holds the claim."""
    await _end_run(
        transaction,
        claim,
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
    transaction: Connection, claim: Claim, update: LiteralString, *arguments: object
) -> None:
    is_wanted_again = await transaction.fetch_value(update, claim.run_id, *arguments)
    if is_wanted_again:
        await transaction.execute(
            "insert into sync_run (project_doc_id) values ($1)", claim.source_id
        )
    await transaction.execute(
        """
        delete from sync_run
        where project_doc_id = $1 and finished_at is not null and created_at < (
            select min(created_at)
            from (
                select created_at
                from sync_run
                where project_doc_id = $1
                order by created_at desc
                limit $2
            ) as kept
        )
        -- The next run reads the list of skipped files from the last completed one.
        and id is distinct from (
            select id
            from sync_run
            where project_doc_id = $1 and status = 'completed'
            order by created_at desc, id desc
            limit 1
        )
        """,
        claim.source_id,
        RUNS_KEPT,
    )


async def read_skipped_files(queries: Queries, source_id: UUID) -> SkippedFiles:
    """Return the files that the last completed run of a source skipped."""
    row = await queries.fetch_row(
        """
        select skipped_files::text as files, skipped
        from sync_run
        where project_doc_id = $1 and status = 'completed'
        order by created_at desc, id desc
        limit 1
        """,
        source_id,
    )
    if row is None:
        return SkippedFiles([], 0)
    return SkippedFiles([SkippedFile(**file) for file in json.loads(row["files"])], row["skipped"])
