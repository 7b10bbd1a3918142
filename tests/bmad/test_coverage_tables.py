"""Tables that map requirements of any name to epics and stories."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.coverage_tables import MAP_HEADING, read_loose_name
from service.bmad.readings import MAX_ID
from service.bmad.requirements import read_requirements
from service.bmad.tables import Row
from tests.support.bmad_documents import bmad_document


def _map_of(heading: str, header: str, *rows: str) -> str:
    dashes = "|---" * (header.count("|") - 1) + "|"
    return "\n".join([f"# PRD\n\n## {heading}\n", header, dashes, *rows, ""])


@pytest.mark.parametrize(
    ("heading", "header", "row", "requirement"),
    [
        ("FR Coverage Map", "| Requirement | Epic |", "| R1 | Epic 2 |", "R1"),
        ("Requirements Coverage", "| Req | Text | Epic |", "| **R-1** | Mail | 2 |", "R-1"),
        ("Traceability Matrix", "| Requirement | Epic |", "| 1.2 | Epic 2 |", "1.2"),
        ("Traceability", "| ID | Text | Epic |", "| SEC-4 | Mail | Epic 2 |", "SEC-4"),
        ("Traceability", "| Requirement | Epic |", "| R1: Mail | Epic 2 |", "R1"),
        ("Requirements coverage", "| Requirement | Epic |", "| REQ-2 | Epic 2 |", "REQ-2"),
        ("Traceability", "| Requirement | Test | Epic |", "| R1 | Login | Epic 2 |", "R1"),
        ("Requirements coverage", "| ID | Epic |", "| NFR3 | Epic 2 |", "NFR3"),
    ],
)
def test_map_of_requirements_has_names_of_any_letters(
    heading: str, header: str, row: str, requirement: str
) -> None:
    found = read_requirements(bmad_document(_map_of(heading, header, row), "docs/prd.md"))
    assert [(each["requirement"], each["epics"]) for each in found.coverage] == [
        (requirement, ["2"])
    ]
    assert found.stated == []


@pytest.mark.parametrize(
    ("heading", "header", "row"),
    [
        ("Risk Matrix", "| ID | Epic |", "| R1 | Epic 2 |"),
        ("Test coverage", "| Requirement | Epic |", "| R1 | Epic 2 |"),
        ("Overview", "| Requirement | Epic |", "| R1 | Epic 2 |"),
        ("Traceability", "| ID | Epic |", "| 1.2 | Epic 2 |"),
        ("Traceability", "| Story | Requirement | Epic |", "| 1.2 | Mail | Epic 2 |"),
        ("Traceability", "| ID | Epic |", "| AC1 | Epic 2 |"),
        ("Traceability", "| ID | Test |", "| R1 | Epic 2 |"),
        ("Traceability", "| ID | Test | Story |", "| UT-001 | Login | 1.1 |"),
        ("Traceability", "| ID | Test Case | Epic |", "| R-1 | Login | 2 |"),
        ("NFR mapping", "| # | Risk | Story |", "| R1 | Data loss | 1.1 |"),
        ("Requirements coverage", "| Requirement | Epic |", "| RISK-1 | 2 |"),
        ("Requirements coverage", "| Requirement | Epic |", "| E2E-1 | 2 |"),
        ("Traceability", "| Requirement | Epic |", "| 2 ways to pay | Epic 2 |"),
        ("Traceability", "| Requirement | Epic |", "| Sign in | Epic 2 |"),
        ("Traceability", "| Requirement | Epic |", "| Version 2 of the API | Epic 2 |"),
    ],
)
def test_other_cells_name_no_requirement(heading: str, header: str, row: str) -> None:
    found = read_requirements(bmad_document(_map_of(heading, header, row), "docs/prd.md"))
    assert found == ([], [])


def test_table_above_all_headings_is_no_map_of_requirements() -> None:
    text = "| Requirement | Epic |\n|---|---|\n| R1 | Epic 2 |\n\n## Requirements coverage\n"
    assert read_requirements(bmad_document(text, "docs/prd.md")).coverage == []


def test_map_states_requirements_that_it_says_nothing_covers() -> None:
    header = "| Requirement | Description | Story |"
    rows = ("| R1 | Mail | 1.2 |", "| R2 | Print | - |", "| R3 | Fax | Later |")
    found = read_requirements(bmad_document(_map_of("Traceability", header, *rows), "docs/prd.md"))
    assert [each["requirement"] for each in found.coverage] == ["R1"]
    assert [(each["id"], each["text"]) for each in found.stated] == [("R2", "Print")]


@given(st.lists(st.text(), min_size=1, max_size=4), st.sampled_from(["requirement", "id", "epic"]))
def test_any_row_is_read(cells: list[str], header: str) -> None:
    name = read_loose_name(Row([header, *["epic"] * (len(cells) - 1)], cells, 3))
    assert name is None or 0 < len(name) <= MAX_ID


@pytest.mark.parametrize("piece", ["# ", "#", "fr ", "# fr ", "# req ", "coverage of ", "1.", "A1"])
def test_long_texts_are_read_in_time(piece: str) -> None:
    text = piece * 100_000
    start = time.process_time()
    MAP_HEADING.search(text)
    read_loose_name(Row(["requirement", "epic"], [text, ""], 3))
    assert time.process_time() - start < 1
