"""Which documents are about one epic, though they call it otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from service.bmad.epic_list import EpicList
from service.bmad.epic_titles import EpicTitles, do_resemble
from service.bmad.joining import TreeDocument
from service.bmad.reading import read_document
from tests.bmad.made import board_of, epic, epics, listed
from tests.support.bmad_documents import bmad_document
from tests.support.linear_time import assert_linear

if TYPE_CHECKING:
    from service.bmad.readings import Reading

LIST: Final = """\
# Shop - Epic Breakdown

## Epic 1: Base platform

### Story 1.1: Set up

## Epic 2: Pay

### Story 2.1: Card
"""
EPICS: Final = [("1", "Base platform"), ("2", "Pay")]


def _rows(documents: dict[str, str]) -> list[dict[str, Any]]:
    readings = {path: read_document(bmad_document(text, path)) for path, text in documents.items()}
    board = board_of(readings, [])
    return [row.item for row in board.epics]


def _epics(documents: dict[str, str]) -> list[tuple[str, str]]:
    return [(row["id"], row["title"]) for row in _rows(documents)]


@pytest.mark.parametrize(
    ("title", "other", "is_same"),
    [
        ("Sign in", "sign IN", True),
        ("", "Sign in", True),
        ("Explorer", "Documentation Explorer & Viewer", True),
        ("Sign in and out", "Sign in", True),
        ("Payments", "Payment System", True),
        ("Access", "Acces", False),
        ("Reports", "Sign in", False),
        ("Sign in", "Sign the contract", False),
        ("Base-platform & set-up", "Base platform and setup", True),
        ("支付", "支付系统", True),
        ("基础平台", "基础架构平台", True),
        ("用户管理", "数据分析", False),
        ("支付平台", "用户管理平台", False),
    ],
)
def test_titles_resemble_by_their_words(title: str, other: str, *, is_same: bool) -> None:
    assert do_resemble(title, other) is is_same


@pytest.mark.parametrize(
    "heading",
    [
        "# Epic 1 {words}",
        "# Epic 1: {words}",
        "# {words}: Epic 1",
        "# Epic 1: Base platform - {words}",
        "# {words} for Epic 1 (Base platform)",
    ],
)
@pytest.mark.parametrize(
    ("tail", "words"),
    [
        ("stories", "Stories"),
        ("overview", "Overview"),
        ("test-design", "Test Design"),
        ("architecture", "Architecture"),
        ("ux", "UX design"),
        ("traceability", "Traceability"),
        ("lessons-learned", "Lessons Learned"),
        ("implementation-plan", "Implementation Plan"),
        ("dev-guide", "Developer Guide"),
        ("api-contracts", "API contracts"),
        ("decisions", "Decisions"),
        ("risks", "Risks"),
    ],
)
def test_documents_about_an_epic_are_no_epic(heading: str, tail: str, words: str) -> None:
    text = f"{heading.format(words=words)}\n\nStatus: Done\n\n- a\n"
    for path in (
        f"docs/epic-1-{tail}.md",
        f"docs/planning/epic-1-{tail}.md",
        f"docs/epic-1-base-{tail}-v2.md",
        f"docs/{tail}-epic-1.md",
        f"docs/epics/epic-1/epic-{tail}.md",
    ):
        assert _epics({"docs/epics.md": LIST, path: text}) == EPICS


def test_a_document_about_one_of_two_epics_of_a_number_is_no_epic() -> None:
    documents = {
        "docs/epics.md": LIST,
        "docs/epics-next.md": "# Next\n\n## Epic 1: Shop\n\n## Epic 2: Mail\n",
        "docs/epic-1-test-design.md": "# Epic 1: Test Design\n",
        "docs/epic-2-risks.md": "# Epic 2: Mail - Risks\n",
    }
    readings = {path: read_document(bmad_document(text, path)) for path, text in documents.items()}
    rows = board_of(readings, []).epics
    assert len(rows) == 4
    [mail] = [row.item for row in rows if row.item["title"] == "Mail"]
    assert [each["path"] for each in mail["documents"]] == [
        "docs/epics-next.md",
        "docs/epic-2-risks.md",
    ]


def test_a_document_named_as_about_an_epic_that_lists_other_stories_is_another() -> None:
    text = "# Epic 1: Migration\n\n## Story 1.1: Copy the data\n"
    assert ("1", "Migration") in _epics({"docs/epics.md": LIST, "docs/epic-1-migration.md": text})


def test_status_of_a_document_about_an_epic_is_not_the_epic_s() -> None:
    documents = {
        "docs/epics.md": LIST.replace("platform\n", "platform\n\nStatus: In Progress\n", 1),
        "docs/epic-1-test-design.md": "# Epic 1: Test Design\n\nStatus: Done\n",
    }
    readings = {path: read_document(bmad_document(text, path)) for path, text in documents.items()}
    row = board_of(readings, []).epics[0]
    assert row.item["status"] == "in_progress"
    assert [each["path"] for each in row.item["documents"]] == [*documents]


def test_document_named_as_what_its_epic_does_is_that_of_the_epic() -> None:
    file = "# Epic 4: Deployment\n\nStatus: Done\n"
    assert _epics({"docs/epic-4-deployment.md": file}) == [("4", "Deployment")]
    with_list = {
        "docs/prd.md": "# PRD\n\n## Epic 3: Mail\n\n## Epic 4: Deployment & operations\n",
        "docs/epic-4-deployment.md": file,
    }
    readings = {path: read_document(bmad_document(text, path)) for path, text in with_list.items()}
    rows = board_of(readings, []).epics
    assert [(row.id, row.item["title"], row.item["status"]) for row in rows] == [
        ("3", "Mail", None),
        ("4", "Deployment", "done"),
    ]


TOPICS: Final = [
    ("epic-1-migration", "Migration to Postgres"),
    ("epic-1-api", "Public API"),
    ("epic-1-deployment", "Cloud rollout"),
    ("epic-1-testing", "Testing"),
    ("epic-1-user-guide", "User guide"),
    ("epic-1-dashboards-metrics", "Dashboards and metrics"),
]


@pytest.mark.parametrize(("name", "title"), TOPICS)
def test_a_document_with_a_status_is_that_of_an_epic_about_a_topic(name: str, title: str) -> None:
    text = f"# Epic 1: {title}\n\n**Status:** Done\n"
    is_long = title not in {"Testing", "User guide"}
    for story in ("", "\n### Story 1.1: Set up\n") if is_long else ("\n### Story 1.1: Set up\n",):
        row = _rows({"docs/epics.md": LIST, f"docs/epics/{name}.md": text + story})[0]
        assert (row["title"], row["status"]) == (title, "done")
    documents = {"docs/epics/epic-1-auth.md": "# Epic 1: Auth\n", f"docs/epics/{name}.md": text}
    statuses = {row["title"]: row["status"] for row in _rows(documents)}
    assert statuses == ({"Auth": None, title: "done"} if is_long else {"Auth": None})


def test_documents_of_epics_that_a_prd_calls_otherwise_keep_their_statuses() -> None:
    prd = "".join(f"## Epic {number}: Part {number * 'x'}\n\n" for number in range(1, 7))
    documents = {"docs/prd.md": f"# PRD\n\n{prd}"}
    for number, (name, title) in enumerate(TOPICS, 1):
        path = f"docs/epics/{name.replace('1', str(number))}.md"
        documents[path] = f"# Epic {number}: {title}\n\n**Status:** Done\n"
    statuses = {row["title"]: row["status"] for row in _rows(documents)}
    assert all(statuses[title] == "done" for _, title in TOPICS)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("faq", "FAQ"),
        ("dependencies", "Dependencies"),
        ("metrics", "Metrics"),
        ("user-guide", "User Guide"),
        ("migration", "Migration Guide"),
        ("api", "API Contracts"),
        ("deployment", "Deployment Checklist"),
        ("schedule", "Schedule"),
        ("tests", "Tests"),
        ("technical-debt", "Tech Debt"),
        ("closure", "Closure"),
    ],
)
def test_a_document_about_an_epic_of_a_list_renames_it_not(name: str, title: str) -> None:
    for heading in (f"# Epic 1: {title}", f"# Epic 1 {title}"):
        text = f"{heading}\n\n**Status:** Draft\n"
        rows = _rows({"docs/epics.md": LIST, f"docs/epics/epic-1-{name}.md": text})
        assert [(row["id"], row["title"]) for row in rows] == EPICS
        assert rows[0]["status"] is None


def test_document_of_an_epic_keeps_the_epic_with_its_stories() -> None:
    text = "# Payment system\n\n## Story 2.1: Card\n\n## Story 2.2: Refund\n"
    assert _epics({"docs/epics.md": LIST, "docs/epic-2-payment-system.md": text}) == [
        ("1", "Base platform"),
        ("2", "Payment system"),
    ]


def test_the_only_document_of_an_epic_that_a_list_beside_it_calls_otherwise() -> None:
    prd = "# PRD\n\n## Epic 1: Base platform\n\n## Epic 2: Pay\n"
    for path in ("docs/epic-2-billing.md", "docs/epics/epic-2.md"):
        assert _epics({"docs/prd.md": prd, path: "# Epic 2: Billing\n"}) == [
            ("1", "Base platform"),
            ("2", "Billing"),
        ]


@pytest.mark.parametrize(
    "others",
    [
        # Epics of the next product in documents of their own.
        {"docs/epics/epic-1.md": "# Epic 1: Shop\n", "docs/epics/epic-2.md": "# Epic 2: Mail\n"},
        {
            "docs/epics/epic-1.md": "# Epic 1: Shop\n\n## Story 1.1: Cart\n",
            "docs/epics/epic-2.md": "# Epic 2: Mail\n",
        },
        {"docs/next/epic-1.md": "# Epic 1: Shop\n", "docs/next/epic-2.md": "# Epic 2: Mail\n"},
        {"docs/epics-next.md": "# Next\n\n## Epic 1: Shop\n\n## Epic 2: Mail\n"},
        # Of these, the first stories are called the same.
        {
            "docs/epics-next.md": "# Next\n\n## Epic 1: Shop\n\n### Story 1.1: Set up\n\n"
            "## Epic 2: Mail\n\n### Story 2.1: Letters\n"
        },
        {
            "docs/epics-next.md": "# Next\n\n## Epic 1: Shop\n\n### Story 1.1: Set up\n\n"
            "### Story 1.2: Cart\n\n### Story 1.3: Order\n\n## Epic 2: Mail\n"
        },
    ],
)
def test_a_second_product_that_counts_from_1_stays_its_own(others: dict[str, str]) -> None:
    found = _epics({"docs/epics.md": LIST, **others})
    assert sorted(found) == [*EPICS[:1], ("1", "Shop"), ("2", "Mail"), *EPICS[1:]]


def test_a_single_epic_of_another_folder_stays_its_own() -> None:
    found = _epics({"docs/epics.md": LIST, "docs/phase-2/epics/epic-1-shop.md": "# Epic 1: Shop\n"})
    assert sorted(found) == [*EPICS[:1], ("1", "Shop"), *EPICS[1:]]


def test_a_document_about_an_epic_of_a_folder_with_epics_is_about_one_of_these() -> None:
    found = _epics(
        {
            "docs/epics.md": LIST,
            "docs/next/epic-2.md": "# Epic 2: Mail\n",
            "docs/next/epic-1-migration.md": "# Epic 1: Migration\n",
        }
    )
    assert ("1", "Migration") in found


def test_a_renamed_epic_that_lists_other_stories_is_another() -> None:
    other = "# Epic 2: Mail\n\n## Story 2.1: Letters\n"
    found = _epics({"docs/epics.md": LIST, "docs/epics/epic-2.md": other})
    assert sorted(found) == [EPICS[0], ("2", "Mail"), EPICS[1]]


def test_renamed_epics_with_the_same_stories_are_one() -> None:
    other = LIST.replace("Base platform", "Ground work").replace("Pay", "Money")
    assert _epics({"docs/epics.md": LIST, "docs/prd.md": other}) == EPICS
    backlog = "# Backlog\n\n## Epic 1 - Ground work\n\n- Story 1.1: Set up\n"
    assert _epics({"docs/epics.md": LIST, "docs/backlog.md": backlog}) == EPICS


def test_a_renamed_epic_is_one_where_the_others_of_its_document_agree() -> None:
    three = "# Epics\n\n## Epic 1: Base\n\n## Epic 2: Pay\n\n## Epic 3: Mail\n"
    other = three.replace("Base", "Ground work")
    for path in ("docs/prd.md", "docs/roadmap.md"):
        found = _epics({"docs/epics.md": three, path: other})
        assert found == [("1", "Base"), ("2", "Pay"), ("3", "Mail")]


def test_two_lists_of_two_epics_with_one_title_in_common_are_not_sure() -> None:
    other = "# Next\n\n## Epic 1: Base platform\n\n## Epic 2: Mail\n"
    found = _epics({"docs/epics.md": LIST, "docs/epics-next.md": other})
    assert ("2", "Mail") in found
    # A PRD is of the product of the list beside it.
    assert _epics({"docs/epics.md": LIST, "docs/prd.md": other}) == EPICS


@pytest.mark.parametrize(
    "place",
    ["docs/epics-mobile.md", "docs/prd-mobile.md", "m/epics.md", "docs/prds/prd-mobile/prd.md"],
)
def test_lists_of_other_products_stay_apart_though_most_titles_are_the_same(place: str) -> None:
    three = "# Epics\n\n## Epic 1: Setup\n\n## Epic 2: Mail\n\n## Epic 3: Admin\n"
    for text in (three, three.partition("## Epic 3")[0]):
        found = _epics({"docs/epics.md": text, place: text.replace("Mail", "Push")})
        assert {("2", "Mail"), ("2", "Push")} <= {*found}


def test_versions_of_a_list_are_of_one_product() -> None:
    three = "# Epics\n\n## Epic 1: Setup\n\n## Epic 2: Mail\n\n## Epic 3: Admin\n"
    for path in (
        "docs/epics-v2.md",
        "docs/prd/epic-list.md",
        "docs/planning-artifacts/prd.md",
        "docs/epics-2026-01-31.md",
    ):
        found = _epics({"docs/epics.md": three, path: three.replace("Mail", "Push")})
        assert len(found) == 3


def test_many_documents_take_linear_time() -> None:
    def make(size: int) -> list[TreeDocument]:
        made: list[tuple[str, Reading]] = []
        for number in range(size):
            title = f"Title{number}"
            made.append((f"docs/epic-1-{number}-risks.md", epics(epic("1", title))))
            several = [epic("1", f"A{title}", stories=[listed("1.1", title)]), epic("2", title)]
            made.append((f"docs/list{number}.md", epics(*several)))
        return [TreeDocument(*each) for each in made]

    assert_linear(EpicTitles, make, 200)
    assert_linear(lambda documents: EpicList("", documents, []), make, 200)
