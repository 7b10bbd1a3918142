"""The figures, as the report, the chart and results.json use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class LoadResult:
    """One contender under one load: medians over the rounds, except where a comment says so."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    errors: int  # the sum
    statements_per_request: float  # over all rounds
    postgres_cpu_seconds_per_request: float  # over all rounds
    most_active_statements: int  # equal ones, at once; sampled
    rounds: list[float]  # the requests/s of each, which show how steady the machine was


# By number of connections.
LoadResults: TypeAlias = dict[int, LoadResult]


@dataclass(frozen=True)
class Memory:
    """The memory of an idle server, in MB of 1,000,000 bytes."""

    rss_mb: float  # as `ps` shows it
    uss_mb: float  # without memory shared with other processes


@dataclass(frozen=True)
class SyncResult:
    """One kind of run: medians over the tries, except where a comment says so."""

    seconds: float  # from the request to the end, as the client sees it
    duration_seconds: float  # as the run reports it
    fetched_bytes: int  # as the run reports it; the maximum
    sent_bytes: int  # by the git server, in bodies of HTTP responses; the maximum
    rows_written: int  # of documents; the maximum
    tries: list[float]  # the seconds of each


@dataclass(frozen=True)
class ManyDocuments:
    """Runs of 20,000 documents, and the service in the first one: maximums over the tries."""

    sync: SyncResult  # the first one
    read_again: SyncResult  # since another READER_VERSION read them; none changed
    changed: SyncResult  # every document changed
    deletion_seconds: float  # of their project; the median
    peak_rss_mb: float  # of the service's own process
    processes_rss_mb: float  # with its git processes; these two are sampled
    processes_uss_mb: float
    file_tree_seconds: float  # the median
    health_p99_ms: float  # the median
    health_max_ms: float
    health_probes: int  # the sum
    health_failed: int  # the sum of those without a 200


@dataclass(frozen=True)
class Syncs:
    """Runs of 250 documents among 180 MB of assets, and of 20,000 documents."""

    first: SyncResult
    nothing_new: SyncResult
    one_changed: SyncResult
    many: ManyDocuments


@dataclass(frozen=True)
class QueryResult:
    """The responses to queries of one class, or of all classes, under one load."""

    requests: int
    requests_per_second: float
    p50_ms: float
    p95_ms: float
    max_ms: float
    first_p95_ms: float  # of the queries that were sent for the first time
    empty_part: float  # the share of responses without results
    kilobytes: float  # of a response, on average
    errors: int
    load_cpu_part: float  # how busy the process was that sent the requests


# By class of query, by contender, by number of connections.
QueryResults: TypeAlias = dict[str, dict[str, dict[int, QueryResult]]]


@dataclass(frozen=True)
class TableSize:
    """The bytes of a table, of its values that are stored out of line, and of each index."""

    main: int
    toast: int
    indexes: dict[str, int]


@dataclass(frozen=True)
class Indexing:
    """The first runs of all sources of a corpus, one after another, and what they stored."""

    documents: int
    text_bytes: int
    seconds: list[float]  # of the run of each source
    tables: dict[str, TableSize]


@dataclass(frozen=True)
class Search:
    """The service and the peer with the same corpus."""

    indexing: Indexing
    query_counts: dict[str, int]  # different ones of each class
    queries: QueryResults  # over all rounds
    all_classes: dict[str, dict[int, QueryResult]]  # those that both have, each as often
    health_p99_ms: float  # while 16 clients search
    health_max_ms: float
    health_probes: int
    health_failed: int
    peak_rss_mb: float  # of the service's own process


@dataclass(frozen=True)
class Growth:
    """The service with one corpus, over one connection."""

    indexing: Indexing
    queries: dict[str, QueryResult]
    all_classes: QueryResult


@dataclass(frozen=True)
class BoardSync:
    """Runs of one kind of the repository with stories; rows are those of all tables of documents.

    The maximum over the tries.
    """

    run: SyncResult
    rows_written: int


@dataclass(frozen=True)
class Past:
    """First syncs of a repository with a history, which is read, or is not.

    `seconds` and `fetched_bytes` are what the history adds: of the pairs of tries the median of the
    differences, and the most.
    """

    commits: int
    versions: int  # of stories
    version_bytes: int  # of the tracker's versions, too
    load_average: float  # of the machine, in the minute before
    with_past: SyncResult
    without: SyncResult
    seconds: float
    fetched_bytes: int


@dataclass(frozen=True)
class Progress:
    """The service with 50 projects, one of which has 3,000 stories in 20,000 documents."""

    documents: int  # of the large project
    text_bytes: int
    rows: dict[str, int]  # of stories, epics and problems, by table, of all projects
    without_work: BoardSync  # the first run of a service that reads no work
    first: BoardSync
    nothing_new: BoardSync
    one_changed: BoardSync  # the status of a story
    past: Past
    routes: dict[str, QueryResult]  # over one connection


@dataclass(frozen=True)
class PageLoad:
    """The medians of the runs of wrk with one request, and the sum of their errors.

    `cpu_ms` is the server's own time for a request, which other programs do not change.
    """

    requests_per_second: float
    cpu_ms: float
    p50_ms: float
    p99_ms: float
    errors: int


@dataclass(frozen=True)
class PageTimes:
    """A page over one connection, without gzip; each CPU time is the mean of a request."""

    requests: int
    p50_ms: float
    p95_ms: float
    max_ms: float
    cpu_ms: float  # of the service
    postgres_cpu_ms: float
    kilobytes: float
    errors: int


@dataclass(frozen=True)
class Paint:
    """What Chromium takes from the navigation on, over its loads of a page."""

    response_ms: float  # until it has the HTML: the median
    p50_ms: float  # until its first paint
    p95_ms: float
    least_ms: float
    cpu_ms: float  # of the renderer's main thread until the page is loaded: the median


@dataclass(frozen=True)
class WorkPages:
    """The pages of 50 projects with stories, epics, problems and histories."""

    rows: dict[str, int]  # of stories, epics and problems, by table, of all projects
    times: dict[str, PageTimes]
    # By page, then by how its style and script come; empty on a machine without Chromium.
    paints: dict[str, dict[str, Paint]]


@dataclass(frozen=True)
class Pages:
    """The page of a document of 50 KB, what else is asked for beside it, and the pages of work."""

    page_bytes: int
    first_ms: float  # of the first page of a new process, which renders it
    # By request, by contender, by number of connections.
    loads: dict[str, dict[str, dict[int, PageLoad]]]
    health_max_ms: float  # while pages are loaded
    health_failed: int
    work: WorkPages


@dataclass(frozen=True)
class Results:
    """All figures. Keys are the contenders' names; `loads` has the routes above them."""

    loads: dict[str, dict[str, LoadResults]]
    start_seconds: dict[str, float]
    import_seconds: dict[str, float]
    memory: dict[str, Memory]
    syncs: Syncs
    postgresql: str  # its version
