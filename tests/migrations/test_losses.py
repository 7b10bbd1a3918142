from __future__ import annotations

import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from service import ROOT
from service.migrations.backend import MigrationError
from service.migrations.run import read_status, rollback
from tests.support.migrations import FIRST, NAMES, add_migration, apply_all
from tests.support.postgres import run_sql
from tests.support.service import run_command, service_environment

if TYPE_CHECKING:
    from pathlib import Path

TABLES = (
    "create table thing (id int, name text, size int generated always as (id * 2) stored);"
    "create table empty (id int); create table kept (id int);"
    'create table "Odd one" (id int)'
)
ROWS = (
    "insert into thing (id) values (1), (2)",
    "insert into kept values (1), (2), (3)",
    'insert into "Odd one" values (1)',
)

LOSSES = {
    "drop table thing": "the table thing: 2 rows",
    'drop table "Odd one"': 'the table "Odd one": 1 row',
    "alter table thing drop column id cascade": "the column id of the table thing: 2 rows",
    "delete from kept where id > 1": "rows of the table kept: 2 rows",
    "truncate kept": "rows of the table kept: 3 rows",
    "drop table kept, thing": "the table kept: 3 rows; the table thing: 2 rows",
    "alter table kept rename to other; delete from other": "rows of the table kept: 3 rows",
    "do $$ begin execute 'drop table ' || 'kept'; end $$": "the table kept: 3 rows",
}
HARMLESS = (
    "drop table empty",
    "alter table thing drop column name",  # every value is null
    "alter table thing drop column size",  # generated
    "alter table kept rename to other",
    "alter table kept alter column id type bigint",
    "create index on kept (id)",
)


@pytest.fixture
def things(empty_database: str, folder: Path) -> str:
    """A database whose last migration, 0003, has the rollback that a test gives it."""
    add_migration(folder, "0002_tables", TABLES)
    add_migration(folder, "0003_last", "select 1;")
    apply_all(empty_database, folder)
    run_sql(empty_database, *ROWS)
    return empty_database


@pytest.mark.parametrize(("undo", "losses"), LOSSES.items())
def test_a_rollback_that_drops_rows_is_refused_and_changes_nothing(
    undo: str, losses: str, things: str, folder: Path
) -> None:
    (folder / "0003_last.rollback.sql").write_text(f"{undo};")
    with pytest.raises(MigrationError) as raised:
        rollback(things, print, folder)
    assert str(raised.value) == f"this would drop {losses}. Give --yes to drop that"
    assert run_sql(things, "select (select count(*) from thing), count(*) from kept") == [(2, 3)]
    assert read_status(things, folder).applied[-1] == "0003_last"
    rollback(things, print, folder, confirm=None)
    assert "0003_last" not in read_status(things, folder).applied


@pytest.mark.parametrize("undo", HARMLESS)
def test_a_rollback_that_drops_no_data_needs_no_confirmation(
    undo: str, things: str, folder: Path
) -> None:
    (folder / "0003_last.rollback.sql").write_text(f"{undo};")
    rollback(things, print, folder)
    assert read_status(things, folder).applied == [FIRST, "0002_tables"]


@pytest.mark.parametrize(
    ("undo", "is_harmless"),
    [
        ("-- Why.\ndrop index concurrently if exists kept_id;", True),
        ("reindex index concurrently kept_id; create index concurrently two on kept (id);", True),
        ("drop index concurrently kept_id; drop table kept;", False),
    ],
)
def test_a_rollback_without_a_transaction_cannot_be_tried(
    undo: str, *, is_harmless: bool, things: str, folder: Path
) -> None:
    index = "-- transactional: false\ncreate index concurrently kept_id on kept (id);"
    add_migration(folder, "0004_index", index, undo)
    apply_all(things, folder)
    if not is_harmless:
        with pytest.raises(MigrationError, match=r"drop whatever 0004_index\.rollback\.sql drops"):
            rollback(things, print, folder)
        return
    rollback(things, print, folder)
    assert "0004_index" not in read_status(things, folder).applied


def test_the_command_asks_on_a_terminal_and_needs_yes_elsewhere(database: str) -> None:
    while read_status(database).applied != NAMES[:2]:
        rollback(database, print)
    run_sql(database, "insert into project (name) values ('Payments')")
    result = run_command("rollback", DATABASE_URL=database)
    assert result.returncode == 1
    assert "error: this would drop the table project: 1 row. Give --yes" in result.stderr
    code, output = answer_on_terminal(database, "n")
    assert code == 1
    assert "This drops:\r\n  the table project: 1 row\r\nRoll back? [y/N]" in output
    assert "error: nothing was rolled back" in output
    assert read_status(database).applied == NAMES[:2]
    code, output = answer_on_terminal(database, "y")
    assert code == 0
    assert f"rolled back {NAMES[1]}.sql" in output
    assert apply_all(database, ROOT / "sql")
    run_sql(database, "insert into project (name) values ('Payments')")
    while read_status(database).applied != NAMES[:1]:
        assert run_command("rollback", "--yes", DATABASE_URL=database).returncode == 0


def answer_on_terminal(database: str, answer: str) -> tuple[int, str]:
    """Run `rollback` on a terminal of its own; return its exit code and output."""
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "service", "rollback"],
            cwd=ROOT,
            env=service_environment(DATABASE_URL=database),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.write(ours, f"{answer}\n".encode())
            os.close(theirs)
            output = b""
            try:
                while chunk := os.read(ours, 4096):
                    output += chunk
            except OSError:  # Linux reports the end of a terminal so
                pass
            return process.wait(), output.decode()
    finally:
        os.close(ours)
