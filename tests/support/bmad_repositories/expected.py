"""What the API should say of the work of a repository: whole stories, epics and problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from service.bmad.readings import STATUSES

if TYPE_CHECKING:
    from service.bmad.problem_kinds import ProblemKind


class Expected(NamedTuple):
    """All that the lists have after the last commit, in order, but for ids and the source.

    `next` has the paths of stories, or else their ids, by list.
    """

    stories: Sequence[dict[str, Any]]
    epics: Sequence[dict[str, Any]]
    problems: Sequence[dict[str, Any]]
    next: Mapping[str, Sequence[str]]


def at(time: str | None) -> str | None:
    """Return a time of UTC, "2026-03-02 09:00", as the API writes it."""
    return time and f"{time.replace(' ', 'T')}:00+00:00"


def evidence(
    source: str, status: str | None, word: str, path: str, line: int, *, decides: bool = False
) -> dict[str, Any]:
    """Return where a story's status stands."""
    return {
        "source": source,
        "status": status,
        "word": word,
        "path": path,
        "line": line,
        "decides": decides,
    }


def gate(decision: str, score: int, path: str, line: int, **fields: str) -> dict[str, Any]:
    """Return the gate of a story."""
    return {
        "decision": decision,
        "score": score,
        "reviewer": None,
        "updated": None,
        "expires": None,
        "document": {"path": path, "line": line},
        **fields,
    }


def story(
    ids: tuple[str, str | None, str | None],
    title: str,
    status: str,
    evidence: Sequence[dict[str, Any]],
    *,
    since: str,
    changed: str | None = None,
    path: str | None = None,
    sentence: str = "",
    criteria: tuple[int, int | None] = (0, None),
    items: tuple[int, int] = (0, 0),
    tasks: tuple[int, int] = (0, 0),
    subtasks: tuple[int, int] = (0, 0),
    **fields: Any,
) -> dict[str, Any]:
    """Return a whole story, but for the ids of its document and its source.

    `ids` are the whole id and its two parts, `sentence` the three parts with "; " between them. Of
    criteria, their items, tasks and subtasks the total number comes first, then that of the done
    ones. `since` and `changed` are the dates of commits: see `at`.
    """
    as_a, i_want, so_that = sentence.split("; ") if sentence else (None, None, None)
    return {
        "tree": "",
        "path": path,
        "anchor": None,
        "id": ids[0],
        "epic": ids[1],
        "story": ids[2],
        "title": title,
        "status": status,
        "status_evidence": [*evidence],
        "is_built": False,
        "kind": "story",
        "as_a": as_a,
        "i_want": i_want,
        "so_that": so_that,
        "acceptance_criteria_total": criteria[0],
        "acceptance_criteria_done": criteria[1],
        "acceptance_criteria_items_total": items[0],
        "acceptance_criteria_items_done": items[1],
        "tasks_total": tasks[0],
        "tasks_done": tasks[1],
        "subtasks_total": subtasks[0],
        "subtasks_done": subtasks[1],
        "review_findings_open": 0,
        "gate": None,
        "after": [],
        "waits_for": [],
        "is_ready": False,
        "archived": False,
        "last_changed_at": at(changed),
        "since": at(since),
        **fields,
    }


def epic(
    id_: str,
    title: str,
    status: str | None,
    stories: Mapping[str, int],
    share_done: float | None,
    *documents: tuple[str, int, str | None],
    requirements: Sequence[str] = (),
    built: int = 0,
    said: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return a whole epic, but for the ids of its documents and its source.

    `said` is the evidence of its status. `stories` has their numbers by status, `documents` the
    path, the line and the anchor of each.
    """
    return {
        "tree": "",
        "id": id_,
        "title": title,
        "status": status,
        "status_evidence": [*said],
        "documents": [
            {"path": path, "line": line, "anchor": anchor} for path, line, anchor in documents
        ],
        "requirements": [*requirements],
        "stories_total": sum(stories.values()),
        "stories_by_status": {**dict.fromkeys(STATUSES, 0), **stories},
        "stories_built": built,
        "share_done": share_done,
    }


def problem(
    kind: ProblemKind,
    severity: str,
    path: str,
    line: int,
    detail: str,
    target: str | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """Return a whole problem, but for the ids of its document and its source."""
    return {
        "tree": "",
        "kind": kind,
        "severity": severity,
        "detail": detail,
        "path": path,
        "line": line,
        "target": target,
        "reason": reason,
    }


def counted(stories: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return how many stories have each status; archived ones count nowhere."""
    counts = Counter(story["status"] for story in stories if not story["archived"])
    relevant = counts.total() - counts["cancelled"]
    return {
        "stories_total": counts.total(),
        "stories_by_status": dict.fromkeys(STATUSES, 0) | counts,
        "stories_built": sum(story["is_built"] for story in stories if not story["archived"]),
        "share_done": counts["done"] / relevant if relevant else None,
    }
