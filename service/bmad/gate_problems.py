"""The problems of a story's gates: what the newest one says, and where its own review differs."""

from collections.abc import Iterator
from datetime import date, timedelta

from service.bmad.problem_kinds import BoardProblem
from service.bmad.readings import MAX_TEXT, GateReading
from service.bmad.story_problems import name_of
from service.bmad.work_items import WorkItem, is_archived


def gates_of(item: WorkItem) -> Iterator[BoardProblem]:
    """Yield what the newest gate of a story says, and where its own review differs."""
    yield from _own_review_of(item)
    for number, (path, gate) in enumerate(item.gates):
        if number or is_archived(path):  # one that no longer counts
            break
        if gate["decision"] == "FAIL":
            yield BoardProblem(
                "gate_failed",
                "error",
                f"The gate of the story {name_of(item)} has failed.",
                path,
                gate["line"],
            )
            if item.status == "done":
                yield BoardProblem(
                    "status_conflict",
                    "error",
                    f"The story {name_of(item)} is done, and its gate says {gate['word']}.",
                    path,
                    gate["line"],
                )
        if gate["decision"] == "PASS" and item.status in {"draft", "approved"}:
            yield BoardProblem(
                "status_conflict",
                # An approval that came after the review may mean that the story is done.
                "info" if item.status == "approved" else "warning",
                f"The story {name_of(item)} is {item.status}, and its gate says {gate['word']}.",
                path,
                gate["line"],
            )
        if gate["decision"] == "WAIVED" or gate["is_waiver_active"]:
            reason = f": {gate['waiver_reason']}" if gate["waiver_reason"] else ""
            yield BoardProblem(
                "gate_waived",
                "info",
                f"The gate of the story {name_of(item)} is waived{reason}."[:MAX_TEXT],
                path,
                gate["line"],
            )
        expires = _read_date(gate)
        if expires and expires < date.max:
            yield BoardProblem(
                "gate_expired",
                # The method lets each gate expire after two weeks, also that of a done story.
                "info" if item.status == "done" else "warning",
                f"The gate of the story {name_of(item)} expired on {expires}.",
                path,
                gate["line"],
                appears_on=expires + timedelta(days=1),
            )
        if gate["other_word"]:
            yield BoardProblem(
                "status_conflict",
                "warning",
                f"The gate of the story {name_of(item)} says {gate['word']}, and its text says "
                f"{gate['other_word']}.",
                path,
                gate["line"],
            )


def _own_review_of(item: WorkItem) -> Iterator[BoardProblem]:
    """Yield that the review in a story's own file says another decision than the gate's file."""
    path, gate = item.gates[0] if item.gates else (None, None)
    if gate is None or path is None or is_archived(path) or path == item.path:
        return
    for own_path, own in item.gates[1:]:
        decisions = {gate["decision"], own["decision"]}
        if own_path == item.path and None not in decisions and len(decisions) > 1:
            yield BoardProblem(
                "status_conflict",
                "warning",
                f"The gate of the story {name_of(item)} says {gate['word']}, and the review in its "
                f"own file says {own['word']}.",
                own_path,
                own["line"],
            )


def _read_date(gate: GateReading) -> date | None:
    """Return the day on which a gate expires; the hour differs over the world."""
    try:
        return date.fromisoformat((gate["expires"] or "")[:10])
    except ValueError:
        return None
