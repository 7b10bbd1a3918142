import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.readings import GateReading
from service.bmad.story_gate import read_story_gate
from service.bmad.story_sections import cut_sections
from tests.support.bmad_documents import bmad_document


def gate_of(text: str) -> GateReading | None:
    document = bmad_document(text)
    return read_story_gate(document, cut_sections(document.blocks, None))


@pytest.mark.parametrize(
    ("text", "decision", "score", "line"),
    [
        ("### Gate Status\n\nGate: PASS → docs/qa/gates/1.3-a.yml\n", "PASS", None, 3),
        ("**Gate:** ✅ **PASS** → [a](b)\n\n**Quality Score:** 100/100\n", "PASS", 100, 1),
        (
            "Gate: FAIL\n\nAgain.\n\n- **Gate Decision**: CONCERNS\nQuality Score: 80%\n",
            "CONCERNS",
            80,
            5,
        ),
        ("Gate: PASS with CONCERNS\n", "CONCERNS", None, 1),
        ("## QA Results\n\n**Updated Quality Gate:** ✅ **PASS** with a score\n", "PASS", None, 3),
        ("## QA Results\n\n**Final Gate Decision:** PASS (Quality Score: 9)\n", "PASS", None, 3),
        ("## QA Results\n\n### Gate Decision\n\n**PASS** ✅\n", "PASS", None, 5),
        ("## QA Results\n\n**Gate Status**\n\nWaived\n", "WAIVED", None, 5),
        ("## QA Results\n\n### Gate Status\n\nGate: FAIL → docs/qa/gates/a.yml\n", "FAIL", None, 5),
        ("## QA Results\n\n### 🎉 GATE STATUS: **PASS** - Ready for Done\n", "PASS", None, 3),
        ("## QA Results\n\n- Gate: pass, with a remark\n", "PASS", None, 3),
        ("## QA Results\n\n| Gate | CONCERNS |\n|---|---|\n", "CONCERNS", None, 3),
        ("## QA Results\n\n| Check | Result |\n|---|---|\n| Gate | Pass |\n", "PASS", None, 5),
        ("## Quality\n\n| Gate | PASS |\n|---|---|\n", "PASS", None, 3),
        ("**QA Gate:** PASS (95/100) - [Gate](../qa/gates/a.yml)\n", "PASS", None, 1),
        ("**QA Gate:** pass docs/qa/gates/a.yml\n", "PASS", None, 1),
        ("Gate: ✅ `PASS`\n", "PASS", None, 1),
        ("Gate: CONCERNS - no tests\n", "CONCERNS", None, 1),
    ],
)
def test_review_in_a_story_says_a_gate(
    text: str, decision: str, score: int | None, line: int
) -> None:
    found = gate_of(text)
    assert found
    assert (found["decision"], found["score"], found["line"]) == (decision, score, line)


@pytest.mark.parametrize(
    "text",
    [
        "**Status:** PASS\n",
        "The gate: see PASS below\n",
        "Gate:\nPASS\n",
        "Gate: PASS | FAIL\n",
        "Quality gate: fail the build when coverage drops\n",
        "## Quality\n\n| Gate | Pass |\n|---|---|\n| Lint | pass |\n",
        "- Gate: pass `--strict`\n",
        "Gate: Pass criteria are in the plan\n",
        "Gate: fail, if coverage drops\n",
        "CI gate: failed builds block the merge\n",
        "**Previous Gate:** PASS\n",
        "```yaml\ngate: PASS\n```\n",
        "## QA Results\n\n```\nGate: PASS\n```\n",
        "## QA Results\n\n- Gate: pass the token on\n",
        "## QA Results\n\n### Gate Decision\n\nPassing this gate takes a test.\n",
        "## Dev Notes\n\nGate: PASS\n",
        "## Tasks\n\n- [ ] Gate: PASS\n",
        "## Acceptance Criteria\n\n- Gate: PASS\n",
        "",
    ],
)
def test_other_lines_of_a_story_say_no_gate(text: str) -> None:
    assert gate_of(text) is None


BY_QUINN = "### Review Date: 2025-10-06\n\n### Reviewed By: Quinn (Test Architect)\n\n"


@pytest.mark.parametrize(
    ("text", "reviewer", "updated"),
    [
        (
            BY_QUINN + "### Code Quality\n\n### Gate Status\n\nGate: PASS → a/b.yml\n",
            "Quinn (Test Architect)",
            "2025-10-06",
        ),
        (
            "**Reviewed By:** Quinn\n**Review Date:** 2025-10-06\n\nGate: FAIL\n",
            "Quinn",
            "2025-10-06",
        ),
        ("Gate: PASS\n\n- **Reviewer**: Quinn\n- Review date: 6 May\n", "Quinn", "6 May"),
        ("| Reviewer | Quinn |\n|---|---|\n| Gate | PASS |\n", "Quinn", None),
        (
            BY_QUINN
            + "Gate: FAIL\n\n### Review Date: 2025-10-09\n\n### Reviewed By: Ann\n\nGate: PASS\n",
            "Ann",
            "2025-10-09",
        ),
        (
            "### Review Date: 2025-10-06\n\nGate: FAIL\n\n### Reviewed By: Ann\n\nGate: PASS\n",
            "Ann",
            None,
        ),
        ("Gate: PASS\n\n## Peer Review\n\nReviewed by: Ann\n", None, None),
        ("### Reviewed By: Ann\n\n## Gate\n\nGate: PASS\n", None, None),
    ],
)
def test_newest_review_of_a_story_says_its_reviewer_and_date(
    text: str, reviewer: str | None, updated: str | None
) -> None:
    found = gate_of(f"# Story 1.1: A\n\n## QA Results\n\n{text}")
    assert found
    assert (found["reviewer"], found["updated"]) == (reviewer, updated)


def test_reviewer_of_another_part_is_not_that_of_the_gate() -> None:
    found = gate_of("## Notes\n\nReviewer: Sarah\n\n## QA Results\n\nGate: PASS\n")
    assert found
    assert found["reviewer"] is None


PIECES = [
    "Reviewed By: ",
    "Review Date: 2025-10-06",
    "## QA Results\n\n",
    "Gate: ",
    "PASS",
    "fail",
    " → ",
    "**",
    "\n",
    "|",
    "- ",
    "a/b ",
    "✅",
    " ",
]


@given(st.text() | st.lists(st.sampled_from(PIECES), max_size=100).map("".join))
def test_any_text_may_say_a_gate(text: str) -> None:
    found = gate_of(text)
    if found:
        assert found["decision"] in {"PASS", "CONCERNS", "FAIL", "WAIVED"}
        assert 1 <= found["line"] <= text.count("\n") + text.count("\r") + 1


@pytest.mark.parametrize("piece", ["Gate: PASS ", "*", "Gate:\n", "gate ", "Gate: PASS`", "final "])
def test_the_time_is_linear(piece: str) -> None:
    document = bmad_document(piece * (200_000 // len(piece)))
    assert len(document.blocks) < 200_000
    sections = cut_sections(document.blocks, None)
    begin = time.process_time()
    read_story_gate(document, sections)
    assert time.process_time() - begin < 1
