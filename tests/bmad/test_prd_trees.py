"""Which product a PRD is for that lies apart from the work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.prd_trees import name_of_prd, place_prds
from service.bmad.trees import find_trees
from tests.bmad.made import board_of, entry, epic, epics, links_of, sprint, story, tickets

if TYPE_CHECKING:
    from service.bmad.readings import Reading

PRD: Reading = {
    "requirements": [
        {"id": "FR1", "text": "Users pay.", "line": 3},
        {"id": "FR2", "text": "Users print.", "line": 4},
    ]
}
MAP: Reading = {"coverage": [{"requirement": "FR1", "epics": ["1"], "stories": [], "line": 9}]}
TICKETS = tickets(entry("1", "Pay", covers=["FR1"]))
SHOP = "_bmad-output/shop/tickets.toml"
BLOG = "_bmad-output/blog/tickets.toml"


def _trees(readings: dict[str, Reading]) -> dict[str, str]:
    return place_prds(find_trees(readings), readings)


def _missing(readings: dict[str, Reading]) -> list[tuple[str, str]]:
    board = board_of(readings, links_of(readings))
    return [
        (row.file_path or "", row.item["detail"])
        for row in board.problems
        if row.kind == "requirement_without_story"
    ]


@pytest.mark.parametrize(
    "path",
    [
        "_bmad-output/prds/prd-x-2026-02-03/prd.md",
        "_bmad-output/prds/prd-shop/prd.md",
        "_bmad-output/planning-artifacts/prd.md",
        "docs/prd.md",
        "docs/prd/requirements.md",
    ],
)
@pytest.mark.parametrize(
    ("place", "work"),
    [
        (SHOP, TICKETS),
        ("apps/shop/docs/stories/1.1.a.md", story("1.1", covers=["FR1"])),
        ("apps/shop/docs/epics.md", epics(epic("1", covers=["FR1"]))),
    ],
)
def test_requirements_of_the_only_prd_are_those_of_the_only_product(
    path: str, place: str, work: Reading
) -> None:
    first = [] if "epics" not in work else ["FR1: Users pay."]
    assert _missing({path: PRD, place: work}) == [
        (path, f"No story is known for the requirement {missing}")
        for missing in (*first, "FR2: Users print.")
    ]


@pytest.mark.parametrize(
    "path",
    [
        "_bmad-output/prds/prd-shop-2026-02-03/prd.md",
        "_bmad-output/prds/shop/prd.md",
        "_bmad-output/prds/prd-shop.md",
        "_bmad-output/planning-artifacts/prd-shop.md",
        "docs/Shop_PRD.md",
    ],
)
def test_prd_is_of_the_product_whose_name_it_has(path: str) -> None:
    readings = {path: PRD, "docs/prd-blog.md": PRD, SHOP: TICKETS, BLOG: TICKETS}
    trees = _trees(readings)
    assert trees[path] == trees[SHOP]
    assert trees["docs/prd-blog.md"] == trees[BLOG]
    assert _trees({**readings, "docs/stories/1.1.a.md": story("1.1")})[path] == trees[SHOP]


@pytest.mark.parametrize(
    "readings",
    [
        {"docs/prd.md": PRD, SHOP: TICKETS, BLOG: TICKETS},
        {"docs/prd.md": PRD, "docs/prd-more.md": PRD, SHOP: TICKETS},
        {"docs/prd.md": PRD, "_bmad-output/shop/prd.md": PRD, SHOP: TICKETS},
        {"docs/prd-x.md": PRD, "docs/prd-shop.md": PRD, SHOP: TICKETS},
        {
            "docs/prd-shop.md": PRD,
            "apps/shop/tickets.toml": TICKETS,
            "libs/shop/tickets.toml": TICKETS,
        },
        {"docs/prd.md": PRD, "docs/sprint-status.yaml": sprint({"1-1-a": "done"}), SHOP: TICKETS},
        {"docs/prd.md": PRD | epics(epic("1")), SHOP: TICKETS},
        {"docs/archive/prd.md": PRD, SHOP: TICKETS},
    ],
)
def test_prd_that_may_be_for_several_products_says_nothing(readings: dict[str, Reading]) -> None:
    first = next(iter(readings))
    assert _trees(readings)[first] == ""
    assert first not in dict(_missing(readings))


@pytest.mark.parametrize(
    "path", ["apps/a/docs/prd.md", "samples/x/docs/prd.md", "apps/a/prd.md", "apps/a/prds/prd.md"]
)
def test_prd_of_another_product_of_a_monorepo_is_not_that_of_the_only_one_with_work(
    path: str,
) -> None:
    work: dict[str, Reading] = {
        "apps/b/docs/epics.md": epics(epic("1", covers=["FR1"])),
        "apps/b/docs/stories/1.1.story.md": story("1.1"),
        "apps/b/docs/sprint-status.yaml": sprint({"1-1-a": "done"}),
    }
    trees = {path: "apps/a", **dict.fromkeys(work, "apps/b")}
    assert place_prds(trees, {path: PRD, **work}) == trees
    trees = {"apps/docs/prd.md": "", **dict.fromkeys(work, "apps/b")}
    assert {*place_prds(trees, {"apps/docs/prd.md": PRD, **work}).values()} == {"apps/b"}
    assert _missing({path: PRD, **work, "apps/a/docs/prd.md": PRD}) == []


def test_coverage_of_a_prd_goes_with_it() -> None:
    readings = {"docs/prd.md": PRD, "docs/requirements-coverage.md": MAP, SHOP: TICKETS}
    assert {*_trees(readings).values()} == {"_bmad-output/shop"}
    assert _trees({"docs/coverage.md": MAP, SHOP: TICKETS})["docs/coverage.md"] == ""


@given(st.lists(st.text("prd/s-x.2026m", max_size=30), max_size=5))
def test_any_path_has_a_tree(paths: list[str]) -> None:
    readings: dict[str, Reading] = dict.fromkeys(paths, PRD)
    readings[SHOP] = TICKETS
    assert _trees(readings).keys() == readings.keys()
    assert all(name_of_prd(path) == name_of_prd(path).strip("-") for path in paths)
