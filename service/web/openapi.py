"""The OpenAPI document, which apispec builds from the documentation of all routes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import BaseRoute, Route

from service import __version__
from service.database.errors import DatabaseUnavailable
from service.problems import STATUS, Code
from service.web.authorization import ONLY_READS, UNAUTHENTICATED, access_to
from service.web.bodies import NOT_A_UUID, UNSUPPORTED, invalid
from service.web.middleware import (
    MAX_BODY_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_WEBHOOK_BYTES,
    too_large,
    too_slow,
)
from service.web.operation import (
    BodySpec,
    OperationSpec,
    Resource,
    ResponseSpec,
    derive_ids,
    derive_operation_id,
    derive_texts,
    find_spec,
    parameter,
)
from service.web.problem_response import (
    FAULT,
    PROBLEM_TYPE,
    ProblemSchema,
    problem_bytes,
    status_name,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from marshmallow import Schema

    from service.web.authorization import Access
    from service.web.operation import Parameter

INFO: Final = {
    "summary": "One place for the documents of many BMAD repositories",
    "description": (
        "The backend of a documentation hub for teams that work by the BMAD Method.\n\n"
        "Every error is a problem document (RFC 9457, `application/problem+json`). Its "
        "`request_id`, also sent as `X-Request-ID`, finds the request in the service's log.\n\n"
        "Where the operator has set API_TOKEN, every change needs `Authorization: Bearer` with "
        "that token. With API_TOKEN_FOR_READS all reading needs it or API_READ_TOKEN, in the same "
        "way or as the password of `Authorization: Basic`, with any name. Without API_TOKEN "
        "everything is open, and the service listens on loopback only."
    ),
    "license": {"name": "MIT", "identifier": "MIT"},
}
TAGS: Final = {
    "projects": "A project gathers the documents of several repositories.",
    "project docs": "Documentation sources: a folder in a branch of a git repository.",
    "syncs": "Runs that bring a source's documents up to date.",
    "documents": "The sources' documents, as of the last sync.",
    "search": "Sections of all documents, and headings for a box that completes what is typed.",
    "progress": "How far the work is: stories, epics, and what disagrees about them.",
    "pages": "Pages for people. A client that prefers HTML gets their problems as pages, too.",
    "agents": "For coding agents: the Model Context Protocol.",
    "health": "For monitors, load balancers and orchestrators.",
    "documentation": "This documentation, for people and for programs.",
}
MIB: Final = 1024 * 1024


def problem_spec(
    code: Code, description: str, detail: str, headers: Mapping[str, str] | None = None
) -> ResponseSpec:
    """Return the documentation of a response that is a problem."""
    example = problem_bytes(
        STATUS[code], detail, "../api/example", "0b6f1b8e6f0c4f0e9d6a3c1d2e4f5a6b"
    )
    return ResponseSpec(
        description=description,
        schema=ProblemSchema,
        media_type=PROBLEM_TYPE,
        examples={"problem": json.loads(example)},
        headers=headers or {},
    )


# The problems that routes share, by their names in the document.
COMMON_RESPONSES: Final = {
    "Unauthorized": problem_spec(
        "unauthorized",
        "The operator has set API_TOKEN, and the request does not bring it.",
        UNAUTHENTICATED,
        headers={"WWW-Authenticate": "`Bearer` (RFC 6750), for pages `Basic` (RFC 7617)."},
    ),
    "Forbidden": problem_spec(
        "forbidden",
        "The request brings API_READ_TOKEN, which may only read.",
        ONLY_READS,
        headers={"WWW-Authenticate": "`Bearer` with the error `insufficient_scope`."},
    ),
    "Timeout": problem_spec(
        "timeout", "The request's body did not come whole in time.", too_slow().detail
    ),
    "ContentTooLarge": problem_spec(
        "too_large",
        f"The request's body is larger than {MAX_BODY_BYTES // MIB} MiB, a message to /mcp "
        f"than {MAX_MESSAGE_BYTES // 1024} KiB, or a webhook's than "
        f"{MAX_WEBHOOK_BYTES // MIB} MiB.",
        too_large(MAX_BODY_BYTES).detail,
    ),
    "Unavailable": problem_spec(
        "unavailable",
        "The database cannot be used at the moment, the service stops, or too much is under way. "
        "Try again.",
        DatabaseUnavailable("timeout").detail,
        headers={"Retry-After": "Seconds to wait before asking again."},
    ),
    "InternalError": problem_spec(
        "internal", "A fault of the service, which its log explains under the request id.", FAULT
    ),
}
# What Authorization adds to those of COMMON_CODES.
ACCESS_CODES: Final[Mapping[Access, Mapping[int, str]]] = {
    "open": {},
    "read": {401: "Unauthorized"},
    "change": {401: "Unauthorized", 403: "Forbidden"},
}
COMMON_CODES: Final = {
    408: "Timeout",
    413: "ContentTooLarge",
    500: "InternalError",
    503: "Unavailable",
}

# Each is enough: a token as Bearer, or for reads as the password of Basic.
BEARER: Final = [{"token": list[str]()}]
BEARER_OR_BASIC: Final = [*BEARER, {"password": list[str]()}]


def build_document(
    routes: Iterable[BaseRoute],
    resources: Mapping[str, Resource],
    *,
    reads_need_token: bool = False,
) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes.

    Changes need the token, reads only with `reads_need_token`. Otherwise reads do not name it:
    Swagger UI shows an optional token as one that was given. `resources` maps the path segment
    before an id to the resource that the id names. Raises UndocumentedRouteError for a route
    without an `@operation` or a docstring, and for an id of an unknown resource.
    """
    # Imported here, because the service starts faster without apispec, and few requests need it.
    from apispec import APISpec

    from service.web.json_schemas import SchemaPlugin

    document = APISpec(
        title="BMADFlow API",
        version=__version__,
        openapi_version="3.1.1",
        info=INFO,
        plugins=[SchemaPlugin(schema_name_resolver=_schema_name)],
        # Relative to the document's own URL, which a proxy may have given a prefix.
        servers=[{"url": ".", "description": "The service that this document came from"}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        security=[],
    )
    document.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    if reads_need_token:
        document.components.security_scheme("password", {"type": "http", "scheme": "basic"})
    for name, response in COMMON_RESPONSES.items():
        document.components.response(name, _describe_response(response))
    security: dict[Access, object] = {
        "open": [],
        "read": BEARER_OR_BASIC if reads_need_token else [],
        "change": BEARER,
    }
    for route in routes:
        assert isinstance(route, Route)
        # path_format has `{name}` for Starlette's `{name:convertor}`.
        operations = _describe_route(route, resources, security)
        document.path(path=route.path_format, operations=operations)
    fields = document.to_dict()
    # The version comes first: people and tools look for it at the beginning of a file.
    return {"openapi": fields.pop("openapi"), **fields}


def _describe_route(
    route: Route, resources: Mapping[str, Resource], security: Mapping[Access, object]
) -> dict[str, Any]:
    """Return the operations of a route by their methods."""
    spec = find_spec(route)
    ids = derive_ids(route, resources)
    responses = _problem_specs(spec, ids) | dict(spec.responses)
    summary, description = derive_texts(route)
    operation: dict[str, Any] = {
        "operationId": derive_operation_id(route),
        "tags": [spec.tag],
        "summary": summary,
        "description": description,
        "parameters": [
            *(_id_parameter(name, resource) for name, resource in ids.items()),
            *spec.parameters,
            *(needed for response in responses.values() for needed in response.parameters),
        ],
    }
    if spec.body is not None:
        operation["requestBody"] = _describe_body(spec.body)
    operations: dict[str, Any] = {}
    for method in sorted((route.methods or set()) - {"HEAD"}):
        access = access_to(method, route.path_format)
        operations[method.lower()] = {
            **operation,
            "responses": _describe_responses(responses, access),
            "security": security[access],
        }
    if spec.has_head:
        bodiless = {code: replace(response, schema=None) for code, response in responses.items()}
        operations["head"] = {
            **operations["get"],
            "operationId": f"{operation['operationId']}Head",
            "summary": f"{summary}: the response without its body",
            "responses": _describe_responses(bodiless, access_to("HEAD", route.path_format)),
        }
    return operations


def _id_parameter(name: str, resource: Resource) -> Parameter:
    schema = {"type": "string", "format": "uuid"}
    example = resource.example_id
    return parameter(name, "path", resource.description, schema, is_required=True, example=example)


def _problem_specs(spec: OperationSpec, ids: Mapping[str, Resource]) -> dict[int, ResponseSpec]:
    """Return the problems of a route by status, from its ids, its body and its `problems`."""
    details: dict[Code, str] = {}
    if ids:
        name, resource = list(ids.items())[-1]
        details["invalid"] = invalid({name: [NOT_A_UUID]}).detail
        details["not_found"] = resource.missing
    if spec.body is not None and not spec.body.is_any_type:
        details["unsupported"] = UNSUPPORTED
    details.update(spec.problems)
    return {
        int(STATUS[code]): problem_spec(code, f"{status_name(STATUS[code])}.", detail)
        for code, detail in details.items()
    }


def _describe_body(body: BodySpec) -> dict[str, Any]:
    schema = body.schema(partial=True) if body.is_partial else body.schema
    content = {"schema": schema, "examples": _describe_examples(body.examples)}
    return {"required": True, "content": {"application/json": content}}


def _describe_responses(own: Mapping[int, ResponseSpec], access: Access) -> dict[str, Any]:
    common = COMMON_CODES | ACCESS_CODES[access]
    described = {code: _describe_response(response) for code, response in own.items()}
    return {str(code): response for code, response in sorted((common | described).items())}


def _describe_response(response: ResponseSpec) -> dict[str, Any]:
    described: dict[str, Any] = {"description": response.description}
    if response.headers:
        described["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in response.headers.items()
        }
    if response.schema is not None:
        content: dict[str, Any] = {"schema": response.schema}
        if response.examples:
            content["examples"] = _describe_examples(response.examples)
        described["content"] = {response.media_type: content} | {
            media_type: {
                "schema": {"type": "string"},
                "examples": _describe_examples({"text": example}),
            }
            for media_type, example in response.others.items()
        }
    return described


def _describe_examples(examples: Mapping[str, object]) -> dict[str, Any]:
    return {name: {"value": value} for name, value in examples.items()}


def _schema_name(schema: type[Schema] | Schema) -> str:
    if isinstance(schema, type):
        return schema.__name__.removesuffix("Schema")
    name = _schema_name(type(schema))
    return f"Partial{name}" if schema.partial else name
