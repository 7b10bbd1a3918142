"""Whether the database's schema has the migrations that this code needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import asyncpg

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.queries import Queries


class Schema(NamedTuple):
    """How many migrations the schema has, and how many of them this code knows."""

    applied: int
    known: int


async def read_schema(queries: Queries, migrations: Sequence[str]) -> Schema:
    """Return the state of the schema; `migrations` are those of this code.

    Raises asyncpg's UndefinedTableError where no migration was ever applied.
    """
    row = await queries.fetch_row(
        """
        select count(*) as applied,
               count(*) filter (where migration_id = any($1::text[])) as known
        from _yoyo_migration
        """,
        migrations,
    )
    assert row is not None
    return Schema(row["applied"], row["known"])


async def is_behind(queries: Queries, migrations: Sequence[str]) -> bool:
    """Return whether the schema is known to lack one of `migrations`."""
    if not migrations:
        return False
    try:
        schema = await read_schema(queries, migrations)
    except asyncpg.UndefinedTableError:
        return True
    except asyncpg.InsufficientPrivilegeError:
        return False
    return schema.known < len(migrations)
