"""Badges that show in a README how far a project is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.bmad.problem_kinds import name_count
from service.database.errors import DatabaseUnavailable, log_unavailable
from service.drawing.badge import draw_badge
from service.routes.board_sql import JOIN_APPEARED, STORY_FIGURES, SUM_PROBLEMS, SUM_SOURCES
from service.routes.shared import MISSING_PROJECT, read_id
from service.web.entity_tags import CACHED, NOT_MODIFIED_RESPONSE, tagged_response
from service.web.operation import ResponseSpec, operation, parameter

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries, Row
    from service.drawing.badge import BadgeColor
    from service.state import Request

SVG: Final = "image/svg+xml"

# Of the wait for a connection, and of the statement. Image proxies give up after a few seconds, and
# show what they kept, or a broken image.
BADGE_SECONDS: Final = 1.5

# The worst comes first.
DECISIONS: Final[dict[str, BadgeColor]] = {
    "FAIL": "red",
    "CONCERNS": "yellow",
    "WAIVED": "blue",
    "PASS": "brightgreen",
}

# The colour of a share in percent, by the lowest share that has it.
SHARE_COLORS: Final[dict[int, BadgeColor]] = {
    100: "brightgreen",
    75: "green",
    40: "yellow",
    0: "orange",
}


class Badge(NamedTuple):
    """What a badge says."""

    label: str
    message: str
    color: BadgeColor


def _show_done(row: Row) -> Badge:
    percent = _percent_done(row)
    if percent is None:
        return Badge("stories done", "no stories", "lightgrey")
    return Badge("stories done", f"{percent}%", _share_color(percent))


def _show_stories(row: Row) -> Badge:
    percent = _percent_done(row)
    if percent is None:
        return Badge("stories", "no stories", "lightgrey")
    message = f"{row['done']:,} of {row['counted']:,} done"
    return Badge("stories", message, "brightgreen" if percent == 100 else "blue")


def _show_problems(row: Row) -> Badge:
    counts: dict[str, tuple[int, BadgeColor]] = {
        "error": (row["errors"], "red"),
        "warning": (row["warnings"], "yellow"),
        "info": (row["infos"], "green"),
    }
    found = {name: shown for name, shown in counts.items() if shown[0]}
    if not found:
        return Badge("problems", "none", "brightgreen")
    (name, (count, color)), *_ = found.items()
    return Badge("problems", name_count(count, name), color)


def _show_gate(row: Row) -> Badge:
    worst: str | None = row["worst"]
    if worst is None:
        return Badge("QA gate", "no gate", "lightgrey")
    return Badge("QA gate", worst, DECISIONS[worst])


METRICS: Final[dict[str, Callable[[Row], Badge]]] = {
    "done": _show_done,
    "stories": _show_stories,
    "problems": _show_problems,
    "gate": _show_gate,
}


@operation(
    tag="progress",
    responses={
        200: ResponseSpec(
            description="The badge; a grey one where nothing can be said, as of a metric that the "
            "service does not know, or while the database cannot be used.",
            schema={"type": "string"},
            media_type=SVG,
            headers={"ETag": "Identifies the badge's state.", "Cache-Control": CACHED},
            examples={"badge": draw_badge("stories done", "50%", "yellow")},
            parameters=(
                parameter(
                    "metric",
                    "query",
                    f"What it shows: {', '.join(METRICS)}; if not given, done.",
                    example="done",
                ),
            ),
        ),
        304: NOT_MODIFIED_RESPONSE,
    },
)
async def get_badge(request: Request) -> Response:
    """Get a badge for a README, as SVG.

    `done` is the share of stories that are done, `stories` their number, `problems` the number of
    the most severe ones, `gate` the worst decision of QA. Archived stories count nowhere, cancelled
    ones not among those to do.
    """
    metric = request.query_params.get("metric", "done")
    project_id = read_id(request, "project_id")
    database = request.state["database"]
    try:
        async with database.connection(BADGE_SECONDS, BADGE_SECONDS) as connection:
            badge = _choose_badge(metric, await _read_figures(connection, project_id, metric))
    except DatabaseUnavailable as error:
        # Image proxies keep a 503.
        log_unavailable(error)
        badge = Badge("BMADFlow", "not available", "lightgrey")
    return tagged_response(request, draw_badge(*badge), SVG)


async def _read_figures(queries: Queries, project_id: UUID, metric: str) -> Row:
    """Return what the badges of a project show; raise `not_found` without such a project."""
    return await queries.fetch_row_or_404(
        f"""
        select synced,
               coalesce(errors, 0) as errors, coalesce(warnings, 0) as warnings,
               coalesce(infos, 0) as infos,
               coalesce(done, 0)::bigint as done,
               (figures ->> 'stories_total')::bigint - coalesce(cancelled, 0)::bigint as counted,
               case when $2 then (
                   select ($3::text[])[min(rank)]
                   from project_doc
                   join story on story.project_doc_id = project_doc.id
                   cross join array_position($3, item -> 'gate' ->> 'decision') as rank
                   where project_id = $1 and not is_archived
               ) end as worst
        from project
        cross join lateral (
            select *, {STORY_FIGURES} as figures
            from (
                select count(source_progress.project_doc_id) as synced, {SUM_SOURCES},
                       {SUM_PROBLEMS}
                from project_doc
                left join source_progress on project_doc_id = project_doc.id
                {JOIN_APPEARED}
                where project_id = $1
            ) as summed
        ) as counted
        where id = $1
        """,
        project_id,
        metric == "gate",
        [*DECISIONS],
        missing=MISSING_PROJECT,
    )


def _choose_badge(metric: str, row: Row) -> Badge:
    if metric not in METRICS:
        return Badge("BMADFlow", "unknown metric", "lightgrey")
    badge = METRICS[metric](row)
    return badge if row["synced"] else badge._replace(message="not synced", color="lightgrey")


def _percent_done(row: Row) -> int | None:
    """Return the done share in percent, rounded down; None without stories to do."""
    return row["done"] * 100 // row["counted"] if row["counted"] else None


def _share_color(percent: int) -> BadgeColor:
    return next(color for lowest, color in SHARE_COLORS.items() if percent >= lowest)
