from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.responses import Response
from starlette.routing import Route

from service.app import ROUTES
from service.git.repository import HISTORY_COMMITS
from service.routes.shared import RESOURCES
from service.routes.syncs import RUNS_PER_PAGE
from service.sync.queue import RUNS_KEPT
from service.web.middleware import MAX_BODY_BYTES, MAX_WEBHOOK_BYTES
from service.web.openapi import MIB, build_document
from service.web.operation import UndocumentedRouteError
from service.web.paging import MAX_LIMIT
from tests.support.examples import add_examples
from tests.support.service import run_command, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from service.state import Request

DOCUMENT = build_document(ROUTES, RESOURCES)


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in node:
        found: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found
    return node


def test_the_document_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_has_title_version_description_servers_and_tags() -> None:
    assert DOCUMENT["info"]["title"] == "BMADFlow API"
    assert DOCUMENT["info"]["version"]
    assert DOCUMENT["info"]["description"]
    assert DOCUMENT["servers"]
    names = {"projects", "project docs", "syncs", "documents", "health", "documentation"}
    assert {tag["name"] for tag in DOCUMENT["tags"]} == names


def test_it_has_every_route() -> None:
    assert set(DOCUMENT["paths"]) == {route.path_format for route in ROUTES}
    assert {"get", "head"} <= DOCUMENT["paths"]["/api/health"].keys()


def test_a_route_without_operation_fails() -> None:
    async def silent(request: Request) -> Response:
        return Response()

    with pytest.raises(UndocumentedRouteError, match="/api/silent"):
        build_document([*ROUTES, Route("/api/silent", silent)], RESOURCES)


def test_every_operation_is_fully_described() -> None:
    identifiers = [operation["operationId"] for _, operation in operations()]
    assert len(set(identifiers)) == len(identifiers)
    for name, operation in operations():
        assert operation["summary"], name
        assert operation["description"], name
        assert set(operation["tags"]) <= {tag["name"] for tag in DOCUMENT["tags"]}, name
        assert {"408", "413", "500", "503"} < operation["responses"].keys(), name


def test_every_response_has_a_schema_and_an_example_that_fits_it() -> None:
    checked = 0
    for name, operation in operations():
        for code, reference in operation["responses"].items():
            response = resolve(reference)
            assert response["description"], (name, code)
            is_common = "$ref" in reference
            has_body = is_common or (not name.startswith("HEAD") and code not in {"304", "307"})
            assert ("content" in response) == has_body, (name, code)
            for content in response.get("content", {}).values():
                schema = {"components": DOCUMENT["components"], **resolve(content["schema"])}
                assert content["examples"], (name, code)
                for example in content["examples"].values():
                    jsonschema.validate(example["value"], schema)
                    checked += 1
    assert checked > 20


def test_a_response_of_a_route_replaces_the_common_one_of_its_status() -> None:
    unhealthy = DOCUMENT["paths"]["/api/health"]["get"]["responses"]["503"]
    assert list(resolve(unhealthy)["content"]) == ["application/json"]


def test_every_request_has_a_schema_and_examples_that_fit_it() -> None:
    with_body: set[str] = set()
    for name, operation in operations():
        for parameter in operation["parameters"]:
            if "example" in parameter:
                jsonschema.validate(parameter["example"], parameter["schema"])
            assert "example" in parameter or parameter["in"] != "path", name
        if "requestBody" not in operation:
            continue
        with_body.add(name)
        for content in operation["requestBody"]["content"].values():
            schema = {"components": DOCUMENT["components"], **content["schema"]}
            assert content["examples"], name
            for example in content["examples"].values():
                jsonschema.validate(example["value"], schema)
                with pytest.raises(jsonschema.ValidationError):
                    jsonschema.validate({"name": 5, "ref": 5}, schema)
    assert with_body == {
        "POST /api/projects",
        "PUT /api/projects/{project_id}",
        "POST /api/projects/{project_id}/docs",
        "PUT /api/project-docs/{id}",
        "POST /api/project-docs/{id}/webhook",
    }


def test_it_marks_the_operations_that_need_the_token() -> None:
    assert DOCUMENT["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    for name, operation in operations():
        method, path = name.split()
        is_open = not path.startswith("/api/") or "health" in path or path.endswith("/webhook")
        needed: list[dict[str, list[str]]] = [] if is_open else [{"token": []}]
        expected = [{}, *needed] if needed and method == "GET" else needed
        assert operation["security"] == expected, name
        assert ("401" in operation["responses"]) != is_open, name


def test_the_service_serves_it(client: httpx.Client) -> None:
    response = client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT


def test_it_is_printed_without_a_database_and_without_settings() -> None:
    result = run_command("openapi", DATABASE_URL="")
    assert result.returncode == 0
    assert json.loads(result.stdout) == DOCUMENT


def test_the_running_service_conforms_to_its_document(database: str, tmp_path: Path) -> None:
    # A command, because schemathesis 4's pytest plugin does not run under pytest 9.2.
    command = [str(Path(sys.executable).with_name("schemathesis")), "run", "--no-color"]
    bounds = ["--max-examples=20", "--seed=1", "--checks=all"]
    # No schema can describe which hosts, branches and cursors are valid.
    bounds.append("--exclude-checks=positive_data_acceptance")
    token = "the-token-of-the-api"
    add_examples(database)
    with serving(database, api_token=token, api_token_for_reads=True) as client:
        result = subprocess.run(
            [
                *command,
                *bounds,
                f"--header=Authorization: Bearer {token}",
                f"{client.base_url}/openapi.json",
            ],
            cwd=tmp_path,  # schemathesis writes files there
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert result.returncode == 0, result.stdout
    others = len(list(operations())) - 1  # all but GET /openapi.json, which it skips
    assert f"Tested: {others}\n" in result.stdout


def test_the_limits_in_its_texts_are_those_of_the_code() -> None:
    texts = {operation["operationId"]: operation["description"] for _, operation in operations()}
    for name in ("listProjects", "listProjectDocs"):
        assert f"`limit`, which is {MAX_LIMIT:,} if" in texts[name]
    assert f"up to `limit`, which is {RUNS_PER_PAGE} if" in texts["listSyncs"]
    assert f"keeps {RUNS_KEPT} of each source" in texts["listSyncs"]
    assert f"A body may have {MAX_WEBHOOK_BYTES // MIB} MiB" in texts["receiveWebhook"]
    assert f"more than {MAX_BODY_BYTES // MIB} MiB" in texts["receiveWebhook"]
    source = DOCUMENT["components"]["schemas"]["ProjectDoc"]["properties"]
    commits = f"the newest {HISTORY_COMMITS} commits"
    assert commits in source["last_github_commit_date"]["description"]
