"""What the page of a project makes of its figures: groups of epics, products, days of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.bmad.readings import STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Item = Mapping[str, Any]

# Up to so many epics are one list; more are in groups, of which each shows so many.
EPICS_TOGETHER: Final = 12
EPICS_SHOWN: Final = {"under way": 12, "not begun": 12, "finished": 12}
DAYS_SHOWN: Final = 12

_BEGUN: Final = ("in_progress", "review", "done", "blocked")


class EpicGroup(NamedTuple):
    """Epics in the same state, of which `shown` are the first; its name is empty for all epics."""

    name: str
    shown: Sequence[Item]
    total: int


def group_epics(epics: Sequence[Item]) -> list[EpicGroup]:
    """Return the epics by their state, those under way first; a few of them in one group."""
    if len(epics) <= EPICS_TOGETHER:
        return [EpicGroup("", epics, len(epics))] if epics else []
    groups: dict[str, list[Item]] = {name: [] for name in EPICS_SHOWN}
    for epic in epics:
        groups[_state_of(epic)].append(epic)
    return [
        EpicGroup(name, found[: EPICS_SHOWN[name]], len(found))
        for name, found in groups.items()
        if found
    ]


def _state_of(epic: Item) -> str:
    if epic["share_done"] == 1:
        return "finished"
    is_begun = any(epic["stories_by_status"][status] for status in _BEGUN)
    return "under way" if is_begun else "not begun"


def list_products(epics: Sequence[Item]) -> list[Item]:
    """Return the products that epics are of, with the sums of their figures; none of only one.

    A product is a tree of a source: `source` and `tree`, besides `epics`, their number, and the
    figures that epics have.
    """
    by_place: dict[tuple[str, str | None], list[Item]] = {}
    for epic in epics:
        by_place.setdefault((epic["source"]["id"], epic["tree"]), []).append(epic)
    if len(by_place) < 2:
        return []
    return [
        {
            "source": found[0]["source"],
            "tree": tree,
            "epics": sum(epic["id"] is not None for epic in found),
            **_add(found),
        }
        for (_, tree), found in by_place.items()
    ]


def _add(epics: Sequence[Item]) -> Item:
    by_status = {
        status: sum(epic["stories_by_status"][status] for epic in epics) for status in STATUSES
    }
    total = sum(by_status.values())
    counted = total - by_status["cancelled"]
    return {
        "stories_total": total,
        "stories_by_status": by_status,
        "stories_built": sum(epic["stories_built"] for epic in epics),
        "share_done": by_status["done"] / counted if counted else None,
    }


def choose_days(days: Sequence[Item]) -> list[Item]:
    """Return the newest DAYS_SHOWN days of a burn-up, newest first; of many, each month's last."""
    if len(days) > DAYS_SHOWN:
        days = [*{day["date"][:7]: day for day in days}.values()]
    return [*reversed(days)][:DAYS_SHOWN]


def measure_weeks(weeks: Sequence[Item]) -> list[tuple[Item, float]]:
    """Return each week of a velocity with the length of its bar, of 100; the newest comes first."""
    most = max((week["done"] for week in weeks), default=0)
    return [
        (week, round(100 * max(week["done"], 0) / most, 1) if most > 0 else 0)
        for week in reversed(weeks)
    ]
