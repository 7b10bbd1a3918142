"""docs/agents.md describes the tools that there are."""

from __future__ import annotations

import json
import re

import pytest

from service import ROOT
from service.mcp.answers import ANSWER_TOKENS
from service.mcp.document_tool import MOST_TOKENS
from service.mcp.tools import TOOLS
from tests.docs.markdown import README, read_rows, read_section

AGENTS = ROOT / "docs/agents.md"


def test_the_tools_and_their_arguments_are_those_that_agents_get() -> None:
    rows = {
        row[0].strip("`"): set(re.findall("`([a-z_]+)`", row[1]))
        for row in read_rows(AGENTS, "Tools")
    }
    assert rows == {tool.name: set(tool.input_schema["properties"]) for tool in TOOLS}
    named = read_section(README, "Use it with coding agents")
    assert all(f"`{tool.name}`" in named for tool in TOOLS)


def test_the_limits_are_those_of_the_code() -> None:
    text = read_section(AGENTS, "What an answer costs")
    assert f"{ANSWER_TOKENS:,} tokens" in text
    assert f"{MOST_TOKENS:,}" in text


@pytest.mark.parametrize("page", [README, AGENTS], ids=["README", "agents"])
def test_the_configurations_are_json_with_the_address_of_the_endpoint(page: object) -> None:
    heading = "Use it with coding agents" if page == README else "Set it up"
    text = read_section(README if page == README else AGENTS, heading)
    blocks = re.findall(r"```json\n(.+?)```", text, re.DOTALL)
    assert len(blocks) == 2
    vs_code, cursor = map(json.loads, blocks)
    assert vs_code["servers"]["bmadflow"]["type"] == "http"
    for server in (vs_code["servers"]["bmadflow"], cursor["mcpServers"]["bmadflow"]):
        assert server["url"] == "http://127.0.0.1:8000/mcp"
        if page == AGENTS:
            assert server["headers"]["Authorization"].startswith("Bearer ${")
    assert "claude mcp add --transport http bmadflow http://127.0.0.1:8000/mcp\n" in text
    if page == AGENTS:
        # In other quotes the shell would write the token into a file that may be committed.
        shared = next(line for line in text.splitlines() if "--scope project" in line)
        assert "--header 'Authorization: Bearer ${API_READ_TOKEN}'" in shared
