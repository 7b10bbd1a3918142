"""Extensions that a role may not create, or cannot use where an administrator made them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

import pytest

from service.migrations.backend import MigrationError
from service.migrations.run import migrate, read_status
from tests.support.migrations import add_migration, apply_all
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In which way an administrator's extension is there and cannot be used.
UNUSABLE = {
    "not on the search path, no rights": ("create schema extensions",),
    "not on the search path": (
        "create schema extensions",
        "grant usage on schema extensions to public",
    ),
    "no right on its schema": (
        "create schema extensions",
        'alter database {database} set search_path = "$user", public, extensions',
    ),
    "no right on its functions": (
        "create schema extensions",
        "grant usage on schema extensions to public",
        "alter database {database} set search_path = public, extensions",
        "alter default privileges revoke execute on functions from public",
    ),
    "a search path of the role": (
        "create schema extensions",
        "grant usage on schema extensions to public",
        "alter role {role} set search_path = public",
    ),
    "a search path of the role in this database": (
        'create schema "Strange, name"',
        "alter role {role} in database {database} set search_path = public",
    ),
    "a search path of the schema of the role": (
        "create schema extensions",
        "create schema {role} authorization {role}",
        'alter database {database} set search_path = "$user"',
    ),
}


@pytest.fixture
def role(empty_database: str) -> Iterator[str]:
    """A role that may create tables, and no extensions."""
    role = f"plain_{os.urandom(4).hex()}"
    run_sql(
        empty_database,
        f"create role {role} login",
        f"grant usage, create on schema public to {role}",
    )
    yield role
    run_sql(empty_database, f"drop owned by {role} cascade", f"drop role {role}")


def url_of(role: str, database: str) -> str:
    return database.replace("postgres@", f"{role}@")


def statements_of(error: MigrationError) -> list[str]:
    """Return what the one line of an error tells an administrator to run."""
    assert "\n" not in str(error)
    return str(error).partition("must run in this database: ")[2].split("; ")


def test_a_role_that_may_not_create_extensions_reads_what_an_administrator_must_run(
    empty_database: str, role: str
) -> None:
    with pytest.raises(MigrationError) as raised:
        migrate(url_of(role, empty_database), print)
    [statement] = statements_of(raised.value)
    assert statement == "create extension pg_trgm schema public"
    run_sql(empty_database, statement)
    migrate(url_of(role, empty_database), print)
    assert read_status(url_of(role, empty_database)).pending == []


def test_an_extension_is_to_be_created_in_the_schema_of_the_tables(
    empty_database: str, role: str
) -> None:
    """An administrator's own search_path may have another one first."""
    run_sql(
        empty_database,
        f"create schema hub authorization {role}",
        f"alter role {role} set search_path = hub",
    )
    with pytest.raises(MigrationError) as raised:
        migrate(url_of(role, empty_database), print)
    [statement] = statements_of(raised.value)
    assert statement == "create extension pg_trgm schema hub"
    run_sql(empty_database, statement)
    migrate(url_of(role, empty_database), print)


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_role_that_cannot_use_an_extension_reads_what_an_administrator_must_run(
    case: str, empty_database: str, role: str
) -> None:
    database = urlsplit(empty_database).path.removeprefix("/")
    prepared = [each.format(role=role, database=database) for each in UNUSABLE[case]]
    schema = '"Strange, name"' if "Strange" in prepared[0] else "extensions"
    run_sql(empty_database, *prepared, f"create extension pg_trgm schema {schema}")
    url = url_of(role, empty_database)
    with pytest.raises(MigrationError) as raised:
        migrate(url, print)
    text = str(raised.value)
    assert text.startswith(
        f'0008_create_document_part.sql, line 5: the role "{role}" cannot use the extension '
        f"pg_trgm, which is in the schema {schema}: an administrator must run in this database: "
    )
    assert read_status(url).pending[0] == "0008_create_document_part"
    run_sql(empty_database, *statements_of(raised.value))
    migrate(url, print)
    assert read_status(url).pending == []
    assert run_sql(url, "select 'walnut' % 'walnutt'") == [(True,)]


def test_a_search_path_of_the_url_is_to_be_changed_there(empty_database: str, role: str) -> None:
    run_sql(
        empty_database,
        "create schema extensions",
        "create extension pg_trgm schema extensions",
    )
    url = f"{url_of(role, empty_database)}&options={quote('-c search_path=public')}"
    with pytest.raises(MigrationError) as raised:
        migrate(url, print)
    grant, *others = statements_of(raised.value)
    assert grant == (
        f"grant usage on schema extensions to {role}, and add extensions to the search_path that "
        "the options of DATABASE_URL and MIGRATIONS_DATABASE_URL set"
    )
    assert others == []
    run_sql(empty_database, grant.partition(",")[0])
    with pytest.raises(MigrationError, match="in the schema extensions: add extensions to the"):
        migrate(url, print)
    migrate(f"{url}{quote(',extensions')}", print)


def test_a_superuser_needs_the_schema_on_the_search_path_as_well(empty_database: str) -> None:
    run_sql(
        empty_database,
        "create schema extensions",
        "create extension pg_trgm schema extensions",
    )
    with pytest.raises(MigrationError) as raised:
        migrate(empty_database, print)
    run_sql(empty_database, *statements_of(raised.value))
    migrate(empty_database, print)


@pytest.mark.parametrize(
    "statement",
    ["create extension if not exists citext;", '-- a\nCREATE /* b */ EXTENSION "citext";'],
)
def test_any_extension_of_a_migration_is_looked_at(
    statement: str, empty_database: str, folder: Path
) -> None:
    run_sql(empty_database, "create schema extensions")
    if "if not" in statement:
        run_sql(empty_database, "create extension citext schema extensions")
    add_migration(folder, "0002_extension", f"{statement}\ncreate table thing (name citext);")
    if "if not" in statement:
        with pytest.raises(MigrationError, match="cannot use the extension citext"):
            apply_all(empty_database, folder)
    else:
        apply_all(empty_database, folder)


def test_an_extension_may_be_in_a_schema_that_its_migration_names(
    empty_database: str, folder: Path
) -> None:
    add_migration(
        folder,
        "0002_extension",
        "create schema extensions;\n"
        "create extension citext schema extensions;\n"
        "create table thing (name extensions.citext);",
    )
    apply_all(empty_database, folder)


def test_an_extension_that_the_server_lacks_is_a_readable_error(
    empty_database: str, folder: Path
) -> None:
    add_migration(folder, "0002_extension", "create extension if not exists no_such_extension;")
    with pytest.raises(MigrationError, match="no_such_extension") as raised:
        apply_all(empty_database, folder)
    assert "administrator must run" not in str(raised.value)
