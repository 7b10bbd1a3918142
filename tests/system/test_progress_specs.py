"""The progress of a repository of version 6.11 of the method, through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bmad_repositories.specs import clinic
from tests.support.bmad_repositories.specs_documents import (
    ARCHITECTURE,
    BOOK,
    CALL,
    MOVE_OR_CANCEL,
    OLD_BOOK,
    REMIND,
    ROOMS,
    TRACKER,
    WAITING,
)
from tests.support.bmad_repositories.specs_documents import (
    STORIES as STORIES_YAML,
)
from tests.support.hub import running_hub
from tests.support.synced_product import SyncedProduct, evidence, evidence_of, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In build order, by path, or else by id: see facts_of.
STORIES = {
    WAITING: ("1.1", "1", "1", "Show who waits", "done", "story", (2, None, 0, 0, 2, 2, 0, 0, 0)),
    ROOMS: (
        "1.2",
        "1",
        "2",
        "Find a free room",
        "approved",
        "story",
        (2, None, 0, 0, 2, 0, 0, 0, 0),
    ),
    CALL: (
        "1.3",
        "1",
        "3",
        "Call the next patient",
        "cancelled",
        "bug",
        (2, None, 0, 0, 2, 0, 0, 0, 0),
    ),
    BOOK: (
        "1",
        "booking",
        "1",
        "Book an appointment",
        "done",
        "story",
        (2, None, 0, 0, 2, 2, 0, 0, 0),
    ),
    REMIND: (
        "3",
        "booking",
        "3",
        "Remind patients",
        "blocked",
        "story",
        (2, None, 0, 0, 2, 0, 0, 0, 0),
    ),
    MOVE_OR_CANCEL: (
        "2",
        "booking",
        "2",
        "Move an appointment",
        "done",
        "story",
        (2, None, 0, 0, 2, 2, 0, 0, 0),
    ),
    "4": ("4", "booking", "4", "Show the week", "draft", "story", (0, None, 0, 0, 0, 0, 0, 0, 0)),
    OLD_BOOK: (
        "1",
        None,
        "1",
        "Book an appointment",
        "approved",
        "story",
        (2, None, 0, 0, 2, 0, 0, 0, 0),
    ),
}
# Of each problem the kind, the path and the line.
PROBLEMS = {
    ("broken_link", ARCHITECTURE, 3),
    ("status_conflict", TRACKER, 8),
}
# Of each epic the id, the title, the status, the requirements, and the stories by status.
EPICS: list[tuple[Any, ...]] = [
    ("1", "The Waiting Room", "in_progress", [], {"done": 1, "approved": 1, "cancelled": 1}),
    ("booking", "Booking", None, [], {"done": 2, "blocked": 1, "draft": 1}),
]
NEXT = {"ready": ["1.2"], "in_progress": [], "blocked": ["3"], "to_prepare": ["4"]}


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[SyncedProduct]:
    with running_hub(database, tmp_path) as hub:
        yield SyncedProduct(hub, clinic().history)


def test_all_is_read(product: SyncedProduct) -> None:
    stories = product.stories()
    assert [*stories] == [*STORIES]
    assert {name: facts_of(story) for name, story in stories.items()} == STORIES
    assert product.epics() == EPICS
    assert product.next() == NEXT
    assert product.problems() == PROBLEMS


def test_a_key_that_was_cut_belongs_to_the_file_with_the_whole_name(
    product: SyncedProduct,
) -> None:
    assert evidence_of(product.stories()[WAITING]) == [
        evidence("front_matter", "done", "done", WAITING, 5, decides=True),
        evidence("sprint_status", "review", "review", TRACKER, 8),
    ]


def test_a_story_without_a_file_is_planned(product: SyncedProduct) -> None:
    story = product.stories()["4"]
    assert evidence_of(story) == [evidence("tickets", "draft", "", STORIES_YAML, 12, decides=True)]
