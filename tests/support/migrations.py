"""Migrations that tests add to those of the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.migrations.files import read_migration_files
from service.migrations.run import migrate, rollback
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from pathlib import Path

TABLES = """
    select table_name from information_schema.tables
    where table_schema = 'public' and table_name !~ 'yoyo' order by 1
"""
APPLIED = "select migration_id from _yoyo_migration order by 1"

NAMES = [file.id for file in read_migration_files()]
FIRST = "0001_create_migration_checksum"


def add_migration(folder: Path, name: str, apply: str, undo: str = "select 1;") -> None:
    (folder / f"{name}.sql").write_text(apply)
    (folder / f"{name}.rollback.sql").write_text(undo)


def apply_all(url: str, folder: Path) -> list[str]:
    """Apply the pending migrations of a folder; return the reported lines."""
    lines: list[str] = []
    migrate(url, lines.append, folder)
    return lines


def add_table_migration(folder: Path) -> str:
    """Add a migration of a table `thing` with the next number; return its id."""
    name = f"{len(list(folder.glob('*.sql'))) // 2 + 1:04}_add_thing"
    add_migration(folder, name, "create table thing (id bigint primary key);", "drop table thing;")
    return name


def roll_back_what_runs_need(url: str) -> None:
    """Undo the last migrations, up to one whose table a run writes: others only add indexes."""
    while run_sql(url, "select to_regclass('burnup_day')") != [(None,)]:
        rollback(url, print, confirm=None)
