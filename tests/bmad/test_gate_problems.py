"""Where the review in a story's own file and the gate's file disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from service.bmad.reading import read_document
from tests.bmad.made import board_of, links_of
from tests.support.bmad_documents import bmad_document

if TYPE_CHECKING:
    from service.bmad.board import Board

STORY = """# Story 1.1: Sign in

## Status

Done

## Acceptance Criteria

1. A form.

## QA Results

### Gate Status

Gate: FAIL → docs/qa/gates/1.1-sign-in.yml
"""
PATH = "docs/stories/1.1.sign-in.md"
SAYS = "The gate of the story 1.1 (Sign in) says"
GATE_PATH = "docs/qa/gates/1.1-sign-in.yml"


def _board(review: str, gate: str | None, gate_path: str = GATE_PATH) -> Board:
    texts = {PATH: (STORY.replace("FAIL", review), "md")}
    if gate is not None:
        texts[gate_path] = (f"schema: 1\nstory: '1.1'\ngate: {gate}\n", "yaml")
    readings = {
        path: read_document(bmad_document(text, path, file_type))
        for path, (text, file_type) in texts.items()
    }
    return board_of(readings, links_of(readings))


def _conflicts(board: Board) -> list[tuple[str, str, str, int]]:
    rows = [row for row in board.problems if row.kind == "status_conflict"]
    return [(row.severity, row.item["detail"], row.item["path"], row.item["line"]) for row in rows]


def _gates(board: Board) -> list[tuple[str, str, int]]:
    [story] = board.stories
    shown: list[dict[str, Any]] = story.item["status_evidence"]
    return [
        (each["word"], each["path"], each["line"]) for each in shown if each["source"] == "gate"
    ]


def test_review_that_contradicts_the_file_of_the_gate_is_shown_and_a_problem() -> None:
    board = _board("FAIL", "PASS")
    assert _gates(board) == [("PASS", GATE_PATH, 3), ("FAIL", PATH, 15)]
    assert board.stories[0].item["gate"]["decision"] == "PASS"
    assert _conflicts(board) == [
        ("warning", f"{SAYS} PASS, and the review in its own file says FAIL.", PATH, 15)
    ]
    assert all(row.kind != "gate_failed" for row in board.problems)


def test_review_that_says_what_the_file_of_the_gate_says_is_no_problem() -> None:
    board = _board("PASS", "PASS")
    assert _gates(board) == [("PASS", GATE_PATH, 3), ("PASS", PATH, 15)]
    assert _conflicts(board) == []


def test_review_counts_before_an_archived_gate() -> None:
    board = _board("PASS", "FAIL", "docs/qa/gates/archive/1.1-sign-in.yml")
    assert board.stories[0].item["gate"]["decision"] == "PASS"
    assert _conflicts(board) == []


def test_review_alone_is_the_gate() -> None:
    board = _board("FAIL", None)
    assert _gates(board) == [("FAIL", PATH, 15)]
    assert [row.kind for row in board.problems] == ["gate_failed", "status_conflict"]
