"""Which trackers are no longer kept: archived ones, backups, and dated copies beside a newer one.

Such a tracker is shown, and decides nothing of the stories that are worked on.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from service.bmad.work_items import is_archived, stem_of

# Of "sprint-status-backup", "sprint-status.yaml.old" and "sprint-status copy".
OLDER_NAME: Final = re.compile(
    r"(?:.*[-_. ])?(?:archived?|archives|obsolete|backups?|bak|copy|old|completed)(?:[-_. ].*)?",
    re.IGNORECASE,
)
# Of "sprint-status-2026-01-31" and "sprint-status.20260131-1200".
DATE: Final = re.compile(r"[-_. ]?(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)(?:(?=\D|\Z).*|\d{4,6}\Z)")


def find_older_trackers(paths: Iterable[str]) -> set[str]:
    """Return which of these trackers are no longer kept, given all that there are.

    A tracker is none of them because of its date alone: the newest one of a folder is kept, and
    without a date it is the newest.
    """
    older: set[str] = set()
    dated: defaultdict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for path in paths:
        if is_archived(path) or is_older_name(path):
            older.add(path)
        else:
            folder, stem = path.rpartition("/")[0], stem_of(path).lower()
            found = DATE.search(stem)
            name = stem[: found.start()] if found else stem
            # A letter is after all digits.
            dated[folder, name.strip("-_. ")].append(
                ("".join(found.groups()) if found else "x", path)
            )
    for same in dated.values():
        newest = max(same)[0]
        older.update(path for day, path in same if day != newest)
    return older


@lru_cache(maxsize=1024)
def is_older_name(path: str) -> bool:
    """Return whether the name of a tracker says that it is no longer kept."""
    return bool(OLDER_NAME.fullmatch(stem_of(path)))
