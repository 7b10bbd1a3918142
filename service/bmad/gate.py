"""The quality gate of a story: its decision, and what that rests on.

Version 4 of the method has a YAML file for each gate, by its task qa-gate. Teams also write gates
in Markdown and JSON.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, cast

from service.bmad.document import BmadDocument, fold_key
from service.bmad.identity import read_name
from service.bmad.readings import MAX_ITEMS, MAX_TEXT, GateReading, Issue
from service.bmad.statuses import ARROW
from service.bmad.texts import short_id, short_key, short_text
from service.bmad.yaml_lines import (
    YamlList,
    YamlMapping,
    YamlNode,
    YamlText,
    read_yaml,
    text_of,
)
from service.documents.front_matter import MAX_DEPTH, is_mapping

# The keys of a decision, the first one first.
DECISION_KEYS: Final = ("gate", "gate_decision", "decision", "status")
# Keys whose value may be a mapping that has all the others.
WRAPPERS: Final = ("gate", "quality_gate", "qa_gate", "gate_decision", "decision")
# Keys of texts that may say another decision.
REASONS: Final = ("status_reason", "decision_reason", "reason", "rationale", "summary", "notes")
MAX_JSON: Final = 256 * 1024  # characters
MAX_LINES_TEXT: Final = 20_000  # characters that are read line by line

_SECOND: Final = r"(?!\s*+[|/]\s*+(?:pass|concerns|fail|waived)\b)"  # no template with all words
DECISION_WORD: Final = (
    r"(?:(?P<concerns>concerns?|pass(?:ed)?[\s_-]+with[\s_-]+(?:minor[\s_-]+)?concerns)"
    r"|(?P<pass>pass(?:ed)?)|(?P<fail>fail(?:ed)?)|(?P<waived>waived))(?![^\W_])" + _SECOND
)
DECISION: Final = re.compile(rf"[\W_]*+{DECISION_WORD}", re.IGNORECASE)
# A line such as "**Gate:** PASS", "| Decision | PASS |" or "## Gate Decision" with PASS below it.
DECISION_LINE: Final = re.compile(
    r"^[^\w\n]{0,20}+(?P<before>(?:[^\W\d_]{1,20}[ _]){0,3}?)"
    r"(?P<label>gate(?:[_ ](?:decision|status|result))?|decision|status|verdict|result)\b"
    rf"[\W_]{{0,20}}?(?P<word>{DECISION_WORD})",
    re.IGNORECASE | re.MULTILINE,
)
LABELS: Final = ("gate", "gate decision", "decision", "status")
OF_NO_DECISION: Final = re.compile(
    r"\b(?:previous|former|initial|old|last|target|expected|recommended|suggested|proposed)\b",
    re.IGNORECASE,
)
# Of these words before "status" and "result", the gate is what they are about.
OF_THE_GATE: Final = re.compile(r"(?:(?:overall|final|gate|qa|quality|review|current) )*")
# "CONCERNS: no tests", "The gate is FAIL"; not "CONCERNS are resolved" or "Gate FAIL → PASS".
IN_REASON: Final = re.compile(
    r"\A\W*+(PASS|CONCERNS|FAIL|WAIVED)(?=\s*+(?:[:.,;\u2014\u2013-](?!>)|\Z))"
    r"|\b(?:[Gg]ate|GATE|[Dd]ecision)\b[^\w\n]{0,5}(?:(?:decision|status|is)\b[^\w\n]{0,5})?"
    rf"(PASS|CONCERNS|FAIL|WAIVED)\b(?!\s*+(?:{ARROW.pattern}|to\b))"
)
# "**Quality Score:** 95/100", "| Reviewer | Quinn |".
LABEL_LINE: Final = re.compile(
    r"^[ \t>*_|#+-]*+([^\W\d_][\w ]{2,30}?)[*_ \t]*+[:\uff1a|][*_ \t]*+([^\s|][^\n|]*+)",
    re.MULTILINE,
)
MARKUP: Final = "*_`\"' \t\r"
SCORE: Final = re.compile(r"(\d{1,3})(?:\.\d{1,9})?\s?(?:/\s?100|%)?(?![\w/.])")
TRUE: Final = frozenset(("true", "yes", "on"))
NAME_WORDS: Final = re.compile(r"\A(?:(?:qa|quality|gate|story)[-_. ]+)+(?=\S*\d)", re.IGNORECASE)


class _Decision(NamedTuple):
    decision: str | None
    word: str
    line: int


def read_gate(document: BmadDocument) -> GateReading | None:
    """Return what a gate says; None for a document of another kind.

    The decision is the value of the first of DECISION_KEYS that has one, or else that of a line of
    the text. A number in YAML is a text, so that story 2.10 is not 2.1; a gate whose `story` lost
    the zero has the right one in its file's name.
    """
    if document.kind != "gate":
        return None
    notes: list[str] = []
    fields = _read_fields(document, notes)
    found = [*_decisions_of_keys(fields)]
    is_markdown = document.file_type == "md"
    has_decision = any(each.decision for each in found)
    lines = _decisions_of_lines(document) if is_markdown or not has_decision else []
    decision = next((each for each in [*found, *lines] if each.decision), None)
    if decision is None:
        decision = found[0] if found else _Decision(None, "", 1)
        if not notes:  # which say why
            notes.append("The gate's decision cannot be read.")
    others = [*found, *lines, *_decisions_of_reasons(fields)]
    other = next(
        (each.word for each in others if each.decision not in {None, decision.decision}), ""
    )
    waiver = fields.get("waiver")
    waiver = waiver if isinstance(waiver, YamlMapping) else YamlMapping(1)
    story = fields.get("story", "story_id")
    story = story.text("id", "story_id") if isinstance(story, YamlMapping) else text_of(story)
    name = NAME_WORDS.sub("", document.name, count=1)
    return GateReading(
        decision=decision.decision,
        word=short_id(decision.word),
        line=decision.line,
        story=short_key(story) or None,
        story_in_name=read_name(name).identity.id or None,
        score=score_of(fields.text("quality_score", "score")),
        reviewer=short_text(fields.text("reviewer", "reviewed_by")) or None,
        updated=short_id(fields.text("updated", "updated_at", "review_date", "date")) or None,
        expires=short_id(fields.text("expires", "expires_at", "expiry")) or None,
        issues=list(_read_issues(fields.get("top_issues", "issues"))),
        waiver_reason=short_text(waiver.text("reason")) or None,
        is_waiver_active=waiver.text("active").lower() in TRUE,
        other_word=short_id(other) or None,
        notes=notes,
    )


def decision_of(word: str) -> str | None:
    """Return the decision that a text begins with: that of the last arrow, of several."""
    pieces = reversed(ARROW.split(word[:MAX_TEXT]))
    found = next(filter(None, map(DECISION.match, pieces)), None)
    return found.lastgroup.upper() if found and found.lastgroup else None


def score_of(text: str) -> int | None:
    """Return the score that a text begins with, from 0 to 100."""
    found = SCORE.match(text)
    score = int(found[1]) if found else None
    return score if score is not None and score <= 100 else None


def _read_fields(document: BmadDocument, notes: list[str]) -> YamlMapping:
    """Return the keys and values of a gate, those inside of WRAPPERS included."""
    if document.file_type == "md":
        # The first line of a label counts, and the front matter before all lines.
        fields = YamlMapping(1, list(_pairs_of_lines(document.text))[::-1])
        for key, value in document.front_matter.items():
            line = document.front_matter_line(key)
            fields.pairs.append((YamlText(key, line), _node_of(value, line)))
    elif document.file_type == "json":
        fields = _read_json(document.text, notes)
    else:
        tree = read_yaml(document.text)
        notes += tree.notes
        fields = tree.root if isinstance(tree.root, YamlMapping) else YamlMapping(1)
    fields = _fold_keys(fields)
    for wrapper in WRAPPERS:
        if isinstance(wrapped := fields.get(wrapper), YamlMapping):
            fields = YamlMapping(fields.line, [*_fold_keys(wrapped).pairs, *fields.pairs])
    return fields


def _fold_keys(fields: YamlMapping) -> YamlMapping:
    pairs = ((YamlText(fold_key(key.text), key.line), value) for key, value in fields.pairs)
    return YamlMapping(fields.line, [*pairs])


def _read_json(text: str, notes: list[str]) -> YamlMapping:
    fields = YamlMapping(1)
    if len(text) > MAX_JSON:
        notes.append(f"It is longer than {MAX_JSON // 1024} KiB.")
        return fields
    try:
        read: Any = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        notes.append(short_text(f"It is not JSON: {error}."))
        return fields
    for key, value in read.items() if is_mapping(read) else ():
        place = text.find(json.dumps(key, ensure_ascii=False)) if key in DECISION_KEYS else 0
        line = text.count("\n", 0, max(place, 0)) + 1
        fields.pairs.append((YamlText(key, line), _node_of(value, line)))
    return fields


def _node_of(value: Any, line: int, depth: int = 0) -> YamlNode:
    """Return a JSON value as the node that it is in YAML."""
    if value is None or depth > MAX_DEPTH:
        return YamlText("", line)
    if isinstance(value, bool):
        return YamlText("true" if value else "false", line)
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return YamlList(line, [_node_of(item, line, depth + 1) for item in items])
    if is_mapping(value):
        pairs = value.items()
        return YamlMapping(
            line, [(YamlText(key, line), _node_of(each, line, depth + 1)) for key, each in pairs]
        )
    return YamlText(str(value), line)


def _pairs_of_lines(text: str) -> Iterator[tuple[YamlText, YamlNode]]:
    for found in LABEL_LINE.finditer(text, 0, MAX_LINES_TEXT):
        key = "_".join(found[1].lower().split())
        if key not in DECISION_KEYS:
            yield YamlText(key, 0), YamlText(found[2].strip(MARKUP), 0)


def _decisions_of_keys(fields: YamlMapping) -> Iterator[_Decision]:
    for wanted in DECISION_KEYS:
        for key, value in reversed(fields.pairs):
            if key.text == wanted and isinstance(value, YamlText) and value.text:
                yield _Decision(decision_of(value.text), value.text, value.line)


def _decisions_of_lines(document: BmadDocument) -> list[_Decision]:
    """Return the decisions of lines with a label, those of the first of LABELS first.

    An indented line of data belongs to something else, such as an earlier review.
    """
    text, is_data = document.text, document.file_type != "md"
    ranked: list[tuple[int, _Decision]] = []
    position, line = 0, 1
    for found in DECISION_LINE.finditer(text, 0, MAX_LINES_TEXT):
        label = found["label"].lower().replace("_", " ")
        before = found["before"].lower().replace("_", " ")
        if OF_NO_DECISION.search(before) or (is_data and text[found.start()].isspace()):
            continue
        if label in {"status", "verdict", "result"} and not OF_THE_GATE.fullmatch(before):
            continue
        line += text.count("\n", position, found.start("word"))
        position = found.start("word")
        rank = LABELS.index(label) if label in LABELS else len(LABELS)
        ranked.append((rank, _Decision(decision_of(found["word"]), found["word"], line)))
    return [decision for _, decision in sorted(ranked, key=lambda each: each[0])]


def _decisions_of_reasons(fields: YamlMapping) -> Iterator[_Decision]:
    for key in REASONS:
        if found := IN_REASON.search(fields.text(key)[:MAX_LINES_TEXT]):
            word = found[1] or found[2]
            yield _Decision(word, word, 0)


def _read_issues(issues: YamlNode | None) -> Iterator[Issue]:
    for issue in issues.items[:MAX_ITEMS] if isinstance(issues, YamlList) else []:
        if isinstance(issue, YamlText) and issue.text:
            yield Issue(id="", severity="", finding=short_text(issue.text))
        elif isinstance(issue, YamlMapping):
            yield Issue(
                id=short_id(issue.text("id")),
                severity=short_id(issue.text("severity")),
                finding=short_text(issue.text("finding", "description", "issue", "title")),
            )
