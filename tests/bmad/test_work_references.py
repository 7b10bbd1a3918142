"""References to epics and stories in lines and cells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import MAX_ID
from service.bmad.work_references import (
    MAX_REFERENCES,
    read_epics_of_cell,
    read_references,
    read_stories_of_cell,
)
from tests.support.linear_time import assert_linear


@pytest.mark.parametrize(
    ("text", "epics", "stories"),
    [
        ("Epic 1 - Users sign in", ["1"], []),
        ("Epic 1 - 3 ways to sign in", ["1"], []),
        ("Epic 1 \u2013 2FA", ["1"], []),
        ("Epics 1, 3 and 5", ["1", "3", "5"], []),
        ("Epics 1-3", ["1", "2", "3"], []),
        ("Epic AP-1; Epic E2", ["AP-1", "E2"], []),
        ("Epic 3.5, Story 3.5.1", ["3.5"], ["3.5.1"]),
        ("Epic 1 (Stories 1.2, 1.3)", ["1"], ["1.2", "1.3"]),
        ("Epic 1 (1.2, 1.3)", ["1"], ["1.2", "1.3"]),
        ("Stories 1.2-1.4", [], ["1.2", "1.3", "1.4"]),
        ("Story 1-2", [], ["1-2"]),
        ("Story E12-S04 and Story 1.1a", [], ["E12-S04", "1.1a"]),
        ("Epic 1, FR2", ["1"], []),
        ("史诗 2\uff0c故事 2.1\u30012.3", ["2"], ["2.1", "2.3"]),
    ],
)
def test_line_names_epics_and_stories(text: str, epics: list[str], stories: list[str]) -> None:
    assert read_references(text) == (epics, stories)


@pytest.mark.parametrize("text", ["", "Users sign in", "version 1.2", "epic work", "10 stories"])
def test_line_names_nothing(text: str) -> None:
    assert read_references(text) is None


def test_references_must_begin_a_text_if_told_so() -> None:
    assert read_references("Users of Epic 1", is_begin=True) is None
    assert read_references("Epic 1 for users", is_begin=True) == (["1"], [])


@pytest.mark.parametrize(
    ("cell", "epics"),
    [
        ("1", ["1"]),
        ("1, 3", ["1", "3"]),
        ("Epic 1: Accounts", ["1"]),
        ("E1", ["E1"]),
        ("Accounts", []),
        ("-", []),
        ("", []),
    ],
)
def test_cell_in_a_column_of_epics_names_them_with_or_without_the_word(
    cell: str, epics: list[str]
) -> None:
    assert read_epics_of_cell(cell) == epics


@pytest.mark.parametrize(
    ("cell", "stories"),
    [
        ("1.2", ["1.2"]),
        ("1.1c,1.1d", ["1.1c", "1.1d"]),
        ("2.7c\uff08final owner\uff09\uff1b1.1d", ["2.7c", "1.1d"]),
        ("1.2 / AC-1.2-HAPPY", ["1.2"]),
        ("Story 3", ["3"]),
        ("1.2-1.4", ["1.2", "1.3", "1.4"]),
        ("5", []),  # the number of stories
        ("v1.2", []),
        ("", []),
    ],
)
def test_cell_in_a_column_of_stories_names_them_with_or_without_the_word(
    cell: str, stories: list[str]
) -> None:
    assert read_stories_of_cell(cell) == stories


@given(
    st.text()
    | st.lists(st.sampled_from(("Epic ", "Story ", "1", ".", "-", ", ", " to ", "S", "\xb2"))).map(
        "".join
    )
)
def test_references_are_bounded(text: str) -> None:
    found = read_references(text)
    ids = [*(found.epics + found.stories if found else ())]
    ids += read_epics_of_cell(text) + read_stories_of_cell(text)
    assert all(len(each) <= MAX_ID for each in ids)


@pytest.mark.parametrize(
    "piece", ["Epic 1", "1-", "1.1-1.99 ", "Epics 1, ", "Story ", "1, ", "A", "1."]
)
def test_references_take_linear_time(piece: str) -> None:
    for read in (read_references, read_epics_of_cell, read_stories_of_cell):
        assert_linear(read, lambda size: piece * size, 20_000)
    found = read_references(piece * 100_000)
    assert found is None or max(map(len, found)) <= MAX_REFERENCES
