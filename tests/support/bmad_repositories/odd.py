"""Small repositories of shapes that real ones have, each with all its files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


def _story(heading: str, word: str = "Draft") -> str:
    return (
        f"# {heading}\n\n**Status:** {word}\n\n## Acceptance Criteria\n\n1. It works.\n\n"
        "## Tasks\n\n- [ ] Write it\n"
    )


# Two products with the same numbers.
MONOREPO: Final[Mapping[str, str]] = {
    f"apps/{app}/docs/{path}": text
    for app in ("api", "web")
    for path, text in {
        "epics/epic-1.md": f"# Epic 1: Begin the {app}\n\n## Goal\n\nIt begins.\n",
        "stories/1.1.story.md": _story(f"Story 1.1: Start the {app}", "Done"),
        "stories/1.2.story.md": _story(f"Story 1.2: Stop the {app}"),
    }.items()
}
DUPLICATES: Final[Mapping[str, str]] = {
    "docs/stories/1.1.story.md": _story("Story 1.1: Sign in", "Done"),
    "docs/stories/1.1-sign-out.md": _story("Story 1.1: Sign out"),
}
# 1, E1 and AP-1 are different epics, and 2.10 is not 2.1.
NUMBERS: Final[Mapping[str, str]] = {
    "docs/stories/1.1.story.md": _story("Story 1.1: One"),
    "docs/stories/E1.1.story.md": _story("Story E1.1: Two"),
    "docs/stories/AP-1.1.story.md": _story("Story AP-1.1: Three"),
    "docs/stories/2.1.story.md": _story("Story 2.1: Four"),
    "docs/stories/2.10.story.md": _story("Story 2.10: Five"),
}
GATES: Final[Mapping[str, str]] = {
    "docs/stories/2.10.story.md": _story("Story 2.10: Ten", "Done"),
    "docs/stories/2.11.story.md": _story("Story 2.11: Eleven", "Done"),
    # YAML makes 2.1 of the number.
    "docs/qa/gates/2.10-ten.yml": "schema: 1\nstory: 2.10\ngate: PASS\nreviewer: Quinn\n",
    # It is not YAML.
    "docs/qa/gates/2.11-eleven.yml": 'gate: FAIL\nstory: "2.11\nreviewer: : Quinn\n',
    "docs/qa/gates/7.1-gone.yml": "schema: 1\nstory: 7.1\ngate: PASS\n",
}
BROKEN_TRACKER: Final[Mapping[str, str]] = {
    "docs/sprint-status.yaml": "# Epic 1: The Beginning\ndevelopment_status:\n"
    "  1-1-sign-in: done\n  1-2-sign-out: [\n  1-3-stay: review\n",
    "docs/stories/1-1-sign-in.md": _story("Story 1.1: Sign in", "done"),
}
LANGUAGES: Final[Mapping[str, str]] = {
    "docs/stories/1.1.story.md": "# Histoire 1.1 : Payer\n\n**Statut :** Terminé\n\n## Histoire\n\n"
    "**En tant que** cliente,\n**je veux** payer,\n**afin de** partir.\n\n"
    "## Critères d'acceptation\n\n1. Le paiement est fait.\n\n## Tâches\n\n- [x] Le coder\n",
    "docs/stories/1.2.story.md": "# 故事 1.2: 支付\n\n## 状态\n\ndone\n\n## 故事\n\n"
    "**作为** 顾客,\n**我想要** 支付,\n**以便** 离开。\n\n"
    "## 验收标准\n\n1. 支付完成。\n\n## 任务\n\n- [x] 编写\n",
}
# Nothing of it may fail a sync.
STRANGE: Final[Mapping[str, str]] = {
    "docs/stories/1.1.story.md": "",
    "docs/stories/1.2.story.md": "---\nstatus: [done\n---\n\u202e\u0000# \n## Status\n",
    "docs/stories/1.3.story.md": "## Status\n" * 2_000 + "- [ ] " * 2_000,
    "docs/qa/gates/1.1-a.yml": "gate: &a [*a]\n",
    "docs/sprint-status.yaml": "development_status: [1, {2: 3}]\naction_items: 4\n",
    "notes/tickets.toml": "[[entry]]\nid = 1\n[[entry]\n",
    "specs/spec-a/stories.yaml": "- 1\n- id: [2]\n",
    "docs/epics.md": "# Epic 1:\n" * 500,
}
