"""Which trackers are no longer kept: archived ones, backups, and dated copies beside a newer one.

A team may also have a tracker for each sprint, whose keys no other one has: all of these are kept.

Such a tracker is shown, and decides nothing of the stories that are worked on.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from typing import Final

from service.bmad.readings import Reading
from service.bmad.work_items import is_archived, stem_of

# Of "sprint-status-backup", "sprint-status.yaml.old" and "sprint-status copy". What is "completed"
# may be the work that is done, and in no other tracker.
OLDER_NAME: Final = re.compile(
    r"(?:.*[-_. ])?(?:archived?|archives|obsolete|backups?|bak|copy|old)(?:[-_. ].*)?",
    re.IGNORECASE,
)
# Of "sprint-status-2026-01-31" and "sprint-status.20260131-1200".
DATE: Final = re.compile(r"[-_. ]?(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)(?:(?=\D|\Z).*|\d{4,6}\Z)")

NUMBER: Final = re.compile(r"\d+")


def find_older_trackers(trackers: Mapping[str, Collection[str]]) -> set[str]:
    """Return which trackers are no longer kept, given the keys of all that there are, by path.

    Archived ones and backups are not. Neither is one with a date if a newer one beside it has most
    of its keys.
    """
    older = {path for path in trackers if _is_put_away(path)}
    for path, newest in find_newest(path for path, keys in trackers.items() if keys).items():
        keys = {*trackers[path]}
        if 2 * len(keys.intersection(trackers[newest])) > len(keys):
            older.add(path)
    return older


def keys_of_trackers(documents: Iterable[tuple[str, Reading]]) -> dict[str, list[str]]:
    """Return the keys of stories of each sprint-status.yaml, by path, for find_older_trackers."""
    return {
        path: [entry["key"] for entry in sprint["stories"]]
        for path, reading in documents
        if (sprint := reading.get("sprint_status")) is not None
    }


def find_newest(paths: Iterable[str]) -> dict[str, str]:
    """Return the newest of the trackers beside each that has an older date, by the latter's path.

    Trackers in one folder are compared whose names differ in the date alone; without a date, a
    tracker is the newest.
    """
    dated: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for path in paths:
        if not _is_put_away(path):
            folder, stem = path.rpartition("/")[0], stem_of(path).lower()
            found = DATE.search(stem)
            name = stem[: found.start()] if found else stem
            # A letter is after all digits.
            day = "".join(found.groups()) if found else "x"
            dated[folder, name.strip("-_. ")].append((day, path))
    newest: dict[str, str] = {}
    for same in dated.values():
        last_day, last = max(same)
        newest.update((path, last) for day, path in same if day != last_day)
    return newest


def sort_trackers(paths: Iterable[str]) -> list[str]:
    """Return trackers in the order in which they decide: that of their paths.

    Of those whose paths differ in numbers alone, such as one for each sprint, the highest is first.
    A tracker without more in its name is before others beside it.
    """
    highest_first = sorted(sorted(paths), key=_numbers_of, reverse=True)
    return sorted(highest_first, key=lambda path: NUMBER.sub("0", _without_suffix(path)))


def _numbers_of(path: str) -> list[tuple[int, str]]:
    numbers = (number.lstrip("0") for number in NUMBER.findall(_without_suffix(path)))
    return [(len(number), number) for number in numbers]


def _without_suffix(path: str) -> str:
    return path.rpartition(".")[0]


def _is_put_away(path: str) -> bool:
    return is_archived(path) or is_older_name(path)


@lru_cache(maxsize=1024)
def is_older_name(path: str) -> bool:
    """Return whether the name of a tracker says that it is no longer kept."""
    return bool(OLDER_NAME.fullmatch(stem_of(path)))
