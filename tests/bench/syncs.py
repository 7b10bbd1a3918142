"""Syncs: the service brings documents in from a git server on this machine.

There are two repositories: one with few documents among large assets, as in most projects, and one
with very many documents, during whose run the service's memory and health are sampled. Each try has
a service and a database of its own, so the first run includes the time for imports.
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
from contenders import HEALTH, HOST, SERVICE, BenchmarkError, running_contender
from results import ManyDocuments, SyncResult, Syncs
from texts import Texts

from tests.support.git_server import git_server, git_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from contenders import Contender, Server
    from postgres import BenchPostgres, ContenderDatabase

    from tests.support.git_server import GitServer, Remote

TRIES: Final = 3

DOCUMENTS: Final = 250
DOCUMENT_BYTES: Final = 8_000
ASSETS: Final = 60
ASSET_BYTES: Final = 3_000_000
# More commits than the service fetches, so that the figures include the fetching of history.
COMMITS: Final = 60

MANY_DOCUMENTS: Final = 20_000
MANY_DOCUMENTS_BYTES: Final = 2_000
FOLDERS: Final = 200

FILE_TREES: Final = 10

POLL_SECONDS: Final = 0.01
PROBE_SECONDS: Final = 0.01
SAMPLE_SECONDS: Final = 0.05

SYNC_SECONDS: Final = 60.0
RESPONSE_SECONDS: Final = 10.0


class MeasuredRun(NamedTuple):
    """One run, as its client, the git server and the database saw it."""

    seconds: float
    duration_seconds: float
    fetched_bytes: int
    sent_bytes: int
    rows_written: int


@dataclass
class Samples:
    """The health and memory of the service while it was busy."""

    latencies: list[float]
    failed: int
    processes_rss_mb: float
    processes_uss_mb: float


def measure_syncs(
    postgres: BenchPostgres, core: int, report_progress: Callable[[str], None]
) -> Syncs:
    """Measure runs of both repositories, with the service on this core.

    Calls `report_progress` with a line before each step.

    Raises BenchmarkError.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        git_server(Path(folder) / "repositories") as server,
    ):
        service = _service_for(server, Path(folder))
        report_progress("making two git repositories")
        few, many = _make_few(server), _make_many(server)
        report_progress(f"syncing {DOCUMENTS} documents {TRIES} times")
        tries = [_try_few(postgres, service, core, server, few) for _ in range(TRIES)]
        report_progress(f"syncing {MANY_DOCUMENTS:,} documents {TRIES} times")
        large = [_try_many(postgres, service, core, server, many) for _ in range(TRIES)]
    first, nothing_new, one_changed = (
        _summarize_runs(list(runs)) for runs in zip(*tries, strict=True)
    )
    return Syncs(first, nothing_new, one_changed, _summarize_many(large))


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
    # Assets are stored as they are, since noise does not compress; documents are compressed.
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
    postgres: BenchPostgres, service: Contender, core: int, server: GitServer, remote: Remote
) -> tuple[MeasuredRun, MeasuredRun, MeasuredRun]:
    database = postgres.create_database()
    with running_contender(service, database.url, core) as running_service:
        client = SyncClient(running_service, server, database)
        source = client.create_source(client.create_project(), remote)
        first = client.sync(source)
        nothing_new = client.sync(source)
        remote.commit({"docs/epic-0/story-0.md": Texts(remote.head()).markdown(DOCUMENT_BYTES)})
        one_changed = client.sync(source)
    if first.rows_written != DOCUMENTS or one_changed.rows_written == 0:
        raise BenchmarkError("a run did not write the new documents")
    return first, nothing_new, one_changed


def _try_many(
    postgres: BenchPostgres, service: Contender, core: int, server: GitServer, remote: Remote
) -> tuple[MeasuredRun, ManyDocuments]:
    database = postgres.create_database()
    with running_contender(service, database.url, core) as running_service:
        client = SyncClient(running_service, server, database)
        project = client.create_project()
        source = client.create_source(project, remote)
        with _sampling(running_service) as samples:
            run = client.sync(source)
        if run.rows_written != MANY_DOCUMENTS:
            raise BenchmarkError("a run did not write the new documents")
        peak = _peak_rss_mb(running_service)
        trees = [client.time_get(f"/api/projects/{project}/file-tree") for _ in range(FILE_TREES)]
    return run, ManyDocuments(
        sync=_summarize_runs([run]),
        peak_rss_mb=peak,
        processes_rss_mb=samples.processes_rss_mb,
        processes_uss_mb=samples.processes_uss_mb,
        file_tree_seconds=median(trees),
        health_p99_ms=quantiles(samples.latencies, n=100)[98] * 1000,
        health_max_ms=max(samples.latencies) * 1000,
        health_probes=len(samples.latencies),
        health_failed=samples.failed,
    )


def _summarize_runs(runs: list[MeasuredRun]) -> SyncResult:
    seconds = [run.seconds for run in runs]
    return SyncResult(
        seconds=median(seconds),
        duration_seconds=median(run.duration_seconds for run in runs),
        fetched_bytes=max(run.fetched_bytes for run in runs),
        sent_bytes=max(run.sent_bytes for run in runs),
        rows_written=max(run.rows_written for run in runs),
        tries=seconds,
    )


def _summarize_many(tries: list[tuple[MeasuredRun, ManyDocuments]]) -> ManyDocuments:
    runs, figures = [run for run, _ in tries], [figure for _, figure in tries]
    return ManyDocuments(
        sync=_summarize_runs(runs),
        peak_rss_mb=max(figure.peak_rss_mb for figure in figures),
        processes_rss_mb=max(figure.processes_rss_mb for figure in figures),
        processes_uss_mb=max(figure.processes_uss_mb for figure in figures),
        file_tree_seconds=median(figure.file_tree_seconds for figure in figures),
        health_p99_ms=median(figure.health_p99_ms for figure in figures),
        health_max_ms=max(figure.health_max_ms for figure in figures),
        health_probes=sum(figure.health_probes for figure in figures),
        health_failed=sum(figure.health_failed for figure in figures),
    )


class SyncClient:
    """A client that creates a source and syncs it. All methods raise BenchmarkError."""

    def __init__(self, service: Server, git: GitServer, database: ContenderDatabase) -> None:
        self._connection = _connect(service)
        self._git = git
        self._database = database

    def create_project(self) -> str:
        """Return the id of a new project."""
        return self._request("POST", "/api/projects", {"name": "Benchmark"})["id"]

    def create_source(self, project: str, remote: Remote) -> str:
        """Return the id of a new source."""
        source = {"name": "Docs", "github_url": remote.url, "github_folder_path": "docs"}
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


def _connect(service: Server) -> HTTPConnection:
    port = int(service.url.rpartition(":")[2])
    return HTTPConnection(HOST, port, timeout=RESPONSE_SECONDS)


@contextmanager
def _sampling(service: Server) -> Generator[Samples]:
    """Probe the health and sample the memory while the block runs, each in a thread."""
    samples = Samples([], 0, 0.0, 0.0)
    stopping = threading.Event()
    threads = [
        threading.Thread(target=sample, args=(service, samples, stopping))
        for sample in (_sample_health, _sample_memory)
    ]
    for thread in threads:
        thread.start()
    try:
        yield samples
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _sample_health(service: Server, samples: Samples, stopping: threading.Event) -> None:
    connection = _connect(service)
    due = time.perf_counter()
    while not stopping.is_set():
        time.sleep(max(0.0, due - time.perf_counter()))
        try:
            connection.request("GET", HEALTH)
            response = connection.getresponse()
            response.read()
            samples.failed += response.status != 200
        except (OSError, HTTPException):
            samples.failed += 1
            connection.close()
        # Since the scheduled time: a stalled service delays also the probes that this thread could
        # not send meanwhile (coordinated omission).
        samples.latencies.append(time.perf_counter() - due)
        due += PROBE_SECONDS


def _sample_memory(service: Server, samples: Samples, stopping: threading.Event) -> None:
    root = psutil.Process(service.process.pid)
    while not stopping.wait(SAMPLE_SECONDS):
        rss = uss = 0
        for process in (root, *root.children(recursive=True)):
            try:
                info = process.memory_full_info()
            except psutil.Error:  # a git process that has just ended
                continue
            rss += info.rss
            uss += info.uss
        samples.processes_rss_mb = max(samples.processes_rss_mb, rss / 1e6)
        samples.processes_uss_mb = max(samples.processes_uss_mb, uss / 1e6)


def _peak_rss_mb(service: Server) -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
