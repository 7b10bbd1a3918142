"""What is to be synced, and by whom: rows of `sync_run`, claimed for a few seconds at a time.

A run is what the API shows and what the processes share out among them, in one table: nothing else
is to be installed, watched or kept in step. Who claims a run says so again every few seconds; a
process that is killed does not, and another takes the run over. Every claim has an id of its own,
without which nothing can be written, so that of two who take a run for theirs one is wrong and
harmless.
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

# How long a claim lasts without being renewed, and how often it is.
CLAIM_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0

# A run that takes its process with it each time must not take down one after the other for ever.
MAX_ATTEMPTS: Final = 3

# Of each source; what is older goes.
RUNS_KEPT: Final = 100

SKIPPED_FILES_KEPT: Final = 1000

MISSING_SOURCE: Final = "There is no such project doc."

INTERRUPTED: Final = f"The service was stopped {MAX_ATTEMPTS} times while this ran."
DATABASE_AWAY: Final = (
    f"The database was away or too slow {MAX_ATTEMPTS} times while this ran; try later."
)

# Who finishes a run holds its row, which keeps others from claiming it. A process that is frozen or
# cut off in the middle of that must not do so for long: PostgreSQL ends its transaction then. The
# last one is of PostgreSQL 17, and for the moments that the others leave out.
HOLD_LIMITS: Final = {
    "statement_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
    "transaction_timeout": "300s",
}


class Claim(NamedTuple):
    """A run that is this process's to do, and what it is to bring in."""

    run_id: UUID
    claim_id: UUID
    project_doc_id: UUID
    # How often the run has been claimed, this time included, and not given back undone.
    attempts: int


class ClaimLostError(Exception):
    """The run is another's now, or gone with its source."""


class SkippedFile(NamedTuple):
    """A file that is no document, and why; `blob_id` is null where its content does not matter."""

    path: str
    reason: str
    blob_id: str | None


class Skipped(NamedTuple):
    """What a run skipped: of very many files not all are known, but how many there are."""

    files: Sequence[SkippedFile]
    total: int

    def reasons(self) -> dict[str, str]:
        """Return why contents cannot be shown, by git's ids of them."""
        return {file.blob_id: file.reason for file in self.files if file.blob_id}


class Counts(NamedTuple):
    """How many documents a run added and so on."""

    added: int
    changed: int
    unchanged: int
    removed: int


async def request_sync(queries: Queries, project_doc_id: UUID, *, after_push: bool = False) -> UUID:
    """Return the id of the source's unfinished run, or of a new one that is queued for it.

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
                project_doc_id,
            )
        else:
            run_id = await queries.fetch_value(
                "select id from sync_run where project_doc_id = $1 and finished_at is null",
                project_doc_id,
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
                project_doc_id,
            )
        except asyncpg.ForeignKeyViolationError as error:
            if error.constraint_name == "sync_run_has_project_doc":
                raise Problem("not_found", MISSING_SOURCE) from None
            raise
        if run_id is not None:
            return run_id


async def request_due_syncs(database: Database, every_minutes: float) -> None:
    """Request a run of each source for which none was requested in the last minutes."""
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
        -- Two who do this at once wait for each other in one order.
        order by id
        -- One that is being deleted just now needs none, and all others would wait for its end.
        for key share skip locked
        on conflict (project_doc_id) where finished_at is null do nothing
        """,
        every_minutes,
    )


async def claim_run(database: Database) -> Claim | None:
    """Claim the run that has waited longest, if there is one that nobody has claimed.

    Also one that was claimed more than MAX_ATTEMPTS times: then it is to be given up.
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
    """Keep the run for some more seconds, and tell how far it is; raise ClaimLostError."""
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
    """Give a run back undone, for whichever process comes first.

    `is_attempt` says that it counts as one of MAX_ATTEMPTS.
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
    """Make sure, until the transaction ends, that the run is ours, and its source as it is.

    Returns where the source is: github_url, branch, github_folder_path. Raises ClaimLostError.
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
    # The source first: whoever deletes one takes the two in that order, too.
    source = await transaction.fetch_row(
        """
        select github_url, branch, github_folder_path
        from project_doc
        where id = $1
        for no key update
        """,
        claim.project_doc_id,
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
    skipped: Skipped,
    fetched_bytes: int,
    commit_id: str | None,
) -> None:
    """Note what a run did. In the transaction that holds the claim and wrote the documents."""
    # The end is not now(), which is when the transaction began: writing takes a part of the time.
    kept = [file._asdict() for file in skipped.files[:SKIPPED_FILES_KEPT]]
    await _finish(
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
    """Note why a run failed. In a transaction that holds the claim."""
    await _finish(
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


async def _finish(
    transaction: Connection, claim: Claim, update: LiteralString, *arguments: object
) -> None:
    is_wanted_again = await transaction.fetch_value(update, claim.run_id, *arguments)
    if is_wanted_again:
        await transaction.execute(
            "insert into sync_run (project_doc_id) values ($1)", claim.project_doc_id
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
        -- It knows what was skipped, and a sync that finds nothing new asks it.
        and id is distinct from (
            select id
            from sync_run
            where project_doc_id = $1 and status = 'completed'
            order by created_at desc, id desc
            limit 1
        )
        """,
        claim.project_doc_id,
        RUNS_KEPT,
    )


async def read_skipped_before(queries: Queries, project_doc_id: UUID) -> Skipped:
    """Return what the last completed run of a source skipped."""
    row = await queries.fetch_row(
        """
        select skipped_files::text as files, skipped
        from sync_run
        where project_doc_id = $1 and status = 'completed'
        order by created_at desc, id desc
        limit 1
        """,
        project_doc_id,
    )
    if row is None:
        return Skipped([], 0)
    return Skipped([SkippedFile(**file) for file in json.loads(row["files"])], row["skipped"])
