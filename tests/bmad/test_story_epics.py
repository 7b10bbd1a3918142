"""The epics that a story's file names as its own, and what becomes of its id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.fields import read_fields
from service.bmad.story_epics import epic_number, own_epics
from tests.bmad.story_text import story_of
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

if TYPE_CHECKING:
    from service.bmad.document import BmadDocument

PATH = "docs/stories/story-pay.md"
REST = "\n\n## Acceptance Criteria\n\n1. A\n\n## Tasks\n\n- [ ] B\n"


def _epics(document: BmadDocument) -> list[str]:
    return own_epics(document, [*read_fields(document.lines, document.html_line, 60)])


def _epic_of(text: str, path: str = PATH) -> str | None:
    return story_of(f"{text}{REST}", path)["epic"]


@pytest.mark.parametrize(
    "line",
    [
        "**Epic:** 2",
        "**Epic:** Epic 2: Payments",
        "**Epic:** [Epic 2: Payments](../epics.md)",
        "**Epic:** Payments (Epic 2)",
        "**Epic:** ../epics/epic-2-payments.md",
        "**Parent Epic:** 2",
        "**Epic Number:** 2",
        "**Epic Link:** EPIC-2",
        "**Parent:** Epic 2",
        "**Épopée :** 2",
        "**Épica:** 2",
        "**Épico:** 2",
        "**에픽:** 2",
        "## Epic\n\nEpic 2: Payments",
        "## Epic\n\n2",
        "## Parent Epic\n\n[Epic 2](../epics.md)",
        "Epic 2: Payments",
        "**Epic 2: Payments**",
    ],
)
def test_a_story_names_its_epic_in_each_form(line: str) -> None:
    assert _epic_of(f"# Story 3: Pay\n\n{line}", "docs/stories/story-3.md") == "2"
    assert _epic_of(f"# Pay\n\n{line}") == "2"
    assert _epic_of(f"# Story 1.3: Pay\n\n{line}") == "1"


@pytest.mark.parametrize(
    "text",
    [
        "**Parent:** [PRD 2](prd.md)",
        "**Parent:** 2",
        "**Epic Points:** 2",
        "**Epics:** 2 and 3",
        "- Epic 2: Payments comes first",
        "The epic 2: it comes first.",
        "## Epic\n\nThese 2 come first.",
        "## Epics\n\n2",
        "**Depends on:** Epic 2",
        "## Dev Notes\n\nEpic 2: Payments comes first.",
        "## Overview\n\n### Scope\n\nEpic 2: Payments comes first.",
    ],
)
def test_other_lines_name_no_epic(text: str) -> None:
    assert _epic_of(f"# Story 3: Pay\n\n{text}", "docs/stories/story-3.md") is None
    assert _epic_of(f"# Pay\n\n{text}") is None


@pytest.mark.parametrize(
    "key", ["epic: 2", "epic: epic-2", "epic: [2]", "parent_epic: 2", "parent: epic-2"]
)
def test_front_matter_names_the_epic_of_a_story_without_a_number(key: str) -> None:
    story = story_of(f"---\n{key}\n---\n# Pay{REST}", PATH)
    assert (story["id"], story["epic"], story["story"]) == ("", "2", None)


@pytest.mark.parametrize("key", ["epic: [2, 3]", "parent: 2", "epics: 2", "epic: true", "epic: []"])
def test_other_front_matter_names_no_epic(key: str) -> None:
    assert _epic_of(f"---\n{key}\n---\n# Pay") is None


@pytest.mark.parametrize(
    "path", ["docs/stories/epic-2/pay.md", "docs/epics/epic-2-payments/stories/pay.md"]
)
def test_the_folder_names_the_epic_of_a_story_without_a_number(path: str) -> None:
    assert _epic_of("# Story: Pay", path) == "2"


@pytest.mark.parametrize(
    ("lines", "identity"),
    [
        ("**ID:** 1.2", ("1.2", "1", "2")),
        ("**Story:** 1.2", ("1.2", "1", "2")),
        ("**Epic:** 1\n**Story:** 2", ("2", "1", "2")),
        ("**ID:** STORY-12\n**Epic:** 3", ("12", "3", "12")),
        ("**ID:** PROJ-12", ("", None, None)),
        ("**Story:** Pay by card", ("", None, None)),
        ("**Story:** 3 ways to pay", ("", None, None)),
        ("## Tasks\n\n**ID:** 1.2", ("", None, None)),
        ("## Dev Notes\n\n| ID | 1.2 |\n|---|---|", ("", None, None)),
    ],
)
def test_fields_say_the_id_where_title_and_name_have_no_number(
    lines: str, identity: tuple[str, str | None, str | None]
) -> None:
    story = story_of(f"# Pay\n\n{lines}{REST}", PATH)
    assert (story["id"], story["epic"], story["story"]) == identity
    numbered = story_of(f"# Story 7.8: Pay\n\n{lines}{REST}", PATH)
    assert numbered["id"] == "7.8"


@pytest.mark.parametrize(
    "value",
    [
        "Q3 goals",
        "V2 launch",
        "3D viewer",
        "5G support",
        "B2B sales",
        "24/7 support",
        "S3 storage",
        "2024 roadmap",
        "1, 2",
        "1 - 3",
        "1 \u2013 3",
        "Q3",
        "2024",
    ],
)
def test_a_story_without_a_number_is_in_no_epic_that_a_value_does_not_name(value: str) -> None:
    assert _epic_of(f"# Pay\n\n**Epic:** {value}") is None
    assert _epic_of(f"---\nepic: {value}\n---\n# Pay") is None


@pytest.mark.parametrize(
    ("value", "epic"),
    [
        ("AP-4 - Devices", "AP-4"),
        ("2 - Devices", "2"),
        ("2: Devices", "2"),
        ("2 (Devices)", "2"),
        ("**2**", "2"),
        ("[2]", "2"),
        ("E2: Devices", "E2"),
    ],
)
def test_a_story_without_a_number_is_in_the_epic_of_a_number_with_a_sign(
    value: str, epic: str
) -> None:
    assert _epic_of(f"# Pay\n\n**Epic:** {value}") == epic


@pytest.mark.parametrize("folder", ["epics-1-3", "epic-v2"])
def test_folders_of_several_epics_or_a_version_name_none(folder: str) -> None:
    assert _epic_of("# Pay", f"docs/stories/{folder}/story-pay.md") is None


@pytest.mark.parametrize("line", ["**Epic 2:** needs this", "Epic 3: Pay is blocked by this"])
def test_a_sentence_about_an_epic_names_none(line: str) -> None:
    assert _epic_of(f"# Pay\n\n{line}") is None
    assert _epic_of(f"# Story 3: Pay\n\n{line}", "docs/stories/story-3.md") is None


def test_the_surest_epic_comes_first() -> None:
    text = "---\nepic: 1\n---\n# Pay\n\n**Epic:** 2\n\nEpic 5: A\n\n## Epic\n\n3\n"
    assert _epics(bmad_document(text, "docs/epic-4/pay.md")) == ["1", "2", "3", "4", "5"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(values)
def test_any_value_of_front_matter_is_read(value: Any) -> None:
    assert epic_number(value) != ""


@given(st.text(st.sampled_from("#* Epic12:()/.md\n|[]-")))
def test_any_text_has_epics_with_digits(text: str) -> None:
    assert all(any(map(str.isdigit, each)) for each in _epics(bmad_document(text, PATH)))


@pytest.mark.parametrize("piece", ["## Epic\n", "Epic 2: a\n", "(", "a/", "Epic: ", "**"])
def test_epics_take_linear_time(piece: str) -> None:
    assert_linear(_epics, lambda n: bmad_document(piece * n, PATH), 50)
