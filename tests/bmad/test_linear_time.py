"""Each reader takes linear time, whatever a document repeats."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from service.bmad.deferred_work import read_deferred_work
from service.bmad.document import BmadDocument
from service.bmad.epic import read_epics
from service.bmad.gate import read_gate
from service.bmad.links import read_links
from service.bmad.past_facts import read_facts
from service.bmad.requirements import read_requirements
from service.bmad.retrospective import read_retrospective
from service.bmad.sprint_status import read_sprint_status
from service.bmad.story import read_plan, read_story
from service.bmad.tickets import read_tickets
from service.documents.kinds import kind_of
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SIZE = 12_000  # characters: four times as many take 20 to 40 ms in the slowest readers


def _repeat(piece: str, before: str = "") -> Callable[[int], str]:
    return lambda size: before + piece * (size // len(piece))


def _count(piece: str, before: str = "") -> Callable[[int], str]:
    """Return what repeats a piece with a number in place of each N: 1, 2, 3, …"""
    return lambda size: (
        before + "".join(piece.replace("N", str(number)) for number in range(size // len(piece)))
    )


def _deep(size: int) -> str:
    """Return lists that are a hundred deep, one below the other."""
    one = "".join(f"{'  ' * depth}- [ ] a\n" for depth in range(100))
    return one * (size // len(one))


def _wide(size: int) -> str:
    """Return a table with many columns, and rows that have one cell each."""
    columns = size // 10
    return f"|{' a |' * columns}\n|{'-|' * columns}\n" + "|a\n" * columns


def _bomb(size: int) -> str:
    """Return YAML whose aliases stand for more and more."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]\n"]
    lines += [
        f"a{number}: &a{number} [{', '.join([f'*a{number - 1}'] * 9)}]\n" for number in range(1, 20)
    ]
    return "".join(lines) + _count("  1-N-a: *a19\n", "development_status:\n")(size)


_SECTIONS = (
    "Acceptance Criteria",
    "Tasks",
    "Dependencies",
    "Dev Agent Record",
    "QA Results",
    "FR Coverage Map",
    "Epic List",
    "Deferred from: a",
)
_IN_SECTIONS = ("- [ ] a (AC: 1-99)\n", "1. **a**\n", "**a** ", "Story 1.1, ", "FR1: Epic 1 - a\n")
MARKDOWN: Mapping[str, Callable[[int], str]] = {
    **{
        repr(piece): _repeat(piece)
        for piece in (
            *("#", "# a\n", "## Status\n", "## Tasks\n", "### AC1\n", "---\n", "```\n", "\n", " "),
            *("- [ ] ", "- [ ] a\n", "- [x]", "- ", "1. a\n", "> ", "| a ", "| a | b |\n", "|"),
            *("**", "*", "_", "[", "]", "(", "~~", "`", "\\", "<", "<!--", "<a href='", "<b>"),
            *("[a](b.md) ", "[a]: b\n", "![", "[Review][Patch] ", "[Source: a.md#b] ", "&amp;"),
            *("Status:", "Status: done\n", "**Status:** ", "Epic: 1, Status: done | ", "a: b, "),
            *("→", "done → ", "done (", "Gate: PASS\n", "PASS ", "verdict: ", "summary: a\n"),
            *("As a ", "As a x, I want y, so that z\n", "I want ", "so that ", "Given a\n"),
            *("## Epic 1: a\n", "Epic 1 ", "Story 1.1: ", "1.1, ", "1-", "FR1-FR99 ", "FR1: a\n"),
            *("Depends on: ", "- Depends on 1.1\n", "史诗 ", "\u2028", "a b c. ", "x", "a\r\n"),
        )
    },
    **{
        repr(piece): _count(piece)
        for piece in (
            "## Epic N: a\n",
            "### Story N.N: a\n",
            "- Story 1.N: a\n",
            "- FRN: a\n",
            "[aN](bN.md#cN) ",
            "### ACN\n\nN. a\n   - [ ] b\n",
        )
    },
    **{
        f"{section}, {piece!r}": _repeat(piece, f"# Story 1.1: T\n\n## {section}\n\n")
        for section in _SECTIONS
        for piece in _IN_SECTIONS
    },
    "a line of dependencies": _count("1.N, ", "Depends on: "),
    "a table": _count(
        "| N | N.1 | done | FRN |\n", "| Epic | Story | Status | FR |\n|---|---|---|---|\n"
    ),
    "a wide table": _wide,
    "deep lists": _deep,
    "front matter": lambda size: f"---\n{_count('aN: b')(size)}\n---\n# Story 1.1: a\n",
    "a list in front matter": lambda size: f"---\nafter: [{_count('1.N, ')(size)}]\n---\n# A\n",
}
YAML: Mapping[str, Callable[[int], str]] = {
    **{
        f"{before!r}, {piece!r}": _repeat(piece, before)
        for before in ("", "development_status:\n  1-1-a: done\n", "gate: PASS\n")
        for piece in (
            *("a: b\n", "- ", "[", "{", "{a: ", "'", '"', "? ", "a: |\n", "&a ", "*a ", "!a "),
            *("\t", "#\n", "# Epic 1: a\n", "a:\n", "--- a\n", ":", "  1-1-a: done\n", "- id: 1\n"),
        )
    },
    "many keys": _count("  1-N-a: done\n", "development_status:\n"),
    "broken keys": _count("  1-N-a: [\n", "development_status:\n"),
    "titles": _count("  epic-N: done # Epic N: a\n", "development_status:\n"),
    "anchors": _count("aN: &aN b\n"),
    "aliases": _count("  1-N-a: *a\n", "a: &a done\ndevelopment_status:\n"),
    "merged keys": _count("  1-N-a: {<<: *a}\n", "a: &a {b: 1}\ndevelopment_status:\n"),
    "a bomb of aliases": _bomb,
    "action items": _count("  - epic: N\n    action: a\n    status: open\n", "action_items:\n"),
    "issues of a gate": _count("  - id: N\n    finding: a\n", "gate: PASS\ntop_issues:\n"),
    "stories": _count("- id: N\n  title: a\n"),
}
TOML: Mapping[str, Callable[[int], str]] = {
    **{
        f"{before!r}, {piece!r}": _repeat(piece, before)
        for before in ("", '[[entry]]\nid = "1"\n')
        for piece in (
            *("a", "a.", '"', '"""', "'''", "#", "[", "[[entry]]\n", "[[a.b]]\n", "a = 1\n", " "),
            *("x = [", "a = {", "\n", "\\", "after = ['1']\n"),
        )
    },
    "entries": _count('[[entry]]\nid = "N"\nafter = ["1", "2"]\n'),
    "epics": _count('[[epic]]\nid = "N"\nslug = "aN"\n'),
    "a long list": lambda size: f"[[entry]]\nafter = [{_count('N, ')(size)}]\n",
    "a long text": lambda size: f'[[entry]]\ndescription = """{"a" * size}"""\n',
}
SHAPES = {"md": MARKDOWN, "yaml": YAML, "toml": TOML}

READERS: Mapping[str, tuple[Callable[[BmadDocument], object], str, str]] = {
    "story": (read_story, "docs/stories/1.1.a.md", "md"),
    "plan": (read_plan, "out/pay/story-a-plan.md", "md"),
    "epics": (read_epics, "docs/epics.md", "md"),
    "epics of a PRD": (read_epics, "docs/prd.md", "md"),
    "requirements": (read_requirements, "docs/prd.md", "md"),
    "coverage": (read_requirements, "docs/epics.md", "md"),
    "retrospective": (read_retrospective, "docs/epic-1-retro.md", "md"),
    "deferred work": (read_deferred_work, "docs/deferred-work.md", "md"),
    "links": (read_links, "docs/a.md", "md"),
    "gate in Markdown": (read_gate, "docs/qa/gates/1.1-a.md", "md"),
    "gate in YAML": (read_gate, "docs/qa/gates/1.1-a.yml", "yaml"),
    "sprint status": (read_sprint_status, "docs/sprint-status.yaml", "yaml"),
    "stories.yaml": (read_tickets, "specs/spec-a/stories.yaml", "yaml"),
    "tickets.toml": (read_tickets, "out/pay/tickets.toml", "toml"),
}


@cache
def _parsed(file_type: str, shape: str, size: int) -> BmadDocument:
    """Return a document, whose parsing is not part of the time of a reader."""
    document = bmad_document(SHAPES[file_type][shape](size), f"docs/a.{file_type}", file_type)
    assert isinstance(document.blocks, list)
    assert document.lines
    return document


def _document(file_type: str, path: str, shape: str, size: int) -> BmadDocument:
    parsed = _parsed(file_type, shape, size)
    kind = kind_of(path, file_type, parsed.metadata, parsed.text)
    document = BmadDocument(path, file_type, kind, parsed.metadata, parsed.text, None)
    vars(document).update(vars(parsed) | {"path": path, "kind": kind})
    return document


@pytest.mark.parametrize("name", READERS)
def test_readers_take_linear_time(name: str) -> None:
    read, path, file_type = READERS[name]
    for shape in SHAPES[file_type]:

        def make(size: int, shape: str = shape) -> BmadDocument:
            return _document(file_type, path, shape, size)

        assert_linear(read, make, SIZE, shape)


@pytest.mark.parametrize(
    ("path", "shapes"), [("docs/sprint-status.yaml", YAML), ("out/pay/tickets.toml", TOML)]
)
def test_facts_of_past_versions_take_linear_time(path: str, shapes: Mapping[str, Any]) -> None:
    for shape, make in shapes.items():
        assert_linear(lambda text: read_facts(path, text), make, SIZE, shape)
