"""Gates: the decision, and what it rests on."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bmad.document import BmadDocument
from service.bmad.gate import MAX_JSON, read_gate
from service.bmad.readings import MAX_ID, MAX_ITEMS, MAX_KEY, MAX_TEXT, GateReading
from service.documents.kinds import GATE_TEXT
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

PATH = "docs/qa/gates/1.3-pay-by-card.yml"
GATE = """\
schema: 1
story: '1.3'
story_title: 'Pay by card'
gate: CONCERNS
status_reason: 'Refunds are not tested.'
reviewer: 'Quinn (Test Architect)'
updated: '2025-01-12T10:15:00Z'

top_issues:
  - id: 'TEST-001'
    severity: medium # only: low|medium|high
    finding: 'No test refunds a payment'
    suggested_action: 'Add one'
  - id: SEC-002
    severity: high
    finding: "Card numbers are logged"

waiver: { active: false }

quality_score: 80
expires: '2025-01-26T00:00:00Z'

nfr_validation:
  security:
    status: FAIL
history:
  - at: '2025-01-10T10:00:00Z'
    gate: FAIL
"""
MARKDOWN = """\
# Quality Gate: Story 1.3 - Pay by card

**Reviewer:** Quinn
**Date:** 2025-01-12
**Quality Score:** 92/100

## Gate Decision

**PASS** ✅

| Area | Status |
|---|---|
| Security | CONCERNS |
"""


def read(text: str, path: str = PATH) -> GateReading:
    file_type = {"yml": "yaml", "json": "json", "md": "md"}[path.rpartition(".")[2]]
    reading = read_gate(bmad_document(text, path, file_type))
    assert reading is not None
    return reading


def decision(text: str, path: str = PATH) -> str | None:
    return read(text, path)["decision"]


def test_a_gate_of_the_method_is_read() -> None:
    assert read(GATE) == {
        "decision": "CONCERNS",
        "word": "CONCERNS",
        "line": 4,
        "story": "1.3",
        "story_in_name": "1.3",
        "score": 80,
        "reviewer": "Quinn (Test Architect)",
        "updated": "2025-01-12T10:15:00Z",
        "expires": "2025-01-26T00:00:00Z",
        "issues": [
            {"id": "TEST-001", "severity": "medium", "finding": "No test refunds a payment"},
            {"id": "SEC-002", "severity": "high", "finding": "Card numbers are logged"},
        ],
        "waiver_reason": None,
        "is_waiver_active": False,
        "other_word": None,
        "notes": [],
    }


@pytest.mark.parametrize(
    ("path", "file_type", "text"),
    [
        ("docs/stories/1.3.story.md", "md", "# Story 1.3\n\nGate: PASS\n"),
        ("docs/a.yaml", "yaml", "a: 1\n"),
        (".bmad-core/templates/qa-gate-tmpl.yaml", "yaml", GATE),
    ],
)
def test_other_documents_are_no_gates(path: str, file_type: str, text: str) -> None:
    assert read_gate(bmad_document(text, path, file_type)) is None


def test_the_first_key_that_has_a_decision_decides() -> None:
    assert (
        read("status: FAIL\ndecision: CONCERNS\ngate_decision: WAIVED\ngate: PASS\n")["line"] == 4
    )
    assert decision("status: FAIL\ndecision: CONCERNS\ngate_decision: WAIVED\n") == "WAIVED"
    assert decision("status: FAIL\ndecision: CONCERNS\n") == "CONCERNS"
    assert decision("status: FAIL\n") == "FAIL"
    assert decision("gate: 1.3-pay-by-card\ndecision: PASS\n") == "PASS"
    assert decision("status: FAIL\n# Gate: PASS\n") == "FAIL"
    assert decision("# Gate: PASS\nschema: 1\n") == "PASS"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("PASS", "PASS"),
        ("pass", "PASS"),
        ("Passed", "PASS"),
        ('"PASS"', "PASS"),
        ("✅ PASS", "PASS"),
        ("'**PASS** (after fixes)'", "PASS"),
        ("CONCERNS", "CONCERNS"),
        ("FAIL → PASS", "PASS"),
        ("concern", "CONCERNS"),
        ("PASS_WITH_CONCERNS", "CONCERNS"),
        ("Pass with minor concerns", "CONCERNS"),
        ("FAILED", "FAIL"),
        ("Waived", "WAIVED"),
        ("PASS|CONCERNS|FAIL|WAIVED", None),
        ("Passing", None),
        ("approved", None),
        ("[]", None),
    ],
)
def test_a_decision_is_one_of_four_words_and_no_other_is_guessed(
    word: str, expected: str | None
) -> None:
    assert decision(f"gate: {word}\n") == expected


def test_a_word_that_is_no_decision_is_shown() -> None:
    reading = read("gate: approved\n")
    assert (reading["decision"], reading["word"], reading["line"]) == (None, "approved", 1)
    assert reading["notes"] == ["The gate's decision cannot be read."]
    assert read("")["word"] == ""


def test_the_keys_may_be_in_a_mapping() -> None:
    text = "gate:\n  decision: PASS\n  quality_score: 90\n  story: '1.3'\n"
    assert (read(text)["decision"], read(text)["line"]) == ("PASS", 2)
    assert (read(text)["score"], read(text)["story"]) == (90, "1.3")
    assert decision("quality_gate:\n  story: '1.3'\n  gate: FAIL\n") == "FAIL"


def test_decisions_of_earlier_reviews_and_of_areas_do_not_count() -> None:
    text = "history:\n  - gate: FAIL\nnfr_validation:\n  security:\n    status: CONCERNS\n"
    assert decision(text) is None
    assert (read(text + "gate: PASS\n")["decision"], read(text)["other_word"]) == ("PASS", None)


@pytest.mark.parametrize(
    ("written", "story"),
    [
        ("'2.10'", "2.10"),
        ("2.10", "2.10"),
        ("2.1", "2.1"),
        ("2.10-pay", "2.10-pay"),
        ("7", "7"),
        ("pay-by-card", "pay-by-card"),
        ("{id: '2.10', title: Pay}", "2.10"),
        ("", None),
        ("[2.1]", None),
    ],
)
def test_the_story_is_as_written(written: str, story: str | None) -> None:
    assert read(f"story: {written}\ngate: PASS\n")["story"] == story


@pytest.mark.parametrize(
    ("name", "story"),
    [
        ("1.3-pay-by-card", "1.3"),
        ("2.10-pay", "2.10"),
        ("1-3-pay", "1.3"),
        ("E8.9-pay", "E8.9"),
        ("AP-4.4-pay", "AP-4.4"),
        ("1.3a", "1.3a"),
        ("gate-1.3-pay", "1.3"),
        ("story-1.3", "1.3"),
        ("qa-gate-2.10", "2.10"),
        ("epic-2.story-10-pay", "2.10"),
        ("pay-by-card", None),
    ],
)
def test_the_name_of_the_file_says_a_story(name: str, story: str | None) -> None:
    assert read("story: 2.1\ngate: PASS\n", f"docs/qa/gates/{name}.yml")["story_in_name"] == story


@pytest.mark.parametrize(
    ("written", "score"),
    [
        ("100", 100),
        ("0", 0),
        ("'85/100'", 85),
        ("85%", 85),
        ("92.5", 92),
        ("101", None),
        ("-5", None),
        ("8/10", None),
        ("high", None),
        ("", None),
        ("1.2.3", None),
        ("95 (after fixes)", 95),
    ],
)
def test_the_score_is_from_0_to_100(written: str, score: int | None) -> None:
    assert read(f"gate: PASS\nquality_score: {written}\n")["score"] == score


def test_a_waiver_has_its_reason() -> None:
    reading = read(
        "gate: WAIVED\nwaiver:\n  active: true\n  reason: 'First release'\n  approved_by: Ada\n"
    )
    assert (reading["decision"], reading["is_waiver_active"]) == ("WAIVED", True)
    assert reading["waiver_reason"] == "First release"
    assert not read("gate: PASS\nwaiver: null\n")["is_waiver_active"]


def test_issues_may_be_texts() -> None:
    issues = read("gate: FAIL\nissues:\n  - Slow\n  - description: Wrong\n  - [a]\n")["issues"]
    assert [issue["finding"] for issue in issues] == ["Slow", "Wrong"]
    assert read("gate: PASS\ntop_issues: none\n")["issues"] == []


def test_another_decision_in_the_text_is_shown() -> None:
    assert read("gate: PASS\ndecision: CONCERNS\n")["other_word"] == "CONCERNS"
    assert read("gate: PASS\nstatus_reason: 'CONCERNS: no tests.'\n")["other_word"] == "CONCERNS"
    assert read("gate: PASS\nnotes: The gate is FAIL for now.\n")["other_word"] == "FAIL"
    assert read("gate: PASS\nstatus_reason: 'All tests pass, no concerns.'\n")["other_word"] is None
    assert read("gate: PASS\nstatus: passed\n")["other_word"] is None
    assert read("gate: PASS\nnotes: CONCERNS are resolved.\n")["other_word"] is None
    assert read("gate: PASS\nnotes: Gate FAIL → PASS after fixes\n")["other_word"] is None
    text = "---\ngate: PASS\n---\n# Gate 1.3\n\n**Gate:** CONCERNS\n"
    reading = read(text, "docs/qa/gates/1.3-pay.md")
    assert (reading["decision"], reading["line"], reading["other_word"]) == ("PASS", 2, "CONCERNS")


def test_an_invalid_gate_gives_what_can_be_read_and_a_note() -> None:
    reading = read(
        "story: 1.3\ngate: PASS\nstatus_reason: 'It's done'\ntop_issues:\n  - id: A\n"
        "    finding: B: C: D\nquality_score: 95\nreviewer: Quinn\n"
    )
    assert (reading["decision"], reading["score"], reading["reviewer"]) == ("PASS", 95, "Quinn")
    assert [issue["id"] for issue in reading["issues"]] == ["A"]
    assert len(reading["notes"]) == 2


def test_an_invalid_gate_without_keys_is_read_line_by_line() -> None:
    reading = read("{schema: 1\n\nGate: PASS\n")
    assert (reading["decision"], reading["word"], reading["line"]) == ("PASS", "PASS", 3)
    assert reading["notes"]


def test_markdown_gates_are_read_by_their_lines() -> None:
    reading = read(MARKDOWN, "docs/qa/gates/1.3-pay.md")
    assert (reading["decision"], reading["word"], reading["line"]) == ("PASS", "PASS", 9)
    assert (reading["score"], reading["reviewer"]) == (92, "Quinn")
    assert reading["updated"] == "2025-01-12"
    assert reading["story_in_name"] == "1.3"
    assert reading["notes"] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("Gate: PASS", "PASS"),
        ("**Gate:** PASS", "PASS"),
        ("QA Gate → PASS", "PASS"),
        ("**Gate Decision**: ✅ **PASS**", "PASS"),
        ("| Gate | FAIL |", "FAIL"),
        ("- Decision: WAIVED", "WAIVED"),
        ("> Status: CONCERNS", "CONCERNS"),
        ("## Gate Status\n\nCONCERNS\n", "CONCERNS"),
        ("Overall Status: PASS", "PASS"),
        ("gate: PASS", "PASS"),
        ("```yaml\ngate: FAIL\n```", "FAIL"),
        ("Previous gate: FAIL", None),
        ("Gate: PASS|CONCERNS|FAIL", None),
        ("Security status: FAIL", None),
        ("The gate opens when all pass", None),
    ],
)
def test_decision_of_a_line_is_right_after_a_label_of_the_gate(
    line: str, expected: str | None
) -> None:
    assert decision(f"# Gate of story 1.3\n\n{line}\n", "docs/qa/gates/1.3-pay.md") == expected


def test_a_gates_line_goes_before_one_of_a_status() -> None:
    text = "# Review\n\nStatus: FAIL\n\nDecision: CONCERNS\n\nGate: PASS\n"
    reading = read(text, "docs/qa/gates/1.3-pay.md")
    assert (reading["decision"], reading["line"]) == ("PASS", 7)
    assert reading["other_word"] == "CONCERNS"


def test_json_gates_are_read() -> None:
    gate: dict[str, Any] = {
        "schema": 1, "story": 2.1, "note": {"gate": 1}, "gate": "PASS", "quality_score": 90,
        "waiver": {"active": True, "reason": None}, "top_issues": [{"id": "A", "severity": "low"}],
    }  # fmt: skip
    path = "docs/qa/gates/2.10-pay.json"
    reading = read(json.dumps(gate, indent=2), path)
    assert (reading["decision"], reading["story"], reading["score"]) == ("PASS", "2.1", 90)
    assert reading["story_in_name"] == "2.10"
    assert (reading["is_waiver_active"], reading["waiver_reason"]) == (True, None)
    assert reading["issues"] == [{"id": "A", "severity": "low", "finding": ""}]
    broken = read('{\n"gate": "PASS",\n', path)
    assert (broken["decision"], broken["line"]) == ("PASS", 2)
    assert broken["notes"][0].startswith("It is not JSON: ")


def test_json_that_is_too_long_for_the_parser_is_read_line_by_line() -> None:
    reading = read(f'{{"gate": "PASS", "rest": "{"x" * MAX_JSON}"}}', "docs/qa/gates/1.1-a.json")
    assert (reading["decision"], reading["notes"]) == ("PASS", ["It is longer than 256 KiB."])


def test_texts_and_lists_are_bounded() -> None:
    issues = "".join(f"  - {'x' * 400}\n" for _ in range(3))
    reading = read(
        f"gate: {'w' * 400}\nstory: {'s' * 400}\nreviewer: {'r' * 400}\ntop_issues:\n{issues}"
    )
    assert (len(reading["word"]), len(reading["story"] or "")) == (MAX_ID, MAX_KEY)
    assert len(reading["reviewer"] or "") == MAX_TEXT
    assert [len(issue["finding"]) for issue in reading["issues"]] == [MAX_TEXT] * 3
    many = read("gate: PASS\ntop_issues:\n" + "  - a\n" * (MAX_ITEMS + 1))
    assert len(many["issues"]) == MAX_ITEMS


pieces = st.sampled_from(
    [
        *"\n\t #:'\"-{}[]|*",
        "gate: ",
        "PASS",
        "FAIL\n",
        "**Gate:** ",
        "decision",
        "status: ",
        "→",
        "waiver:\n",
        "  active: true\n",
        "top_issues:\n",
        "  - id: A\n",
        "---\n",
        "\x00",
        "story: 2.10\n",
    ]
)


@given(st.text() | st.lists(pieces).map("".join), st.sampled_from(["yml", "md", "json"]))
def test_any_text_is_read(text: str, suffix: str) -> None:
    check(text, suffix)


@given(st.data(), st.sampled_from([(GATE, "yml"), (MARKDOWN, "md"), ('{"gate": "PASS"}', "json")]))
def test_a_changed_gate_is_read(data: st.DataObject, gate: tuple[str, str]) -> None:
    text, suffix = gate
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 5)))
    piece = data.draw(st.lists(pieces, max_size=3).map("".join))
    check(text[:start] + piece + text[end:], suffix)


def check(text: str, suffix: str) -> None:
    file_type = {"yml": "yaml"}.get(suffix, suffix)
    document = bmad_document(text, f"docs/qa/gates/1.3-pay.{suffix}", file_type)
    if (reading := read_gate(document)) is not None:
        assert "\\x00" not in repr(reading)
        assert 1 <= reading["line"] <= len(document.lines)
        assert reading["decision"] or reading["notes"]


@pytest.mark.parametrize("suffix", ["yml", "md", "json"])
@pytest.mark.parametrize(
    "piece",
    ["gate ", "gate\n", "a b c ", "| ", "**a** ", "a: ", " \n", "PASS ", "- ", "[", '{"a":'],
)
def test_the_time_is_linear(piece: str, suffix: str) -> None:
    file_type = {"yml": "yaml"}.get(suffix, suffix)
    path = f"docs/qa/gates/1.3-pay.{suffix}"

    def make(size: int) -> BmadDocument:
        return bmad_document(piece * (size // len(piece)), path, file_type)

    assert_linear(read_gate, make, 2 * GATE_TEXT)


@pytest.mark.parametrize(
    "text",
    [
        "Gate: PASS\nStory: '1.3'\n",
        "GATE_DECISION: PASS\nSTORY: '1.3'\n",
        "Quality Gate:\n  Gate: PASS\n  Story-ID: '1.3'\n",
        "decision: {gate: PASS, story: '1.3'}\n",
        "quality_gate: PASS\nstory: '1.3'\n",
        "final_gate: PASS\nstory: '1.3'\nprevious_gate: FAIL\n",
    ],
)
def test_keys_are_found_however_they_are_written(text: str) -> None:
    found = read(text)
    assert (found["decision"], found["story"], found["other_word"]) == ("PASS", "1.3", None)
