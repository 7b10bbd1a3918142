"""The progress of a repository of version 6 of the method, through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bmad_repositories.v6 import invoices
from tests.support.bmad_repositories.v6_documents import (
    CORRECT,
    CREATE,
    DEFERRED,
    EXPORT,
    OLD_RECORD,
    RECORD,
    REMIND,
    RETROSPECTIVE,
    SEND_BY_MAIL,
    TRACKER,
)
from tests.support.bmad_repositories.v6_documents import (
    EPICS as EPICS_FILE,
)
from tests.support.hub import running_hub
from tests.support.synced_product import SyncedProduct, evidence, evidence_of, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In build order, by path, or else by id: see facts_of.
STORIES = {
    CREATE: ("1.1", "1", "1", "Create an Invoice", "done", "story", (2, None, 0, 0, 2, 2, 1, 1, 0)),
    SEND_BY_MAIL: (
        "1.2",
        "1",
        "2",
        "Send an Invoice",
        "done",
        "story",
        (2, None, 0, 0, 2, 2, 0, 0, 0),
    ),
    CORRECT: ("1.3", "1", "3", "Correct an Invoice", "done", "story", (2, 2, 2, 2, 1, 1, 2, 2, 0)),
    RECORD: (
        "2.1",
        "2",
        "1",
        "Record a Payment",
        "review",
        "story",
        (2, None, 0, 0, 1, 1, 0, 0, 1),
    ),
    OLD_RECORD: (
        "2.1",
        "2",
        "1",
        "Record a Payment",
        "done",
        "story",
        (2, None, 0, 0, 1, 0, 0, 0, 1),
    ),
    REMIND: (
        "2.2",
        "2",
        "2",
        "Remind a Debtor",
        "blocked",
        "story",
        (1, None, 0, 0, 1, 0, 0, 0, 0),
    ),
    "2.3": ("2.3", "2", "3", "Take cards", "cancelled", "story", (0, None, 0, 0, 0, 0, 0, 0, 0)),
    "2.4": ("2.4", "2", "4", "Pay in parts", "approved", "story", (0, None, 0, 0, 0, 0, 0, 0, 0)),
    EXPORT: (
        "3.1",
        "3",
        "1",
        "Export the Ledger",
        "unknown",
        "story",
        (1, None, 0, 0, 1, 0, 0, 0, 0),
    ),
}
# Of each problem the kind, the path and the line.
PROBLEMS = {
    ("action_item_open", TRACKER, 21),
    ("deferred_work", DEFERRED, 5),
    ("file_without_key", EXPORT, 1),
    ("key_without_file", TRACKER, 16),
    ("key_without_file", TRACKER, 17),
    ("requirement_without_story", EPICS_FILE, 15),
    ("retrospective_rejected", RETROSPECTIVE, 3),
    ("review_finding_open", RECORD, 20),
    ("status_conflict", TRACKER, 14),
    ("status_conflict", TRACKER, 15),
    ("unknown_status", EXPORT, 3),
}
# Of each epic the id, the title, the status, the requirements, and the stories by status.
EPICS: list[tuple[Any, ...]] = [
    ("1", "Invoices", "done", ["FR1", "FR2"], {"done": 3}),
    (
        "2",
        "Payments",
        "in_progress",
        ["FR3"],
        {"review": 1, "blocked": 1, "cancelled": 1, "approved": 1},
    ),
    ("3", "Epic 3", None, [], {"unknown": 1}),
]
NEXT = {"ready": ["2.4"], "in_progress": ["2.1"], "blocked": ["2.2"], "to_prepare": []}


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[SyncedProduct]:
    with running_hub(database, tmp_path) as hub:
        yield SyncedProduct(hub, invoices().history)


def test_all_is_read(product: SyncedProduct) -> None:
    stories = product.stories()
    assert [*stories] == [*STORIES]
    assert {name: facts_of(story) for name, story in stories.items()} == STORIES
    assert product.epics() == EPICS
    assert product.next() == NEXT
    assert product.problems() == PROBLEMS


def test_the_file_decides_and_the_tracker_is_shown(product: SyncedProduct) -> None:
    stories = product.stories()
    assert evidence_of(stories[RECORD]) == [
        evidence("file", "review", "review", RECORD, 3, decides=True),
        evidence("sprint_status", "done", "done", TRACKER, 14),
    ]
    assert evidence_of(stories["2.3"]) == [
        evidence("sprint_status", "cancelled", "dropped", TRACKER, 16, decides=True)
    ]
    assert stories[EXPORT]["so_that"] == "the tax office has it"


def test_a_path_of_somebodys_machine_is_never_shown(product: SyncedProduct) -> None:
    for name in ("stories", "epics", "problems"):
        assert "/home/someone" not in str(product.list(name))
