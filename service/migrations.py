"""Migrations: applied by yoyo, under an advisory lock, with checksums for drift."""

from __future__ import annotations

import getpass
import os
import re
import socket
import time
import uuid
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import pq
from psycopg.conninfo import make_conninfo
from psycopg.rows import scalar_row
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, default_migration_table, read_sql_migration

from service.migration_files import SQL_FOLDER, MigrationFile, read_migration_files

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

# Any number that no other program locks in this database: "BMADFLOW" in ASCII.
ADVISORY_LOCK: Final = 0x424D4144_464C4F57

LOCK_WAIT_SECONDS: Final = 600.0
START_WAIT_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 5
POLL_SECONDS: Final = 0.1

# How long a statement may queue for a lock that the live service holds: while it queues, every
# request for that table queues behind it.
LOCK_TIMEOUT: Final = "5s"

# A file that ends the transaction it runs in would be half applied when a later statement fails.
TRANSACTION_CONTROL = re.compile(r"(?i)(begin|start|commit|end|rollback|abort|prepare\s+trans)\b")
LEADING_COMMENTS = re.compile(r"(\s+|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


class MigrationError(Exception):
    """The schema could not be brought to where it should be; `str()` is one readable line."""


@dataclass(frozen=True)
class Status:
    """How the schema stands to the files: migration ids, each list in order."""

    applied: list[str]
    pending: list[str]
    edited: list[str]  # applied, and the file has been changed since
    gone: list[str]  # applied, and there is no such file: deleted, or brought by newer code
    is_locked: bool  # another process is migrating


def migrate(url: str, report: Callable[[str], None], folder: Path = SQL_FOLDER) -> None:
    """Apply every pending migration, each in one transaction with its bookkeeping.

    `report` gets a line for each thing done. Raises MigrationError or MigrationFileError; what
    was applied before the file that failed stays applied.
    """
    files = read_migration_files(folder)
    with _locked(url, report) as connection:
        status = _compare(connection, files)
        if status.edited:
            raise MigrationError(
                f"{status.edited[0]}.sql was edited after it was applied: restore the file and "
                "put the change into a new migration"
            )
        for migration_id in status.gone:
            report(f"{migration_id} is applied and has no file here: newer code brought it")
        pending = [file for file in files if file.id in status.pending]
        if not pending:
            report(f"the schema is up to date ({_count(len(files))})")
            return
        _check_may_create(connection)
        with _open_backend(url) as backend:
            for file in pending:
                started = time.monotonic()
                backend.apply_file(file)
                report(f"applied {file.path.name} in {_milliseconds(started)} ms")


def rollback(url: str, report: Callable[[str], None], folder: Path = SQL_FOLDER) -> None:
    """Undo the last applied migration. Raises MigrationError or MigrationFileError."""
    files = {file.id: file for file in read_migration_files(folder)}
    with _locked(url, report) as connection:
        applied = _read_applied(connection)
        if not applied:
            report("there is nothing to roll back")
            return
        last = applied[-1]
        if last not in files:
            raise MigrationError(
                f"{last} was applied last and has no file here: roll it back with the code that "
                "brought it"
            )
        with _open_backend(url) as backend:
            started = time.monotonic()
            backend.roll_back_file(files[last])
            report(f"rolled back {last}.sql in {_milliseconds(started)} ms")


def read_status(url: str, folder: Path = SQL_FOLDER) -> Status:
    """Compare the schema with the files; writes nothing.

    Raises MigrationError or MigrationFileError.
    """
    files = read_migration_files(folder)
    with _readable_errors(url), _connect(url) as connection:
        return _compare(connection, files)


class _Backend(PostgresqlPsycopgBackend):
    """yoyo's bookkeeping, with a migration and every mark of it in one transaction.

    yoyo itself commits the migration before it marks it as applied. A kill between the two
    leaves one that neither counts as applied nor can be applied again.
    """

    _connection: psycopg.Connection[Any]

    def __init__(self, url: str) -> None:
        self._url = url
        unused = DatabaseURI("postgresql+psycopg", None, None, None, None, None, {})
        super().__init__(unused, default_migration_table)

    @property
    def connection(self) -> psycopg.Connection[Any]:
        return self._connection

    def connect(self, dburi: object) -> psycopg.Connection[Any]:
        # libpq reads the URL itself: yoyo's own parser knows neither several hosts nor sockets.
        return _connect(self._url)

    def init_connection(self, connection: psycopg.Connection[Any]) -> None:
        connection.execute(f"set lock_timeout = '{LOCK_TIMEOUT}'")
        # The limit that a role or a database sets for requests is not meant for migrations.
        connection.execute("set statement_timeout = 0")

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        # yoyo's own asks for a user name, which a container may not have, and for a full host
        # name, which a broken resolver takes half a minute not to find.
        return {
            "id": str(uuid.uuid1()),
            "migration_id": migration.id,
            "migration_hash": migration.hash,
            "username": _user_name(),
            "hostname": socket.gethostname(),
            "created_at_utc": datetime.now(UTC).replace(tzinfo=None),
            "operation": operation,
        }

    def apply_file(self, file: MigrationFile) -> None:
        with self._transaction(file):
            self._run(file.path, file.is_transactional)
            migration = Migration(file.id, str(file.path), str(file.path.parent))
            self.mark_one(migration, log=False)
            self.log_migration(migration, "apply")
            self.connection.execute(
                "insert into migration_checksum (migration_id, sha256) values (%s, %s)",
                (file.id, file.sha256),
            )

    def roll_back_file(self, file: MigrationFile) -> None:
        with self._transaction(file):
            # First, since rolling back the very first migration takes this table away.
            self.connection.execute(
                "delete from migration_checksum where migration_id = %s", (file.id,)
            )
            self._run(file.rollback_path, file.is_transactional)
            migration = Migration(file.id, str(file.path), str(file.path.parent))
            self.unmark_one(migration, log=False)
            self.log_migration(migration, "rollback")

    @contextmanager
    def _transaction(self, file: MigrationFile) -> Generator[None]:
        transaction = self.connection.transaction() if file.is_transactional else nullcontext()
        try:
            with transaction:
                yield
        except psycopg.Error as error:  # of the bookkeeping, or of a constraint that was deferred
            raise MigrationError(f"{file.path.name}: {_describe(error)}") from error

    def _run(self, path: Path, is_transactional: bool) -> None:
        text = path.read_text(encoding="utf-8")
        _, _, statements = read_sql_migration(str(path))
        offset = 0
        for statement in statements:
            start = text.index(statement, offset)
            offset = start + len(statement)
            body = start + _leading_comments(statement)
            if is_transactional and TRANSACTION_CONTROL.match(text, body):
                raise MigrationError(
                    f"{path.name}, line {_line(text, body)}: a migration runs in a transaction "
                    "already; take this statement out"
                )
            try:
                self.connection.execute(statement.encode())
            except psycopg.Error as error:
                position = error.diag.statement_position
                at = start + int(position) - 1 if position else body
                raise MigrationError(
                    f"{path.name}, line {_line(text, at)}: {_describe(error)}"
                ) from error


@contextmanager
def _open_backend(url: str) -> Generator[_Backend]:
    with _Backend(url) as backend:
        backend.create_lock_table()
        # yoyo's lock is a row that stays behind when its process is killed. Under the advisory
        # lock nobody else can hold it, so one that is there is such a leftover.
        backend.break_lock()
        with backend.lock():
            backend.ensure_internal_schema_updated()
            yield backend


@contextmanager
def _locked(url: str, report: Callable[[str], None]) -> Generator[psycopg.Connection[Any]]:
    # On a connection of its own: the lock then ends with this process and with nothing else.
    with _readable_errors(url), _connect_when_ready(url, report) as connection:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        is_told = False
        # Not the blocking pg_advisory_lock: a statement that waits holds a snapshot, for which
        # another process's `create index concurrently` waits in turn.
        while not _fetch_value(connection, "select pg_try_advisory_lock(%s)", ADVISORY_LOCK):
            if time.monotonic() > deadline:
                raise MigrationError(
                    f"another process has been migrating for {LOCK_WAIT_SECONDS:.0f} s; "
                    "try again when it is done"
                )
            if not is_told:
                report("waiting for another process that is migrating")
                is_told = True
            time.sleep(POLL_SECONDS)
        yield connection


def _connect_when_ready(url: str, report: Callable[[str], None]) -> psycopg.Connection[Any]:
    deadline = time.monotonic() + START_WAIT_SECONDS
    is_told = False
    while True:
        try:
            return _connect(url)
        except psycopg.OperationalError:
            # libpq gives no code for what went wrong; its ping tells "starting" from "refused".
            state = pq.PGconn.ping(_conninfo(url).encode())
            if state not in (pq.Ping.REJECT, pq.Ping.NO_RESPONSE) or time.monotonic() > deadline:
                raise
        if not is_told:
            report(f"waiting up to {START_WAIT_SECONDS:.0f} s for the database to answer")
            is_told = True
        time.sleep(POLL_SECONDS)


def _connect(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(_conninfo(url), autocommit=True)


def _conninfo(url: str) -> str:
    return make_conninfo(
        url, connect_timeout=CONNECT_SECONDS, application_name="bmadflow-api migrate"
    )


def _compare(connection: psycopg.Connection[Any], files: list[MigrationFile]) -> Status:
    applied = _read_applied(connection)
    checksums = _read_checksums(connection)
    ids = {file.id for file in files}
    return Status(
        applied=applied,
        pending=[file.id for file in files if file.id not in applied],
        edited=[
            file.id
            for file in files
            if file.id in applied and checksums.get(file.id) != file.sha256
        ],
        gone=[migration_id for migration_id in applied if migration_id not in ids],
        is_locked=_is_locked(connection),
    )


def _read_applied(connection: psycopg.Connection[Any]) -> list[str]:
    if not _exists(connection, default_migration_table):
        return []
    query = "select migration_id from _yoyo_migration order by migration_id"
    return connection.cursor(row_factory=scalar_row).execute(query).fetchall()


def _read_checksums(connection: psycopg.Connection[Any]) -> dict[str, str]:
    if not _exists(connection, "migration_checksum"):
        return {}
    return dict(connection.execute("select migration_id, sha256 from migration_checksum"))


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    return bool(_fetch_value(connection, "select to_regclass(%s) is not null", table))


def _is_locked(connection: psycopg.Connection[Any]) -> bool:
    query = """
        select exists (
            select from pg_locks
            where locktype = 'advisory'
              and database = (select oid from pg_database where datname = current_database())
              and (classid::bigint << 32) + objid::bigint = %s
              and objsubid = 1
              and granted
              and pid <> pg_backend_pid()
        )
    """
    return bool(_fetch_value(connection, query, ADVISORY_LOCK))


def _check_may_create(connection: psycopg.Connection[Any]) -> None:
    # Without this yoyo tries for ten seconds and then speaks of a table that is not there.
    query = "select has_schema_privilege(current_schema(), 'create')"
    if not _fetch_value(connection, query):
        user = connection.info.user
        raise MigrationError(
            f'the role "{user}" may not create tables in the schema of this database: '
            f'run `grant create on schema public to "{user}"`, or set another search_path'
        )


def _fetch_value(connection: psycopg.Connection[Any], query: str, *arguments: object) -> Any:
    row = connection.execute(query.encode(), arguments or None).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def _readable_errors(url: str) -> Generator[None]:
    try:
        yield
    except psycopg.Error as error:
        raise MigrationError(_without_password(_describe(error), url)) from error


def _describe(error: psycopg.Error) -> str:
    diagnostics = error.diag
    # One line: libpq's own errors come in several.
    text = " ".join((diagnostics.message_primary or str(error)).split())
    if diagnostics.message_detail:
        text += f" ({diagnostics.message_detail})"
    if isinstance(error, psycopg.errors.LockNotAvailable):
        text += (
            f": the live service kept the lock for {LOCK_TIMEOUT}. Nothing was changed; "
            "try again, best when it is less busy"
        )
    return text


def _without_password(text: str, url: str) -> str:
    password = urlsplit(url).password
    for form in {password, unquote(password)} if password else ():
        text = text.replace(form, "***")
    return text


def _leading_comments(statement: str) -> int:
    match = LEADING_COMMENTS.match(statement)
    return match.end() if match else 0


def _line(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without an entry in passwd
        return f"uid {os.getuid()}"


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _count(number: int) -> str:
    return f"{number} migration" if number == 1 else f"{number} migrations"
