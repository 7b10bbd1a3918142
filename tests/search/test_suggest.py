"""The statements of suggestions: what they read, however many documents there are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, LiteralString, cast

import asyncpg
import pytest

from service.database.database import STATEMENT_SECONDS, Connection
from service.search.statements import SETTINGS
from service.search.suggest import suggest
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.database.database import Row
    from service.database.queries import RawConnection

pytestmark = pytest.mark.anyio

PROJECT = "9b0fe873-1380-46e1-85f8-934fc9c1f884"
SOURCE = "5e9ac9a2-74f7-4a4d-a29e-8b6d3a1cbb5c"

# Each document has a title and five headings: four that all documents have, and one of its own.
DOCUMENTS: LiteralString = f"""
    insert into project (id, name) values ('{PROJECT}', 'Payments');
    insert into project_doc (id, project_id, name, github_url)
    values ('{SOURCE}', '{PROJECT}', 'Docs', 'https://git.example/team/docs');
    insert into document
        (project_doc_id, file_path, file_type, file_size, blob_id, content, doc_metadata)
    select '{SOURCE}', n || '.md', 'md', 1, '', '', jsonb_build_object(
        'title', 'Story ' || n,
        'headings', jsonb_build_array(
            jsonb_build_object('text', 'Status', 'anchor', 'status'),
            jsonb_build_object('text', 'Acceptance Criteria', 'anchor', 'acceptance-criteria'),
            jsonb_build_object('text', 'Dev Notes', 'anchor', 'dev-notes'),
            jsonb_build_object('text', 'Tasks', 'anchor', 'tasks'),
            jsonb_build_object('text', 'Sketch ' || n, 'anchor', 'sketch-' || n)
        )
    )
    from generate_series(1, %s) as each (n);
    insert into document_heading (document_id, number, project_id, text)
    select document.id, 0, '{PROJECT}'::uuid, lower(doc_metadata ->> 'title') || ' '
    from document
    union all
    select document.id, number, '{PROJECT}'::uuid, lower(heading ->> 'text') || ' '
    from document
    cross join lateral jsonb_array_elements(doc_metadata -> 'headings')
        with ordinality as each (heading, number);
    insert into document_part
        (document_id, number, is_only, project_doc_id, kind, vector, tokens, body, headings, ends,
         pairs, digest)
    select id, 0, true, '{SOURCE}', 'story',
           '^stori ^status ^accept ^criteria ^dev ^note ^task ^sketch'::tsvector, '', '', '{{}}',
           '{{}}', decode(repeat('00', 8), 'hex'), ''
    from document;
    analyze;
    """

# They complete titles, headings, one of each document, a later word, and nothing.
TYPED = ("s", "story 1", "status", "criter", "zz top", "sketch 77")


class Recorder(Connection):
    """A connection that keeps its statements, with their arguments."""

    def __init__(self, connection: RawConnection, seconds: float) -> None:
        super().__init__(connection, seconds)
        self.statements: list[tuple[str, tuple[object, ...]]] = []

    async def fetch(self, query: LiteralString, *arguments: object) -> list[Row]:
        self.statements.append((query, arguments))
        return await super().fetch(query, *arguments)


def literal(value: object) -> str:
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, list):
        return f"array[{', '.join(map(literal, cast('list[object]', value)))}]"
    return "'" + str(value).replace("'", "''") + "'"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=[3, 20_000])
def documents(database: str, request: pytest.FixtureRequest) -> str:
    run_sql(database, DOCUMENTS % request.param)
    return database


async def record(
    url: str, typed: str, project_id: str | None
) -> list[tuple[str, tuple[object, ...]]]:
    pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
    async with pool, pool.acquire() as connection:
        recorder = Recorder(connection, STATEMENT_SECONDS)
        async with recorder.transaction():
            await recorder.execute(SETTINGS)
            await suggest(recorder, typed, project_id)
    return recorder.statements


def explain(url: str, query: str, arguments: tuple[object, ...], mode: str) -> dict[str, Any]:
    [(plan,)] = run_sql(
        url,
        "begin",
        SETTINGS,
        f"set local plan_cache_mode = {mode}",
        f"prepare suggestion as {query}",
        f"explain (format json, analyze) execute suggestion({', '.join(map(literal, arguments))})",
    )
    return plan[0]["Plan"]


def nodes_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes_of(child)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
@pytest.mark.parametrize("project_id", [None, PROJECT])
async def test_suggestions_read_few_rows_by_indexes(
    documents: str, project_id: str | None, mode: str
) -> None:
    statements = [each for typed in TYPED for each in await record(documents, typed, project_id)]
    # For the beginnings, for later words where there are few, and for what is shown.
    assert len(statements) > 2 * len(TYPED)
    for query, arguments in statements:
        plan = explain(documents, query, arguments, mode)
        scans = [node for node in nodes_of(plan) if "Relation Name" in node]
        assert scans
        for scan in scans:
            if scan["Relation Name"] == "removed_source":  # nearly always empty
                continue
            assert scan["Node Type"] != "Seq Scan", json.dumps(scan)
            assert "Index Cond" in scan or "Recheck Cond" in scan, json.dumps(scan)
        rows = sum(scan["Actual Rows"] * scan["Actual Loops"] for scan in scans)
        assert rows < 3_000, json.dumps(plan)
