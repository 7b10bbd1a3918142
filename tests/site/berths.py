"""A realistic repository of the BMAD Method: a harbour that lets its berths, in 50 documents.

    remote = server.create("harbour/berths")
    commit_berths(remote, date.today())

Its last 30 days have a commit each day on which a story moved on, so that the burn-up and the
sparkline have a shape.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.site.berths_plans import EPICS, PLANS, Epic, Plan

if TYPE_CHECKING:
    from tests.support.git_server import Remote

DAYS: Final = 30
STORIES: Final = "docs/stories"
GATES: Final = "docs/qa/gates"
TRACKER: Final = f"{STORIES}/sprint-status.yaml"

# No document: a link to it leads to the repository.
PNG: Final = b"\x89PNG\r\n\x1a\n"

# The statuses that a story passes through, as its file and the tracker have them.
PATH_TO_DONE: Final = ("backlog", "ready-for-dev", "in-progress", "review", "done")


class Gate(NamedTuple):
    """What the quality assurance decided of a story."""

    decision: str
    score: int
    reason: str


GATE_OF: Final = {
    "1.1": Gate("PASS", 95, "All criteria are covered by tests."),
    "1.2": Gate("PASS", 90, "The import was tried with the register of 2019."),
    "1.3": Gate("CONCERNS", 70, "Two boats of one length class are ordered at random."),
    "1.4": Gate("PASS", 100, "Nothing to add."),
    "1.5": Gate("WAIVED", 60, "The harbour master reads the log on paper until spring."),
    "2.1": Gate("PASS", 92, "The calendar was read aloud by a screen reader."),
    "2.2": Gate("FAIL", 30, "Two skippers can reserve the last berth in one second."),
    "2.3": Gate("PASS", 88, "Mails were sent to three hosts."),
}


def story_path(plan: Plan) -> str:
    """Return the path of a story's file."""
    return f"{STORIES}/{plan.number}.{plan.slug}.md"


def commit_berths(remote: Remote, today: date) -> None:
    """Commit the repository as it grew in the DAYS up to `today`."""
    begin = datetime.combine(today, time(9), UTC) - timedelta(days=DAYS)
    remote.commit(
        _encode(PLANS | _epic_files() | _work(0)) | {"docs/pictures/harbour.png": PNG},
        seconds=int(begin.timestamp()),
        message="Plan the berths",
    )
    before = _work(0)
    for day in range(1, DAYS):
        now = _work(day)
        changed = {path: text for path, text in now.items() if before.get(path) != text}
        if changed:
            remote.commit(
                _encode(changed),
                seconds=int((begin + timedelta(days=day)).timestamp()),
                message=f"Work of day {day}",
            )
        before = now


def _encode(files: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in files.items()}


def _status(plan: Plan, day: int) -> str:
    """Return how far a story is on a day: one step each two days from its first day on."""
    if plan.first_day is None:
        return PATH_TO_DONE[0]
    steps = max(0, min((day - plan.first_day) // 2 + 1, PATH_TO_DONE.index(plan.last)))
    return PATH_TO_DONE[steps] if day >= plan.first_day else PATH_TO_DONE[0]


def _work(day: int) -> dict[str, str]:
    """Return the stories, their gates and the tracker, as they are on a day."""
    files = {TRACKER: _tracker(day)}
    for epic in EPICS:
        for plan in epic.stories:
            status = _status(plan, day)
            if plan.first_day is not None and day >= plan.first_day:
                files[story_path(plan)] = _story(epic, plan, status)
            if plan.number in GATE_OF and status in {"review", "done"}:
                files[f"{GATES}/{plan.number}-{plan.slug}.yml"] = _gate(plan)
    return files


def _tracker(day: int) -> str:
    lines = ["project: Berths", "tracking_system: file-system", "", "development_status:"]
    for epic in EPICS:
        statuses = [_status(plan, day) for plan in epic.stories]
        done = all(status == "done" for status in statuses)
        begun = any(status != "backlog" for status in statuses)
        own = "done" if done else "in-progress" if begun else "backlog"
        lines += [f"  # Epic {epic.number}: {epic.title}", f"  epic-{epic.number}: {own}"]
        for plan, status in zip(epic.stories, statuses, strict=True):
            key = f"{plan.number.replace('.', '-')}-{plan.slug}"
            # The tracker lags behind one story.
            lagging = "in-progress" if plan.number == "1.4" and status == "done" else status
            lines.append(f"  {key}: {lagging}")
    return "\n".join(lines) + "\n"


def _epic_files() -> dict[str, str]:
    return {f"docs/epics/epic-{epic.number}-{epic.slug}.md": _epic(epic) for epic in EPICS}


def _epic(epic: Epic) -> str:
    stories = "".join(
        f"### Story {plan.number}: {plan.title}\n\nAs a {plan.who}, I want {plan.want}, "
        f"so that {plan.so_that}.\n\n"
        for plan in epic.stories
    )
    return f"""\
# Epic {epic.number}: {epic.title}

## Goal

{epic.goal}

**Requirements covered:** {", ".join(epic.requirements)}, see the
[requirements](../prd.md#functional-requirements).

## Stories

{stories}"""


def _story(epic: Epic, plan: Plan, status: str) -> str:
    begun = len(plan.tasks) if status in {"review", "done"} else int(status == "in-progress")
    boxes = ["x" if place < begun else " " for place in range(len(plan.tasks))]
    tasks = "".join(
        f"- [{box}] {task} (AC: {place})\n  - [{box}] Write its tests\n"
        for place, (box, task) in enumerate(zip(boxes, plan.tasks, strict=True), 1)
    )
    criteria = "".join(f"{place}. {text}\n" for place, text in enumerate(plan.criteria, 1))
    waits = f"\n## Dependencies\n\n- Story {plan.waits_for}\n" if plan.waits_for else ""
    return f"""\
# Story {plan.number}: {plan.title}

Status: {"blocked" if plan.is_blocked else status}

## Story

**As a** {plan.who},
**I want** {plan.want},
**so that** {plan.so_that}.

## Acceptance Criteria

{criteria}
## Tasks / Subtasks

{tasks}{waits}
## Dev Notes

- The data model is in [the architecture](../architecture/data-model.md#berth).
- Part of [epic {epic.number}](../epics/epic-{epic.number}-{epic.slug}.md): {epic.title}.

```python
def find_free(berths: Iterable[Berth], arrival: date, departure: date) -> list[Berth]:
    \"\"\"Return the berths that nobody has between two days, the shortest first.\"\"\"
    return sorted((b for b in berths if b.is_free(arrival, departure)), key=lambda b: b.metres)
```

## Change Log

| Date | Version | Description | Author |
|---|---|---|---|
| 2026-10-01 | 0.1 | First draft | Bob (Scrum Master) |
"""


def _gate(plan: Plan) -> str:
    gate = GATE_OF[plan.number]
    waiver = (
        'waiver: { active: true, reason: "Paper will do", approved_by: "Harbour master" }\n'
        if gate.decision == "WAIVED"
        else "waiver: { active: false }\n"
    )
    return f"""\
schema: 1
story: "{plan.number}"
story_title: "{plan.title}"
gate: {gate.decision}
status_reason: "{gate.reason}"
reviewer: "Quinn (Test Architect)"
updated: "2026-10-20T12:00:00Z"
quality_score: {gate.score}
{waiver}"""
