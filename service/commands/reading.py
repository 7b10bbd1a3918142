"""What the commands share that show what the database has, such as `find` and `progress`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.characters import CONTROL_OR_LINE_END, DIRECTION
from service.commands.errors import CommandError

if TYPE_CHECKING:
    from service.database.database import Queries

# As of grep: 0 with results, and for failures another code than that for no results.
NOTHING_FOUND: Final = 1
FAILED: Final = 2

# The command itself says what fails.
LOG_LEVEL: Final = "ERROR"


async def find_project(queries: Queries, project: str) -> str:
    """Return the id of the project with this name or id; raise CommandError without one."""
    found = await queries.fetch_value(
        "select id::text from project where name = $1 or id::text = lower($1)", project
    )
    if found is None:
        raise CommandError(f"there is no project {project!r}")
    return found


def clean(text: str) -> str:
    """Return a text from a document without what a terminal would obey."""
    return DIRECTION.sub("\ufffd", CONTROL_OR_LINE_END.sub("\ufffd", text))
