"""The OpenAPI document: what each route says of itself, put together by apispec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from starlette.routing import BaseRoute, Route

from service import __version__
from service.problems import STATUS, ProblemSchema

if TYPE_CHECKING:
    from http import HTTPStatus

    from marshmallow import Schema

Endpoint = TypeVar("Endpoint", bound=Callable[..., object])

INFO = {
    "summary": "One place for the documents of many BMAD repositories",
    "description": (
        "The backend of a documentation hub for teams that work by the BMAD Method.\n\n"
        "Every error is a problem document (RFC 9457, `application/problem+json`). Its "
        "`request_id`, also sent as `X-Request-ID`, finds the request in the service's log."
    ),
    "license": {"name": "MIT", "identifier": "MIT"},
}
TAGS = {
    "health": "For monitors, load balancers and orchestrators.",
    "documentation": "This documentation, for people and for programs.",
}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One response of an operation. Without `schema` it has no body."""

    description: str
    schema: type[Schema] | Mapping[str, object] | None = None
    media_type: str = "application/json"
    examples: Mapping[str, object] = field(default_factory=dict[str, object])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, kw_only=True)
class Operation:
    """What a route says of itself."""

    operation_id: str
    tag: str
    summary: str
    description: str
    answers: Mapping[int, Answer]
    parameters: tuple[Mapping[str, object], ...]
    has_head: bool


class UndocumentedRouteError(Exception):
    """A route has no `@operation`."""


def operation(
    *,
    operation_id: str,
    tag: str,
    summary: str,
    answers: Mapping[int, Answer],
    description: str = "",
    parameters: tuple[Mapping[str, object], ...] = (),
    has_head: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Document the endpoint below it. `has_head` lists HEAD too, where it is part of a contract."""

    def attach(endpoint: Endpoint) -> Endpoint:
        described = Operation(
            operation_id=operation_id,
            tag=tag,
            summary=summary,
            description=description,
            answers=answers,
            parameters=parameters,
            has_head=has_head,
        )
        vars(endpoint)["operation"] = described
        return endpoint

    return attach


def problem_answer(
    status: HTTPStatus,
    description: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return the documentation of a problem document."""
    example = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": detail,
        "instance": "/api/example",
        "request_id": "0b6f1b8e6f0c4f0e9d6a3c1d2e4f5a6b",
    }
    return Answer(
        description=description,
        schema=ProblemSchema,
        media_type="application/problem+json",
        examples={"problem": example},
        headers=headers or {},
    )


# What any route can answer besides its own codes.
COMMON_ANSWERS = {
    "Timeout": problem_answer(
        STATUS["timeout"],
        "The request's body did not come whole in time.",
        "The body did not come whole within 60 s.",
    ),
    "ContentTooLarge": problem_answer(
        STATUS["too_large"],
        "The request's body is larger than 1 MiB.",
        "The body is larger than 1048576 bytes.",
    ),
    "Unavailable": problem_answer(
        STATUS["unavailable"],
        "The database cannot be used at the moment, or the service stops. Try again.",
        "The database cannot be used at the moment.",
        headers={"Retry-After": "Seconds to wait before asking again."},
    ),
    "InternalError": problem_answer(
        STATUS["internal"],
        "A fault of the service, which its log explains under the request id.",
        "Something went wrong on our side. The request id finds it in the log.",
    ),
}
COMMON_CODES = {408: "Timeout", 413: "ContentTooLarge", 500: "InternalError", 503: "Unavailable"}


def build_document(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes.

    Raises UndocumentedRouteError for a route without an `@operation`.
    """
    # Here, not above: the service starts faster without apispec, and few requests need it.
    from apispec import APISpec
    from apispec.ext.marshmallow import MarshmallowPlugin

    spec = APISpec(
        title="BMADFlow API",
        version=__version__,
        openapi_version="3.1.1",
        info=INFO,
        plugins=[MarshmallowPlugin(schema_name_resolver=_schema_name)],
        servers=[{"url": "/", "description": "The service that this document came from"}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        security=[],
    )
    for name, answer in COMMON_ANSWERS.items():
        spec.components.response(name, _response(answer))
    for route in routes:
        assert isinstance(route, Route)
        operations = _operations(route)
        # `{name:convertor}` is Starlette's; the document has `{name}`.
        spec.path(path=route.path_format, operations=operations)
    document = spec.to_dict()
    # First, as people and tools that look at the beginning of a file expect it.
    return {"openapi": document.pop("openapi"), **document}


def _operations(route: Route) -> dict[str, Any]:
    described = cast("Operation | None", vars(route.endpoint).get("operation"))
    if described is None:
        raise UndocumentedRouteError(f"{route.path} ({route.name}) has no @operation")
    responses = _responses(described, _response)
    document = {
        "operationId": described.operation_id,
        "tags": [described.tag],
        "summary": described.summary,
        "description": described.description or described.summary + ".",
        "parameters": list(described.parameters),
        "responses": responses,
    }
    methods = sorted((route.methods or set()) - {"HEAD"})
    operations = {method.lower(): document for method in methods}
    if described.has_head:
        operations["head"] = _head(document, described)
    return operations


def _head(document: Mapping[str, Any], described: Operation) -> dict[str, Any]:
    bodiless = _responses(
        described,
        lambda answer: {"description": answer.description, "headers": _headers(answer)},
    )
    return {
        **document,
        "operationId": f"{described.operation_id}Head",
        "summary": f"{described.summary}: the answer without its body",
        "responses": bodiless,
    }


def _responses(
    described: Operation, describe: Callable[[Answer], dict[str, Any]]
) -> dict[str, object]:
    own = {code: describe(answer) for code, answer in described.answers.items()}
    return {str(code): answer for code, answer in sorted((COMMON_CODES | own).items())}


def _response(answer: Answer) -> dict[str, Any]:
    response: dict[str, Any] = {"description": answer.description}
    if answer.headers:
        response["headers"] = _headers(answer)
    if answer.schema is not None:
        content: dict[str, Any] = {"schema": answer.schema}
        if answer.examples:
            content["examples"] = {
                name: {"value": value} for name, value in answer.examples.items()
            }
        response["content"] = {answer.media_type: content}
    return response


def _headers(answer: Answer) -> dict[str, Any]:
    return {
        name: {"description": text, "schema": {"type": "string"}}
        for name, text in answer.headers.items()
    }


def _schema_name(schema: type[Schema] | Schema) -> str:
    cls = schema if isinstance(schema, type) else type(schema)
    return cls.__name__.removesuffix("Schema")
