"""Stories, epics and problems, written by runs as their documents change."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hub import Synced, running_hub
from tests.support.postgres import run_sql
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.support.hub import Hub

STORY = b"""# Story 1.1: Sign in

## Status

Draft

## Story

**As a** user,
**I want** to sign in,
**so that** I am known.

## Acceptance Criteria

1. It works.

## Tasks

- [x] One
- [ ] Two
"""
EPICS = (
    b"# Epics\n\n## Epic 1: Users\n\n### Story 1.1: Sign in\n\nSee [the story](stories/1.1.a.md).\n"
)
FILES = {"docs/stories/1.1.a.md": STORY, "docs/epics.md": EPICS}
TABLES = ("story", "epic", "problem", "source_progress", "activity")


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Generator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def _rows(hub: Hub, query: str) -> list[tuple[Any, ...]]:
    return run_sql(hub.database, query)


def _versions(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """Return what changes whenever a row is written, by table."""
    query = "select xmin::text, ctid::text from {} order by 1, 2"
    return {table: _rows(hub, query.format(table)) for table in TABLES}


def test_run_writes_stories_epics_and_problems(hub: Hub) -> None:
    synced = Synced(hub, FILES | {"docs/a.md": b"[gone](b.md) [root](/docs/a.md) [up](../../x)\n"})
    assert _rows(hub, "select id, title, status, epic, file_path from story") == [
        ("1.1", "Sign in", "draft", "1", "docs/stories/1.1.a.md")
    ]
    assert _rows(hub, "select id, item ->> 'title' from epic") == [("1", "Users")]
    assert _rows(
        hub, "select kind, item ->> 'target', item ->> 'reason' from problem order by 2"
    ) == [
        ("broken_link", "../../x", "outside"),
        ("broken_link", "b.md", "no_file"),
    ]
    assert _rows(hub, "select documents, stories, problems from source_progress") == [
        (3, {"draft": 1}, {"warning": 2})
    ]
    document = hub.document(synced.project, "docs/stories/1.1.a.md")
    story = document["doc_metadata"]["story"]
    assert (story["id"], story["as_a"], story["tasks_total"]) == ("1.1", "user", 2)


def test_document_is_a_story_while_a_tracker_names_it(hub: Hub) -> None:
    tracker = b"development_status:\n  1-2-pay: done\n"
    path = "docs/work/1-2-pay.md"
    synced = Synced(hub, {path: b"# Pay\n\nBy card.\n", "docs/sprint-status.yaml": tracker})
    kind = "select kind from document_part join document on document.id = document_id"
    kind += f" where file_path = '{path}'"
    document = hub.document(synced.project, path)
    assert document["doc_metadata"]["story"]["id"] == "1.2"
    assert _rows(hub, kind) == [("story",)]
    before = _rows(hub, "select file_path, xmin::text from document order by 1")
    synced.change({"code.py": b"1\n"})
    synced.change({"docs/other.md": b"# Other\n"})
    assert before == _rows(
        hub,
        "select file_path, xmin::text from document where file_path <> 'docs/other.md' order by 1",
    )
    # A document that changes stays a story, and is none any more when no key names it.
    synced.change({path: b"# Pay\n\nBy cash.\n\n## Tasks\n\n- [ ] Count\n"})
    document = hub.document(synced.project, path)
    assert document["doc_metadata"]["story"]["tasks_total"] == 1
    synced.change({"docs/sprint-status.yaml": b"development_status:\n  1-3-other: done\n"})
    after = hub.document(synced.project, path)
    assert "story" not in after["doc_metadata"]
    assert after["updated_at"] > document["updated_at"]
    assert _rows(hub, kind) == [("other",)]


def test_document_that_no_key_names_any_more_has_its_own_kind_again(hub: Hub) -> None:
    path = "docs/work/1-2-architecture.md"
    tracker = b"development_status:\n  1-2-architecture: done\n"
    text = b"# Architecture Decision Document\n"
    synced = Synced(hub, {path: text, "docs/sprint-status.yaml": tracker})
    kind = "select kind from document_part join document on document.id = document_id"
    kind += f" where file_path = '{path}'"
    assert _rows(hub, kind) == [("story",)]
    synced.change({"docs/sprint-status.yaml": b"development_status:\n  1-3-other: done\n"})
    assert _rows(hub, kind) == [("architecture",)]


def test_run_without_news_writes_no_row(hub: Hub) -> None:
    synced = Synced(hub, FILES)
    before = _versions(hub)
    assert hub.sync(synced.source)["status"] == "completed"
    assert _versions(hub) == before
    synced.change({"code.py": b"1\n"})  # another tree, and the same documents
    assert _versions(hub) == before


def test_run_writes_only_the_rows_that_differ(hub: Hub) -> None:
    synced = Synced(hub, FILES | {"docs/stories/1.2.b.md": STORY.replace(b"1.1", b"1.2")})
    before = _versions(hub)
    synced.change(
        {"docs/stories/1.2.b.md": STORY.replace(b"1.1", b"1.2").replace(b"Draft", b"Done")}
    )
    after = _versions(hub)
    assert len(set(after["story"]) & set(before["story"])) == 1
    assert after["epic"] == before["epic"]


def test_links_are_judged_again_when_another_document_changes(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"[b](b.md#one) [c](code/x.py) [f](code)\n", "b.md": b"# Two\n"})
    reasons = "select item ->> 'target', item ->> 'reason' from problem order by 1"
    gone = [("code", "no_file"), ("code/x.py", "no_file")]
    assert _rows(hub, reasons) == [("b.md#one", "no_anchor"), *gone]
    synced.change({"b.md": b"# One\n"})
    assert _rows(hub, reasons) == gone
    synced.change({"code/x.py": b"1\n", "d.md": b"# D\n"})
    assert _rows(hub, reasons) == []
    synced.change({"b.md": None})
    assert _rows(hub, reasons) == [("b.md#one", "no_file")]


def test_links_out_of_the_folder_of_a_source_are_not_judged(hub: Hub) -> None:
    remote = hub.server.create()
    remote.commit({"docs/a.md": b"[x](../code.py) [y](b.md) [z](../../z)\n", "code.py": b"1\n"})
    source = hub.create_source(hub.create_project(), remote, github_folder_path="docs")
    assert hub.sync(source)["status"] == "completed"
    targets = _rows(hub, "select item ->> 'target' from problem order by 1")
    assert targets == [("../../z",), ("b.md",)]


def test_activity_lists_what_runs_changed(hub: Hub) -> None:
    synced = Synced(hub, FILES)
    synced.change(
        {
            "docs/stories/1.1.a.md": STORY.replace(b"Draft", b"Done"),
            "docs/epics.md": None,
            "docs/planning/epics.md": EPICS,
            "docs/new.md": b"# New\n",
        }
    )
    first, second = _rows(
        hub,
        """
        select added, changed, moved, removed, documents, statuses, commit_id = last_commit,
               committed_at is not null
        from activity join project_doc on project_doc.id = project_doc_id
        order by at
        """,
    )
    assert first[:4] == (2, 0, 0, 0)
    assert first[5] == []
    assert second[:4] == (1, 1, 1, 0)
    assert sorted(second[4], key=itemgetter("path")) == [
        {"path": "docs/new.md", "change": "added", "from": None},
        {"path": "docs/planning/epics.md", "change": "moved", "from": "docs/epics.md"},
        {"path": "docs/stories/1.1.a.md", "change": "changed", "from": None},
    ]
    assert second[5:] == (
        [
            {
                "id": "1.1",
                "title": "Sign in",
                "path": "docs/stories/1.1.a.md",
                "from": "draft",
                "to": "done",
            }
        ],
        True,
        True,
    )


def test_file_is_a_story_while_a_key_has_its_name(hub: Hub) -> None:
    plain = b"# Sign in\n\nWords.\n"
    tracker = b"development_status:\n  1-1-sign-in: done\n"
    synced = Synced(hub, {"notes/1-1-sign-in.md": plain})
    kinds = """
        select kind from document_part join document on document.id = document_id
        where file_type = 'md'
        """
    assert _rows(hub, "select id from story") == []
    assert _rows(hub, kinds) == [("other",)]
    synced.change({"notes/sprint-status.yaml": tracker})
    assert _rows(hub, "select id, file_path from story") == [("1.1", "notes/1-1-sign-in.md")]
    assert _rows(hub, kinds) == [("story",)]
    synced.change({"notes/sprint-status.yaml": None})
    assert _rows(hub, "select id from story") == []
    assert _rows(hub, kinds) == [("other",)]


def test_rows_of_a_deleted_source_are_removed(hub: Hub) -> None:
    synced = Synced(hub, FILES | {"a.md": b"[gone](b.md)\n"})
    assert all(_rows(hub, f"select 1 from {table}") for table in TABLES)
    assert hub.client.delete(f"/api/project-docs/{synced.source}").status_code == 200
    eventually(lambda: not any(_rows(hub, f"select 1 from {table}") for table in TABLES), 30)


def test_run_that_fails_changes_nothing(hub: Hub) -> None:
    synced = Synced(hub, FILES)
    before = _versions(hub)
    synced.hub.client.put(f"/api/project-docs/{synced.source}", json={"branch": "gone"})
    assert hub.sync(synced.source)["status"] == "failed"
    assert _versions(hub) == before
