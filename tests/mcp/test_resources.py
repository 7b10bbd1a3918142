"""Documents as resources."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from service.routes import document_lists
from tests.support.agents import FILES, LARGE, NEWEST, VERSIONS, make_request

if TYPE_CHECKING:
    from tests.support.agents import Agents

ODD = next(path for path in FILES if "a b" in path)
NO_ID = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"


def list_all(agents: Agents) -> list[dict[str, Any]]:
    """Return all resources, page by page."""
    found: list[dict[str, Any]] = []
    params: dict[str, str] = {}
    while True:
        page = agents.get(NEWEST, "resources/list", **params)
        found += page["resources"]
        if "nextCursor" not in page:
            return found
        params = {"cursor": page["nextCursor"]}


def read(agents: Agents, uri: str, version: str = NEWEST) -> dict[str, Any]:
    [content] = agents.get(version, "resources/read", uri=uri)["contents"]
    assert content["uri"] == uri
    return content


def test_every_document_is_a_resource(agents: Agents) -> None:
    found = {resource["name"]: resource for resource in list_all(agents)}
    assert sorted(found) == sorted(FILES)
    prd = found["docs/prd.md"]
    assert prd == {
        "uri": f"bmadflow://documents/{agents.documents['docs/prd.md']}",
        "name": "docs/prd.md",
        "title": "Payments",
        "description": "Payments: Docs",
        "mimeType": "text/markdown",
        "size": len(FILES["docs/prd.md"]),
    }
    assert found["docs/sprint-status.yaml"]["mimeType"] == "application/yaml"


@pytest.mark.parametrize("per_page", [1, 2, 5, 100])
def test_the_list_is_paged(agents: Agents, monkeypatch: pytest.MonkeyPatch, per_page: int) -> None:
    monkeypatch.setattr(
        "service.mcp.resources.ALL_DOCUMENTS",
        document_lists.ALL_DOCUMENTS._replace(per_page=per_page),
    )
    first = agents.get(NEWEST, "resources/list")
    assert len(first["resources"]) == min(per_page, len(FILES))
    assert sorted(resource["name"] for resource in list_all(agents)) == sorted(FILES)


def encode(values: str) -> str:
    return base64.urlsafe_b64encode(f"all_documents {values}".encode()).decode()


@pytest.mark.parametrize(
    "cursor", ["x", "", "é", "\ud800", 5, [], encode("[1]"), encode('["x", "y"]')]
)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_cursor_that_no_list_gave_is_refused(
    agents: Agents, version: str, cursor: object
) -> None:
    status, error = agents.fail(version, "resources/list", cursor=cursor)
    assert (status, error["code"]) == (400 if version == NEWEST else 200, -32602)
    assert "cursor" in error["message"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", sorted(FILES))
def test_every_resource_can_be_read(agents: Agents, path: str, version: str) -> None:
    content = read(agents, f"bmadflow://documents/{agents.documents[path]}", version)
    assert content["text"] == FILES[path].decode()
    assert content["mimeType"] == ("application/yaml" if path.endswith("yaml") else "text/markdown")


@pytest.mark.parametrize("project", ["name", "id"])
def test_a_document_can_be_read_by_its_path(agents: Agents, project: str) -> None:
    named = agents.project if project == "id" else "Payments"
    for path, content in FILES.items():
        if path != ODD:
            uri = f"bmadflow://projects/{named}/files/{quote(path)}"
            assert read(agents, uri)["text"] == content.decode()


def test_a_path_is_escaped_as_in_a_url(agents: Agents) -> None:
    uri = f"bmadflow://projects/Payments/files/{quote(ODD, safe='/')}"
    assert read(agents, uri)["text"] == FILES[ODD].decode()


def test_a_source_of_several_is_a_folder_at_the_top(agents: Agents) -> None:
    hub = agents.hub
    project = hub.create_project("Two sources")
    for name in ("App", "Shop/EU"):
        remote = hub.server.create(f"team/{name}")
        remote.commit({"docs/a.md": f"# {name}\n".encode()})
        hub.sync(hub.create_source(project, remote, name=name))
    try:
        for top, name in (("App", "App"), ("Shop-EU", "Shop/EU")):
            uri = f"bmadflow://projects/Two%20sources/files/{top}/docs/a.md"
            assert read(agents, uri)["text"] == f"# {name}\n"
        status, _ = agents.fail(
            NEWEST, "resources/read", uri="bmadflow://projects/Two%20sources/files/docs/a.md"
        )
        assert status == 400
    finally:
        hub.client.delete(f"/api/projects/{project}")


@pytest.mark.parametrize(
    "uri",
    [
        *("", "x", "bmadflow://", "bmadflow://documents/", "bmadflow://documents/1", "\0"),
        f"bmadflow://documents/{NO_ID}",
        f"bmadflow://documents/{NO_ID}/",
        f"bmadflow://projects/{NO_ID}/files/docs/prd.md",
        "bmadflow://projects/Payments/files/docs/nothing.md",
        "bmadflow://projects/Payments/files/../docs/prd.md",
        "bmadflow://projects/Payments/files/%00",
        "bmadflow://projects/%00/files/docs/prd.md",
        "bmadflow://projects/Payments/files/%ed%a0%80",
        "file:///etc/passwd",
        "https://example.com/",
        "x" * 60_000,
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_no_resource_is_not_found(agents: Agents, version: str, uri: str) -> None:
    response = agents.post(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "resources/read",
            "params": {"uri": uri},
        }
    )
    if version == NEWEST:
        if not uri.isprintable() or len(uri) > 1000:
            return  # no header has it
        status, error = agents.fail(version, "resources/read", uri=uri)
        assert (status, error["code"]) == (400, -32602)
    else:
        assert response.status_code == 200
        error = response.json()["error"]
        assert error["code"] == -32002
    assert error["data"] == {"uri": uri}


@pytest.mark.parametrize("uri", [None, 5, []])
def test_a_uri_is_a_string(agents: Agents, uri: object) -> None:
    status, error = agents.fail("2025-11-25", "resources/read", uri=uri)
    assert (status, error["code"]) == (200, -32602)


def test_a_large_document_comes_whole_to_several_clients_at_once(agents: Agents) -> None:
    uri = f"bmadflow://documents/{agents.documents['docs/ledger.md']}"
    with ThreadPoolExecutor(4) as threads:
        texts = [each["text"] for each in threads.map(partial(read, agents), [uri] * 8)]
    assert texts == [LARGE] * 8


@pytest.mark.parametrize("message_id", ["\0", "\\u0000", '"\0"', "\ud800"])
def test_a_large_document_comes_with_any_id_of_its_request(agents: Agents, message_id: str) -> None:
    uri = f"bmadflow://documents/{agents.documents['docs/ledger.md']}"
    message, headers = make_request("2025-11-25", "resources/read", {"uri": uri})
    response = agents.post({**message, "id": message_id}, headers)
    assert response.status_code == 200, response.text
    assert response.json()["id"] == message_id
    assert response.json()["result"]["contents"][0]["text"] == LARGE


def test_a_large_document_comes_from_any_path(agents: Agents) -> None:
    # As JSON has NUL, which stands in the result for the text of a large document.
    path = 'docs/\\u0000/"\\u0000".md'
    remote = agents.hub.server.create()
    remote.commit({path: LARGE.encode()})
    project = agents.hub.create_project("\\u0000")
    assert agents.hub.sync(agents.hub.create_source(project, remote))["status"] == "completed"
    try:
        for name in (project, "\\u0000"):
            assert read(agents, f"bmadflow://projects/{name}/files/{path}")["text"] == LARGE
    finally:
        assert agents.client.delete(f"/api/projects/{project}").status_code == 200


def test_the_templates_lead_to_documents(agents: Agents) -> None:
    by_id, by_path = agents.get(NEWEST, "resources/templates/list")["resourceTemplates"]
    document = agents.documents["docs/prd.md"]
    for uri in (
        by_id["uriTemplate"].replace("{id}", document),
        by_path["uriTemplate"].replace("{project}", "Payments").replace("{+path}", "docs/prd.md"),
    ):
        assert read(agents, uri)["text"] == FILES["docs/prd.md"].decode()
