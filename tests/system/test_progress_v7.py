"""The progress of a repository of version 7 of the method, through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bmad_repositories.v7 import field_notes
from tests.support.bmad_repositories.v7_documents import (
    DRAW,
    LOST_PLAN,
    MAP_PLAN,
    PHOTO,
    PLACE_PLAN,
    PRD,
    SEND,
    SHARE,
    TURN,
    TURN_PLAN,
    VOICE,
)
from tests.support.hub import running_hub
from tests.support.synced_product import SyncedProduct, evidence, evidence_of, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In build order, by path, or else by id: see facts_of.
STORIES = {
    PHOTO: ("1.1", "1", "1", "Take a photo", "done", "story", (2, None, 0, 0, 1, 1, 0, 0, 0)),
    "1.3": ("1.3", "1", "3", "Find the place", "done", "spike", (0, None, 0, 0, 1, 0, 0, 0, 0)),
    VOICE: ("1.2", "1", "2", "Record a voice", "done", "story", (1, None, 0, 0, 1, 0, 0, 0, 0)),
    DRAW: ("1.4", "1", "4", "Draw a sketch", "approved", "story", (1, None, 0, 0, 0, 0, 0, 0, 0)),
    SEND: ("2.1", "2", "1", "Send a note", "blocked", "story", (1, None, 0, 0, 1, 0, 0, 0, 0)),
    "2.2": (
        "2.2",
        "2",
        "2",
        "Show notes on a map",
        "unknown",
        "story",
        (0, None, 0, 0, 1, 0, 0, 0, 0),
    ),
    "2.3": (
        "2.3",
        "2",
        "3",
        "Read notes of friends",
        "cancelled",
        "story",
        (0, None, 0, 0, 1, 0, 0, 0, 0),
    ),
    TURN: (
        "",
        None,
        None,
        "Crash when the phone turns",
        "done",
        "bug",
        (2, None, 0, 0, 1, 0, 0, 0, 0),
    ),
}
# Of each problem the kind, the path and the line.
PROBLEMS = {
    ("dependency_conflict", DRAW, 9),
    ("dependency_conflict", VOICE, 9),
    ("plan_without_ticket", LOST_PLAN, 1),
    ("requirement_without_story", PRD, 11),
    ("status_conflict", PHOTO, 5),
    ("status_conflict", SEND, 5),
    ("status_conflict", TURN, 4),
    ("status_conflict", VOICE, 5),
    ("undeclared_dependency", SHARE, 1),
    ("undeclared_dependency", SHARE, 12),
    ("unknown_dependency", SHARE, 24),
    ("unknown_status", MAP_PLAN, 3),
}
# Of each epic the id, the title, the status, the requirements, and the stories by status.
EPICS: list[tuple[Any, ...]] = [
    ("1", "Capture notes", None, ["FR1"], {"done": 3, "approved": 1}),
    ("2", "Share notes", None, ["FR2"], {"blocked": 1, "unknown": 1, "cancelled": 1}),
]
NEXT = {"ready": [], "in_progress": [], "blocked": ["2.1"], "to_prepare": ["1.4"]}


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[SyncedProduct]:
    with running_hub(database, tmp_path) as hub:
        yield SyncedProduct(hub, field_notes().history)


def test_all_is_read(product: SyncedProduct) -> None:
    stories = product.stories()
    assert [*stories] == [*STORIES]
    assert {name: facts_of(story) for name, story in stories.items()} == STORIES
    assert product.epics() == EPICS
    assert product.next() == NEXT
    assert product.problems() == PROBLEMS


def test_the_plan_decides_before_the_file(product: SyncedProduct) -> None:
    stories = product.stories()
    assert evidence_of(stories[TURN]) == [
        evidence("plan", "done", "done", TURN_PLAN, 3, decides=True),
        evidence("tracker_status", "approved", "ready-for-dev", TURN, 4),
    ]
    assert evidence_of(stories["1.3"]) == [
        evidence("plan", "done", "done", PLACE_PLAN, 3, decides=True)
    ]


def test_a_story_waits_for_siblings_other_stories_and_epics(product: SyncedProduct) -> None:
    stories = product.stories()
    assert stories[VOICE]["after"] == ["1", "3"]
    assert stories[VOICE]["waits_for"] == []
    assert stories["2.2"]["waits_for"] == [{"id": "1", "title": "Capture notes", "status": None}]
    assert stories["2.3"]["waits_for"] == [
        {"id": "2.1", "title": "Send a note", "status": "blocked"},
        {"id": "9", "title": "", "status": None},
    ]
    # Something must be found out first.
    assert not stories[DRAW]["is_ready"]
