"""The PostgreSQL server of all contenders, its CPU time, and counters of each one's statements."""

from __future__ import annotations

import os
import tempfile
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, LiteralString

import psutil
import psycopg
from rows import insert_rows

from service.embedded.postgres import EmbeddedPostgres
from service.migrations.run import migrate

if TYPE_CHECKING:
    from collections.abc import Generator

MIGRATED = "bmadflow"

# Counts each statement when it ends; the counters of pg_stat_database are up to a second late.
OPTIONS = {"shared_preload_libraries": "pg_stat_statements"}


@dataclass(frozen=True)
class ContenderDatabase:
    """A contender's own database, so that its statements are counted separately."""

    url: str
    name: str
    observer: psycopg.Connection[Any]  # in another database, so that it does not count itself

    def count_statements(self) -> int:
        """Return how many statements have ended so far, including `begin` and `commit`."""
        return self._fetch_number(
            """
            select coalesce(sum(calls), 0)
            from pg_stat_statements(false)
            where dbid = (select oid from pg_database where datname = %s)
            """
        )

    def count_active(self) -> int:
        """Return how many equal statements are active now, at most.

        The service also looks for queued runs every 2 s, which no request asks for.
        """
        return self._fetch_number(
            """
            select coalesce(max(active), 0)
            from (
                select count(*) as active
                from pg_stat_activity
                where datname = %s
                  and state = 'active'
                  and backend_type = 'client backend'
                group by query
            ) as statement
            """
        )

    def read_cpu_seconds(self) -> float:
        """Return the CPU seconds of PostgreSQL so far, in user and kernel mode.

        Counts all processes of the server except the observer's backend, so the difference of two
        readings is the work for the contenders that were under load between them, and what
        PostgreSQL does in the background, such as autovacuum and checkpoints. Processes that
        have ended are included, because some contenders close connections. The kernel counts in
        steps of 10 ms.
        """
        observer = psutil.Process(self.observer.info.backend_pid)
        server = observer.parent()
        assert server is not None
        times = server.cpu_times()
        seconds = times.user + times.system + times.children_user + times.children_system
        for process in server.children():
            if process != observer:
                with suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    seconds += times.user + times.system
        return seconds

    def _fetch_number(self, query: LiteralString) -> int:
        row = self.observer.execute(query, [self.name]).fetchone()
        assert row is not None
        return int(row[0])


@dataclass(frozen=True)
class BenchPostgres:
    """A server with a template database that is migrated and has the rows of `rows`."""

    url: str
    observer: psycopg.Connection[Any]

    @property
    def version(self) -> str:
        """The server's version, as in 18.6."""
        return str(self.observer.info.parameter_status("server_version"))

    def create_database(self) -> ContenderDatabase:
        """Return a new copy of the template."""
        name = f"bench_{uuid.uuid4().hex}"
        self.observer.execute(f"create database {name} template {MIGRATED}".encode())
        return ContenderDatabase(_url_of(self.url, name), name, self.observer)


@contextmanager
def running_postgres(other_core: int) -> Generator[BenchPostgres]:
    """Run a server in a temporary folder, on the core of this process, while the block runs.

    The observer's backend alone runs on the other core: on the same one it would seldom run while a
    statement is active, and count none.

    Raises EmbeddedPostgresError and MigrationError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        EmbeddedPostgres(Path(folder), database=MIGRATED, options=OPTIONS) as url,
    ):
        migrate(url, lambda _: None)
        insert_rows(url)
        with psycopg.connect(_url_of(url, "postgres"), autocommit=True) as observer:
            observer.execute("create extension pg_stat_statements")
            os.sched_setaffinity(observer.info.backend_pid, {other_core})
            yield BenchPostgres(url, observer)


def _url_of(url: str, database: str) -> str:
    return url.replace(f"/{MIGRATED}?", f"/{database}?")
