"""A client of the service that creates projects and sources, syncs and deletes them."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from contenders import HOST, BenchmarkError

if TYPE_CHECKING:
    from contenders import Server
    from postgres import ContenderDatabase

    from tests.support.git_server import GitServer, Remote

POLL_SECONDS: Final = 0.01
SYNC_SECONDS: Final = 250.0
# A deletion may take 60 s.
RESPONSE_SECONDS: Final = 70.0


class MeasuredRun(NamedTuple):
    """One run, as its client, the git server and the database saw it."""

    seconds: float
    duration_seconds: float
    fetched_bytes: int
    sent_bytes: int
    rows_written: int


class SyncClient:
    """A client that creates a source and syncs it. All methods raise BenchmarkError."""

    def __init__(self, service: Server, git: GitServer, database: ContenderDatabase) -> None:
        self._connection = connect(service)
        self._git = git
        self._database = database

    def create_project(self, name: str = "Benchmark") -> str:
        """Return the id of a new project."""
        return self._request("POST", "/api/projects", {"name": name})["id"]

    def delete_project(self, project: str) -> float:
        """Delete a project with all that belongs to it, and return the seconds that it took."""
        started = time.perf_counter()
        self._fetch("DELETE", f"/api/projects/{project}")
        return time.perf_counter() - started

    def create_source(self, project: str, remote: Remote, folder: str | None = "docs") -> str:
        """Return the id of a new source; without a folder, it is the whole repository."""
        source = {"name": "Docs", "github_url": remote.url, "github_folder_path": folder}
        return self._request("POST", f"/api/projects/{project}/docs", source)["id"]

    def sync(self, source: str) -> MeasuredRun:
        """Request a run, wait for its end, and return its figures."""
        before = self._read_versions()
        self._git.forget()
        started = time.perf_counter()
        self._request("POST", f"/api/project-docs/{source}/sync")
        while not (run := self._read_run(source))["finished_at"]:
            if time.perf_counter() - started > SYNC_SECONDS:
                raise BenchmarkError(f"a run did not end in {SYNC_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - started
        if run["status"] != "completed":
            raise BenchmarkError(f"a run failed: {run['error']}")
        after = self._read_versions()
        changed = sum(after.get(row) != before.get(row) for row in before.keys() | after.keys())
        return MeasuredRun(
            seconds, run["duration_seconds"], run["bytes"], self._git.sent_bytes, changed
        )

    def forget_reader(self) -> None:
        """Make the next run of each source read all documents, as after an upgrade."""
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            connection.execute("update project_doc set reader_version = 0")

    def time_get(self, path: str) -> float:
        """Return the seconds until the whole response is there."""
        started = time.perf_counter()
        self._fetch("GET", path)
        return time.perf_counter() - started

    def _read_run(self, source: str) -> Any:
        return self._request("GET", f"/api/project-docs/{source}/syncs?limit=1")[0]

    def _read_versions(self) -> dict[str, str]:
        # A row that is written gets another version, even if its content stays.
        query = "select id::text, xmin::text || ctid::text from document"
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            return dict(connection.execute(query).fetchall())

    def _request(self, method: str, path: str, body: object = None) -> Any:
        return json.loads(self._fetch(method, path, body))

    def _fetch(self, method: str, path: str, body: object = None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        self._connection.request(method, path, data, headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise BenchmarkError(f"{method} {path} got status {response.status}")
        return content


def connect(service: Server) -> HTTPConnection:
    """Return a connection to a running server."""
    port = int(service.url.rpartition(":")[2])
    return HTTPConnection(HOST, port, timeout=RESPONSE_SECONDS)
