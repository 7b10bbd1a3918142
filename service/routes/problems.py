"""The problems of a project's work: what its documents say differently, or not at all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from service.bmad.problem_kinds import PROBLEM_KINDS, SEVERITIES
from service.routes.board_sql import HAS_APPEARED, SOURCE, find_document
from service.routes.shared import (
    MISSING_PROJECT,
    TREE_PARAMETER,
    read_choice,
    read_id,
    read_tree,
)
from service.schemas.problems import EXAMPLE_WORK_PROBLEM, WorkProblemSchema
from service.web.bodies import invalid
from service.web.cursors import (
    SORTED_COLUMNS,
    SortedItems,
    SortedList,
    SortedPage,
    fetch_sorted,
    read_sorted_page,
    sorted_page_response,
)
from service.web.operation import operation, parameter
from service.web.paging import PAGE_PARAMETERS, page_spec
from service.web.query_string import read_query_string

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries
    from service.state import Request

PROBLEMS: Final = SortedList("problems", (0, 0, ""), 100)

PROBLEMS_RESPONSE: Final = replace(
    page_spec("The problems.", WorkProblemSchema, {"problems": [EXAMPLE_WORK_PROBLEM]}),
    parameters=(
        parameter(
            "kind", "query", "Only of this kind.", {"type": "string", "enum": [*PROBLEM_KINDS]}
        ),
        parameter(
            "severity",
            "query",
            "Only of this severity.",
            {"type": "string", "enum": [*SEVERITIES]},
        ),
        TREE_PARAMETER,
        *PAGE_PARAMETERS,
    ),
)


@operation(
    tag="progress",
    responses={200: PROBLEMS_RESPONSE},
    problems={"invalid": f"severity: must be one of {', '.join(SEVERITIES)}."},
)
async def list_problems(request: Request) -> Response:
    """List the problems of a project's work.

    Errors first, then warnings, then what is only for information; each of these source by source.
    Up to `limit`, which is 100 if it is not given.
    """
    project_id = read_id(request, "project_id")
    given = read_query_string(request)
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, PROBLEMS, problems)
    kind = read_choice(given, "kind", PROBLEM_KINDS, problems)
    severity = read_choice(given, "severity", SEVERITIES, problems)
    if problems:
        raise invalid(problems)
    items = await read_problems(
        request.state["database"],
        page,
        project_id,
        kind=kind,
        severity=severity,
        tree=read_tree(given),
    )
    return sorted_page_response(request, given, items)


async def read_problems(
    queries: Queries,
    page: SortedPage,
    project_id: UUID,
    *,
    kind: str | None = None,
    severity: str | None = None,
    tree: str | None = None,
) -> SortedItems:
    """Return a page of the list PROBLEMS of a project, as JSON: see WorkProblemSchema.

    Raises the Problem `not_found` without such a project.
    """
    return await fetch_sorted(
        queries,
        f"""
        select exists (select from project where id = $6) as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(rank, number, place)::text as cursor, (
                '{{"tree": null}}' || item || jsonb_build_object(
                    'document_id', {find_document("found.file_path")},
                    'source', {SOURCE}
                )
            )::text as item
            from (
                -- The place of a problem begins with the number of its severity, so that an index
                -- has the rows of each severity and source in order.
                select rank, number, place, source_id, source_name, file_path, item
                from (
                    select rank, rank - 1 || E'\\t' as first, rank || E'\\t' as last
                    from unnest($7::text[]) with ordinality as severities (severity, rank)
                    where rank >= $3::bigint and ($9::text is null or severity = $9)
                ) as severities
                cross join (
                    select number, id as source_id, name as source_name
                    from project_doc
                    where project_id = $6
                ) as source
                cross join lateral (
                    select place, file_path, item
                    from problem
                    where project_doc_id = source_id
                        and place > case
                            when rank = $3::bigint and number = $4::bigint
                                then greatest($5, first collate "C")
                            else first
                        end
                        and place < last
                        and {HAS_APPEARED}
                        and ($8::text is null or kind = $8)
                        and ($10::text is null or item ->> 'tree' = $10)
                    order by place
                    limit $1::bigint + 1
                ) as problem
                where (rank, number) >= ($3::bigint, $4::bigint)
                order by rank, number, place
                limit $1::bigint + 1
            ) as found
            order by rank, number, place
        ) as page
        """,
        page,
        MISSING_PROJECT,
        project_id,
        SEVERITIES,
        kind,
        severity,
        tree,
    )


async def count_problems(queries: Queries, project_id: UUID) -> dict[str, int]:
    """Return the number of a project's problems by severity, the most severe first."""
    rows = await queries.fetch(
        f"""
        select severity, count(*)
        from project_doc
        join problem on problem.project_doc_id = project_doc.id
        where project_id = $1 and {HAS_APPEARED}
        group by severity
        """,
        project_id,
    )
    counts = {row["severity"]: row["count"] for row in rows}
    return {severity: counts.get(severity, 0) for severity in SEVERITIES}


async def read_worst_problems(queries: Queries, project_id: UUID) -> list[str]:
    """Return the most severe problem of each kind of a project, as JSON, the worst kinds first.

    See WorkProblemSchema: they have no `document_id`, and `counts`, how many problems of the kind
    have each severity.
    """
    rows = await queries.fetch(
        f"""
        with found as (
            -- Without `item`, which would be sorted with the rows that are not shown.
            select array_position($2::text[], severity) as rank, number, place,
                   project_doc.id as source_id, name as source_name, kind, severity
            from project_doc
            join problem on problem.project_doc_id = project_doc.id
            where project_id = $1 and {HAS_APPEARED}
        ), counted as (
            select kind, jsonb_object_agg(severity, count) as counts
            from (select kind, severity, count(*) from found group by kind, severity) as by_severity
            group by kind
        ), worst as (
            select distinct on (kind) rank, kind, place, source_id, source_name
            from found
            order by kind, rank, number, place
        )
        select (
            '{{"tree": null}}' || item || jsonb_build_object('counts', counts, 'source', {SOURCE})
        )::text as item
        from worst
        join counted using (kind)
        join problem on project_doc_id = source_id and problem.place = worst.place
        order by rank, worst.kind
        """,
        project_id,
        SEVERITIES,
    )
    return [row["item"] for row in rows]
