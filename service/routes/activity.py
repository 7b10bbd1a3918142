"""What each run of a project's sources changed: as JSON, and as a feed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import orjson

from service.drawing.feed import FeedEntry, entry_id, write_feed
from service.problems import Problem
from service.routes.board_sql import ACTIVITY
from service.routes.shared import MISSING_PROJECT, UUID_TEXT, name_status, read_id
from service.schemas.activity import EXAMPLE_ACTIVITY, EXAMPLE_FEED, ActivitySchema
from service.sync.activity import MAX_LISTED
from service.web.bodies import invalid
from service.web.cursors import (
    MAX_NUMBER,
    SORTED_COLUMNS,
    SortedItems,
    SortedList,
    SortedPage,
    fetch_sorted,
    read_sorted_page,
    sorted_page_response,
)
from service.web.entity_tags import CACHED, NOT_MODIFIED_RESPONSE, tagged_response
from service.web.media_types import choose_media_type
from service.web.operation import ResponseSpec, operation
from service.web.paging import BAD_CURSOR, page_spec
from service.web.query_string import read_query_string
from service.web.references import absolute_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    from starlette.responses import Response

    from service.database.database import Queries, Row
    from service.state import Request

# Sorts after the id of every run, in lower case.
AFTER_EVERY_ID: Final = "g"

RUNS: Final = SortedList("activity", (MAX_NUMBER, AFTER_EVERY_ID), 20)

ATOM: Final = "application/atom+xml"
VARY: Final = {"Vary": "Accept"}

# Of a feed, and of an entry its documents and statuses: it names the first of them.
FEED_RUNS: Final = 50
NAMED: Final = 20
CHANGES: Final = ("added", "changed", "moved", "removed")

ACTIVITY_RESPONSE: Final = replace(
    page_spec("What runs changed.", ActivitySchema, {"activity": [EXAMPLE_ACTIVITY]}),
    others={ATOM: EXAMPLE_FEED},
)
FEED_RESPONSE: Final = ResponseSpec(
    description="The feed.",
    schema={"type": "string"},
    media_type=ATOM,
    headers={"ETag": "Identifies the feed's state.", "Cache-Control": CACHED},
    examples={"feed": EXAMPLE_FEED},
)


@operation(tag="progress", responses={200: ACTIVITY_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def list_activity(request: Request) -> Response:
    """List what changed in a project, run by run.

    Newest first: up to `limit`, which is 20 if it is not given. Runs that changed nothing are not
    there. The service keeps 100 of each source. With `Accept: application/atom+xml` the response is
    the feed.
    """
    accept = request.headers.get("accept", "")
    if choose_media_type(accept, ("application/json", ATOM)) == ATOM:
        return await _respond_feed(request, VARY)
    given = read_query_string(request)
    project_id = read_id(request, "project_id")
    items = await read_activity(request.state["database"], read_runs_page(given), project_id)
    response = sorted_page_response(request, given, items)
    response.headers.update(VARY)
    return response


@operation(tag="progress", responses={200: FEED_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_activity_feed(request: Request) -> Response:
    """Get what changed in a project, as an Atom feed.

    The last 50 runs that changed something, newest first. An entry names up to 20 documents and 20
    stories, and leads to its run.
    """
    return await _respond_feed(request, {})


def read_runs_page(given: Mapping[str, str]) -> SortedPage:
    """Return the page of the list RUNS that a query string asks for; raise Problem `invalid`."""
    problems: dict[str, list[str]] = {}
    page = read_sorted_page(given, RUNS, problems)
    run_id = str(page.after[1])
    if run_id != AFTER_EVERY_ID and not UUID_TEXT.fullmatch(run_id):  # made by hand
        problems["cursor"] = [BAD_CURSOR]
    if problems:
        raise invalid(problems)
    return page


async def read_activity(queries: Queries, page: SortedPage, project_id: UUID) -> SortedItems:
    """Return a page of the list RUNS of a project, as JSON: see ActivitySchema.

    Raises the Problem `not_found` without such a project.
    """
    return await fetch_sorted(
        queries,
        f"""
        select exists (select from project where id = $5) as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(microseconds, run_id)::text as cursor, {ACTIVITY}::text as item
            from (
                select *
                from (
                    select source.id as source_id, source.name as source_name, activity.*,
                           (extract(epoch from at) * 1000000)::bigint as microseconds
                    from project_doc as source
                    join activity on activity.project_doc_id = source.id
                    where source.project_id = $5
                ) as activity
                where (microseconds, run_id::text collate "C") < ($3::bigint, $4)
                order by microseconds desc, run_id::text collate "C" desc
                limit $1::bigint + 1
            ) as found
            order by microseconds desc, run_id::text collate "C" desc
        ) as page
        """,
        page,
        MISSING_PROJECT,
        project_id,
    )


async def _respond_feed(request: Request, headers: Mapping[str, str]) -> Response:
    project_id = read_id(request, "project_id")
    rows = await request.state["database"].fetch(
        """
        select project.name, project.created_at, source.id as source_id,
               source.name as source_name, run_id, at, commit_id, added, changed, moved, removed,
               stories_total, stories_new, stories_gone,
               jsonb_path_query_array(documents, '$[0 to $last]', named)::text as documents,
               jsonb_path_query_array(statuses, '$[0 to $last]', named)::text as statuses
        from project
        left join (
            project_doc as source join activity on activity.project_doc_id = source.id
        ) on source.project_id = project.id
        cross join jsonb_build_object('last', $3::bigint - 1) as named
        cross join lateral (
            select count(*) as stories_total,
                   count(*) filter (where story ->> 'from' is null) as stories_new,
                   count(*) filter (where story ->> 'to' is null) as stories_gone
            from jsonb_array_elements(statuses) as story
        ) as counted
        where project.id = $1
        order by at desc, run_id desc
        limit $2
        """,
        project_id,
        FEED_RUNS,
        NAMED,
    )
    if not rows:
        raise Problem("not_found", MISSING_PROJECT)
    first = rows[0]
    runs = [row for row in rows if row["run_id"] is not None]
    feed = write_feed(
        project_id.urn,
        f"{first['name']}: activity",
        absolute_url(request.scope, f"/api/projects/{project_id}/activity.atom"),
        runs[0]["at"] if runs else first["created_at"],
        [_make_entry(request, project_id, row) for row in runs],
        author=first["name"],
    )
    return tagged_response(request, feed, ATOM, headers)


def _make_entry(request: Request, project_id: UUID, row: Row) -> FeedEntry:
    stories = [describe_story(story) for story in orjson.loads(row["statuses"])]
    documents = [_describe_document(document) for document in orjson.loads(row["documents"])]
    new, gone = row["stories_new"], row["stories_gone"]
    counts = describe_counts(row, row["stories_total"] - new - gone, new, gone)
    path = f"/api/project-docs/{row['source_id']}/syncs/{row['run_id']}"
    return FeedEntry(
        entry_id(project_id, str(row["run_id"])),
        f"{row['source_name']}: {counts}",
        row["at"],
        absolute_url(request.scope, path),
        "; ".join(stories or documents),
        "\n".join([f"commit {row['commit_id']}", *stories, *documents]),
    )


def describe_counts(documents: Mapping[str, int] | Row, changed: int, new: int, gone: int) -> str:
    """Return how many documents a run changed, and how many of the stories that its row lists."""
    counts = {
        "documents": {name: documents[name] for name in CHANGES},
        "stories": {"of another status": changed, "new": new, "gone": gone},
    }
    shown = (
        (subject, [f"{number:,} {name}" for name, number in numbers.items() if number])
        for subject, numbers in counts.items()
    )
    text = "; ".join(f"{subject}: {', '.join(parts)}" for subject, parts in shown if parts)
    # The row lists no more: there may be others of the last kind, and of those after it.
    return f"{text} or more" if changed + new + gone == MAX_LISTED else text


def describe_story(story: Mapping[str, str | None]) -> str:
    """Return what happened to a story, as in "1.2 Sign in: in progress → done"."""
    name = f"{story['id']} {story['title']}".strip()
    return f"{name}: {describe_change(story)}"


def describe_change(story: Mapping[str, str | None]) -> str:
    """Return what happened to a story without its name, as in "in progress → done"."""
    before, after = (status and name_status(status) for status in (story["from"], story["to"]))
    if before is None:
        return f"new, {after}"
    if after is None:
        return f"gone, was {before}"
    return f"{before} → {after}"


def _describe_document(document: Mapping[str, str | None]) -> str:
    old = document.get("from")
    path = document["path"] if old is None else f"{old} → {document['path']}"
    return f"{document['change']}: {path}"
