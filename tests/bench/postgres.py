"""The PostgreSQL that all contenders use, and what it sees of each."""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from rows import fill

from service.embedded.postgres import EmbeddedPostgres
from service.migrations.run import migrate

if TYPE_CHECKING:
    from collections.abc import Generator

MIGRATED = "bmadflow"

# Counts every statement when it ends; the counters of pg_stat_database come up to a second late.
OPTIONS = {"shared_preload_libraries": "pg_stat_statements"}


@dataclass(frozen=True)
class Database:
    """A contender's own database, so that what it does can be told from what others do."""

    url: str
    name: str
    observer: psycopg.Connection[Any]  # to another database, so that it does not see itself

    def count_statements(self) -> int:
        """Return how many statements have run so far: `begin` and the like are some, too."""
        return self._fetch_number(
            """
            select coalesce(sum(calls), 0)
            from pg_stat_statements(false)
            where dbid = (select oid from pg_database where datname = %s)
            """
        )

    def count_active(self) -> int:
        """Return how many statements are under way now."""
        return self._fetch_number(
            """
            select count(*)
            from pg_stat_activity
            where datname = %s
              and state = 'active'
              and backend_type = 'client backend'
            """
        )

    def _fetch_number(self, query: LiteralString) -> int:
        row = self.observer.execute(query, [self.name]).fetchone()
        assert row is not None
        return int(row[0])


@dataclass(frozen=True)
class Postgres:
    """A server with a database to copy: its schema is up to date, its rows are those of `rows`."""

    url: str
    observer: psycopg.Connection[Any]

    @property
    def version(self) -> str:
        """The server's version, as in 18.6."""
        return str(self.observer.info.parameter_status("server_version"))

    def create_database(self) -> Database:
        """Return a new database."""
        name = f"bench_{uuid.uuid4().hex}"
        self.observer.execute(f"create database {name} template {MIGRATED}".encode())
        return Database(_url_of(self.url, name), name, self.observer)


@contextmanager
def running_postgres(other_core: int) -> Generator[Postgres]:
    """Run a server in a temporary folder, on the core of this process, while the block runs.

    Only the observer's connection is served from the other core: on the same one it would hardly
    ever run while a statement is under way, and so never see any.

    Raises EmbeddedPostgresError and MigrationError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        EmbeddedPostgres(Path(folder), database=MIGRATED, options=OPTIONS) as url,
    ):
        migrate(url, lambda _: None)
        fill(url)
        with psycopg.connect(_url_of(url, "postgres"), autocommit=True) as observer:
            observer.execute("create extension pg_stat_statements")
            os.sched_setaffinity(observer.info.backend_pid, {other_core})
            yield Postgres(url, observer)


def _url_of(url: str, database: str) -> str:
    return url.replace(f"/{MIGRATED}?", f"/{database}?")
