"""Which documents belong together: the trees of a source."""

from __future__ import annotations

import pytest

from service.bmad.trees import find_trees, folder_of_tree
from tests.bmad.made import epic, epics, sprint, story, tickets


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("sprint-status.yaml", ""),
        ("docs/prd.md", ""),
        ("docs/stories/1.1.md", ""),
        ("docs/stories/epic-1/1.1.md", ""),
        ("docs/epics/payments/stories/1.1.md", ""),
        ("_bmad-output/planning-artifacts/epics.md", ""),
        ("_bmad-output/implementation-artifacts/1-1-a.md", ""),
        ("apps/web/docs/stories/1.1.md", "apps/web"),
        ("apps/web/_bmad-output/implementation-artifacts/1-1-a.md", "apps/web"),
        ("apps/web/sprint-status.yaml", "apps/web"),
        ("docs/shop/stories/1.1.md", "docs/shop"),
        ("docs/shop/prd.md", "docs/shop"),
    ],
)
def test_a_tree_is_the_folder_above_the_parts_of_its_documents(path: str, folder: str) -> None:
    assert folder_of_tree(path) == folder


def test_trees_with_equal_ids_are_not_mixed() -> None:
    trees = find_trees(
        {
            "docs/prd.md": epics(epic("1")),
            "apps/web/docs/stories/1.1.a.md": story("1.1"),
            "apps/api/docs/stories/1.1.b.md": story("1.1"),
        }
    )
    assert trees == {
        "docs/prd.md": "",
        "apps/web/docs/stories/1.1.a.md": "apps/web",
        "apps/api/docs/stories/1.1.b.md": "apps/api",
    }


def test_a_folder_with_its_own_tracker_is_a_tree() -> None:
    trees = find_trees(
        {
            "docs/stories/1.1.a.md": story("1.1"),
            "apps/api/docs/stories/2.1.b.md": story("2.1"),
            "apps/api/docs/sprint-status.yaml": sprint({"2-1-b": "done"}),
        }
    )
    assert {*trees.values()} == {"", "apps/api"}


def test_a_tracker_beside_the_stories_that_it_names_is_of_their_tree() -> None:
    trees = find_trees(
        {
            "docs/stories/1.1.a.md": story("1.1"),
            "tracking/sprint-status.yaml": sprint({"1-1-a": "done"}),
            "elsewhere/sprint-status.yaml": sprint({"7-1-b": "done"}),
        }
    )
    assert trees["tracking/sprint-status.yaml"] == trees["docs/stories/1.1.a.md"] == ""
    assert trees["elsewhere/sprint-status.yaml"] == "elsewhere"


def test_a_folder_with_its_own_stories_and_epics_is_a_tree() -> None:
    trees = find_trees(
        {
            "docs/stories/1.1.a.md": story("1.1"),
            "docs/shop/stories/2.1.b.md": story("2.1"),
            "docs/shop/epics.md": epics(epic("2")),
        }
    )
    assert trees["docs/shop/stories/2.1.b.md"] == "docs/shop"
    assert trees["docs/stories/1.1.a.md"] == ""


def test_folders_without_a_tracker_or_equal_ids_belong_to_the_tree_above() -> None:
    trees = find_trees(
        {
            "docs/epics.md": epics(epic("1"), epic("2")),
            "docs/phase-1/stories/1.1.a.md": story("1.1"),
            "docs/phase-2/stories/2.1.b.md": story("2.1"),
            "docs/phase-2/deep/stories/3.1.b.md": story("3.1"),
        }
    )
    assert {*trees.values()} == {""}


def test_all_below_a_ticket_tree_are_of_it() -> None:
    trees = find_trees(
        {
            "work/shop/tickets.toml": tickets(),
            "work/shop/login/tickets.toml": tickets(),
            "work/shop/login/story-a.md": story(),
            "work/mail/tickets.toml": tickets(),
        }
    )
    assert trees == {
        "work/shop/tickets.toml": "work/shop",
        "work/shop/login/tickets.toml": "work/shop",
        "work/shop/login/story-a.md": "work/shop",
        "work/mail/tickets.toml": "work/mail",
    }


def test_documents_with_links_alone_are_of_no_tree() -> None:
    assert find_trees({"docs/a.md": {"links": []}}) == {}


def test_tickets_at_the_root_have_the_documents_of_all_folders() -> None:
    trees = find_trees(
        {
            "tickets.toml": tickets(),
            "auth/tickets.toml": tickets(),
            "auth/docs/stories/1.1.md": story("1.1"),
        }
    )
    assert set(trees.values()) == {""}


def test_folder_whose_stories_a_tracker_above_names_is_no_tree() -> None:
    trees = find_trees(
        {
            "docs/sprint-status.yaml": sprint({"1-1-login": "done"}),
            "docs/shop/stories/1-1-login.md": story("1.1"),
            "docs/shop/epics.md": epics(epic("1")),
        }
    )
    assert set(trees.values()) == {""}


def test_folder_with_a_number_of_a_tracker_above_and_another_name_is_a_tree() -> None:
    trees = find_trees(
        {
            "docs/sprint-status.yaml": sprint({"1-1-logout": "done"}),
            "docs/shop/stories/1-1-login.md": story("1.1"),
            "docs/shop/epics.md": epics(epic("1")),
        }
    )
    assert set(trees.values()) == {"", "docs/shop"}
