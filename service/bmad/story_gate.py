"""The gate that the review in a story's own file says."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from service.bmad.document import BmadDocument
from service.bmad.gate import DECISION_WORD, decision_of, score_of
from service.bmad.readings import GateReading
from service.bmad.statuses import ARROW
from service.bmad.story_sections import HEADING_TAGS, SectionName, StorySection
from service.bmad.texts import short_id, short_text
from service.documents.blocks import Block

_LABEL = (
    r"^[^\w\n]{0,12}+(?>(?:final|updated|overall|current|qa|quality)[ \t]){0,3}+"
    r"gate(?>[ \t](?:status|decision|result))?+"
)
# "Gate: PASS → docs/qa/gates/1.3-a.yml", "**Final Gate Decision:** ✅ PASS", "| Gate | PASS |".
GATE: Final = re.compile(
    rf"{_LABEL}[*_ \t]*+[:\uff1a|][^\w\n]{{0,12}}?(?P<word>{DECISION_WORD})",
    re.IGNORECASE | re.MULTILINE,
)
# "### Gate Decision", with "**PASS**" below it.
HEADING: Final = re.compile(rf"{_LABEL}[^\w\n]{{0,12}}+$", re.IGNORECASE | re.MULTILINE)
WORD: Final = re.compile(rf"[^\w\n]{{0,12}}?(?P<word>{DECISION_WORD})", re.IGNORECASE)
SCORE: Final = re.compile(
    r"^[ \t>*_#|-]{0,10}+quality score[*_ \t]*+:[*_ \t]*+(\d[^\n]{0,20})",
    re.IGNORECASE | re.MULTILINE,
)
# What may follow the word of a decision: the end, the gate's file, a score in brackets.
END: Final = re.compile(
    rf"[*_`\"')\]!.✅❌]*+[^\S\n]*+(?:[^\w\s\x00-\x7f]++[^\S\n]*+)?(?:$|\(|\[|{ARROW.pattern}|[\w.-]*+/)",
    re.MULTILINE,
)
# A sign before a comment, such as "PASS - all criteria are met".
COMMENT: Final = re.compile(r"[*_`\"')\]]*+[^\S\n]*+[^\w\s`\"'<{]")
# Sections that say what must be done, and with what gates.
OF_WORK: Final[frozenset[SectionName | None]] = frozenset(
    ("notes", "tasks", "criteria", "dependencies", "sentence")
)
OF_REVIEW: Final[frozenset[SectionName | None]] = frozenset(("review", "findings"))


# "### Reviewed By: Quinn (Test Architect)", "**Review Date:** 2025-10-06", "- Reviewer: Quinn".
BY_LINE: Final = re.compile(
    r"^[ \t>*_#|-]{0,10}+(?:(?P<reviewer>reviewed by|reviewer)|(?P<updated>review date|reviewed on"
    r"|date of review))[*_ \t]*+[:\uff1a|][*_ \t]*+(?P<value>[^\s|][^\n|]{0,300}+)",
    re.IGNORECASE | re.MULTILINE,
)
MARKUP: Final = "*_` \t\r"
LEVEL_OF_PARTS: Final = 2  # of headings that begin another part of a story, such as "QA Results"


class _Found(NamedTuple):
    """A decision, and who reviewed when, as the lines above it and around it say."""

    word: str
    line: int
    by_lines: dict[str, str]


def read_story_gate(document: BmadDocument, sections: Sequence[StorySection]) -> GateReading | None:
    """Return the gate that the review in a story's own file says; None without one.

    Of several reviews the last one counts, with the reviewer and the date that it says itself.
    Elsewhere than in a review a line must have the decision alone, but for a score and the gate's
    file: "Quality gate: fail the build" is an instruction. In a row of a table the decision is in
    capitals there: "| Gate | Pass |" is a header.
    """
    if not GATE.search(document.text) and not HEADING.search(document.text):
        return None
    found = [*_find(sections)]
    if not found:
        return None
    scores = SCORE.findall(document.text)
    return GateReading(
        decision=decision_of(found[-1].word),
        word=short_id(found[-1].word),
        line=found[-1].line,
        story=None,
        story_in_name=None,
        score=score_of(scores[-1]) if scores else None,
        reviewer=short_text(found[-1].by_lines.get("reviewer", "")) or None,
        updated=short_id(found[-1].by_lines.get("updated", "")) or None,
        expires=None,
        issues=[],
        waiver_reason=None,
        is_waiver_active=False,
        other_word=None,
        notes=[],
    )


def _find(sections: Sequence[StorySection]) -> Iterator[_Found]:
    by_lines: dict[str, str] = {}  # of the review that is read, which its decisions share
    open_in: StorySection | None = None  # where more of them may follow its decision
    is_decided = False
    for section in sections:
        if section.name in OF_WORK:
            continue
        is_review = section.name in OF_REVIEW
        if (
            section.head
            and section.level <= LEVEL_OF_PARTS
            and not BY_LINE.match(section.head.text)
        ):
            by_lines, is_decided = {}, False
        is_below = False
        for block in (section.head, *section.blocks) if section.head else section.blocks:
            if block.tag == "pre":
                continue
            for label, value in _read_by_lines(block) if is_review else ():
                if label in by_lines or (is_decided and open_in is not section):
                    by_lines, is_decided = {}, False
                by_lines[label] = value
            below = WORD.match(block.text) if is_review and is_below else None
            if below and END.match(block.text, below.end("word")):
                open_in, is_decided = None if by_lines else section, True
                yield _Found(below["word"], block.line, by_lines)
            is_below = False
            if "gate" not in block.text.lower():
                continue
            line, position = block.line, 0
            for found in GATE.finditer(block.text):
                line += block.text.count("\n", position, found.start("word"))
                position = found.start("word")
                is_header = block.tag == "tr" and not is_review and not found["word"].isupper()
                if not is_header and _is_decision(found, is_review=is_review):
                    open_in, is_decided = None if by_lines else section, True
                    yield _Found(found["word"], line, by_lines)
            is_below = _is_label(block)


def _read_by_lines(block: Block) -> Iterator[tuple[str, str]]:
    """Yield the labels of BY_LINE that a block of a review has, with their values."""
    if "review" in block.text.lower():
        for found in BY_LINE.finditer(block.text):
            if value := found["value"].strip(MARKUP):
                yield "reviewer" if found["reviewer"] else "updated", value


def _is_label(block: Block) -> bool:
    """Return whether a block is a heading, or a label in bold, that says "gate"."""
    is_label = block.tag in HEADING_TAGS or block.text == block.strong
    return is_label and bool(HEADING.fullmatch(block.text))


def _is_decision(found: re.Match[str], *, is_review: bool) -> bool:
    text, end = found.string, found.end("word")
    if END.match(text, end):
        return True
    is_certain = found["word"].isupper()
    if is_review and is_certain:
        return True
    return (is_review or is_certain) and bool(COMMENT.match(text, end))
