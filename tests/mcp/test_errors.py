"""Each wrong call gets a message from which an agent can mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from service.mcp.tools import TOOLS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.mcp.tool import Tool
    from tests.mcp.conftest import Agent, AgentHub

UNKNOWN: Final = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
LISTS: Final = ("list_documents", "next", "progress", "list_stories", "list_problems")
BAD_CURSOR: Final = "cursor is not one that this tool gave for these arguments: leave it out"


@pytest.fixture(scope="module")
def agent(agent_hub: AgentHub) -> Agent:
    remote = agent_hub.server.create("team/errors")
    remote.commit(
        {
            "docs/prd.md": b"# PRD\n\n## Goals\n\nText.\n\n## Limits\n\nText.\n",
            "docs/architecture.md": b"Text.\n",
        }
    )
    source = agent_hub.create_source(agent_hub.create_project("Payments"), remote)
    assert agent_hub.sync(source)["status"] == "completed"
    agent_hub.create_project("Payment terminals")
    agent_hub.create_project("Empty")
    return agent_hub.agent


ERRORS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("search", {}, "query is missing"),
    ("search", {"query": ""}, "query must be a string of 1 to 256 characters"),
    ("search", {"query": "x", "kind": "Prds"}, 'Did you mean "prd"?'),
    ("search", {"query": "x", "limit": 51}, "limit must be an integer from 1 to 50, not 51"),
    ("search", {"query": "x", "cursor": "x"}, BAD_CURSOR),
    ("search", {"query": "x", "project": "Paymnts"}, 'Similar names: "Payments"'),
    ("search", {"query": "x", "projekt": "Payments"}, "did you mean project?"),
    ("read_document", {}, "path is missing. Give id, as search and list_documents do, or project"),
    ("read_document", {"path": "docs/prd.md"}, "project is missing. Give id"),
    ("read_document", {"project": "Payments"}, "path is missing. Give id"),
    ("read_document", {"id": "docs/prd.md"}, "id is no UUID. Give id"),
    ("read_document", {"id": UNKNOWN}, "There is no document with this id (any more)"),
    (
        "read_document",
        {"project": "Payments", "path": "planning/PRD.md"},
        'has no document at "planning/PRD.md". Similar paths: "docs/prd.md"',
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/architecure.md"},
        'Similar paths: "docs/architecture.md"',
    ),
    (
        "read_document",
        {"project": "Empty", "path": "prd.md"},
        "list_documents lists its paths, and search finds documents by their words",
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/prd.md", "section": "gaols"},
        'The document has no section "gaols". The nearest are: "goals".',
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/prd.md#xyz"},
        'There are: "prd", "goals", "limits".',
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/architecture.md", "section": "x"},
        "It has no headings.",
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/prd.md", "offset": 99},
        "The document has the characters 0 to 41: offset must be at least 0 and below 41, not 99",
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/prd.md", "section": "limits", "offset": 3},
        "The section has the characters 24 to 41: offset must be at least 24 and below 41, not 3",
    ),
    (
        "read_document",
        {"project": "Payments", "path": "docs/prd.md", "max_tokens": 30_000},
        "max_tokens must be an integer from 1000 to 25000, not 30000",
    ),
    ("list_projects", {"cursor": "x"}, BAD_CURSOR),
    ("list_projects", {"project": "Payments"}, "There is no argument"),
    ("list_stories", {"project": "Payments", "status": "progress"}, 'mean "in_progress"?'),
    ("list_problems", {"project": "Payments", "severity": "fatal"}, 'one of "error", "warning"'),
    ("list_documents", {"project": "Payments", "kind": "docs"}, 'one of "prd", "architecture"'),
    *((tool, {}, "project is missing") for tool in LISTS),
    *((tool, {"project": "Paymnts"}, 'Similar names: "Payments"') for tool in LISTS),
    *(
        (tool, {"project": "zzz"}, 'There are "Empty", "Payment terminals", "Payments".')
        for tool in LISTS
    ),
    *((tool, {"project": UNKNOWN}, "list_projects lists them with their ids") for tool in LISTS),
    *((tool, {"project": "Payments", "cursor": "99"}, BAD_CURSOR) for tool in LISTS),
    *((tool, {"project": "Payments", "cursor": "bm8gMQ=="}, BAD_CURSOR) for tool in LISTS),
]


@pytest.mark.parametrize(("tool", "arguments", "message"), ERRORS)
def test_a_wrong_call_is_told_how_to_mend_it(
    agent: Agent, tool: str, arguments: dict[str, Any], message: str
) -> None:
    assert message in agent.fail(tool, **arguments)


@pytest.mark.parametrize("name", ["Payments", "payments", "  PAYMENTS "])
def test_case_and_white_space_of_a_name_are_forgiven(agent: Agent, name: str) -> None:
    answer = agent.call("list_documents", project=name)
    assert answer.structured["project"]["name"] == "Payments"
    project_id = answer.structured["project"]["id"]
    assert agent.call("list_documents", project=project_id).structured["documents"]


@pytest.mark.parametrize("tool", LISTS)
def test_an_empty_project_is_an_answer(agent: Agent, tool: str) -> None:
    answer = agent.call(tool, project="Empty")
    assert answer.structured["next_cursor"] is None
    assert answer.structured["hint"]
    assert answer.structured["hint"] in answer.text


def test_a_search_without_results_says_what_to_try(agent: Agent) -> None:
    answer = agent.call("search", query="zzzqqq")
    assert answer.structured["results"] == []
    assert "try other or fewer words" in answer.text


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("list_stories", {"epic": "99"}, "progress(project) lists the ids of epics"),
        ("list_stories", {"status": "done"}, "leave out status or epic"),
        ("list_stories", {"status": "blocked"}, 'next(project="Payments", list="blocked")'),
        ("next", {"list": "ready"}, "No story is ready to start."),
        ("list_documents", {"path": "docs/*.md"}, "without wildcards"),
        ("list_documents", {"path": "documents/architecture"}, "paths: `docs/architecture.md`."),
        ("list_documents", {"kind": "epic"}, "list_documents(project) lists all paths"),
    ],
)
def test_a_list_in_which_nothing_fits_says_what_to_try(
    agent: Agent, tool: str, arguments: dict[str, str], message: str
) -> None:
    answer = agent.call(tool, project="Payments", **arguments)
    assert message in answer.structured["hint"]
    assert message in answer.text


def any_arguments(tool: Tool) -> st.SearchStrategy[dict[str, Any]]:
    """Return arguments that mostly fit a tool's schema, with texts of all characters."""
    known = st.sampled_from(["Payments", "docs/prd.md", "goals", "#", "/", "..", "OC4w", UNKNOWN])
    anything = st.text(max_size=40) | known

    def values(schema: Mapping[str, Any]) -> st.SearchStrategy[Any]:
        if schema["type"] == "integer":
            return st.integers(-1, 30_000)
        return st.sampled_from(schema["enum"]) if "enum" in schema else anything

    properties = tool.input_schema["properties"]
    required = tool.input_schema.get("required", ())
    return st.fixed_dictionaries(
        {name: values(properties[name]) for name in required},
        optional={name: values(each) for name, each in properties.items() if name not in required},
    ).map(lambda given: given | ({"project": "Payments"} if len(given) % 2 else {}))


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_any_arguments_get_an_answer_or_a_text(agent: Agent, tool: Tool) -> None:
    @settings(max_examples=60)
    @given(any_arguments(tool))
    def check(arguments: dict[str, Any]) -> None:
        result = agent.send(tool.name, arguments)
        if not result["isError"]:
            Draft202012Validator(dict(tool.output_schema)).validate(result["structuredContent"])
        assert result["content"][0]["text"]

    check()
