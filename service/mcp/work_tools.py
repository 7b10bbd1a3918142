"""The tools `list_stories` and `next`: the stories of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from service.bmad.identity import fold_id
from service.bmad.readings import MAX_ID, STATUSES
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
from service.mcp.project_argument import PROJECT
from service.mcp.schema_parts import (
    CURSOR,
    make_arguments,
    make_limit,
    make_list,
)
from service.mcp.story_entries import STORY_PROPERTIES, make_stories
from service.mcp.texts import write_call
from service.mcp.tool import Tool, ToolResult
from service.routes.stories import STORIES, read_next, read_stories
from service.web.cursors import next_cursor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from service.state import Request

DEFAULT_STORIES: Final = 20
MAX_STORIES: Final = 100
NEXT_LISTS: Final = {
    "ready": "ready to start",
    "in_progress": "in progress or in review",
    "blocked": "blocked, or waiting for others",
    "to_prepare": "drafts to prepare",
}
# The status that most stories of a list have, and those of no other list.
STATUS_OF_LIST: Final = {"to_prepare": "draft"}
NONE_FITS: Final = (
    "No story fits: leave out status or epic. progress(project) lists the ids of epics, and how "
    "many stories each has by status."
)
# Most stories that wait say so by what they depend on, not by their status.
NONE_BLOCKED: Final = (
    "No story says that it is blocked. Those that wait for other stories have another status: {}."
)
READ_STORY: Final = (
    "Read one with read_document(project, path). Where sources share a path, put the source before "
    "it: path=SOURCE/PATH."
)


async def list_stories(request: Request, arguments: Mapping[str, Any]) -> ToolResult:
    """Return a page of the stories of a project, by status and epic."""
    project, places, described, line = await open_project(request, arguments["project"])
    page = read_sorted_cursor(arguments, STORIES)
    status, epic = arguments.get("status"), arguments.get("epic")
    wanted = {name: arguments[name] for name in ("status", "epic") if name in arguments}
    filters = "".join(f", {name} {orjson.dumps(value).decode()}" for name, value in wanted.items())

    async def read(limit: int) -> Listed:
        items = await read_stories(
            request.state["database"],
            page._replace(limit=limit),
            project["id"],
            status=status,
            epic=None if epic is None else fold_id(epic),
        )
        entries = await make_stories(request, places, map(orjson.loads, items.texts))
        return Listed(entries, next_cursor(items))

    is_all = not wanted and "cursor" not in arguments
    when_empty = "The project has no stories." if is_all else NONE_FITS
    if status == "blocked":
        waiting = write_call("next", project=arguments["project"], list="blocked")
        when_empty = NONE_BLOCKED.format(waiting)
    answer = ListAnswer(
        places,
        head=[f"Stories{filters} in build order. {line}"],
        fields={"project": described},
        name="stories",
        tool="list_stories",
        arguments=arguments,
        hint=READ_STORY,
        when_empty=when_empty,
    )
    return await write_fitting(answer, arguments.get("limit", DEFAULT_STORIES), read)


async def get_next(request: Request, arguments: Mapping[str, Any]) -> ToolResult:
    """Return which stories of a project can start, are under way, are blocked, or are drafts."""
    project, places, described, line = await open_project(request, arguments["project"])
    found = orjson.loads(await read_next(request.state["database"], project["id"]))
    totals: dict[str, int] = found["totals"]
    wanted = [arguments["list"]] if "list" in arguments else [*NEXT_LISTS]
    entries = [
        entry._replace(item={"list": name, **entry.item})
        for name in wanted
        for entry in await make_stories(request, places, found[name])
    ]
    start = read_offset(arguments, len(entries))

    async def read(limit: int) -> Listed:
        listed = page_of_all(entries, start, limit)
        return listed._replace(entries=_add_headings(listed.entries))

    unlisted = _count_unlisted(arguments["project"], found, wanted, totals)
    counted = ", ".join(f"{totals[name]:,} {label}" for name, label in NEXT_LISTS.items())
    answer = ListAnswer(
        places,
        head=[f"What comes next: {counted}. {line}"],
        fields={"project": described, "totals": totals},
        name="stories",
        tool="next",
        arguments=arguments,
        hint=" ".join([*unlisted, READ_STORY]),
        when_empty=" ".join([_say_empty(wanted), *unlisted]),
    )
    return await write_fitting(answer, MAX_STORIES, read)


def _add_headings(entries: list[AnswerEntry]) -> list[AnswerEntry]:
    """Return the entries, of which the first of each list has its heading in the text."""
    headed: list[AnswerEntry] = []
    last = None
    for entry in entries:
        name = entry.item["list"]
        text = entry.text if name == last else f"{NEXT_LISTS[name].capitalize()}:\n{entry.text}"
        headed.append(entry._replace(text=text))
        last = name
    return headed


def _say_empty(wanted: Sequence[str]) -> str:
    if len(wanted) > 1:
        return "No story waits to be done."
    return f"No story is {NEXT_LISTS[wanted[0]]}."


def _count_unlisted(
    project: str, found: Mapping[str, Any], wanted: Iterable[str], totals: Mapping[str, int]
) -> list[str]:
    """Return a sentence for each kind of stories that `found` counts and does not list."""
    told: list[str] = []
    for name in wanted:
        shown, total = len(found[name]), totals[name]
        if shown < total:
            call = write_call("list_stories", project=project, status=STATUS_OF_LIST.get(name))
            counted = f"{shown} of {total:,} {NEXT_LISTS[name]}"
            told.append(f"Only the first {counted} are here: more with {call}.")
    if totals["unknown"]:
        call = write_call("list_stories", project=project, status="unknown")
        told.append(f"{totals['unknown']:,} have an unknown status: {call}.")
    return told


LIST_STORIES: Final = Tool(
    name="list_stories",
    title="List stories",
    description=(
        "A project's stories in build order, with status, epic, tasks, gate, what they wait for, "
        "and path. Use `next` to choose what to work on."
    ),
    input_schema=make_arguments(
        {
            "project": PROJECT,
            "status": {"type": "string", "enum": [*STATUSES]},
            "epic": {
                "type": "string",
                "maxLength": MAX_ID,
                "description": 'An epic\'s id such as "2"; "" for stories without one.',
            },
            "limit": make_limit(DEFAULT_STORIES, MAX_STORIES),
            "cursor": CURSOR,
        },
        ["project"],
    ),
    output_schema=make_list("stories", STORY_PROPERTIES, ["project"]),
    run=list_stories,
)
NEXT: Final = Tool(
    name="next",
    title="What comes next",
    description=(
        "Which stories of a project can start now, which are under way or blocked and by what, and "
        "which drafts to prepare. Begin here to choose work, then read_document."
    ),
    input_schema=make_arguments(
        {
            "project": PROJECT,
            "list": {
                "type": "string",
                "enum": [*NEXT_LISTS],
                "description": "Only these; all by default.",
            },
            "cursor": CURSOR,
        },
        ["project"],
    ),
    output_schema=make_list("stories", ["list", *STORY_PROPERTIES], ["project", "totals"]),
    run=get_next,
)
