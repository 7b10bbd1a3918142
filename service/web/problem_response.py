"""Problems (RFC 9457): the JSON body of every error response."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from marshmallow import fields
from starlette.responses import Response
from starlette.types import Scope

from service.problems import Problem
from service.web.bodies import ExactSchema
from service.web.references import reference_to_request

PROBLEM_TYPE: Final = "application/problem+json"

# The detail for every unexpected exception, whose cause only the log shows.
FAULT: Final = "Something went wrong on our side. The request id finds it in the log."


# Python before 3.13 has the older name of this status, from before RFC 9110.
CONTENT_TOO_LARGE: Final = "Content Too Large"


class ProblemSchema(ExactSchema):
    """A problem (RFC 9457)."""

    type = fields.String(
        required=True,
        metadata={"description": "`about:blank`: the status code is the whole meaning."},
    )
    title = fields.String(required=True, metadata={"description": "The status code in words."})
    status = fields.Integer(required=True, strict=True)
    detail = fields.String(required=True, metadata={"description": "What went wrong, in words."})
    instance = fields.String(
        required=True,
        metadata={
            "description": "The path asked for, relative to the request's URL.",
            "format": "uri-reference",
        },
    )
    request_id = fields.String(
        required=True, metadata={"description": "Finds the request in the service's log."}
    )
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={"description": "What is wrong with each field of the request, on a 400."},
    )


def status_name(status: int) -> str:
    """Return the name of a status in RFC 9110, section 15, whichever Python runs."""
    is_renamed = status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    return CONTENT_TOO_LARGE if is_renamed else HTTPStatus(status).phrase


def problem_bytes(
    status: int,
    detail: str,
    instance: str,
    request_id: str,
    errors: Mapping[str, list[str]] | None = None,
) -> bytes:
    """Return a problem as JSON, in ASCII.

    `type` is always `about:blank`: the status code is the whole meaning (RFC 9457, section 4.2.1).
    `instance` is a URI reference, `request_id` the id in the log.
    """
    document: dict[str, object] = {
        "type": "about:blank",
        "title": status_name(status),
        "status": int(status),
        "detail": detail,
        "instance": instance,
        "request_id": request_id,
    }
    if errors is not None:
        document["errors"] = errors
    return json.dumps(document).encode("ascii")


def problem_response(
    scope: Scope,
    status: int,
    detail: str,
    *,
    errors: Mapping[str, list[str]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Return the response with a problem; its `instance` leads to the request's path."""
    body = problem_bytes(
        status, detail, reference_to_request(scope), scope["state"]["request_id"], errors
    )
    return Response(
        body,
        status_code=int(status),
        headers={"Cache-Control": "no-store", **(headers or {})},
        media_type=PROBLEM_TYPE,
    )


def response_to_problem(scope: Scope, error: Problem) -> Response:
    """Return the response that a Problem describes."""
    return problem_response(
        scope, error.status, error.detail, errors=error.errors, headers=error.headers
    )
