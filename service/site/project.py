"""The page of a project: how far it is, what comes next, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from service.routes.activity import describe_change, describe_counts, read_activity, read_runs_page
from service.routes.board import read_columns
from service.routes.burnup import read_burn_up
from service.routes.problems import count_problems, read_worst_problems
from service.routes.progress import read_progress
from service.routes.stories import read_next
from service.site.project_pages import ProjectPage, respond
from service.site.project_view import choose_days, group_epics, list_products, measure_weeks
from service.site.templating import page_spec_of
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.operation import operation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request

    Item: TypeAlias = Mapping[str, Any]

# How many the page shows: of each list of what comes next, of each column of the board, of the
# sources, of the kinds of problems, of the products, of the runs, and of the stories of a run.
SHOWN: Final = {
    "next": 6,
    "column": 8,
    "sources": 20,
    "kinds": 6,
    "products": 20,
    "runs": 5,
    "changes": 6,
}

# The columns of the board, from left to right.
COLUMNS: Final = (
    *("draft", "approved", "in_progress", "review", "blocked", "done"),
    *("unknown", "cancelled"),
)

# The lists of what comes next: their names, their headings, and what an empty one says.
NEXT_LISTS: Final = (
    ("ready", "Ready to start", "No story can start now."),
    ("in_progress", "Under way", "No story is under way."),
    ("blocked", "Blocked", "No story is blocked."),
    ("to_prepare", "To prepare", "No draft waits for preparation."),
)


@operation(
    tag="pages",
    responses={200: page_spec_of("The page of the project."), 304: NOT_MODIFIED_RESPONSE},
)
async def show_project(request: Request) -> Response:
    """Look at a project.

    How far it is, what comes next, what is wrong, the board, the epics, the burn-up, and what
    changed last. Of long lists it shows the beginning, and leads to the rest.
    """
    return await respond(request, ProjectPage("project.html", _read))


async def _read(queries: Queries, project_id: UUID) -> dict[str, Any]:
    """Return the variables of the template."""
    progress = orjson.loads(await read_progress(queries, project_id))
    columns = await read_columns(queries, project_id, SHOWN["column"])
    following = await read_next(queries, project_id, SHOWN["next"])
    _, burn_up = await read_burn_up(queries, project_id)
    runs_page = read_runs_page({"limit": str(SHOWN["runs"])})
    runs = await read_activity(queries, runs_page, project_id)
    worst = await read_worst_problems(queries, project_id)
    return {
        "progress": progress,
        "following": orjson.loads(following),
        "columns": {status: [*map(orjson.loads, texts)] for status, texts in columns.items()},
        "problems": await count_problems(queries, project_id),
        "worst": [*map(orjson.loads, worst)],
        "days": choose_days(orjson.loads(burn_up)["days"]),
        "weeks": measure_weeks(progress["velocity"]),
        "runs": [*map(orjson.loads, runs.texts)],
        "epic_groups": group_epics(
            [epic for epic in progress["by_epic"] if epic["id"] is not None]
        ),
        "products": list_products(progress["by_epic"]),
        "shown": SHOWN,
        "column_names": COLUMNS,
        "next_lists": NEXT_LISTS,
        "describe_change": describe_change,
        "describe_run": _describe_run,
    }


def _describe_run(run: Item) -> str:
    """Return how many documents and stories a run changed, in words."""
    stories: list[Item] = run["statuses"]
    new = sum(story["from"] is None for story in stories)
    gone = sum(story["to"] is None for story in stories)
    return describe_counts(run, len(stories) - new - gone, new, gone)
