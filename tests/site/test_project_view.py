from __future__ import annotations

from typing import Any

from service.bmad.readings import STATUSES
from service.site.project_view import (
    DAYS_SHOWN,
    EPICS_SHOWN,
    EPICS_TOGETHER,
    choose_days,
    group_epics,
    list_products,
    measure_weeks,
)


def epic(
    epic_id: str | None = "1", tree: str | None = "", source: str = "a", **counts: int
) -> dict[str, Any]:
    by_status = dict.fromkeys(STATUSES, 0) | counts
    total = sum(by_status.values())
    counted = total - by_status["cancelled"]
    return {
        "id": epic_id,
        "tree": tree,
        "source": {"id": source, "name": source.upper()},
        "stories_total": total,
        "stories_by_status": by_status,
        "stories_built": 0,
        "share_done": by_status["done"] / counted if counted else None,
    }


def test_a_few_epics_are_one_group_in_build_order() -> None:
    epics = [epic(done=1), epic(draft=1), *[epic(review=1)] * (EPICS_TOGETHER - 2)]
    [group] = group_epics(epics)
    assert (group.name, group.shown, group.total) == ("", epics, EPICS_TOGETHER)
    assert group_epics([]) == []


def test_many_epics_are_in_groups_and_those_under_way_come_first() -> None:
    finished = [epic(str(number), done=2, cancelled=1) for number in range(20)]
    begun = [epic("b", done=1, draft=1), epic("c", blocked=1), epic("d", review=1)]
    planned = [epic("e", draft=1), epic("f"), epic("g", cancelled=1)]
    groups = group_epics([*finished, *begun, *planned])
    assert [(group.name, group.total) for group in groups] == [
        ("under way", 3),
        ("not begun", 3),
        ("finished", 20),
    ]
    assert groups[0].shown == begun
    assert groups[2].shown == finished[: EPICS_SHOWN["finished"]]
    assert [group.name for group in group_epics(finished)] == ["finished"]


def test_products_are_the_trees_of_the_sources_with_their_sums() -> None:
    products = list_products(
        [
            epic("1", "web", done=1, draft=1),
            epic("2", "web", done=2, cancelled=1),
            epic(None, "web", review=1),
            epic("1", "app", done=1),
            epic("1", "web", "b"),
        ]
    )
    assert [
        (each["source"]["name"], each["tree"], each["epics"], each["stories_total"])
        for each in products
    ] == [("A", "web", 2, 6), ("A", "app", 1, 1), ("B", "web", 1, 0)]
    assert [each["share_done"] for each in products] == [3 / 5, 1, None]
    assert products[0]["stories_by_status"]["done"] == 3


def test_a_single_product_is_none() -> None:
    assert list_products([epic("1"), epic("2"), epic(None)]) == []


def day(date: str, done: int = 0) -> dict[str, Any]:
    return {"date": date, "scope": 9, "done": done}


def test_the_days_of_a_burn_up_come_newest_first() -> None:
    days = [day("2026-11-01"), day("2026-11-02")]
    assert choose_days(days) == [days[1], days[0]]
    assert choose_days([]) == []


def test_of_many_days_the_last_of_each_month_is_shown() -> None:
    days = [
        day(f"{year}-{month:02}-{number:02}", number)
        for year in (2025, 2026)
        for month in range(1, 13)
        for number in (3, 17)
    ]
    chosen = choose_days(days)
    assert len(chosen) == DAYS_SHOWN
    assert [each["date"] for each in chosen[:2]] == ["2026-12-17", "2026-11-17"]


def test_weeks_have_bars_up_to_that_of_the_best_and_the_newest_comes_first() -> None:
    weeks = [{"done": done} for done in (2, -1, 8)]
    assert measure_weeks(weeks) == [({"done": 8}, 100), ({"done": -1}, 0), ({"done": 2}, 25)]
    assert measure_weeks([{"done": 0}]) == [({"done": 0}, 0)]
    assert measure_weeks([]) == []
