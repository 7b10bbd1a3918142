"""Sources, which the API calls project docs: list, create, get, change and delete them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from service.database.database import LOCK_LIMIT
from service.git.names import parse_branch, parse_folder, parse_repository_url
from service.problems import Problem
from service.routes.quotas import TOO_MANY_SOURCES, UNLOCKED_ROOM, refuse_excess_source
from service.routes.shared import (
    BEING_CHANGED,
    MISSING_PROJECT,
    MISSING_SOURCE,
    change_arguments,
    deleting,
    read_id,
)
from service.routes.source_sql import COLUMNS, SOURCE_JSON
from service.schemas.project_docs import (
    EXAMPLE_SOURCE,
    EXAMPLE_SOURCE_INPUT,
    ProjectDocInputSchema,
    ProjectDocSchema,
)
from service.sync.advisory_locks import source_lock
from service.web.bodies import invalid, json_response, read_json
from service.web.operation import BodySpec, ResponseSpec, operation
from service.web.paging import (
    PAGE_COLUMNS,
    Items,
    Page,
    fetch_page_or_404,
    page_response,
    page_spec,
    read_page,
)
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries, Row
    from service.state import Request

# In the order of their arguments in the statements below.
INPUT_FIELDS: Final = ("name", "description", "github_url", "github_folder_path", "branch")

SOURCE_RESPONSE: Final = ResponseSpec(
    description="The project doc.",
    schema=ProjectDocSchema,
    examples={"project_doc": EXAMPLE_SOURCE},
)
CREATED_RESPONSE: Final = replace(
    SOURCE_RESPONSE, description="The new project doc.", headers={"Location": "Where it is."}
)
CHANGES_BODY: Final = BodySpec(
    schema=ProjectDocInputSchema, is_partial=True, examples={"branch": {"branch": "main"}}
)
TOO_LARGE: Final = (
    "The project doc could not be deleted in time: try again later, when the database is less busy."
)
BAD_URL: Final = "github_url: must be an https URL of a repository on one of the allowed hosts."


@operation(
    tag="project docs",
    responses={
        200: page_spec("The project docs.", ProjectDocSchema, {"project_docs": [EXAMPLE_SOURCE]})
    },
)
async def list_project_docs(request: Request) -> Response:
    """List a project's documentation sources.

    Newest first: all of them, up to `limit`, which is 1,000 if it is not given.
    """
    project_id = read_id(request, "project_id")
    page = read_page(request)
    items = await read_sources(request.state["database"], page, project_id)
    return page_response(request, page, items)


async def read_sources(queries: Queries, page: Page, project_id: UUID) -> Items:
    """Return a page of the sources of a project, as JSON: see ProjectDocSchema.

    Raises the Problem `not_found` without such a project.
    """
    return await fetch_page_or_404(
        queries,
        f"""
        select {PAGE_COLUMNS}
        from (
            select number, {SOURCE_JSON} as item
            from project_doc
            where project_id = $4 and number < $1
            order by number desc
            limit $2::bigint + 1
        ) as page
        """,
        page,
        project_id,
        owner="project",
        missing=MISSING_PROJECT,
    )


@operation(
    tag="project docs",
    body=BodySpec(schema=ProjectDocInputSchema, examples={"project_doc": EXAMPLE_SOURCE_INPUT}),
    responses={201: CREATED_RESPONSE},
    problems={"invalid": BAD_URL, "conflict": TOO_MANY_SOURCES.format(count=1000)},
)
async def create_project_doc(request: Request) -> Response:
    """Add a documentation source to a project.

    The source has no documents until it is synced.
    """
    project_id = read_id(request, "project_id")
    data = parse_source(request, await read_json(request, ProjectDocInputSchema()))
    database = request.state["database"]
    max_sources = request.state["settings"].max_sources_per_project
    try:
        row = await _add_source(database, project_id, data, max_sources - UNLOCKED_ROOM)
        if row is None:
            async with database.transaction() as transaction:
                await refuse_excess_source(transaction, project_id, max_sources)
                row = await _add_source(transaction, project_id, data, max_sources)
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name == "project_doc_has_project":
            raise Problem("not_found", MISSING_PROJECT) from None
        raise
    assert row is not None
    location = reference_to(request.scope, f"/api/project-docs/{row['id']}")
    return json_response(row["project_doc"], status=201, headers={"Location": location})


async def _add_source(
    queries: Queries, project_id: UUID, data: dict[str, Any], max_sources: int
) -> Row | None:
    """Add a source, and return its id and its JSON; None if the project has `max_sources`."""
    return await queries.fetch_row(
        f"""
        with limits as materialized (select {LOCK_LIMIT}), created as (
            insert into project_doc
                (project_id, name, description, github_url, github_folder_path, branch)
            select $1, $2, $3, $4, $5, $6
            from limits
            where (select count(*) from project_doc where project_id = $1) < $7::bigint
            returning {COLUMNS}
        )
        select id, {SOURCE_JSON} as project_doc
        from created as project_doc
        """,
        project_id,
        *(data[name] for name in INPUT_FIELDS),
        max_sources,
    )


@operation(tag="project docs", responses={200: SOURCE_RESPONSE})
async def get_project_doc(request: Request) -> Response:
    """Get a documentation source."""
    row = await request.state["database"].fetch_row_or_404(
        f"select {SOURCE_JSON} as project_doc from project_doc where id = $1",
        read_id(request, "id"),
        missing=MISSING_SOURCE,
    )
    return json_response(row["project_doc"])


@operation(
    tag="project docs",
    body=CHANGES_BODY,
    responses={200: SOURCE_RESPONSE},
    problems={"invalid": BAD_URL},
)
async def update_project_doc(request: Request) -> Response:
    """Change a documentation source.

    Only the fields that are sent are changed. The documents stay as they are until the source is
    synced again.
    """
    source_id = read_id(request, "id")
    data = parse_source(request, await read_json(request, ProjectDocInputSchema(partial=True)))
    row = await request.state["database"].fetch_row_or_404(
        f"""
        with limits as materialized (select {LOCK_LIMIT}), changed as (
            update project_doc
            set name = case when $2 then $3 else name end,
                description = case when $4 then $5 else description end,
                github_url = case when $6 then $7 else github_url end,
                github_folder_path = case when $8 then $9 else github_folder_path end,
                branch = case when $10 then $11 else branch end,
                -- The source moved: clear tree_id, so that the next sync compares everything.
                tree_id = case
                    when (not $6 or $7 = github_url)
                        and (not $8 or $9 is not distinct from github_folder_path)
                        and (not $10 or $11 is not distinct from branch)
                    then tree_id
                end,
                default_branch = case when not $6 or $7 = github_url then default_branch end,
                updated_at = now()
            from limits
            where id = $1
            returning {COLUMNS}
        ), moved as (
            -- Pushes to the old place are not awaited in the new one.
            update push
            set is_awaited = false
            from changed
            join project_doc as old using (id)
            where project_doc_id = changed.id and is_awaited
                and (old.github_url, old.branch)
                    is distinct from (changed.github_url, changed.branch)
        )
        select {SOURCE_JSON} as project_doc
        from changed as project_doc
        """,
        source_id,
        *change_arguments(data, INPUT_FIELDS),
        missing=MISSING_SOURCE,
    )
    return json_response(row["project_doc"])


@operation(
    tag="project docs",
    responses={200: SOURCE_RESPONSE},
    problems={"unavailable": BEING_CHANGED},
)
async def delete_project_doc(request: Request) -> Response:
    """Delete a documentation source.

    Deletes its documents, too. Returns the deleted source. While a sync writes documents of the
    source, the response is 503, and the source stays as it is; so it does where deleting all takes
    more than 60 s.
    """
    with deleting(request, TOO_LARGE) as database:
        row = await database.fetch_row_or_404(
            f"""
            with limits as materialized (select {LOCK_LIMIT}), held as materialized (
                select pg_advisory_xact_lock({source_lock("id")})
                from project_doc, limits
                where id = $1
            ), deleted as (
                delete from project_doc
                using held
                where id = $1
                returning {COLUMNS}
            )
            select {SOURCE_JSON} as project_doc
            from deleted as project_doc
            """,
            read_id(request, "id"),
            missing=MISSING_SOURCE,
        )
    return json_response(row["project_doc"])


def parse_source(request: Request, data: dict[str, Any]) -> dict[str, Any]:
    """Return `data` with its URL, folder and branch in the form that is stored.

    Raises the Problem `invalid` for a URL, a folder or a branch that git must not be given.
    """
    hosts = request.state["settings"].git_hosts
    parsers: dict[str, Callable[[str], str | None]] = {
        "github_url": lambda url: parse_repository_url(url, hosts),
        "github_folder_path": parse_folder,
        "branch": parse_branch,
    }
    parsed, errors = dict(data), dict[str, list[str]]()
    for name, parse in parsers.items():
        if name not in data:
            continue
        try:
            # An empty folder or branch is stored as null.
            parsed[name] = parse(data[name]) if data[name] else None
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise invalid(errors)
    return parsed
