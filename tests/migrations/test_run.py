from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from service import PROJECT
from service.migrations import run as migrations
from service.migrations.backend import MigrationError, open_backend
from service.migrations.files import SQL_FOLDER, read_migration_files
from service.migrations.run import Status, migrate, read_status, rollback
from tests.support.postgres import Postgres, run_sql
from tests.support.service import run_command, service_environment
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
    select table_name from information_schema.tables
    where table_schema = 'public' and table_name !~ 'yoyo' order by 1
"""
APPLIED = "select migration_id from _yoyo_migration order by 1"
NAMES = [file.id for file in read_migration_files()]
FIRST = "0001_create_migration_checksum"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The first of the project's migrations, for a test to add to."""
    folder = tmp_path / "sql"
    folder.mkdir()
    for path in SQL_FOLDER.glob("0001_*"):
        shutil.copy(path, folder)
    return folder


def add(folder: Path, name: str, apply: str, undo: str = "select 1;") -> None:
    (folder / f"{name}.sql").write_text(apply)
    (folder / f"{name}.rollback.sql").write_text(undo)


def apply(url: str, folder: Path) -> list[str]:
    lines: list[str] = []
    migrate(url, lines.append, folder)
    return lines


def second(folder: Path) -> str:
    """Add a second migration after however many there are; return its id."""
    name = f"{len(list(folder.glob('*.sql'))) // 2 + 1:04}_add_thing"
    add(folder, name, "create table thing (id bigint primary key);", "drop table thing;")
    return name


def test_migrate_applies_what_is_pending_once(empty_database: str, folder: Path) -> None:
    added = second(folder)
    lines = apply(empty_database, folder)
    assert [line.split()[:2] for line in lines] == [
        ["applied", f"{FIRST}.sql"],
        ["applied", f"{added}.sql"],
    ]
    assert all(line.endswith(" ms") for line in lines)
    assert apply(empty_database, folder) == ["the schema is up to date (2 migrations)"]
    assert run_sql(empty_database, TABLES) == [("migration_checksum",), ("thing",)]


def test_rollback_undoes_the_last_one_only(empty_database: str, folder: Path) -> None:
    added = second(folder)
    apply(empty_database, folder)
    lines: list[str] = []
    rollback(empty_database, lines.append, folder)
    assert lines[0].startswith(f"rolled back {added}.sql in ")
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]
    assert read_status(empty_database, folder).pending == [added]


def test_every_migration_of_the_project_can_be_undone_and_done_again(empty_database: str) -> None:
    assert apply(empty_database, SQL_FOLDER)
    there = schema_of(empty_database)
    lines: list[str] = []
    while lines[-1:] != ["there is nothing to roll back"]:
        rollback(empty_database, lines.append)
    assert run_sql(empty_database, TABLES) == []
    assert apply(empty_database, SQL_FOLDER)
    assert schema_of(empty_database) == there


def schema_of(url: str) -> list[tuple[object, ...]]:
    query = """
        select table_name, column_name, data_type, is_nullable, column_default
        from information_schema.columns where table_schema = 'public' order by 1, 2
    """
    return run_sql(url, query)


def test_a_failing_migration_names_file_line_and_message_and_leaves_the_schema_as_it_was(
    empty_database: str, folder: Path
) -> None:
    add(
        folder,
        "0002_break",
        "-- Two good ones, then:\ncreate table one (id bigint);\n\n"
        "create function two() returns void language plpgsql as $$\nbegin\n  null;\nend $$;\n"
        "/* what\n   fails */\ncreate table one (id bigint);\n",
    )
    with pytest.raises(MigrationError) as raised:
        apply(empty_database, folder)
    assert str(raised.value) == '0002_break.sql, line 10: relation "one" already exists'
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]
    assert read_status(empty_database, folder).pending == ["0002_break"]


def test_a_syntax_error_is_placed_on_its_own_line(empty_database: str, folder: Path) -> None:
    add(folder, "0002_break", "create table one (\n    id bigint,\n    oops oops oops\n);\n")
    with pytest.raises(MigrationError, match=r"^0002_break.sql, line 3: syntax error at or near"):
        apply(empty_database, folder)


def test_a_broken_rollback_leaves_the_migration_applied(empty_database: str, folder: Path) -> None:
    add(folder, "0002_add", "create table one (id bigint);", "drop table one;\ndrop table two;")
    apply(empty_database, folder)
    with pytest.raises(MigrationError, match=r"^0002_add.rollback.sql, line 2: table \"two\""):
        rollback(empty_database, print, folder)
    assert ("one",) in run_sql(empty_database, TABLES)
    assert read_status(empty_database, folder).pending == []


@pytest.mark.parametrize("statement", ["commit;", "BEGIN;", "/* x */ rollback;", "end;"])
def test_a_migration_may_not_end_its_transaction(
    statement: str, empty_database: str, folder: Path
) -> None:
    add(folder, "0002_break", f"create table one (id bigint);\n{statement}\nselect 1;")
    with pytest.raises(MigrationError, match="line 2: a migration runs in a transaction"):
        apply(empty_database, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]


def test_a_deferred_constraint_that_fails_at_commit_fails_readably(
    empty_database: str, folder: Path
) -> None:
    add(
        folder,
        "0002_defer",
        "create table one (id bigint unique deferrable initially deferred);\n"
        "insert into one values (1), (1);",
    )
    with pytest.raises(MigrationError, match=r"^0002_defer.sql: duplicate key value"):
        apply(empty_database, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]


def test_what_cannot_run_in_a_transaction_runs_without_one(
    empty_database: str, folder: Path
) -> None:
    added = second(folder)
    add(
        folder,
        "0003_index",
        "-- transactional: false\ncreate index concurrently if not exists thing_id on thing (id);",
        "drop index concurrently if exists thing_id;",
    )
    apply(empty_database, folder)
    assert run_sql(empty_database, "select to_regclass('thing_id') is not null") == [(True,)]
    rollback(empty_database, print, folder)
    assert read_status(empty_database, folder).applied == [FIRST, added]


def test_status_sees_an_edited_and_a_missing_file(empty_database: str, folder: Path) -> None:
    added = second(folder)
    apply(empty_database, folder)
    (folder / f"{added}.sql").write_text("create table other (id bigint);")
    assert read_status(empty_database, folder).edited == [added]
    for path in folder.glob(f"{added}.*"):
        path.unlink()
    assert read_status(empty_database, folder) == Status(
        applied=[FIRST, added], pending=[], edited=[], gone=[added], is_locked=False
    )


def test_migrate_refuses_when_an_applied_file_was_edited(empty_database: str, folder: Path) -> None:
    added = second(folder)
    apply(empty_database, folder)
    (folder / f"{added}.sql").write_text("create table other (id bigint);")
    with pytest.raises(MigrationError, match=f"{added}.sql was edited after it was applied"):
        apply(empty_database, folder)


def test_older_code_neither_fails_on_a_newer_schema_nor_rolls_it_back(
    empty_database: str, folder: Path
) -> None:
    older = shutil.copytree(folder, folder.with_name("older"))
    added = second(folder)
    apply(empty_database, folder)
    assert apply(empty_database, older) == [
        f"{added} is applied and has no file here: newer code brought it",
        "the schema is up to date (1 migration)",
    ]
    with pytest.raises(MigrationError, match="with the code that brought it"):
        rollback(empty_database, print, older)


def test_status_writes_nothing(empty_database: str, folder: Path) -> None:
    assert read_status(empty_database, folder).pending == [FIRST]
    everything = "select count(*) from information_schema.tables where table_schema = 'public'"
    assert run_sql(empty_database, everything) == [(0,)]


def test_status_exits_with_a_code_for_each_state(empty_database: str) -> None:
    def status() -> tuple[int, str]:
        result = run_command("status", DATABASE_URL=empty_database)
        return result.returncode, result.stdout

    assert status() == (2, "".join(f"{name}: pending\n" for name in NAMES))
    apply(empty_database, SQL_FOLDER)
    assert status() == (0, f"the schema is up to date ({len(NAMES)} applied)\n")
    with psycopg.connect(empty_database, autocommit=True) as other:
        other.execute("select pg_advisory_lock(%s)", (migrations.PROCESS_LOCK,))
        assert status() == (3, "another process is migrating now\n")
    edit = "update migration_checksum set sha256 = repeat('0', 64) where migration_id ~ '^0001'"
    run_sql(empty_database, edit)
    assert status() == (4, f"{FIRST}: edited after it was applied\n")
    rename = "update _yoyo_migration set migration_id = '0009_gone' where migration_id ~ '^0001'"
    run_sql(empty_database, rename)
    assert status()[0] == 4
    assert "0009_gone: applied, and its file is gone\n" in status()[1]


def test_twenty_at_once_on_an_empty_database_all_succeed(empty_database: str) -> None:
    command = [sys.executable, "-m", "service", "migrate"]
    environment = service_environment(DATABASE_URL=empty_database)
    processes = [
        subprocess.Popen(
            command, env=environment, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(20)
    ]
    outputs = [process.communicate(timeout=60)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * 20, outputs
    assert sum(f"applied {FIRST}.sql" in output for output in outputs) == 1
    assert run_sql(empty_database, APPLIED) == [(name,) for name in NAMES]


SLEEPING = """
    select pid from pg_stat_activity
    where wait_event = 'PgSleep' and datname = current_database()
"""


def kill_while_migrating(url: str, folder: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from service.migrations.run import migrate;"
        "migrate(sys.argv[1], print, Path(sys.argv[2]))"
    )
    process = subprocess.Popen([sys.executable, "-c", code, url, str(folder)], cwd=PROJECT)
    eventually(lambda: run_sql(url, SLEEPING))
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_after_a_kill_in_the_middle_the_next_migrate_just_works(
    empty_database: str, folder: Path
) -> None:
    text = "create table one (id bigint);\nselect pg_sleep({});\ncreate table two (id bigint);"
    add(folder, "0002_long", text.format(60))
    kill_while_migrating(empty_database, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]
    add(folder, "0002_long", text.format(0))
    # It may have to wait until PostgreSQL notices that the first one is gone, not until it wakes.
    started = time.monotonic()
    assert apply(empty_database, folder)[-1].startswith("applied 0002_long.sql")
    assert time.monotonic() - started < 30
    assert run_sql(empty_database, TABLES) == [("migration_checksum",), ("one",), ("two",)]


def test_a_connection_that_is_cut_is_one_readable_line(empty_database: str, folder: Path) -> None:
    add(folder, "0002_long", "select 1;\nselect pg_terminate_backend(pg_backend_pid());")
    with pytest.raises(MigrationError) as raised:
        apply(empty_database, folder)
    assert str(raised.value) == (
        "0002_long.sql, line 2: terminating connection due to administrator command"
    )
    add(folder, "0002_long", "select 1;")
    assert len(apply(empty_database, folder)) == 1


def test_a_second_migrate_waits_for_the_first(empty_database: str, folder: Path) -> None:
    add(folder, "0002_long", "select pg_sleep(1);")
    with ThreadPoolExecutor() as executor:
        first = executor.submit(apply, empty_database, folder)
        eventually(lambda: read_status(empty_database, folder).is_locked)
        lines = apply(empty_database, folder)
        assert lines[0] == "waiting for another process that is migrating"
        assert lines[-1] == "the schema is up to date (2 migrations)"
        assert len(first.result()) == 2


def test_a_migration_does_not_queue_for_long_behind_the_live_service(
    empty_database: str, folder: Path
) -> None:
    apply(empty_database, folder)
    second(folder)
    apply(empty_database, folder)
    add(folder, "0003_change", "alter table thing add column name text;")
    with psycopg.connect(empty_database) as live:
        live.execute("select count(*) from thing")
        with pytest.raises(MigrationError, match=r"0003_change.sql, line 1: .*lock timeout.*again"):
            apply(empty_database, folder)
    assert len(apply(empty_database, folder)) == 1


def test_it_waits_for_a_database_that_is_still_starting(own_postgres: Postgres) -> None:
    url = own_postgres.url
    own_postgres.server.stop()
    lines: list[str] = []
    is_waiting = threading.Event()

    def report(line: str) -> None:
        lines.append(line)
        is_waiting.set()

    with ThreadPoolExecutor() as executor:
        migrating = executor.submit(migrate, url, report)
        assert is_waiting.wait(10)
        own_postgres.start()
        migrating.result()
    assert lines == [
        "waiting up to 30 s for the database to answer",
        f"the schema is up to date ({len(NAMES)} migrations)",
    ]


def test_a_role_that_may_not_create_tables_gets_told_so(postgres: Postgres) -> None:
    url = postgres.create_database()
    role = f"role_{os.urandom(4).hex()}"
    run_sql(url, f"create role {role} login")
    with pytest.raises(MigrationError, match=f'the role "{role}" may not create tables'):
        migrate(url.replace("postgres@", f"{role}@"), print)


def test_a_uid_without_a_name_can_migrate(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    assert len(apply(empty_database, SQL_FOLDER)) == len(NAMES)
    names = run_sql(empty_database, "select distinct username from _yoyo_log")
    assert names == [("uid 54321",)]


def test_a_password_that_a_driver_quotes_is_blotted_out() -> None:
    with pytest.raises(MigrationError, match=r"\*\*\*"):
        read_status("postgresql://app:hunter2@127.0.0.1/app?port=hunter2")


def test_migrations_go_to_their_own_database(empty_database: str, postgres: Postgres) -> None:
    nowhere = postgres.url_of("nowhere")
    result = run_command("migrate", DATABASE_URL=nowhere, MIGRATIONS_DATABASE_URL=empty_database)
    assert result.returncode == 0
    assert run_sql(empty_database, APPLIED) == [(name,) for name in NAMES]


@pytest.mark.parametrize("limit", ["statement_timeout", "transaction_timeout"])
def test_a_limit_for_requests_is_not_one_for_migrations(
    limit: str, empty_database: str, folder: Path
) -> None:
    name = run_sql(empty_database, "select current_database()")[0][0]
    run_sql(empty_database, f"alter database {name} set {limit} = '500ms'")
    add(folder, "0002_long", "select pg_sleep(0.7);")
    assert len(apply(empty_database, folder)) == 2


def test_no_limit_but_that_on_locks_holds_for_migrations(empty_database: str, folder: Path) -> None:
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
    add(folder, "0002_seen", "create table seen as select name, setting from pg_settings;")
    apply(empty_database, folder)
    seen = dict(run_sql(empty_database, "select name, setting from seen"))
    assert {limit: seen[limit] for limit in limits} == limits


def test_everything_is_made_as_the_role_that_the_login_role_takes(
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
    add(folder, "0002_one", "create table one (id int);")
    assert len(apply(url.replace("postgres@", f"{login}@"), folder)) == 2
    owners = "select distinct tableowner from pg_tables where schemaname = 'public'"
    assert run_sql(url, owners) == [(owner,)]


def test_the_work_of_a_process_that_is_gone_is_waited_for(
    empty_database: str, folder: Path
) -> None:
    with ThreadPoolExecutor() as executor:
        with open_backend(empty_database):  # without the lock that ends with the process
            assert read_status(empty_database, folder).is_locked
            lines: list[str] = []
            second = executor.submit(migrate, empty_database, lines.append, folder)
            eventually(lambda: lines)
            assert lines == ["waiting for another process that is migrating"]
        second.result()
        assert lines[1].startswith(f"applied {FIRST}.sql")


def test_no_file_can_give_the_lock_away(empty_database: str, folder: Path) -> None:
    add(folder, "0002_long", "-- transactional: false\ndiscard all;\nselect pg_sleep(1);")
    with ThreadPoolExecutor() as executor:
        first = executor.submit(apply, empty_database, folder)
        eventually(lambda: run_sql(empty_database, SLEEPING))
        assert read_status(empty_database, folder).is_locked
        lines = apply(empty_database, folder)
        assert lines[0] == "waiting for another process that is migrating"
        assert len(first.result()) == 2


def test_a_transaction_of_a_files_own_is_closed_by_it(empty_database: str, folder: Path) -> None:
    plain = "-- transactional: false\nbegin;\ncreate table one (id int);\n{}"
    add(folder, "0002_open", plain.format(""))
    with pytest.raises(MigrationError, match=r"^0002_open.sql: leaves a transaction open"):
        apply(empty_database, folder)
    add(folder, "0002_open", plain.format("select nope;\ncommit;"))
    with pytest.raises(MigrationError, match=r'^0002_open.sql, line 4: column "nope" does not'):
        apply(empty_database, folder)
    add(folder, "0002_open", plain.format("commit;"))
    assert len(apply(empty_database, folder)) == 1


def test_a_failing_rollback_without_a_transaction_is_no_drift(
    empty_database: str, folder: Path
) -> None:
    add(folder, "0002_plain", "-- transactional: false\nselect 1;", "drop table nope;")
    (folder / "0002_plain.rollback.sql").write_text("-- transactional: false\ndrop table nope;")
    apply(empty_database, folder)
    with pytest.raises(MigrationError, match="nope"):
        rollback(empty_database, print, folder)
    assert read_status(empty_database, folder).edited == []
    assert read_status(empty_database, folder).pending == []


def test_what_a_file_sets_for_its_session_ends_with_it(empty_database: str, folder: Path) -> None:
    apply(empty_database, folder)
    # As the first lines of a dump; and a role that may not do the bookkeeping.
    left = (
        "select pg_catalog.set_config('search_path', '', false);\n"
        "set statement_timeout = '1s';\n"
        "grant create on schema public to pg_monitor;\nset role pg_monitor;\n"
    )
    add(folder, "0002_dump", f"{left}create table public.one (id int);", "drop table one;")
    add(folder, "0003_plain", f"-- transactional: false\n{left}", f"{left}select 1;")
    (folder / "0003_plain.rollback.sql").write_text(f"-- transactional: false\n{left}")
    add(folder, "0004_next", "create table two (id int); select pg_sleep(1.1);", "drop table two;")
    assert len(apply(empty_database, folder)) == 3
    add(folder, "0005_fail", f"-- transactional: false\n{left}drop table nope;")
    with pytest.raises(MigrationError, match=r"^0005_fail.sql, line 6: table \"nope\""):
        apply(empty_database, folder)
    for _ in range(3):
        rollback(empty_database, print, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]


def test_what_sqlparse_hides_cannot_end_the_transaction_unnoticed(
    empty_database: str, folder: Path
) -> None:
    hidden = "create table one (t text);\ninsert into one values ('c:\\'); commit; select '';"
    add(folder, "0002_hidden", hidden)
    with pytest.raises(MigrationError, match="ends the migration's transaction"):
        apply(empty_database, folder)


def test_copy_from_a_client_that_is_not_there_is_refused(empty_database: str, folder: Path) -> None:
    add(folder, "0002_copy", "create table one (id int);\n-- data\ncopy one from stdin;")
    with pytest.raises(MigrationError, match=r"^0002_copy.sql, line 3: there is no client"):
        apply(empty_database, folder)


@pytest.mark.parametrize("command", ["migrate", "status", "rollback"])
def test_no_password_is_ever_printed(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A database that does not exist on a server that does: refused at once, and not for starting.
    url = "postgresql://app:hunter%402@127.0.0.1:1/app"
    monkeypatch.setattr(migrations, "START_WAIT_SECONDS", 0.0)
    with pytest.raises(MigrationError) as raised:
        {
            "migrate": lambda: migrate(url, print),
            "status": lambda: read_status(url),
            "rollback": lambda: rollback(url, print),
        }[command]()
    assert "hunter" not in str(raised.value)
    assert "Connection refused" in str(raised.value)


def test_a_failure_is_one_line_and_code_1(postgres: Postgres) -> None:
    missing = postgres.url_of("nowhere")
    result = run_command("migrate", DATABASE_URL=missing)
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert 'database "nowhere" does not exist' in result.stderr
    assert "Traceback" not in result.stderr
