"""Pushes that webhooks reported: deliveries that come twice, and commits that are not shown yet.

A host with several servers shows a push on some of them seconds late. A run that does not find the
commit that a webhook named queues another run, which looks again when the push is twice as old, and
LOOK_SECONDS later at the earliest. A push older than AWAIT_SECONDS is given up: there are about
seven looks within two minutes.

The caller holds the lock of lock_pushes, so that deliveries and the end of a run do not run into
each other. Pushes are ordered by number, since the database's clock may be set.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import uuid4

from service.sync.advisory_locks import pushes_lock

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from service.database.database import Connection, Queries

LOOK_SECONDS: Final = 2.0
AWAIT_SECONDS: Final = 60.0

# The most pushes kept of each source, and for how long, so that a delivery is known when it comes
# again. GitHub offers for 3 days to send one again.
PUSHES_KEPT: Final = 100
DAYS_KEPT: Final = 3


class Push(NamedTuple):
    """A push to a source's branch: the branch's head after it and before it, where known."""

    commit: str | None = None
    previous: str | None = None


class AwaitedPush(NamedTuple):
    """The newest push that a run did not find; the seconds until the next look, None for none."""

    commit: str
    seconds: float | None


async def lock_pushes(transaction: Connection, source_id: UUID) -> None:
    """Keep other transactions away from the source's pushes until this one ends."""
    await transaction.execute(f"select pg_advisory_xact_lock({pushes_lock('$1::uuid')})", source_id)


async def record_push(
    transaction: Connection, source_id: UUID, push: Push, delivery_id: str | None
) -> bool:
    """Store a push, whose commit runs have to find; return False for a known delivery.

    If the source's last run failed, no delivery is known: sending it again is a way to try again.
    """
    delivery_id = delivery_id or str(uuid4())
    is_new = await transaction.fetch_value(
        """
        insert into push (project_doc_id, delivery_id, commit_id, previous_commit_id, is_awaited)
        values ($1, $2, $3::text, $4, $3::text is not null)
        on conflict (project_doc_id, delivery_id) do update
        set received_at = now(), is_awaited = excluded.is_awaited, number = excluded.number
        where (
            select status
            from sync_run
            where project_doc_id = $1 and finished_at is not null
            order by number desc
            limit 1
        ) = 'failed'
        returning true
        """,
        source_id,
        delivery_id,
        *push,
    )
    if not is_new:
        return False
    # A commit that this push replaced need not be shown any more, and after a forced push it may
    # never be. Pushes that are delivered in another order are found in the branch's history.
    await transaction.execute(
        """
        update push
        set is_awaited = false
        where project_doc_id = $1 and is_awaited and commit_id = $2 and delivery_id <> $3
        """,
        source_id,
        push.previous,
        delivery_id,
    )
    await transaction.execute(
        """
        delete from push
        where project_doc_id = $1 and (
            received_at < now() - $2 * interval '1 day'
            or delivery_id in (
                select delivery_id
                from push
                where project_doc_id = $1
                order by number desc
                offset $3
            )
        )
        """,
        source_id,
        DAYS_KEPT,
        PUSHES_KEPT,
    )
    return True


async def read_awaited_pushes(queries: Queries, source_id: UUID) -> list[Push]:
    """Return the pushes that a run of the source has to find."""
    rows = await queries.fetch(
        """
        select commit_id, previous_commit_id
        from push
        where project_doc_id = $1 and is_awaited
        """,
        source_id,
    )
    return [Push(*row) for row in rows]


async def settle_pushes(
    transaction: Connection, source_id: UUID, found: Collection[str]
) -> AwaitedPush | None:
    """Stop awaiting the commits in `found`; return the newest push that is still awaited."""
    await transaction.execute(
        """
        update push
        set is_awaited = false
        where project_doc_id = $1 and is_awaited and commit_id = any($2::text[])
        """,
        source_id,
        list(found),
    )
    # Received in the future: before the clock was set back. The push is as old as the clock's jump
    # leaves unknown, so it is awaited as if it had come just now.
    await transaction.execute(
        """
        update push
        set received_at = clock_timestamp()
        where project_doc_id = $1 and is_awaited and received_at > clock_timestamp()
        """,
        source_id,
    )
    row = await transaction.fetch_row(
        """
        select commit_id, extract(epoch from clock_timestamp() - received_at)::float8
        from push
        where project_doc_id = $1 and is_awaited
        order by number desc
        limit 1
        """,
        source_id,
    )
    if row is None:
        return None
    commit, age = row
    await transaction.execute(
        """
        update push
        set is_awaited = false
        where project_doc_id = $1 and is_awaited
            and received_at < clock_timestamp() - $2 * interval '1 second'
        """,
        source_id,
        AWAIT_SECONDS,
    )
    return AwaitedPush(commit, max(age, LOOK_SECONDS) if age < AWAIT_SECONDS else None)
