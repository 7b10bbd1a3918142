"""The queue of runs: rows of `sync_run`, which workers claim for a few seconds at a time.

The rows are both the queue and what the API shows, so there is no second system to install, watch
or keep in step. A claim is a lease that its worker renews; when the worker is killed, the
lease expires and another worker claims the run. `claim_id` is a fencing token: a worker that lost
its claim can no longer write.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

import asyncpg

from service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database import Connection, Database, Queries, Row

# A claim expires after CLAIM_SECONDS unless its worker renews it, every RENEW_SECONDS.
CLAIM_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0

# The most claims of one run: a run that crashes its worker must not crash every other worker.
MAX_ATTEMPTS: Final = 3

# The runs kept of each source; older finished ones are deleted.
RUNS_KEPT: Final = 100

# The most skipped files that a run's row lists; the row also has their number.
SKIPPED_FILES_KEPT: Final = 1000

MISSING_SOURCE: Final = "There is no such project doc."

INTERRUPTED: Final = f"The service was stopped {MAX_ATTEMPTS} times while this ran."
DATABASE_AWAY: Final = (
    f"The database was away or too slow {MAX_ATTEMPTS} times while this ran; try later."
)

# The transaction that ends a run locks the run's row, so that no other worker can claim the run. If
# the worker freezes or loses its connection meanwhile, PostgreSQL ends the transaction. PostgreSQL
# 17 and newer have transaction_timeout, which also limits a transaction of many short statements.
HOLD_LIMITS: Final = {
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "transaction_timeout": "300s",
}


class Claim(NamedTuple):
    """A worker's lease on a run, with `claim_id` as its fencing token."""

    run_id: UUID
    claim_id: UUID
    source_id: UUID
    # The claims of the run up to this one, without those that were released at a stop.
    attempts: int


class ClaimLostError(Exception):
    """Another worker has claimed the run, or the run was deleted with its source."""


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
    """The numbers of documents that a run added, changed, left unchanged and removed."""

    added: int
    changed: int
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


async def claim_run(database: Database) -> Claim | None:
    """Claim the oldest run that has no valid claim; return None if there is no such run.

    The caller has to fail a run with more than MAX_ATTEMPTS attempts instead of starting it.
    """
    row = await database.fetch_row(
        """
        update sync_run
        set status = 'running',
            claim_id = gen_random_uuid(),
            claimed_until = now() + $1 * interval '1 second',
            attempts = attempts + 1,
            started_at = now(),
            files_total = null,
            files_done = 0
        where id = (
            select id
            from sync_run
            where finished_at is null
                and (claimed_until is null or claimed_until < now())
            order by created_at
            limit 1
            for update skip locked
        )
        returning id, claim_id, project_doc_id, attempts
        """,
        CLAIM_SECONDS,
    )
    return Claim(*row) if row else None


async def renew_claim(
    queries: Queries, claim: Claim, files_total: int | None, files_done: int
) -> None:
    """Extend the claim by CLAIM_SECONDS from now, and store the progress; raises ClaimLostError."""
    status = await queries.execute(
        """
        update sync_run
        set claimed_until = now() + $3 * interval '1 second',
            files_total = $4,
            files_done = $5
        where id = $1 and claim_id = $2 and finished_at is null
        """,
        claim.run_id,
        claim.claim_id,
        CLAIM_SECONDS,
        files_total,
        files_done,
    )
    if status != "UPDATE 1":
        raise ClaimLostError


async def release_run(database: Database, claim: Claim, *, is_attempt: bool) -> None:
    """Put a claimed run back into the queue, unless the claim is lost.

    The claim counts as one of MAX_ATTEMPTS if `is_attempt`.
    """
    await database.execute(
        """
        update sync_run
        set status = 'queued', claim_id = null, claimed_until = null,
            attempts = attempts - case when $3 then 0 else 1 end
        where id = $1 and claim_id = $2 and finished_at is null
        """,
        claim.run_id,
        claim.claim_id,
        is_attempt,
    )


async def hold_claim(transaction: Connection, claim: Claim) -> Row:
    """Lock a claimed run and its source until the transaction ends; raises ClaimLostError.

    Returns the source's github_url, branch and github_folder_path.
    """
    await transaction.execute(
        """
        select set_config(name, value, true)
        from unnest($1::text[], $2::text[]) as wanted (name, value)
        join pg_settings using (name)
        """,
        list(HOLD_LIMITS),
        list(HOLD_LIMITS.values()),
    )
    # The source first, in the order of a deletion of the source, so that the two cannot deadlock.
    source = await transaction.fetch_row(
        """
        select github_url, branch, github_folder_path
        from project_doc
        where id = $1
        for no key update
        """,
        claim.source_id,
    )
    held = await transaction.fetch_value(
        "select id from sync_run where id = $1 and claim_id = $2 for update",
        claim.run_id,
        claim.claim_id,
    )
    if source is None or held is None:
        raise ClaimLostError
    return source


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
            added = $2, changed = $3, unchanged = $4, removed = $5,
            files_total = $2::bigint + $3::bigint + $4::bigint,
            files_done = $2::bigint + $3::bigint + $4::bigint,
            skipped = $6, skipped_files = $7::text::jsonb, bytes = $8, commit_id = $9
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
