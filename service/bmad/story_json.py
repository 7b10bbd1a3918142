"""A story as the API shows it, without what the database adds."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from service.bmad.readings import Place
from service.bmad.waiting import Dependencies
from service.bmad.work_items import Said, WorkItem

# What the API calls a place where a status stands.
SOURCES: Final[Mapping[Place, str]] = {
    "front_matter": "front_matter",
    "text": "file",
    "tracker_status": "tracker_status",
    "sprint_status": "sprint_status",
    "plan": "plan",
}

# The counts of criteria, and those of tasks: the total comes first.
CRITERIA: Final = (
    "acceptance_criteria_total",
    "acceptance_criteria_done",
    "acceptance_criteria_items_total",
    "acceptance_criteria_items_done",
)
TASKS: Final = ("tasks_total", "tasks_done", "subtasks_total", "subtasks_done")


def show_story(item: WorkItem, dependencies: Dependencies) -> dict[str, Any]:
    """Return the JSON of a story, without what the database adds."""
    reading = item.reading
    texts = ("as_a", "i_want", "so_that")
    values: Mapping[str, Any] = reading or {}
    return {
        "tree": item.tree,
        "path": item.path,
        "anchor": reading["anchor"] if reading else None,
        "id": item.id,
        "epic": item.epic,
        "story": item.story,
        "title": item.title,
        "status": item.status,
        "status_evidence": _show_evidence(item),
        "is_built": item.is_built,
        "kind": item.kind,
        **{name: values.get(name) for name in texts},
        **_show_counts(item),
        "review_findings_open": sum(finding["is_open"] for _, finding in item.findings),
        "gate": _show_gate(item),
        "after": [each.name for each in dependencies.of(item)],
        "waits_for": [
            {
                "id": each.item.id if each.item else each.epic.id if each.epic else each.name,
                "title": each.item.title if each.item else each.epic.title if each.epic else "",
                "status": each.item.status if each.item else None,
                "path": each.item.path if each.item else None,
            }
            for each in dependencies.waits_for(item)
        ],
        "is_ready": dependencies.is_ready(item),
        "archived": item.is_archived,
    }


def _show_counts(item: WorkItem) -> dict[str, int | None]:
    """Return how many criteria and tasks there are: of the plan, and of the file where it has none.

    They are not added, since a plan says again what its ticket's file says.
    """
    documents: list[Mapping[str, Any]] = [
        each for each in (item.plan and item.plan.plan, item.reading) if each
    ]
    shown: dict[str, int | None] = dict.fromkeys((*CRITERIA, *TASKS), 0)
    shown["acceptance_criteria_done"] = None
    for names in (CRITERIA, TASKS):
        found = next((each for each in documents if each[names[0]]), None)
        if found is not None:
            shown |= {name: found[name] for name in names}
    return shown


def _show_evidence(item: WorkItem) -> list[dict[str, Any]]:
    said = item.said
    shown = show_said(said)
    if item.entry and not said:
        # An entry without a file is planned: the tracker names it, and has no word for that.
        entry = item.entry
        evidence = {"path": entry.path, "line": entry.entry["line"], "decides": True}
        shown.append({"source": "tickets", "status": item.status, "word": "", **evidence})
    shown += [
        {
            "source": "gate",
            "status": None,
            "word": gate["word"],
            "path": path,
            "line": gate["line"],
            "decides": False,
        }
        for path, gate in item.gates
    ]
    return shown


def show_said(said: Iterable[Said]) -> list[dict[str, Any]]:
    """Return the JSON of what documents say of a status; the first one decides."""
    return [
        {
            "source": SOURCES[word["place"]],
            "status": word["status"],
            "word": word["word"],
            "path": path,
            "line": word["line"],
            "decides": not number,
        }
        for number, (path, word) in enumerate(said)
    ]


def _show_gate(item: WorkItem) -> dict[str, Any] | None:
    if not item.gates:
        return None
    path, gate = item.gates[0]
    fields = ("decision", "score", "reviewer", "updated", "expires")
    values: Mapping[str, Any] = gate
    document = {"path": path, "line": gate["line"]}
    return {**{name: values[name] for name in fields}, "document": document}
