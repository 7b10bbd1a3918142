"""Projects: what the documents of several repositories belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

import asyncpg
from marshmallow import fields

from service.problems import Problem
from service.routes.shared import EXAMPLE_PROJECT_ID, MISSING_PROJECT, PROJECT_ID, read_id
from service.web.bodies import UNSUPPORTED, ExactSchema, InputSchema, Text, json_response, read_json
from service.web.openapi import Answer, Body, operation
from service.web.paging import PAGE_HEADERS, PAGE_PARAMETERS, page_query, page_response, read_page

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.state import Request


COLUMNS: Final[LiteralString] = "id, name, description, created_at, updated_at"


class ProjectInputSchema(InputSchema):
    """What a client says of a project."""

    name = Text(shortest=1, longest=255, is_line=True, required=True)
    description = Text(longest=2000, allow_none=True, load_default=None)


class ProjectSchema(ExactSchema):
    """A project."""

    id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


EXAMPLE_INPUT: Final = {"name": "Payments", "description": "Everything about paying."}
EXAMPLE: Final[dict[str, Any]] = {
    "id": EXAMPLE_PROJECT_ID,
    **EXAMPLE_INPUT,
    "created_at": "2026-11-25T03:00:00.123456+00:00",
    "updated_at": "2026-11-25T03:00:00.123456+00:00",
}
ANSWER: Final = Answer(
    description="The project.", schema=ProjectSchema, examples={"project": EXAMPLE}
)
NAME_TAKEN: Final = "There is a project of that name already."


@operation(
    operation_id="listProjects",
    tag="projects",
    summary="List the projects",
    description="Newest first: all of them, up to `limit`, which is 1,000 if it is not given.",
    parameters=PAGE_PARAMETERS,
    answers={
        200: Answer(
            description="The projects.",
            schema={"type": "array", "items": ProjectSchema},
            headers=PAGE_HEADERS,
            examples={"projects": [EXAMPLE]},
        )
    },
    problems={"invalid": "limit: must be a number from 1 to 1000."},
)
async def list_projects(request: Request) -> Response:
    page = read_page(request)
    row = await request.state["database"].fetch_row(
        page_query(
            f"""
            select {COLUMNS}
            from project
            where (created_at, id) < ($1, $2::uuid)
            order by created_at desc, id desc
            limit $3::bigint + 1
            """
        ),
        *page,
    )
    assert row is not None
    return page_response(request, page, row)


@operation(
    operation_id="createProject",
    tag="projects",
    summary="Create a project",
    body=Body(schema=ProjectInputSchema, examples={"project": EXAMPLE_INPUT}),
    answers={
        201: Answer(
            description="The new project.",
            schema=ProjectSchema,
            headers={"Location": "Where it is."},
            examples={"project": EXAMPLE},
        )
    },
    problems={
        "invalid": "name: must have 1 to 255 characters.",
        "conflict": NAME_TAKEN,
        "unsupported": UNSUPPORTED,
    },
)
async def create_project(request: Request) -> Response:
    data = await read_json(request, ProjectInputSchema())
    try:
        row = await request.state["database"].fetch_row(
            f"""
            with created as (
                insert into project (name, description)
                values ($1, $2)
                returning {COLUMNS}
            )
            select id, row_to_json(created)::text as project
            from created
            """,
            data["name"],
            data["description"],
        )
    except asyncpg.UniqueViolationError as error:
        raise _name_taken(error) from None
    assert row is not None
    return json_response(
        row["project"], status=201, headers={"Location": f"/api/projects/{row['id']}"}
    )


@operation(
    operation_id="getProject",
    tag="projects",
    summary="Get a project",
    parameters=(PROJECT_ID,),
    answers={200: ANSWER},
    problems={"invalid": "project_id: is not a UUID.", "not_found": MISSING_PROJECT},
)
async def get_project(request: Request) -> Response:
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select row_to_json(found)::text as project
        from (select {COLUMNS} from project where id = $1) as found
        """,
        read_id(request, "project_id"),
        missing=MISSING_PROJECT,
    )
    return json_response(row["project"])


@operation(
    operation_id="updateProject",
    tag="projects",
    summary="Change a project",
    description="Only the fields that are sent are changed.",
    parameters=(PROJECT_ID,),
    body=Body(
        schema=ProjectInputSchema, is_partial=True, examples={"name": {"name": "Payments 2"}}
    ),
    answers={200: ANSWER},
    problems={
        "invalid": "name: must have 1 to 255 characters.",
        "not_found": MISSING_PROJECT,
        "conflict": NAME_TAKEN,
        "unsupported": UNSUPPORTED,
    },
)
async def update_project(request: Request) -> Response:
    project_id = read_id(request, "project_id")
    data = await read_json(request, ProjectInputSchema(partial=True))
    try:
        row = await request.state["database"].fetch_row_or_404(
            f"""
            with changed as (
                update project
                set name = coalesce($2, name),
                    description = case when $3 then $4 else description end,
                    updated_at = now()
                where id = $1
                returning {COLUMNS}
            )
            select row_to_json(changed)::text as project
            from changed
            """,
            project_id,
            data.get("name"),
            "description" in data,
            data.get("description"),
            missing=MISSING_PROJECT,
        )
    except asyncpg.UniqueViolationError as error:
        raise _name_taken(error) from None
    return json_response(row["project"])


@operation(
    operation_id="deleteProject",
    tag="projects",
    summary="Delete a project",
    description="With all of its documentation sources and documents. Answers what was deleted.",
    parameters=(PROJECT_ID,),
    answers={200: ANSWER},
    problems={"invalid": "project_id: is not a UUID.", "not_found": MISSING_PROJECT},
)
async def delete_project(request: Request) -> Response:
    row = await request.state["database"].fetch_row_or_404(
        f"""
        with deleted as (
            delete from project
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


def _name_taken(error: asyncpg.UniqueViolationError) -> Exception:
    if error.constraint_name == "project_name_is_unique":
        return Problem("conflict", NAME_TAKEN)
    return error
