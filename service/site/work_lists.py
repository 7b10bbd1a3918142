"""The pages of the lists that a project's page leads to: stories, epics and problems."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from service.bmad.problem_kinds import PROBLEM_KINDS, SEVERITIES
from service.bmad.readings import MAX_ID, STATUSES
from service.routes.epics import EPICS, EPICS_RESPONSE, read_epics
from service.routes.problems import PROBLEMS, PROBLEMS_RESPONSE, read_problems
from service.routes.shared import read_choice, read_tree
from service.routes.stories import (
    MAX_WORDS,
    STATUS_RULE,
    STORIES,
    STORIES_RESPONSE,
    read_epic_filter,
    read_stories,
    read_words_filter,
)
from service.site.project_pages import ProjectPage, respond
from service.site.templating import page_spec_of
from service.web.bodies import invalid
from service.web.cursors import next_cursor, read_sorted_page
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.operation import operation, parameter
from service.web.query_string import form_parameters, read_form

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request
    from service.web.cursors import SortedItems

# An empty tree is the repository itself.
MAY_BE_EMPTY: Final = "tree"

STORY_FILTERS: Final = ("status", "epic", "without_epic", "q", "tree")
EPIC_FILTERS: Final = ("tree",)
PROBLEM_FILTERS: Final = ("severity", "kind", "tree")

WITHOUT_EPIC: Final = parameter(
    "without_epic", "query", "With any value: only stories without an epic, and not `epic`."
)
STORIES_PAGE: Final = {
    200: replace(
        page_spec_of("A page of the stories."),
        parameters=(*form_parameters(STORIES_RESPONSE.parameters), WITHOUT_EPIC),
    ),
    304: NOT_MODIFIED_RESPONSE,
}
EPICS_PAGE: Final = {
    200: replace(
        page_spec_of("A page of the epics."), parameters=form_parameters(EPICS_RESPONSE.parameters)
    ),
    304: NOT_MODIFIED_RESPONSE,
}
PROBLEMS_PAGE: Final = {
    200: replace(
        page_spec_of("A page of the problems."),
        parameters=form_parameters(PROBLEMS_RESPONSE.parameters),
    ),
    304: NOT_MODIFIED_RESPONSE,
}


@operation(tag="pages", responses=STORIES_PAGE, problems={"invalid": f"status: {STATUS_RULE}"})
async def show_stories(request: Request) -> Response:
    """Look at the stories of a project.

    In build order, source by source: up to `limit`, which is 100 if it is not given. An empty
    parameter is none, but for `tree`.
    """
    given = read_form(request, MAY_BE_EMPTY)
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, STORIES, problems)
    status = read_choice(given, "status", STATUSES, problems)
    epic, words = read_epic_filter(given, problems), read_words_filter(given, problems)
    if "without_epic" in given:
        epic = ""
    if problems:
        raise invalid(problems)

    async def read(queries: Queries, project_id: UUID) -> Mapping[str, Any]:
        items = await read_stories(
            queries, page, project_id, status=status, epic=epic, words=words, tree=read_tree(given)
        )
        return {
            **_list(given, STORY_FILTERS, items),
            "max_id": MAX_ID,
            "max_words": MAX_WORDS,
        }

    return await respond(request, ProjectPage("stories.html", read))


@operation(tag="pages", responses=EPICS_PAGE)
async def show_epics(request: Request) -> Response:
    """Look at the epics of a project.

    In build order, source by source: up to `limit`, which is 100 if it is not given.
    """
    given = read_form(request, MAY_BE_EMPTY)
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, EPICS, problems)
    if problems:
        raise invalid(problems)

    async def read(queries: Queries, project_id: UUID) -> Mapping[str, Any]:
        items = await read_epics(queries, page, project_id, tree=read_tree(given))
        return _list(given, EPIC_FILTERS, items)

    return await respond(request, ProjectPage("epics.html", read))


@operation(
    tag="pages",
    responses=PROBLEMS_PAGE,
    problems={"invalid": f"severity: must be one of {', '.join(SEVERITIES)}."},
)
async def show_problems(request: Request) -> Response:
    """Look at the problems of a project's work.

    The most severe first, source by source: up to `limit`, which is 100 if it is not given. An
    empty parameter is none, but for `tree`.
    """
    given = read_form(request, MAY_BE_EMPTY)
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, PROBLEMS, problems)
    kind = read_choice(given, "kind", PROBLEM_KINDS, problems)
    severity = read_choice(given, "severity", SEVERITIES, problems)
    if problems:
        raise invalid(problems)

    async def read(queries: Queries, project_id: UUID) -> Mapping[str, Any]:
        items = await read_problems(
            queries, page, project_id, kind=kind, severity=severity, tree=read_tree(given)
        )
        return {
            **_list(given, PROBLEM_FILTERS, items),
            "kinds": PROBLEM_KINDS,
            "severities": SEVERITIES,
        }

    return await respond(request, ProjectPage("problems.html", read))


def _list(given: Mapping[str, str], names: tuple[str, ...], items: SortedItems) -> dict[str, Any]:
    """Return a page of a list: its items, its filters, and the queries of other pages."""
    filters = {name: given[name] for name in names if name in given}
    size = {"limit": given["limit"]} if "limit" in given else {}
    cursor = next_cursor(items)
    return {
        "items": [*map(orjson.loads, items.texts)],
        "filters": filters,
        "first_page": {**filters, **size} if "cursor" in given else None,
        "next_page": None if cursor is None else {**filters, **size, "cursor": cursor},
    }
