"""Retrospectives: the epic and the verdict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import MAX_ID, RetrospectiveReading
from service.bmad.retrospective import read_retrospective
from tests.support.bmad_documents import bmad_document

PATH = "_bmad-output/implementation-artifacts/epic-2-retro-2026-05-09.md"
RETROSPECTIVE = """\
---
epic: 2
date: 05-09-2026 14:30
verdict: accepted-with-open-items
criteria: declared
headless: false
---

# Retrospective of epic 2

## Acceptance verdict

Accepted with open items, for one story has no test.
"""


def read(text: str, path: str = PATH) -> RetrospectiveReading:
    reading = read_retrospective(bmad_document(text, path))
    assert reading is not None
    return reading


def test_the_front_matter_has_the_epic_and_the_verdict() -> None:
    assert read(RETROSPECTIVE) == {
        "epic": "2",
        "verdict": "accepted_with_open_items",
        "word": "accepted-with-open-items",
        "line": 4,
    }


@pytest.mark.parametrize(
    ("path", "epic"),
    [
        ("docs/epic-3-retro-2026-05-09.md", "3"),
        ("docs/epic-3-retro.md", "3"),
        ("docs/retrospectives/epic-4-retrospective.md", "4"),
        ("docs/retrospectives/epic-5-chat-retrospective.md", "5"),
        ("docs/epic-1b-retro-2026.md", "1b"),
        ("shop/epic-accounts/epic-accounts-retrospective.md", "epic-accounts"),
        ("docs/retrospectives/retrospective-epic-3.md", "3"),
        ("docs/retrospectives/retro-Epic-2-2026-05-09.md", "2"),
        ("specs/spec-shop/RETROSPECTIVE.md", None),
        ("docs/retro-2026-05-09.md", None),
    ],
)
def test_the_name_says_the_epic_where_the_front_matter_does_not(
    path: str, epic: str | None
) -> None:
    assert read("# Retrospective\n", path)["epic"] == epic


def test_a_heading_may_name_the_epic() -> None:
    path = "docs/RETROSPECTIVE.md"
    assert read("# Retrospective: Epic 4 - Cards\n", path)["epic"] == "4"
    assert read("# Retrospective\n\n## Epic summary\n", path)["epic"] is None


def test_the_epic_of_the_front_matter_goes_before_the_name() -> None:
    text = "---\nepic: epic-accounts\n---\n"
    assert read(text)["epic"] == "epic-accounts"
    assert read("---\nepic: true\n---\n")["epic"] == "2"


@pytest.mark.parametrize(
    ("path", "file_type"),
    [
        ("docs/epic-2.md", "md"),
        ("docs/epic-2-retro.txt", "txt"),
        ("docs/retrofit-the-cards.md", "md"),
        ("docs/retrospective-template.md", "md"),
        ("_bmad/bmm/epic-2-retro.md", "md"),
        ("docs/stories/2-4-retrospective-board-view.md", "md"),
    ],
)
def test_other_documents_are_no_retrospectives(path: str, file_type: str) -> None:
    assert read_retrospective(bmad_document(RETROSPECTIVE, path, file_type)) is None


@pytest.mark.parametrize(
    ("word", "verdict"),
    [
        ("accepted", "accepted"),
        ("Accepted", "accepted"),
        ("rejected", "rejected"),
        ("accepted-with-open-items", "accepted_with_open_items"),
        ("Accepted with open items (3)", "accepted_with_open_items"),
        ("not accepted", "rejected"),
        ("❌ rejected", "rejected"),
        ("✅ Accepted with open items", "accepted_with_open_items"),
        ("❌ accepted with reservations", None),
        ("accepted with reservations", None),
        ("unclear", None),
        ("accepted | accepted-with-open-items | rejected", None),
    ],
)
def test_a_verdict_is_one_of_three_and_no_other_is_guessed(word: str, verdict: str | None) -> None:
    reading = read(f"---\nverdict: {word}\n---\n")
    assert (reading["verdict"], reading["word"], reading["line"]) == (verdict, word, 2)


@pytest.mark.parametrize(
    ("lines", "word", "line"),
    [
        (["**Verdict:** rejected"], "rejected", 3),
        (["| Verdict | rejected |"], "rejected", 3),
        (["- Acceptance verdict: **Rejected** (2 stories)"], "Rejected (2 stories)", 3),
        (
            ["## Acceptance verdict", "", "**Rejected.** Two stories are not done."],
            "Rejected. Two stories are not done.",
            5,
        ),
        (["## 6. Verdict: Rejected"], "Rejected", 3),
        (["**Epic Verdict:** ❌ rejected"], "❌ rejected", 3),
    ],
)
def test_a_line_or_a_section_may_have_the_verdict(lines: list[str], word: str, line: int) -> None:
    reading = read("\n".join(["# Retrospective", "", *lines, ""]))
    assert (reading["verdict"], reading["word"], reading["line"]) == ("rejected", word, line)


def test_a_retrospective_without_a_verdict_has_none() -> None:
    text = "# Retrospective\n\n**Status:** done\n\n## Verdict\n\nWe learned a lot.\n"
    assert read(text) == {"epic": "2", "verdict": None, "word": "", "line": 1}
    assert len(read(f"---\nverdict: {'x' * 400}\n---\n")["word"]) == MAX_ID


pieces = st.sampled_from(
    [
        *"\n\t #:'\"-*|",
        "---\n",
        "verdict: ",
        "Verdict",
        "accepted",
        "## Acceptance verdict\n",
        "\x00",
    ]
)


@given(st.text() | st.lists(pieces).map("".join))
def test_any_text_is_read(text: str) -> None:
    check(text)


@given(st.data())
def test_a_changed_retrospective_is_read(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(RETROSPECTIVE)))
    end = data.draw(st.integers(start, min(len(RETROSPECTIVE), start + 5)))
    piece = data.draw(st.lists(pieces, max_size=3).map("".join))
    check(RETROSPECTIVE[:start] + piece + RETROSPECTIVE[end:])


def check(text: str) -> None:
    document = bmad_document(text, PATH)
    reading = read_retrospective(document)
    assert reading is not None
    assert "\\x00" not in repr(reading)
    assert 1 <= reading["line"] <= len(document.lines)
