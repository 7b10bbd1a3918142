"""The endpoint of the Model Context Protocol: https://modelcontextprotocol.io/specification.

Streamable HTTP without sessions: each request is answered by one JSON object, whichever worker gets
it. Written by hand, since the SDK would take longer to import than all of the service.
"""

from __future__ import annotations

from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import orjson
import structlog
from marshmallow import fields, validate
from starlette.responses import Response

from service.database.errors import DatabaseUnavailable, log_unavailable
from service.mcp.json_rpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    RpcError,
    read_message,
    write_error,
    write_id,
)
from service.mcp.versions import NEWEST, read_version
from service.problems import STATUS, Problem
from service.routes.document_texts import LargeText
from service.web.bodies import ExactSchema, InputSchema, check_json_type, json_response
from service.web.operation import BodySpec, ResponseSpec, operation
from service.web.origins import FOREIGN, check_origin
from service.web.pieces import PieceResponse, escape_in_pieces
from service.web.problem_response import FAULT
from service.web.request_context import add_log_fields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.mcp.json_rpc import RpcMessage
    from service.state import Request

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Up to 2025-11-25 (Resources, Error Handling); later it is INVALID_PARAMS.
RESOURCE_NOT_FOUND: Final = -32002

# By error code, from 2026-07-28 on. Older clients read no body of another status than 200.
ERROR_STATUSES: Final = {
    METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
    INVALID_PARAMS: HTTPStatus.BAD_REQUEST,
}

# Stands for a large text in the JSON of a result. No other text of a result has a NUL.
PLACE: Final = "\0"


class McpMessageSchema(InputSchema):
    """A message of the client (JSON-RPC 2.0): a request, or a notification, which has no id."""

    jsonrpc = fields.String(required=True, validate=validate.Equal("2.0"))
    id = fields.Raw(metadata={"description": "A string or an integer."})
    method = fields.String()
    params = fields.Dict(keys=fields.String(), allow_none=True)


class McpResponseSchema(ExactSchema):
    """The response to a request (JSON-RPC 2.0): with `result`, or with `error`."""

    jsonrpc = fields.String(required=True)
    id = fields.Raw(required=True, allow_none=True)
    result = fields.Dict(keys=fields.String())
    error = fields.Dict(keys=fields.String())


MESSAGE: Final = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
MESSAGE_BODY: Final = BodySpec(schema=McpMessageSchema, examples={"ping": MESSAGE})
MESSAGE_RESPONSE: Final = ResponseSpec(
    description="The result, or an error of the call.",
    schema=McpResponseSchema,
    examples={"pong": {"jsonrpc": "2.0", "id": 1, "result": {}}},
)
ACCEPTED_RESPONSE: Final = ResponseSpec(description="A notification was taken.")
ERROR_RESPONSE: Final = ResponseSpec(
    description="An error in the message, its headers or its parameters.",
    schema=McpResponseSchema,
    examples={
        "error": {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": PARSE_ERROR, "message": "The body is not valid UTF-8."},
        }
    },
)


@operation(
    tag="agents",
    body=MESSAGE_BODY,
    responses={
        200: MESSAGE_RESPONSE,
        202: ACCEPTED_RESPONSE,
        400: ERROR_RESPONSE,
        404: ERROR_RESPONSE,
    },
    problems={"forbidden": FOREIGN},
)
async def post_mcp(request: Request) -> Response:
    """Send a message of the Model Context Protocol.

    For coding agents, over Streamable HTTP without sessions: `tools/list` tells what there is.
    Versions 2025-06-18, 2025-11-25 and 2026-07-28.
    """
    check_origin(request.scope, request.state["settings"].cors_origins)
    check_json_type(request)
    body = await request.body()
    try:
        message = read_message(body)
        version = read_version(request.scope, message)
    except RpcError as error:
        return _fail(error, error.message_id, HTTPStatus.BAD_REQUEST)
    if message.kind != "request":
        return Response(status_code=int(HTTPStatus.ACCEPTED))
    return await _respond(request, message, version)


async def _respond(request: Request, message: RpcMessage, version: str) -> Response:
    """Return the response to a request."""
    # Imported here, for a service without agents need not know the tools: 0.6 MB.
    from service.mcp.methods import Call, find_method, run_method

    try:
        method = find_method(message.method, version)
        add_log_fields(mcp_method=message.method)
        result = await run_method(method, Call(request, message.params, version))
    except RpcError as error:
        return _fail(error, message.id, _status_of(error, version))
    except Problem as problem:
        if isinstance(problem, DatabaseUnavailable):
            log_unavailable(problem)
        error = _translate(problem, message, version)
        is_passing = problem.status == STATUS["unavailable"]
        status = problem.status if is_passing else _status_of(error, version)
        return _fail(error, message.id, status, problem.headers)
    except Exception:
        log.exception("unhandled_error")
        return _fail(RpcError(INTERNAL_ERROR, FAULT), message.id, STATUS["internal"])
    return _respond_with(request, message.id, result)


def _respond_with(
    request: Request, message_id: str | int | None, result: Mapping[str, Any]
) -> Response:
    """Return the response with a result; a large text in it is sent in pieces."""
    large: list[LargeText] = []

    def take_out(value: object) -> str:
        if not isinstance(value, LargeText):
            raise TypeError(f"{type(value)} is not for JSON")
        large.append(value)
        return PLACE

    written = orjson.dumps(result, default=take_out)
    begin = b'{"jsonrpc":"2.0","id":%b,"result":' % write_id(message_id)
    if not large:
        return json_response(b"%b%b}" % (begin, written))
    [text] = large
    # With its quotes, for a backslash before `u0000` in another text looks the same; and not in
    # the id, which may be anything.
    before, after = written.split(orjson.dumps(PLACE))
    head, tail = b'%b%b"' % (begin, before), b'"%b}' % after
    return PieceResponse(
        chain((head,), escape_in_pieces(text.content), (tail,)),
        len(head) + text.length + len(tail),
        threads=request.state["large_bodies"].writers,
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def _translate(problem: Problem, message: RpcMessage, version: str) -> RpcError:
    """Return the error of a call that ended in a Problem."""
    if problem.status == STATUS["unavailable"]:
        return RpcError(INTERNAL_ERROR, problem.detail)
    if problem.status == STATUS["not_found"]:
        code = INVALID_PARAMS if version == NEWEST else RESOURCE_NOT_FOUND
        return RpcError(code, problem.detail, {"uri": message.params.get("uri")})
    return RpcError(INVALID_PARAMS, problem.detail)


def _status_of(error: RpcError, version: str) -> HTTPStatus:
    return ERROR_STATUSES[error.code] if version == NEWEST else HTTPStatus.OK


def _fail(
    error: RpcError,
    message_id: str | int | None,
    status: HTTPStatus,
    headers: Mapping[str, str] | None = None,
) -> Response:
    return json_response(write_error(message_id, error), int(status), headers)
