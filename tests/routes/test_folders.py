"""The folders of a project's tree, as its pages read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from service.problems import Problem
from service.routes.folders import (
    NEAR,
    Folder,
    count_documents,
    find_sources_of_path,
    is_skipped,
    read_folder,
    read_near_documents,
)
from service.routes.project_tree import read_project_tree
from tests.support.board import Board, Work

if TYPE_CHECKING:
    from service.database.database import Database

pytestmark = pytest.mark.anyio

PATHS = [
    "README.md",
    "docs-old/a.md",
    "docs.md",
    "docs/A.md",
    "docs/a.md",
    "docs/a/1.md",
    "docs/a/b/2.md",
    "docs/z#?%.md",
    "docs0/x.md",
    "é/ü.md",
    "\U0010ffff\U0010ffff/last.md",
]


@pytest.fixture
def work(database: str) -> Work:
    board = Board(database)
    work = board.add_source(board.add_project())
    for path in reversed(PATHS):
        work.add_document(path)
    board.add_source(board.add_project("Other")).add_document("docs/other.md")
    return work


async def folder(
    opened: Database, work: Work, path: str, offset: int = 0, limit: int = 100
) -> Folder:
    return await read_folder(opened, UUID(work.source), path, offset=offset, limit=limit)


def shown(folder: Folder) -> list[tuple[Any, ...]]:
    """Return the name of each entry, and the number of documents of a subfolder."""
    return [
        (row["name"],) if row["is_file"] else (row["name"], row["documents"])
        for row in folder.entries
    ]


async def test_a_folder_has_its_subfolders_first_in_the_order_of_bytes(
    opened: Database, work: Work
) -> None:
    root = await folder(opened, work, "")
    assert shown(root) == [
        ("docs", 5),
        ("docs-old", 1),
        ("docs0", 1),
        ("é", 1),
        ("\U0010ffff\U0010ffff", 1),
        ("README.md",),
        ("docs.md",),
    ]
    assert root[:3] == (11, 5, 2)
    docs = await folder(opened, work, "docs")
    assert shown(docs) == [("a", 2), ("A.md",), ("a.md",), ("z#?%.md",)]
    assert docs[:3] == (5, 1, 3)
    assert shown(await folder(opened, work, "é")) == [("ü.md",)]


async def test_folders_and_documents_share_the_pages(opened: Database, work: Work) -> None:
    names = [row["name"] for row in (await folder(opened, work, "docs")).entries]
    for limit in (1, 2, 3):
        pages = [await folder(opened, work, "docs", offset, limit) for offset in range(0, 4, limit)]
        assert [row["name"] for page in pages for row in page.entries] == names
        assert {page[:3] for page in pages} == {(5, 1, 3)}
    beyond = await folder(opened, work, "docs", 4, 1)
    assert (beyond[:3], beyond.entries) == ((5, 1, 3), [])


@pytest.mark.parametrize("path", ["nothing", "docs.md", "doc", "docs/a.md", "DOCS", "docs%"])
async def test_a_path_without_documents_below_is_no_folder(
    opened: Database, work: Work, path: str
) -> None:
    assert await folder(opened, work, path) == (0, 0, 0, [])


async def test_a_document_has_its_title_its_kind_and_the_status_of_its_story(
    opened: Database, work: Work
) -> None:
    work.add_story("1.1", path="docs/a.md", status="review")
    work.add_story("1.2", path="docs/a.md", status="done")  # the first one counts
    work.board.execute(
        'update document set doc_metadata = \'{"title": "A title"}\' '
        "where project_doc_id = %s and file_path = 'docs/a.md'",
        work.source,
    )
    work.board.execute(
        "update story set changed_at = '2026-01-02T03:04:05Z' where project_doc_id = %s",
        work.source,
    )
    entries = {row["name"]: row for row in (await folder(opened, work, "docs")).entries}
    row = entries["a.md"]
    assert (row["title"], row["kind"], row["status"], row["story_id"]) == (
        "A title",
        None,
        "review",
        "1.1",
    )
    assert (row["file_type"], row["file_size"]) == ("md", 1)
    assert row["changed_at"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert entries["A.md"]["status"] is None
    assert entries["A.md"]["changed_at"] is not None
    assert entries["a"]["file_size"] is None


async def test_the_tree_names_the_folder_of_each_source_with_documents(
    opened: Database, work: Work
) -> None:
    tree = await read_project_tree(opened, UUID(work.project))
    assert (tree.name, tree.has_tops) == ("Payments", False)
    assert [(source.name, source.top) for source in tree.sources] == [("Docs", None)]
    work.board.add_source(work.project, "Empty")
    second = work.board.add_source(work.project, "App")
    second.add_document("a.md")
    tree = await read_project_tree(opened, UUID(work.project))
    assert tree.has_tops
    assert [(source.name, source.top and source.top.path) for source in tree.sources] == [
        ("App", "App"),
        ("Docs", "Docs"),
        ("Empty", None),
    ]
    assert [source.has_documents for source in tree.sources] == [True, True, False]
    counts = await count_documents(opened, [source.id for source in tree.sources])
    assert counts == {UUID(second.source): 1, UUID(work.source): 11}


async def test_a_source_that_moved_has_no_commit(opened: Database, work: Work) -> None:
    for tree_id, commit in (("'0a'", "c0ffee"), ("null", None)):
        work.board.execute(
            f"update project_doc set last_commit = 'c0ffee', default_branch = 'main', "
            f"tree_id = {tree_id} where id = %s",
            work.source,
        )
        [source] = (await read_project_tree(opened, UUID(work.project))).sources
        assert (source.commit, source.branch) == (commit, "main")


async def test_the_version_of_a_source_changes_with_its_documents(
    opened: Database, work: Work
) -> None:
    async def version() -> str:
        [source] = (await read_project_tree(opened, UUID(work.project))).sources
        return source.version

    before = await version()
    assert await version() == before
    work.add_document("new.md")
    added = await version()
    work.board.execute("update project_doc set tree_id = '0b' where id = %s", work.source)
    changed = await version()
    assert len({before, added, changed}) == 3


async def test_a_missing_project_is_a_404_and_one_without_sources_has_an_empty_tree(
    opened: Database, work: Work
) -> None:
    empty = await read_project_tree(opened, UUID(work.board.add_project("Empty")))
    assert (empty.name, empty.sources, empty.has_tops) == ("Empty", [], False)
    with pytest.raises(Problem) as raised:
        await read_project_tree(opened, uuid4())
    assert raised.value.status == 404


async def test_a_path_is_found_in_each_source_that_has_a_document_or_folder_there(
    opened: Database, work: Work
) -> None:
    second = work.board.add_source(work.project, "App")
    second.add_document("docs/b.md")
    ids = [UUID(second.source), UUID(work.source)]
    assert await find_sources_of_path(opened, ids, "docs") == ids
    assert await find_sources_of_path(opened, ids, "docs/a.md") == ids[1:]
    assert await find_sources_of_path(opened, ids, "docs/b.md") == ids[:1]
    assert await find_sources_of_path(opened, ids, "doc") == []


async def test_the_documents_beside_one_are_those_of_its_folder(
    opened: Database, work: Work
) -> None:
    source = UUID(work.source)
    near = await read_near_documents(opened, source, "docs/a.md", 10)
    assert near == (["A.md", "a.md", "z#?%.md"], False, False)
    near = await read_near_documents(opened, source, "README.md", 10)
    assert near == (["README.md", "docs.md"], False, False)
    near = await read_near_documents(opened, source, "docs/a.md", 1)
    assert near == (["A.md", "a.md", "z#?%.md"], False, False)
    near = await read_near_documents(opened, source, "docs/a/1.md", 10)
    assert near == (["1.md"], False, False)


async def test_beside_many_documents_only_the_nearest_are_read(
    opened: Database, work: Work
) -> None:
    for number in range(3 * NEAR):
        work.add_document(f"many/{number:03}.md")
        work.add_document(f"many/{number:03}/below.md")
    near = await read_near_documents(opened, UUID(work.source), f"many/{NEAR:03}.md", 2)
    names = [f"{NEAR + step:03}.md" for step in range(-2, 3)]
    assert near == (names, True, True)
    near = await read_near_documents(opened, UUID(work.source), f"many/{NEAR:03}.md", NEAR)
    assert len(near.names) == NEAR + 1  # half of those that were read are in subfolders
    assert (near.has_more_before, near.has_more_after) == (True, True)


async def test_a_file_is_skipped_if_the_last_completed_run_skipped_it(
    opened: Database, work: Work
) -> None:
    source = UUID(work.source)

    def add_run(status: str, *paths: str) -> None:
        work.board.execute(
            "insert into sync_run (project_doc_id, status, finished_at, skipped_files) "
            "select %s, %s, now(), coalesce(jsonb_agg(jsonb_build_object("
            "'path', path, 'reason', 'x', 'blob_id', null)), '[]') from unnest(%s::text[]) as path",
            work.source,
            status,
            [*paths],
        )

    assert not await is_skipped(opened, source, "a.md")
    add_run("completed", "a.md", "b.md")
    add_run("failed")
    assert await is_skipped(opened, source, "a.md")
    assert not await is_skipped(opened, source, "c.md")
    add_run("completed", "b.md")
    assert not await is_skipped(opened, source, "a.md")
