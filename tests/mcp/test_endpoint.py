"""POST /mcp by hand: HTTP, and the messages of JSON-RPC."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from service import ROOT
from service.mcp.tools import TOOLS
from service.web.middleware import MAX_MESSAGE_BYTES
from tests.support.agents import INITIALIZED, NEWEST, VERSIONS, make_request
from tests.support.problems import assert_problem
from tests.support.service import json_log, serving

if TYPE_CHECKING:
    import httpx

    from tests.support.agents import Agents

PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
PONG: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {}}


def read_error(response: httpx.Response, status: int, code: int, message_id: Any = None) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body["jsonrpc"] == "2.0"
    assert body["id"] == message_id
    assert body["error"]["code"] == code, body
    return body["error"]["message"]


def test_curl_without_further_headers_gets_an_answer(agents: Agents) -> None:
    response = agents.client.post(
        "/mcp",
        content=json.dumps(PING),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    assert response.json() == PONG
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("accept", ["*/*", "text/event-stream", "text/html", ""])
def test_the_answer_is_json_whatever_the_client_accepts(agents: Agents, accept: str) -> None:
    assert agents.post(PING, {"Accept": accept}).json() == PONG


def test_a_slash_at_the_end_makes_no_difference(agents: Agents) -> None:
    assert agents.post(PING, path="/mcp/").json() == PONG


def test_no_session_is_issued_and_one_that_is_sent_is_ignored(agents: Agents) -> None:
    response = agents.post(PING, {"Mcp-Session-Id": "x", "Last-Event-ID": "3"})
    assert response.json() == PONG
    assert "mcp-session-id" not in response.headers


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT"])
@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_only_post_is_allowed(agents: Agents, method: str, path: str) -> None:
    response = agents.client.request(method, path, headers={"Accept": "text/event-stream"})
    assert_problem(response, 405)
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_media_type_than_json_is_refused(agents: Agents, media_type: str) -> None:
    headers = {"Content-Type": media_type}
    assert_problem(agents.client.post("/mcp", content=json.dumps(PING), headers=headers), 415)


def test_a_page_of_another_origin_is_refused(agents: Agents) -> None:
    assert_problem(agents.post(PING, {"Origin": "https://evil.example"}), 403)
    assert agents.post(PING, {"Origin": "http://localhost:3000"}).json() == PONG


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
def test_a_message_over_its_limit_is_refused(agents: Agents, path: str) -> None:
    # A larger one could keep the parser busy for a tenth of a second, and all other requests.
    def post(size: int) -> httpx.Response:
        body = json.dumps(PING).encode().ljust(size)
        headers = {"Content-Type": "application/json"}
        return agents.client.post(path, content=body, headers=headers)

    assert post(MAX_MESSAGE_BYTES).json() == PONG
    assert_problem(post(MAX_MESSAGE_BYTES + 1), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}',
        b'{"jsonrpc":"2.0","id":%b,"method":"ping"}' % (b"9" * 5000),
        b"[" * 60_000,
    ],
)
def test_what_is_not_json_is_a_parse_error(agents: Agents, body: bytes) -> None:
    response = agents.client.post(
        "/mcp", content=body, headers={"Content-Type": "application/json"}
    )
    read_error(response, 400, -32700)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_batch_is_refused_with_a_reason(agents: Agents, version: str) -> None:
    response = agents.post([PING, PING], {"MCP-Protocol-Version": version})
    assert "batch" in read_error(response, 400, -32600)


@pytest.mark.parametrize(
    ("message", "message_id"),
    [
        (1, None),
        ("ping", None),
        (None, None),
        ({}, None),
        ({**PING, "jsonrpc": "1.0"}, 1),
        ({**PING, "jsonrpc": 2.0}, 1),
        ({"jsonrpc": "2.0", "id": 1}, 1),
        ({**PING, "method": 5}, 1),
        ({**PING, "id": None}, None),
        ({**PING, "id": 1.5}, None),
        ({**PING, "id": True}, None),
        ({**PING, "id": {}}, None),
    ],
)
def test_what_is_no_message_is_an_invalid_request(
    agents: Agents, message: object, message_id: Any
) -> None:
    read_error(agents.post(message), 400, -32600, message_id)


@pytest.mark.parametrize("params", [[], "x", 1, False])
def test_parameters_are_an_object(agents: Agents, params: object) -> None:
    read_error(agents.post({**PING, "params": params}), 400, -32602, 1)


def test_parameters_that_are_null_are_none(agents: Agents) -> None:
    assert agents.post({**PING, "params": None}).json()["result"] == {}
    notification = {"jsonrpc": "2.0", "method": "notifications/initialized", "params": None}
    assert agents.post(notification).status_code == 202


@pytest.mark.parametrize(
    "message_id", [0, -1, 2**53 + 1, 10**40, "", "a-1", "é", "\ud800", '"\\\n', "\0"]
)
def test_an_id_is_returned_exactly(agents: Agents, message_id: str | int) -> None:
    response = agents.post({**PING, "id": message_id})
    assert response.status_code == 200
    assert response.json()["id"] == message_id


@pytest.mark.parametrize("version", [*VERSIONS, None])
@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "method": "notifications/unheard-of"},
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "search"}},
    ],
)
def test_a_notification_is_accepted_without_a_body(
    agents: Agents, message: object, version: str | None
) -> None:
    response = agents.post(message, {"MCP-Protocol-Version": version} if version else None)
    assert response.status_code == 202
    assert response.content == b""


@pytest.mark.parametrize("outcome", [{"result": {}}, {"error": {"code": 1, "message": "No"}}])
def test_a_response_is_accepted_up_to_2025_and_refused_later(
    agents: Agents, outcome: dict[str, Any]
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, **outcome}
    for version in INITIALIZED:
        response = agents.post(message, {"MCP-Protocol-Version": version})
        assert (response.status_code, response.content) == (202, b"")
    read_error(agents.post(message, {"MCP-Protocol-Version": NEWEST}), 400, -32600, 1)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["nothing", "prompts/list", "Tools/list", "x" * 10_000, ""])
def test_an_unknown_method_is_not_found(agents: Agents, version: str, method: str) -> None:
    status, error = agents.fail(version, method)
    assert status == (404 if version == NEWEST else 200)
    assert error["code"] == -32601
    assert len(error["message"]) < 200


def test_an_unknown_method_may_be_half_a_character(agents: Agents) -> None:
    assert "\\ud800" in read_error(agents.post({**PING, "method": "\ud800"}), 200, -32601, 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_database_a_list_is_a_503_that_says_so(version: str) -> None:
    message, headers = make_request(version, "resources/list", {})
    with serving("postgresql://127.0.0.1:1/none") as client:
        response = client.post("/mcp", json=message, headers=headers)
    assert "database" in read_error(response, 503, -32603, 1)
    assert response.headers["retry-after"]


def test_without_a_database_the_lists_of_tools_work() -> None:
    with serving("postgresql://127.0.0.1:1/none") as client:
        message, headers = make_request(NEWEST, "tools/list", {})
        assert client.post("/mcp", json=message, headers=headers).status_code == 200


def test_the_log_names_the_method_and_never_an_argument(database: str) -> None:
    with json_log() as log, serving(database) as client:
        client.post("/mcp", json={**PING, "params": {"secret": "s3cret"}})
        client.post("/mcp", json={**PING, "method": "unheard-of-s3cret"})
        for name in (TOOLS[0].name, "unknown-s3cret"):
            params = {"name": name, "arguments": {"query": "s3cret"}}
            client.post("/mcp", json={**PING, "method": "tools/call", "params": params})
    [first, second, third, fourth] = [
        entry
        for entry in map(json.loads, log().splitlines())
        if entry["message"] == "request" and entry["route"] == "/mcp"
    ]
    assert first["mcp_method"] == "ping"
    assert "mcp_method" not in second
    assert third["mcp_method"] == fourth["mcp_method"] == "tools/call"
    assert third["mcp_tool"] == TOOLS[0].name
    assert "mcp_tool" not in fourth
    assert "s3cret" not in log()


def test_a_service_without_agents_does_not_import_the_tools() -> None:
    code = "import sys, service.app; print(*sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    imported = set(output.split())
    assert "service.mcp.endpoint" in imported
    assert not imported & {"service.mcp.methods", "service.mcp.tools", "difflib", "mcp"}
