"""Each field of stories, epics, problems and progress, of a repository of each layout."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

import pytest

from service.bmad.problem_kinds import PROBLEM_KINDS, SEVERITIES
from service.bmad.readings import STATUSES, WorkKind
from tests.support.bmad_repositories import (
    specs_expected,
    v4_expected,
    v6_expected,
    v7_expected,
)
from tests.support.bmad_repositories.expected import at, counted
from tests.support.bmad_repositories.specs import clinic
from tests.support.bmad_repositories.v4 import lending_library
from tests.support.bmad_repositories.v6 import invoices
from tests.support.bmad_repositories.v7 import field_notes
from tests.support.synced_product import SyncedProduct

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bmad_repositories.expected import Expected
    from tests.support.bmad_repositories.history import Product
    from tests.support.hub import Hub

LAYOUTS: dict[str, tuple[Callable[[], Product], Expected]] = {
    "version 4": (lending_library, v4_expected.EXPECTED),
    "version 6": (invoices, v6_expected.EXPECTED),
    "version 6.11": (clinic, specs_expected.EXPECTED),
    "version 7": (field_notes, v7_expected.EXPECTED),
}
each_layout = pytest.mark.parametrize(("make", "expected"), LAYOUTS.values(), ids=LAYOUTS)
# What the metadata of a story's document has under the same names. Of a ticket with a plan, the
# story has the tasks and the like of that.
NOWHERE = dict.fromkeys(("path", "document_id", "line", "anchor"))
READ = ("anchor", "title", "as_a", "i_want", "so_that")
COUNTED = (
    "acceptance_criteria_total",
    "acceptance_criteria_done",
    "acceptance_criteria_items_total",
    "acceptance_criteria_items_done",
    "tasks_total",
    "tasks_done",
    "subtasks_total",
    "subtasks_done",
)


@each_layout
def test_the_lists_have_all_that_the_documents_say(
    hub: Hub, make: Callable[[], Product], expected: Expected
) -> None:
    product = SyncedProduct(hub, make().history)
    stories = [product.placed(story) for story in expected.stories]
    assert product.list("stories") == stories
    assert product.list("epics") == [product.placed(epic) for epic in expected.epics]
    assert product.list("problems") == [product.placed(problem) for problem in expected.problems]
    by_name = {story["path"] or story["id"]: story for story in stories}
    lists = {list_: [by_name[name] for name in names] for list_, names in expected.next.items()}
    totals = {list_: len(found) for list_, found in lists.items()}
    open_stories = [story for story in stories if not story["archived"]]
    totals["unknown"] = sum(story["status"] == "unknown" for story in open_stories)
    ended = sum(story["status"] in {"done", "cancelled"} for story in open_stories)
    assert sum(totals.values()) == len(open_stories) - ended
    assert product.get("next") == lists | {"totals": totals}


@each_layout
def test_progress_and_overview_count_what_the_lists_have(
    hub: Hub, make: Callable[[], Product], expected: Expected
) -> None:
    history = make().history
    product = SyncedProduct(hub, history)
    figures = counted(expected.stories)
    progress = product.get("progress")
    assert progress["totals"] == {
        "stories": figures["stories_total"],
        "done": figures["stories_by_status"]["done"],
        "built": figures["stories_built"],
        "share_done": figures["share_done"],
    }
    assert progress["by_status"] == figures["stories_by_status"]
    by_epic = [
        {
            **{name: epic[name] for name in ("tree", "id", "title", *figures)},
            **([*product.placed(epic)["documents"], NOWHERE][0]),
        }
        for epic in expected.epics
    ]
    alone = [story for story in expected.stories if story["epic"] is None]
    if not all(story["archived"] for story in alone):
        of_none = {"tree": alone[0]["tree"], "id": None, "title": None}
        by_epic.append(of_none | NOWHERE | counted(alone))
    assert progress["by_epic"] == [each | {"source": product.named} for each in by_epic]
    assert progress["epics_total"] == len(expected.epics)

    [activity] = product.list("activity")
    assert progress["last_changes"] == activity
    run = activity["run_id"], activity["at"]
    assert activity == {
        "run_id": run[0],
        "source": product.named,
        "at": run[1],
        "commit_id": product.remote.head(),
        "committed_at": history.commits[-1].at.isoformat(),
        "added": len(history.files),
        "changed": 0,
        "moved": 0,
        "removed": 0,
        "documents": [
            {"change": "added", "path": path, "from": None} for path in sorted(history.files)
        ],
        "statuses": [],  # a first run has nothing to compare with
    }

    [overview] = hub.client.get("/api/overview").json()
    severities = Counter(problem["severity"] for problem in expected.problems)
    assert overview["documents"] == len(history.files)
    assert overview["problems"] == {name: severities[name] for name in SEVERITIES}
    assert {name: overview[name] for name in figures} == figures
    assert overview["sparkline"][-1] == figures["stories_by_status"]["done"]
    assert (overview["sources_total"], overview["sources_failed"]) == (1, 0)
    assert overview["last_sync"] == overview["sources"][0]["last_sync"]
    assert overview["last_sync"]["status"] == "completed"


@each_layout
def test_the_document_of_a_story_has_what_was_read_of_it(
    hub: Hub, make: Callable[[], Product], expected: Expected
) -> None:
    product = SyncedProduct(hub, make().history)
    for story in expected.stories:
        if story["path"] is not None:
            metadata = hub.document(product.project, story["path"])["doc_metadata"]["story"]
            names = READ if story["status_evidence"][0]["source"] == "plan" else READ + COUNTED
            assert {name: metadata[name] for name in names} == {name: story[name] for name in names}


def test_the_layouts_have_everything_that_there_is() -> None:
    everything = [expected for _, expected in LAYOUTS.values()]
    stories = [story for expected in everything for story in expected.stories]
    problems = [problem for expected in everything for problem in expected.problems]
    assert {problem["kind"] for problem in problems} == {*PROBLEM_KINDS}
    assert {problem["severity"] for problem in problems} == {*SEVERITIES}
    assert {problem["reason"] for problem in problems} == {None, "no_file", "no_anchor", "outside"}
    assert {story["status"] for story in stories} == {*STATUSES}
    assert {story["kind"] for story in stories} == {*get_args(WorkKind)}
    said: list[dict[str, Any]] = [each for story in stories for each in story["status_evidence"]]
    assert {each["source"] for each in said} == {
        "front_matter",
        "file",
        "plan",
        "tracker_status",
        "sprint_status",
        "tickets",
        "gate",
    }
    assert {each["word"] for each in said if each["source"] == "gate"} == {
        "PASS",
        "CONCERNS",
        "FAIL",
        "WAIVED",
    }
    # Each field has a value besides the one that says nothing.
    for name in stories[0].keys() - {"last_changed_at"}:
        assert len({str(story[name]) for story in stories}) > 1, name


def test_a_path_of_somebodys_machine_is_never_shown(hub: Hub) -> None:
    product = SyncedProduct(hub, invoices().history)
    for name in ("stories", "epics", "problems"):
        assert "/home/someone" not in str(product.list(name))


def test_dates_are_those_of_commits() -> None:
    assert at("2026-03-02 09:00") == "2026-03-02T09:00:00+00:00"
    for make, expected in LAYOUTS.values():
        commits = {commit.at.isoformat() for commit in make().history.commits}
        for story in expected.stories:
            assert {story["since"], story["last_changed_at"]} <= {*commits, None}
