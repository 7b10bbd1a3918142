"""Names of requirements, in lists and ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import MAX_ID, MAX_ITEMS
from service.bmad.requirement_names import (
    MAX_RANGE,
    names_of_value,
    read_covered,
    read_leading_name,
    read_names,
)
from tests.support.linear_time import assert_linear


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("FR1, NFR-2 and UX-DR3", ["FR1", "NFR-2", "UX-DR3"]),
        ("FR-AUTH-1; FR-A1; FR1.2a", ["FR-AUTH-1", "FR-A1", "FR1.2a"]),
        ("NFR 4", ["NFR4"]),
        ("FR1, FR1", ["FR1"]),
        ("FR1-FR3", ["FR1", "FR2", "FR3"]),
        ("FR-1\u2013FR-3, NFR1", ["FR-1", "FR-2", "FR-3", "NFR1"]),
        ("FR1-3", ["FR1", "FR2", "FR3"]),
        ("FR008 to FR010", ["FR008", "FR009", "FR010"]),
        ("覆盖FR1至FR2。", ["FR1", "FR2"]),
        ("FR3-FR1", ["FR3", "FR1"]),
        (f"FR1-FR{MAX_RANGE + 1}", ["FR1", f"FR{MAX_RANGE + 1}"]),
        ("P0, AC1, E1, S1, FR, SFR1, FR1x2, fr1", []),
    ],
)
def test_names_and_ranges_are_read_in_order(text: str, names: list[str]) -> None:
    assert read_names(text) == names


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("FR1: Sign in", ("FR1", ": Sign in")),
        ("- **FR-1** Sign in", ("FR-1", "** Sign in")),
        ("Sign in (FR1)", None),
    ],
)
def test_name_begins_a_text_after_signs_alone(text: str, name: tuple[str, str] | None) -> None:
    assert read_leading_name(text) == name


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("FRs covered: FR1, FR2", ["FR1", "FR2"]),
        ("**Requirements:** FR1", ["FR1"]),
        ("Requirements Covered:", []),
        ("需求覆盖\uff1aFR1", ["FR1"]),
        ("FR1: Epic 1", None),
        ("Goal: FR1", None),
        ("The requirements FR1", None),
    ],
)
def test_line_says_what_is_covered_after_a_label(line: str, names: list[str] | None) -> None:
    assert read_covered(line) == names


def test_values_of_front_matter_have_names_in_texts_and_lists() -> None:
    assert names_of_value(["FR1", "FR-2"]) == ["FR1", "FR-2"]
    assert names_of_value("FR1, FR2") == ["FR1", "FR2"]
    assert names_of_value({"a": ["FR1"]}) == ["FR1"]
    assert names_of_value(None) == names_of_value(7) == names_of_value([]) == []


@given(
    st.text() | st.lists(st.sampled_from(("FR", "1", "-", "N", ".", "to", " ", "A"))).map("".join)
)
def test_names_are_bounded(text: str) -> None:
    assert all(len(name) <= MAX_ID for name in read_names(text))


@pytest.mark.parametrize("piece", ["FR1-FR200 ", "FR1", "FR-", "FR1-", "N", "FR-A", "FR1 ", "1."])
def test_names_take_linear_time(piece: str) -> None:
    for read in (read_names, read_covered, read_leading_name):
        assert_linear(read, lambda size: piece * (size // len(piece)), 20_000)
    assert len(read_names(piece * 10_000)) <= MAX_ITEMS
