"""Search: the service and a peer over the same documents, by class of query.

The peer, `search_peer.py`, is what a team writes first: `ilike '%…%'`. The two take turns. The
documents come in by runs from a git server, which are timed, too.
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from itertools import chain, cycle, islice, product
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from client import SyncClient
from contenders import UVICORN, BenchmarkError, Contender, fetch, running_contender
from corpus import PROJECT_COUNT, SOURCE_COUNT, Corpus, project_of
from queries import QUERY_COUNT, SUGGESTIONS, Statistics, draw_queries
from requests_load import send_requests
from results import Growth, Indexing, Search, TableSize
from sampling import peak_rss_mb, sampling
from search_figures import nest_results, summarize, summarize_classes
from syncs import service_for

from tests.support.git_server import git_server

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from contenders import Server
    from postgres import BenchPostgres, ContenderDatabase
    from queries import Query
    from search_figures import Loads

    from tests.support.git_server import GitServer, Remote

DOCUMENTS: Final = 10_000
GROWTH: Final = (1_000, 10_000, 50_000)

CONNECTIONS: Final = (1, 16)
HEALTH_SECONDS: Final = 10

ILIKE: Final = Contender("ILIKE", (*UVICORN, "search_peer:app", "--no-access-log"), {})

# What the peer does not have.
ONLY_SERVICE: Final = (SUGGESTIONS,)


class Searchable(NamedTuple):
    """A running service that has the documents of a corpus."""

    service: Server
    database: ContenderDatabase
    queries: dict[str, list[Query]]
    indexing: Indexing


def measure_search(
    postgres: BenchPostgres,
    core: int,
    rounds: int,
    seconds: int,
    report_progress: Callable[[str], None],
) -> Search:
    """Measure the service and the peer with DOCUMENTS documents, both on this core.

    Calls `report_progress` with a line before each step. Raises BenchmarkError.
    """
    with (
        _searchable(postgres, core, DOCUMENTS, report_progress) as searchable,
        running_contender(ILIKE, searchable.database.url, core) as peer,
    ):
        service, queries = searchable.service, searchable.queries
        loads = measure_queries([service, peer], queries, rounds, seconds, report_progress)
        report_progress(f"probing health while {CONNECTIONS[-1]} clients search")
        with sampling(service) as samples:
            mixed = _mix(list(queries.values()))
            send_requests(service.url, mixed, CONNECTIONS[-1], HEALTH_SECONDS)
        peak = peak_rss_mb(service)
    return Search(
        indexing=searchable.indexing,
        query_counts={name: len(of_class) for name, of_class in queries.items()},
        queries=nest_results(loads),
        all_classes={
            server.contender.name: {
                connections: summarize_classes(
                    [
                        loads[name, server.contender.name, connections]
                        for name in queries
                        if name not in ONLY_SERVICE
                    ]
                )
                for connections in CONNECTIONS
            }
            for server in (service, peer)
        },
        health_p99_ms=quantiles(samples.latencies, n=100)[98] * 1000,
        health_max_ms=max(samples.latencies) * 1000,
        health_probes=len(samples.latencies),
        health_failed=samples.failed,
        peak_rss_mb=peak,
    )


def measure_growth(
    postgres: BenchPostgres, core: int, seconds: int, report_progress: Callable[[str], None]
) -> list[Growth]:
    """Measure the service with corpora of all sizes in GROWTH, over one connection.

    Calls `report_progress` with a line before each step. Raises BenchmarkError.
    """
    grown: list[Growth] = []
    for documents in GROWTH:
        with _searchable(postgres, core, documents, report_progress) as searchable:
            service, queries = searchable.service, searchable.queries
            loads = measure_queries(
                [service], queries, 1, seconds, report_progress, connections=(1,)
            )
        name = service.contender.name
        grown.append(
            Growth(
                indexing=searchable.indexing,
                queries={each: summarize(loads[each, name, 1]) for each in queries},
                all_classes=summarize_classes(
                    [loads[each, name, 1] for each in queries if each not in ONLY_SERVICE]
                ),
            )
        )
    return grown


def measure_queries(
    servers: Sequence[Server],
    queries: dict[str, list[Query]],
    rounds: int,
    seconds: int,
    report_progress: Callable[[str], None],
    connections: Sequence[int] = CONNECTIONS,
) -> Loads:
    """Put the load of each class on each server, in turns.

    Each load goes on with the queries where the one before it ended.
    """
    # Each server has its pool and its plans before the first load; no query is known to it.
    for server in servers:
        fetch(server, "/api/search?q=warm+up")
    loads: Loads = {}
    for number in range(rounds):
        report_progress(f"searching, round {number + 1} of {rounds}")
        for many, (name, of_class), server in product(connections, queries.items(), servers):
            if name in ONLY_SERVICE and server.contender is ILIKE:
                continue
            earlier = loads.setdefault((name, server.contender.name, many), [])
            load = send_requests(
                server.url,
                [query.path for query in of_class],
                many,
                seconds,
                earlier[-1].first if earlier else 0,
            )
            # An error comes fast: a load of nothing else would reach the goals.
            if load.errors >= len(load.latencies):
                raise BenchmarkError(f"{server.contender.name} responds with errors: {name}")
            earlier.append(load)
    return loads


def _mix(classes: Sequence[Sequence[Query]]) -> list[str]:
    """Return the paths of queries of all classes in turns."""
    turns = zip(*(islice(cycle(of_class), QUERY_COUNT) for of_class in classes), strict=True)
    return [query.path for query in chain.from_iterable(turns)]


@contextmanager
def _searchable(
    postgres: BenchPostgres, core: int, documents: int, report_progress: Callable[[str], None]
) -> Generator[Searchable]:
    """Start the service, and sync a corpus of so many documents into its database."""
    database = postgres.create_database()
    with (
        tempfile.TemporaryDirectory(prefix="bmadflow-bench-") as folder,
        git_server(Path(folder) / "repositories") as server,
    ):
        report_progress(f"making {documents:,} documents")
        remotes, statistics, text_bytes = _make_remotes(server, documents)
        with running_contender(service_for(server, Path(folder)), database.url, core) as service:
            report_progress(f"syncing {documents:,} documents")
            client = SyncClient(service, server, database)
            projects = [client.create_project(f"Search {n + 1}") for n in range(PROJECT_COUNT)]
            sources = [
                client.create_source(projects[project_of(number)], remote, None)
                for number, remote in enumerate(remotes)
            ]
            runs = [client.sync(source) for source in sources]
            if sum(run.rows_written for run in runs) != documents:
                raise BenchmarkError("the runs did not write all documents")
            seconds = [run.seconds for run in runs]
            yield Searchable(
                service,
                database,
                draw_queries(statistics),
                Indexing(documents, text_bytes, seconds, _read_tables(database)),
            )


def _make_remotes(server: GitServer, documents: int) -> tuple[list[Remote], Statistics, int]:
    """Return a repository for each source, the words of all documents, and their bytes."""
    corpus, statistics, size = Corpus(), Statistics(), 0
    remotes: list[Remote] = []
    for source in range(SOURCE_COUNT):
        files: dict[str, bytes] = {}
        for document in corpus.documents(documents, source):
            statistics.add(document)
            files[document.path] = document.text.encode()
        size += sum(map(len, files.values()))
        remotes.append(server.create(f"team/search-{source}"))
        remotes[-1].configure("core.compression", "6")
        remotes[-1].commit(files)
    return remotes, statistics, size


def _read_tables(database: ContenderDatabase) -> dict[str, TableSize]:
    """Return the sizes of all tables, after a vacuum, so that none begins during a load."""
    with psycopg.connect(database.url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
        rows = connection.execute(
            """
            select tables.relname, pg_relation_size(tables.oid),
                   coalesce(pg_total_relation_size(nullif(reltoastrelid, 0)), 0),
                   coalesce(
                       (
                           select jsonb_object_agg(relname, pg_relation_size(indexrelid))
                           from pg_index
                           join pg_class on pg_class.oid = indexrelid
                           where indrelid = tables.oid
                       ),
                       '{}'
                   )
            from pg_class as tables
            where relnamespace = 'public'::regnamespace and relkind = 'r'
            order by pg_total_relation_size(tables.oid) desc
            """
        ).fetchall()
    return {name: TableSize(main, toast, indexes) for name, main, toast, indexes in rows}
