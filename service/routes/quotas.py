"""The quotas on projects and on the sources of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString

from service.database.database import LOCK_LIMIT
from service.problems import Problem
from service.sync.advisory_locks import quota_lock

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Connection

# Where a quota has room for so many more rows, one is added without a lock on their number: more
# transactions than that, all of which add a row at once, need more connections than databases have.
UNLOCKED_ROOM: Final = 200

TOO_MANY_PROJECTS: Final = (
    "There are {count:,} projects already, as many as this service may have: delete one, or raise "
    "MAX_PROJECTS."
)
TOO_MANY_SOURCES: Final = (
    "The project has {count:,} sources already, as many as a project may have: delete one, or "
    "raise MAX_SOURCES_PER_PROJECT."
)


async def refuse_excess_project(transaction: Connection, max_projects: int) -> None:
    """Raise the Problem `conflict` if there are `max_projects` already, or more.

    Until the transaction ends, no other one passes: it is to add one project.
    """
    await _lock(transaction, quota_lock("projects"))
    if await transaction.fetch_value("select count(*) from project") >= max_projects:
        raise Problem("conflict", TOO_MANY_PROJECTS.format(count=max_projects))


async def refuse_excess_source(transaction: Connection, project_id: UUID, max_sources: int) -> None:
    """Raise the Problem `conflict` if a project has `max_sources` already, or more.

    Until the transaction ends, no other one passes for this project: it is to add one source.
    """
    await _lock(transaction, quota_lock("sources", "$1::uuid"), project_id)
    count = await transaction.fetch_value(
        "select count(*) from project_doc where project_id = $1", project_id
    )
    if count >= max_sources:
        raise Problem("conflict", TOO_MANY_SOURCES.format(count=max_sources))


async def _lock(transaction: Connection, key: LiteralString, *arguments: object) -> None:
    """Lock a number of rows; only a later statement sees what was added while this one waited."""
    await transaction.execute(
        f"""
        with limits as materialized (select {LOCK_LIMIT})
        select pg_advisory_xact_lock({key})
        from limits
        """,
        *arguments,
    )
