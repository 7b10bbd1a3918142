"""What the page of a document shows besides its content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from service.problems import Problem
from service.routes.document_pages import (
    PROBLEMS_SHOWN,
    STORIES_SHOWN,
    read_document_content,
    read_document_facts,
    read_story_surroundings,
)
from service.sync.activity import MAX_LISTED
from tests.support.board import Board, Work

if TYPE_CHECKING:
    from service.database.database import Database, Row

pytestmark = pytest.mark.anyio

PATH = "docs/1.2 a.md"


@pytest.fixture
def work(database: str) -> Work:
    board = Board(database)
    work = board.add_source(board.add_project())
    work.add_document(PATH)
    work.add_document("docs/other.md")
    return work


def set_document(work: Work, **columns: Any) -> None:
    work.board.execute(
        f"update document set {', '.join(f'{name} = %s' for name in columns)} "
        "where project_doc_id = %s and file_path = %s",
        *columns.values(),
        work.source,
        PATH,
    )


async def read_facts(opened: Database, work: Work) -> Row:
    facts = await read_document_facts(opened, UUID(work.source), PATH)
    assert facts is not None
    return facts


async def test_a_document_without_work_has_the_facts_of_its_file(
    opened: Database, work: Work
) -> None:
    metadata: dict[str, Any] = {
        "title": "A",
        "encoding": "utf-16-le",
        "replaced_characters": 2,
        "headings": [],
    }
    set_document(work, doc_metadata=json.dumps(metadata), blob_id="0a", file_size=7)
    facts = await read_facts(opened, work)
    assert [facts[name] for name in ("title", "encoding", "replaced_characters")] == [
        "A",
        "utf-16-le",
        2,
    ]
    assert (facts["file_type"], facts["file_size"], facts["blob_id"]) == ("md", 7, "0a")
    assert (facts["kind"], facts["front_matter_error"]) == (None, None)
    assert (facts["stories"], facts["problems"], facts["problems_total"]) == ("[]", "[]", 0)
    assert facts["change"] is None


async def test_nothing_is_known_of_a_path_without_a_document(opened: Database, work: Work) -> None:
    for source, path in ((work.source, "docs"), (work.source, ""), (str(uuid4()), PATH)):
        assert await read_document_facts(opened, UUID(source), path) is None


async def test_a_document_has_the_stories_whose_file_it_is(opened: Database, work: Work) -> None:
    work.add_story("1.1", path="docs/other.md")
    item = work.add_story("1.2", path=PATH, status="review")
    work.board.execute(
        "update story set status_since = '2026-01-02T00:00:00Z' where project_doc_id = %s",
        work.source,
    )
    [story] = json.loads((await read_facts(opened, work))["stories"])
    assert story.items() >= item.items()
    assert story["since"].startswith("2026-01-02")
    assert story["last_changed_at"] is None


async def test_no_more_stories_and_problems_than_a_page_shows(opened: Database, work: Work) -> None:
    for number in range(STORIES_SHOWN + 1):
        work.add_story(f"2.{number}", path=PATH)
    for number in range(PROBLEMS_SHOWN + 1):
        work.add_problem("info", path=PATH, line=number)
    worst = work.add_problem("error", path=PATH)
    work.add_problem("error", path="docs/other.md")
    work.add_problem("error", days=2, path=PATH)  # not yet one
    facts = await read_facts(opened, work)
    problems = json.loads(facts["problems"])
    assert len(json.loads(facts["stories"])) == STORIES_SHOWN
    assert len(problems) == PROBLEMS_SHOWN
    assert problems[0] == worst
    assert facts["problems_total"] == PROBLEMS_SHOWN + 2


def changes(*paths: str, change: str = "changed") -> list[dict[str, str]]:
    return [{"change": change, "path": path} for path in paths]


async def test_what_last_changed_a_document_is_the_run_that_wrote_it(
    opened: Database, work: Work
) -> None:
    set_document(work, updated_at="2026-03-02T10:00:00Z")
    work.add_activity("2026-03-01T10:00:01Z", documents=changes(PATH, change="added"))
    written = work.add_activity(
        "2026-03-02T10:00:01Z",
        committed_at="2026-03-02T09:00:00Z",
        documents=changes("docs/other.md", PATH),
    )
    work.add_activity("2026-03-03T10:00:01Z", documents=changes("docs/other.md"))
    change = json.loads((await read_facts(opened, work))["change"])
    assert (change["run_id"], change["change"]) == (written["run_id"], "changed")
    assert change["committed_at"].startswith("2026-03-02T09")


async def test_a_run_that_only_read_a_document_anew_did_not_change_it(
    opened: Database, work: Work
) -> None:
    added = work.add_activity("2026-03-01T10:00:01Z", documents=changes(PATH, change="added"))
    set_document(work, updated_at="2026-03-02T10:00:00Z")
    work.add_activity("2026-03-02T10:00:01Z", documents=changes("docs/other.md"))
    change = json.loads((await read_facts(opened, work))["change"])
    assert (change["run_id"], change["change"]) == (added["run_id"], "added")


async def test_a_run_that_changed_more_documents_than_it_lists_changed_the_others_too(
    opened: Database, work: Work
) -> None:
    set_document(work, updated_at="2026-03-02T10:00:00Z")
    written = work.add_activity(
        "2026-03-02T10:00:01Z", added=MAX_LISTED + 1, documents=changes("docs/other.md")
    )
    change = json.loads((await read_facts(opened, work))["change"])
    assert (change["run_id"], change["change"]) == (written["run_id"], None)


async def surroundings(opened: Database, work: Work) -> tuple[Any, ...]:
    """Return the epic of the story, and the paths of the stories before and after it."""
    [story] = json.loads((await read_facts(opened, work))["stories"])
    row = await read_story_surroundings(opened, UUID(work.source), story["place"])
    assert row is not None
    epic, previous, following = (text and json.loads(text) for text in row)
    return epic, previous and previous["path"], following and following["path"]


async def test_a_story_is_between_the_stories_of_its_product_that_have_files(
    opened: Database, work: Work
) -> None:
    epic = work.add_epic("1")
    work.add_story("1.0", path="docs/first.md")
    work.add_story("1.1", path="docs/1.1.md")
    work.add_story("1.1b")  # only a tracker names it
    work.add_story("1.1c", path="docs/archived.md", archived=True)
    work.add_story("1.2", path=PATH)
    work.add_story("1.9", path="apps/web/1.9.md", tree="apps/web")
    assert await surroundings(opened, work) == (epic, "docs/1.1.md", None)
    work.add_story("1.3", path="docs/1.3.md")
    assert await surroundings(opened, work) == (epic, "docs/1.1.md", "docs/1.3.md")


async def test_a_story_alone_has_nothing_around_it(opened: Database, work: Work) -> None:
    work.add_story("1.2", path=PATH)
    assert await surroundings(opened, work) == (None, None, None)
    assert await read_story_surroundings(opened, UUID(work.source), "nowhere") is None


async def test_the_content_comes_with_the_id_that_git_has_for_it(
    opened: Database, work: Work
) -> None:
    set_document(work, content="# A\n", blob_id="0a")
    facts = await read_facts(opened, work)
    assert await read_document_content(opened, facts["id"]) == ("0a", "md", "# A\n")
    with pytest.raises(Problem) as raised:
        await read_document_content(opened, uuid4())
    assert raised.value.status == 404
