"""Which version of MCP a request is of, and what 2026-07-28 asks of its headers."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from service.mcp.versions import VERSIONS as SPOKEN
from tests.support.agents import INITIALIZED, META, NEWEST, VERSIONS, make_request

if TYPE_CHECKING:
    from tests.support.agents import Agents

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"


def test_the_tests_know_every_version() -> None:
    assert sorted(SPOKEN) == sorted(VERSIONS)


@pytest.mark.parametrize("version", INITIALIZED)
def test_initialize_grants_a_version_that_is_spoken(agents: Agents, version: str) -> None:
    response = agents.post(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": version, "capabilities": {}, "clientInfo": {}},
        }
    )
    result = response.json()["result"]
    assert result["protocolVersion"] == version
    assert result["capabilities"] == {"tools": {}, "resources": {}}
    assert result["serverInfo"]["name"] == "bmadflow"
    assert "never an instruction" in result["instructions"]
    assert "resultType" not in result


@pytest.mark.parametrize("wanted", ["2024-11-05", "2025-03-26", NEWEST, "2099-01-01", "", "\0"])
@pytest.mark.parametrize("header", [None, "2025-03-26", "nonsense"])
def test_initialize_offers_the_newest_that_has_it_for_another_version(
    agents: Agents, wanted: str, header: str | None
) -> None:
    response = agents.post(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {"protocolVersion": wanted},
        },
        {"MCP-Protocol-Version": header} if header else None,
    )
    assert response.json()["result"]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize("params", [{}, {"protocolVersion": 1}, {"protocolVersion": None}])
def test_initialize_needs_a_version(agents: Agents, params: dict[str, Any]) -> None:
    response = agents.post({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    assert response.status_code == 200
    assert response.json()["error"]["code"] == -32602


def test_the_newest_version_discovers_instead(agents: Agents) -> None:
    result = agents.get(NEWEST, "server/discover")
    assert result["supportedVersions"] == [NEWEST, "2025-11-25", "2025-06-18"]
    assert result["capabilities"] == {"tools": {}, "resources": {}}
    assert "never an instruction" in result["instructions"]
    assert result["cacheScope"] == "public"


@pytest.mark.parametrize(
    ("version", "method"),
    [
        (NEWEST, "ping"),
        (NEWEST, "initialize"),
        ("2025-11-25", "server/discover"),
        ("2025-06-18", "server/discover"),
    ],
)
def test_a_version_has_only_its_own_methods(agents: Agents, version: str, method: str) -> None:
    status, error = agents.fail(version, method)
    assert status == (404 if version == NEWEST else 200)
    assert error["code"] == -32601


def test_a_request_that_names_no_version_is_served(agents: Agents) -> None:
    response = agents.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert response.status_code == 200
    assert "resultType" not in response.json()["result"]


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2099-01-01", "", "é"])
def test_another_version_is_refused_with_those_that_are_spoken(
    agents: Agents, version: str
) -> None:
    for message in (
        {"jsonrpc": "2.0", "id": 1, "method": "tools/list"},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
    ):
        response = agents.client.post(
            "/mcp",
            json=message,
            headers=[(b"MCP-Protocol-Version", version.encode("latin-1"))],
        )
        assert response.status_code == 400
        body = response.json()
        assert body["id"] == message.get("id")
        assert body["error"]["code"] == -32022
        assert body["error"]["data"] == {"supported": [*SPOKEN], "requested": version}


def test_a_version_in_the_body_that_is_not_spoken_is_refused(agents: Agents) -> None:
    message, headers = make_request(NEWEST, "tools/list", {})
    message["params"]["_meta"] = META | {VERSION_KEY: "2099-01-01"}
    response = agents.post(message, headers | {"MCP-Protocol-Version": "2099-01-01"})
    assert response.status_code == 400
    assert response.json()["error"]["data"]["requested"] == "2099-01-01"


@pytest.mark.parametrize(
    "meta",
    [
        None,
        [],
        {},
        {VERSION_KEY: NEWEST},
        {CAPABILITIES_KEY: {}},
        {VERSION_KEY: NEWEST, CAPABILITIES_KEY: None},
        {VERSION_KEY: NEWEST, CAPABILITIES_KEY: []},
    ],
)
def test_a_request_of_the_newest_version_has_a_complete_meta(agents: Agents, meta: object) -> None:
    message, headers = make_request(NEWEST, "tools/list", {})
    message["params"]["_meta"] = meta
    response = agents.post(message, headers)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32602
    assert "_meta" in response.json()["error"]["message"]


def test_the_name_of_the_client_may_be_missing(agents: Agents) -> None:
    message, headers = make_request(NEWEST, "tools/list", {})
    message["params"]["_meta"] = {VERSION_KEY: NEWEST, CAPABILITIES_KEY: {}}
    assert agents.post(message, headers).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MCP-Protocol-Version", None),
        ("MCP-Protocol-Version", "2025-11-25"),
        ("MCP-Protocol-Version", "2099-01-01"),
        ("Mcp-Method", None),
        ("Mcp-Method", "tools/call"),
        ("Mcp-Method", "Resources/Read"),
        ("Mcp-Method", "resources/r\xe9ad"),
        ("Mcp-Name", None),
        ("Mcp-Name", "bmadflow://documents/2"),
        ("Mcp-Name", "=?base64?Ym1hZGZsb3c6Ly9kb2N1bWVudHMvMg==?="),
        ("Mcp-Name", "=?base64?%?="),
        ("Mcp-Name", "=?base64?/w==?="),
        ("Mcp-Name", "=?base64?="),
    ],
)
def test_a_header_that_lacks_or_says_something_else_is_refused(
    agents: Agents, name: str, value: str | None
) -> None:
    message, headers = make_request(NEWEST, "resources/read", {"uri": "bmadflow://documents/1"})
    del headers[name]
    lines = [(key.encode(), text.encode()) for key, text in headers.items()]
    if value is not None:
        lines.append((name.encode(), value.encode("latin-1")))
    response = agents.client.post("/mcp", json=message, headers=lines)
    assert response.status_code == 400
    assert response.json()["id"] == 1
    assert response.json()["error"]["code"] == -32020


def test_a_header_beyond_ascii_is_refused_though_the_body_has_the_same(agents: Agents) -> None:
    message, headers = make_request(NEWEST, "resources/read", {"uri": "é"})
    del headers["Mcp-Name"]
    lines = [(key.encode(), text.encode()) for key, text in headers.items()]
    name = (b"Mcp-Name", "é".encode("latin-1"))
    response = agents.client.post("/mcp", json=message, headers=[*lines, name])
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


@pytest.mark.parametrize("name", ["MCP-Protocol-Version", "Mcp-Method"])
def test_a_header_that_is_there_twice_is_refused(agents: Agents, name: str) -> None:
    message, headers = make_request(NEWEST, "tools/list", {})
    lines = [*headers.items(), (name, headers[name])]
    response = agents.client.post("/mcp", json=message, headers=lines)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32020


def test_the_name_of_a_header_may_be_in_any_case_and_its_value_encoded(agents: Agents) -> None:
    uri = f"bmadflow://documents/{agents.documents['docs/prd.md']}"
    message, headers = make_request(NEWEST, "resources/read", {"uri": uri})
    encoded = base64.b64encode(uri.encode()).decode()
    lines = {name.upper(): value for name, value in headers.items()}
    response = agents.post(message, lines | {"MCP-NAME": f"=?base64?{encoded}?="})
    assert response.status_code == 200


def test_a_call_without_a_name_has_wrong_parameters(
    agents: Agents,
) -> None:
    message, headers = make_request(NEWEST, "tools/call", {"name": "search"})
    del message["params"]["name"]
    response = agents.post(message, headers)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32602


@pytest.mark.parametrize("method", ["tools/list", "resources/list", "resources/templates/list"])
def test_results_of_the_newest_version_say_whose_they_are_and_how_long_they_hold(
    agents: Agents, method: str
) -> None:
    result = agents.get(NEWEST, method)
    assert result["resultType"] == "complete"
    assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "bmadflow"
    assert result["ttlMs"] >= 0
    assert result["cacheScope"] == ("private" if method == "resources/list" else "public")
    for version in INITIALIZED:
        assert not agents.get(version, method).keys() & {"resultType", "_meta", "ttlMs"}
