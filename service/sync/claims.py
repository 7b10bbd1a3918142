"""Claims on runs: which worker may work on a run, and until when.

A claim is a lease that its worker renews; when the worker is killed, the lease expires and another
worker claims the run. `claim_id` is a fencing token: a worker that lost its claim can no longer
write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.sync.advisory_locks import project_lock, source_lock

if TYPE_CHECKING:
    from uuid import UUID

    from service.database import Connection, Database, Queries, Row

# A claim expires after CLAIM_SECONDS unless its worker renews it, every RENEW_SECONDS.
CLAIM_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0

# The most starts of a run: one that crashes its worker must not crash every other worker.
MAX_ATTEMPTS: Final = 3

INTERRUPTED: Final = f"The service was stopped {MAX_ATTEMPTS} times while this ran."
DATABASE_FULL: Final = "The database's disk is full; try later."
DATABASE_AWAY: Final = (
    f"The database was away or too slow {MAX_ATTEMPTS} times while this ran; try later."
)

# If a worker freezes or loses its connection while it writes, PostgreSQL ends the transaction.
# PostgreSQL 17 and newer have transaction_timeout, which also limits a transaction of many short
# statements.
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


async def claim_run(database: Database) -> Claim | None:
    """Claim the oldest due run that has no valid claim; return None if there is no such run.

    The caller has to fail a run with more than MAX_ATTEMPTS attempts instead of starting it.
    """
    row = await database.fetch_row(
        f"""
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
                -- Not while its worker writes documents, even if that cannot renew its claim.
                and (status <> 'running' or (
                    select pg_try_advisory_xact_lock_shared({source_lock("project_doc_id")})
                ))
                and (not_before is null or not_before <= now())
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


async def begin_write(transaction: Connection, claim: Claim) -> None:
    """Begin to write a run's documents in a transaction; raises ClaimLostError.

    Locks no row: requests that change the source, or queue a run of it, do not wait for the write.
    Advisory locks keep two writers of one source apart, such as a worker that was frozen and the
    one that claimed its run, and tell a deletion that documents are being written.
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
    await transaction.execute(
        f"""
        select pg_advisory_xact_lock_shared({project_lock("project_id")}),
               pg_advisory_xact_lock({source_lock("id")})
        from project_doc
        where id = $1
        """,
        claim.source_id,
    )
    # A statement of its own, which sees what was committed while the locks were waited for.
    is_valid = await transaction.fetch_value(
        """
        select exists (select from sync_run where id = $1 and claim_id = $2)
            and exists (select from project_doc where id = $3)
        """,
        claim.run_id,
        claim.claim_id,
        claim.source_id,
    )
    if not is_valid:
        raise ClaimLostError


async def hold_claim(transaction: Connection, claim: Claim) -> Row:
    """Lock a claimed run and its source until the transaction ends; raises ClaimLostError.

    Returns the source's github_url, branch and github_folder_path. Requests that change the source
    wait from here on, so this comes after the documents have been written.
    """
    # In the order of a deletion, so that the two cannot deadlock: the project, the source, the run.
    # The project because PostgreSQL checks that it is there when a row of project_doc is updated
    # twice in a transaction, as it is here and by the trigger of changed_source.
    await transaction.execute(
        """
        select from project
        where id = (select project_id from project_doc where id = $1)
        for key share
        """,
        claim.source_id,
    )
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
