from __future__ import annotations

from typing import Any

from service.site.work_addresses import WorkAddresses
from tests.support.board import PROBLEM, STORY, awaited, gate

SOURCE = {"id": "s", "name": "Docs"}
ADDRESSES = WorkAddresses("1", {"s": None, "t": "Mobile docs"})


def story(**fields: Any) -> dict[str, Any]:
    return STORY | {"source": SOURCE} | fields


def said(path: str, line: int, *, decides: bool) -> dict[str, Any]:
    return {"path": path, "line": line, "decides": decides}


def test_a_story_leads_to_its_file_at_its_heading() -> None:
    assert ADDRESSES.story(story(path="docs/1.1.md")) == "/projects/1/files/docs/1.1.md"
    assert (
        ADDRESSES.story(story(path="docs/a b.md", anchor="story-1"))
        == "/projects/1/files/docs/a%20b.md#story-1"
    )


def test_a_story_without_a_file_leads_to_what_decides_its_status() -> None:
    evidence = [said("a.yaml", 3, decides=False), said("b.yaml", 7, decides=True)]
    assert ADDRESSES.story(story(status_evidence=evidence)) == "/projects/1/files/b.yaml#L7"
    assert ADDRESSES.story(story(status_evidence=evidence[:1])) == "/projects/1/files/a.yaml#L3"
    assert ADDRESSES.story(story()) is None


def test_of_several_sources_a_path_begins_with_the_folder_of_its_source() -> None:
    source = {"id": "t", "name": "Mobile"}
    found = ADDRESSES.story(story(path="a.md", source=source))
    assert found == "/projects/1/files/Mobile%20docs/a.md"
    # A source without documents has no folder.
    assert ADDRESSES.story(story(path="a.md", source={"id": "u"})) == "/projects/1/files/a.md"


def test_what_a_story_waits_for_and_its_gate_lead_to_their_documents() -> None:
    waiting = awaited("1.2") | {"path": "docs/1.2.md"}
    assert ADDRESSES.awaited(story(), waiting) == "/projects/1/files/docs/1.2.md"
    assert ADDRESSES.awaited(story(), awaited("2")) is None
    assert ADDRESSES.gate(story(gate=gate(path="g.yml"))) == "/projects/1/files/g.yml#L4"
    assert ADDRESSES.gate(story(gate=gate() | {"document": None})) is None


def test_a_problem_leads_to_its_line() -> None:
    problem = PROBLEM | {"source": SOURCE, "path": "a.yaml", "line": 12}
    assert ADDRESSES.problem(problem) == "/projects/1/files/a.yaml#L12"
    assert ADDRESSES.problem(problem | {"line": None}) == "/projects/1/files/a.yaml"
    # Markdown and tables are not shown line by line: the page's own list of problems has anchors.
    for path in ("a.MD", "a.csv"):
        page = f"/projects/1/files/{path}"
        assert ADDRESSES.problem(problem | {"path": path}) == f"{page}#hub-line-12"
        assert ADDRESSES.problem(problem | {"path": path, "line": None}) == page
    assert ADDRESSES.problem(problem | {"path": None}) is None


def test_an_epic_leads_to_its_stories() -> None:
    assert ADDRESSES.epic({"id": "2", "tree": ""}) == "/projects/1/stories?epic=2&tree="
    assert ADDRESSES.epic({"id": "AP-4", "tree": None}) == "/projects/1/stories?epic=AP-4"
    assert (
        ADDRESSES.epic({"id": None, "tree": "apps/web"})
        == "/projects/1/stories?without_epic=yes&tree=apps%2Fweb"
    )


def test_an_epic_has_the_document_that_describes_it_first() -> None:
    first = {"path": "docs/epics.md", "anchor": "epic-2", "line": 9}
    documents = [first, {"path": "b.md", "anchor": None, "line": 1}]
    epic = {"source": SOURCE, "documents": documents}
    assert ADDRESSES.epic_document(epic) == "/projects/1/files/docs/epics.md#epic-2"
    assert ADDRESSES.epic_document(epic | {"documents": []}) is None


def test_a_changed_story_leads_to_its_file_until_it_is_gone() -> None:
    run = {"source": SOURCE}
    changed = {"path": "a.md", "from": "draft", "to": "done"}
    assert ADDRESSES.changed(run, changed) == "/projects/1/files/a.md"
    assert ADDRESSES.changed(run, changed | {"to": None}) is None
    assert ADDRESSES.changed(run, changed | {"path": None}) is None


def test_a_source_leads_to_its_folder() -> None:
    source = {"id": "t", "github_folder_path": "docs/team"}
    assert ADDRESSES.folder(source) == "/projects/1/files/Mobile%20docs/docs/team"
    assert ADDRESSES.folder({"id": "s", "github_folder_path": None}) == "/projects/1/files"
    assert ADDRESSES.folder(source | {"id": "without documents"}) is None
