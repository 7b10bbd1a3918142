"""Stories for agents: the JSON of the routes as one line of Markdown, and as a shorter object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.mcp.answers import AnswerEntry
from service.mcp.places import shown_anchor, shown_path
from service.mcp.texts import clean_line, escape_line, write_path, write_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.mcp.places import SourcePlaces

MAX_ID_SHOWN: Final = 60  # characters
MAX_AWAITED: Final = 5

# Of the object of each story.
STORY_PROPERTIES: Final = ("id", "title", "status", "path", "source", "url")


def make_story(places: SourcePlaces, story: Mapping[str, Any]) -> AnswerEntry:
    """Return a story of StorySchema as an entry.

    The object has no fields for what is not there: no gate, no tasks, nothing to wait for.
    """
    source = places.sources.get(story["source"]["id"])
    path, anchor = shown_path(story["path"]), shown_anchor(story["anchor"])
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
        "document_id": story["document_id"],
        "path": path,
        "anchor": anchor,
        "source": places.label(story["source"]),
        "url": places.url(source, story["path"], anchor) if source else None,
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
    parts.append(write_place(item["path"], item.get("anchor")))
    return " · ".join(part for part in parts if part)


def write_place(path: str | None, anchor: str | None) -> str:
    """Return a path with its anchor, for a line of Markdown; empty without a path."""
    if path is None:
        return ""
    return write_path(f"{path}#{anchor}" if anchor else path)
