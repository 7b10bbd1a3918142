"""Which stories a run found new, gone, or of another status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.bmad.board import StoryRow
from service.sync.activity import MAX_LISTED, StoredStory, StoryChange, find_story_changes
from tests.support.hub import Synced, running_hub

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from tests.support.hub import Hub

STORY = """# Story {id}: {title}

## Status

{status}

## Story

**As a** clerk,
**I want** to keep the register of all loans of the library up to date,
**so that** readers find the books that are there.

## Acceptance Criteria

1. The register has each loan with its reader and its day.
2. A loan that ends is no longer there.

## Tasks

- [ ] Write the register
- [ ] Read the register
"""


def story(story_id: str = "1.1", title: str = "Sign in", status: str = "Draft") -> bytes:
    return STORY.format(id=story_id, title=title, status=status).encode()


# --- of two lists of stories


def stored(key: str, story_id: str = "1.1", status: str = "draft", tree: str = "") -> StoredStory:
    path = None if "\t" in key else key
    return StoredStory(key, f"{tree}\t1\t{key}", story_id, f"Title of {key}", path, status)


def row(key: str, story_id: str = "1.1", status: str = "draft", tree: str = "") -> StoryRow:
    before = stored(key, story_id, status, tree)
    return StoryRow(
        before.place,
        key,
        None,
        "1",
        story_id,
        before.title,
        status,
        is_archived=False,
        file_path=before.path,
        item={},
    )


def changes(
    before: list[StoredStory], after: list[StoryRow], moves: Mapping[str, str] | None = None
) -> list[tuple[str | None, str | None, str | None]]:
    found = find_story_changes(before, after, dict(moves or {}))
    assert all(isinstance(each, StoryChange) for each in found)
    return [(each.path, each.before, each.after) for each in found]


def test_a_story_that_is_as_before_is_no_change() -> None:
    assert changes([stored("a.md")], [row("a.md")]) == []


def test_changed_stories_come_first_then_new_ones_then_those_gone() -> None:
    before = [stored("gone.md", "1.9", "done"), stored("a.md"), stored("z.md", "1.3")]
    after = [row("new.md", "1.2"), row("a.md", status="done"), row("z.md", "1.3", "review")]
    assert changes(before, after) == [
        ("a.md", "draft", "done"),
        ("z.md", "draft", "review"),
        ("new.md", None, "draft"),
        ("gone.md", "done", None),
    ]


def test_a_story_that_moves_is_the_same_one_even_with_another_id_or_title() -> None:
    before = [stored("a.md", "1.1")]
    renumbered = row("b.md", "2.1", "done")._replace(title=before[0].title)
    retitled = row("b.md", "1.1", "done")
    for moved in (renumbered, retitled):
        assert changes(before, [moved], {"b.md": "a.md"}) == [("b.md", "draft", "done")]
        assert changes(before, [moved._replace(status="draft")], {"b.md": "a.md"}) == []


def test_a_new_story_that_is_like_one_that_is_gone_is_another() -> None:
    """Git takes it for the other one, moved: both are of one template."""
    assert changes([stored("a.md", "1.1")], [row("b.md", "2.1", "done")], {"b.md": "a.md"}) == [
        ("b.md", None, "done"),
        ("a.md", "draft", None),
    ]


def test_a_story_that_moves_is_the_same_one_where_only_names_have_its_id_and_title() -> None:
    before = [stored("1.1.sign-in.md", "1.1")._replace(title="sign in")]
    after = [row("2.1.log-in.md", "2.1", "done")._replace(title="log in")]
    assert changes(before, after, {"2.1.log-in.md": "1.1.sign-in.md"}) == [
        ("2.1.log-in.md", "draft", "done")
    ]


def test_stories_that_exchange_their_paths_keep_their_statuses() -> None:
    before = [stored("a.md", "1.1", "draft"), stored("b.md", "1.2", "done")]
    after = [row("b.md", "1.1", "draft"), row("a.md", "1.2", "done")]
    assert changes(before, after, {"a.md": "b.md", "b.md": "a.md"}) == []


def test_the_keys_of_a_tracker_that_moves_are_the_same_stories() -> None:
    before = [stored("a.yaml\t1-1-x", ""), stored("a.yaml\t1-2-y", "", "done")]
    after = [row("b.yaml\t1-1-x", "", "review"), row("b.yaml\t1-2-y", "", "done")]
    assert changes(before, after, {"b.yaml": "a.yaml"}) == [(None, "draft", "review")]


def test_a_key_that_gets_a_file_is_the_same_story() -> None:
    before = [stored("a.yaml\t1-1-x", "1-1")]
    assert changes(before, [row("1.1.x.md", "1.1", "review")]) == [("1.1.x.md", "draft", "review")]
    assert changes([stored("1.1.x.md")], [row("a.yaml\t1-1-x", "01.1", "done")]) == [
        (None, "draft", "done")
    ]


def test_ids_of_other_trees_of_several_stories_and_of_none_match_nothing() -> None:
    assert changes([stored("a.md", tree="web")], [row("b.md", tree="app")]) == [
        ("b.md", None, "draft"),
        ("a.md", "draft", None),
    ]
    two = [row("b.md"), row("c.md")]
    assert changes([stored("a.md")], two) == [
        ("b.md", None, "draft"),
        ("c.md", None, "draft"),
        ("a.md", "draft", None),
    ]
    assert len(changes([stored("a.md", "")], [row("b.md", "")])) == 2


# --- of real runs


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Generator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def newest(synced: Synced) -> dict[str, Any]:
    """Return what the API says of the newest run that changed something."""
    activity = synced.hub.client.get(f"/api/projects/{synced.project}/activity").json()
    return activity[0]


def listed(run: dict[str, Any]) -> list[tuple[str, str | None, str | None, str | None]]:
    return [(each["id"], each["path"], each["from"], each["to"]) for each in run["statuses"]]


def test_the_first_run_lists_no_stories_and_the_next_one_lists_new_ones(hub: Hub) -> None:
    synced = Synced(hub, {"docs/stories/1.1.a.md": story()})
    first = newest(synced)
    assert listed(first) == []
    assert first["documents"] == [
        {"change": "added", "path": "docs/stories/1.1.a.md", "from": None}
    ]
    synced.change({"docs/stories/1.2.b.md": story("1.2", "Sign out")})
    assert listed(newest(synced)) == [("1.2", "docs/stories/1.2.b.md", None, "draft")]


def test_the_first_story_of_a_source_that_had_other_documents_is_new(hub: Hub) -> None:
    synced = Synced(hub, {"docs/prd.md": b"# PRD\n"})
    synced.change({"docs/stories/1.1.a.md": story()})
    assert listed(newest(synced)) == [("1.1", "docs/stories/1.1.a.md", None, "draft")]


def test_a_story_that_is_renamed_and_gets_another_status_is_one_change(hub: Hub) -> None:
    synced = Synced(hub, {"docs/stories/1.1.a.md": story()})
    synced.change({"docs/stories/1.1.a.md": None, "docs/stories/1.1.b.md": story(status="Done")})
    run = newest(synced)
    assert listed(run) == [("1.1", "docs/stories/1.1.b.md", "draft", "done")]
    assert run["documents"] == [
        {"change": "moved", "path": "docs/stories/1.1.b.md", "from": "docs/stories/1.1.a.md"}
    ]


def test_a_story_that_gets_another_number_as_it_is_renamed_is_one_change(hub: Hub) -> None:
    synced = Synced(hub, {"docs/stories/1.1.a.md": story()})
    synced.change(
        {"docs/stories/1.1.a.md": None, "docs/stories/3.4.a.md": story("3.4", status="Done")}
    )
    assert listed(newest(synced)) == [("3.4", "docs/stories/3.4.a.md", "draft", "done")]


def test_a_story_that_only_moves_has_no_other_status(hub: Hub) -> None:
    synced = Synced(hub, {"docs/stories/1.1.a.md": story()})
    synced.change({"docs/stories/1.1.a.md": None, "docs/stories/1.1.b.md": story()})
    run = newest(synced)
    assert (run["moved"], listed(run)) == (1, [])


def test_a_story_whose_file_is_deleted_is_gone(hub: Hub) -> None:
    synced = Synced(hub, {"docs/stories/1.1.a.md": story(), "docs/prd.md": b"# PRD\n"})
    synced.change({"docs/stories/1.1.a.md": None})
    assert listed(newest(synced)) == [("1.1", "docs/stories/1.1.a.md", "draft", None)]


def test_a_key_of_a_tracker_is_the_same_story_when_it_gets_a_file(hub: Hub) -> None:
    tracker = "development_status:\n  epic-1: in-progress\n  1-1-sign-in: {}\n"
    tracker_path = "docs/sprint-status.yaml"
    synced = Synced(hub, {tracker_path: tracker.format("backlog").encode()})
    synced.change({tracker_path: tracker.format("ready-for-dev").encode()})
    assert listed(newest(synced)) == [("1.1", None, "draft", "approved")]
    synced.change({"docs/stories/1-1-sign-in.md": story(status="Review")})
    assert listed(newest(synced)) == [("1.1", "docs/stories/1-1-sign-in.md", "approved", "review")]
    synced.change({"docs/stories/1-1-sign-in.md": None, tracker_path: None})
    assert listed(newest(synced)) == [("1.1", "docs/stories/1-1-sign-in.md", "review", None)]


def test_the_keys_of_a_tracker_that_moves_are_neither_new_nor_gone(hub: Hub) -> None:
    tracker = b"development_status:\n  epic-1: in-progress\n  1-1-sign-in: backlog\n"
    synced = Synced(hub, {"docs/sprint-status.yaml": tracker})
    synced.change({"docs/sprint-status.yaml": None, "docs/work/sprint-status.yaml": tracker})
    run = newest(synced)
    assert (run["moved"], listed(run)) == (1, [])


def test_a_run_lists_a_limited_number_of_stories(hub: Hub) -> None:
    keys = "".join(f"  1-{number}-x: done\n" for number in range(1, MAX_LISTED + 10))
    synced = Synced(hub, {"docs/sprint-status.yaml": b"development_status:\n  1-1-x: draft\n"})
    synced.change({"docs/sprint-status.yaml": f"development_status:\n{keys}".encode()})
    found = listed(newest(synced))
    assert len(found) == MAX_LISTED
    assert found[:2] == [("1.1", None, "draft", "done"), ("1.2", None, None, "done")]
