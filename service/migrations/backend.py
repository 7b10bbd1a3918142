"""yoyo's PostgreSQL backend, with each migration and its bookkeeping in one transaction."""

from __future__ import annotations

import getpass
import os
import re
import socket
import uuid
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import Migration, default_migration_table, read_sql_migration

from service.migrations.extensions import describe_denied, describe_unusable, find_extension
from service.migrations.files import NOT_TRANSACTIONAL
from service.migrations.losses import find_losses
from service.migrations.session import connect, describe_error, exists, set_up_session

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from service.migrations.files import MigrationFile

# Advisory locks. PROCESS_LOCK is on a connection of its own, so that no migration can release it,
# and lasts as long as the process. WORK_LOCK is on the connection that migrates and lasts as long
# as the server executes its statements, which it does for a while after the process was killed.
# The numbers must be unused by other programs on this database: "BMADFLOW" in ASCII, and the next.
PROCESS_LOCK: Final = 0x424D4144_464C4F57
WORK_LOCK: Final = PROCESS_LOCK + 1

# A file that ended its transaction would stay half applied if a later statement failed.
TRANSACTION_CONTROL = re.compile(r"(?i)(begin|start|commit|end|rollback|abort|prepare\s+trans)\b")
COPY_FROM_CLIENT = re.compile(r"(?is)copy\b.*\b(stdin|stdout)\b")
LEADING_COMMENTS = re.compile(r"(\s+|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)

# The file's statements that ran before the failed one, where no transaction undoes them.
KEPT: Final = "the file runs without a transaction, so the statements before this one stay done"
INVALID_INDEXES: Final = """
    select indexrelid::regclass::text from pg_index
    where not indisvalid order by 1
"""
IDENTIFIER: Final = r'(?:"(?:[^"]|"")+"|[a-z_\x80-\uffff][\w$]*)'
QUALIFIED: Final = rf"{IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})?"
CONCURRENT_INDEX = re.compile(
    rf"(?i)create\s+(?:unique\s+)?index\s+concurrently\s+(?:if\s+not\s+exists\s+)?"
    rf"(?P<name>{IDENTIFIER})\s+on\s+(?:only\s+)?(?P<table>{QUALIFIED})"
)

REINDEX = re.compile(
    r"(?i)reindex\b(?=.*\bconcurrently\b)\s*(?:\([^)]*\)\s*)?(?:index|table)\s+(?:concurrently\s+)?"
    rf"(?P<name>{QUALIFIED})",
    re.DOTALL,
)

UNNAMED_INDEX = re.compile(r"(?i)create\s+(?:unique\s+)?index\s+concurrently\s+on\b")
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)

INDEX_STATEMENT = re.compile(r"(?i)(drop|create|create\s+unique|re)\s*index\b")


class MigrationError(Exception):
    """Migrating or rolling back failed. `str()` is one readable line."""


class MigrationBackend(PostgresqlPsycopgBackend):
    """yoyo's bookkeeping, in the same transaction as the migration.

    yoyo itself commits a migration before it marks it as applied. A kill between the two leaves a
    migration that does not count as applied and cannot be applied again.
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
        # libpq parses the URL: yoyo's own parser supports neither several hosts nor sockets.
        return connect(self._url)

    def _delete_lock_row(self, pid: int) -> None:
        # On a closed connection this would fail and hide the error that closed it. The next
        # process's break_lock deletes the row.
        if not self.connection.closed:
            self.connection.rollback()
            self._reset_session()
            super()._delete_lock_row(pid)

    def get_log_data(self, migration: Any = None, operation: str = "apply") -> dict[str, Any]:
        # yoyo's own needs a user name, which a container may lack, and looks up the full host
        # name, for which a broken resolver takes half a minute.
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
        """Apply a migration and record it as applied.

        Raises MigrationError. The migration has then changed nothing, unless the file is not
        transactional: the statements before the failed one stay done.
        """
        migration = Migration(file.id, str(file.path), str(file.path.parent))
        with self._transaction(file):
            self._run_statements(file.path, file.is_transactional)
            self._reset_session()
            with self.connection.transaction():
                self.mark_one(migration, log=False)
                self.log_migration(migration, "apply")
                self.connection.execute(
                    "insert into migration_checksum (migration_id, sha256) values (%s, %s)",
                    (file.id, file.sha256),
                )

    def find_losses(self, file: MigrationFile) -> list[str]:
        """Return the tables and columns whose data the rollback of a migration would drop.

        Raises MigrationError where the rollback fails.
        """
        if not file.is_transactional:
            # Such a file cannot be tried. Indexes hold no data of their own.
            _, _, statements = read_sql_migration(str(file.rollback_path))
            bodies = [text[_leading_comments_length(text) :] for text in statements]
            is_harmless = all(INDEX_STATEMENT.match(body) for body in bodies if body)
            return [] if is_harmless else [f"whatever {file.rollback_path.name} drops"]
        with self._transaction(file):
            return find_losses(
                self.connection, lambda: self._run_statements(file.rollback_path, True)
            )

    def roll_back_file(self, file: MigrationFile) -> None:
        """Undo a migration and delete its record. Raises MigrationError as apply_file does."""
        migration = Migration(file.id, str(file.path), str(file.path.parent))
        with self._transaction(file):
            self._run_statements(file.rollback_path, file.is_transactional)
            self._reset_session()
            with self.connection.transaction():
                self.unmark_one(migration, log=False)
                self.log_migration(migration, "rollback")
                # The rollback of the very first migration dropped this table.
                if exists(self.connection, "migration_checksum"):
                    self.connection.execute(
                        "delete from migration_checksum where migration_id = %s", (file.id,)
                    )

    @contextmanager
    def _transaction(self, file: MigrationFile) -> Generator[None]:
        transaction = self.connection.transaction() if file.is_transactional else nullcontext()
        try:
            with transaction:
                yield
        except psycopg.Error as error:  # from the bookkeeping, or from a deferred constraint
            raise MigrationError(f"{file.path.name}: {describe_error(error)}") from error

    def _run_statements(self, path: Path, is_transactional: bool) -> None:
        text = path.read_text(encoding="utf-8")
        _, _, statements = read_sql_migration(str(path))
        if not is_transactional:
            # For statements such as `create index concurrently`: they wait for all older
            # transactions, block no request meanwhile, and leave an invalid index when ended.
            self.connection.execute("set lock_timeout = 0")
        offset = 0
        extension = None
        for statement in statements:
            start = text.index(statement, offset)
            offset = start + len(statement)
            body = start + _leading_comments_length(statement)
            place = f"{path.name}, line {_line_number(text, body)}"
            if is_transactional and TRANSACTION_CONTROL.match(text, body):
                raise MigrationError(
                    f"{place}: a migration runs in a transaction already; take this statement out"
                )
            if COPY_FROM_CLIENT.match(text, body, offset):
                raise MigrationError(f"{place}: there is no client to copy from or to; use insert")
            bare = COMMENT.sub(" ", text[body:offset])
            if UNNAMED_INDEX.match(bare):
                raise MigrationError(
                    f"{place}: give the index a name; one that a failed run leaves invalid could "
                    "not be found otherwise"
                )
            extension = None
            try:
                if index := CONCURRENT_INDEX.match(bare):
                    self._drop_invalid_index(index["name"], index["table"])
                if again := REINDEX.match(bare):
                    self._drop_unfinished_indexes(again["name"])
                extension = find_extension(self.connection, bare)
                self.connection.execute(statement.encode())
                if extension and (fault := describe_unusable(extension, self.connection)):
                    raise MigrationError(f"{place}: {fault}")
            except psycopg.Error as error:
                if position := error.diag.statement_position:
                    place = f"{path.name}, line {_line_number(text, start + int(position) - 1)}"
                more = describe_denied(extension, error) if extension else ""
                more += _advise(error) if is_transactional else f"; {self._describe_kept()}"
                raise MigrationError(f"{place}: {describe_error(error)}{more}") from error
            if is_transactional and not self._is_in_transaction():
                raise MigrationError(
                    f"{place}: this ends the migration's transaction, half applied"
                )
        if not is_transactional and self._is_in_transaction():
            raise MigrationError(f"{path.name}: leaves a transaction open; commit it")

    def _drop_invalid_index(self, name: str, table: str) -> None:
        # A `create index concurrently` that failed or was killed leaves an invalid index. Another
        # would fail because of its name, or with `if not exists` take it for the one that it wants.
        self._drop_indexes(
            """
            select indexrelid::regclass::text
            from pg_index join pg_class on pg_class.oid = indexrelid
            where not indisvalid
              and indrelid = to_regclass(%s) and relname = (parse_ident(%s))[1]
            """,
            (table, name),
        )

    def _drop_unfinished_indexes(self, name: str) -> None:
        # A `reindex concurrently` that failed or was killed leaves the index that it was building,
        # or the one that it replaced, under a name of PostgreSQL's choice.
        self._drop_indexes(
            """
            select indexrelid::regclass::text
            from pg_index join pg_class on pg_class.oid = indexrelid
            where not indisvalid and relname ~ '_cc(new|old)[0-9]*$'
              and indrelid in (
                  select to_regclass(%(name)s)
                  union all select indrelid from pg_index where indexrelid = to_regclass(%(name)s)
              )
            """,
            {"name": name},
        )

    def _drop_indexes(self, query: LiteralString, arguments: Any) -> None:
        for (index,) in self.connection.execute(query, arguments).fetchall():
            self.connection.execute(f"drop index concurrently {index}".encode())

    def _describe_kept(self) -> str:
        if self.connection.closed:
            return KEPT
        self.connection.rollback()  # the file may have opened a transaction
        rows = self.connection.execute(INVALID_INDEXES).fetchall()
        return KEPT + "".join(f"; the index {name} is invalid" for (name,) in rows)

    def _reset_session(self) -> None:
        # A file may set a search_path or a role, as the first lines of a dump do, with which the
        # bookkeeping would not find its tables.
        self.connection.execute("reset session authorization")  # which resets the role, too
        self.connection.execute("reset all")
        set_up_session(self.connection)

    def _is_in_transaction(self) -> bool:
        return self.connection.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS


@contextmanager
def open_backend(url: str) -> Generator[MigrationBackend]:
    """Yield a backend that has its tables. The caller must hold PROCESS_LOCK."""
    with MigrationBackend(url) as backend:
        backend.connection.execute("select pg_advisory_lock(%s)", (WORK_LOCK,))
        backend.create_lock_table()
        # yoyo's lock is a row that outlives a killed process. Our lock excludes other processes,
        # so a row that exists now is such a leftover.
        backend.break_lock()
        with backend.lock():
            backend.ensure_internal_schema_updated()
            yield backend


def _advise(error: psycopg.Error) -> str:
    # Statements that PostgreSQL executes only outside a transaction, or that need an earlier
    # statement to be committed, as with a new value of an enum.
    if isinstance(
        error, psycopg.errors.ActiveSqlTransaction | psycopg.errors.UnsafeNewEnumValueUsage
    ):
        return f"; a file for such statements begins with the line `{NOT_TRANSACTIONAL.strip()}`"
    return ""


def _leading_comments_length(statement: str) -> int:
    match = LEADING_COMMENTS.match(statement)
    return match.end() if match else 0


def _line_number(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without an entry in passwd
        return f"uid {os.getuid()}"
