from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.migrations.files import (
    MigrationFileError,
    create_migration_files,
    has_sql,
    read_migration_files,
)

if TYPE_CHECKING:
    from pathlib import Path

TABLE = "create table thing (id bigint primary key);\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_first.sql").write_text(TABLE)
    (tmp_path / "0001_first.rollback.sql").write_text("drop table thing;\n")
    return tmp_path


def test_the_projects_files_are_valid() -> None:
    for file in read_migration_files():
        assert has_sql(file.path)
        assert has_sql(file.rollback_path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("-- later\n", False),
        ("-- later\n/* much\nlater */\n;\n", False),
        ("-- transactional: false\n", False),
        ("-- why\nselect 1", True),
    ],
)
def test_a_file_of_comments_has_no_sql(text: str, *, expected: bool, folder: Path) -> None:
    path = folder / "0002_new.sql"
    path.write_text(text)
    assert has_sql(path) is expected


def test_line_endings_do_not_change_the_checksum(folder: Path) -> None:
    before = read_migration_files(folder)
    (folder / "0001_first.sql").write_bytes(TABLE.replace("\n", "\r\n").encode())
    assert read_migration_files(folder) == before


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("0002_Second.sql", TABLE, "the name is not"),
        ("2_second.sql", TABLE, "the name is not"),
        ("0001_again.sql", TABLE, "the next number is 0002"),
        ("0003_third.sql", TABLE, "the next number is 0002"),
        ("0002_second.sql", TABLE, "0002_second.rollback.sql: is missing"),
        ("0009_stray.rollback.sql", TABLE, "no migration that it belongs to"),
        ("0001_first.sql", f"-- transactional:false\n{TABLE}", "does nothing"),
        ("0001_first.sql", f"-- Transactional: False\n{TABLE}", "does nothing"),
        ("0001_first.sql", f"-- transaction: false\n{TABLE}", "does nothing"),
        ("0001_first.sql", f"-- why\n-- transactional: false\n{TABLE}", "does nothing"),
        ("0001_first.sql", f"-- depends: 0000_zero\n{TABLE}", "does nothing"),
    ],
)
def test_mistakes_that_yoyo_ignores_are_refused(
    name: str, content: str, complaint: str, folder: Path
) -> None:
    (folder / name).write_text(content)
    with pytest.raises(MigrationFileError, match=complaint):
        read_migration_files(folder)


def test_a_file_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "0001_first.sql").write_bytes(b"select '\xff';")
    with pytest.raises(MigrationFileError, match="is not UTF-8"):
        read_migration_files(folder)


def test_a_byte_order_mark_is_refused(folder: Path) -> None:
    (folder / "0001_first.sql").write_bytes(b"\xef\xbb\xbfselect 1;")
    with pytest.raises(MigrationFileError, match=r"^0001_first.sql: begins with a byte order mark"):
        read_migration_files(folder)


def test_a_missing_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationFileError, match="holds no migrations"):
        read_migration_files(tmp_path)
    with pytest.raises(MigrationFileError, match="does not exist"):
        read_migration_files(tmp_path / "sql")


def test_a_comment_about_transactions_is_no_directive(folder: Path) -> None:
    text = f"-- transactional code depends on this table\n{TABLE}"
    (folder / "0001_first.sql").write_text(text)
    assert read_migration_files(folder)[0].is_transactional


def test_the_transactional_directive_is_read(folder: Path) -> None:
    (folder / "0001_first.sql").write_text(f"-- transactional: false\n{TABLE}")
    assert not read_migration_files(folder)[0].is_transactional


def test_a_new_migration_gets_the_next_number_and_a_rollback(folder: Path) -> None:
    paths = create_migration_files("Add  projects, & more!", folder)
    assert [path.name for path in paths] == [
        "0002_add_projects_more.sql",
        "0002_add_projects_more.rollback.sql",
    ]
    for path in paths:
        path.write_text(TABLE)
    assert [file.id for file in read_migration_files(folder)][1] == "0002_add_projects_more"


@pytest.mark.parametrize("title", ["", " ", "../..", "émigré"])
def test_a_title_cannot_name_a_file_outside_the_folder(title: str, folder: Path) -> None:
    before = set(folder.parent.iterdir())
    try:
        paths = create_migration_files(title, folder)
    except MigrationFileError:
        paths = []
    assert {path.parent for path in paths} <= {folder}
    assert set(folder.parent.iterdir()) == before
