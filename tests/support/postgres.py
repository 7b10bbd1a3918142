"""PostgreSQL servers for tests, and SQL on them."""

from __future__ import annotations

import signal
import uuid
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psutil
import psycopg

from service.embedded.postgres import EmbeddedPostgres
from tests.support.processes import freeze

if TYPE_CHECKING:
    from pathlib import Path

# Nothing has to survive a crash.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def run_sql(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements one by one and return the rows of the last one."""
    rows: list[tuple[Any, ...]] = []
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
            rows = cursor.fetchall() if cursor.description else []
    return rows


def join_hosts(*urls: str) -> str:
    """Return the first URL with the hosts of all URLs."""
    first = urlsplit(urls[0])
    others = [urlsplit(url).netloc.rpartition("@")[2] for url in urls[1:]]
    return first._replace(netloc=",".join([first.netloc, *others])).geturl()


def freeze_server(postmaster: psutil.Process) -> None:
    """Stop all processes of a server, so that it neither responds nor refuses."""
    freeze(postmaster)  # first: a list of its processes lacks the one that it is just starting
    freeze(*postmaster.children(recursive=True))


class Postgres:
    """A server that a test may stop, freeze and start again."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None) -> None:
        self.folder = folder
        self.server = EmbeddedPostgres(folder, options=FAST | (options or {}))
        self.url = ""

    def start(self) -> str:
        self.url = self.server.start()
        return self.url

    def stop(self) -> None:
        self.thaw()
        self.server.stop()

    def freeze(self) -> None:
        freeze_server(self.processes()[0])

    def thaw(self) -> None:
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                process.send_signal(signal.SIGCONT)

    def processes(self) -> list[psutil.Process]:
        try:
            pid = int((self.folder / "data/postmaster.pid").read_text().split("\n")[0])
            postmaster = psutil.Process(pid)
            return [postmaster, *postmaster.children(recursive=True)]
        except (FileNotFoundError, psutil.NoSuchProcess):
            return []

    def create_database(self, template: str = "template1") -> str:
        """Return the URL of a new database."""
        name = f"test_{uuid.uuid4().hex}"
        run_sql(self.url, f"create database {name} template {template}")
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, even while a service of the test is still connected to it."""
        name = urlsplit(url).path.removeprefix("/")
        run_sql(self.url, f"drop database {name} with (force)")

    def url_of(self, database: str) -> str:
        return self.url.replace("/bmadflow?", f"/{database}?")
