"""Lists of documents, and what pages and agents read besides the routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import orjson
import pytest

from service.problems import Problem
from service.routes.document_lists import (
    DOCUMENTS,
    DocumentFilter,
    find_documents,
    find_documents_by_ending,
    read_documents,
    read_nearest_paths,
    read_synced_sources,
    read_text,
)
from service.routes.file_tree import read_tops
from service.routes.projects import read_nearest_projects
from service.routes.shared import find_project
from service.web.cursors import next_cursor, read_sorted_page
from tests.support.board import Board, Work

if TYPE_CHECKING:
    from service.database.database import Database

pytestmark = pytest.mark.anyio

PATHS = ["README.md", "docs/a b.md", "docs/a.md", "docs/a/1.md", "docs/a/2.md", "docs2/é.md"]


@pytest.fixture
def work(database: str) -> Work:
    board = Board(database)
    work = board.add_source(board.add_project())
    for path in reversed(PATHS):
        work.add_document(path)
    other = board.add_source(board.add_project("Other"))
    other.add_document("docs/a.md")
    return work


def add_part(work: Work, path: str, kind: str, number: int = 0) -> None:
    work.board.execute(
        "insert into document_part (document_id, number, is_only, project_doc_id, kind, vector, "
        "tokens, body, headings, ends, pairs, digest) "
        r"select id, %s, false, project_doc_id, %s, '', '', '', '{}', '{}', '\x00', '\x00' "
        "from document where project_doc_id = %s and file_path = %s",
        number,
        kind,
        work.source,
        path,
    )


async def list_all(
    database: Database, work: Work, limit: int = 100, **wanted: Any
) -> list[dict[str, Any]]:
    """Return all documents of the list, from all of its pages."""
    found: list[dict[str, Any]] = []
    given = {"limit": str(limit)}
    while True:
        problems: dict[str, list[str]] = {}
        page = read_sorted_page(given, DOCUMENTS, problems)
        assert not problems
        filters = DocumentFilter(**wanted)
        items = await read_documents(database, page, UUID(work.project), filters)
        assert len(items.texts) <= limit
        found += map(orjson.loads, items.texts)
        cursor = next_cursor(items)
        if cursor is None:
            return found
        given["cursor"] = cursor


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_project_has_each_document_once_by_source_and_path(
    limit: int, opened: Database, work: Work
) -> None:
    second = work.board.add_source(work.project, "Second")
    second.add_document("docs/a.md")
    found = await list_all(opened, work, limit)
    assert [(each["source"], each["path"]) for each in found] == [
        *((work.named, path) for path in PATHS),
        (second.named, "docs/a.md"),
    ]
    of_second = await list_all(opened, work, limit, source_id=second.source)
    assert of_second == found[-1:]


async def test_a_path_limits_a_list_to_those_that_begin_so(opened: Database, work: Work) -> None:
    for path in ("docs/", "docs/a", "docs/a/", "docs2", "x", "docs/a.md", "docs/%", "docs/_"):
        found = await list_all(opened, work, 2, path=path)
        assert [each["path"] for each in found] == [each for each in PATHS if each.startswith(path)]


async def test_a_kind_is_that_of_a_documents_parts(opened: Database, work: Work) -> None:
    add_part(work, "docs/a.md", "prd")
    add_part(work, "docs/a.md", "prd", 1)
    add_part(work, "docs/a/1.md", "story")
    kinds = {each["path"]: each["kind"] for each in await list_all(opened, work)}
    assert kinds == dict.fromkeys(PATHS) | {"docs/a.md": "prd", "docs/a/1.md": "story"}
    (found,) = await list_all(opened, work, kind="prd")
    assert found["path"] == "docs/a.md"
    assert set(found) == {
        *("id", "path", "source", "kind", "title", "file_type", "size", "updated_at")
    }


async def test_a_list_of_no_project_is_a_404(opened: Database, work: Work) -> None:
    page = read_sorted_page({}, DOCUMENTS, {})
    with pytest.raises(Problem, match="no such project"):
        await read_documents(opened, page, uuid4(), DocumentFilter())


async def test_sources_have_folders_at_the_top_where_several_have_documents(
    opened: Database, work: Work
) -> None:
    project = UUID(work.project)
    empty = work.board.add_source(work.project, "Empty")
    assert await read_tops(opened, [project]) == {work.source: None}
    empty.add_document("a.md")
    tops = await read_tops(opened, [project])
    assert tops == {work.source: "Docs", empty.source: "Empty"}


async def test_a_project_is_found_by_its_name_or_its_id(opened: Database, work: Work) -> None:
    named = work.board.add_project(work.project)  # a name that is the id of another
    for project, expected in (("Payments", work.project), (named.upper(), named)):
        row = await find_project(opened, project)
        assert str(row["id"]) == expected
    assert str((await find_project(opened, work.project))["id"]) == named
    with pytest.raises(Problem, match="no such project"):
        await find_project(opened, "payments")


async def test_sources_have_the_commit_that_was_synced(work: Work, opened: Database) -> None:
    commit = "3f786850e387550fdab836ed7e6dc881de23001b"
    work.board.execute(
        "update project_doc set last_commit = %s, last_synced_at = '2026-11-25T03:01:00Z' "
        "where id = %s",
        commit,
        work.source,
    )
    other = work.board.add_source(work.project, "Other")
    first, second = await read_synced_sources(opened, [UUID(work.project), uuid4()])
    assert (first["id"], first["project_id"], first["project"]) == (
        work.source,
        work.project,
        "Payments",
    )
    assert (first["commit"], first["synced_at"].isoformat()) == (
        commit,
        "2026-11-25T03:01:00+00:00",
    )
    assert [row["id"] for row in await read_synced_sources(opened, [UUID(work.project)], 1)] == [
        work.source
    ]
    assert (second["id"], second["commit"], second["synced_at"]) == (other.source, None, None)


async def test_the_nearest_paths_have_the_same_name_or_are_similar(
    work: Work, opened: Database
) -> None:
    async def nearest(path: str, count: int = 5) -> list[str]:
        return await read_nearest_paths(opened, UUID(work.project), path, count)

    assert (await nearest("elsewhere/1.MD"))[0] == "docs/a/1.md"
    assert await nearest("readme.md", 1) == ["README.md"]
    assert (await nearest("docs2/e.md"))[0] == "docs2/é.md"
    assert await nearest("zzz") == []
    assert await read_nearest_paths(opened, uuid4(), "docs/a.md", 5) == []


async def test_documents_are_found_by_path_or_id(work: Work, opened: Database) -> None:
    twin = work.board.add_source(work.project, "Twin")
    twin.add_document("docs/a.md")
    project = UUID(work.project)
    rows = await find_documents(opened, project, "docs/a.md")
    assert [row["source_id"] for row in rows] == [work.source, twin.source]
    assert rows[0]["kind"] is None
    (row,) = await find_documents(opened, None, "", rows[1]["id"])
    assert dict(row) == dict(rows[1])
    assert await find_documents(opened, project, "docs/A.md") == []
    assert await find_documents(opened, None, "", str(uuid4())) == []


async def test_documents_are_found_by_the_ends_of_their_paths(opened: Database, work: Work) -> None:
    project = UUID(work.project)
    for ending, paths in (
        ("a.md", ["docs/a.md"]),
        ("a/2.md", ["docs/a/2.md"]),
        ("docs/a.md", []),
        (".md", []),
        ("%.md", []),
        ("", []),
    ):
        rows = await find_documents_by_ending(opened, project, ending)
        assert [row["path"] for row in rows] == paths
    work.add_document("more/docs/a.md")
    work.add_document("more/a.md")
    assert len(await find_documents_by_ending(opened, project, "a.md")) == 2
    (row,) = await find_documents_by_ending(opened, project, "docs/a.md")
    assert [row] == await find_documents(opened, project, "more/docs/a.md")


async def test_a_documents_text_is_read_by_its_id(work: Work, opened: Database) -> None:
    (row,) = await find_documents(opened, UUID(work.project), "docs/a.md")
    text = await read_text(opened, row["id"])
    assert text is not None
    assert dict(text) == {"content": "", "title": None}
    assert await read_text(opened, str(uuid4())) is None


async def test_the_nearest_projects_have_similar_names(work: Work, opened: Database) -> None:
    work.board.add_project("payments")
    names = [row["name"] for row in await read_nearest_projects(opened, "Paymets", 5)]
    assert sorted(names) == ["Payments", "payments"]
    names = [row["name"] for row in await read_nearest_projects(opened, "PAYMENTS", 1)]
    assert names == ["payments"]
    assert await read_nearest_projects(opened, "zzz", 5) == []
