"""Migrate, roll back, and compare the schema with the files, under an advisory lock."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import psycopg
from psycopg import pq
from psycopg.rows import scalar_row
from yoyo.migrations import default_migration_table

from service.connecting.rights import MISSING_GRANTS
from service.connecting.url import read_url
from service.migrations.backend import (
    PROCESS_LOCK,
    WORK_LOCK,
    MigrationError,
    open_backend,
)
from service.migrations.files import SQL_FOLDER, MigrationFile, has_sql, read_migration_files
from service.migrations.session import connect, conninfo, describe_error, exists

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

LOCK_WAIT_SECONDS: Final = 600.0
START_WAIT_SECONDS: Final = 30.0
POLL_SECONDS: Final = 0.1
ENCODING: Final = "UTF8"
# With 14 the migrations and the service work, though nothing tests that.
OLDEST_SERVER: Final = 140000


@dataclass(frozen=True)
class Status:
    """The schema compared with the files. The lists hold migration ids, in order."""

    applied: list[str]
    pending: list[str]
    edited: list[str]  # applied, and the file was changed since
    gone: list[str]  # applied, and the file does not exist: deleted, or part of newer code
    is_locked: bool  # another process is migrating


def migrate(url: str, report: Callable[[str], None], folder: Path = SQL_FOLDER) -> None:
    """Apply every pending migration, each in one transaction with its bookkeeping.

    `report` gets a line for each step. Raises MigrationError or MigrationFileError; the migrations
    before the failed one stay applied.
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
            report(f"the schema is up to date ({_count_migrations(len(files))})")
            return
        if not status.applied:
            _check_encoding(connection)
        _check_create_privilege(connection)
        with open_backend(url) as backend:
            for file in pending:
                # Applied empty, the file would count as edited as soon as it is written.
                _check_written(file.path)
                _check_written(file.rollback_path)
                _report_patience(file, file.path, report)
                started = time.monotonic()
                backend.apply_file(file)
                report(f"applied {file.path.name} in {_milliseconds(started)} ms")


def refuse_losses(losses: list[str]) -> None:
    """Raise MigrationError, which lists what a rollback would drop."""
    raise MigrationError(f"this would drop {'; '.join(losses)}. Give --yes to drop that")


def rollback(
    url: str,
    report: Callable[[str], None],
    folder: Path = SQL_FOLDER,
    *,
    confirm: Callable[[list[str]], None] | None = refuse_losses,
) -> None:
    """Undo the last applied migration. Raises MigrationError or MigrationFileError.

    If that drops rows, `confirm` gets a list of them, and raises MigrationError to keep them. None
    drops them. Other processes that migrate wait meanwhile.
    """
    files = {file.id: file for file in read_migration_files(folder)}
    with _locked(url, report) as connection:
        _check_version(connection)
        _check_rights(connection)
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
        _check_written(files[last].rollback_path)
        with open_backend(url) as backend:
            if confirm is not None and (losses := backend.find_losses(files[last])):
                confirm(losses)
            _report_patience(files[last], files[last].rollback_path, report)
            started = time.monotonic()
            backend.roll_back_file(files[last])
            report(f"rolled back {last}.sql in {_milliseconds(started)} ms")


def read_status(url: str, folder: Path = SQL_FOLDER) -> Status:
    """Compare the schema with the files; writes nothing.

    Raises MigrationError or MigrationFileError.
    """
    files = read_migration_files(folder)
    with _readable_errors(url), connect(url) as connection:
        return _compare(connection, files)


@contextmanager
def _locked(url: str, report: Callable[[str], None]) -> Generator[psycopg.Connection[Any]]:
    with _readable_errors(url), _connect_when_ready(url, report) as connection:
        deadline = time.monotonic() + LOCK_WAIT_SECONDS
        is_reported = False
        # Not the blocking pg_advisory_lock: a waiting statement holds a snapshot, and another
        # process's `create index concurrently` would wait for that, a deadlock.
        while not _take_lock(connection):
            if time.monotonic() > deadline:
                raise MigrationError(
                    f"another process has been migrating for {LOCK_WAIT_SECONDS:.0f} s; "
                    "try again when it is done"
                )
            if not is_reported:
                report("waiting for another process that is migrating")
                is_reported = True
            time.sleep(POLL_SECONDS)
        yield connection


def _take_lock(connection: psycopg.Connection[Any]) -> bool:
    is_ours = _fetch_value(connection, "select pg_try_advisory_lock(%s)", PROCESS_LOCK)
    # The server may still execute the statement of a killed process.
    return is_ours and not _is_locked(connection, WORK_LOCK)


def _connect_when_ready(url: str, report: Callable[[str], None]) -> psycopg.Connection[Any]:
    deadline = time.monotonic() + START_WAIT_SECONDS
    is_reported = is_ready = False
    while True:
        try:
            return connect(url)
        except psycopg.OperationalError:
            # libpq's errors have no codes, but its ping tells "starting" from "refused". The server
            # may have become ready before the ping, so connect once more before giving up.
            was_ready, state = is_ready, pq.PGconn.ping(conninfo(url).encode())
            is_ready = state not in (pq.Ping.REJECT, pq.Ping.NO_RESPONSE)
            if (was_ready and is_ready) or time.monotonic() > deadline:
                raise
        if not (is_ready or is_reported):
            report(f"waiting up to {START_WAIT_SECONDS:.0f} s for the database to respond")
            is_reported = True
        time.sleep(POLL_SECONDS)


def _compare(connection: psycopg.Connection[Any], files: list[MigrationFile]) -> Status:
    _check_version(connection)
    _check_rights(connection)
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
        is_locked=_is_locked(connection, PROCESS_LOCK, WORK_LOCK),
    )


def _check_version(connection: psycopg.Connection[Any]) -> None:
    if connection.info.server_version < OLDEST_SERVER:
        version = connection.info.parameter_status("server_version")
        raise MigrationError(
            f"the server has version {version} of PostgreSQL, and the service needs 15 or newer"
        )


def _check_rights(connection: psycopg.Connection[Any]) -> None:
    rows = connection.cursor(row_factory=scalar_row).execute(MISSING_GRANTS.encode()).fetchall()
    if rows:
        raise MigrationError(
            f'the role "{connection.info.user}" may not read which migrations are applied: run '
            f"`{'; '.join(rows)}`"
        )


def _read_applied(connection: psycopg.Connection[Any]) -> list[str]:
    if not exists(connection, default_migration_table):
        return []
    query = "select migration_id from _yoyo_migration order by migration_id"
    return connection.cursor(row_factory=scalar_row).execute(query).fetchall()


def _read_checksums(connection: psycopg.Connection[Any]) -> dict[str, str]:
    if not exists(connection, "migration_checksum"):
        return {}
    return dict(connection.execute("select migration_id, sha256 from migration_checksum"))


def _is_locked(connection: psycopg.Connection[Any], *locks: int) -> bool:
    query = """
        select exists (
            select from pg_locks
            where locktype = 'advisory'
              and database = (select oid from pg_database where datname = current_database())
              and (classid::bigint << 32) + objid::bigint = any(%s)
              and objsubid = 1
              and granted
              and pid <> pg_backend_pid()
        )
    """
    return bool(_fetch_value(connection, query, list(locks)))


def _check_encoding(connection: psycopg.Connection[Any]) -> None:
    # With another encoding the service would serve until a text has a letter which that one lacks,
    # or, with SQL_ASCII, whose characters PostgreSQL cannot count.
    encoding = _fetch_value(connection, "show server_encoding")
    if encoding != ENCODING:
        raise MigrationError(
            f"the database has the encoding {encoding}, and documents need {ENCODING}: create it "
            f"anew with `create database NAME encoding '{ENCODING}' template template0`"
        )


def _check_create_privilege(connection: psycopg.Connection[Any]) -> None:
    # yoyo itself would retry for ten seconds, and then report a missing table.
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
        raise MigrationError(_without_password(describe_error(error), url)) from error


def _without_password(text: str, url: str) -> str:
    address = read_url(url)
    for secret in (address.password, address.options.get("sslpassword")):
        for form in {secret, quote(secret, safe="")} if secret else ():
            text = text.replace(form, "***")
    return text


def _check_written(path: Path) -> None:
    if not has_sql(path):
        raise MigrationError(f"{path.name}: holds no SQL yet: write it, or delete the migration")


def _report_patience(file: MigrationFile, path: Path, report: Callable[[str], None]) -> None:
    if not file.is_transactional:
        report(f"{path.name} runs without a transaction and may wait for those of the service")


def _milliseconds(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _count_migrations(number: int) -> str:
    return f"{number} migration" if number == 1 else f"{number} migrations"
