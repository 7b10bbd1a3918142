"""A hub for agents: a synced repository, and MCP messages to it by hand."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tests.support.hub import Hub, running_hub

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    import httpx

    from service.mcp.tool import Tool

NEWEST: Final = "2026-07-28"
INITIALIZED: Final = ("2025-06-18", "2025-11-25")
VERSIONS: Final = (*INITIALIZED, NEWEST)

META: Final = {
    "io.modelcontextprotocol/protocolVersion": NEWEST,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
NAMED: Final = {"tools/call": "name", "resources/read": "uri"}

STORY: Final = b"""# Story 1.1: Refund a payment

Status: Approved

## Story

**As a** support agent,
**I want** to refund a payment,
**so that** customers get their money back.

## Acceptance Criteria

1. A refund over 100 EUR needs a second person.

## Tasks

- [x] Write the endpoint
- [ ] Write the page
"""
LARGE: Final = "# Ledger\n\n" + "Each entry has a “debit” and a “credit”.\n" * 20_000
FILES: Final = {
    "docs/prd.md": b"# Payments\n\n## Refunds\n\nA refund goes to the card it came from.\n",
    "docs/a b/r\xc3\xa9sum\xc3\xa9 #1.md".encode("latin-1").decode(): b"# Odd\n\nAn odd name.\n",
    "docs/ledger.md": LARGE.encode(),
    "docs/stories/1.1.refund-a-payment.md": STORY,
    "docs/sprint-status.yaml": b"development_status:\n  epic-1: in-progress\n"
    b"  1-1-refund-a-payment: in-progress\n",
}


@dataclass
class Agents:
    """A hub with the project Payments, and the ids of its documents by path."""

    hub: Hub
    project: str
    documents: Mapping[str, str]

    @property
    def client(self) -> httpx.Client:
        return self.hub.client

    @property
    def url(self) -> str:
        return f"{str(self.client.base_url).rstrip('/')}/mcp"

    def post(
        self, message: object, headers: Mapping[str, str] | None = None, path: str = "/mcp"
    ) -> httpx.Response:
        # Half a character is escaped, as JSON can.
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self.client.post(path, content=json.dumps(message), headers=sent)

    def ask(self, version: str, method: str, **params: Any) -> httpx.Response:
        """Send a request as a client of that version does."""
        message, headers = make_request(version, method, params)
        return self.post(message, headers)

    def get(self, version: str, method: str, **params: Any) -> dict[str, Any]:
        """Return the result of a request."""
        response = self.ask(version, method, **params)
        assert response.status_code == 200, response.text
        return response.json()["result"]

    def fail(self, version: str, method: str, **params: Any) -> tuple[int, dict[str, Any]]:
        """Return the status and the error of a request that fails."""
        response = self.ask(version, method, **params)
        body = response.json()
        assert body["jsonrpc"] == "2.0"
        assert body["id"] == 1
        return response.status_code, body["error"]


def make_request(
    version: str, method: str, params: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the message of a request, with the id 1, and its headers."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": dict(params)}
    headers = {"MCP-Protocol-Version": version}
    if version == NEWEST:
        message["params"] = {**params, "_meta": META}
        headers["Mcp-Method"] = method
        if isinstance(name := params.get(NAMED.get(method, "")), str):
            headers["Mcp-Name"] = name
    return message, headers


def example_arguments(tool: Tool) -> dict[str, Any]:
    """Return arguments with which a tool has an answer from the hub of agents_hub."""
    known = {"project": "Payments", "query": "refund", "path": "docs/prd.md"}
    required = set(tool.input_schema.get("required", ()))
    if "path" in tool.input_schema["properties"] and "id" in tool.input_schema["properties"]:
        required |= {"project", "path"}  # either an id, or these
    return {name: known[name] for name in sorted(required)}


@contextmanager
def agents_hub(database: str, folder: Path, **changes: Any) -> Generator[Agents]:
    """Serve a hub whose project Payments has FILES; `changes` are settings by field name."""
    with running_hub(database, folder, **changes) as hub:
        remote = hub.server.create()
        remote.commit(dict(FILES))
        project = hub.create_project()
        run = hub.sync(hub.create_source(project, remote))
        assert run["status"] == "completed", run
        ids = {path: file["id"] for path, file in hub.files(project).items()}
        yield Agents(hub, project, ids)
