"""A hub whose tools a test calls over HTTP, and validates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
import pytest
from jsonschema import Draft202012Validator

from service.mcp.answers import ANSWER_TOKENS
from service.mcp.token_counts import estimate_tokens
from service.mcp.tools import TOOLS
from tests.support.agents import INITIALIZED, Agents, agents_hub, make_request
from tests.support.board import Board
from tests.support.git_server import git_server
from tests.support.hub import Hub, hub_settings
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

    from tests.support.postgres import Postgres

BY_NAME: Final = {tool.name: tool for tool in TOOLS}


@dataclass
class Answer:
    """What a tool answered: the text, and the object, which fits the tool's schema."""

    text: str
    structured: dict[str, Any]

    @property
    def tokens(self) -> int:
        """The estimate of the larger of the two."""
        return max(
            estimate_tokens(self.text), estimate_tokens(orjson.dumps(self.structured).decode())
        )


@dataclass
class Agent:
    """Calls tools of a hub."""

    client: httpx.Client

    def call(self, tool: str, **arguments: Any) -> Answer:
        """Return the answer, after a check of its schema and its size."""
        result = self.send(tool, arguments)
        assert not result["isError"], result
        structured = result["structuredContent"]
        Draft202012Validator(dict(BY_NAME[tool].output_schema)).validate(structured)
        answer = Answer(_text_of(result), structured)
        assert answer.tokens <= arguments.get("max_tokens", ANSWER_TOKENS)
        return answer

    def fail(self, tool: str, **arguments: Any) -> str:
        """Return the error of a call."""
        result = self.send(tool, arguments)
        assert result["isError"], result
        text = _text_of(result)
        assert estimate_tokens(text) < ANSWER_TOKENS / 4
        return text

    def call_all(self, tool: str, name: str, **arguments: Any) -> list[dict[str, Any]]:
        """Return the items of the list `name`, page by page."""
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            answer = self.call(tool, **arguments, **cursor)
            items += answer.structured[name]
            if answer.structured["next_cursor"] is None:
                return items
            assert answer.structured[name], "a page with a next one has an item"
            cursor = {"cursor": answer.structured["next_cursor"]}
            assert cursor["cursor"] in answer.text

    def send(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Return the result of a call, which may be an error of the tool."""
        params = {"name": tool, "arguments": arguments}
        message, headers = make_request(INITIALIZED[-1], "tools/call", params)
        response = self.client.post("/mcp", json=message, headers=headers)
        assert response.status_code == 200, response.text
        return response.json()["result"]


def _text_of(result: dict[str, Any]) -> str:
    (content,) = result["content"]
    assert content["type"] == "text"
    return content["text"]


@dataclass
class AgentHub(Hub):
    """A hub with an agent, and a writer of rows."""

    agent: Agent
    board: Board


@pytest.fixture(scope="module")
def agent_hub(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AgentHub]:
    """A hub that the tests of a module share."""
    database = postgres.create_database(template="migrated")
    folder: Path = tmp_path_factory.mktemp("mcp")
    with (
        git_server(folder / "repositories") as server,
        serving(database, **hub_settings(folder, server)) as client,
    ):
        yield AgentHub(client, server, database, Agent(client), Board(database))
    postgres.drop_database(database)


@pytest.fixture(scope="session")
def agents(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    """A hub with a synced repository, to which tests send messages of MCP."""
    database = postgres.create_database(template="migrated")
    with agents_hub(database, tmp_path_factory.mktemp("agents")) as agents:
        yield agents
