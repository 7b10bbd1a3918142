"""Requirements, and the epics and stories that they are for."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bmad.readings import MAX_ITEMS, MAX_TEXT
from service.bmad.requirements import Requirements, read_requirements
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear


def _read(text: str, path: str = "docs/prd.md") -> Requirements:
    return read_requirements(bmad_document(text, path))


def _stated(text: str, path: str = "docs/prd.md") -> list[tuple[str, str, int]]:
    return [(each["id"], each["text"], each["line"]) for each in _read(text, path).stated]


def _coverage(
    text: str, path: str = "docs/epics.md"
) -> list[tuple[str, list[str], list[str], int]]:
    return [
        (each["requirement"], each["epics"], each["stories"], each["line"])
        for each in _read(text, path).coverage
    ]


BREAKDOWN = """\
# Shop - Epic Breakdown

## Requirements Inventory

### Functional Requirements

FR1: Users sign in.
FR2: Users sign out.
FR10: Users pay.

### NonFunctional Requirements

- **NFR1:** Pages load in 1 s.

### FR Coverage Map

FR1: Epic 1 - Accounts
FR2: Epic 1 - Accounts
FR10: Epic 2 - Payments

## Epic List

### Epic 1: Accounts
**FRs covered:** FR1, FR2

## Epic 1: Accounts

### Story 1.1: Sign In

**Requirements:** FR1, NFR1

**Acceptance Criteria:**

FR2: is not met by this story.
"""


def test_inventory_and_map_of_the_template() -> None:
    assert _stated(BREAKDOWN, "docs/epics.md") == [
        ("FR1", "Users sign in.", 7),
        ("FR2", "Users sign out.", 8),
        ("FR10", "Users pay.", 9),
        ("NFR1", "Pages load in 1 s.", 13),
    ]
    assert _coverage(BREAKDOWN) == [
        ("FR1", ["1"], [], 17),
        ("FR2", ["1"], [], 18),
        ("FR10", ["2"], [], 19),
        ("FR1", [], ["1.1"], 30),
        ("NFR1", [], ["1.1"], 30),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "FR1: Users sign in",
        "- FR1: Users sign in",
        "- **FR1:** Users sign in",
        "- **FR1**: Users sign in",
        "- **FR1** Users sign in",
        "- **FR1** - Users sign in",
        "- FR1 — Users sign in",
        "1. FR1: Users sign in",
        "- [ ] FR1: Users sign in",
        "**FR1:** Users sign in",
        "#### FR1: Users sign in",
        "#### FR1 Users sign in",
        "- FR1\uff1aUsers sign in",
        "| ID | Requirement |\n|---|---|\n| FR1 | Users sign in |",
        "| FR | Priority | Description |\n|---|---|---|\n| **FR1** | P0 | Users sign in |",
        "| Requirement | Priority |\n|---|---|\n| FR1: Users sign in | P0 |",
        "| # | FR | Text |\n|---|---|---|\n| 1 | FR1 | Users sign in |",
    ],
)
def test_lists_headings_and_tables_state_requirements(text: str) -> None:
    assert [(name, stated) for name, stated, _ in _stated(f"# PRD\n\n{text}\n")] == [
        ("FR1", "Users sign in")
    ]


def test_heading_with_a_name_alone_is_stated_below() -> None:
    text = "# PRD\n\n#### FR-1\n\nUsers sign in\nor up.\n\n#### FR-2\n\n#### FR-3: Pay\n\nText\n"
    assert _stated(text) == [("FR-1", "Users sign in", 3), ("FR-2", "", 8), ("FR-3", "Pay", 10)]


@pytest.mark.parametrize("name", ["FR-1", "NFR2", "UX-DR3", "FR-AUTH-1", "FR1.2", "REQ-7", "BR-1"])
def test_names_of_requirements_have_letters_and_a_number(name: str) -> None:
    assert _stated(f"- {name}: Text\n") == [(name, "Text", 1)]


@pytest.mark.parametrize(
    "text",
    [
        "FR1 is hard.",
        "- FR1, FR2: both",
        "- FR1-FR9: all",
        "- See FR1: it says so",
        "```\nFR1: code\n```",
        "- P0: first",
        "## Out of Scope\n\n- FR1: Users sign in",
        "## Change Log\n\n| FR | Change |\n|---|---|\n| FR1 | added |",
        "### Story 1.1: A\n\n- FR1: Users sign in",
        "| FR | Owner |\n|---|---|\n| FR1 | Team |",
        "| FR | Story |\n|---|---|\n| FR1 | later |",
    ],
)
def test_these_state_no_requirement(text: str) -> None:
    assert _stated(f"# PRD\n\n{text}\n") == []


def test_first_statement_counts() -> None:
    assert _stated("- FR1: A\n- FR1: B\n") == [("FR1", "A", 1)]


@pytest.mark.parametrize(
    ("text", "epics", "stories"),
    [
        ("FR1: Epic 1 - Accounts", ["1"], []),
        ("FR1 → Epic 1", ["1"], []),
        ("- **FR1:** Epic 1, Epic 3", ["1", "3"], []),
        ("- FR1 - Story 1.2", [], ["1.2"]),
        ("- FR1: Accounts (Epic 1, Stories 1.2-1.3)", ["1"], ["1.2", "1.3"]),
        ("| FR | Epic |\n|---|---|\n| FR1 | Epic 1: Accounts |", ["1"], []),
        ("| FR | Epic | Stories |\n|---|---|---|\n| FR1 | 1 | 1.2, 1.3 |", ["1"], ["1.2", "1.3"]),
        (
            "| FR | owner Story | other Story |\n|---|---|---|\n| FR1 | 1.2 | 1.1a |",
            [],
            ["1.2", "1.1a"],
        ),
        ("| Requirement | Covered by |\n|---|---|\n| FR1: Sign in | Epic 1 |", ["1"], []),
        ("- Epic 1: FR1", ["1"], []),
        ("**Epic 1 (Accounts):** FR1", ["1"], []),
        ("| Epic | FRs |\n|---|---|\n| Epic 1 | FR1 |", ["1"], []),
        ("| Story | Requirements |\n|---|---|\n| 1.2 | FR1 |", [], ["1.2"]),
    ],
)
def test_maps_of_what_covers_requirements(text: str, epics: list[str], stories: list[str]) -> None:
    found = _coverage(f"# Epics\n\n### FR Coverage Map\n\n{text}\n")
    assert [each[:3] for each in found] == [("FR1", epics, stories)]
    assert _stated(f"# Epics\n\n### FR Coverage Map\n\n{text}\n") == []


def test_several_names_are_covered_by_one_line() -> None:
    lines = "- FR1, FR2: Epic 1\n- Epic 2: FR3-FR4\n- FR5-FR6: Epic 3\n"
    text = f"# Epics\n\n## FR Coverage Map\n\n{lines}"
    assert [each[:2] for each in _coverage(text)] == [
        ("FR1", ["1"]),
        ("FR2", ["1"]),
        ("FR3", ["2"]),
        ("FR4", ["2"]),
        ("FR5", ["3"]),
        ("FR6", ["3"]),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "**FRs covered:** FR1, FR2",
        "**Requirements:**\n\n- FR1\n- FR2: sign out",
        "#### Requirements covered\n\n- FR1\n- FR2",
        "**需求覆盖\uff1a** FR1; FR2",
    ],
)
def test_stories_name_what_they_cover(line: str) -> None:
    text = f"# Epics\n\n## Epic 1: A\n\n### Story 1.2: B\n\n{line}\n\n## Epic 2: C\n\nFR3: D\n"
    found = [each[:3] for each in _coverage(text)]
    assert found == [("FR1", [], ["1.2"]), ("FR2", [], ["1.2"])]
    assert [name for name, *_ in _stated(text, "docs/epics.md")] == ["FR3"]


@pytest.mark.parametrize(
    "path",
    [
        "docs/prd.md",
        "docs/prd/requirements.md",
        "docs/requirements.md",
        "docs/epics.md",
        "docs/requirements-traceability.md",
        "docs/nfr.md",
    ],
)
def test_documents_of_requirements_and_epics_state_requirements(path: str) -> None:
    assert _stated("FR1: A\n", path) == [("FR1", "A", 1)]


@pytest.mark.parametrize(
    "path",
    [
        "docs/notes.md",
        "docs/requirements-review.md",
        "bmad/requirements.md",
        "docs/stories/1.1.a.md",
        "docs/architecture.md",
    ],
)
def test_other_documents_state_no_requirements(path: str) -> None:
    text = "# Story 1.1: A\n\n## Tasks\n\n## Status\n\n## Acceptance Criteria\n\nFR1: A\n"
    assert _read(text, path) == Requirements([], [])


def test_readings_are_bounded() -> None:
    text = "".join(f"- FR{number}: {'a' * 400}\n" for number in range(MAX_ITEMS + 5))
    stated = _read(text).stated
    assert len(stated) == MAX_ITEMS
    assert len(stated[0]["text"]) == MAX_TEXT
    text = "## Coverage Map\n\n" + "Epic 1: FR1-FR99\n" * 100
    assert len(_read(text).coverage) == MAX_ITEMS


_PIECES = st.sampled_from(
    (
        *("FR1", "NFR-2", ": ", " - ", "- ", "**", "Epic 1", "Story 1.1", "\n", "\n\n", ", ", "|"),
        *("# FR3 A\n", "## FR Coverage Map\n", "### Story 1.2: B\n", "FRs covered: ", "FR1-FR9 "),
        *("| FR | Epic | Story |\n|---|---|---|\n", "| FR1 | 1 | 1.2-1.4 |\n", "→", "(", "&#10;"),
        *("\0", "\ud800", "\u0663", "```\n"),
    )
)


@settings(deadline=None)
@given(st.text() | st.lists(_PIECES, max_size=60).map("".join))
def test_any_text_is_read(text: str) -> None:
    lines = len(bmad_document(text).lines)
    stated, coverage = _read(text)
    assert all(1 <= each["line"] <= lines for each in (*stated, *coverage))
    f"{stated}{coverage}".encode()


@given(st.data())
def test_mutated_breakdowns_are_read(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(BREAKDOWN)))
    end = data.draw(st.integers(start, len(BREAKDOWN)))
    _read(
        BREAKDOWN[:start] + data.draw(st.lists(_PIECES, max_size=4).map("".join)) + BREAKDOWN[end:]
    )


_LONG: list[Callable[[int], str]] = [
    lambda n: "FR1: Epic 1 " * (50 * n),
    lambda n: "FR1: Epic 1\n" * (50 * n),
    lambda n: "## Coverage Map\n" + "Epic 1: FR1-FR99\n" * (40 * n),
    lambda n: "## Story 1.1\n" + "FRs: FR1-FR99\n" * (40 * n),
    lambda n: "| FR | Story |\n|---|---|\n" + "| FR1 | 1.1-1.99 |\n" * (20 * n),
    lambda n: "".join(f"- FR{number}: a\n" for number in range(30 * n)),
    lambda n: "## FR1\n" * (30 * n),
    lambda n: "- **FR1" + "*" * (100 * n),
]


@pytest.mark.parametrize("make", _LONG, ids=range(8))
def test_requirements_take_linear_time(make: Callable[[int], str]) -> None:
    assert_linear(read_requirements, lambda n: bmad_document(make(n), "docs/epics.md"), 50)
