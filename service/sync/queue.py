"""The queue of runs: how a run is requested.

The rows of `sync_run` are both the queue and what the API shows, so there is no second system to
install, watch or keep in step. `claims` says which worker may work on a run, and `results` how its
end is recorded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg

from service.problems import Problem
from service.sync.pushes import record_push

if TYPE_CHECKING:
    from uuid import UUID

    from service.database import Database, Queries
    from service.sync.pushes import Push

MISSING_SOURCE: Final = "There is no such project doc."


async def request_sync_of_push(
    database: Database, source_id: UUID, push: Push, delivery_id: str | None
) -> UUID | None:
    """Request a run that has to find a push; return its id, or None for a known delivery.

    Both are stored, or neither. Raises the Problem `not_found` where the source does not exist.
    """
    async with database.transaction() as transaction:
        source = await transaction.fetch_value(
            "select id from project_doc where id = $1 for no key update", source_id
        )
        if source is None:
            raise Problem("not_found", MISSING_SOURCE)
        if not await record_push(transaction, source_id, push, delivery_id):
            return None
        return await request_sync(transaction, source_id, after_push=True)


async def request_sync(queries: Queries, source_id: UUID, *, after_push: bool = False) -> UUID:
    """Return the id of the source's unfinished run; queue a run if there is none.

    A run that waits until its `not_before` becomes due at once. With `after_push`, another run
    follows an unfinished one that has started: it may have read the repository before the push.
    Raises the Problem `not_found` where the source does not exist.
    """
    while True:
        if after_push:
            run_id = await queries.fetch_value(
                """
                update sync_run
                set is_wanted_again = started_at is not null, not_before = null
                where project_doc_id = $1 and finished_at is null
                returning id
                """,
                source_id,
            )
        else:
            # Not an update of every unfinished run: it would wait for a transaction that ends one.
            run_id = await queries.fetch_value(
                """
                with due as (
                    update sync_run
                    set not_before = null
                    where project_doc_id = $1 and finished_at is null and not_before > now()
                )
                select id from sync_run where project_doc_id = $1 and finished_at is null
                """,
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
    """Queue a run of each source without an unfinished run or one of the last `every_minutes`.

    A run that waits until its `not_before` becomes due at once.
    """
    await database.execute(
        """
        with waiting as (
            update sync_run
            set not_before = null
            where id in (
                select id
                from sync_run
                where finished_at is null and not_before > now() and not exists (
                    select 1
                    from sync_run as other
                    where other.project_doc_id = sync_run.project_doc_id
                        and other.finished_at is not null
                        and other.created_at > now() - $1 * interval '1 minute'
                )
                for update skip locked
            )
        )
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
