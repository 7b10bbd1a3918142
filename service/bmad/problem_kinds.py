"""What a problem is: its kind, its severity, one sentence, and the place to mend it."""

from datetime import date
from typing import Final, Literal, NamedTuple, get_args

from service.bmad.links import DeadLink

Severity = Literal["error", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")

ProblemKind = Literal[
    "status_conflict",
    "unknown_status",
    "key_without_file",
    "file_without_key",
    "duplicate_id",
    "epic_owes_stories",
    "retrospective_rejected",
    "gate_failed",
    "gate_expired",
    "gate_waived",
    "gate_without_story",
    "review_finding_open",
    "deferred_work",
    "action_item_open",
    "requirement_without_story",
    "broken_link",
    "unreadable_document",
    "unknown_dependency",
    "undeclared_dependency",
    "dependency_conflict",
    "dependency_cycle",
    "plan_without_ticket",
]
PROBLEM_KINDS: Final[tuple[ProblemKind, ...]] = get_args(ProblemKind)


def name_count(count: int, severity: str) -> str:
    """Return a number of problems of a severity in words: "1 error", "2 warnings", "3 info"."""
    return f"{count:,} {severity}{'s' if count > 1 and severity != 'info' else ''}"


class BoardProblem(NamedTuple):
    """A problem, and where it is.

    A dead link has its target and why it is dead. `appears_on` is the day from which on the problem
    is one, as when a gate expires; None for now.
    """

    kind: ProblemKind
    severity: Severity
    detail: str
    path: str | None
    line: int | None
    target: str | None = None
    reason: DeadLink | None = None
    appears_on: date | None = None
