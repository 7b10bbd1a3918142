"""Answers with lists: as many items as fit, how to read on, and the same as an object.

A client shows a model the text, or the object as JSON, as Claude Code and VS Code do where there is
one; both therefore hold all facts, and each of the two alone has the limit of ANSWER_TOKENS.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from service.mcp.places import read_places
from service.mcp.project_argument import find_named_project
from service.mcp.texts import clean_line, escape_line, write_call
from service.mcp.token_counts import estimate_tokens
from service.mcp.tool import ToolError, ToolResult
from service.web.cursors import read_sorted_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from service.mcp.places import SourcePlace, SourcePlaces
    from service.state import Request
    from service.web.cursors import SortedList, SortedPage

# Of the text, and of the object as JSON.
ANSWER_TOKENS: Final = 6_000
# For what is counted part by part, and joined: see estimate_tokens.
SPARE_TOKENS: Final = 200

BAD_TOOL_CURSOR: Final = (
    "cursor is not one that this tool gave for these arguments: leave it out to begin with the "
    "first page."
)


class AnswerEntry(NamedTuple):
    """An item: lines of Markdown, the same as an object, and the id of its source if it has one."""

    text: str
    item: Mapping[str, Any]
    source_id: str | None = None


class Listed(NamedTuple):
    """A page of entries, and the cursor of the next one, which is None without one."""

    entries: list[AnswerEntry]
    cursor: str | None


@dataclass
class ListAnswer:
    """An answer with a list.

    `head` are lines of Markdown before the sources, `fields` the same in the object. `name` is that
    of the list in the object, `tool` and `arguments` are those of the call, for the next one.
    `hint` says what to do next, `when_empty` what it means that there is no item.
    """

    places: SourcePlaces
    head: Sequence[str]
    fields: Mapping[str, Any]
    name: str
    tool: str
    arguments: Mapping[str, Any]
    hint: str
    when_empty: str
    names_sources: bool = True

    def count_fitting(self, entries: Sequence[AnswerEntry], cursor: str | None) -> int:
        """Return how many of the entries fit into an answer: at least one, if there is any."""
        empty = self.write([], cursor)
        text = estimate_tokens(empty.text)
        structured = _estimate_object(empty.structured)
        named: set[str] = set()
        for index, entry in enumerate(entries):
            text += estimate_tokens(entry.text) + 2
            structured += _estimate_object(entry.item) + 1
            source = self.places.sources.get(entry.source_id or "")
            if source is not None and source.id not in named:
                named.add(source.id)
                text += estimate_tokens(self._write_source(source)) + 1
                structured += _estimate_object(self.places.describe(source)) + 1
            if max(text, structured) > ANSWER_TOKENS - SPARE_TOKENS:
                return max(1, index)
        return len(entries)

    def write(self, entries: Sequence[AnswerEntry], cursor: str | None) -> ToolResult:
        """Return the answer with these entries; with a cursor it says how to read on."""
        ids = dict.fromkeys(entry.source_id for entry in entries if entry.source_id)
        sources = [self.places.sources[each] for each in ids if each in self.places.sources]
        if not entries:
            sources = self.places.of_project()
        read_on = None
        if cursor is not None:
            call = write_call(self.tool, **{**self.arguments, "cursor": cursor})
            read_on = f"There is more: {call}"
        lines = [*self.head, *map(self._write_source, sources)]
        if entries:
            lines += ["", *(entry.text for entry in entries)]
        else:
            lines += ["", self.when_empty]
        tail = [line for line in (read_on, self.hint if entries else self.when_empty) if line]
        lines += ["", *tail] if entries else []
        structured = {
            **self.fields,
            **self._describe_sources(sources),
            self.name: [entry.item for entry in entries],
            "next_cursor": cursor,
            "hint": " ".join(tail),
        }
        return ToolResult("\n".join(lines), structured)

    def _describe_sources(self, sources: Sequence[SourcePlace]) -> dict[str, Any]:
        if not self.names_sources:  # each item names its own
            return {}
        return {"sources": [self.places.describe(source) for source in sources]}

    def _write_source(self, source: SourcePlace) -> str:
        return self.places.write(source, with_project="project" not in self.fields)


async def write_fitting(
    answer: ListAnswer, limit: int, read: Callable[[int], Awaitable[Listed]]
) -> ToolResult:
    """Return the answer with a page of at most `limit` entries, or with fewer that fit.

    `read` returns the page of so many entries. It is read once more with fewer, for its cursor.
    """
    while True:
        listed = await read(limit)
        count = answer.count_fitting(listed.entries, listed.cursor)
        if count >= len(listed.entries):
            return answer.write(listed.entries, listed.cursor)
        limit = count


def page_of_all(entries: Sequence[AnswerEntry], start: int, limit: int) -> Listed:
    """Return a page of entries that are all there, from `start` on."""
    end = start + limit
    return Listed([*entries[start:end]], str(end) if end < len(entries) else None)


def read_offset(arguments: Mapping[str, Any], count: int) -> int:
    """Return where a page of `count` entries begins, as page_of_all has written the cursor."""
    cursor = arguments.get("cursor", "0")
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= 9):
        raise ToolError(BAD_TOOL_CURSOR)
    offset = int(cursor)
    if offset and offset >= count:
        raise ToolError(BAD_TOOL_CURSOR)
    return offset


def read_sorted_cursor(arguments: Mapping[str, Any], wanted: SortedList) -> SortedPage:
    """Return the page of a list of a route that the argument `cursor` asks for."""
    problems: dict[str, list[str]] = {}
    given = {"cursor": arguments["cursor"]} if "cursor" in arguments else {}
    page = read_sorted_page(given, wanted, problems)
    if problems:
        raise ToolError(BAD_TOOL_CURSOR)
    return page


async def open_project(
    request: Request, name: str
) -> tuple[Any, SourcePlaces, dict[str, Any], str]:
    """Return a project's row, its sources, and the project as an object and as a line."""
    row = await find_named_project(request.state["database"], name)
    places = await read_places(request, [row["id"]])
    url = places.project_url(row["id"])
    described = {"name": clean_line(row["name"]), "id": str(row["id"]), "url": url}
    return row, places, described, f"Project **{escape_line(row['name'])}**, {url}"


def _estimate_object(value: object) -> int:
    return estimate_tokens(orjson.dumps(value, default=str).decode())
