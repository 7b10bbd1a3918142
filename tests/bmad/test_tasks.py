"""Tasks, subtasks and findings of reviews."""

from __future__ import annotations

import pytest

from tests.bmad.story_text import story_of


@pytest.mark.parametrize(
    ("tasks", "counts"),
    [
        pytest.param(
            "- [x] A (AC: 1, 2)\n- [ ] B (AC #1)\n- [X] C (AC: all)", (3, 2, 0, 0), id="flat"
        ),
        pytest.param("- [x] A\n  - [x] a\n    - [ ] deeper\n- [ ] B", (2, 1, 2, 1), id="deeper"),
        pytest.param("### Task 1\n- [x] A\n### Task 2\n- [ ] B", (2, 1, 0, 0), id="headings group"),
        pytest.param(
            "- **Backend**\n  - [x] A\n    - [x] a\n  - [ ] B", (2, 1, 1, 1), id="items group"
        ),
        pytest.param("1. **Backend**\n   - [x] A\n   - [ ] B", (2, 1, 0, 0), id="numbers group"),
        pytest.param("- [x]A\n- [ ]B", (2, 1, 0, 0), id="no space"),
        pytest.param("- [~] A\n- [N/A] B\n- [x] C", (3, 2, 0, 0), id="marks"),
        pytest.param("- A\n- B", (0, 0, 0, 0), id="no boxes"),
        pytest.param("- [x] A\n\n```\n- [ ] code\n```\n", (1, 1, 0, 0), id="code"),
        pytest.param(
            "- [x] A with\n`code` at the margin\n  - [ ] a\n- [ ] B", (2, 1, 1, 0), id="margin"
        ),
        pytest.param("- [] A\n- [  ] B\n- [\u00a0] C\n- [ x ] D", (4, 1, 0, 0), id="blanks"),
        pytest.param("- [](a.md) A\n- [] \n- [x] B", (1, 1, 0, 0), id="no boxes of blanks"),
        pytest.param("- [ ] \n- [x] A", (1, 1, 0, 0), id="empty box"),
        pytest.param("- [x] A\n  - `[]` a\n  - `[x]` b", (1, 1, 1, 1), id="boxes as code"),
        pytest.param("- A\n- [] B", (0, 0, 0, 0), id="one blank alone"),
        pytest.param(
            "- [x] A\n\n### Definition of Done\n\n- [ ] x\n  - [ ] y\n\n### Task 2\n\n- [ ] B",
            (2, 1, 0, 0),
            id="definition of done",
        ),
        pytest.param(
            "### Task 1\n\n- [x] A\n\n**DoD checklist:**\n\n- [ ] x\n\n### Task 2\n\n- [ ] B",
            (2, 1, 0, 0),
            id="label of a definition of done",
        ),
        pytest.param(
            "- [x] A\n\n### Out of scope\n\n- [ ] x\n\n**More**\n\n- [ ] y",
            (1, 1, 0, 0),
            id="scope",
        ),
        pytest.param(
            "- [x] A\n\n### Testing\n\n- [ ] B\n\n### Checklist\n\n- [ ] C",
            (3, 1, 0, 0),
            id="tests",
        ),
        pytest.param(
            "- [x] A\n\n### Definition of done page\n\n- [ ] B", (2, 1, 0, 0), id="a feature"
        ),
        pytest.param(
            "- [x] A\n\n**DoD**\n- [ ] x\n**Backend**\n- [ ] B",
            (2, 1, 0, 0),
            id="a label right below",
        ),
        pytest.param(
            "- [x] A\n\n**DoD**\n- [ ] x\nBackend:\n- [ ] B", (2, 1, 0, 0), id="a colon right below"
        ),
        pytest.param(
            "- [x] A\n\n**DoD**\n\n- [ ] x\n\nThen the work:\n\n- [ ] B",
            (2, 1, 0, 0),
            id="a plain label",
        ),
        pytest.param(
            "- [x] A\n\n**DoD**\n\n- [ ] x\n\nThen all the work that is left:\n\n- [ ] B",
            (2, 1, 0, 0),
            id="a sentence with a colon",
        ),
        pytest.param(
            "- [x] A\n\n**DoD**\n\n- [ ] x is\n  well tested\n- [ ] y", (1, 1, 0, 0), id="wrapped"
        ),
        pytest.param(
            "- [x] A\n\n### DoD\n\nCode:\n\n- [ ] x\n\nPages:\n\n- [ ] y",
            (1, 1, 0, 0),
            id="parts below a heading",
        ),
        pytest.param("- [ ] A\n\n  Why\n\n  - [x] a", (1, 0, 1, 1), id="paragraph in an item"),
    ],
)
def test_tasks_are_counted(tasks: str, counts: tuple[int, ...]) -> None:
    story = story_of(
        f"# Story 1.2: T\n\n## Tasks / Subtasks\n\n{tasks}\n\n## Dev Notes\n\n- [ ] Note\n"
    )
    found = (story["tasks_total"], story["tasks_done"])
    assert (*found, story["subtasks_total"], story["subtasks_done"]) == counts


@pytest.mark.parametrize(
    "heading",
    [
        "Tasks",
        "Implementation Tasks",
        "Tâches / Sous-tâches",
        "任务 / 子任务",
        "Tareas",
        "Tarefas",
        "작업",
    ],
)
def test_tasks_are_found_below_each_heading(heading: str) -> None:
    assert story_of(f"# Story 1.2: T\n\n## {heading}\n\n- [ ] A\n")["tasks_total"] == 1


def test_two_sections_of_tasks_are_added() -> None:
    text = (
        "# Story 1.2: T\n\n## Tasks\n\n- [x] A\n\n## Notes\n\n- [ ] N\n\n## Dev Tasks\n\n- [ ] B\n"
    )
    story = story_of(text)
    assert (story["tasks_total"], story["tasks_done"]) == (2, 1)


def test_tasks_may_be_in_the_agents_record() -> None:
    text = "# Story 1.2: T\n\n## Dev Agent Record\n\n### Tasks / Subtasks\n\n- [x] A\n  - [ ] a\n"
    story = story_of(text)
    assert (story["tasks_total"], story["subtasks_total"]) == (1, 1)
    story = story_of("# Story 1.2: T\n\n## Dev Agent Record\n\n**Tasks:**\n\n- [x] A\n")
    assert story["tasks_total"] == 0


def test_findings_of_reviews_are_no_tasks() -> None:
    text = """# Story 1.2: T

## Tasks

- [x] A
- [ ] [Review][Patch] Name the field [app.py:3]
  - [ ] both of them
- [x] [Review][Defer] Measure it
- [ ] [AI-Review][High] Check the size

### Review Follow-ups (AI)

- [ ] Rename it
"""
    story = story_of(text)
    assert (story["tasks_total"], story["subtasks_total"]) == (1, 0)
    assert story["review_findings"] == [
        {"text": "Name the field [app.py:3]", "action": "Patch", "is_open": True, "line": 6},
        {"text": "Measure it", "action": "Defer", "is_open": False, "line": 8},
        {"text": "Check the size", "action": "High", "is_open": True, "line": 9},
        {"text": "Rename it", "action": "", "is_open": True, "line": 13},
    ]
