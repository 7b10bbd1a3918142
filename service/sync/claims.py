"""Claims on runs: which worker may work on a run, and until when.

A claim is a lease that its worker renews; when the worker is killed, the lease expires and another
worker, which has watched it, claims the run. `claim_id` is a fencing token: a worker that lost its
claim can no longer write.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from service.sync.advisory_locks import project_lock, source_lock
from service.sync.queue import is_due
from service.sync.slots import NONE_FULL

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime
    from uuid import UUID

    from service.database.database import Connection, Database, Queries, Row
    from service.sync.slots import FullSlots

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

# If a worker freezes or loses its connection while it writes, PostgreSQL ends the transaction, as
# it ends every one of the service that is idle for 10 s.
# PostgreSQL 17 and newer have transaction_timeout, which also limits a transaction of many short
# statements.
HOLD_LIMITS: Final = {
    "statement_timeout": "10s",
    "transaction_timeout": "300s",
}


# The host and port in the URL of a source.
HOST: Final[LiteralString] = "substring(project_doc.github_url from '://([^/]*)')"


class Claim(NamedTuple):
    """A worker's lease on a run, with `claim_id` as its fencing token."""

    run_id: UUID
    claim_id: UUID
    source_id: UUID
    # The claims of the run up to this one, without those that were released at a stop.
    attempts: int
    # Of the source: whose slots the run takes.
    project_id: UUID
    host: str


class ClaimLostError(Exception):
    """Another worker has claimed the run, or the run was deleted with its source."""


class SeenClaim(NamedTuple):
    """A claim of any worker, and until when its last renewal was meant to last."""

    claim_id: UUID
    claimed_until: datetime | None


class ClaimWatch:
    """All claims as this worker sees them, and which of them have expired.

    A claim has expired if it stays the same for CLAIM_SECONDS of this process's own clock. The
    database's clock is not used: it may be set back, or forward.
    """

    def __init__(self) -> None:
        # The time.monotonic() at which each claim was first seen as it is.
        self._seen: dict[SeenClaim, float] = {}

    async def find_expired(self, database: Database) -> list[SeenClaim]:
        """Return the claims that have expired."""
        asked_at = time.monotonic()
        rows = await database.fetch(
            """
            select claim_id, claimed_until
            from sync_run
            where finished_at is null and status = 'running' and claim_id is not null
            """
        )
        answered_at = time.monotonic()
        claims = [SeenClaim(*row) for row in rows]
        self._seen = {claim: self._seen.get(claim, answered_at) for claim in claims}
        return [claim for claim in claims if asked_at - self._seen[claim] >= CLAIM_SECONDS]


async def claim_run(
    database: Database,
    expired: Collection[SeenClaim] = (),
    full: FullSlots = NONE_FULL,
    served: Iterable[UUID] = (),
) -> Claim | None:
    """Claim the next run that may be claimed; return None if there is no such run.

    That is a queued one whose source has no running one, or a running one whose claim has expired
    or was given back. First come the runs of the project with the fewest running ones, then of the
    one that is not in `served` or comes first there, then the oldest. Runs of `full` hosts and
    projects are left to others. The caller has to fail a run with more than MAX_ATTEMPTS attempts
    instead of starting it.
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
        from project_doc
        where project_doc.id = sync_run.project_doc_id and sync_run.id = (
            select waiting.id
            from sync_run as waiting
            join project_doc on project_doc.id = waiting.project_doc_id
            left join (
                select project_id, count(*) as runs
                from sync_run
                join project_doc on project_doc.id = project_doc_id
                where finished_at is null and status = 'running'
                group by project_id
            ) as busy on busy.project_id = project_doc.project_id
            left join unnest($6::uuid[]) with ordinality as served (project_id, place)
                on served.project_id = project_doc.project_id
            where finished_at is null
                and case when status = 'queued' then {is_due("waiting")}
                    and not exists (
                        select
                        from sync_run as running
                        where running.project_doc_id = waiting.project_doc_id
                            and running.finished_at is null and running.status = 'running'
                    )
                else (
                    claim_id is null
                    or (claim_id, claimed_until) in (
                        select * from unnest($2::uuid[], $3::timestamptz[])
                    )
                -- Not while its worker writes documents, even if that cannot renew its claim.
                ) and pg_try_advisory_xact_lock_shared({source_lock("waiting.project_doc_id")})
                end
                and {HOST} <> all($4::text[])
                and project_doc.project_id <> all($5::uuid[])
            order by coalesce(busy.runs, 0), served.place nulls first, waiting.number
            limit 1
            for update of waiting skip locked
        )
        returning sync_run.id, claim_id, project_doc_id, attempts, project_id, {HOST}
        """,
        CLAIM_SECONDS,
        [claim.claim_id for claim in expired],
        [claim.claimed_until for claim in expired],
        list(full.hosts),
        list(full.projects),
        list(served),
    )
    return Claim(*row) if row else None


async def renew_claim(
    queries: Queries, claim: Claim, files_total: int | None, files_done: int
) -> None:
    """Extend the claim by CLAIM_SECONDS from now, and store the progress; raises ClaimLostError.

    A run that has ended has no claim any more, and needs none: its process tells how it ended.
    """
    is_renewed = await queries.fetch_value(
        """
        update sync_run
        set claimed_until = now() + $3 * interval '1 second',
            files_total = $4,
            files_done = $5
        where id = $1 and claim_id = $2 and finished_at is null
        returning true
        """,
        claim.run_id,
        claim.claim_id,
        CLAIM_SECONDS,
        files_total,
        files_done,
    )
    if is_renewed:
        return
    # A statement of its own, which sees an end that was committed while the first one waited for
    # the lock of the run's row.
    has_ended = await queries.fetch_value(
        "select exists (select from sync_run where id = $1 and finished_at is not null)",
        claim.run_id,
    )
    if not has_ended:
        raise ClaimLostError


async def release_run(database: Database, claim: Claim, *, is_attempt: bool) -> None:
    """Give a claimed run back, so that any worker may claim it, unless the claim is lost.

    The run returns to the queue, unless another one of its source is queued there. The claim counts
    as one of MAX_ATTEMPTS if `is_attempt`.
    """
    await database.execute(
        """
        update sync_run
        set status = case
                when exists (
                    select
                    from sync_run as queued
                    where queued.project_doc_id = sync_run.project_doc_id
                        and queued.status = 'queued'
                ) then status
                else 'queued'
            end,
            claim_id = null, claimed_until = null,
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

    Returns the source's github_url, branch, github_folder_path and reader_version. Requests that
    change the source wait from here on, so this comes after the documents have been written.
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
        select github_url, branch, github_folder_path, reader_version
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
