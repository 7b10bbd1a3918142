"""The progress of a repository of version 4 of the method, through the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bmad_repositories.v4 import lending_library
from tests.support.bmad_repositories.v4_documents import (
    CANCEL,
    CANCEL_GATE,
    FIRST_LEND_GATE,
    LEND,
    LEND_GATE,
    MEMBERS,
    OLD_REGISTER,
    PICK_UP,
    REGISTER,
    REMIND,
    RENEW,
    RESERVATIONS,
    RESERVE,
    RETURN,
    RETURN_GATE,
)
from tests.support.hub import running_hub
from tests.support.synced_product import SyncedProduct, evidence, evidence_of, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# In build order, by path, or else by id: see facts_of.
STORIES = {
    REGISTER: (
        "1.1",
        "1",
        "1",
        "Register a member",
        "done",
        "story",
        (2, None, 0, 0, 2, 2, 2, 2, 0),
    ),
    OLD_REGISTER: (
        "1.1",
        "1",
        "1",
        "Register a member",
        "unknown",
        "story",
        (2, None, 0, 0, 2, 0, 2, 0, 0),
    ),
    LEND: ("1.2", "1", "2", "Lend a book", "done", "story", (2, 2, 3, 3, 1, 1, 1, 1, 0)),
    REMIND: (
        "1.3",
        "1",
        "3",
        "Remind late members",
        "cancelled",
        "story",
        (1, None, 0, 0, 1, 0, 0, 0, 0),
    ),
    RETURN: ("1.4", "1", "4", "Return a book", "review", "story", (2, None, 0, 0, 1, 1, 1, 0, 0)),
    RESERVE: (
        "2.1",
        "2",
        "1",
        "Reserve a book",
        "in_progress",
        "story",
        (2, None, 0, 0, 1, 0, 0, 0, 1),
    ),
    PICK_UP: (
        "2.2",
        "2",
        "2",
        "Pick up a book",
        "approved",
        "story",
        (1, None, 0, 0, 1, 0, 0, 0, 0),
    ),
    RENEW: ("2.3", "2", "3", "Renew a loan", "draft", "story", (0, None, 0, 0, 0, 0, 0, 0, 0)),
    CANCEL: (
        "2.10",
        "2",
        "10",
        "Cancel a reservation",
        "done",
        "story",
        (2, 2, 2, 2, 2, 2, 0, 0, 0),
    ),
}
# Of each problem the kind, the path and the line.
PROBLEMS = {
    ("broken_link", MEMBERS, 7),
    ("epic_owes_stories", RESERVATIONS, 3),
    ("gate_expired", CANCEL_GATE, 3),
    ("gate_failed", RETURN_GATE, 3),
    ("gate_waived", CANCEL_GATE, 3),
    ("review_finding_open", RESERVE, 22),
}
# Of each epic the id, the title, the status, the requirements, and the stories by status.
EPICS: list[tuple[Any, ...]] = [
    ("1", "Members and Loans", "in_progress", [], {"done": 2, "cancelled": 1, "review": 1}),
    ("2", "Reservations", "done", [], {"in_progress": 1, "approved": 1, "draft": 1, "done": 1}),
]
NEXT = {"ready": ["2.2"], "in_progress": ["1.4", "2.1"], "blocked": [], "to_prepare": ["2.3"]}


@pytest.fixture
def product(database: str, tmp_path: Path) -> Iterator[SyncedProduct]:
    with running_hub(database, tmp_path) as hub:
        yield SyncedProduct(hub, lending_library().history)


def test_all_is_read(product: SyncedProduct) -> None:
    stories = product.stories()
    assert [*stories] == [*STORIES]
    assert {name: facts_of(story) for name, story in stories.items()} == STORIES
    assert product.epics() == EPICS
    assert product.next() == NEXT
    assert product.problems() == PROBLEMS


def test_a_story_says_where_each_of_its_statuses_and_its_gate_stand(
    product: SyncedProduct,
) -> None:
    story = product.stories()[LEND]
    assert evidence_of(story) == [
        evidence("file", "done", "Done", LEND, 5, decides=True),
        evidence("gate", None, "PASS", LEND_GATE, 3),
        evidence("gate", None, "CONCERNS", FIRST_LEND_GATE, 3),
    ]
    gate_id = story["status_evidence"][1]["document_id"]
    assert story["gate"] == {
        "decision": "PASS",
        "score": 90,
        "reviewer": "Quinn (Test Architect)",
        "updated": "2026-03-13T09:00:00Z",
        "expires": "2099-01-01T00:00:00Z",
        "path": LEND_GATE,
        "document_id": gate_id,
        "line": 3,
    }
    assert story["anchor"] == "story-12-lend-a-book"
    assert story["document_id"]
    sentence = (story["as_a"], story["i_want"], story["so_that"])
    assert sentence == ("clerk", "to lend a book", "the reader can take it home")
    assert [path for path, each in product.stories().items() if each["archived"]] == [OLD_REGISTER]


def test_dead_links_say_why(product: SyncedProduct) -> None:
    links = product.list("problems", "&kind=broken_link")
    assert {link["target"]: link["reason"] for link in links} == {
        "../prd.md#members": "no_anchor",
        "../rules.md": "no_file",
        "../../../town/readme.md": "outside",
    }
