"""Syncs: the service brings documents in from a git server on this machine.

There are two repositories: one with few documents among large assets, as in most projects, and one
with very many documents, during whose first run the service's memory and health are sampled. Each
try has a service and a database of its own, so the first run includes the time for imports.
"""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Final

from client import SyncClient
from contenders import SERVICE, BenchmarkError, running_contender
from results import ManyDocuments, SyncResult, Syncs
from sampling import peak_rss_mb, sampling
from texts import Texts

from tests.support.git_server import git_server, git_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from client import MeasuredRun
    from contenders import Contender
    from postgres import BenchPostgres

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
        service = service_for(server, Path(folder))
        report_progress("making two git repositories")
        few, many = _make_few(server), _make_many(server)
        report_progress(f"syncing {DOCUMENTS} documents {TRIES} times")
        tries = [_try_few(postgres, service, core, server, few) for _ in range(TRIES)]
        report_progress(f"syncing {MANY_DOCUMENTS:,} documents {TRIES} times")
        large = [_try_many(postgres, service, core, server, many) for _ in range(TRIES)]
    first, nothing_new, one_changed = (
        summarize_runs(list(runs)) for runs in zip(*tries, strict=True)
    )
    return Syncs(first, nothing_new, one_changed, _summarize_many(large))


def service_for(server: GitServer, folder: Path) -> Contender:
    """Return the service with settings for this git server; `folder` gets a file of git's."""
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
    remote = server.create("team/many")
    remote.configure("core.compression", "6")
    _commit_many(remote, "many")
    return remote


def _commit_many(remote: Remote, seed: str) -> None:
    """Commit the documents with the texts of this seed."""
    texts = Texts(seed)
    remote.commit(
        {
            f"docs/{n % FOLDERS}/{n}.md": texts.markdown(MANY_DOCUMENTS_BYTES)
            for n in range(MANY_DOCUMENTS)
        }
    )


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
) -> tuple[list[MeasuredRun], ManyDocuments]:
    """Return the first run, one that reads all again, one where all changed, and the figures."""
    database = postgres.create_database()
    with running_contender(service, database.url, core) as running_service:
        client = SyncClient(running_service, server, database)
        project = client.create_project()
        source = client.create_source(project, remote)
        with sampling(running_service) as samples:
            first = client.sync(source)
        peak = peak_rss_mb(running_service)
        trees = [client.time_get(f"/api/projects/{project}/file-tree") for _ in range(FILE_TREES)]
        client.forget_reader()
        read_again = client.sync(source)
        _commit_many(remote, remote.head())
        changed = client.sync(source)
        deletion_seconds = client.delete_project(project)
    if not first.rows_written == changed.rows_written == MANY_DOCUMENTS:
        raise BenchmarkError("a run did not write the new documents")
    runs = [first, read_again, changed]
    return runs, ManyDocuments(
        *(summarize_runs([run]) for run in runs),
        deletion_seconds=deletion_seconds,
        peak_rss_mb=peak,
        processes_rss_mb=samples.processes_rss_mb,
        processes_uss_mb=samples.processes_uss_mb,
        file_tree_seconds=median(trees),
        health_p99_ms=quantiles(samples.latencies, n=100)[98] * 1000,
        health_max_ms=max(samples.latencies) * 1000,
        health_probes=len(samples.latencies),
        health_failed=samples.failed,
    )


def summarize_runs(runs: list[MeasuredRun]) -> SyncResult:
    """Return the figures of runs of one kind."""
    seconds = [run.seconds for run in runs]
    return SyncResult(
        seconds=median(seconds),
        duration_seconds=median(run.duration_seconds for run in runs),
        fetched_bytes=max(run.fetched_bytes for run in runs),
        sent_bytes=max(run.sent_bytes for run in runs),
        rows_written=max(run.rows_written for run in runs),
        tries=seconds,
    )


def _summarize_many(tries: list[tuple[list[MeasuredRun], ManyDocuments]]) -> ManyDocuments:
    figures = [figure for _, figure in tries]
    return ManyDocuments(
        *(summarize_runs(list(runs)) for runs in zip(*(runs for runs, _ in tries), strict=True)),
        deletion_seconds=median(figure.deletion_seconds for figure in figures),
        peak_rss_mb=max(figure.peak_rss_mb for figure in figures),
        processes_rss_mb=max(figure.processes_rss_mb for figure in figures),
        processes_uss_mb=max(figure.processes_uss_mb for figure in figures),
        file_tree_seconds=median(figure.file_tree_seconds for figure in figures),
        health_p99_ms=median(figure.health_p99_ms for figure in figures),
        health_max_ms=max(figure.health_max_ms for figure in figures),
        health_probes=sum(figure.health_probes for figure in figures),
        health_failed=sum(figure.health_failed for figure in figures),
    )
