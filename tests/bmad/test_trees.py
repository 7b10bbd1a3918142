"""Which documents belong together: the trees of a source."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from service.bmad.trees import find_trees, folder_of_tree
from tests.bmad.made import epic, epics, listed, sprint, story, tickets

if TYPE_CHECKING:
    from service.bmad.readings import EpicReading, Reading


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


PHASES: dict[str, Reading] = {
    "docs/epics.md": epics(epic("1"), epic("2")),
    "docs/stories/1.1.a.md": story("1.1"),
    "docs/stories/1.2.b.md": story("1.2"),
    "docs/phase-2/stories/1.2.b-again.md": story("1.2"),
}


@pytest.mark.parametrize("more", [{}, {"docs/phase-2/stories/2.1.c.md": story("2.1")}])
def test_folder_with_a_repeated_id_below_epics_is_no_tree(more: dict[str, Reading]) -> None:
    assert {*find_trees(PHASES | more).values()} == {""}


def test_one_repeated_id_of_many_makes_no_tree() -> None:
    trees = find_trees(
        {
            "epics.md": epics(epic("1"), epic("2")),
            "phase-1/stories/1.1.a.md": story("1.1"),
            "phase-1/stories/1.2.b.md": story("1.2"),
            "phase-2/stories/1.2.b-again.md": story("1.2"),
            "phase-2/stories/2.1.c.md": story("2.1"),
        }
    )
    assert {*trees.values()} == {""}


def test_products_below_one_prd_that_each_count_from_1_are_trees() -> None:
    ids = ("1.1", "1.2", "1.3")
    trees = find_trees(
        {"docs/prd.md": epics(epic("1"))}
        | {f"docs/web/stories/{id_}.a.md": story(id_) for id_ in ids}
        | {f"docs/api/stories/{id_}.b.md": story(id_) for id_ in ids[1:]}
    )
    assert {*trees.values()} == {"", "docs/web", "docs/api"}


def test_folder_is_no_tree_whose_repeated_stories_the_epics_above_list() -> None:
    trees = find_trees(
        {
            "docs/prd.md": epics(epic("1", stories=[listed("1.1", "Sign in")])),
            "apps/web/docs/stories/1.1.story.md": story("1.1", title="Sign in"),
            "apps/api/docs/stories/1.1.story.md": story("1.1", title="Store tokens"),
        }
    )
    assert {*trees.values()} == {"", "apps/api"}


def test_archived_copies_of_stories_repeat_no_ids() -> None:
    trees = find_trees(
        {
            "web/stories/1.1.a.md": story("1.1"),
            "web-old/stories/1.1.a.md": story("1.1"),
        }
    )
    assert {*trees.values()} == {""}


def test_archived_product_is_a_tree() -> None:
    trees = find_trees(
        {
            "docs/stories/1.1.a.md": story("1.1"),
            "shop-old/docs/stories/1.1.b.md": story("1.1"),
            "shop-old/docs/epics.md": epics(epic("1")),
        }
    )
    assert {*trees.values()} == {"", "shop-old"}


def test_tracker_that_is_no_longer_kept_makes_no_tree() -> None:
    trees = find_trees(
        {
            "docs/stories/1.1.a.md": story("1.1"),
            "notes/sprint-status-backup.yaml": sprint({"1-1-a": "done"}),
        }
    )
    assert {*trees.values()} == {""}


@pytest.mark.parametrize(
    "readings",
    [
        {
            "docs/pm/sprint-status.yaml": sprint({"1-1-a": "done"}),
            "docs/dev/stories/1-1-a.md": story("1.1"),
            "docs/epics.md": epics(epic("1")),
        },
        {
            "planning/epics.md": epics(epic("1")),
            "planning/sprint-status.yaml": sprint({"1-1-a": "review"}),
            "docs/stories/1-1-a.md": story("1.1"),
        },
        {
            "pm/sprint-status.yaml": sprint(
                {"1-1-a": "done", "1-2-b": "backlog", "1-3-c": "backlog"}
            ),
            "backend/docs/stories/1.1.a.md": story("1.1"),
            "backend/docs/epics.md": epics(epic("1")),
        },
        {
            "docs/epics.md": epics(
                epic("1", stories=[listed("1.1", "Sign in"), listed("1.2", "Out")])
            ),
            "backend/stories/1-1-a.md": story("1.1", title="Sign in"),
            "backend/sprint-status.yaml": sprint({"1-1-a": "done"}),
        },
        {
            "docs/prd.md": epics(epic("1", "Foundation"), epic("2", "Mail"), epic("3", "Later")),
            "project/stories/1.1.a.md": story("1.1"),
            "project/sprint-status.yaml": sprint({"1-1-a": "done"}),
            "project/epics.md": epics(epic("1", "Foundation"), epic("2", "Mail")),
        },
        {
            "pm/sprint-status.yaml": sprint({"1-2-x": "done"}),
            "backend/docs/1-2-x.md": {"candidate": story("1.2")["story"]},  # pyright: ignore[reportTypedDictNotRequiredAccess]
        },
    ],
)
def test_tracker_and_epics_are_of_the_only_tree_whose_stories_they_name(
    readings: dict[str, Reading],
) -> None:
    assert len({*find_trees(readings).values()}) == 1


@pytest.mark.parametrize(
    "readings",
    [
        # A product of which nothing is done yet, and whose first story resembles those of others.
        {
            "apps/api/sprint-status.yaml": sprint({"1-1-setup": "backlog", "1-2-a": "backlog"}),
            "apps/web/docs/stories/1.1.login.md": story("1.1"),
            "apps/web/docs/stories/1.2.mail.md": story("1.2"),
            "apps/web/docs/epics.md": epics(epic("1")),
        },
        {
            "apps/api/sprint-status.yaml": sprint(
                {"1-1-setup": "backlog", "1-2-a": "backlog", "1-3-b": "backlog"}
            ),
            "apps/web/docs/stories/1.1.setup.md": story("1.1"),
            "apps/web/docs/sprint-status.yaml": sprint({"1-1-setup": "done"}),
        },
        {
            "apps/api/sprint-status.yaml": sprint({"1-1-db": "backlog"}),
            "apps/web/docs/stories/1.1.a.md": story("1.1"),
            "apps/web/docs/epics.md": epics(epic("1", "Foundation")),
            "docs/prd.md": epics(epic("1", "Foundation")),
        },
        {
            "apps/api/sprint-status.yaml": sprint({"1-1-a": "backlog"}),
            "apps/mail/docs/stories/1.1.a.md": story("1.1"),
            "apps/mail/docs/epics.md": epics(epic("1")),
            "apps/web/docs/stories/1.1.a.md": story("1.1"),
            "apps/web/docs/epics.md": epics(epic("1")),
        },
    ],
)
def test_tracker_of_another_product_is_apart(readings: dict[str, Reading]) -> None:
    trees = find_trees(readings)
    tracker = trees["apps/api/sprint-status.yaml"]
    assert [path for path, tree in trees.items() if tree == tracker] == [
        "apps/api/sprint-status.yaml"
    ]


@pytest.mark.parametrize("number", [1, 10])
def test_trees_take_linear_time(number: int) -> None:
    """Many trees, trackers without stories, and folders with equal ids."""
    count = 300 * number
    readings: dict[str, Reading] = {}
    for each in range(count):
        readings[f"apps/{each}/stories/1.1.a.md"] = story("1.1")
        readings[f"plans/{each}/sprint-status.yaml"] = sprint({"1-1-a": "done", "1-2-b": "done"})
        readings[f"pm/{each}/sprint-status.yaml"] = sprint({f"2-{each}-a": "done"})
        readings[f"docs/stories/2.{each}.a.md"] = story(f"2.{each}")
    started = time.process_time()
    find_trees(readings)
    assert time.process_time() - started < 0.001 * count + 0.2


def _stories(folder: str, *names: str) -> dict[str, Reading]:
    """Return stories such as 1.1-login, whose titles are those of their names."""
    return {
        f"{folder}/stories/{name.replace('.', '-')}.md": story(
            name.partition("-")[0], title=name.partition("-")[2].replace("-", " ").capitalize()
        )
        for name in names
    }


OTHER_APP: dict[str, Reading] = {
    **_stories("apps/b/docs", "1.1-project-setup", "1.2-ci", "1.3-pay", "1.4-refund"),
    "apps/b/docs/epics.md": epics(epic("1", "B")),
}


@pytest.mark.parametrize("has_epics", [True, False])
def test_product_is_a_tree_whose_first_stories_are_called_as_those_above(has_epics: bool) -> None:
    names = ("1.1-project-setup", "1.2-ci", "1.3-login", "1.4-logout")
    keys = {name.replace(".", "-"): "done" for name in names}
    readings = _stories("docs", *names) | OTHER_APP | {"docs/sprint-status.yaml": sprint(keys)}
    if not has_epics:
        del readings["apps/b/docs/epics.md"]
    trees = find_trees(readings)
    assert {tree for path, tree in trees.items() if path.startswith("apps/")} == {"apps/b"}
    assert {tree for path, tree in trees.items() if path.startswith("docs/")} == {""}


@pytest.mark.parametrize(
    ("keys", "count"),
    [
        (("1-1-project-setup", "1-2-ci", "1-3-pay"), 1),
        (("1-1-project-setup", "1-2-ci", "2-1-x"), 2),
        (("1-1-project-setup", "2-1-x"), 2),
    ],
)
def test_product_is_of_the_tree_whose_tracker_names_more_than_half_of_its_stories(
    keys: tuple[str, ...], count: int
) -> None:
    readings = OTHER_APP | {"docs/sprint-status.yaml": sprint(dict.fromkeys(keys, "done"))}
    # With a story of its own, the tree above has no need of a home.
    readings |= _stories("docs", "7.1-other")
    assert len({*find_trees(readings).values()}) == count


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("1.1-setup", "1.2-login", "1.3-logout"), ("1.1-init", "2.1-pay", "2.2-refund")),
        (("1.1-setup", "1.2-login"), ("1.1-setup", "2.1-pay", "2.2-refund")),
        (
            ("1.1-setup", "1.2-login", "1.3-x", "1.4-y"),
            ("1.1-init", "1.2-pay", "2.1-refund", "2.2-z"),
        ),
    ],
)
@pytest.mark.parametrize("has_plan", [True, False])
def test_apps_with_one_equal_id_are_trees(
    a: tuple[str, ...], b: tuple[str, ...], has_plan: bool
) -> None:
    readings = _stories("apps/a/docs", *a) | _stories("apps/b/docs", *b)
    if has_plan:
        readings["docs/prd.md"] = epics(epic("1", "Foundation"), epic("2", "Pay"))
    trees = find_trees(readings)
    assert {tree for path, tree in trees.items() if path.startswith("apps/")} == {
        "apps/a",
        "apps/b",
    }


@pytest.mark.parametrize("folder", ["mvp-{}", "product/release_{}", "docs/phase {}"])
def test_phases_with_one_equal_id_are_one_tree(folder: str) -> None:
    trees = find_trees(
        _stories(folder.format(1), "1.1-setup", "1.2-login")
        | _stories(folder.format(2), "1.2-log-in-again", "2.1-pay")
    )
    assert {*trees.values()} == {""}


PRD: dict[str, Reading] = {
    "docs/prd.md": epics(
        epic("1", "Foundation", stories=[listed("1.1", "Project setup")]),
        epic("2", "Pay", stories=[listed("2.1", "Card")]),
    )
}


@pytest.mark.parametrize(
    ("a", "epics_of_a", "is_joined"),
    [
        (("1.1-project-setup", "1.2-x"), (), False),
        (("1.1-init",), (epic("1", "Foundation"),), False),
        (("1.1-project-setup", "2.1-card"), (), True),
        (("1.1-init",), (epic("1", "Foundation"), epic("2", "Pay")), True),
    ],
)
def test_plan_is_of_one_of_several_products_by_two_stories_or_epics(
    a: tuple[str, ...], epics_of_a: tuple[EpicReading, ...], is_joined: bool
) -> None:
    trees = find_trees(
        PRD
        | _stories("apps/a/docs", *a)
        | {"apps/a/docs/epics.md": epics(*epics_of_a)}
        | _stories("apps/b/docs", "1.1-begin", "1.2-q")
    )
    assert trees["docs/prd.md"] == ("apps/a" if is_joined else "")
    assert len({*trees.values()}) == (2 if is_joined else 3)


def test_plan_is_of_the_only_product_by_one_story() -> None:
    keys = {"1-1-project-setup": "done"}
    trees = find_trees(
        PRD
        | _stories("app/docs", "1.1-project-setup")
        | {"app/docs/sprint-status.yaml": sprint(keys)}
    )
    assert {*trees.values()} == {"app"}
