"""The queue of runs: how a run is requested.

The rows of `sync_run` are both the queue and what the API shows, so there is no second system to
install, watch or keep in step. A source has one queued run at most, beside a running one. `claims`
says which worker may work on a run, and `results` how its end is recorded.

No request waits for a run. Of the database's clock only short differences are used, and a time in
the future counts as a clock that was set back.
"""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import TYPE_CHECKING, Final, LiteralString
from uuid import uuid4

import asyncpg

from service.database.database import LOCK_LIMIT
from service.database.errors import DatabaseUnavailable
from service.problems import Problem
from service.sync.pushes import lock_pushes, record_push

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Database, Queries
    from service.sync.pushes import Push

MISSING_SOURCE: Final = "There is no such project doc."
QUEUE_FULL: Final = "Too many syncs are queued already; try again later."

# A delivery is stored again after an error of these reasons, with growing pauses, and not after
# REPEAT_SECONDS. Hosts wait for a response for about 10 s.
MOMENTARY: Final = frozenset({"conflict", "locked", "read_only", "schema_changed", "unreachable"})
PAUSE_SECONDS: Final = 0.1
REPEAT_SECONDS: Final = 2.0

# How long a statement that queues periodic syncs waits for another transaction, and the time after
# which a call begins no further statement: a later call queues what is left beside stuck sources.
DUE_LOCK_LIMIT: Final[LiteralString] = "set_config('lock_timeout', '10ms', true)"
BATCH_SECONDS: Final = 1.0

# Whether a time lies within the last $1 minutes. Not if it lies in the future: after the clock was
# set back, nothing would be due until the clock has caught up.
IS_RECENT: Final[LiteralString] = """
    created_at between now() - $1 * interval '1 minute' and now() + interval '1 second'
    """


def is_due(run: LiteralString = "sync_run") -> LiteralString:
    """Return the SQL of whether a run may be claimed: `run` is the name of its row.

    A run that was created in the future was created before the clock was set back. One second is
    for transactions that have begun at the same time.
    """
    return f"""
        ({run}.not_before is null or {run}.not_before <= now()
            or {run}.created_at > now() + interval '1 second')
        """


async def request_sync_of_push(
    database: Database, source_id: UUID, push: Push, delivery_id: str | None, max_queued: int
) -> UUID | None:
    """Request a run that has to find a push; return its id, or None for a known delivery.

    Both are stored, or neither. Raises the Problems of request_sync. Tries again where the database
    could not do it for a moment: hosts such as GitHub do not send a delivery again by themselves.
    """
    delivery_id = delivery_id or str(uuid4())
    last_start = time.monotonic() + REPEAT_SECONDS
    for attempt in count():
        try:
            return await _store_push(
                database, source_id, push, delivery_id, max_queued, is_repeated=attempt > 0
            )
        except DatabaseUnavailable as error:
            pause = PAUSE_SECONDS * 2**attempt
            if error.reason not in MOMENTARY or time.monotonic() + pause > last_start:
                raise
        # Without a connection, so that deliveries that wait do not fill the pool.
        await asyncio.sleep(pause)
    raise AssertionError  # count() has no end


async def _store_push(
    database: Database,
    source_id: UUID,
    push: Push,
    delivery_id: str,
    max_queued: int,
    *,
    is_repeated: bool,
) -> UUID | None:
    async with database.transaction() as transaction:
        # The source's row first, and with the lock that the other rows need anyway, so that this
        # and a deletion of the source cannot deadlock.
        source = await transaction.fetch_value(
            f"""
            with limits as materialized (select {LOCK_LIMIT})
            select id
            from project_doc, limits
            where id = $1
            for key share of project_doc
            """,
            source_id,
        )
        if source is None:
            raise Problem("not_found", MISSING_SOURCE)
        await lock_pushes(transaction, source_id)
        # If only the response to a first commit was lost, the delivery is known, and not its run.
        if not await record_push(transaction, source_id, push, delivery_id) and not is_repeated:
            return None
        return await request_sync(transaction, source_id, max_queued, after_push=True)


async def request_sync(
    queries: Queries, source_id: UUID, max_queued: int, *, after_push: bool = False
) -> UUID:
    """Return the id of the source's queued run, or else of its running one; queue one without both.

    A queued run that waits until its `not_before` becomes due at once. With `after_push` a running
    run does not do, since it may have read the repository before the push. Raises the Problem
    `not_found` where the source does not exist, and `unavailable` where a run would have to be
    queued beside `max_queued` others.
    """
    while True:
        run_id = await queries.fetch_value(
            """
            with due as (
                update sync_run
                set not_before = null
                where id in (
                    select id
                    from sync_run
                    where project_doc_id = $1 and status = 'queued' and not_before is not null
                    -- A transaction that has locked it claims it.
                    for update skip locked
                )
            )
            select id
            from sync_run
            where project_doc_id = $1 and (status = 'queued' or (status = 'running' and not $2))
            order by status = 'queued' desc
            limit 1
            """,
            source_id,
            after_push,
        )
        if run_id is not None:
            return run_id
        try:
            row = await queries.fetch_row(
                f"""
                with place as materialized (
                    select {LOCK_LIMIT}, (
                        select count(*)
                        from (select from sync_run where status = 'queued' limit $2) as queued
                    ) < $2 as is_free
                ), created as (
                    insert into sync_run (project_doc_id)
                    select $1
                    from place
                    -- Another request's run may be running by now.
                    where is_free and ($3 or not exists (
                        select from sync_run where project_doc_id = $1 and status = 'running'
                    ))
                    on conflict (project_doc_id) where status = 'queued' do nothing
                    returning id
                )
                select is_free, (select id from created) as id,
                       exists (select from project_doc where id = $1) as has_source
                from place
                """,
                source_id,
                max_queued,
                after_push,
            )
        except asyncpg.ForeignKeyViolationError as error:
            if error.constraint_name == "sync_run_has_project_doc":
                raise Problem("not_found", MISSING_SOURCE) from None
            raise
        assert row is not None
        if row["id"] is not None:
            return row["id"]
        if not row["has_source"]:
            raise Problem("not_found", MISSING_SOURCE)
        if not row["is_free"]:
            raise Problem("unavailable", QUEUE_FULL)


async def request_due_syncs(database: Database, every_minutes: float, max_queued: int) -> None:
    """Queue a run of each source without an unfinished run or one of the last `every_minutes`.

    The sources that have waited for longest first, until `max_queued` runs are queued. A run that
    waits until its `not_before` becomes due at once. A source that another transaction holds up is
    left to a later call.
    """
    rows = await database.fetch(
        f"""
        with waiting as (
            update sync_run
            set not_before = null
            where id in (
                select id
                from sync_run as waiting_run
                where status = 'queued' and not_before is not null and not exists (
                    select
                    from sync_run
                    where project_doc_id = waiting_run.project_doc_id
                        and finished_at is not null
                        and {IS_RECENT}
                )
                for update skip locked
            )
        )
        select project_doc.id
        from project_doc
        left join lateral (
            select number, {IS_RECENT} as is_recent
            from sync_run
            where project_doc_id = project_doc.id
            order by number desc
            limit 1
        ) as latest on true
        where latest.is_recent is not true and not exists (
            select from sync_run where project_doc_id = project_doc.id and finished_at is null
        )
        order by latest.number nulls first
        limit (
            select $2 - count(*)
            from (select from sync_run where status = 'queued' limit $2) as queued
        )
        """,
        every_minutes,
        max_queued,
    )
    batches = [[row["id"] for row in rows]] if rows else []
    ends_at = time.monotonic() + BATCH_SECONDS
    while batches:
        batch = batches.pop()
        try:
            await queue_runs(database, batch)
        except DatabaseUnavailable as error:
            if error.reason != "locked":
                raise
            # Another transaction has queued a run and not ended, maybe for long. In halves, the
            # other sources are not held up.
            middle = len(batch) // 2
            if middle:
                batches += [batch[middle:], batch[:middle]]
        if time.monotonic() >= ends_at:
            return


async def queue_runs(database: Database, source_ids: list[UUID]) -> None:
    """Queue a run of each source without a queued one, or raise DatabaseUnavailable `locked`."""
    await database.execute(
        f"""
        with limits as materialized (select {DUE_LOCK_LIMIT})
        insert into sync_run (project_doc_id)
        select project_doc.id
        from project_doc, limits
        where id = any($1::uuid[])
        -- In one order, so that two workers that do this at once cannot deadlock.
        order by id
        -- Not waiting for sources that are being deleted: they need no run.
        for key share of project_doc skip locked
        on conflict (project_doc_id) where status = 'queued' do nothing
        """,
        source_ids,
    )
