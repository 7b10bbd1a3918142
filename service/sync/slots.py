"""The slots of a worker: which hosts and projects may not have more of its runs.

A worker executes SYNC_CONCURRENCY runs at once. A slow host, or a project with many or large
sources, must not hold up the runs of all others until its own have reached their deadlines. A slot
that becomes free goes to another project than before, if one waits for it.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from uuid import UUID

Value = TypeVar("Value")

SERVED_MAX: Final = 1000


class FullSlots(NamedTuple):
    """The hosts and the projects whose runs fill as many slots as they may."""

    hosts: frozenset[str]
    projects: frozenset[UUID]


NONE_FULL: Final = FullSlots(frozenset(), frozenset())


class ServedProjects:
    """The projects whose runs a worker started last, of each the latest start, in their order.

    Without this, a slow project with many older runs in the queue would get each slot that its own
    runs free.
    """

    def __init__(self) -> None:
        self._order: OrderedDict[UUID, None] = OrderedDict()

    def __iter__(self) -> Iterator[UUID]:
        return iter(self._order)

    def add(self, project: UUID) -> None:
        """Put a project last, and forget the first beyond SERVED_MAX."""
        self._order[project] = None
        self._order.move_to_end(project)
        if len(self._order) > SERVED_MAX:
            self._order.popitem(last=False)


def find_full(running: Iterable[tuple[str, UUID]], slots: int, hosts: int) -> FullSlots:
    """Return what may not fill another slot of a worker that has so many.

    `running` has the host and the project of each run that the worker executes.
    The runs of one host leave one slot free, unless there is just one of the allowed `hosts`. The
    runs of one project leave two free, one of them for other projects on the same host. They may
    all fill one.
    """
    if slots == 1:
        return NONE_FULL
    taken = list(running)
    return FullSlots(
        _find_frequent((host for host, _ in taken), slots - 1 if hosts > 1 else slots),
        _find_frequent((project for _, project in taken), max(slots - 2, 1)),
    )


def _find_frequent(values: Iterable[Value], times: int) -> frozenset[Value]:
    return frozenset(value for value, count in Counter(values).items() if count >= times)
