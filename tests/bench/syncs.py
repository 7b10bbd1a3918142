"""Syncs: the service, started as ever, brings documents in from a git server on this machine.

Two repositories: one of few documents among many times their size of assets, as most are, and one
of very many documents, during whose sync the service's memory and its health are watched. Each try
has a service and a database of its own, so what a first sync imports is part of its time.
"""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psutil
import psycopg
from contenders import HEALTH, HOST, SERVICE, BenchmarkError, running
from results import ManyDocuments, SyncResult, Syncs
from texts import Texts

from tests.support.git_server import git_server, git_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from contenders import Contender, Server
    from postgres import Database, Postgres

    from tests.support.git_server import GitServer, Remote

TRIES: Final = 3

DOCUMENTS: Final = 250
DOCUMENT_BYTES: Final = 8_000
ASSETS: Final = 60
ASSET_BYTES: Final = 3_000_000
# More than the service looks at, so that what it fetches of the history is part of the figure.
COMMITS: Final = 60

MANY_DOCUMENTS: Final = 20_000
MANY_DOCUMENTS_BYTES: Final = 2_000
FOLDERS: Final = 200

FILE_TREES: Final = 10

POLL_SECONDS: Final = 0.01
PROBE_SECONDS: Final = 0.01
SAMPLE_SECONDS: Final = 0.05

SYNC_SECONDS: Final = 60.0
ANSWER_SECONDS: Final = 10.0


class Sync(NamedTuple):
    """One sync, as its client, the git server and the database saw it."""

    seconds: float
    duration_seconds: float
    fetched_bytes: int
    sent_bytes: int
    rows_written: int


@dataclass
class Watched:
    """What was seen of the service while it was busy."""

    latencies: list[float]
    failed: int
    processes_rss_mb: float
    processes_uss_mb: float


def measure_syncs(postgres: Postgres, core: int, say: Callable[[str], None]) -> Syncs:
    """Measure the syncs of both repositories, on this core; `say` gets a line for each step.

    Raises BenchmarkError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        git_server(Path(folder) / "repositories") as server,
    ):
        service = _service_for(server, Path(folder))
        say("making two git repositories")
        few, many = _make_few(server), _make_many(server)
        say(f"syncing {DOCUMENTS} documents {TRIES} times")
        tries = [_try_few(postgres, service, core, server, few) for _ in range(TRIES)]
        say(f"syncing {MANY_DOCUMENTS:,} documents {TRIES} times")
        large = [_try_many(postgres, service, core, server, many) for _ in range(TRIES)]
    first, nothing_new, one_changed = (_sum_up(list(syncs)) for syncs in zip(*tries, strict=True))
    return Syncs(first, nothing_new, one_changed, _sum_up_many(large))


def _service_for(server: GitServer, folder: Path) -> Contender:
    options = git_settings(folder, server)
    variables = {
        "GIT_HOSTS": "git.example",
        "GIT_PROTOCOLS": ",".join(options["protocols"]),
        "GIT_PRIVATE_NETWORKS": "true",
        "GIT_CONFIG_GLOBAL": options["config_global"],
    }
    return replace(SERVICE, variables=SERVICE.variables | variables)


def _make_few(server: GitServer) -> Remote:
    texts, noise = Texts("few"), random.Random("assets")
    remote = server.create("team/few")
    # These do not get any smaller; the documents do, as they are on a real server.
    remote.configure("core.bigFileThreshold", "1m")
    remote.commit({f"assets/{n}.png": noise.randbytes(ASSET_BYTES) for n in range(ASSETS)})
    remote.configure("core.compression", "6")
    paths = [f"docs/epic-{n % 10}/story-{n}.md" for n in range(DOCUMENTS)]
    remote.commit({path: texts.markdown(DOCUMENT_BYTES) for path in paths})
    for number in range(COMMITS - 2):
        remote.commit({paths[number]: texts.markdown(DOCUMENT_BYTES)})
    remote.git("repack", "-q", "-a", "-d")
    return remote


def _make_many(server: GitServer) -> Remote:
    texts = Texts("many")
    remote = server.create("team/many")
    remote.configure("core.compression", "6")
    remote.commit(
        {
            f"docs/{n % FOLDERS}/{n}.md": texts.markdown(MANY_DOCUMENTS_BYTES)
            for n in range(MANY_DOCUMENTS)
        }
    )
    return remote


def _try_few(
    postgres: Postgres, service: Contender, core: int, server: GitServer, remote: Remote
) -> tuple[Sync, Sync, Sync]:
    database = postgres.create_database()
    with running(service, database.url, core) as running_service:
        client = Client(running_service, server, database)
        source = client.create_source(client.create_project(), remote)
        first = client.sync(source)
        nothing_new = client.sync(source)
        remote.commit({"docs/epic-0/story-0.md": Texts(remote.head()).markdown(DOCUMENT_BYTES)})
        one_changed = client.sync(source)
    if first.rows_written != DOCUMENTS or one_changed.rows_written == 0:
        raise BenchmarkError("a sync did not write what is new")
    return first, nothing_new, one_changed


def _try_many(
    postgres: Postgres, service: Contender, core: int, server: GitServer, remote: Remote
) -> tuple[Sync, ManyDocuments]:
    database = postgres.create_database()
    with running(service, database.url, core) as running_service:
        client = Client(running_service, server, database)
        project = client.create_project()
        source = client.create_source(project, remote)
        with _watching(running_service) as watched:
            sync = client.sync(source)
        if sync.rows_written != MANY_DOCUMENTS:
            raise BenchmarkError("a sync did not write what is new")
        peak = _peak_rss_mb(running_service)
        trees = [client.time(f"/api/projects/{project}/file-tree") for _ in range(FILE_TREES)]
    return sync, ManyDocuments(
        sync=_sum_up([sync]),
        peak_rss_mb=peak,
        processes_rss_mb=watched.processes_rss_mb,
        processes_uss_mb=watched.processes_uss_mb,
        file_tree_seconds=median(trees),
        health_p99_ms=quantiles(watched.latencies, n=100)[98] * 1000,
        health_max_ms=max(watched.latencies) * 1000,
        health_probes=len(watched.latencies),
        health_failed=watched.failed,
    )


def _sum_up(syncs: list[Sync]) -> SyncResult:
    seconds = [sync.seconds for sync in syncs]
    return SyncResult(
        seconds=median(seconds),
        duration_seconds=median(sync.duration_seconds for sync in syncs),
        fetched_bytes=max(sync.fetched_bytes for sync in syncs),
        sent_bytes=max(sync.sent_bytes for sync in syncs),
        rows_written=max(sync.rows_written for sync in syncs),
        tries=seconds,
    )


def _sum_up_many(tries: list[tuple[Sync, ManyDocuments]]) -> ManyDocuments:
    syncs, figures = [sync for sync, _ in tries], [figure for _, figure in tries]
    return ManyDocuments(
        sync=_sum_up(syncs),
        peak_rss_mb=max(figure.peak_rss_mb for figure in figures),
        processes_rss_mb=max(figure.processes_rss_mb for figure in figures),
        processes_uss_mb=max(figure.processes_uss_mb for figure in figures),
        file_tree_seconds=median(figure.file_tree_seconds for figure in figures),
        health_p99_ms=median(figure.health_p99_ms for figure in figures),
        health_max_ms=max(figure.health_max_ms for figure in figures),
        health_probes=sum(figure.health_probes for figure in figures),
        health_failed=sum(figure.health_failed for figure in figures),
    )


class Client:
    """Somebody who registers a repository and syncs it; all methods raise BenchmarkError."""

    def __init__(self, service: Server, git: GitServer, database: Database) -> None:
        self._connection = _connect(service)
        self._git = git
        self._database = database

    def create_project(self) -> str:
        """Return the id of a new project."""
        return self._ask("POST", "/api/projects", {"name": "Benchmark"})["id"]

    def create_source(self, project: str, remote: Remote) -> str:
        """Return the id of a new documentation source."""
        source = {"name": "Docs", "github_url": remote.url, "github_folder_path": "docs"}
        return self._ask("POST", f"/api/projects/{project}/docs", source)["id"]

    def sync(self, source: str) -> Sync:
        """Sync, wait for the end, and return what it took."""
        before = self._read_versions()
        self._git.forget()
        started = time.perf_counter()
        self._ask("POST", f"/api/project-docs/{source}/sync")
        while not (run := self._read_run(source))["finished_at"]:
            if time.perf_counter() - started > SYNC_SECONDS:
                raise BenchmarkError(f"a sync did not end in {SYNC_SECONDS:.0f} s")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - started
        if run["status"] != "completed":
            raise BenchmarkError(f"a sync failed: {run['error']}")
        after = self._read_versions()
        changed = sum(after.get(row) != before.get(row) for row in before.keys() | after.keys())
        return Sync(seconds, run["duration_seconds"], run["bytes"], self._git.sent_bytes, changed)

    def time(self, path: str) -> float:
        """Return the seconds until all of an answer is there."""
        started = time.perf_counter()
        self._fetch("GET", path)
        return time.perf_counter() - started

    def _read_run(self, source: str) -> Any:
        return self._ask("GET", f"/api/project-docs/{source}/syncs?limit=1")[0]

    def _read_versions(self) -> dict[str, str]:
        # Another as soon as the row is written.
        query = "select id::text, xmin::text || ctid::text from document"
        with psycopg.connect(self._database.url, autocommit=True) as connection:
            return dict(connection.execute(query).fetchall())

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        return json.loads(self._fetch(method, path, body))

    def _fetch(self, method: str, path: str, body: object = None) -> bytes:
        headers = {} if body is None else {"Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status >= 400:
            raise BenchmarkError(f"{method} {path} was answered with {response.status}")
        return answer


def _connect(service: Server) -> HTTPConnection:
    port = int(service.url.rpartition(":")[2])
    return HTTPConnection(HOST, port, timeout=ANSWER_SECONDS)


@contextmanager
def _watching(service: Server) -> Generator[Watched]:
    """Probe the health and sample the memory while the block runs, each in a thread."""
    watched = Watched([], 0, 0.0, 0.0)
    stopping = threading.Event()
    threads = [
        threading.Thread(target=watch, args=(service, watched, stopping))
        for watch in (_probe, _sample)
    ]
    for thread in threads:
        thread.start()
    try:
        yield watched
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _probe(service: Server, watched: Watched, stopping: threading.Event) -> None:
    connection = _connect(service)
    due = time.perf_counter()
    while not stopping.is_set():
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            connection.request("GET", HEALTH)
            response = connection.getresponse()
            response.read()
            watched.failed += response.status != 200
        except (OSError, HTTPException):
            watched.failed += 1
            connection.close()
        # From when it was due: a service that stands still keeps all those waiting that come
        # meanwhile, and not just the one that asks.
        watched.latencies.append(time.perf_counter() - due)
        due += PROBE_SECONDS


def _sample(service: Server, watched: Watched, stopping: threading.Event) -> None:
    root = psutil.Process(service.process.pid)
    while not stopping.wait(SAMPLE_SECONDS):
        rss = uss = 0
        for process in (root, *root.children(recursive=True)):
            try:
                info = process.memory_full_info()
            except psutil.Error:  # a git that has just ended
                continue
            rss += info.rss
            uss += info.uss
        watched.processes_rss_mb = max(watched.processes_rss_mb, rss / 1e6)
        watched.processes_uss_mb = max(watched.processes_uss_mb, uss / 1e6)


def _peak_rss_mb(service: Server) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
