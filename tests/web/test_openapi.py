from __future__ import annotations

import copy
import inspect
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import jsonschema
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.responses import Response
from starlette.routing import Route

from service import ROOT
from service.app import ROUTES
from service.git.history import FETCHED_COMMITS
from service.routes.shared import RESOURCES
from service.routes.syncs import RUNS_PER_PAGE
from service.sync.results import RUNS_KEPT
from service.web.authorization import access_to
from service.web.middleware import MAX_BODY_BYTES, MAX_WEBHOOK_BYTES
from service.web.openapi import MIB, build_document
from service.web.operation import UndocumentedRouteError
from service.web.paging import MAX_LIMIT
from tests.support.examples import add_examples
from tests.support.service import run_command, service_environment, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    assert [tag["name"] for tag in DOCUMENT["tags"]] == [
        "projects",
        "project docs",
        "syncs",
        "documents",
        "search",
        "progress",
        "pages",
        "agents",
        "health",
        "documentation",
    ]


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
    components = closed_document()["components"]
    for name, operation in operations():
        for code, reference in operation["responses"].items():
            response = resolve(reference)
            assert response["description"], (name, code)
            is_common = "$ref" in reference
            has_body = is_common or (
                not name.startswith("HEAD") and code not in {"302", "304", "307"}
            )
            has_body &= (name, code) != ("POST /mcp", "202")
            assert ("content" in response) == has_body, (name, code)
            for content in response.get("content", {}).values():
                schema = {"components": components, **resolve(content["schema"])}
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
        "POST /mcp",
    }


@pytest.mark.parametrize("reads_need_token", [False, True])
def test_it_marks_the_operations_that_need_the_token(
    database: str,
    reads_need_token: bool,
) -> None:
    with serving(database, api_token="t" * 20, api_token_for_reads=reads_need_token) as client:
        served = client.get("/openapi.json").json()
    schemes = served["components"]["securitySchemes"]
    expected = {"token": "bearer"} | ({"password": "basic"} if reads_need_token else {})
    assert {name: scheme["scheme"] for name, scheme in schemes.items()} == expected
    security: dict[str, list[dict[str, list[str]]]] = {
        "open": [],
        "read": [{"token": []}, {"password": []}] if reads_need_token else [],
        "change": [{"token": []}],
    }
    for path, methods in served["paths"].items():
        for method, operation in methods.items():
            access = access_to(method.upper(), path)
            assert operation["security"] == security[access], path
            assert ("401" in operation["responses"]) == (access != "open"), path
            if access == "change":
                forbidden = operation["responses"]["403"]
                assert forbidden == {"$ref": "#/components/responses/Forbidden"}


def test_the_service_serves_it(client: httpx.Client) -> None:
    response = client.get("/openapi.json")
    assert response.headers["content-type"] == "application/json"
    assert response.json() == DOCUMENT


def with_docstrings(change: Callable[[str], str]) -> dict[str, Any]:
    """Return the document of the routes with each docstring changed."""
    endpoints: list[Any] = [route.endpoint for route in ROUTES]
    docstrings = [endpoint.__doc__ for endpoint in endpoints]
    try:
        for endpoint, docstring in zip(endpoints, docstrings, strict=True):
            endpoint.__doc__ = change(docstring)
        return build_document(ROUTES, RESOURCES)
    finally:
        for endpoint, docstring in zip(endpoints, docstrings, strict=True):
            endpoint.__doc__ = docstring


def test_it_is_the_same_however_python_keeps_docstrings() -> None:
    # Before Python 3.13 with the indentation of the source, since then without.
    assert with_docstrings(inspect.cleandoc) == DOCUMENT
    assert with_docstrings(lambda text: text.replace("\n", "\n        ")) == DOCUMENT


def test_the_names_of_statuses_are_those_of_rfc_9110_whichever_python_runs() -> None:
    for name, operation in operations():
        for code, reference in operation["responses"].items():
            for content in resolve(reference).get("content", {}).values():
                for example in content["examples"].values():
                    value = example["value"]
                    if "request_id" in value:
                        assert value["title"] == TITLES[int(code)], (name, code)


# Python before 3.13 has `Request Entity Too Large` for 413.
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    409: "Conflict",
    413: "Content Too Large",
    415: "Unsupported Media Type",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def find_python(minor: int) -> Path | None:
    """Return a Python 3.`minor` that runs, from PATH or from pyenv, whose shims may not run."""
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = [Path(path)] if (path := shutil.which(name)) else []
    for path in [*on_path, *pyenv.glob(f"versions/3.{minor}.*/bin/{name}")]:
        if subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0:
            return path
    return None


OTHER_PYTHONS = [
    path
    for minor in range(11, 20)
    if minor != sys.version_info.minor and (path := find_python(minor))
]


@pytest.mark.skipif(not OTHER_PYTHONS, reason="there is no other Python from 3.11 on")
def test_every_python_prints_the_same_document(tmp_path: Path) -> None:
    printed = run_command("openapi").stdout
    for number, python in enumerate(OTHER_PYTHONS):
        environment = tmp_path / f"environment {number}"
        options = ["--quiet", "--python", environment / "bin/python", "--require-hashes"]
        locked = ["--requirements", "pyproject.toml", "--constraints", "requirements.lock"]
        for command in (["venv", "--quiet", "--python", python, environment],
                        ["pip", "install", *options, *locked]):  # fmt: skip
            subprocess.run(["uv", *command], cwd=ROOT, check=True, timeout=240)
        other = subprocess.run(
            [environment / "bin/python", "-m", "service", "openapi"],
            cwd=ROOT,
            env=service_environment(),
            capture_output=True,
            text=True,
            check=True,
        )
        assert other.stdout == printed, python


def test_it_is_printed_without_a_database_and_without_settings() -> None:
    result = run_command("openapi", DATABASE_URL="")
    assert result.returncode == 0
    assert json.loads(result.stdout) == DOCUMENT


def schemas_within(node: Any, path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return a schema and all schemas inside it, by their paths."""
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from schemas_within(inner, f"{path}.{name}")
    for keyword in ("oneOf", "anyOf", "allOf"):
        for inner in node.get(keyword, []):
            yield from schemas_within(inner, f"{path}.{keyword}")
    for keyword in ("items", "additionalProperties"):
        if isinstance(node.get(keyword), dict):
            yield from schemas_within(node[keyword], f"{path}.{keyword}")


def every_schema() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        yield from schemas_within(schema, name)
    for name, operation in operations():
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for response in [*bodies, *map(resolve, operation["responses"].values())]:
            for content in response.get("content", {}).values():
                yield from schemas_within(content["schema"], name)


def test_no_schema_has_what_generators_of_clients_read_differently() -> None:
    for path, schema in every_schema():
        # A field with a default is required in TypeScript, or sent though nobody named it.
        assert "default" not in schema, path
        # OpenAPI 3.0's, which 3.1 does not have: there null is a type.
        assert "nullable" not in schema, path
        named: Any = schema.get("type")
        types = cast("list[Any]", named if isinstance(named, list) else [named])
        assert len(types) == 1 or (len(types) == 2 and "null" in types), path
        # An object of unknown fields has to say so, or TypeScript allows it none.
        if "object" in types:
            assert "properties" in schema or "additionalProperties" in schema, path
            # A field of a later version is no error for the clients of this one.
            assert schema.get("additionalProperties") is not False, path
        if "oneOf" in schema:
            variants = {variant["$ref"] for variant in schema["oneOf"]}
            assert set(schema["discriminator"]["mapping"].values()) == variants, path
        if "enum" in schema:
            assert all(isinstance(value, str) for value in schema["enum"]), path
        if path.endswith(("_at", "_date", ".timestamp")):
            assert schema["format"] == "date-time", path


def test_the_body_of_a_change_requires_nothing() -> None:
    for name, operation in operations():
        if name.startswith("PUT "):
            schema = resolve(operation["requestBody"]["content"]["application/json"]["schema"])
            assert "required" not in schema, name
            jsonschema.validate({}, schema)


def test_the_name_of_an_operation_is_one_in_every_language() -> None:
    for _, operation in operations():
        assert re.fullmatch("[a-z][A-Za-z]+", operation["operationId"])


def test_a_node_of_the_tree_is_a_folder_or_a_file() -> None:
    schemas = DOCUMENT["components"]["schemas"]
    assert schemas["Node"]["discriminator"]["mapping"] == {
        "folder": "#/components/schemas/FolderNode",
        "file": "#/components/schemas/FileNode",
    }
    assert {"children", "type"} < set(schemas["FolderNode"]["required"])
    assert {"file_type", "id", "size", "type"} < set(schemas["FileNode"]["required"])
    for kind, schema in (("folder", schemas["FolderNode"]), ("file", schemas["FileNode"])):
        assert schema["properties"]["type"]["enum"] == [kind]


def schemas_named_in(node: Any, document: dict[str, Any]) -> Iterator[str]:
    """Return the names of the schemas that a part of the document refers to, through others too."""
    waiting, seen = [json.dumps(node)], set[str]()
    while waiting:
        names = re.findall('"#/components/schemas/([^"]+)"', waiting.pop())
        for name in set(names) - seen:
            seen.add(name)
            yield name
            waiting.append(json.dumps(document["components"]["schemas"][name]))


def closed_document() -> dict[str, Any]:
    """Return the document where reads need the token, with no fields in responses but the named."""
    document = copy.deepcopy(build_document(ROUTES, RESOURCES, reads_need_token=True))
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    responses = [operation["responses"] for operation in operations]
    for name in schemas_named_in([responses, document["components"]["responses"]], document):
        schema = document["components"]["schemas"][name]
        if "properties" in schema:
            schema["additionalProperties"] = False
    return document


def test_the_running_service_conforms_to_its_document(database: str, tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    document.write_text(json.dumps(closed_document()))
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
                f"--url={client.base_url}",
                str(document),
            ],
            cwd=tmp_path,  # schemathesis writes files there
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
    assert result.returncode == 0, result.stdout
    assert f"Tested: {len(list(operations()))}\n" in result.stdout


def test_the_limits_in_its_texts_are_those_of_the_code() -> None:
    texts = {operation["operationId"]: operation["description"] for _, operation in operations()}
    for name in ("listProjects", "listProjectDocs"):
        assert f"`limit`, which is {MAX_LIMIT:,} if" in texts[name]
    assert f"up to `limit`, which is {RUNS_PER_PAGE} if" in texts["listSyncs"]
    assert f"keeps {RUNS_KEPT} of each source" in texts["listSyncs"]
    assert f"A body may have {MAX_WEBHOOK_BYTES // MIB} MiB" in texts["receiveWebhook"]
    assert f"more than {MAX_BODY_BYTES // MIB} MiB" in texts["receiveWebhook"]
    source = DOCUMENT["components"]["schemas"]["ProjectDoc"]["properties"]
    commits = f"the newest {FETCHED_COMMITS} commits"
    assert commits in source["last_github_commit_date"]["description"]
