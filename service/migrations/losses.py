"""The rows that a rollback would drop, found by trying it in a transaction that is undone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg


class Table(NamedTuple):
    """A table: its quoted name, its columns by their numbers, and the count of its rows."""

    name: str
    columns: dict[int, str]
    rows: int


def find_losses(connection: psycopg.Connection[Any], try_changes: Callable[[], None]) -> list[str]:
    """Return what `try_changes` would drop, one phrase for each table or column with data.

    `try_changes` executes statements on `connection`, which must be in a transaction. They are
    undone. A generated column is no loss, and neither is the bookkeeping of migrations.
    """
    before = _read_tables(connection)
    with connection.transaction(force_rollback=True):
        try_changes()
        after = _read_tables(connection)
    losses: list[str] = []
    for oid, table in before.items():
        left = after.get(oid)
        if left is None:
            losses += _describe(table.rows, f"the table {table.name}")
            continue
        losses += _describe(table.rows - left.rows, f"rows of the table {table.name}")
        for number in table.columns.keys() - left.columns.keys():
            column = table.columns[number]
            count = _count(connection, table.name, column)
            losses += _describe(count, f"the column {column} of the table {table.name}")
    return losses


def _read_tables(connection: psycopg.Connection[Any]) -> dict[int, Table]:
    rows = connection.execute(
        """
        select pg_class.oid, pg_class.oid::regclass::text,
               array_agg(attnum) filter (where attnum > 0),
               array_agg(quote_ident(attname)) filter (where attnum > 0)
        from pg_class
        left join pg_attribute
            on attrelid = pg_class.oid and attnum > 0 and not attisdropped and attgenerated = ''
        where relkind = 'r' and relpersistence <> 't'
          and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
          and relname !~ '^(_?yoyo_.*|migration_checksum)$'
          and has_table_privilege(pg_class.oid, 'select')
        group by pg_class.oid
        order by relname, pg_class.oid
        """
    ).fetchall()
    return {
        oid: Table(
            name, dict(zip(numbers or (), columns or (), strict=True)), _count(connection, name)
        )
        for oid, name, numbers, columns in rows
    }


def _count(connection: psycopg.Connection[Any], table: str, column: str | None = None) -> int:
    # PostgreSQL has quoted the names.
    row = connection.execute(f"select count({column or '*'}) from {table}".encode()).fetchone()
    assert row is not None
    return row[0]


def _describe(rows: int, what: str) -> list[str]:
    if rows <= 0:
        return []
    return [f"{what}: {rows:,} {'row' if rows == 1 else 'rows'}"]
