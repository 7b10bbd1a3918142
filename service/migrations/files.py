"""The files in `sql/`, checked for mistakes that yoyo would silently ignore."""

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from service import ROOT

SQL_FOLDER = ROOT / "sql"

FILE_NAME = re.compile(r"(?P<number>[0-9]{4})_[a-z0-9_]+(?P<rollback>\.rollback)?\.sql")

# yoyo silently ignores a directive that is misspelt or stands further down.
NOT_TRANSACTIONAL = "-- transactional: false\n"
DIRECTIVE = re.compile(r"(?im)^\s*--\s*(non-?)?(transaction\w*|depends)\s*[:=].*$")
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)


class MigrationFileError(Exception):
    """A file in `sql/` breaks a rule. `str()` names the file and says what is wrong."""


class MigrationFile(NamedTuple):
    """A migration: `path` applies it, `rollback_path` undoes it."""

    id: str
    path: Path
    sha256: str
    is_transactional: bool

    @property
    def rollback_path(self) -> Path:
        """Return the file that undoes the migration."""
        return self.path.with_suffix(".rollback.sql")


def read_migration_files(folder: Path = SQL_FOLDER) -> list[MigrationFile]:
    """Return the migrations of a folder in the order in which they apply.

    Raises MigrationFileError for a missing or empty folder, a name that is not
    `0001_like_this.sql`, a number used twice, a missing rollback, and a misspelt directive.
    """
    if not folder.is_dir():
        raise MigrationFileError(f"{folder} does not exist: the migrations are missing")
    paths = sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    migrations = [
        _read_migration(path) for path in paths if not path.name.endswith(".rollback.sql")
    ]
    if not migrations:
        raise MigrationFileError(f"{folder} holds no migrations")
    _check_numbers(migrations)
    _check_rollbacks(migrations, paths)
    return migrations


def read_migration_ids() -> list[str]:
    """Return the ids of the migrations that the code needs. Raises MigrationFileError."""
    return [file.id for file in read_migration_files()]


def has_sql(path: Path) -> bool:
    """Return whether a file has more than comments, as a new migration does not."""
    return bool(COMMENT.sub("", path.read_text(encoding="utf-8")).strip(" \t\r\n;"))


def create_migration_files(title: str, folder: Path = SQL_FOLDER) -> list[Path]:
    """Create the next numbered migration and its rollback; return both paths.

    Raises MigrationFileError if `title` has no character for a file name, or if the folder's files
    break a rule.
    """
    slug = re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")[:80]
    if not slug:
        raise MigrationFileError(
            'name the migration in plain words, as in: just new "add projects"'
        )
    number = int(read_migration_files(folder)[-1].id[:4]) + 1
    apply = folder / f"{number:04}_{slug}.sql"
    rollback = apply.with_suffix(".rollback.sql")
    apply.write_text(f"-- {title.strip()}: say here why.\n", encoding="utf-8")
    rollback.write_text(f"-- Undo {apply.name}.\n", encoding="utf-8")
    return [apply, rollback]


def _read_migration(path: Path) -> MigrationFile:
    if not FILE_NAME.fullmatch(path.name):
        raise MigrationFileError(
            f"{path.name}: the name is not four digits, then lower-case words, "
            "as in 0002_add_projects.sql"
        )
    text = _read_sql(path)
    is_transactional = not text.startswith(NOT_TRANSACTIONAL)
    if directive := DIRECTIVE.search(text.removeprefix(NOT_TRANSACTIONAL)):
        raise MigrationFileError(
            f"{path.name}: `{directive.group().strip()}` does nothing; the one directive is "
            f"`{NOT_TRANSACTIONAL.strip()}`, spelt so, as the first line"
        )
    return MigrationFile(
        id=path.stem,
        path=path,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        is_transactional=is_transactional,
    )


def _read_sql(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")  # universal newlines: \r\n reads as \n
    except UnicodeDecodeError as error:
        raise MigrationFileError(f"{path.name}: is not UTF-8 (byte {error.start})") from error
    if text.startswith("\ufeff"):
        raise MigrationFileError(f"{path.name}: begins with a byte order mark; save it without")
    return text


def _check_numbers(migrations: list[MigrationFile]) -> None:
    for expected, migration in enumerate(migrations, start=1):
        if int(migration.id[:4]) != expected:
            raise MigrationFileError(
                f"{migration.path.name}: the next number is {expected:04}; each is used once, "
                "without a gap"
            )


def _check_rollbacks(migrations: list[MigrationFile], paths: list[Path]) -> None:
    wanted = {migration.rollback_path for migration in migrations}
    for path in sorted(wanted):
        if path not in paths:
            raise MigrationFileError(f"{path.name}: is missing; every migration has a rollback")
        _read_sql(path)
    for path in paths:
        if path.name.endswith(".rollback.sql") and path not in wanted:
            raise MigrationFileError(f"{path.name}: there is no migration that it belongs to")
