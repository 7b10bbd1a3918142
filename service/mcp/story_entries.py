"""Stories for agents: the JSON of the routes as one line of Markdown, and as a shorter object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from service.mcp.answers import AnswerEntry
from service.mcp.places import shown_anchor, shown_path
from service.mcp.texts import clean_line, escape_line, write_path, write_time
from service.routes.epics import read_described

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from service.mcp.places import SourcePlaces
    from service.state import Request

MAX_ID_SHOWN: Final = 60  # characters
MAX_AWAITED: Final = 5

# The id of the source, the tree, and the id of the story.
_Key: TypeAlias = tuple[str, str, str]

# Of the object of each story.
STORY_PROPERTIES: Final = ("id", "title", "status", "path", "source", "url")


class Described(NamedTuple):
    """Where the document of an epic describes a story that has no file of its own."""

    path: str
    document_id: str
    anchor: str | None


async def make_stories(
    request: Request, places: SourcePlaces, stories: Iterable[Mapping[str, Any]]
) -> list[AnswerEntry]:
    """Return stories of StorySchema as entries.

    The object has no fields for what is not there: no gate, no tasks, nothing to wait for.
    """
    listed = [*stories]
    without_file = [_key_of(story) for story in listed if story["path"] is None and story["id"]]
    described: dict[_Key, Described] = {}
    if without_file:
        wanted = [(UUID(source), tree, story_id) for source, tree, story_id in without_file]
        for row in await read_described(request.state["database"], wanted):
            place = Described(row["path"], row["document_id"], shown_anchor(row["anchor"]))
            described[row["source_id"], row["tree"], row["id"]] = place
    return [_make_story(places, story, described.get(_key_of(story))) for story in listed]


def _key_of(story: Mapping[str, Any]) -> _Key:
    return story["source"]["id"], story["tree"] or "", story["id"]


def _make_story(
    places: SourcePlaces, story: Mapping[str, Any], described: Described | None
) -> AnswerEntry:
    source = places.sources.get(story["source"]["id"])
    path = None if story["path"] is None else shown_path(story["path"])
    # Without the anchor of its title: a file is one story, and where its other headings are of the
    # title's level, the section that the title begins is not the story.
    anchor = None
    whole_path, document_id = story["path"], story["document_id"]
    if path is None and described:
        anchor, whole_path, document_id = described.anchor, described.path, described.document_id
    awaited = [_name_awaited(each) for each in story["waits_for"][:MAX_AWAITED]]
    if len(story["waits_for"]) > MAX_AWAITED:
        awaited.append(f"and {len(story['waits_for']) - MAX_AWAITED} more")
    gate = None
    if story["gate"]:
        gate = clean_line(story["gate"]["decision"] or "unreadable", MAX_ID_SHOWN)
    item = {
        "id": clean_line(story["id"], MAX_ID_SHOWN),
        "title": clean_line(story["title"]),
        "status": story["status"],
        "kind": story["kind"],
        "epic": None if story["epic"] is None else clean_line(story["epic"], MAX_ID_SHOWN),
        "tree": clean_line(story["tree"] or ""),
        "is_ready": story["is_ready"],
        "is_archived": story["archived"],
        "criteria": story["acceptance_criteria_total"],
        "criteria_done": story["acceptance_criteria_done"],
        "tasks": story["tasks_total"],
        "tasks_done": story["tasks_done"],
        "open_findings": story["review_findings_open"],
        "gate": gate,
        "waits_for": awaited,
        "since": write_time(story["since"]),
        "document_id": document_id,
        "path": path,
        "described_in": shown_path(described.path) if path is None and described else None,
        "anchor": anchor,
        "source": places.label(story["source"]),
        "url": places.url(source, whole_path, anchor) if source else None,
    }
    item = {name: value for name, value in item.items() if name in STORY_PROPERTIES or value}
    if "tasks" in item:
        item["tasks_done"] = story["tasks_done"]
    return AnswerEntry(_write_story(item, places), item, story["source"]["id"])


def _name_awaited(awaited: Mapping[str, Any]) -> str:
    name = clean_line(awaited["id"], MAX_ID_SHOWN)
    return f"{name} ({awaited['status']})" if awaited["status"] else name


def _write_story(item: Mapping[str, Any], places: SourcePlaces) -> str:
    name = f"**{escape_line(item['id'])}** " if item["id"] else ""
    parts = [f"- {name}{escape_line(item['title'])}", item["status"]]
    if item["kind"] != "story":
        parts.append(item["kind"])
    if "epic" in item:
        parts.append(f"epic {escape_line(item['epic'])}")
    parts += [
        label
        for name, label in (("is_ready", "ready to start"), ("is_archived", "archived"))
        if name in item
    ]
    if "criteria" in item:
        done = f"{item['criteria_done']}/" if "criteria_done" in item else ""
        parts.append(f"criteria {done}{item['criteria']}")
    if "tasks" in item:
        parts.append(f"tasks {item['tasks_done']}/{item['tasks']}")
    if "open_findings" in item:
        parts.append(f"open findings {item['open_findings']}")
    if "gate" in item:
        parts.append(f"gate {escape_line(item['gate'])}")
    if "waits_for" in item:
        parts.append(f"waits for {', '.join(map(escape_line, item['waits_for']))}")
    if "since" in item:
        parts.append(f"since {item['since'][:10]}")
    if "tree" in item:
        parts.append(f"tree {write_path(item['tree'])}")
    if len(places.sources) > 1:
        parts.append(f"source {escape_line(item['source'])}")
    if item["path"] is None:
        parts.append("no file")
    if "described_in" in item:
        parts.append(f"described in {write_place(item['described_in'], item.get('anchor'))}")
    parts.append(write_place(item["path"], None))
    return " · ".join(part for part in parts if part)


def write_place(path: str | None, anchor: str | None) -> str:
    """Return a path with its anchor, for a line of Markdown; empty without a path."""
    if path is None:
        return ""
    return write_path(f"{path}#{anchor}" if anchor else path)
