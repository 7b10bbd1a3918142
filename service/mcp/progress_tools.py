"""The tools `progress` and `list_problems`: how far a project is, and what is wrong."""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any, Final

import orjson

from service.bmad.problem_kinds import SEVERITIES
from service.bmad.readings import STATUSES
from service.documents.text import anchor_of_line, anchor_of_problem
from service.mcp.answers import (
    AnswerEntry,
    ListAnswer,
    Listed,
    open_project,
    page_of_all,
    read_offset,
    read_sorted_cursor,
    write_fitting,
)
from service.mcp.places import SourcePlaces, shown_anchor, shown_path
from service.mcp.project_argument import PROJECT
from service.mcp.schema_parts import (
    CURSOR,
    make_arguments,
    make_limit,
    make_list,
)
from service.mcp.story_entries import MAX_ID_SHOWN, write_place
from service.mcp.texts import clean_line, escape_line, write_path, write_time
from service.mcp.tool import Tool, ToolResult
from service.routes.problems import PROBLEMS, count_problems, read_problems
from service.routes.progress import read_progress
from service.web.cursors import next_cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.state import Request

EPICS_AT_ONCE: Final = 50
DEFAULT_PROBLEMS: Final = 20
MAX_PROBLEMS: Final = 100
MAX_DETAIL: Final = 300  # characters
CHANGES_SHOWN: Final = 10


async def get_progress(request: Request, arguments: Mapping[str, Any]) -> ToolResult:
    """Return how far a project is: its stories by status, by epic and by week."""
    project, places, described, line = await open_project(request, arguments["project"])
    found = orjson.loads(await read_progress(request.state["database"], project["id"]))
    entries = [_make_epic(places, epic) for epic in found["by_epic"]]
    start = read_offset(arguments, len(entries))

    async def read(limit: int) -> Listed:
        return page_of_all(entries, start, limit)

    totals: Mapping[str, Any] = found["totals"]
    head = [
        (
            f"Progress: {totals['done']:,} of "
            f"{totals['stories'] - found['by_status']['cancelled']:,} stories are done"
            f"{_write_share(totals['share_done'])}. {line}"
        ),
        f"By status: {_write_counts(found['by_status'])}.",
    ]
    fields: dict[str, Any] = {
        "project": described,
        "totals": totals,
        "by_status": found["by_status"],
        "epics_total": found["epics_total"],
    }
    if not start:
        if found["velocity"]:
            weeks = ", ".join(f"{week['week']}: {week['done']}" for week in found["velocity"])
            head.append(f"Stories done in the weeks from: {weeks}.")
        fields |= {"velocity": found["velocity"], "last_changes": None}
        if found["last_changes"]:
            fields["last_changes"], told = _describe_changes(places, found["last_changes"])
            head.append(told)
    answer = ListAnswer(
        places,
        head=[*head, f"Epics: {found['epics_total']:,}."],
        fields=fields,
        name="epics",
        tool="progress",
        arguments=arguments,
        hint=_count_unlisted(len(found["by_epic"]), found["epics_total"])
        + "Go on with next(project), list_stories(project, epic) or list_problems(project).",
        when_empty="The project has no epics and no stories.",
    )
    return await write_fitting(answer, EPICS_AT_ONCE, read)


def _count_unlisted(shown: int, total: int) -> str:
    if total <= shown:
        return ""
    return f"Of {total:,} epics the first {shown:,} are here. "


def _make_epic(places: SourcePlaces, epic: Mapping[str, Any]) -> AnswerEntry:
    counts = {name: count for name, count in epic["stories_by_status"].items() if count}
    item: dict[str, Any] = {
        "id": None if epic["id"] is None else clean_line(epic["id"], MAX_ID_SHOWN),
        "title": None if epic["title"] is None else clean_line(epic["title"]),
        "stories": epic["stories_total"],
        "done": epic["stories_by_status"]["done"],
        "by_status": counts,
        "source": places.label(epic["source"]),
    }
    if epic["path"] is not None:
        item |= {"path": shown_path(epic["path"]), "anchor": shown_anchor(epic["anchor"])}
        if source := places.sources.get(epic["source"]["id"]):
            anchor = item["anchor"] or anchor_of_line(epic["path"], epic["line"])
            item["url"] = places.url(source, epic["path"], anchor)
    if epic["tree"]:
        item["tree"] = clean_line(epic["tree"])
    to_do = item["stories"] - counts.get("cancelled", 0)
    name = "Stories without an epic"
    if item["id"] is not None:
        name = f"**{escape_line(item['id'])}** {escape_line(item['title'] or '')}"
    parts = [
        f"- {name}",
        f"{item['done']}/{to_do} done{_write_share(epic['share_done'])}",
        _write_counts(counts),
        write_place(item.get("path"), item.get("anchor")),
        f"tree {write_path(item['tree'])}" if "tree" in item else "",
        f"source {escape_line(item['source'])}" if len(places.sources) > 1 else "",
    ]
    return AnswerEntry(" · ".join(part for part in parts if part), item, epic["source"]["id"])


def _write_share(share: float | None) -> str:
    """Return a share of the stories that are not cancelled, rounded down: 100% is all."""
    return "" if share is None else f" ({floor(share * 100 + 1e-9)}%)"


def _write_counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {counts[name]:,}" for name in STATUSES if counts.get(name))


def _describe_changes(
    places: SourcePlaces, changes: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """Return what the last run that changed something changed, as an object and as a line."""
    statuses = [
        {
            "id": clean_line(each["id"], MAX_ID_SHOWN),
            "from": each["from"],
            "to": each["to"],
        }
        for each in changes["statuses"][:CHANGES_SHOWN]
    ]
    documents = [
        {"change": each["change"], "path": shown_path(each["path"])}
        for each in changes["documents"][:CHANGES_SHOWN]
    ]
    counts = {name: changes[name] for name in ("added", "changed", "moved", "removed")}
    source = places.label(changes["source"])
    described = {
        "at": write_time(changes["at"]),
        "commit": changes["commit_id"],
        "source": source,
        **counts,
        "documents": documents,
        "statuses": statuses,
    }
    paths = ", ".join(f"{each['change']} {write_path(each['path'])}" for each in documents)
    told = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    statuses_left = len(changes["statuses"]) - len(statuses)
    moved = "".join(
        f"; {escape_line(each['id'])} {each['from'] or 'new'} → {each['to'] or 'gone'}"
        for each in statuses
    )
    if statuses_left:
        moved += f"; and {statuses_left:,} more stories"
    if paths:
        told += f" ({paths}{', …' if sum(counts.values()) > len(documents) else ''})"
    where = f" of source {escape_line(source)}" if len(places.sources) > 1 else ""
    told = f"Last changes{where} at {described['at']}: documents {told or 'none'}{moved}."
    return described, told


async def list_problems(request: Request, arguments: Mapping[str, Any]) -> ToolResult:
    """Return a page of the problems of a project's work, the most severe first."""
    project, places, described, line = await open_project(request, arguments["project"])
    database = request.state["database"]
    page = read_sorted_cursor(arguments, PROBLEMS)
    counts = await count_problems(database, project["id"])

    async def read(limit: int) -> Listed:
        items = await read_problems(
            database,
            page._replace(limit=limit),
            project["id"],
            severity=arguments.get("severity"),
        )
        entries = [_make_problem(places, orjson.loads(text)) for text in items.texts]
        return Listed(entries, next_cursor(items))

    only = f" of severity {arguments['severity']}" if "severity" in arguments else ""
    counted = ", ".join(f"{count:,} {severity}" for severity, count in counts.items())
    answer = ListAnswer(
        places,
        head=[f"Problems{only}, the most severe first; in all {counted}. {line}"],
        fields={"project": described, "counts": counts},
        name="problems",
        tool="list_problems",
        arguments=arguments,
        hint="A problem is mended in the repository, at its path and line; read_document shows it.",
        when_empty="There are no such problems (any more).",
    )
    return await write_fitting(answer, arguments.get("limit", DEFAULT_PROBLEMS), read)


def _make_problem(places: SourcePlaces, problem: Mapping[str, Any]) -> AnswerEntry:
    source = places.sources.get(problem["source"]["id"])
    path = None if problem["path"] is None else shown_path(problem["path"])
    anchor = anchor_of_problem(problem["path"], problem["line"])
    item: dict[str, Any] = {
        "severity": problem["severity"],
        "kind": problem["kind"],
        "detail": clean_line(problem["detail"], MAX_DETAIL),
        "path": path,
        "line": problem["line"],
        "document_id": problem["document_id"],
        "source": places.label(problem["source"]),
        "url": places.url(source, problem["path"], anchor) if source else None,
    }
    if problem["tree"]:
        item["tree"] = clean_line(problem["tree"])
    where = write_place(path, None)
    if where and item["line"]:
        where += f" line {item['line']}"
    parts = [
        f"- {item['severity']} {item['kind']}: {escape_line(item['detail'], MAX_DETAIL)}",
        where,
        f"source {escape_line(item['source'])}" if len(places.sources) > 1 else "",
    ]
    return AnswerEntry(" · ".join(part for part in parts if part), item, problem["source"]["id"])


PROGRESS: Final = Tool(
    name="progress",
    title="Progress of a project",
    description=(
        "How far a project is: stories by status, by epic and by week, and what the last push "
        "changed. Use it for reports; use `next` to choose work."
    ),
    input_schema=make_arguments({"project": PROJECT, "cursor": CURSOR}, ["project"]),
    output_schema=make_list(
        "epics", ["id", "title", "stories", "done"], ["project", "totals", "by_status"]
    ),
    run=get_progress,
)
LIST_PROBLEMS: Final = Tool(
    name="list_problems",
    title="List problems",
    description=(
        "What a project's documents contradict or lack: conflicting statuses, failed gates, broken "
        "links, missing stories, each with path and line. Use it to check or repair the plan."
    ),
    input_schema=make_arguments(
        {
            "project": PROJECT,
            "severity": {"type": "string", "enum": [*SEVERITIES]},
            "limit": make_limit(DEFAULT_PROBLEMS, MAX_PROBLEMS),
            "cursor": CURSOR,
        },
        ["project"],
    ),
    output_schema=make_list(
        "problems",
        ["severity", "kind", "detail", "path", "line", "source", "url"],
        ["project", "counts"],
    ),
    run=list_problems,
)
