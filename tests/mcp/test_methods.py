"""What the methods of MCP return: tools and their calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from service.database.errors import DatabaseUnavailable
from service.mcp import methods
from service.mcp.tool import Tool, ToolError, ToolResult
from service.mcp.tools import TOOLS
from service.problems import Problem
from service.web.problem_response import FAULT
from tests.support.agents import INITIALIZED, NEWEST, VERSIONS, example_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.state import Request
    from tests.support.agents import Agents

SCHEMA: Final = {
    "type": "object",
    "properties": {"text": {"type": "string", "maxLength": 20}},
    "required": ["text"],
    "additionalProperties": False,
}
ERRORS: Final[Mapping[str, Exception]] = {
    "tool": ToolError("Name a project."),
    "missing": Problem("not_found", "There is no such project."),
    "invalid": Problem("invalid", "query: is too long."),
    "busy": Problem("unavailable", "Too many searches are under way."),
    "away": DatabaseUnavailable("unreachable"),
    "fault": RuntimeError("a secret of the service"),
}


async def echo(_: Request, arguments: Mapping[str, Any]) -> ToolResult:
    if error := ERRORS.get(arguments["text"]):
        raise error
    return ToolResult(arguments["text"].upper(), {"said": arguments["text"]})


ECHO: Final = Tool("echo", "Echo", "Repeats a text.", SCHEMA, {"type": "object"}, echo)


@pytest.fixture
def with_echo(agents: Agents, monkeypatch: pytest.MonkeyPatch) -> Agents:
    """A hub that has another tool."""
    monkeypatch.setattr(methods, "TOOLS", (*TOOLS, ECHO))
    return agents


def call(agents: Agents, version: str, **arguments: Any) -> dict[str, Any]:
    return agents.get(version, "tools/call", name="echo", arguments=arguments)


def test_the_list_of_tools_says_that_they_only_read(agents: Agents) -> None:
    listed = agents.get(NEWEST, "tools/list")["tools"]
    assert [tool["name"] for tool in listed] == [tool.name for tool in TOOLS]
    for tool in listed:
        assert tool["annotations"]["readOnlyHint"] is True
        assert tool["annotations"]["destructiveHint"] is False
        assert tool["inputSchema"]["type"] == "object"
        assert tool["inputSchema"]["additionalProperties"] is False
        assert tool["outputSchema"]["type"] == "object"
        assert tool["title"]
        assert tool["description"]


@pytest.mark.parametrize("method", ["tools/list", "resources/templates/list"])
def test_a_list_of_one_page_has_no_cursor(agents: Agents, method: str) -> None:
    assert "nextCursor" not in agents.get(NEWEST, method)
    for version in VERSIONS:
        status, error = agents.fail(version, method, cursor="x")
        assert (status, error["code"]) == (400 if version == NEWEST else 200, -32602)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_every_tool_answers(agents: Agents, tool: Tool, version: str) -> None:
    arguments = example_arguments(tool)
    result = agents.get(version, "tools/call", name=tool.name, arguments=arguments)
    assert result["isError"] is False, result
    assert result["content"][0]["text"]
    assert set(tool.output_schema.get("required", ())) <= result["structuredContent"].keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_call_returns_text_and_an_object(with_echo: Agents, version: str) -> None:
    result = call(with_echo, version, text="hello")
    assert result["content"] == [{"type": "text", "text": "HELLO"}]
    assert result["structuredContent"] == {"said": "hello"}
    assert result["isError"] is False
    assert ("resultType" in result) == (version == NEWEST)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("tool", "Name a project."),
        ("missing", "There is no such project."),
        ("invalid", "query: is too long."),
        ("busy", "Too many searches are under way. Try again in 5 s."),
        ("away", "The database cannot be used at the moment. Try again in 5 s."),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_error_of_a_tool_is_a_result_for_the_agent(
    with_echo: Agents, version: str, error: str, said: str
) -> None:
    result = call(with_echo, version, text=error)
    assert result["isError"] is True
    assert result["content"] == [{"type": "text", "text": said}]
    assert "structuredContent" not in result


@pytest.mark.parametrize("version", VERSIONS)
def test_a_fault_of_a_tool_tells_nothing_of_the_inside(with_echo: Agents, version: str) -> None:
    arguments = {"text": "fault"}
    status, error = with_echo.fail(version, "tools/call", name="echo", arguments=arguments)
    assert (status, error) == (500, {"code": -32603, "message": FAULT})


@pytest.mark.parametrize("version", VERSIONS)
def test_arguments_that_do_not_fit_are_an_error_of_the_tool(
    with_echo: Agents, version: str
) -> None:
    for arguments in ({}, {"text": "x" * 21}, {"text": "\0"}, {"txt": "x"}):
        result = call(with_echo, version, **arguments)
        assert result["isError"] is True
        assert "text" in result["content"][0]["text"]


def test_arguments_may_be_null_where_none_are_needed(
    agents: Agents, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_: Request, arguments: Mapping[str, Any]) -> ToolResult:
        return ToolResult(str(dict(arguments)), {})

    schema: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}
    monkeypatch.setattr(methods, "TOOLS", (Tool("none", "", "", schema, {}, answer),))
    given: list[dict[str, Any]] = [{}, {"arguments": None}, {"arguments": {}}]
    for params in given:
        result = agents.get("2025-11-25", "tools/call", name="none", **params)
        assert result["content"][0]["text"] == "{}"


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"name": "ecko"}, 'Unknown tool: "ecko". Did you mean echo?'),
        ({"name": "nothing at all"}, 'Unknown tool: "nothing at all". The tools are '),
        ({"name": "x" * 10_000}, "Unknown tool: "),
        ({"name": 5}, "params.name must be a string."),
        ({}, "params.name must be a string."),
        ({"name": "echo", "arguments": []}, "params.arguments must be an object."),
        ({"name": "echo", "arguments": "text"}, "params.arguments must be an object."),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_call_of_no_tool_is_a_protocol_error(
    with_echo: Agents, version: str, params: dict[str, Any], said: str
) -> None:
    status, error = with_echo.fail(version, "tools/call", **params)
    assert (status, error["code"]) == (400 if version == NEWEST else 200, -32602)
    assert error["message"].startswith(said)
    assert len(error["message"]) < 500


def test_pings_are_answered_up_to_2025(agents: Agents) -> None:
    for version in INITIALIZED:
        assert agents.get(version, "ping") == {}
