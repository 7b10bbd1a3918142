"""Project docs, the documentation sources: a folder in a branch of a git repository."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

import asyncpg
from marshmallow import fields

from service.git.names import parse_branch, parse_folder, parse_repository_url
from service.problems import Problem
from service.routes.shared import (
    EXAMPLE_PROJECT_ID,
    EXAMPLE_SOURCE_ID,
    MISSING_PROJECT,
    MISSING_SOURCE,
    PROJECT_ID,
    SOURCE_ID,
    read_id,
)
from service.web.bodies import (
    UNSUPPORTED,
    ExactSchema,
    InputSchema,
    Text,
    invalid,
    json_response,
    read_json,
)
from service.web.openapi import Answer, Body, operation
from service.web.paging import PAGE_HEADERS, PAGE_PARAMETERS, page_query, page_response, read_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from service.state import Request


COLUMNS: Final[LiteralString] = """
    id, project_id, name, description, github_url, github_folder_path, branch, last_synced_at,
    last_github_commit_date, last_commit, created_at, updated_at
    """


class ProjectDocInputSchema(InputSchema):
    """What a client says of a documentation source."""

    name = Text(shortest=1, longest=255, is_line=True, required=True)
    description = Text(longest=2000, allow_none=True, load_default=None)
    github_url = Text(
        shortest=1,
        longest=2048,
        required=True,
        metadata={"description": "The https URL of a git repository on one of GIT_HOSTS."},
    )
    github_folder_path = Text(
        longest=1024,
        allow_none=True,
        load_default=None,
        metadata={"description": "Where the documents are; null is the whole repository."},
    )
    branch = Text(
        longest=255,
        allow_none=True,
        load_default=None,
        metadata={"description": "Null is the repository's default branch."},
    )


class ProjectDocSchema(ExactSchema):
    """A documentation source."""

    id = fields.UUID(required=True)
    project_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True, allow_none=True)
    github_url = fields.String(required=True)
    github_folder_path = fields.String(required=True, allow_none=True)
    branch = fields.String(required=True, allow_none=True)
    last_synced_at = fields.DateTime(required=True, allow_none=True)
    last_github_commit_date = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "When the folder was last changed. Where that was before the newest 50 "
            "commits, the time of the oldest of these."
        },
    )
    last_commit = fields.String(required=True, allow_none=True)
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


EXAMPLE_INPUT: Final = {
    "name": "Planning",
    "description": "PRD, architecture and stories.",
    "github_url": "https://github.com/example/payments",
    "github_folder_path": "docs",
    "branch": None,
}
EXAMPLE: Final[dict[str, Any]] = {
    "id": EXAMPLE_SOURCE_ID,
    "project_id": EXAMPLE_PROJECT_ID,
    **EXAMPLE_INPUT,
    "last_synced_at": "2026-11-25T03:01:00.123456+00:00",
    "last_github_commit_date": "2026-11-24T17:30:00+00:00",
    "last_commit": "3f786850e387550fdab836ed7e6dc881de23001b",
    "created_at": "2026-11-25T03:00:00.123456+00:00",
    "updated_at": "2026-11-25T03:00:00.123456+00:00",
}
ANSWER: Final = Answer(
    description="The project doc.", schema=ProjectDocSchema, examples={"project_doc": EXAMPLE}
)
BAD_URL: Final = "github_url: must be an https URL of a repository on one of the allowed hosts."


@operation(
    operation_id="listProjectDocs",
    tag="project docs",
    summary="List a project's documentation sources",
    description="Newest first: all of them, up to `limit`, which is 1,000 if it is not given.",
    parameters=(PROJECT_ID, *PAGE_PARAMETERS),
    answers={
        200: Answer(
            description="The project docs.",
            schema={"type": "array", "items": ProjectDocSchema},
            headers=PAGE_HEADERS,
            examples={"project_docs": [EXAMPLE]},
        )
    },
    problems={"invalid": "project_id: is not a UUID.", "not_found": MISSING_PROJECT},
)
async def list_project_docs(request: Request) -> Response:
    project_id = read_id(request, "project_id")
    page = read_page(request)
    database = request.state["database"]
    row = await database.fetch_row(
        page_query(
            f"""
            select {COLUMNS}
            from project_doc
            where project_id = $4
                and (created_at, id) < ($1, $2::uuid)
            order by created_at desc, id desc
            limit $3::bigint + 1
            """
        ),
        *page,
        project_id,
    )
    assert row is not None
    if row["items"] == b"[]":
        await database.fetch_row_or_404(
            "select id from project where id = $1", project_id, missing=MISSING_PROJECT
        )
    return page_response(request, page, row)


@operation(
    operation_id="createProjectDoc",
    tag="project docs",
    summary="Add a documentation source to a project",
    description="Nothing is brought in until it is synced.",
    parameters=(PROJECT_ID,),
    body=Body(schema=ProjectDocInputSchema, examples={"project_doc": EXAMPLE_INPUT}),
    answers={
        201: Answer(
            description="The new project doc.",
            schema=ProjectDocSchema,
            headers={"Location": "Where it is."},
            examples={"project_doc": EXAMPLE},
        )
    },
    problems={"invalid": BAD_URL, "not_found": MISSING_PROJECT, "unsupported": UNSUPPORTED},
)
async def create_project_doc(request: Request) -> Response:
    project_id = read_id(request, "project_id")
    data = check_source(request, await read_json(request, ProjectDocInputSchema()))
    try:
        row = await request.state["database"].fetch_row(
            f"""
            with created as (
                insert into project_doc
                    (project_id, name, description, github_url, github_folder_path, branch)
                values ($1, $2, $3, $4, $5, $6)
                returning {COLUMNS}
            )
            select id, row_to_json(created)::text as project_doc
            from created
            """,
            project_id,
            data["name"],
            data["description"],
            data["github_url"],
            data["github_folder_path"],
            data["branch"],
        )
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name == "project_doc_has_project":
            raise Problem("not_found", MISSING_PROJECT) from None
        raise
    assert row is not None
    return json_response(
        row["project_doc"], status=201, headers={"Location": f"/api/project-docs/{row['id']}"}
    )


@operation(
    operation_id="getProjectDoc",
    tag="project docs",
    summary="Get a documentation source",
    parameters=(SOURCE_ID,),
    answers={200: ANSWER},
    problems={"invalid": "id: is not a UUID.", "not_found": MISSING_SOURCE},
)
async def get_project_doc(request: Request) -> Response:
    row = await request.state["database"].fetch_row_or_404(
        f"""
        select row_to_json(found)::text as project_doc
        from (select {COLUMNS} from project_doc where id = $1) as found
        """,
        read_id(request, "id"),
        missing=MISSING_SOURCE,
    )
    return json_response(row["project_doc"])


@operation(
    operation_id="updateProjectDoc",
    tag="project docs",
    summary="Change a documentation source",
    description=(
        "Only the fields that are sent are changed. The documents stay as they are until it is "
        "synced again."
    ),
    parameters=(SOURCE_ID,),
    body=Body(
        schema=ProjectDocInputSchema, is_partial=True, examples={"branch": {"branch": "main"}}
    ),
    answers={200: ANSWER},
    problems={"invalid": BAD_URL, "not_found": MISSING_SOURCE, "unsupported": UNSUPPORTED},
)
async def update_project_doc(request: Request) -> Response:
    project_doc_id = read_id(request, "id")
    data = check_source(request, await read_json(request, ProjectDocInputSchema(partial=True)))
    row = await request.state["database"].fetch_row_or_404(
        f"""
        with changed as (
            update project_doc
            set name = coalesce($2, name),
                description = case when $3 then $4 else description end,
                github_url = coalesce($5, github_url),
                github_folder_path = case when $6 then $7 else github_folder_path end,
                branch = case when $8 then $9 else branch end,
                -- What git has elsewhere is compared with nothing.
                tree_id = case
                    when coalesce($5, github_url) = github_url
                        and (not $6 or $7 is not distinct from github_folder_path)
                        and (not $8 or $9 is not distinct from branch)
                    then tree_id
                end,
                updated_at = now()
            where id = $1
            returning {COLUMNS}
        )
        select row_to_json(changed)::text as project_doc
        from changed
        """,
        project_doc_id,
        data.get("name"),
        "description" in data,
        data.get("description"),
        data.get("github_url"),
        "github_folder_path" in data,
        data.get("github_folder_path"),
        "branch" in data,
        data.get("branch"),
        missing=MISSING_SOURCE,
    )
    return json_response(row["project_doc"])


@operation(
    operation_id="deleteProjectDoc",
    tag="project docs",
    summary="Delete a documentation source",
    description="With all of its documents. Answers what was deleted.",
    parameters=(SOURCE_ID,),
    answers={200: ANSWER},
    problems={"invalid": "id: is not a UUID.", "not_found": MISSING_SOURCE},
)
async def delete_project_doc(request: Request) -> Response:
    row = await request.state["database"].fetch_row_or_404(
        f"""
        with deleted as (
            delete from project_doc
            where id = $1
            returning {COLUMNS}
        )
        select row_to_json(deleted)::text as project_doc
        from deleted
        """,
        read_id(request, "id"),
        missing=MISSING_SOURCE,
    )
    return json_response(row["project_doc"])


def check_source(request: Request, data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` with its URL, folder and branch as they are stored.

    Raises the Problem `invalid` for what git could not take, or may not.
    """
    hosts = request.state["settings"].git_hosts
    parsers: dict[str, Callable[[str], str | None]] = {
        "github_url": lambda url: parse_repository_url(url, hosts),
        "github_folder_path": parse_folder,
        "branch": parse_branch,
    }
    parsed, errors = dict(data), dict[str, list[str]]()
    for name, parse in parsers.items():
        if not data.get(name):
            if name in data:
                parsed[name] = None  # an empty folder or branch is none
            continue
        try:
            parsed[name] = parse(data[name])
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise invalid(errors)
    return parsed
