"""The argument `project` of tools: a name or an id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from service.mcp.texts import clean_line, write_json
from service.mcp.tool import FIRST_SHOWN, NEAREST_SHOWN, ToolError
from service.problems import Problem
from service.routes.projects import read_nearest_projects, read_projects
from service.routes.shared import find_project
from service.web.paging import BEFORE_FIRST_ROW, Page

if TYPE_CHECKING:
    from service.database.queries import Queries, Row


MAX_ECHOED_NAME: Final = 80  # characters

PROJECT: Final[dict[str, Any]] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 255,
    "description": "A project's name or id.",
}


async def find_named_project(queries: Queries, name: str) -> Row:
    """Return `id` and `name` of the project that an agent means.

    That with this name or id; else the only one whose name is this but for case and white space.
    Raises ToolError, which lists names that may be meant.
    """
    try:
        return await find_project(queries, name)
    except Problem:
        nearest = await read_nearest_projects(queries, name.strip(), NEAREST_SHOWN)
    same = [row for row in nearest if _fold(row["name"]) == _fold(name)]
    if len(same) == 1:
        return same[0]
    raise ToolError(await _explain(queries, name, [row["name"] for row in nearest]))


def _fold(name: str) -> str:
    return " ".join(name.split()).casefold()


async def _explain(queries: Queries, name: str, nearest: list[str]) -> str:
    start = f"There is no project {write_json(clean_line(name, MAX_ECHOED_NAME))}."
    if nearest:
        return f"{start} Similar names: {_join(nearest)}. list_projects lists all of them."
    page = await read_projects(queries, Page(BEFORE_FIRST_ROW, FIRST_SHOWN))
    names = [orjson.loads(text)["name"] for text in page.texts]
    if not names:
        return f"{start} The hub has no projects yet."
    which = "The newest are" if page.last_number is not None else "There are"
    return f"{start} {which} {_join(names)}. list_projects lists them with their ids."


def _join(names: list[str]) -> str:
    return ", ".join(write_json(clean_line(name, MAX_ECHOED_NAME)) for name in names)
