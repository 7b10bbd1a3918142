"""GET /api/search/suggest: titles and headings that complete what is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.hub import Synced
from tests.support.postgres import run_sql
from tests.support.problems import assert_problem

if TYPE_CHECKING:
    from tests.support.hub import Hub

STORIES = {
    f"docs/stories/1.{number}.story.md": (
        f"# Story 1.{number}: Refund {name}\n\n## Status\n\n## Acceptance Criteria\n\n1. x\n"
    ).encode()
    for number, name in enumerate(("limits", "emails", "of a gift card"), 1)
}
FILES = {
    **STORIES,
    "docs/README.md": (
        "---\ntitle: Payments\n---\n# Refunds\n\n## Réconciliation\n\n## Status\n\n"
        "## Non-Functional Requirements\n\n### <b>R</b>etries & limits\n\n## Success criteria\n"
    ).encode(),
    "docs/架构.md": "# 系统架构\n\n## 数据模型\n".encode(),
    "docs/refs.yaml": b"title: Refs\n",
}


def complete(hub: Hub, typed: str, **parameters: str) -> list[dict[str, Any]]:
    response = hub.client.get("/api/search/suggest", params={"q": typed, **parameters})
    assert response.status_code == 200, response.text
    assert response.json()["query"] == typed
    return response.json()["suggestions"]


def texts(hub: Hub, typed: str, **parameters: str) -> list[str]:
    suggestions = complete(hub, typed, **parameters)
    return [heading["text"] for each in suggestions for heading in each["headings"]]


def test_titles_and_headings_are_completed_with_their_documents(hub: Hub) -> None:
    synced = Synced(hub, FILES)
    document = hub.files(synced.project)["docs/README.md"]["id"]
    assert complete(hub, "reco") == [
        {
            "document": {
                "id": document,
                "title": "Payments",
                "path": "docs/README.md",
                "kind": "readme",
                "project": {"id": synced.project, "name": "Payments"},
                "source": {"id": synced.source, "name": "Docs"},
            },
            "headings": [
                {
                    "text": "Réconciliation",
                    "anchor": "réconciliation",
                    "marked": "<mark>Réco</mark>nciliation",
                }
            ],
        }
    ]


def test_titles_come_first_then_shorter_ones_then_later_words(hub: Hub) -> None:
    Synced(hub, FILES)
    assert texts(hub, "ref") == [
        "Refs",
        "Refunds",
        "Story 1.1: Refund limits",
        "Story 1.2: Refund emails",
        "Story 1.3: Refund of a gift card",
    ]
    assert texts(hub, "r") == ["Refs", "Refunds", "Réconciliation", "Retries & limits"]


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("story 1.", 3),
        ("story 1.3", 1),
        ("STORY\t 1", 3),
        ("non func", 1),
        ("crit", 2),
        ("requirem", 1),
        ("functional re", 1),
        ("reconc", 1),
        ("架构", 1),
        ("系", 1),
        ("模型", 1),
        ("型", 1),
        ("tatus", 0),
        ("statuses", 0),
        ("!!!", 0),
    ],
)
def test_any_beginning_is_completed(hub: Hub, typed: str, expected: int) -> None:
    Synced(hub, FILES)
    assert len(texts(hub, typed)) == expected


def test_the_beginning_of_a_later_word_is_completed_but_no_other_part(hub: Hub) -> None:
    Synced(hub, {"a.md": b"# Report\n\n## Open a port\n\n## Support\n"})
    assert texts(hub, "port") == ["Open a port"]


def test_a_heading_of_many_documents_is_there_once(hub: Hub) -> None:
    synced = Synced(hub, FILES)
    assert texts(hub, "stat") == ["Status"]
    for changed in STORIES:
        synced.change({changed: FILES[changed] + b"more\n"})
        (suggestion,) = complete(hub, "stat")
        assert suggestion["document"]["path"] == changed


def test_at_most_ten_are_completed_grouped_by_document(hub: Hub) -> None:
    one = "".join(f"## Part {number}\n\n" for number in range(9))
    two = "".join(f"## Part {number}\n\n" for number in range(20, 29))
    Synced(hub, {"one.md": one.encode(), "two.md": two.encode()})
    suggestions = complete(hub, "part")
    assert [len(each["headings"]) for each in suggestions] == [9, 1]


def test_the_anchor_of_a_title_is_that_of_its_heading(hub: Hub) -> None:
    Synced(hub, FILES)
    anchors = {
        typed: complete(hub, typed)[0]["headings"][0]["anchor"]
        for typed in ("story 1.1", "payments", "refs", "系统")
    }
    assert anchors == {
        "story 1.1": "story-11-refund-limits",
        "payments": None,
        "refs": None,
        "系统": "系统架构",
    }


def test_the_marks_are_html_and_the_text_is_not(hub: Hub) -> None:
    Synced(hub, {"a.md": b"# x\n\n## Use `<script>` & more\n"})
    (suggestion,) = complete(hub, "use scr")
    assert suggestion["headings"] == [
        {
            "text": "Use <script> & more",
            "anchor": "use-script--more",
            "marked": "<mark>Use &lt;scr</mark>ipt&gt; &amp; more",
        }
    ]


def test_what_is_gone_is_no_longer_completed(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Alpha\n\n## Alps\n", "b.md": b"# Beta\n\n## Best\n"})
    synced.change({"a.md": b"# Alpha\n\n## Aluminium\n"})
    assert texts(hub, "al") == ["Alpha", "Aluminium"]
    synced.remove("b.md")
    assert texts(hub, "be") == []
    assert run_sql(hub.database, "select text from document_heading order by text") == [
        ("alpha ",),
        ("aluminium ",),
    ]
    assert hub.client.delete(f"/api/projects/{synced.project}").status_code == 200
    assert texts(hub, "al") == []
    assert run_sql(hub.database, "select from document_heading") == []


def test_headings_of_a_deleted_source_are_not_completed_before_they_are_removed(hub: Hub) -> None:
    synced = Synced(hub, {"a.md": b"# Alpha\n\n## Alphabet\n"})
    run_sql(
        hub.database,
        f"""
        insert into document_heading (document_id, number, project_id, text)
        select gen_random_uuid(), 1, '{synced.project}', 'alpha' || chr(96 + n / 2) || ' '
        from generate_series(1, 50) as each (n)
        """,
        f"""
        insert into document_heading (document_id, number, project_id, text)
        select gen_random_uuid(), 1, '{synced.project}', 'alphabet '
        from generate_series(1, 5)
        """,
    )
    assert texts(hub, "alp") == ["Alpha", "Alphabet"]


def test_a_project_completes_its_own_documents(hub: Hub) -> None:
    first = Synced(hub, {"a.md": b"# Alpha\n\n## Status of all\n"})
    other = hub.create_project("Other")
    remote = hub.server.create("team/other")
    remote.commit({"b.md": b"# Beta\n\n## Status\n\n## The status\n"})
    hub.sync(hub.create_source(other, remote))
    assert texts(hub, "status") == ["Status", "The status", "Status of all"]
    assert texts(hub, "status", project_id=first.project) == ["Status of all"]
    assert texts(hub, "status", project_id=other) == ["Status", "The status"]


@pytest.mark.parametrize(
    "query", ["", "q=", "q=a%00", "q=%FF", "q=" + "a" * 257, "q=a&project_id=1"]
)
def test_a_bad_query_is_refused(hub: Hub, query: str) -> None:
    response = hub.client.get(f"/api/search/suggest?{query}")
    assert_problem(response, 400)


def test_a_missing_project_is_not_found(hub: Hub) -> None:
    missing = "9b0fe873-1380-46e1-85f8-934fc9c1f884"
    response = hub.client.get("/api/search/suggest", params={"q": "a", "project_id": missing})
    assert_problem(response, 404)
