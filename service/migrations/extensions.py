"""Extensions of PostgreSQL: what an administrator must run where a role cannot use one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from psycopg.errors import InsufficientPrivilege

from service.connecting.rights import NAMED_SCHEMAS

if TYPE_CHECKING:
    import psycopg

# One whose statement names no schema: those that follow find it by the search_path.
CREATE_EXTENSION: Final = re.compile(
    r'(?i)create\s+extension\s+(?:if\s+not\s+exists\s+)?(?P<name>"[^"]+"|\w+)(?!.*\bschema\b)',
    re.DOTALL,
)

# A schema that the role may not use, or that search_path does not name, is left out without an
# error: what the extension has there seems not to exist. `create extension if not exists` succeeds.
# An administrator's setting for all roles is overruled by one for a role, and that by the URL's.
STATEMENTS: Final = f"""
    with extension as (
        select pg_extension.oid, place.oid as schema_id, nspname, quote_ident(nspname) as schema
        from pg_extension join pg_namespace as place on place.oid = extnamespace
        where extname = %s
    ), setting as (
        select current_setting('search_path') as value, source
        from pg_settings
        where name = 'search_path'
    )
    select schema, missing.statement
    from extension
    cross join setting
    cross join lateral (
        select string_agg(
            format(
                '%%s.%%I(%%s)', schema, proname, pg_get_function_identity_arguments(pg_proc.oid)
            ), ', ' order by proname, pg_proc.oid
        ) as functions
        from pg_depend join pg_proc on pg_proc.oid = objid
        where refclassid = 'pg_extension'::regclass and refobjid = extension.oid
          and classid = 'pg_proc'::regclass and deptype = 'e'
          and not has_function_privilege(pg_proc.oid, 'execute')
    ) as denied
    cross join lateral (
        values (
            format('grant usage on schema %%s to %%I', schema, current_user),
            has_schema_privilege(schema_id, 'usage')
        ), (
            format('grant execute on function %%s to %%I', denied.functions, current_user),
            denied.functions is null
        ), (
            case
                when source = 'client' then null
                when source in ('user', 'database user') then format(
                    'alter role %%I in database %%I set search_path = ',
                    current_user, current_database()
                )
                else format('alter database %%I set search_path = ', current_database())
            end || concat_ws(', ', nullif(value, ''), schema),
            nspname = any(current_schemas(true)) or nspname in ({NAMED_SCHEMAS})
        )
    ) as missing (statement, is_there)
    where not is_there
    """


class Extension(NamedTuple):
    """An extension that a migration creates, and the schema in which it does; both are quoted."""

    name: str
    schema: str


def find_extension(connection: psycopg.Connection[Any], statement: str) -> Extension | None:
    """Return the extension that a statement creates in the current schema."""
    match = CREATE_EXTENSION.match(statement)
    if match is None:
        return None
    row = connection.execute("select quote_ident(current_schema())").fetchone()
    assert row is not None
    return Extension(match["name"], row[0])


def describe_denied(extension: Extension, error: psycopg.Error) -> str:
    """Return what an administrator must run where the role may not create the extension."""
    if not isinstance(error, InsufficientPrivilege):
        return ""
    # The server's hint asks for a right that is seldom given; the statement alone is enough.
    return (
        ": an administrator must run in this database: "
        f"create extension {extension.name} schema {extension.schema}"
    )


def describe_unusable(extension: Extension, connection: psycopg.Connection[Any]) -> str | None:
    """Return what an administrator must run where the role cannot use the extension."""
    name = extension.name
    name = name.strip('"') if name.startswith('"') else name.lower()
    rows = connection.execute(STATEMENTS.encode(), (name,)).fetchall()
    if not rows:
        return None
    schema = rows[0][0]
    to_run = "; ".join(statement for _, statement in rows if statement)
    advice: list[str] = []
    if to_run:
        advice.append(f"an administrator must run in this database: {to_run}")
    if any(statement is None for _, statement in rows):
        advice.append(
            f"add {schema} to the search_path that the options of DATABASE_URL and "
            "MIGRATIONS_DATABASE_URL set"
        )
    return (
        f'the role "{connection.info.user}" cannot use the extension {extension.name}, which is in '
        f"the schema {schema}: {', and '.join(advice)}"
    )
