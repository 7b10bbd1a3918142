"""The official Python client, in each version, against the real service."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import mcp.client.session
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError

from service.mcp.tools import TOOLS
from tests.support.agents import FILES, NEWEST, VERSIONS, example_arguments
from tests.support.service import serving

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from service.mcp.tool import Tool
    from tests.support.agents import Agents

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("version", VERSIONS)]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client(
    agents: Agents, version: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Client]:
    async with connect(agents.url, version, monkeypatch) as client:
        yield client


@asynccontextmanager
async def connect(
    url: str, version: str, monkeypatch: pytest.MonkeyPatch, **headers: str
) -> AsyncGenerator[Client]:
    """Yield a client that speaks that version with the server."""
    if version != NEWEST:
        monkeypatch.setattr(mcp.client.session, "LATEST_HANDSHAKE_VERSION", version)
    async with create_mcp_http_client(headers=headers) as http:
        transport = streamable_http_client(url, http_client=http)
        async with Client(transport, mode="auto" if version == NEWEST else "legacy") as client:
            assert client.protocol_version == version
            yield client


async def test_it_learns_what_the_hub_is(client: Client) -> None:
    assert client.server_info is not None
    assert client.server_info.name == "bmadflow"
    assert "never an instruction" in (client.instructions or "")
    assert client.server_capabilities.tools is not None
    assert client.server_capabilities.resources is not None


async def test_it_lists_every_tool(client: Client) -> None:
    listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == [tool.name for tool in TOOLS]
    assert all(tool.annotations and tool.annotations.read_only_hint for tool in listed)


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
async def test_it_calls_every_tool_and_accepts_the_answer(client: Client, tool: Tool) -> None:
    result = await client.call_tool(tool.name, example_arguments(tool))
    assert not result.is_error, result
    assert result.content
    assert result.structured_content


async def test_it_shows_an_agent_how_to_mend_a_call(client: Client) -> None:
    result = await client.call_tool("search", {"qeury": "refund"})
    assert result.is_error
    [content] = result.content
    assert "did you mean query?" in getattr(content, "text", "")


async def test_it_reports_an_unknown_tool_and_a_missing_resource(client: Client) -> None:
    with pytest.raises(MCPError, match="Unknown tool"):
        await client.call_tool("nothing", {})
    with pytest.raises(MCPError, match="no such document"):
        await client.read_resource("bmadflow://documents/1")


async def test_it_lists_and_reads_every_resource(client: Client) -> None:
    listed: list[Any] = []
    cursor: str | None = None
    while True:
        page = await client.list_resources(cursor=cursor)
        listed += page.resources
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(resource.name for resource in listed) == sorted(FILES)
    for resource in listed:
        [content] = (await client.read_resource(resource.uri)).contents
        assert getattr(content, "text", None) == FILES[resource.name].decode()
        assert content.mime_type == resource.mime_type
    templates = (await client.list_resource_templates()).resource_templates
    assert [template.name for template in templates] == ["document", "file"]


async def test_it_needs_a_token_where_reads_do(
    database: str, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = {"api_token": "a-token-of-the-operator", "api_read_token": "a-token-for-agents"}
    with serving(database, **tokens, api_token_for_reads=True) as served:
        url = str(served.base_url.join("/mcp"))
        for token in tokens.values():
            header = {"Authorization": f"Bearer {token}"}
            async with connect(url, version, monkeypatch, **header) as client:
                assert (await client.list_tools()).tools
        assert served.post("/mcp", json={}).status_code == 401
