"""Epics and their stories, as documents of epics and requirements have them."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.bmad.epic import read_epics
from service.bmad.readings import MAX_ITEMS, MAX_TEXT, EpicReading, StatusWord
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear


def _epics(text: str, path: str = "docs/epics.md") -> list[EpicReading]:
    return read_epics(bmad_document(text, path))


def _names(text: str, path: str = "docs/epics.md") -> list[tuple[str, str]]:
    return [(epic["number"], epic["title"]) for epic in _epics(text, path)]


def _stories(text: str, path: str = "docs/epics.md") -> list[tuple[str, str]]:
    return [(each["id"], each["title"]) for epic in _epics(text, path) for each in epic["stories"]]


def _words(statuses: list[StatusWord]) -> list[tuple[str, str, int]]:
    return [(each["status"], each["word"], each["line"]) for each in statuses]


BREAKDOWN = """\
---
stepsCompleted: [1]
---

# Shop - Epic Breakdown

## Epic List

### Epic 1: Accounts
Users have accounts.
**FRs covered:** FR1, FR2-FR4

### Epic 2: Payments
**FRs covered:** FR5

## Epic 1: Accounts

Users have accounts.

### Story 1.1: Sign In

As a user, I want to sign in.

**Acceptance Criteria:**

**Given** a user
**When** they sign in

### Story 1.10: Sign Out

**Status:** in-progress

## Epic 2: Payments

### Story 2.1: Pay by Card ✅ DONE

## Dependencies

- Epic 2: needs the accounts of Epic 1
- Story 1.1: before Story 2.1
"""


def test_list_and_detail_of_the_template_are_one_epic() -> None:
    first, second = _epics(BREAKDOWN)
    assert (first["number"], first["title"], first["line"]) == ("1", "Accounts", 16)
    assert first["anchor"] == "epic-1-accounts-1"
    assert first["covers"] == ["FR1", "FR2", "FR3", "FR4"]
    assert [(each["id"], each["epic"], each["story"]) for each in first["stories"]] == [
        ("1.1", "1", "1"),
        ("1.10", "1", "10"),
    ]
    assert first["stories"][1]["title"] == "Sign Out"
    assert first["stories"][1]["line"] == 29
    assert first["stories"][1]["anchor"] == "story-110-sign-out"
    assert _words(first["stories"][1]["statuses"]) == [("in_progress", "in-progress", 31)]
    assert (second["number"], second["title"], second["covers"]) == ("2", "Payments", ["FR5"])
    assert _words(second["stories"][0]["statuses"]) == [("done", "DONE", 35)]
    assert second["stories"][0]["title"] == "Pay by Card"


@pytest.mark.parametrize("level", ["#", "##", "###"])
@pytest.mark.parametrize(
    ("heading", "number", "title"),
    [
        ("Epic 1: Accounts", "1", "Accounts"),
        ("Epic 1 - Accounts", "1", "Accounts"),
        ("Epic 1 — Accounts", "1", "Accounts"),
        ("Epic 1 Accounts and Sign In", "1", "Accounts and Sign In"),
        ("🚀 Epic 07: Accounts", "07", "Accounts"),
        ("4.2 Epic 2: Accounts", "2", "Accounts"),
        ("Epic 0.2.1: Accounts", "0.2.1", "Accounts"),
        ("Epic 0: Accounts", "0", "Accounts"),
        ("Epic E1: Accounts", "E1", "Accounts"),
        ("Epic AP-1: Accounts", "AP-1", "Accounts"),
        ("Epic 1b: Accounts", "1b", "Accounts"),
        ("Épique 3 : Comptes", "3", "Comptes"),
        ("史诗 1\uff1a账户", "1", "账户"),
        ("史詩 1\uff1a帳戶", "1", "帳戶"),
        ("Épico 1: Contas", "1", "Contas"),
        ("Épica 2: Cuentas", "2", "Cuentas"),
        ("Epica 2 - Cuentas", "2", "Cuentas"),
        ("ÉPICA AP-2: Cuentas", "AP-2", "Cuentas"),
        ("Épopée 3 : Comptes", "3", "Comptes"),
        ("Epic 1\uff1a账户", "1", "账户"),
        ("에픽 2: 계정", "2", "계정"),
        ("エピック 2: アカウント", "2", "アカウント"),
        ("Epic 1: Accounts ✅ COMPLETE", "1", "Accounts"),
        ("Epic 1: **Accounts** & `sign-in`", "1", "Accounts & sign-in"),
        ("[Epic 1: Accounts](epic-1.md)", "1", "Accounts"),
    ],
)
def test_headings_name_epics(level: str, heading: str, number: str, title: str) -> None:
    assert _names(f"# Epics\n\n{level} {heading}\n") == [(number, title)]


@pytest.mark.parametrize(
    "heading",
    [
        "Epic List",
        "Epic 1 goals",
        "Epic 2 Completion Summary",
        "Epics 1 to 3",
        "Epic: Accounts",
        "Story 1.1: Epic 2",
        "Epic 1, Story 2: Sign in",
    ],
)
def test_these_headings_are_no_epics(heading: str) -> None:
    assert _names(f"# Epics\n\n## {heading}\n") == []


@pytest.mark.parametrize(
    "item",
    [
        "- **Epic 1: Accounts** - users sign in",
        "- **Epic 1: Accounts**",
        "- **Epic 1:** Accounts - users sign in",
        "- **Epic 1** — Accounts: users sign in",
        "1. **Epic 1: Accounts**: users sign in",
        "1. Epic 1: Accounts — users sign in",
        "- Epic 1: Accounts",
        "- [ ] Epic 1: Accounts",
        "- [Epic 1: Accounts](epic-1.md)",
        "- [Epic 1](epic-1.md): Accounts",
        "**Epic 1: Accounts**\nUsers sign in.",
        "| Epic | Title |\n|---|---|\n| Epic 1 | Accounts |",
        "| # | Epic | Stories |\n|---|---|---|\n| 1 | Epic 1: Accounts | 5 |",
        "| Epic | Name | FRs |\n|---|---|---|\n| **1** | Accounts | FR1 |",
        "| Epic | Title |\n|---|---|\n| [Epic 1](epic-1.md) | **Accounts** |",
        "| Epic ID | Epic Name |\n|---|---|\n| 1 | Accounts |",
        "| # | Title | Points |\n|---|---|---|\n| 1 | Accounts | 5 |",
        "| Epic | Title | Stories |\n|---|---|---|\n| 1 | Accounts | 1.1-1.5 |",
        "| Epic | Title | Stories |\n|---|---|---|\n| 1 | Accounts | 1.1, 1.2 |",
        "## Table of Contents\n\n- [Epics](#epics)\n  - [Epic 1: Accounts](epic-1.md)",
    ],
)
@pytest.mark.parametrize("path", ["docs/epics.md", "docs/prd.md"])
def test_lists_and_tables_name_epics(item: str, path: str) -> None:
    assert _names(f"# Shop\n\n## Epic List\n\n{item}\n", path) == [("1", "Accounts")]


@pytest.mark.parametrize(
    ("section", "item"),
    [("Épicas", "Épica 2: Pagos"), ("Épicos", "Épico 2: Pagos"), ("Épiques", "Épique 2 : Pagos")],
)
def test_lists_and_tables_name_epics_in_each_language(section: str, item: str) -> None:
    assert _names(f"# X\n\n## {section}\n\n- {item}\n") == [("2", "Pagos")]
    column = section.removesuffix("s")
    table = f"| {column} | Título |\n|---|---|\n| 2 | Pagos |\n"
    assert _names(f"# X\n\n## {section}\n\n{table}") == [("2", "Pagos")]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("docs/epics/epico-2-pagos.md", "# Épico 2: Pagos"),
        ("docs/épicas/épica-2-pagos.md", "# Pagos"),
        ("docs/epica-2-pagos.md", "# Pagos"),
    ],
)
def test_files_of_epics_are_named_in_each_language(path: str, heading: str) -> None:
    assert _names(f"{heading}\n\n### Historia 2.1: Pagar\n", path) == [("2", "Pagos")]
    assert _stories(f"{heading}\n\n### Historia 2.1: Pagar\n", path) == [("2.1", "Pagar")]


def test_short_headings_name_epics_in_documents_of_epics() -> None:
    text = "# Plan\n\n## E12: Accounts\n\n### E12-S04: Sign In\n\n## E2E: tests\n\n## EP-3 - Pay\n"
    assert _names(text) == [("E12", "Accounts"), ("EP-3", "Pay")]
    assert _stories(text) == [("E12-S04", "Sign In")]
    assert _names(f"{text}\n## Epic 1: A\n", "docs/prd.md") == [("1", "A")]


def test_heading_has_a_better_title_than_a_list() -> None:
    text = "# Plan\n\n## Epics\n\n- Epic 1: Accounts, short\n\n## Epic 1: Accounts\n"
    [epic] = _epics(text)
    assert (epic["title"], epic["line"], epic["anchor"]) == ("Accounts", 7, "epic-1-accounts")


@pytest.mark.parametrize(
    ("path", "heading", "number", "title"),
    [
        ("docs/epics/AP-4-devices.md", "AP-4: Devices", "AP-4", "Devices"),
        ("docs/epics/AP-4-devices.md", "AP-4 — Devices", "AP-4", "Devices"),
        ("docs/epics/E1-accounts.md", "E1: Accounts", "E1", "Accounts"),
        ("docs/epics/03-search.md", "3. Search", "03", "Search"),
        ("docs/epics/epic-3.md", "[3] - Search", "3", "Search"),
        ("docs/epics/03-ways.md", "3 ways to pay", "03", "3 ways to pay"),
        ("docs/epics/03-ways.md", "2: Ways", "03", "2: Ways"),
    ],
)
def test_title_has_no_number_of_its_epic(path: str, heading: str, number: str, title: str) -> None:
    assert _names(f"# {heading}\n\nText.\n", path) == [(number, title)]


@pytest.mark.parametrize(
    "text",
    [
        "## Epic 11 (MVP): Sign In",
        "## Epic 11 [P0]: Sign In",
        "## Epics\n\n- **Epic 11 (MVP)**: Sign In",
    ],
)
def test_a_mark_between_number_and_title_is_not_the_title(text: str) -> None:
    assert _names(f"# Shop\n\n{text}\n") == [("11", "Sign In")]


def test_prefixes_and_numbers_are_different_epics() -> None:
    text = "# Epics\n\n## Epic 1: A\n\n## Epic E1: B\n\n## Epic AP-1: C\n\n## Epic 01: D\n"
    assert _names(text) == [("1", "A"), ("E1", "B"), ("AP-1", "C")]


def test_bold_words_about_an_epic_in_a_sentence_name_none() -> None:
    text = "# PRD\n\n**Epic 9: dropped** and so on.\n\n**Epic 8: Mail** sends letters.\n"
    assert _names(text, "docs/prd.md") == [("8", "Mail")]
    assert _names("# PRD\n\n- **Epic 7: The app** is later.\n", "docs/prd.md") == [("7", "The app")]


def test_lists_of_what_depends_on_what_name_no_epics() -> None:
    text = "# Epics\n\n## Epic Dependencies\n\n- Epic 2: after Epic 1\n- **Epic 1: first**\n"
    assert _names(text) == []


def test_document_of_an_epic_has_that_epic_alone() -> None:
    text = (
        "# Epic 2: Payments\n\n**Status:** 🚧 In Progress - 1 of 2\n\n## Depends on\n\n"
        "- **Epic 1: Accounts** must be done\n\n## Stories\n\n"
        "1. **✅ [Story 2.1: Pay by Card](../stories/2.1.md)** - **Done** ✅\n"
        "   - Story 1.1 has the account\n"
        "2. **Story 2.2** Refund - backlog\n\n## Epic 3: Hand-off\n"
    )
    [epic] = _epics(text, "docs/epics/epic-2-payments.md")
    assert (epic["number"], epic["title"], epic["line"]) == ("2", "Payments", 1)
    assert _words(epic["statuses"]) == [("in_progress", "🚧 In Progress - 1 of 2", 3)]
    assert [(each["id"], each["title"]) for each in epic["stories"]] == [
        ("2.1", "Pay by Card"),
        ("2.2", "Refund"),
    ]
    assert _words(epic["stories"][0]["statuses"]) == [("done", "Done ✅", 11)]


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("docs/epics/epic-1-accounts.md", "1"),
        ("docs/prd/epic-1-accounts.md", "1"),
        ("docs/epic-01.md", "01"),
        ("docs/epics/01-accounts.md", "01"),
        ("docs/epics/epic-3.5-accounts.md", "3.5"),
        ("docs/epic-1/README.md", "1"),
        ("docs/epic-01/README.md", "1"),
        ("docs/epics/epic-E02-accounts/index.md", "E2"),
        ("docs/epics/epic-1-accounts/index.md", "1"),
    ],
)
@pytest.mark.parametrize("heading", ["# Accounts", "# Epic: Accounts"])
def test_name_of_a_file_or_folder_has_the_number(path: str, number: str, heading: str) -> None:
    text = f"{heading}\n\n## Stories\n\n- Story 1.1: Sign in\n"
    assert _names(text, path) == [(number, "Accounts")]


def test_heading_goes_before_the_name_of_the_file() -> None:
    assert _names("# Epic 4: Accounts\n", "docs/epics/epic-1-x.md") == [("4", "Accounts")]
    assert _names("# Epic 1 Accounts\n", "docs/epics/epic-1-x.md") == [("1", "Accounts")]


@pytest.mark.parametrize("written", ["[in-progress]", "[done", "{{status}}", "5"])
def test_text_of_an_epic_decides_where_its_front_matter_has_no_word(written: str) -> None:
    text = f"---\nstatus: {written}\n---\n\n# Epic 1: A\n\n**Status:** Done\n"
    [epic] = read_epics(bmad_document(text, "docs/epics/epic-1.md"))
    assert [each["word"] for each in epic["statuses"]] == ["Done"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("Status - Done", ["Done"]),
        ("**Status** \u2014 Done", ["Done"]),
        ("Status - done when all is merged", []),
        ("Status: Review\nStatus - Done", ["Review"]),
        ("- Status - Done", ["Done"]),
        ("The default is:\n- Status - Draft\n- Owner - none", []),
        ("The default is:\n\n- Status - Draft\n- Owner - none", []),
        ("- Owner - none\n- Status - Draft", []),
    ],
)
def test_status_after_a_dash_is_a_known_word_alone(line: str, words: list[str]) -> None:
    [epic] = read_epics(bmad_document(f"# Epic 1: A\n\n{line}\n", "docs/epics/epic-1.md"))
    assert [each["word"] for each in epic["statuses"]] == words


@pytest.mark.parametrize(
    "below",
    [
        "- Story 1.1: A\n  - Status - Done",
        "### Story 1.1: A\n\n#### Acceptance Criteria\n\n- Status - Done",
    ],
)
def test_status_after_a_dash_below_a_story_is_none(below: str) -> None:
    [epic] = read_epics(bmad_document(f"# Epics\n\n## Epic 1: A\n\n{below}\n", "docs/epics.md"))
    [story] = epic["stories"]
    assert (epic["statuses"], story["statuses"]) == ([], [])


def test_front_matter_of_an_epic_has_number_title_status_and_requirements() -> None:
    text = "---\ntitle: Accounts\nepic: 7\nstatus: done\ncovers: [FR1, FR-2]\n---\n\nText\n"
    [epic] = _epics(text, "docs/epics/accounts.md")
    assert (epic["number"], epic["title"], epic["covers"]) == ("7", "Accounts", ["FR1", "FR-2"])
    assert epic["statuses"] == [
        {"status": "done", "word": "done", "line": 4, "place": "front_matter"}
    ]


def test_epic_of_three_levels_has_its_stories_inside() -> None:
    text = "# Epic 0.2.1: Setup\n\n## Story 0.2.1.1: Tools\n\n## 0.2.1.2 Checks\n"
    [epic] = _epics(text, "docs/stories/story-0.2.1.md")
    assert epic["number"] == "0.2.1"
    assert [(each["epic"], each["story"], each["title"]) for each in epic["stories"]] == [
        ("0.2.1", "1", "Tools"),
        ("0.2.1", "2", "Checks"),
    ]


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        ("### Story 1.2: Sign In", ("1.2", "Sign In")),
        ("### Story 1.2 Sign In", ("1.2", "Sign In")),
        ("#### 1.2 Sign In", ("1.2", "Sign In")),
        ("#### 1.2: Sign In [BACKLOG]", ("1.2", "Sign In")),
        ("### 故事 1.2\uff1a登录", ("1.2", "登录")),
        ("### Histoire 1.2 : Connexion", ("1.2", "Connexion")),
        ("### Story 2: Sign In", ("1.2", "Sign In")),
        ("### Stories\n\n- **Story 1.2** Sign In", ("1.2", "Sign In")),
        ("### Stories\n\n- **Story 1.2: Sign In** - with a password", ("1.2", "Sign In")),
        ("### Stories\n\n- Story 1.2: Sign In — with a password", ("1.2", "Sign In")),
        ("### Stories\n\n- [ ] 1.2 Sign In", ("1.2", "Sign In")),
        ("### Stories\n\n1. [1.2: Sign In](1.2.md)", ("1.2", "Sign In")),
        ("- **Story 1.2** (Sign In) - later", ("1.2", "Sign In")),
        ("| Story | Title |\n|---|---|\n| 1.2 | Sign In |", ("1.2", "Sign In")),
        ("| Story | Points |\n|---|---|\n| 1.2: Sign In | 3 |", ("1.2", "Sign In")),
        ("### Stories\n\n| ID | Title |\n|---|---|\n| 1.2 | Sign In |", ("1.2", "Sign In")),
        ("| # | Story | Status |\n|---|---|---|\n| 1.2 | Sign In | done |", ("1.2", "Sign In")),
        ("| Story ID | Story Name |\n|---|---|\n| 1.2 | Sign In |", ("1.2", "Sign In")),
    ],
)
def test_headings_items_and_rows_name_stories_of_an_epic(
    story: str, expected: tuple[str, str]
) -> None:
    assert _stories(f"# Epics\n\n## Epic 1: Accounts\n\n{story}\n") == [expected]


@pytest.mark.parametrize("number", ["E1", "AP-1"])
def test_story_of_an_epic_with_a_prefix_may_have_it_or_not(number: str) -> None:
    story = f"{number}.2"
    text = f"# Epics\n\n## Epic {number}: A\n\n### Story {story}: B\n\n### {number}.3 C\n"
    assert _stories(text) == [(story, "B"), (f"{number}.3", "C")]


@pytest.mark.parametrize(
    "text",
    [
        "- 1.5 hours",
        "- Story 2.1: of another epic",
        "### Goals\n\n- 1.2 GB of memory",
        "```\n### Story 1.1: code\n```",
        "### Story points",
    ],
)
def test_these_are_no_stories_of_an_epic(text: str) -> None:
    assert _stories(f"# Epics\n\n## Epic 1: Accounts\n\n{text}\n") == []


def test_stories_beside_headings_of_epics_belong_to_the_epic_of_their_id() -> None:
    text = "# Plan\n\n## Epic 1: A\n\n## Epic 2: B\n\n## Story 1.1: C\n\n## Story 2.1: D\n"
    first, second = _epics(text)
    assert [each["id"] for each in first["stories"]] == ["1.1"]
    assert [each["id"] for each in second["stories"]] == ["2.1"]


def test_heading_as_high_as_that_of_the_documents_epic_is_another_epic() -> None:
    text = "# Epic 2: Payments\n\n## Epic 4: Later\n\n# Epic 3: Refunds\n"
    assert _names(text, "docs/epics/epic-2.md") == [("2", "Payments"), ("3", "Refunds")]


def test_section_beside_an_epic_says_nothing_of_it() -> None:
    beside = "# Plan\n\n## Epic 1: A\n\n## Summary\n\nStatus: done\n"
    assert [each["statuses"] for each in _epics(beside)] == [[]]
    [below] = _epics(beside.replace("## Summary", "### Summary"))
    assert _words(below["statuses"]) == [("done", "done", 7)]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("## Status\n\nDone\n", ["Done"]),
        ("### Status\n\nDone\n", ["Done"]),
        ("## Status: Done\n\nText\n", ["Done"]),
        ("## Epic Status\n\n✅ Done\n", ["✅ Done"]),
        ("## Status\n\n**Status:** Done\n**Owner:** me\n", ["Done"]),
        ("## Status\n\n- Done\n", ["Done"]),
        ("## Status\n\nNearly there\n", ["Nearly there"]),
        ("## Status\n\n| Field | Value |\n|---|---|\n| Status | Done |\n", ["Done"]),
        ("## Stories\n\n- Story 1.1: A\n\n## Status\n\nDone\n", ["Done"]),
        ("## Goal\n\nText\n\n## Status\n\nDone\n", ["Done"]),
        ("## Overview\n\n### Status\n\nDone\n", ["Done"]),
        ("## Stories\n\n### Story 1.1: A\n\n#### Status\n\nDraft\n\n## Status\n\nDone\n", ["Done"]),
        # The status of a part of the epic, a list of what is done, and other sections.
        ("## Testing\n\n### Status\n\nDone\n", []),
        ("## Goal\n\n### Risks\n\n#### Status\n\nDone\n", []),
        ("## Status\n\n- [x] Planning\n- [ ] Review\n", []),
        ("## Status\n\n- Stories: 4\n- Done stories: 2\n", []),
        ("## Status\n\n| Story | Status |\n|---|---|\n| Login | Done |\n", []),
        ("## Status: what is open\n\nText\n", []),
        ("## Status Reports\n\nDone\n", []),
    ],
)
@pytest.mark.parametrize("path", ["docs/epics/epic-1-base.md", "docs/epics.md"])
def test_heading_status_is_of_the_epic_that_it_is_right_below(
    section: str, words: list[str], path: str
) -> None:
    text = f"# Epic 1: Base\n\n{section}"
    [epic] = read_epics(bmad_document(text, path))
    assert [each["word"] for each in epic["statuses"]] == words
    [epic] = read_epics(bmad_document("# Epics\n\n" + text.replace("# ", "## "), "docs/epics.md"))
    assert [each["word"] for each in epic["statuses"]] == words


@pytest.mark.parametrize(
    ("heading", "names"),
    [
        ("Phase 1 - Epic 1: Base", [("1", "Base")]),
        ("Phase One: Epic 1 - Base", [("1", "Base")]),
        ("🚀 Milestone 2 — Epic 1: Base", [("1", "Base")]),
        ("Epic 1 / Base", [("1", "Base")]),
        ("Epic 1: Base / More", [("1", "Base / More")]),
        # What becomes of an epic in a phase, and several epics.
        ("Milestone 1: Epic 1 delivered", []),
        ("Milestone 1: Epic 1 Delivered", []),
        ("Milestone 1: Epic 1: Summary", []),
        ("Phase 1: Epic 1, Epic 2", []),
        ("Phase 1: Epics 1-3", []),
        ("Phase 1 (Epic 1)", []),
        ("Phase 1: Base", []),
    ],
)
def test_heading_of_an_epic_may_begin_with_a_phase(
    heading: str, names: list[tuple[str, str]]
) -> None:
    assert _names(f"# Plan\n\n## {heading}\n\nText\n", "docs/epics.md") == names


@pytest.mark.parametrize(
    ("table", "names"),
    [
        ("| # | Epic | Points |\n|-|-|-|\n| 1 | Base | 3 |", [("1", "Base")]),
        ("| ID | Epic |\n|-|-|\n| E1 | Base |", [("E1", "Base")]),
        ("| # | Epic | Title |\n|-|-|-|\n| 7 | 1 | Base |", [("1", "Base")]),
        ("| # | Epic |\n|-|-|\n| 7 | Epic 1: Base |", [("1", "Base")]),
        ("| ID | Epic | Points |\n|-|-|-|\n| 1.1 | Base | 3 |", []),
        ("| ID | Epic | Story |\n|-|-|-|\n| 1 | Base | Login |", []),
        ("| Risk | Epic |\n|-|-|\n| 1 | Base |", []),
    ],
)
def test_column_of_epics_may_have_their_titles(table: str, names: list[tuple[str, str]]) -> None:
    assert _names(f"# Epics\n\n{table}\n", "docs/epics.md") == names
    risks = [name for name in names if "Epic | Title" in table or "Epic 1" in table]
    assert _names(f"# Epics\n\n## Effort\n\n{table}\n", "docs/epics.md") == risks


def test_heading_status_beside_an_epics_is_of_the_whole_document() -> None:
    [epic] = _epics("# Plan\n\n## Epic 1: A\n\nText\n\n## Status\n\nDone\n")
    assert epic["statuses"] == []
    text = "# Payments\n\nText\n\n## Status\n\nDone\n"
    [epic] = read_epics(bmad_document(text, "docs/epics/epic-2.md"))
    assert [each["word"] for each in epic["statuses"]] == ["Done"]


def test_heading_status_is_of_the_story_above_it_if_it_is_lower_than_that() -> None:
    text = "# Plan\n\n## Epic 1: A\n\n### Story 1.1: B\n\n### Status\n\nDone\n"
    [epic] = _epics(text)
    assert _words(epic["statuses"]) == [("done", "Done", 9)]
    assert epic["stories"][0]["statuses"] == []
    [epic] = _epics(text.replace("### Status", "#### Status"))
    assert epic["statuses"] == []
    assert _words(epic["stories"][0]["statuses"]) == [("done", "Done", 9)]


def test_statuses_of_a_story_begin_with_its_own() -> None:
    text = (
        "# Epic 1: Accounts\n\n| Story | Status |\n|---|---|\n| 1.1 | Backlog |\n\n"
        "## Story 1.1: Sign In\n\n**Priority:** P0 | **Status:** ✅ Done (2025-01-01)\n\n"
        "- Status: always shown\n\n## Story 1.2: Sign Out\n\n### Status\n\nReview\n"
    )
    [epic] = _epics(text)
    first, second = epic["stories"]
    assert _words(first["statuses"]) == [
        ("done", "✅ Done (2025-01-01)", 9),
        ("draft", "Backlog", 5),
    ]
    assert _words(second["statuses"]) == [("review", "Review", 17)]
    assert epic["statuses"] == []


def test_words_that_are_not_known_are_kept() -> None:
    text = "# Epic 1: Accounts\n\nStatus: Nearly there\n\n## Story 1.1: A\n\nStatus: 🔲 Parked\n"
    [epic] = _epics(text)
    assert _words(epic["statuses"]) == [("unknown", "Nearly there", 3)]
    assert _words(epic["stories"][0]["statuses"]) == [("unknown", "🔲 Parked", 7)]


@pytest.mark.parametrize(
    "line",
    [
        "**FRs covered:** FR1, FR2",
        "FRs: FR1, FR2",
        "- **Requirements:** FR1 and FR2",
        "Covers: FR1-FR2",
        "**FR Coverage:** FR1 to FR2.",
        "**需求覆盖\uff1a** FR1\uff1bFR2",
        "**Exigences couvertes :** FR1, FR2",
        "**Requirements Covered:**\n\n- FR1: Sign in\n- **FR2** Sign out",
        "### Requirements\n\n- FR1\n- FR2",
        "| Field | Value |\n|---|---|\n| Requirements | FR1, FR2 |",
    ],
)
def test_epic_covers_requirements(line: str) -> None:
    [epic] = _epics(f"# Epics\n\n## Epic 1: Accounts\n\n{line}\n\nText on FR9.\n")
    assert epic["covers"] == ["FR1", "FR2"]


def test_what_a_story_covers_is_not_what_its_epic_says() -> None:
    text = "# Epics\n\n## Epic 1: A\n\n### Story 1.1: B\n\nRequirements: FR1\n"
    assert [epic["covers"] for epic in _epics(text)] == [[]]


def test_table_before_the_epics_says_what_they_cover() -> None:
    text = (
        "# Epics\n\n| Epic | FRs |\n|---|---|\n| Epic 1 | FR1 |\n| Epic 2 | FR2 |\n\n## Epic 1: A\n"
    )
    [epic] = _epics(text)
    assert (epic["number"], epic["covers"]) == ("1", ["FR1"])


@pytest.mark.parametrize(
    "path",
    [
        "docs/roadmap.md",
        "docs/product-backlog.md",
        "docs/implementation-plan.md",
        "epics-next.md",
        "_bmad-output/planning-artifacts/epics.md",
        "docs/epics/README.md",
        "docs/prd/epics.md",
    ],
)
def test_documents_of_epics_and_plans_have_epics(path: str) -> None:
    assert _names("# Plan\n\n## Epic 1: Accounts\n", path) == [("1", "Accounts")]


@pytest.mark.parametrize(
    "path",
    [
        "docs/retrospectives/epic-1-retrospective.md",
        "docs/roadmap-review.md",
        "README.md",
        "docs/handoffs/epic-1-handoff.md",
        "docs/notes.md",
        ".bmad-core/epics.md",
        "bmad/roadmap.md",
        "docs/qa/epic-1-tests.md",
        "docs/epic-1-context.md",
    ],
)
def test_documents_about_epics_have_none(path: str) -> None:
    assert _names("# Plan\n\n## Epic 1: Accounts\n", path) == []


def test_story_of_an_epic_has_no_epics() -> None:
    text = "# Story 1.1: A\n\n## Status\n\nDone\n\n## Acceptance Criteria\n\n1. x\n\n## Epic 1: B\n"
    assert _names(text, "docs/stories/1.1.a.md") == []


def test_other_files_have_no_epics() -> None:
    assert read_epics(bmad_document("epics: [1]", "docs/epics.yaml", "yaml")) == []


def test_a_reading_is_bounded() -> None:
    headings = "".join(f"## Epic {number}: A\n\n" for number in range(MAX_ITEMS // 2))
    items = "".join(f"- **Epic {number + MAX_ITEMS // 2}: A**\n" for number in range(MAX_ITEMS))
    assert len(_epics(f"# A\n\n{headings}## Epics\n\n{items}")) == MAX_ITEMS
    [epic] = _epics(f"# Epic 1: {'a' * 2 * MAX_TEXT}\n\n- **Story 1.1: {'b' * 2 * MAX_TEXT}**\n")
    assert len(epic["title"]) <= MAX_TEXT
    assert len(epic["stories"][0]["title"]) <= MAX_TEXT


_PIECES = st.sampled_from(
    (
        *("# Epic 1: A\n", "## Epic 2 - B\n", "### Story 1.1: C ✅ Done\n", "#### 1.2 D\n"),
        *(
            "- **Epic 3**",
            "Epic",
            "Story ",
            "1.1",
            " - ",
            ": ",
            "- ",
            "**",
            "[",
            "](x)",
            "(",
            "<b>",
        ),
        *("| Epic | Title | Status | FRs |\n|---|---|--|-|\n", "| 1 | x | done | FR1-FR999 |\n"),
        *("Status: ", "## Status\n", "FRs covered: ", "FR1", "\n", "\n\n", "## Stories\n"),
        *("## Epic List\n", "---\n", "epic: 1\n", "status: [\n", "史诗", "\uff1a", "&#10;", "\0"),
        *("\ud800", "\u0663", "\xb2"),
    )
)
_PATHS = st.sampled_from(
    ("docs/epics.md", "docs/prd.md", "docs/epics/epic-1-a.md", "docs/epic-2/README.md", "a.md")
)


@settings(deadline=None)
@given(st.text() | st.lists(_PIECES, max_size=60).map("".join), _PATHS)
def test_any_text_is_read(text: str, path: str) -> None:
    lines = len(bmad_document(text, path).lines)
    for epic in _epics(text, path):
        assert 1 <= epic["line"] <= lines
        assert epic["number"]
        assert all(1 <= story["line"] <= lines for story in epic["stories"])
        f"{epic}".encode()
        assert "\0" not in f"{epic}"


@given(st.data())
def test_mutated_breakdowns_are_read(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(BREAKDOWN)))
    end = data.draw(st.integers(start, len(BREAKDOWN)))
    middle = data.draw(st.lists(_PIECES, max_size=4).map("".join))
    _epics(BREAKDOWN[:start] + middle + BREAKDOWN[end:])


_LONG: list[Callable[[int], str]] = [
    lambda n: "## Epic 1: A\n" * (20 * n),
    lambda n: "".join(
        f"## Epic {number}: A\n### Story {number}.1: B\n" for number in range(10 * n)
    ),
    lambda n: (
        "## Epic 1: A\n" + "".join(f"- **Story 1.{number}: B**\n" for number in range(20 * n))
    ),
    lambda n: "# Epics\n## Epic List\n" + "- Epic 1" * (60 * n),
    lambda n: "## Epic 1: A\n" + "Status: FRs covered: FR1-FR199, " * (15 * n),
    lambda n: "## Epic 1: A\n" + "Status: x\n" * (40 * n),
    lambda n: "## Epic 1: A\n" + "FRs: FR1-FR99\n" * (60 * n),
    lambda n: "## Epic 1: " + "a - " * (100 * n),
    lambda n: "## Epic 1: A\n- **Story 1.1**" + " (x) " * (100 * n),
    lambda n: "| Epic | Title |\n|---|---|\n" + "| 1 | A |\n" * (20 * n),
    lambda n: "## Epic 1: A\n" + "|" * (200 * n) + "\n" + "|-" * (1 * n) + "\n",
    lambda n: "## Epic 1: A\n" + "1.1 " * (100 * n),
    lambda n: "# " + "*" * (100 * n) + " Epic 1",
]


@pytest.mark.parametrize("make", _LONG, ids=range(13))
def test_epics_take_linear_time(make: Callable[[int], str]) -> None:
    assert_linear(read_epics, lambda n: bmad_document(make(n), "docs/epics.md"), 50)
