"""Boards of whole histories: day by day, in one sync or in many, and of odd repositories."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bmad_repositories import odd
from tests.support.bmad_repositories.history import Commit, Product, status
from tests.support.bmad_repositories.specs import clinic
from tests.support.bmad_repositories.v4 import lending_library
from tests.support.bmad_repositories.v4_documents import CANCEL, PICK_UP, RENEW
from tests.support.bmad_repositories.v6 import invoices
from tests.support.bmad_repositories.v7 import field_notes
from tests.support.synced_product import SyncedProduct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.support.hub import Hub

PRODUCTS = (lending_library, invoices, clinic, field_notes)


def synced(hub: Hub, files: Mapping[str, str]) -> SyncedProduct:
    """Return a product with one commit of these files."""
    product = SyncedProduct(hub)
    contents = {path: text.encode() for path, text in files.items()}
    product.sync([Commit(datetime(2026, 3, 2, tzinfo=UTC), "Begin", contents, {})])
    return product


@pytest.mark.parametrize("make", PRODUCTS)
def test_many_syncs_give_each_days_figures_and_in_the_end_what_one_sync_does(
    hub: Hub, make: Callable[[], Product]
) -> None:
    history, days = make()
    assert len(history.commits) >= 30
    by_day: dict[str, list[Commit]] = {}
    for commit in history.commits:
        by_day.setdefault(f"{commit.at:%Y-%m-%d}", []).append(commit)
    assert [*by_day] == [day.date for day in days]
    product = SyncedProduct(hub)
    for day in days:
        product.sync(by_day[day.date])
        assert (day.date, *product.counted()) == day
    assert product.rows() == SyncedProduct(hub, history).rows()


@pytest.mark.parametrize("make", PRODUCTS)
def test_the_burn_up_has_each_days_figures_after_one_sync(
    hub: Hub, make: Callable[[], Product]
) -> None:
    history, days = make()
    found = SyncedProduct(hub, history).get("burnup")["days"]
    for day in days:
        # A day without a change of the work has no figures of its own.
        before = [each for each in found if each["date"] <= day.date]
        last = (before[-1]["scope"], before[-1]["done"]) if before else (0, 0)
        assert (day.date, *last) == day


def test_a_sync_without_news_writes_no_row(hub: Hub) -> None:
    product = SyncedProduct(hub, invoices().history)
    before = product.versions()
    product.hub.sync(product.source)
    product.remote.commit({"src/main.py": b"print()\n"})
    product.hub.sync(product.source)
    assert product.versions() == before


def test_a_sync_that_changes_a_story_writes_its_row_and_those_that_wait_for_it(hub: Hub) -> None:
    history = lending_library().history
    product = SyncedProduct(hub, history)
    before = product.versions()
    history.commit("2026-03-30 09:00", "Start 2.2", status(PICK_UP, "Approved", "In Progress"))
    product.sync(history.commits[-1:])
    after = product.versions()
    assert before.keys() == after.keys()
    changed = {row for row, version in after.items() if before[row] != version}
    assert {table for table, _ in changed} == {"story"}
    assert sorted(path for path in (PICK_UP, RENEW) for _, place in changed if path in place) == [
        PICK_UP,
        RENEW,
    ]
    assert len(changed) == 2
    [change] = product.get("progress")["last_changes"]["statuses"]
    assert change == {
        "id": "2.2",
        "title": "Pick up a book",
        "path": PICK_UP,
        "from": "approved",
        "to": "in_progress",
    }


def test_activity_has_what_each_run_changed(hub: Hub) -> None:
    commits = lending_library().history.commits
    before = [commit for commit in commits if commit.at < datetime(2026, 3, 19, tzinfo=UTC)]
    that_day = commits[len(before) : len(before) + 2]
    product = SyncedProduct(hub)
    product.sync(before)
    run = product.sync(that_day)
    [activity, first] = product.list("activity")
    assert (first["committed_at"], first["statuses"]) == (before[-1].at.isoformat(), [])
    assert activity == {
        "run_id": run["id"],
        "source": product.named,
        "at": activity["at"],
        "commit_id": product.remote.head(),
        "committed_at": "2026-03-19T12:00:00+00:00",
        "added": 0,
        "changed": 1,
        "moved": 1,
        "removed": 0,
        "documents": [
            {"change": "changed", "path": CANCEL, "from": None},
            {"change": "moved", "path": PICK_UP, "from": "docs/stories/2.2.story.md"},
        ],
        "statuses": [
            {
                "id": "2.10",
                "title": "Cancel a reservation",
                "path": CANCEL,
                "from": "draft",
                "to": "review",
            }
        ],
    }


@pytest.mark.usefixtures("one_day")
def test_velocity_and_sparkline_count_the_last_weeks_and_days(hub: Hub) -> None:
    history, days = lending_library()
    # Move the history so that its last day is the Friday of last week.
    today = datetime.now(UTC).date()
    monday = today - timedelta(days=today.weekday())
    later = monday - timedelta(days=3) - date(2026, 3, 27)
    product = SyncedProduct(hub)
    product.sync([commit._replace(at=commit.at + later) for commit in history.commits])
    # One story was done on the Friday of each of the first three weeks; in the fourth, the second
    # one was taken up again and done again.
    done = [0, 0, 0, 1, 1, 1, 0, 0]
    assert product.get("progress")["velocity"] == [
        {"week": str(monday - timedelta(weeks=7 - number)), "done": count}
        for number, count in enumerate(done)
    ]
    by_day = {date.fromisoformat(day.date) + later: day.done for day in days}
    [overview] = hub.client.get("/api/overview").json()
    assert overview["sparkline"] == [
        by_day[max(day for day in by_day if day <= today - timedelta(days=back))]
        if min(by_day) <= today - timedelta(days=back)
        else 0
        for back in reversed(range(30))
    ]


def test_trees_of_a_monorepo_do_not_mix_their_numbers(hub: Hub) -> None:
    product = synced(hub, odd.MONOREPO)
    assert product.epics() == [
        ("1", f"Begin the {app}", None, [], {"done": 1, "draft": 1}) for app in ("api", "web")
    ]
    assert product.problems() == set()


def test_two_files_with_one_id_are_two_stories(hub: Hub) -> None:
    product = synced(hub, odd.DUPLICATES)
    assert {story["path"]: story["status"] for story in product.list("stories")} == {
        "docs/stories/1.1.story.md": "done",
        "docs/stories/1.1-sign-out.md": "draft",
    }
    assert {kind for kind, _, _ in product.problems()} == {"duplicate_id"}


def test_ids_are_texts_and_a_prefix_belongs_to_the_epic(hub: Hub) -> None:
    product = synced(hub, odd.NUMBERS)
    found = {(story["id"], story["epic"], story["story"]) for story in product.list("stories")}
    assert found == {
        ("1.1", "1", "1"),
        ("E1.1", "E1", "1"),
        ("AP-1.1", "AP-1", "1"),
        ("2.1", "2", "1"),
        ("2.10", "2", "10"),
    }
    assert [epic[0] for epic in product.epics()] == ["1", "2", "AP-1", "E1"]
    assert product.problems() == set()


def test_gates_are_read_though_they_are_not_yaml(hub: Hub) -> None:
    product = synced(hub, odd.GATES)
    gates = {story["id"]: story["gate"]["decision"] for story in product.list("stories")}
    assert gates == {"2.10": "PASS", "2.11": "FAIL"}
    kinds = {kind for kind, _, _ in product.problems()}
    assert {"gate_failed", "gate_without_story", "unreadable_document"} <= kinds


def test_a_broken_tracker_says_what_can_be_read(hub: Hub) -> None:
    product = synced(hub, odd.BROKEN_TRACKER)
    statuses: dict[str, Any] = {each["id"]: each["status"] for each in product.list("stories")}
    assert (statuses["1.1"], statuses["1.3"]) == ("done", "review")
    assert product.epics()[0][1] == "The Beginning"
    assert "unreadable_document" in {kind for kind, _, _ in product.problems()}


def test_stories_in_french_and_chinese_are_read(hub: Hub) -> None:
    stories = synced(hub, odd.LANGUAGES).list("stories")
    names = ("id", "title", "status", "as_a", "i_want", "so_that", "tasks_done")
    assert [tuple(story[name] for name in names) for story in stories] == [
        ("1.1", "Payer", "done", "cliente", "payer", "partir", 1),
        ("1.2", "支付", "done", "顾客", "支付", "离开", 1),
    ]
    assert [story["acceptance_criteria_total"] for story in stories] == [1, 1]


def test_no_document_fails_a_sync(hub: Hub) -> None:
    product = synced(hub, odd.STRANGE)
    assert "unreadable_document" in {kind for kind, _, _ in product.problems()}
