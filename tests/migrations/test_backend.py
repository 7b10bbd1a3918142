from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg
import pytest

from service.migrations.backend import MigrationError
from service.migrations.files import SQL_FOLDER
from service.migrations.run import migrate, read_status, rollback
from tests.support.migrations import (
    FIRST,
    NAMES,
    TABLES,
    add_migration,
    add_table_migration,
    apply_all,
)
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import Postgres


def test_a_failed_migration_names_file_and_line_and_changes_nothing(
    empty_database: str, folder: Path
) -> None:
    add_migration(
        folder,
        "0002_break",
        "-- Two good ones, then:\ncreate table one (id bigint);\n\n"
        "create function two() returns void language plpgsql as $$\nbegin\n  null;\nend $$;\n"
        "/* what\n   fails */\ncreate table one (id bigint);\n",
    )
    with pytest.raises(MigrationError) as raised:
        apply_all(empty_database, folder)
    assert str(raised.value) == '0002_break.sql, line 10: relation "one" already exists'
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]
    assert read_status(empty_database, folder).pending == ["0002_break"]


def test_a_syntax_error_is_reported_with_its_own_line(empty_database: str, folder: Path) -> None:
    add_migration(
        folder, "0002_break", "create table one (\n    id bigint,\n    oops oops oops\n);\n"
    )
    with pytest.raises(MigrationError, match=r"^0002_break.sql, line 3: syntax error at or near"):
        apply_all(empty_database, folder)


def test_a_failed_rollback_leaves_the_migration_applied(empty_database: str, folder: Path) -> None:
    add_migration(
        folder, "0002_add", "create table one (id bigint);", "drop table one;\ndrop table two;"
    )
    apply_all(empty_database, folder)
    with pytest.raises(MigrationError, match=r"^0002_add.rollback.sql, line 2: table \"two\""):
        rollback(empty_database, print, folder)
    assert ("one",) in run_sql(empty_database, TABLES)
    assert read_status(empty_database, folder).pending == []


@pytest.mark.parametrize("statement", ["commit;", "BEGIN;", "/* x */ rollback;", "end;"])
def test_a_migration_may_not_end_its_transaction(
    statement: str, empty_database: str, folder: Path
) -> None:
    add_migration(folder, "0002_break", f"create table one (id bigint);\n{statement}\nselect 1;")
    with pytest.raises(MigrationError, match="line 2: a migration runs in a transaction"):
        apply_all(empty_database, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]


def test_a_violated_deferred_constraint_is_a_readable_error(
    empty_database: str, folder: Path
) -> None:
    add_migration(
        folder,
        "0002_defer",
        "create table one (id bigint unique deferrable initially deferred);\n"
        "insert into one values (1), (1);",
    )
    with pytest.raises(MigrationError, match=r"^0002_defer.sql: duplicate key value"):
        apply_all(empty_database, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]


@pytest.mark.parametrize(
    "sql",
    [
        "create index concurrently thing_id on thing (id);",
        "reindex table concurrently thing;",
        "vacuum thing;",
        "alter system set work_mem = '8MB';",
        "alter type kind add value 'new';\ninsert into kinds values ('new');",
    ],
)
@pytest.mark.parametrize("is_rollback", [False, True])
def test_a_statement_that_needs_no_transaction_is_told_how(
    sql: str, *, is_rollback: bool, empty_database: str, folder: Path
) -> None:
    add_table_migration(folder)
    add_migration(
        folder, "0003_kind", "create type kind as enum (); create table kinds (kind kind)"
    )
    texts = ("select 1;", sql) if is_rollback else (sql, "select 1;")
    add_migration(folder, "0004_last", *texts)
    if is_rollback:
        apply_all(empty_database, folder)
    with pytest.raises(MigrationError, match=r"begins with the line `-- transactional: false`$"):
        (rollback if is_rollback else migrate)(empty_database, print, folder)


def test_a_migration_can_run_without_a_transaction(empty_database: str, folder: Path) -> None:
    added = add_table_migration(folder)
    add_migration(
        folder,
        "0003_index",
        "-- transactional: false\ncreate index concurrently if not exists thing_id on thing (id);",
        "drop index concurrently if exists thing_id;",
    )
    apply_all(empty_database, folder)
    assert run_sql(empty_database, "select to_regclass('thing_id') is not null") == [(True,)]
    rollback(empty_database, print, folder)
    assert read_status(empty_database, folder).applied == [FIRST, added]


CONCURRENT_INDEXES = {
    "plain": "create index concurrently thing_name on thing (name);",
    "repeatable": "create index concurrently if not exists thing_name on thing (name);",
    "unique, quoted": 'CREATE UNIQUE INDEX CONCURRENTLY "thing_name" ON public."thing" (id);',
    "with comments": "create /* a */ index concurrently -- b\n thing_name on thing (name);",
    "after a comment": "-- Why.\ncreate index concurrently thing_name\n  on thing (name);",
}
ARE_VALID = """
    select relname, indisvalid from pg_index join pg_class on oid = indexrelid
    where relname = 'thing_name'
"""


@pytest.fixture
def things(empty_database: str, folder: Path) -> str:
    """A database with the table `thing` of migration 0002, to which a test can add an index."""
    add_migration(folder, "0002_things", "create table thing (id int, name text);")
    apply_all(empty_database, folder)
    run_sql(empty_database, "insert into thing values (1, 'a'), (1, 'b')")
    return empty_database


@pytest.mark.parametrize("statement", CONCURRENT_INDEXES.values(), ids=CONCURRENT_INDEXES)
def test_an_index_that_a_killed_migration_left_invalid_is_built_again(
    statement: str, things: str, folder: Path
) -> None:
    with suppress(psycopg.errors.UniqueViolation):
        run_sql(things, "create unique index concurrently thing_name on thing (id)")
    run_sql(things, "delete from thing where name = 'b'")
    assert run_sql(things, ARE_VALID) == [("thing_name", False)]
    add_migration(folder, "0003_index", f"-- transactional: false\n{statement}")
    apply_all(things, folder)
    assert run_sql(things, ARE_VALID) == [("thing_name", True)]


REINDEXES = [
    "reindex index concurrently thing_id;",
    "REINDEX INDEX CONCURRENTLY public . thing_id;",
    "reindex table concurrently thing;",
    "reindex (verbose) /* why */ table concurrently public.thing;",
    "reindex (concurrently, verbose) table thing;",
    'reindex(concurrently) index "thing_id";',
]
# A function that makes every value equal while the table `equal` exists.
PRETEND = """
    create function pretend(id int) returns int immutable language plpgsql as $$
    begin
        return case when to_regclass('public.equal') is null then id else 0 end;
    end $$
"""


@pytest.mark.parametrize("statement", REINDEXES)
def test_a_reindex_that_failed_leaves_no_invalid_index_when_it_runs_again(
    statement: str, things: str, folder: Path
) -> None:
    run_sql(
        things,
        "update thing set id = 2 where name = 'b'",
        PRETEND,
        "create unique index thing_id on thing (pretend(id))",
        "create table other (id int)",
        "insert into other values (1), (1)",
        "create table equal ()",
    )
    with suppress(psycopg.errors.UniqueViolation):
        run_sql(things, "create unique index concurrently other_ccnew on other (id)")
    add_migration(folder, "0003_again", f"-- transactional: false\n{statement}")
    with pytest.raises(MigrationError, match="the index thing_id_ccnew is invalid"):
        apply_all(things, folder)
    run_sql(things, "drop table equal")
    apply_all(things, folder)
    names = (
        "select indexrelid::regclass::text, indisvalid from pg_index "
        "where indrelid in ('thing'::regclass, 'other'::regclass) order by 1"
    )
    assert run_sql(things, names) == [("other_ccnew", False), ("thing_id", True)]


@pytest.mark.parametrize("between", [" ", " /* a name? */ ", "\n"])
def test_a_concurrent_index_needs_a_name(between: str, things: str, folder: Path) -> None:
    statement = f"create index concurrently{between}on thing (name);"
    add_migration(folder, "0003_index", f"-- transactional: false\n{statement}")
    with pytest.raises(MigrationError) as raised:
        apply_all(things, folder)
    assert str(raised.value).startswith("0003_index.sql, line 2: give the index a name; ")
    assert run_sql(things, "select relname from pg_class where relname ~ '^thing_.*idx'") == []


def test_a_valid_index_or_that_of_another_table_is_not_dropped(things: str, folder: Path) -> None:
    run_sql(
        things,
        "create schema other",
        "create table other.thing (id int)",
        "insert into other.thing values (1), (1)",
    )
    with suppress(psycopg.errors.UniqueViolation):
        run_sql(things, "create unique index concurrently thing_name on other.thing (id)")
    run_sql(things, "create index thing_name on thing (name)")
    oids = "select oid from pg_class where relname = 'thing_name' order by 1"
    before = run_sql(things, oids)
    assert len(before) == 2
    repeatable = CONCURRENT_INDEXES["repeatable"]
    add_migration(folder, "0003_index", f"-- transactional: false\n{repeatable}")
    apply_all(things, folder)
    assert run_sql(things, oids) == before


def test_a_file_without_a_transaction_waits_longer_than_the_lock_timeout(
    things: str, folder: Path
) -> None:
    statement = CONCURRENT_INDEXES["plain"]
    add_migration(folder, "0003_index", f"-- transactional: false\n{statement}")
    waits_longer = """
        select pid from pg_stat_activity
        where query ~* '^create index' and wait_event_type = 'Lock'
          and datname = current_database() and now() - query_start > interval '6 s'
    """
    with ThreadPoolExecutor(1) as thread, psycopg.connect(things) as live:
        live.execute("update thing set name = name")
        applying = thread.submit(apply_all, things, folder)
        eventually(lambda: applying.done() or run_sql(things, waits_longer), seconds=60)
        live.commit()
        lines = applying.result()
    assert lines[0] == (
        "0003_index.sql runs without a transaction and may wait for those of the service"
    )
    assert run_sql(things, ARE_VALID) == [("thing_name", True)]


def test_the_error_of_a_file_without_a_transaction_says_what_stays(
    things: str, folder: Path
) -> None:
    statement = "create unique index concurrently thing_name on thing (id);"
    text = f"-- transactional: false\ncreate table kept (id int);\n{statement}"
    add_migration(folder, "0003_index", text)
    with pytest.raises(MigrationError) as raised:
        apply_all(things, folder)
    assert str(raised.value) == (
        '0003_index.sql, line 3: could not create unique index "thing_name" (Key (id)=(1) is '
        "duplicated.); the file runs without a transaction, so the statements before this one "
        "stay done; the index thing_name is invalid"
    )


def test_a_lock_timeout_that_a_file_sets_is_reported_truly(things: str, folder: Path) -> None:
    text = "-- transactional: false\nset lock_timeout = '50ms';\nalter table thing add a int;"
    add_migration(folder, "0003_alter", text)
    with psycopg.connect(things) as live:
        live.execute("select * from thing")
        with pytest.raises(MigrationError) as raised:
            apply_all(things, folder)
    assert "Nothing was changed" not in str(raised.value)
    assert "5s unless the file sets another" in str(raised.value)
    assert str(raised.value).endswith("stay done")


def test_a_cut_connection_is_a_readable_error(empty_database: str, folder: Path) -> None:
    add_migration(folder, "0002_long", "select 1;\nselect pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(MigrationError) as raised:
        apply_all(empty_database, folder)
    assert str(raised.value) == (
        "0002_long.sql, line 2: terminating connection due to administrator command"
    )
    add_migration(folder, "0002_long", "select 1;")
    assert len(apply_all(empty_database, folder)) == 1


def test_a_migration_waits_only_briefly_for_the_live_services_locks(
    empty_database: str, folder: Path
) -> None:
    apply_all(empty_database, folder)
    add_table_migration(folder)
    apply_all(empty_database, folder)
    add_migration(folder, "0003_change", "alter table thing add column name text;")
    with psycopg.connect(empty_database) as live:
        live.execute("select count(*) from thing")
        with pytest.raises(MigrationError, match=r"0003_change.sql, line 1: .*lock timeout.*again"):
            apply_all(empty_database, folder)
    assert len(apply_all(empty_database, folder)) == 1


def test_a_uid_without_a_name_can_migrate(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert len(apply_all(empty_database, SQL_FOLDER)) == len(NAMES)
    names = run_sql(empty_database, "select distinct username from _yoyo_log")
    assert names == [("uid 54321",)]


@pytest.mark.parametrize("limit", ["statement_timeout", "transaction_timeout"])
def test_time_limits_for_requests_do_not_hold_for_migrations(
    limit: str, empty_database: str, folder: Path
) -> None:
    name = run_sql(empty_database, "select current_database()")[0][0]
    run_sql(empty_database, f"alter database {name} set {limit} = '500ms'")
    add_migration(folder, "0002_long", "select pg_sleep(0.7);")
    assert len(apply_all(empty_database, folder)) == 2


def test_only_the_lock_timeout_holds_for_migrations(empty_database: str, folder: Path) -> None:
    name = run_sql(empty_database, "select current_database()")[0][0]
    limits = {
        "statement_timeout": "0",
        "transaction_timeout": "0",
        "idle_in_transaction_session_timeout": "0",
        "idle_session_timeout": "0",
        "lock_timeout": "5000",
    }
    for limit in limits:
        run_sql(empty_database, f"alter database {name} set {limit} = '30s'")
    add_migration(
        folder, "0002_seen", "create table seen as select name, setting from pg_settings;"
    )
    apply_all(empty_database, folder)
    seen = dict(run_sql(empty_database, "select name, setting from seen"))
    assert {limit: seen[limit] for limit in limits} == limits


def test_tables_belong_to_the_role_that_the_login_role_sets(
    postgres: Postgres, folder: Path
) -> None:
    url = postgres.create_database()
    login, owner = (f"{kind}_{os.urandom(4).hex()}" for kind in ("login", "owner"))
    run_sql(
        url,
        f"create role {owner}",
        f"create role {login} login in role {owner}",
        f"alter role {login} set role = {owner}",
        f"grant create on schema public to {owner}",
    )
    add_migration(folder, "0002_one", "create table one (id int);")
    assert len(apply_all(url.replace("postgres@", f"{login}@"), folder)) == 2
    owners = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert run_sql(url, owners) == [(owner,)]


def test_a_file_must_close_the_transaction_that_it_opens(empty_database: str, folder: Path) -> None:
    plain = "-- transactional: false\nbegin;\ncreate table one (id int);\n{}"
    add_migration(folder, "0002_open", plain.format(""))
    with pytest.raises(MigrationError, match=r"^0002_open.sql: leaves a transaction open"):
        apply_all(empty_database, folder)
    add_migration(folder, "0002_open", plain.format("select nope;\ncommit;"))
    with pytest.raises(MigrationError, match=r'^0002_open.sql, line 4: column "nope" does not'):
        apply_all(empty_database, folder)
    add_migration(folder, "0002_open", plain.format("commit;"))
    assert apply_all(empty_database, folder)[-1].startswith("applied 0002_open.sql")


def test_a_failed_rollback_without_a_transaction_is_no_drift(
    empty_database: str, folder: Path
) -> None:
    add_migration(folder, "0002_plain", "-- transactional: false\nselect 1;", "drop table nope;")
    (folder / "0002_plain.rollback.sql").write_text("-- transactional: false\ndrop table nope;")
    apply_all(empty_database, folder)
    with pytest.raises(MigrationError, match='"nope" does not exist'):
        rollback(empty_database, print, folder, confirm=None)
    assert read_status(empty_database, folder).edited == []
    assert read_status(empty_database, folder).pending == []


def test_session_settings_of_a_file_are_reset_after_it(empty_database: str, folder: Path) -> None:
    apply_all(empty_database, folder)
    # Like a dump's first lines; and a role that may not write yoyo's tables.
    left = (
        "select pg_catalog.set_config('search_path', '', false);\n"
        "set statement_timeout = '1s';\n"
        "grant create on schema public to pg_monitor;\nset role pg_monitor;\n"
    )
    add_migration(
        folder, "0002_dump", f"{left}create table public.one (id int);", "drop table one;"
    )
    add_migration(folder, "0003_plain", f"-- transactional: false\n{left}", f"{left}select 1;")
    (folder / "0003_plain.rollback.sql").write_text(f"-- transactional: false\n{left}")
    add_migration(
        folder, "0004_next", "create table two (id int); select pg_sleep(1.1);", "drop table two;"
    )
    assert len(apply_all(empty_database, folder)) == 4
    add_migration(folder, "0005_fail", f"-- transactional: false\n{left}drop table nope;")
    with pytest.raises(MigrationError, match=r"^0005_fail.sql, line 6: table \"nope\""):
        apply_all(empty_database, folder)
    for _ in range(3):
        rollback(empty_database, print, folder, confirm=None)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]


def test_a_commit_that_sqlparse_misses_is_detected(empty_database: str, folder: Path) -> None:
    hidden = "create table one (t text);\ninsert into one values ('c:\\'); commit; select '';"
    add_migration(folder, "0002_hidden", hidden)
    with pytest.raises(MigrationError, match="ends the migration's transaction"):
        apply_all(empty_database, folder)


def test_copy_from_stdin_is_refused(empty_database: str, folder: Path) -> None:
    add_migration(folder, "0002_copy", "create table one (id int);\n-- data\ncopy one from stdin;")
    with pytest.raises(MigrationError, match=r"^0002_copy.sql, line 3: there is no client"):
        apply_all(empty_database, folder)
