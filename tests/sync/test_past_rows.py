"""The burn-up of a source, as runs read it from git's history."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hub import running_hub
from tests.support.postgres import run_sql

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.support.git_server import Remote
    from tests.support.hub import Hub

pytestmark = pytest.mark.usefixtures("one_day")

TABLES = ("work_history", "work_commit", "work_fact", "burnup_day")


def _story(number: str, status: str) -> bytes:
    return f"# Story {number}: A title\n\n## Status\n\n{status}\n\n## Tasks\n\n- [ ] One\n".encode()


def _at(day: int) -> str:
    return f"2026-03-{day:02d}T12:00:00+00:00"


def _seconds(day: int) -> int:
    return int(datetime.fromisoformat(_at(day)).timestamp())


@pytest.fixture
def hub(database: str, tmp_path: Path) -> Generator[Hub]:
    with running_hub(database, tmp_path) as hub:
        yield hub


def _make(hub: Hub) -> Remote:
    remote = hub.server.create()
    remote.commit({"docs/stories/1.1.a.md": _story("1.1", "Draft")}, seconds=_seconds(1))
    remote.commit({"docs/stories/1.2.b.md": _story("1.2", "Draft")}, seconds=_seconds(2))
    remote.commit({"docs/stories/1.1.a.md": _story("1.1", "Done")}, seconds=_seconds(5))
    return remote


def _days(hub: Hub, project: str) -> list[tuple[str, int, int]]:
    days = hub.client.get(f"/api/projects/{project}/burnup").json()["days"]
    assert days.pop()["date"] == str(datetime.now(UTC).date())
    return [(each["date"][8:], each["scope"], each["done"]) for each in days]


def _stories(hub: Hub, project: str) -> dict[str, tuple[Any, Any]]:
    stories = hub.client.get(f"/api/projects/{project}/stories").json()
    return {each["id"]: (each["since"], each["last_changed_at"]) for each in stories}


def test_burn_up_begins_with_the_first_sync(hub: Hub) -> None:
    remote, project = _make(hub), hub.create_project()
    source = hub.create_source(project, remote)
    assert hub.sync(source)["status"] == "completed"
    assert _days(hub, project) == [("01", 1, 0), ("02", 2, 0), ("05", 2, 1)]
    assert _stories(hub, project) == {
        "1.1": (_at(5), _at(5)),
        "1.2": (_at(2), _at(2)),
    }


def test_story_that_only_its_contents_tell_has_a_past(hub: Hub) -> None:
    remote, project = hub.server.create(), hub.create_project()
    for day, status in ((1, b"Draft"), (4, b"Done")):
        text = b"# Story 1.1: A\n\n## Status\n\n%b\n\n## Tasks\n\n- [ ] B\n\n## Dev Notes\n\nC\n"
        remote.commit({"notes/sign-in.md": text % status}, seconds=_seconds(day))
    assert hub.sync(hub.create_source(project, remote))["status"] == "completed"
    assert _days(hub, project) == [("01", 1, 0), ("04", 1, 1)]
    assert _stories(hub, project) == {"1.1": (_at(4), _at(4))}


def test_story_that_its_key_alone_changes_has_changed_then(hub: Hub) -> None:
    remote, project = hub.server.create(), hub.create_project()
    tracker = b"development_status:\n  1-1-a: %b\n"
    # Its file says no status.
    text = b"# Story 1.1: A\n\n## Acceptance Criteria\n\n1. B\n\n## Tasks\n\n- [ ] %b\n"
    files = {"docs/stories/1-1-a.md": text % b"C"}
    remote.commit(files | {"docs/sprint-status.yaml": tracker % b"backlog"}, seconds=_seconds(1))
    remote.commit({"docs/sprint-status.yaml": tracker % b"done"}, seconds=_seconds(10))
    source = hub.create_source(project, remote)
    assert hub.sync(source)["status"] == "completed"
    assert _stories(hub, project) == {"1.1": (_at(10), _at(10))}
    remote.commit({"docs/stories/1-1-a.md": text % b"D"}, seconds=_seconds(12))
    assert hub.sync(source)["status"] == "completed"
    assert _stories(hub, project) == {"1.1": (_at(10), _at(12))}


def test_later_commits_are_added(hub: Hub) -> None:
    remote, project = _make(hub), hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.commit({"docs/stories/1.2.b.md": _story("1.2", "In Progress")}, seconds=_seconds(8))
    remote.commit({"docs/stories/1.2.b.md": _story("1.2", "Done")}, seconds=_seconds(9))
    hub.sync(source)
    assert _days(hub, project)[2:] == [("05", 2, 1), ("08", 2, 1), ("09", 2, 2)]
    assert _stories(hub, project)["1.2"] == (_at(9), _at(9))
    [activity] = hub.client.get(f"/api/projects/{project}/activity?limit=1").json()
    assert [(each["from"], each["to"]) for each in activity["statuses"]] == [("draft", "done")]


def test_past_stays_when_the_files_are_gone(hub: Hub) -> None:
    remote, project = _make(hub), hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    gone = {"docs/stories/1.1.a.md": None, "docs/stories/1.2.b.md": None}
    remote.commit(gone | {"a.md": b"# A\n"}, seconds=_seconds(10))
    hub.sync(source)
    assert _days(hub, project) == [("01", 1, 0), ("02", 2, 0), ("05", 2, 1), ("10", 0, 0)]


def test_run_without_news_writes_no_row_of_the_history(hub: Hub) -> None:
    remote, project = _make(hub), hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    query = " union all ".join(f"select xmin::text, ctid::text from {table}" for table in TABLES)
    before = run_sql(hub.database, query)
    hub.sync(source)
    assert run_sql(hub.database, query) == before


def test_another_branch_has_another_history(hub: Hub) -> None:
    remote, project = _make(hub), hub.create_project()
    source = hub.create_source(project, remote)
    hub.sync(source)
    remote.git("branch", "other", "HEAD~1")
    path = f"/api/project-docs/{source}"
    assert hub.client.put(path, json={"branch": "other"}).status_code == 200
    hub.sync(source)
    assert _days(hub, project) == [("01", 1, 0), ("02", 2, 0)]


def test_history_is_not_read_where_the_setting_says_so(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_history_commits=0) as hub:
        project = hub.create_project()
        source = hub.create_source(project, _make(hub))
        assert hub.sync(source)["status"] == "completed"
        assert hub.client.get(f"/api/projects/{project}/burnup").json()["days"] == []
        assert _stories(hub, project)["1.1"] == (None, None)
        # One of two stories is done, and no zeros say otherwise.
        progress = hub.client.get(f"/api/projects/{project}/progress").json()
        assert (progress["totals"]["done"], progress["velocity"]) == (1, [])
        [overview] = hub.client.get("/api/overview").json()
        assert overview["sparkline"] == []


def test_history_that_is_cut_begins_with_what_was_there(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_history_commits=2) as hub:
        project = hub.create_project()
        source = hub.create_source(project, _make(hub))
        hub.sync(source)
        assert _days(hub, project) == [("02", 2, 0), ("05", 2, 1)]
        assert _stories(hub, project) == {"1.1": (_at(5), _at(5)), "1.2": (None, None)}
        found = hub.client.get(f"/api/projects/{project}/burnup").json()
        assert [each["is_cut"] for each in found["sources"]] == [True]


def test_velocity_and_sparkline_follow_the_history(hub: Hub) -> None:
    remote, project = hub.server.create(), hub.create_project()
    now = int(time.time())
    remote.commit({"docs/stories/1.1.a.md": _story("1.1", "Draft")}, seconds=now - 9 * 86_400)
    remote.commit({"docs/stories/1.1.a.md": _story("1.1", "Done")}, seconds=now)
    hub.sync(hub.create_source(project, remote))
    velocity = hub.client.get(f"/api/projects/{project}/progress").json()["velocity"]
    assert [each["done"] for each in velocity] == [0, 0, 0, 0, 0, 0, 0, 1]
    [overview] = hub.client.get("/api/overview").json()
    assert overview["sparkline"] == [*[0] * 29, 1]


def test_stories_done_before_the_cut_are_done_in_no_week(database: str, tmp_path: Path) -> None:
    with running_hub(database, tmp_path, sync_history_commits=2) as hub:
        remote, project = hub.server.create(), hub.create_project()
        now = int(time.time())
        for number, days in ((1, 15), (2, 9), (3, 0)):
            files = {f"docs/stories/1.{number}.a.md": _story(f"1.{number}", "Done")}
            remote.commit(files, seconds=now - days * 86_400)
        hub.sync(hub.create_source(project, remote))
        burn_up = hub.client.get(f"/api/projects/{project}/burnup").json()
        assert [each["done"] for each in burn_up["days"]] == [2, 3]
        velocity = hub.client.get(f"/api/projects/{project}/progress").json()["velocity"]
        assert [each["done"] for each in velocity] == [0, 0, 0, 0, 0, 0, 0, 1]
        [overview] = hub.client.get("/api/overview").json()
        assert overview["sparkline"] == [*[2] * 29, 3]
