"""The plans of the statements that searches send: each uses an index, and reads no whole table.

The statements and their arguments are those that the routes sent, with all that they set before.
Each is planned again for its arguments and for any, on small and on large tables, by the newest
PostgreSQL and by the oldest that the tests find.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest

from service.database.queries import Queries
from service.embedded import postgres as embedded
from service.migrations.run import migrate
from service.telemetry.logs import REQUEST_FIELDS
from tests.support.hub import Hub, running_hub
from tests.support.postgres import Postgres, run_sql

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SYSTEMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
SYSTEM = SYSTEMS[0].parent if SYSTEMS else None

DOCUMENTS = 60
COPIES = 333  # of each document in the large tables: with these there are 20,000

QUERIES = [
    "common",
    "rare7",
    "common often",
    "common rare7",
    '"common text"',
    '"often common"',
    "common -often",
    "common or rare7",
    "create_pool",
    "create-pool common",
    "missing nothing here",
    "common missing often nothing",
    "setlement",
    "comon setlemnet",
    "\u8a2d\u8a08\u66f8",
    "\u8a2d",
    "the",
    "document7.md",
]
TYPED = ["docu", "document 7", "sec", "com", "\u8a2d", "e"]


GENERIC = "force_generic_plan"


class Sent(NamedTuple):
    """A statement, as a method of Queries got it."""

    text: str
    arguments: tuple[Any, ...]


class Searched(NamedTuple):
    """A hub of small or large tables, and what its searches may be limited to."""

    hub: Hub
    project: str
    source: str
    is_large: bool


def text_of(number: int) -> bytes:
    """Return a text of which each word is in three of four documents at most."""
    words = ["common", "text", "has", "settlement", "`create_pool`", "create a pool", "section"]
    words = [word for place, word in enumerate(words) if (number + place) % 4]
    often = "often " * (number % 7)
    return (
        f"# Document {number}\n\nThe common text. {often} rare{number}\n\n"
        f"## {' '.join(words)} {number}\n\n{' '.join(words)} \u8a2d\u8a08\u66f8\n"
        if number % 4
        else f"# Page {number}\n\nNothing {often}\n"
    ).encode()


# Rows like those of a table, but for some columns.
COPY = """
    insert into {table}
    select (jsonb_populate_record(one, {changes})).*
    from {table} as one, generate_series(1, {copies}) as copy
    """
COPY_ID = "md5({column}::text || copy)::uuid"


def copy_documents(database: str) -> None:
    """Copy the rows of each document with other ids and paths."""
    own = f"'id', {COPY_ID.format(column='id')}, 'file_path', file_path || '.' || copy || '.md'"
    of_document = f"'document_id', {COPY_ID.format(column='document_id')}"
    changes = {"document": own, "document_part": of_document, "document_heading": of_document}
    for table, pairs in changes.items():
        statement = COPY.format(table=table, changes=f"jsonb_build_object({pairs})", copies=COPIES)
        run_sql(database, statement, f"analyze {table}")
    run_sql(
        database,
        "insert into vocabulary select 'word' || translate(n::text, '0123456789', 'abcdefghij') "
        "from generate_series(1, 50000) as n",
        "analyze vocabulary",
    )


@contextmanager
def searched(server: Postgres, folder: Path, *, is_large: bool) -> Generator[Searched]:
    database = server.create_database()
    migrate(database, print)
    with running_hub(database, folder) as hub:
        project = hub.create_project()
        remote = hub.server.create()
        remote.commit({f"docs/document{n}.md": text_of(n) for n in range(DOCUMENTS)})
        source = hub.create_source(project, remote)
        assert hub.sync(source)["status"] == "completed"
    if is_large:
        copy_documents(database)
    # No syncer sends a statement while the test records them.
    with running_hub(database, folder / "served", sync_concurrency=0) as hub:
        yield Searched(hub, project, source, is_large)
    server.drop_database(database)


@pytest.fixture(scope="module", params=["newest", "oldest"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Postgres]:
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "oldest":
            if SYSTEM is None:
                pytest.skip("no PostgreSQL of the system")
            patch.setattr(embedded, "find_binaries", lambda: SYSTEM)
        server = Postgres(tmp_path_factory.mktemp(request.param))
        server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module", params=["small", "large"])
def tables(
    request: pytest.FixtureRequest, server: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Searched]:
    folder = tmp_path_factory.mktemp("plans")
    with searched(server, folder, is_large=request.param == "large") as found:
        yield found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Sent]:
    """Return a list to which each statement is added that a request sends."""
    statements: list[Sent] = []

    def record(name: str) -> None:
        method = getattr(Queries, name)

        async def recorded(self: Queries, query: str, *arguments: Any, **options: Any) -> Any:
            if REQUEST_FIELDS.get():  # else it is sent in the background
                statements.append(Sent(query, arguments))
            return await method(self, query, *arguments, **options)

        monkeypatch.setattr(Queries, name, recorded)

    for name in ("fetch", "fetch_row", "fetch_row_or_404", "fetch_value", "execute"):
        record(name)
    return statements


def is_setting(statement: Sent) -> bool:
    return statement.text.split()[0] in {"begin;", "set"}


def explain(database: str, statements: list[Sent], mode: str) -> list[tuple[Sent, dict[str, Any]]]:
    """Return the plans of the statements, in one transaction with what they set."""
    plans: list[tuple[Sent, dict[str, Any]]] = []
    with psycopg.connect(database, cursor_factory=psycopg.ClientCursor) as connection:
        for statement in statements:
            if is_setting(statement):
                if statement.text.startswith("begin;"):
                    connection.rollback()  # what the transaction before has set
                connection.execute(statement.text.removeprefix("begin;").encode())
            elif statement.text.split()[0] in {"select", "with"}:
                connection.execute(f"set local plan_cache_mode = {mode}".encode())
                connection.execute(b"prepare planned as " + statement.text.encode())
                places = ", ".join(["%s"] * len(statement.arguments))
                values = f"({places})" if places else ""
                row = connection.execute(
                    f"explain (format json) execute planned {values}".encode(),
                    [[*each] if isinstance(each, tuple) else each for each in statement.arguments],
                ).fetchone()
                connection.execute(b"deallocate planned")
                assert row
                plans.append((statement, row[0][0]["Plan"]))
    return plans


# Of each large table, the columns by which an index is searched for few rows. Another index may
# only reduce what an index on these finds: here one source has all documents. With a plan for the
# arguments at hand PostgreSQL knows how many documents that source has, and may read them all where
# as many have the word; the service always asks for a plan for any arguments.
SELECTIVE = {
    "document_part": ("vector", "document_id"),
    "document_heading": ("text", "document_id"),
    "document": ("id", "file_path"),
    "vocabulary": ("word",),
    "project": ("id",),
    "project_doc": ("id", "project_id"),
}

# Has the sources of which not all parts are removed: mostly none.
NEEDED_WHOLE = "removed_source"


def whole_reads(plan: dict[str, Any], *, is_strict: bool, table: str = "") -> list[str]:
    """Return a line for each node of a plan that reads more of a table than it needs."""
    table = plan.get("Relation Name", table)
    if table == NEEDED_WHOLE:
        return []
    children = plan.get("Plans", [])
    found = [whole_reads(child, is_strict=is_strict, table=table) for child in children]
    found += [
        [f"{child['Subplan Name']} of {table}: again for each row"]
        for child in children
        if child.get("Parent Relationship") == "SubPlan"
        and "CTE Scan" in str(child)
        and f"hashed {child['Subplan Name']}" not in plan.get("Filter", "")
    ]
    if plan["Node Type"] == "BitmapAnd":
        return min(found, key=len)
    line = f"{plan['Node Type']} on {table}"
    if plan["Node Type"] == "Seq Scan":
        return [line]
    if "Index" in plan["Node Type"]:
        condition = plan.get("Index Cond", "")
        columns = SELECTIVE[table]
        if not condition or (is_strict and not any(column in condition for column in columns)):
            found.append([f"{line} by {plan.get('Index Name')}: {condition or 'all'}"])
    return [line for lines in found for line in lines]


def assert_selective(tables: Searched, statements: list[Sent]) -> None:
    for mode in (GENERIC, "force_custom_plan"):
        plans = explain(tables.hub.database, statements, mode)
        assert plans
        for statement, plan in plans:
            reads = whole_reads(plan, is_strict=tables.is_large and mode == GENERIC)
            assert reads == [], f"{mode}: {statement.text}\n{statement.arguments}\n{plan}"


@pytest.mark.parametrize("limits", ["nothing", "project", "source", "kind", "path", "all"])
def test_a_search_reads_no_whole_table(tables: Searched, sent: list[Sent], limits: str) -> None:
    filters = {
        "project": {"project_id": tables.project},
        "source": {"source_id": tables.source},
        "kind": {"kind": "other"},
        "path": {"path": "docs/"},
    }
    chosen: dict[str, Any] = {"limit": 50}
    for name, parameters in filters.items():
        if limits in {name, "all"}:
            chosen |= parameters
    statements: list[Sent] = []
    for query, as_you_type in product(QUERIES, ("false", "true")):
        sent.clear()
        parameters = {"q": query, "as_you_type": as_you_type, **chosen}
        response = tables.hub.client.get("/api/search", params=parameters)
        assert response.status_code == 200
        if link := response.headers.get("link"):
            assert tables.hub.client.get(link.partition("<")[2].partition(">")[0]).is_success
        statements += sent
    texts = {statement.text for statement in statements if not is_setting(statement)}
    kinds = ["from document_part", "from vocabulary", "join outline", "further as ("]
    for kind in [*kinds, "order by sum(weight)"] if tables.is_large else kinds[:-1]:
        assert any(kind in text for text in texts), kind
    assert_selective(tables, once(statements))


def once(statements: list[Sent]) -> list[Sent]:
    """Return each statement once, with the first arguments, and all settings in their order."""
    texts: set[str] = set()
    kept: list[Sent] = []
    for statement in statements:
        if is_setting(statement) or statement.text not in texts:
            kept.append(statement)
        texts.add(statement.text)
    return kept


@pytest.mark.parametrize("limits", ["nothing", "project"])
def test_a_completion_reads_no_whole_table(tables: Searched, sent: list[Sent], limits: str) -> None:
    chosen = {"project_id": tables.project} if limits == "project" else {}
    statements: list[Sent] = []
    for typed in TYPED:
        sent.clear()
        response = tables.hub.client.get("/api/search/suggest", params={"q": typed, **chosen})
        assert response.status_code == 200
        statements += sent
    assert any("from document_heading" in statement.text for statement in statements)
    assert_selective(tables, once(statements))


def test_the_guard_sees_a_read_of_a_whole_table(tables: Searched) -> None:
    counted = Sent("select count(*) from document_part where kind = $1", ("other",))
    by_index = Sent("select id from document where file_type = $1 order by id", ("md",))
    again = Sent(
        "with few as materialized (select id from document where file_path = $1) "
        "select id from document "
        "where id = $2 and (select count(*) from few where few.id < document.id) > 0",
        ("a.md", tables.project),
    )
    settings = Sent("set local enable_seqscan = off", ())
    for statement in (counted, by_index, again):
        for before in ([], [settings]):
            [(_, plan)] = explain(tables.hub.database, [*before, statement], GENERIC)
            assert whole_reads(plan, is_strict=False)
