"""The forms of acceptance criteria."""

from __future__ import annotations

import pytest

from tests.bmad.story_text import story_of


@pytest.mark.parametrize(
    ("criteria", "total", "done", "items"),
    [
        pytest.param("1. One\n2. Two\n3. Three", 3, None, 0, id="numbered"),
        pytest.param("1. [x] One\n2. [ ] Two", 2, 1, 2, id="numbered boxes"),
        pytest.param(
            "1. **One**:\n   - [x] a\n   - [ ] b\n\n2. **Two**:\n   - [x] c",
            2,
            1,
            3,
            id="numbered bold with nesting",
        ),
        pytest.param(
            "1. **One**\n  - a\n  - b\n2. **Two**\n  - c", 2, None, 0, id="badly indented"
        ),
        pytest.param(
            "### Functional\n1. One\n2. Two\n### Quality\n3. Three", 3, None, 0, id="groups"
        ),
        pytest.param("### AC1: One\n1. a\n2. b\n### AC2: Two\n- c", 2, None, 0, id="headings"),
        pytest.param(
            "### AC1\n- [x] a\n- [x] b\n### AC2\n- [ ] c", 2, 1, 3, id="headings with boxes"
        ),
        pytest.param(
            "### Scenario: One\nGiven a\n### Scenario: Two\nGiven b", 2, None, 0, id="scenarios"
        ),
        pytest.param("- [x] One\n- [ ] Two\n- [~] Three", 3, 1, 3, id="boxes"),
        pytest.param("- [x]One\n- [ ]Two", 2, 1, 2, id="boxes without a space"),
        pytest.param("- **AC1:** One\n- **AC2:** Two\n- A note", 2, None, 0, id="labelled items"),
        pytest.param(
            "**AC1**: One\n\n**AC2**: Two\n- a\n- b", 2, None, 0, id="labelled paragraphs"
        ),
        pytest.param("AC1: One\nAC2: Two\nAC3: Three", 3, None, 0, id="labelled lines"),
        pytest.param("**1. One**\n- a\n- b\n\n**2. Two**\n- c", 2, None, 0, id="bold numbers"),
        pytest.param(
            "**Given** a\n**When** b\n**Then** c\n\n**Given** d\n**When** e\n**Then** f",
            2,
            None,
            0,
            id="given blocks",
        ),
        pytest.param("Given a\n\nWhen b\n\nThen c\n\nAnd d", 1, None, 0, id="given in paragraphs"),
        pytest.param(
            "- **Given** a\n- **When** b\n- **Then** c\n- **Given** d\n- **Then** e",
            2,
            None,
            0,
            id="given in items",
        ),
        pytest.param(
            "- Given a, when b, then c\n- Given d, when e, then f", 2, None, 0, id="given items"
        ),
        pytest.param("Étant donné a\nQuand b\nAlors c", 1, None, 0, id="french"),
        pytest.param("- One\n- Two\n  - below", 2, None, 0, id="bullets"),
        pytest.param("| AC | Text |\n|---|---|\n| 1 | One |\n| 2 | Two |", 2, None, 0, id="table"),
        pytest.param(
            "```gherkin\nScenario: One\n  Given a\nScenario: Two\n  Given b\n```",
            2,
            None,
            0,
            id="code",
        ),
        pytest.param("See the epic.", 0, None, 0, id="none"),
        # Only a "1." begins a list right below a line of text.
        pytest.param(
            "**Functional:**\n\n1. a\n2. b\n\n**Quality:**\n3. c\n4. d\n\n**Speed:**\n5. e",
            5,
            None,
            0,
            id="numbers continue below labels",
        ),
        pytest.param(
            "1. a\n2. b\n\nIntegration:\n3. c\n4. d", 4, None, 0, id="numbers continue below a line"
        ),
        pytest.param(
            "1. a\n2. b\n\nThe rules are in chapter\n12. Of the book",
            2,
            None,
            0,
            id="a line of text",
        ),
        pytest.param(
            "**1. One**\n\n1. a\n2. b\n\n**2. Two**\n\n1. c\n2. d\n\n**3. Three**",
            3,
            None,
            0,
            id="numbered details of bold numbers",
        ),
        pytest.param(
            "**Functional:**\n\n1. a\n2. b\n\n**Quality:**\n\n1. c",
            3,
            None,
            0,
            id="numbered groups",
        ),
        pytest.param(
            "**Given** a\n**When** b\n**Then** c:\n\n1. x\n2. y\n3. z\n\n**Given** d\n**Then** e",
            2,
            None,
            0,
            id="numbered details of a step",
        ),
        pytest.param(
            "Given a, when b, then c:\n\n1. x\n2. y", 1, None, 0, id="details of a sentence"
        ),
        pytest.param("Given the page is open:\n\n1. x\n2. y", 2, None, 0, id="given before a list"),
        pytest.param("When the page is open:\n\n1. x\n2. y", 2, None, 0, id="when before a list"),
        pytest.param("**CA1 :** a\n\n**CA2 :** b", 2, None, 0, id="CA paragraphs"),
        pytest.param("- CA-1: a\n- CA-2: b\n- c", 2, None, 0, id="CA items"),
        pytest.param("### CA1 : a\n- x\n- y\n### CA2 : b\n- z", 2, None, 0, id="CA headings"),
        pytest.param("**Critério 1:** a\n\n**Critério 2:** b", 2, None, 0, id="critério"),
    ],
)
def test_criteria_are_counted_in_each_form(
    criteria: str, total: int, done: int | None, items: int
) -> None:
    story = story_of(
        f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{criteria}\n\n## Tasks\n\n- [ ] T"
    )
    assert story["acceptance_criteria_total"] == total
    assert story["acceptance_criteria_done"] == done
    assert story["acceptance_criteria_items_total"] == items
    assert story["tasks_total"] == 1


@pytest.mark.parametrize(
    "heading",
    [
        "## Acceptance Criteria",
        "## ✅ Acceptance Criteria (ACs)",
        "## 3. Acceptance criteria",
        "**Acceptance Criteria:**",
        "**Acceptance Criteria**",
        "### Acceptance Tests",
        "## ACs",
        "## Critères d'acceptation",
        "## 验收标准",
        "## 接受标准",
        "## Criterios de aceptación",
        "## Critérios de Aceitação",
        "## 수용 기준",
    ],
)
def test_criteria_are_found_below_each_heading(heading: str) -> None:
    story = story_of(f"# Story 1.2: T\n\n{heading}\n\n1. One\n2. Two\n\n## Notes\n\n1. Three\n")
    assert story["acceptance_criteria_total"] == 2


def test_headings_of_criteria_need_no_section() -> None:
    text = "# Story 1.2: T\n\n## AC1: One\n\n1. a\n2. b\n\n## AC2: Two\n\nText\n"
    assert story_of(text)["acceptance_criteria_total"] == 2


@pytest.mark.parametrize(
    "heading", ["Acceptance Criteria Validation", "Acceptance Criteria Coverage"]
)
def test_what_a_review_says_of_criteria_is_no_criterion(heading: str) -> None:
    text = f"# Story 1.2: T\n\n## {heading}\n\n1. One\n\n## QA Results\n\n### AC1: One\n\nMet\n"
    assert story_of(text)["acceptance_criteria_total"] == 0


def test_criteria_and_tasks_of_one_section_are_told_apart_by_their_labels() -> None:
    text = """---
title: Sign in
status: in-progress
---

## Tasks & Acceptance

**Execution:**
- [x] `a.py` -- add a route
- [ ] `b.py` -- call it

**Acceptance Criteria:**
- Given a user, when they sign in, then they see their name
"""
    story = story_of(text, "_bmad-output/implementation-artifacts/spec-1-2-sign-in.md")
    assert (story["tasks_total"], story["tasks_done"]) == (2, 1)
    assert story["acceptance_criteria_total"] == 1
    assert story["title"] == "Sign in"


@pytest.mark.parametrize(
    "steps",
    [
        *("Given a\nWhen b\nThen c", "Étant donnée a\nQuand b\nAlors c"),
        *("Étant donnés a\nLorsqu\u2019elle b\nDonc c", "Soit a\nQuand b\nMais c"),
        *("Dadas a\nCuando b\nEntonces c", "Dados a\nQuando b\nEntão c"),
        *("假设 a\n当 b\n那么 c", "給定 a\n當 b\n那麼 c", "주어진 a\n만약 b\n그러면 c"),
    ],
)
def test_given_blocks_are_criteria_in_each_language(steps: str) -> None:
    items = "\n".join(f"- {step}" for step in steps.split("\n"))
    bold = "\n".join(f"**{step.replace(' ', '** ')}" for step in steps.split("\n"))
    for form in (steps, bold, items):
        text = f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{form}\n\n{form}\n"
        assert story_of(text)["acceptance_criteria_total"] == 2


@pytest.mark.parametrize(
    "label",
    [
        *("**Out of scope:**", "**Notes**", "Technical notes:", "### Definition of Done", "DoD:"),
        *("**Out of scope for this story:**", "### Assumptions", "**Hors périmètre :**"),
        *("### Verification Steps", "**Testing steps:**", "**Test steps**"),
        *("**Fuera de alcance:**", "**Fora do escopo:**", "**范围外\uff1a**", "**Non-Goals:**"),
    ],
)
def test_what_is_beside_the_criteria_is_none(label: str) -> None:
    for criteria, more, done in (("1. a\n2. b", "1. c", None), ("- [x] a\n- [x] b", "- [ ] c", 2)):
        text = f"{criteria}\n\n{label}\n\n1. x\n2. x\n3. x\n- [ ] y\n\n**More:**\n\n{more}"
        story = story_of(f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{text}\n")
        is_open = "#" in label  # the section of a heading goes on below a label
        assert story["acceptance_criteria_total"] == (2 if is_open else 3)
        assert story["acceptance_criteria_done"] == done
    alone = story_of(f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{label}\n\n- [x] y\n- [ ] z\n")
    assert alone["acceptance_criteria_total"] == 2


@pytest.mark.parametrize(
    "heading", ["Notes can be edited", "Background jobs run", "References are shown", "Risk: shown"]
)
def test_a_criterion_may_begin_with_such_a_word(heading: str) -> None:
    text = f"# Story 1.2: T\n\n## Acceptance Criteria\n\n### {heading}\n\nx\n\n### Other\n\ny\n"
    assert story_of(text)["acceptance_criteria_total"] == 2


def test_numbers_that_continue_are_criteria_below_any_label() -> None:
    text = "1. a\n2. b\n\n**Definition of Done:**\n\n3. c\n"
    story = story_of(f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{text}")
    assert story["acceptance_criteria_total"] == 3


@pytest.mark.parametrize("text", ["`[]` is returned", "[] is returned"])
def test_brackets_of_a_criterion_are_no_box(text: str) -> None:
    for begin in ("-", "1."):
        form = f"{begin} {text}\n{begin} The list is shown\n"
        story = story_of(f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{form}")
        assert story["acceptance_criteria_total"] == 2
        assert story["acceptance_criteria_done"] is None
        assert story["acceptance_criteria_items_total"] == 0


def test_blank_boxes_of_criteria_are_counted_among_boxes() -> None:
    story = story_of("# Story 1.2: T\n\n## Acceptance Criteria\n\n- [x] a\n- [] b\n- c\n")
    assert story["acceptance_criteria_total"] == 2
    assert story["acceptance_criteria_done"] == 1


@pytest.mark.parametrize("label", ["### {}", "**{}:**", "{}:"])
@pytest.mark.parametrize("item", ["- a", "1. a", "- [ ] a"])
def test_a_feature_may_be_called_notes(label: str, item: str) -> None:
    names = ("Login", "User notes", "References", "Export")
    groups = "\n\n".join(f"{label.format(name)}\n\n{item}\n{item}" for name in names)
    story = story_of(f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{groups}\n")
    assert story["acceptance_criteria_total"] == 8


@pytest.mark.parametrize(
    "beside",
    [
        "**Technical notes:**\n\n- c",
        "**Out of scope:**\n\n- c",
        "**DoD:**\n\n- c",
        "**Notes:**\n\n1. c",
    ],
)
def test_what_is_beside_features_is_no_criterion(beside: str) -> None:
    text = f"**Login:**\n\n- a\n\n{beside}\n\n**Export:**\n\n- b\n"
    story = story_of(f"# Story 1.2: T\n\n## Acceptance Criteria\n\n{text}")
    assert story["acceptance_criteria_total"] == 2
