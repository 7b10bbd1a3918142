"""Which epic a document is about as a whole, and which documents are lists of epics."""

from __future__ import annotations

import pytest

from service.bmad.epic import read_epics
from service.bmad.own_epic import read_own_epic
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

TWO = "## Epic 1: Shop\n\n### Story 1.1: Cart\n\n## Epic 2: Mail\n\n### Story 2.1: Send\n"


def _names(text: str, path: str) -> list[tuple[str, str]]:
    return [(epic["number"], epic["title"]) for epic in read_epics(bmad_document(text, path))]


@pytest.mark.parametrize("heading", ["# Epics", "# X - Epic Breakdown", "# Phase 2 Epics", "# X"])
@pytest.mark.parametrize(
    "path",
    [
        "docs/epics-v2.md",
        "docs/epics-2.md",
        "docs/epics_v2.md",
        "docs/epics.v2.md",
        "docs/epics-phase-2.md",
        "docs/epics-part-2.md",
        "docs/epics-q3.md",
        "docs/epics-2025-01-01.md",
        "docs/epics-1-5.md",
        "docs/epics-6-to-10.md",
        "docs/epics-oauth2.md",
        "docs/epics/v2-epics.md",
        "docs/epics/00-overview.md",
        "docs/epics/01-list.md",
        "docs/epics-v2/README.md",
        "docs/épics-v2.md",
        "docs/epic-list-2.md",
    ],
)
def test_lists_of_epics_are_no_epic_of_the_number_in_their_name(path: str, heading: str) -> None:
    assert _names(f"{heading}\n\n{TWO}", path) == [("1", "Shop"), ("2", "Mail")]


@pytest.mark.parametrize("path", ["docs/epics-v2.md", "docs/epics-8-12.md", "docs/v2-epics.md"])
def test_a_list_of_one_epic_is_not_that_of_its_name(path: str) -> None:
    assert _names("# Later\n\n## Epic 8: Shop\n", path) == [("8", "Shop")]


@pytest.mark.parametrize(
    "heading",
    [
        "# Epic 1 & 2",
        "# Epic 1 and Epic 2",
        "# Epic 1 et 2",
        "# Epic 1-2 Breakdown",
        "# Epics 1 to 2: MVP",
        "# Epic 1-2: Shop and mail",
    ],
)
def test_a_heading_of_several_epics_is_that_of_a_list(heading: str) -> None:
    assert _names(f"{heading}\n\n{TWO}", "docs/epics.md") == [("1", "Shop"), ("2", "Mail")]


def test_a_range_in_the_name_and_the_heading_is_that_of_a_list() -> None:
    text = f"# Epic 1-2: Shop and mail\n\n{TWO}"
    assert _names(text, "docs/epics/epic-1-2.md") == [("1", "Shop"), ("2", "Mail")]


@pytest.mark.parametrize(
    ("path", "heading", "number", "title"),
    [
        ("docs/epic-2-payment-system.md", "# Payment system", "2", "Payment system"),
        ("docs/epic-2-payment-system.md", "# Epic 2: Payment system", "2", "Payment system"),
        ("docs/epics/epic-2.md", "# Payment system", "2", "Payment system"),
        ("docs/epics/02-payments.md", "# Payments", "02", "Payments"),
        ("docs/epic-2/README.md", "# Payments", "2", "Payments"),
        ("docs/epics-2.md", "# Payments", "2", "Payments"),
        ("docs/epics-2.md", "# Epic 2: Payments", "2", "Payments"),
        ("docs/epic-AP-2.md", "# Payments", "AP-2", "Payments"),
        ("docs/epic-2.md", "# Epic 2: 2 ways to pay", "2", "2 ways to pay"),
        ("docs/epic-1-2.md", "# Epic 1-2: Payments", "1-2", "Payments"),
    ],
)
def test_document_of_one_epic_keeps_its_number(
    path: str, heading: str, number: str, title: str
) -> None:
    text = f"{heading}\n\n## Goal\n\n## Story 2.1: Card\n\nx\n\n## Story 2.2: Refund\n"
    [found] = read_epics(bmad_document(text, path))
    assert (found["number"], found["title"]) == (number, title)
    assert [each["title"] for each in found["stories"]] == ["Card", "Refund"]


def test_headings_about_other_epics_leave_a_document_its_epic() -> None:
    text = "# Payments\n\n## Epic 1: what is needed\n\n## Epic 3: what follows\n"
    assert _names(text, "docs/epic-2-payments.md") == [("2", "Payments")]
    text = "# Onboarding\n\n## Epic AP-2.1: A\n\n## Epic AP-2.2: B\n"
    own = read_own_epic(bmad_document(text, "docs/epic-AP-2.md"))
    assert own
    assert own.name.number == "AP-2"


@pytest.mark.parametrize("section", ["## Related epics", "## Next", "## Dependencies", "## Goals"])
@pytest.mark.parametrize(
    ("path", "heading", "others", "number", "title"),
    [
        ("docs/epics/01-auth.md", "# Auth\n\n### Story 1.1: A", ("2", "3"), "01", "Auth"),
        ("docs/epics/AP-4.md", "# AP-4: Devices", ("AP-5", "AP-6"), "AP-4", "Devices"),
        ("docs/epics/epic-E1-auth.md", "# Auth", ("E2", "E3"), "E1", "Auth"),
        ("docs/epics/E-1.md", "# E-1 Sharing", ("E-2", "E-3"), "E-1", "E-1 Sharing"),
        (
            "docs/epics/epic-10-1-sharing.md",
            "# Epic 10-1: Sharing",
            ("10-2", "11-1"),
            "10-1",
            "Sharing",
        ),
    ],
)
def test_a_document_that_names_two_other_epics_is_that_of_its_own(
    section: str, path: str, heading: str, others: tuple[str, str], number: str, title: str
) -> None:
    for level in ("##", "###"):
        named = "".join(f"{level} Epic {each}: Other\n\n" for each in others)
        assert _names(f"{heading}\n\n{section}\n\n{named}", path) == [(number, title)]


def test_a_name_with_the_word_epics_after_its_number_is_that_of_one() -> None:
    text = "# Epics board\n\n**Status:** Done\n\n### Story 2.1: Mail\n"
    [found] = read_epics(bmad_document(text, "docs/epics/epic-2-epics-board.md"))
    assert (found["number"], found["title"]) == ("2", "Epics board")
    assert [each["word"] for each in found["statuses"]] == ["Done"]


def test_a_heading_of_the_own_number_below_the_stories_makes_no_list() -> None:
    text = "# Auth\n\n### Story 1.1: X\n\n## Epic 1: Goals\n"
    assert _names(text, "docs/epics-1.md") == [("1", "Auth")]
    assert _names("# Later\n\n## Epic 1: Auth\n", "docs/epics-1.md") == [("1", "Auth")]


def test_long_documents_take_linear_time() -> None:
    assert_linear(
        lambda text: read_own_epic(bmad_document(text, "docs/epics-2.md")),
        lambda size: "".join(f"## Epic {number}: A\n\n" for number in range(size)),
        300,
    )
