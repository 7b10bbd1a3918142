"""Projects: list, create, get, change and delete them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, LiteralString

import asyncpg

from service.database.database import LOCK_LIMIT
from service.problems import Problem
from service.routes.board_sql import VERSION
from service.routes.quotas import UNLOCKED_ROOM, refuse_excess_project
from service.routes.shared import (
    BEING_CHANGED,
    MISSING_PROJECT,
    change_arguments,
    deleting,
    read_id,
)
from service.schemas.projects import (
    EXAMPLE_PROJECT,
    EXAMPLE_PROJECT_INPUT,
    ProjectInputSchema,
    ProjectSchema,
)
from service.sync.advisory_locks import project_lock
from service.web.bodies import json_response, read_json
from service.web.operation import BodySpec, ResponseSpec, operation
from service.web.paging import (
    LIMIT_RANGE,
    PAGE_COLUMNS,
    Items,
    Page,
    fetch_page,
    page_response,
    page_spec,
    read_page,
)
from service.web.references import reference_to

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries, Row
    from service.state import Request

COLUMNS: Final[LiteralString] = "id, name, description, created_at, updated_at"

PROJECT_RESPONSE: Final = ResponseSpec(
    description="The project.", schema=ProjectSchema, examples={"project": EXAMPLE_PROJECT}
)
CREATED_RESPONSE: Final = replace(
    PROJECT_RESPONSE, description="The new project.", headers={"Location": "Where it is."}
)
CHANGES_BODY: Final = BodySpec(
    schema=ProjectInputSchema, is_partial=True, examples={"name": {"name": "Payments 2"}}
)
BAD_NAME: Final = "name: must have 1 to 255 characters."
TOO_LARGE: Final = (
    "The project could not be deleted in time: try again later, or delete its project docs first."
)
NAME_TAKEN: Final = "There is a project of that name already."


@operation(
    tag="projects",
    responses={200: page_spec("The projects.", ProjectSchema, {"projects": [EXAMPLE_PROJECT]})},
    problems={"invalid": f"limit: {LIMIT_RANGE}"},
)
async def list_projects(request: Request) -> Response:
    """List the projects.

    Newest first: all of them, up to `limit`, which is 1,000 if it is not given.
    """
    page = read_page(request)
    return page_response(request, page, await read_projects(request.state["database"], page))


async def read_projects(queries: Queries, page: Page) -> Items:
    """Return a page of the projects, as JSON: see ProjectSchema."""
    return await fetch_page(
        queries,
        f"""
        select {PAGE_COLUMNS}
        from (
            select number, row_to_json((
                select item from (select {COLUMNS}) as item
            ))::text as item
            from project
            where number < $1
            order by number desc
            limit $2::bigint + 1
        ) as page
        """,
        page,
    )


async def read_newest_projects(queries: Queries, count: int) -> list[Row]:
    """Return `id` and `name` of the newest projects, and `total`, the number of all projects."""
    return await queries.fetch(
        """
        select id, name, (select count(*) from project) as total
        from project
        order by number desc
        limit $1
        """,
        count,
    )


async def read_nearest_projects(queries: Queries, name: str, count: int) -> list[Row]:
    """Return `id` and `name` of the projects with names similar to this one, the nearest first."""
    return await queries.fetch(
        """
        select id, name
        from project
        where lower(name) = lower($1) or similarity(name, $1) >= 0.3
        order by lower(name) = lower($1) desc, similarity(name, $1) desc, number desc
        limit $2
        """,
        name,
        count,
    )


@operation(
    tag="projects",
    body=BodySpec(schema=ProjectInputSchema, examples={"project": EXAMPLE_PROJECT_INPUT}),
    responses={201: CREATED_RESPONSE},
    problems={"invalid": BAD_NAME, "conflict": NAME_TAKEN},
)
async def create_project(request: Request) -> Response:
    """Create a project."""
    data = await read_json(request, ProjectInputSchema())
    database, max_projects = request.state["database"], request.state["settings"].max_projects
    try:
        row = await _add_project(database, data, max_projects - UNLOCKED_ROOM)
        if row is None:
            async with database.transaction() as transaction:
                await refuse_excess_project(transaction, max_projects)
                row = await _add_project(transaction, data, max_projects)
    except asyncpg.UniqueViolationError as error:
        raise _conflict_or_error(error) from None
    assert row is not None
    location = reference_to(request.scope, f"/api/projects/{row['id']}")
    return json_response(row["project"], status=201, headers={"Location": location})


async def _add_project(queries: Queries, data: dict[str, Any], max_projects: int) -> Row | None:
    """Add a project, and return its id and its JSON; None if there are `max_projects` already."""
    return await queries.fetch_row(
        f"""
        with limits as materialized (select {LOCK_LIMIT}), created as (
            insert into project (name, description)
            select $1, $2
            from limits
            where (select count(*) from project) < $3::bigint
            returning {COLUMNS}
        )
        select id, row_to_json(created)::text as project
        from created
        """,
        data["name"],
        data["description"],
        max_projects,
    )


@operation(tag="projects", responses={200: PROJECT_RESPONSE})
async def get_project(request: Request) -> Response:
    """Get a project."""
    row = await read_project(request.state["database"], read_id(request, "project_id"))
    return json_response(row["project"])


async def read_project(queries: Queries, project_id: UUID) -> Row:
    """Return a project as JSON, `project`, and its `version`: see VERSION.

    Raises the Problem `not_found` without such a project.
    """
    return await queries.fetch_row_or_404(
        f"""
        select (
            select row_to_json(found)::text from (select {COLUMNS}) as found
        ) as project, md5({VERSION}) as version
        from project
        where id = $1
        """,
        project_id,
        missing=MISSING_PROJECT,
    )


@operation(
    tag="projects",
    body=CHANGES_BODY,
    responses={200: PROJECT_RESPONSE},
    problems={"invalid": BAD_NAME, "conflict": NAME_TAKEN},
)
async def update_project(request: Request) -> Response:
    """Change a project.

    Only the fields that are sent are changed.
    """
    project_id = read_id(request, "project_id")
    data = await read_json(request, ProjectInputSchema(partial=True))
    try:
        row = await request.state["database"].fetch_row_or_404(
            f"""
            with limits as materialized (select {LOCK_LIMIT}), changed as (
                update project
                set name = case when $2 then $3 else name end,
                    description = case when $4 then $5 else description end,
                    updated_at = now()
                from limits
                where id = $1
                returning {COLUMNS}
            )
            select row_to_json(changed)::text as project
            from changed
            """,
            project_id,
            *change_arguments(data, ("name", "description")),
            missing=MISSING_PROJECT,
        )
    except asyncpg.UniqueViolationError as error:
        raise _conflict_or_error(error) from None
    return json_response(row["project"])


@operation(
    tag="projects",
    responses={200: PROJECT_RESPONSE},
    problems={"unavailable": BEING_CHANGED},
)
async def delete_project(request: Request) -> Response:
    """Delete a project.

    Deletes its documentation sources and documents, too. Returns the deleted project. While a sync
    writes documents of the project, the response is 503, and the project stays as it is; so it does
    where deleting all takes more than 60 s: delete its sources first.
    """
    with deleting(request, TOO_LARGE) as database:
        row = await database.fetch_row_or_404(
            f"""
            with limits as materialized (select {LOCK_LIMIT}), held as materialized (
                select pg_advisory_xact_lock({project_lock("id")})
                from project, limits
                where id = $1
            ), deleted as (
                delete from project
                using held
                where id = $1
                returning {COLUMNS}
            )
            select row_to_json(deleted)::text as project
            from deleted
            """,
            read_id(request, "project_id"),
            missing=MISSING_PROJECT,
        )
    return json_response(row["project"])


def _conflict_or_error(error: asyncpg.UniqueViolationError) -> Exception:
    """Return the Problem of a name that is taken, or `error` itself for another constraint."""
    if error.constraint_name == "project_name_is_unique":
        return Problem("conflict", NAME_TAKEN)
    return error
