from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.migrations import run as migrations
from service.migrations.backend import MigrationError, open_backend
from service.migrations.files import SQL_FOLDER
from service.migrations.run import Status, migrate, read_status, rollback
from tests.support.migrations import (
    APPLIED,
    FIRST,
    NAMES,
    TABLES,
    add_migration,
    add_table_migration,
    apply_all,
)
from tests.support.postgres import Postgres, run_sql
from tests.support.service import service_environment
from tests.support.waiting import eventually, within

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_migrate_applies_each_pending_migration_once(empty_database: str, folder: Path) -> None:
    added = add_table_migration(folder)
    lines = apply_all(empty_database, folder)
    assert [line.split()[:2] for line in lines] == [
        ["applied", f"{FIRST}.sql"],
        ["applied", f"{added}.sql"],
    ]
    assert all(line.endswith(" ms") for line in lines)
    assert apply_all(empty_database, folder) == ["the schema is up to date (2 migrations)"]
    assert run_sql(empty_database, TABLES) == [("migration_checksum",), ("thing",)]


def test_rollback_undoes_only_the_last_migration(empty_database: str, folder: Path) -> None:
    added = add_table_migration(folder)
    apply_all(empty_database, folder)
    lines: list[str] = []
    rollback(empty_database, lines.append, folder)
    assert lines[0].startswith(f"rolled back {added}.sql in ")
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]
    assert read_status(empty_database, folder).pending == [added]


def test_the_projects_migrations_can_be_rolled_back_and_reapplied(empty_database: str) -> None:
    assert apply_all(empty_database, SQL_FOLDER)
    there = schema_of(empty_database)
    lines: list[str] = []
    while lines[-1:] != ["there is nothing to roll back"]:
        rollback(empty_database, lines.append)
    assert run_sql(empty_database, TABLES) == []
    assert apply_all(empty_database, SQL_FOLDER)
    assert schema_of(empty_database) == there


@pytest.mark.parametrize("empty", ["0002_new.sql", "0002_new.rollback.sql"])
def test_a_new_empty_migration_is_pending(empty: str, empty_database: str, folder: Path) -> None:
    add_migration(folder, "0002_new", "create table thing (id int);")
    (folder / empty).write_text("-- New: say here why.\n")
    assert read_status(empty_database, folder).pending == [FIRST, "0002_new"]
    lines: list[str] = []
    with pytest.raises(MigrationError, match=rf"^{empty}: holds no SQL yet"):
        migrate(empty_database, lines.append, folder)
    assert [line.split()[1] for line in lines] == [f"{FIRST}.sql"]
    assert read_status(empty_database, folder).pending == ["0002_new"]
    (folder / empty).write_text("create table written (id int);")
    assert len(apply_all(empty_database, folder)) == 1


def test_a_rollback_without_sql_is_refused(empty_database: str, folder: Path) -> None:
    added = add_table_migration(folder)
    apply_all(empty_database, folder)
    (folder / f"{added}.rollback.sql").write_text("-- Undo.")
    with pytest.raises(MigrationError, match=rf"^{added}.rollback.sql: holds no SQL yet"):
        rollback(empty_database, print, folder)
    assert read_status(empty_database, folder).applied == [FIRST, added]


def schema_of(url: str) -> list[tuple[object, ...]]:
    query = """
        select table_name, column_name, data_type, is_nullable, column_default
        from information_schema.columns where table_schema = 'public' order by 1, 2
    """
    return run_sql(url, query)


def test_status_reports_edited_and_missing_files(empty_database: str, folder: Path) -> None:
    added = add_table_migration(folder)
    apply_all(empty_database, folder)
    (folder / f"{added}.sql").write_text("create table other (id bigint);")
    assert read_status(empty_database, folder).edited == [added]
    for path in folder.glob(f"{added}.*"):
        path.unlink()
    assert read_status(empty_database, folder) == Status(
        applied=[FIRST, added], pending=[], edited=[], gone=[added], is_locked=False
    )


def test_migrate_refuses_when_an_applied_file_was_edited(empty_database: str, folder: Path) -> None:
    added = add_table_migration(folder)
    apply_all(empty_database, folder)
    (folder / f"{added}.sql").write_text("create table other (id bigint);")
    with pytest.raises(MigrationError, match=f"{added}.sql was edited after it was applied"):
        apply_all(empty_database, folder)


def test_older_code_accepts_a_newer_schema_and_does_not_roll_it_back(
    empty_database: str, folder: Path
) -> None:
    older = shutil.copytree(folder, folder.with_name("older"))
    added = add_table_migration(folder)
    apply_all(empty_database, folder)
    assert apply_all(empty_database, older) == [
        f"{added} is applied and has no file here: newer code brought it",
        "the schema is up to date (1 migration)",
    ]
    with pytest.raises(MigrationError, match="with the code that brought it"):
        rollback(empty_database, print, older)


def test_status_writes_nothing(empty_database: str, folder: Path) -> None:
    assert read_status(empty_database, folder).pending == [FIRST]
    everything = "select count(*) from information_schema.tables where table_schema = 'public'"
    assert run_sql(empty_database, everything) == [(0,)]


def test_twenty_concurrent_migrates_of_an_empty_database_succeed(empty_database: str) -> None:
    command = [sys.executable, "-m", "service", "migrate"]
    environment = service_environment(DATABASE_URL=empty_database)
    processes = [
        subprocess.Popen(
            command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        for _ in range(20)
    ]
    outputs = [process.communicate(timeout=240)[0].decode() for process in processes]
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
    process = subprocess.Popen([sys.executable, "-c", code, url, str(folder)], cwd=ROOT)
    eventually(lambda: run_sql(url, SLEEPING))
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_migrate_succeeds_after_another_was_killed(empty_database: str, folder: Path) -> None:
    text = "create table one (id bigint);\nselect pg_sleep({});\ncreate table two (id bigint);"
    add_migration(folder, "0002_long", text.format(60))
    kill_while_migrating(empty_database, folder)
    assert run_sql(empty_database, TABLES) == [("migration_checksum",)]
    add_migration(folder, "0002_long", text.format(0))
    # PostgreSQL first has to notice that the killed client is gone; pg_sleep lasts longer.
    with within(30):
        assert apply_all(empty_database, folder)[-1].startswith("applied 0002_long.sql")
    assert run_sql(empty_database, TABLES) == [("migration_checksum",), ("one",), ("two",)]


def test_a_second_migrate_waits_for_the_first(empty_database: str, folder: Path) -> None:
    add_migration(folder, "0002_long", "select pg_sleep(3);")
    with ThreadPoolExecutor() as executor:
        first = executor.submit(apply_all, empty_database, folder)
        eventually(lambda: read_status(empty_database, folder).is_locked)
        lines = apply_all(empty_database, folder)
        assert lines[0] == "waiting for another process that is migrating"
        assert lines[-1] == "the schema is up to date (2 migrations)"
        assert len(first.result()) == 2


def test_migrate_waits_for_a_starting_database(own_postgres: Postgres) -> None:
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
        "waiting up to 30 s for the database to respond",
        f"the schema is up to date ({len(NAMES)} migrations)",
    ]


@pytest.mark.parametrize("command", [migrate, rollback, read_status])
def test_a_server_that_is_too_old_is_refused(
    command: Callable[..., object],
    empty_database: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(migrations, "OLDEST_SERVER", 990000)
    arguments = (folder,) if command is read_status else (print, folder)
    with pytest.raises(
        MigrationError, match=r"^the server has version [0-9.]+ .*needs 15 or newer$"
    ):
        command(empty_database, *arguments)
    assert run_sql(empty_database, TABLES) == []


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "WIN1252", "EUC_JP"])
def test_a_new_database_needs_utf8(encoding: str, postgres: Postgres, folder: Path) -> None:
    name = f"test_{encoding.lower()}"
    run_sql(
        postgres.url,
        f"create database {name} encoding '{encoding}' locale 'C' template template0",
    )
    url = postgres.url_of(name)
    with pytest.raises(MigrationError, match=f"has the encoding {encoding}, and documents need"):
        apply_all(url, folder)
    assert run_sql(url, TABLES) == []


def test_a_database_of_another_encoding_that_is_in_use_is_upgraded(
    postgres: Postgres, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_sql(
        postgres.url, "create database test_used encoding 'LATIN1' locale 'C' template template0"
    )
    url = postgres.url_of("test_used")
    monkeypatch.setattr(migrations, "ENCODING", "LATIN1")  # as older code accepted it
    apply_all(url, folder)
    monkeypatch.undo()
    added = add_table_migration(folder)
    assert any(f"applied {added}" in line for line in apply_all(url, folder))


def test_a_role_that_may_not_create_tables_is_named_in_the_error(postgres: Postgres) -> None:
    url = postgres.create_database()
    role = f"role_{os.urandom(4).hex()}"
    run_sql(url, f"create role {role} login")
    with pytest.raises(MigrationError, match=f'the role "{role}" may not create tables'):
        migrate(url.replace("postgres@", f"{role}@"), print)


@pytest.mark.parametrize("password", ["hunter2", "hunter%402"])
def test_a_password_in_a_drivers_error_is_masked(postgres: Postgres, password: str) -> None:
    # The error repeats the user's name, which is the same text here, decoded.
    with pytest.raises(MigrationError, match=r'role "\*\*\*" does not exist') as raised:
        read_status(postgres.url.replace("postgres@", f"{password}:{password}@"))
    assert "hunter" not in str(raised.value)


def test_migrate_waits_for_the_work_of_a_killed_process(empty_database: str, folder: Path) -> None:
    with ThreadPoolExecutor() as executor:
        with open_backend(empty_database):  # without PROCESS_LOCK, as after a kill
            assert read_status(empty_database, folder).is_locked
            lines: list[str] = []
            second = executor.submit(migrate, empty_database, lines.append, folder)
            eventually(lambda: lines)
            assert lines == ["waiting for another process that is migrating"]
        second.result()
        assert lines[1].startswith(f"applied {FIRST}.sql")


def test_the_lock_of_another_database_does_not_count(postgres: Postgres, folder: Path) -> None:
    migrating, other = postgres.create_database(), postgres.create_database()
    with open_backend(migrating):
        assert read_status(migrating, folder).is_locked
        assert not read_status(other, folder).is_locked


def test_no_migration_can_release_the_lock(empty_database: str, folder: Path) -> None:
    add_migration(folder, "0002_long", "-- transactional: false\ndiscard all;\nselect pg_sleep(3);")
    with ThreadPoolExecutor() as executor:
        first = executor.submit(apply_all, empty_database, folder)
        eventually(lambda: run_sql(empty_database, SLEEPING))
        assert read_status(empty_database, folder).is_locked
        lines = apply_all(empty_database, folder)
        assert lines[0] == "waiting for another process that is migrating"
        assert len(first.result()) == 3


@pytest.mark.parametrize("command", ["migrate", "status", "rollback"])
def test_errors_do_not_contain_the_password(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # No server listens on port 1.
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
