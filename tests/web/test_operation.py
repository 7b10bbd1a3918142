from __future__ import annotations

import json
import sys
from subprocess import CompletedProcess, run
from typing import TYPE_CHECKING, Any, cast

import pytest
from marshmallow import Schema
from starlette.responses import Response
from starlette.routing import Route

from service import ROOT
from service.web.openapi import build_document
from service.web.operation import (
    BodySpec,
    OperationSpec,
    Resource,
    ResponseSpec,
    UndocumentedRouteError,
    derive_ids,
    derive_operation_id,
    derive_texts,
    operation,
    parameter,
)
from service.web.paging import page_spec

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import Receive, Scope, Send

    from service.state import Request

RESOURCES = {
    "teams": Resource("The team.", "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11", "No such team."),
    "members": Resource("The member.", "0d4b1b8e-2a52-4c8f-8f0e-6a5a3a1f7c22", "No such member."),
}
FOUND = ResponseSpec(description="Found.")


class NameSchema(Schema):
    """A name."""


async def list_team_members(request: Request) -> Response:
    """List the members
    of a team.

    Newest first,
    as `limit` says.

    In pages.
    """
    return Response()


async def get_re_doc(request: Request) -> Response:
    """Greet."""
    return Response()


async def get_nothing(request: Request) -> Response:
    return Response()


class GetHealth:
    """Tell how it is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Response()(scope, receive, send)


def describe(
    path: str, spec: OperationSpec, endpoint: Callable[..., Any] = get_re_doc
) -> dict[str, Any]:
    """Return the document's operation of a POST to the path."""
    route = Route(path, spec(endpoint), methods=["POST"])
    [operations] = build_document([route], RESOURCES)["paths"].values()
    return operations["post"]


def details(operation: dict[str, Any]) -> dict[str, str]:
    """Return the details of the problems that are a route's own, by status."""
    return {
        status: response["content"]["application/problem+json"]["examples"]["problem"]["value"][
            "detail"
        ]
        for status, response in operation["responses"].items()
        if "application/problem+json" in response.get("content", {})
    }


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (list_team_members, "listTeamMembers"),
        (get_re_doc, "getReDoc"),
        (GetHealth(), "getHealth"),
    ],
)
def test_the_operation_id_is_the_name_of_the_endpoint(
    endpoint: Callable[..., Any], expected: str
) -> None:
    assert derive_operation_id(Route("/x", endpoint)) == expected


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (
            list_team_members,
            (
                "List the members of a team",
                "Newest first, as `limit` says.\n\nIn pages.",
            ),
        ),
        (get_re_doc, ("Greet", "Greet.")),
        (GetHealth(), ("Tell how it is", "Tell how it is.")),
    ],
)
def test_summary_and_description_are_the_unwrapped_docstring(
    endpoint: Callable[..., Any], expected: tuple[str, str]
) -> None:
    assert derive_texts(Route("/x", endpoint)) == expected


def test_a_route_without_docstring_is_undocumented() -> None:
    with pytest.raises(UndocumentedRouteError, match="/x: get_nothing has no docstring"):
        describe("/x", OperationSpec(tag="health", responses={200: FOUND}), get_nothing)


@pytest.mark.parametrize("path", ["/clubs/{id}", "/teams/{id}/{other}", "/{id}"])
def test_an_id_of_an_unknown_resource_is_undocumented(path: str) -> None:
    with pytest.raises(UndocumentedRouteError, match="is no resource"):
        describe(path, OperationSpec(tag="health", responses={200: FOUND}))


def print_document(*options: str) -> CompletedProcess[str]:
    command = [sys.executable, *options, "-m", "service", "openapi"]
    return run(command, cwd=ROOT, capture_output=True, text=True, check=True)


def without_texts(node: Any) -> Any:
    if isinstance(node, dict):
        members = cast("dict[str, Any]", node).items()
        return {
            name: without_texts(value)
            for name, value in members
            if name not in {"summary", "description"}
        }
    if isinstance(node, list):
        return [without_texts(value) for value in cast("list[Any]", node)]
    return node


def test_without_docstrings_the_document_lacks_only_their_texts_and_a_line_says_so() -> None:
    result, full = print_document("-OO"), print_document()
    assert full.stderr == ""
    assert result.stderr == "warning: python -OO removes the texts of the OpenAPI document\n"
    document, expected = json.loads(result.stdout), json.loads(full.stdout)
    assert document["paths"]["/api/hello"]["get"]["summary"] == "getHello"
    assert without_texts(document) == without_texts(expected)


def test_ids_in_a_path_are_documented_by_the_segments_before_them() -> None:
    described = describe(
        "/teams/{team_id}/members/{id}", OperationSpec(tag="health", responses={200: FOUND})
    )
    assert [(found["name"], found["description"]) for found in described["parameters"]] == [
        ("team_id", "The team."),
        ("id", "The member."),
    ]
    for found, resource in zip(described["parameters"], RESOURCES.values(), strict=True):
        assert found["in"] == "path"
        assert found["required"] is True
        assert found["schema"] == {"type": "string", "format": "uuid"}
        assert found["example"] == resource.example_id


def test_the_last_id_of_a_path_gives_the_400_and_the_404() -> None:
    spec = OperationSpec(tag="health", responses={200: FOUND})
    assert details(describe("/teams", spec)) == {}
    assert details(describe("/teams/{team_id}/members/{id}", spec)) == {
        "400": "id: is not a UUID.",
        "404": "No such member.",
    }


def test_problems_of_the_operation_override_those_of_the_path() -> None:
    problems: dict[Any, str] = {"invalid": "name: is required.", "conflict": "It is taken."}
    spec = OperationSpec(tag="health", responses={200: FOUND}, problems=problems)
    assert details(describe("/teams/{team_id}/members", spec)) == {
        "400": "name: is required.",
        "404": "No such team.",
        "409": "It is taken.",
    }


def test_a_parameter_that_the_operation_documents_is_not_an_id() -> None:
    name = parameter("name", "path", "The file's name.", is_required=True)
    spec = OperationSpec(tag="health", responses={200: FOUND}, parameters=(name,))
    described = describe("/files/{name}", spec)
    assert described["parameters"] == [name]
    assert details(described) == {}
    route = Route("/teams/{id}/files/{name:path}", spec(get_re_doc))
    assert derive_ids(route, RESOURCES) == {"id": RESOURCES["teams"]}


@pytest.mark.parametrize(("is_any_type", "expected"), [(False, {"415"}), (True, set[str]())])
def test_a_body_of_json_gives_the_415(is_any_type: bool, expected: set[str]) -> None:
    body = BodySpec(schema=NameSchema, examples={}, is_any_type=is_any_type)
    described = describe("/teams", OperationSpec(tag="health", responses={200: FOUND}, body=body))
    assert set(details(described)) == expected


def test_the_parameters_of_responses_follow_those_of_the_path() -> None:
    page = page_spec("The members.", NameSchema, {"members": []})
    described = describe(
        "/teams/{id}/members",
        OperationSpec(
            tag="health",
            responses={200: page},
            parameters=(parameter("Accept-Language", "header", "The language."),),
        ),
    )
    assert [found["name"] for found in described["parameters"]] == [
        "id",
        "Accept-Language",
        "limit",
        "cursor",
    ]
    assert "Link" in described["responses"]["200"]["headers"]


def test_the_decorator_returns_the_endpoint_itself() -> None:
    assert operation(tag="health", responses={200: FOUND})(get_re_doc) is get_re_doc
    assert operation(tag="health", responses={200: FOUND})(GetHealth) is GetHealth
