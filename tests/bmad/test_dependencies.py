"""What must be done before a story."""

from __future__ import annotations

import pytest

from tests.bmad.story_text import story_of


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("---\nafter: [1, '1.3', epic-pay]\n---\n# Story 1.2: T", ["1", "1.3", "epic-pay"]),
        ("---\ndepends_on: 2.10\n---\n# Story 1.2: T", ["2.10"]),
        ("---\nblocked_by:\n  - 1-1-sign-in\n---\n# Story 1.2: T", ["1-1-sign-in"]),
        ("---\nafter: []\n---\n# Story 1.2: T", []),
        ("# Story 1.2: T\n\n**Depends on:** Story 1.1, Story 2.10", ["1.1", "2.10"]),
        ("# Story 1.2: T\n\n**Dependencies:** 1.1, AP-4.4 and 1.2", ["1.1", "AP-4.4"]),
        ("# Story 1.2: T\n\n**Dependencies:** None", []),
        ("# Story 1.2: T\n\n**Blocks:** Story 1.3", []),
        ("# Story 1.2: T\n\n## Dependencies\n\n- Story 1.1 (the schema)\n- Node 20.1", ["1.1"]),
        (
            "# Story 1.2: T\n\n## Dependencies\n\n- **Blocks:** Story 1.3\n- Needs Story 1.1",
            ["1.1"],
        ),
        ("# Story 1.2: T\n\n## Dependencies\n\n- The validator (from Story 1.1)", []),
        ("# Story 1.2: T\n\n## Dependencies\n\n- Story 1.3 depends on this story", []),
        ("# Story 2.2: T\n\n**Depends on:** Epic 1, Story 1.4", ["1.4"]),
        ("# Story 2.2: T\n\n## Dependencies\n\n- Epic 1 Story 3\n- Epic 1 complete", []),
        ("# Story 1.2: T\n\n## Status\n\nBlocked by 1.3", ["1.3"]),
        ("# Story 1.2: T\n\nStatus: Blocked - waiting for Story 1.3 and 1.4", ["1.3", "1.4"]),
        ("---\nstatus: blocked (on AP-4.4)\n---\n# Story 1.2: T", ["AP-4.4"]),
        ("---\nstatus: blocked by 1.4\nafter: ['1.3']\n---\n# Story 1.2: T", ["1.3", "1.4"]),
        ("# Story 1.2: T\n\nStatus: Blocked", []),
        ("# Story 1.2: T\n\nStatus: Blocked by 1.2", []),
        ("# Story 1.2: T\n\nStatus: Blocked by Node 20.1", []),
        ("# Story 1.2: T\n\nStatus: Done after 1.3", []),
        ("---\nstatus: done\n---\n# Story 1.2: T\n\nStatus: Blocked by 1.3", []),
        ("# Story 1.2: T\n\n## Dependencies\n\n**Enables:**\n\n- Story 1.3", []),
    ],
)
def test_stories_that_come_before_are_found(text: str, after: list[str]) -> None:
    assert story_of(text)["after"] == after


@pytest.mark.parametrize(
    ("text", "stories"),
    [
        ("---\nafter: ['1.9', react 18.2, login]\n---\n# Story 1.2: T", ["1.9"]),
        ("# Story 1.2: T\n\n**Depends on:** Story 1.8, 1.9", ["1.8", "1.9"]),
        ("# Story 1.2: T\n\n**Depends on:** 1.7, Story 1.8", ["1.8"]),
        ("# Story 1.2: T\n\n## Dependencies\n\n- Story 9.9\n- PRD: 2.4\n- 2.9 (vite)", ["9.9"]),
        ("# Story 1.2: T\n\n**Requires:** 2.4 GB of memory", []),
        ("# Story 1.2: T\n\nStatus: Blocked by 2.4 release of vite", []),
        ("# Story 1.2: T\n\nStatus: Blocked by Story 2.4", ["2.4"]),
    ],
)
def test_numbers_are_surely_of_stories_in_the_front_matter_and_after_the_word(
    text: str, stories: list[str]
) -> None:
    assert story_of(text)["after_stories"] == stories
