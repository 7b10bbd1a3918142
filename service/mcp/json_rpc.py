"""JSON-RPC 2.0 (https://www.jsonrpc.org/specification), as MCP narrows it: messages and errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, cast

from service.problems import Problem
from service.web.bodies import parse_json

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["request", "notification", "response"]

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

BATCH: Final = (
    "A batch is not taken, since MCP has none from version 2025-06-18 on: send each message in a "
    "request of its own."
)
NO_MESSAGE: Final = 'The body must be one JSON-RPC message, an object with "jsonrpc": "2.0".'
NO_METHOD: Final = "A message must have a method, which is a string."
BAD_ID: Final = "The id of a request must be a string or an integer."
BAD_PARAMS: Final = "params must be an object."


class RpcError(Exception):
    """An error for the client, which receives its text unchanged.

    `message_id` is that of the message where another than the endpoint found the error.
    """

    def __init__(
        self,
        code: int,
        text: str,
        data: Mapping[str, object] | None = None,
        *,
        message_id: str | int | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.data = data
        self.message_id = message_id


class RpcMessage(NamedTuple):
    """A message: a request, which has an id, or a notification, or the response to a request.

    `params` is empty where the message has none; a response has no method.
    """

    kind: Kind
    id: str | int | None
    method: str
    params: Mapping[str, Any]


def read_message(body: bytes) -> RpcMessage:
    """Return the message of a body; raise RpcError where it is none.

    Unlike in JSON-RPC, an id is no fraction and not null, and `params` is no array (MCP, Base
    Protocol, Messages); it may be null.
    """
    try:
        parsed = parse_json(body)
    except Problem as problem:
        raise RpcError(PARSE_ERROR, problem.detail) from None
    if not isinstance(parsed, dict):
        raise RpcError(INVALID_REQUEST, BATCH if isinstance(parsed, list) else NO_MESSAGE)
    fields = cast("dict[str, Any]", parsed)
    given_id = fields.get("id")
    # A bool is an int in Python.
    is_id = isinstance(given_id, str | int) and not isinstance(given_id, bool)
    known_id = given_id if is_id else None
    if fields.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, NO_MESSAGE, message_id=known_id)
    if "method" not in fields and ("result" in fields or "error" in fields):
        return RpcMessage("response", known_id, "", {})
    method = fields.get("method")
    # Libraries that write every field write null for no parameters; the SDK takes that.
    params: object = {} if fields.get("params") is None else fields["params"]
    if not isinstance(method, str):
        raise RpcError(INVALID_REQUEST, NO_METHOD, message_id=known_id)
    if "id" in fields and not is_id:
        raise RpcError(INVALID_REQUEST, BAD_ID)
    if not isinstance(params, dict):
        raise RpcError(INVALID_PARAMS, BAD_PARAMS, message_id=known_id)
    kind = "request" if "id" in fields else "notification"
    return RpcMessage(kind, known_id, method, cast("dict[str, Any]", params))


def write_id(message_id: str | int | None) -> bytes:
    """Return an id as JSON: exactly the one that was sent; null where none could be read."""
    # orjson takes neither large integers nor half a character.
    return json.dumps(message_id).encode("ascii")


def write_error(message_id: str | int | None, error: RpcError) -> bytes:
    """Return the response to a request that failed."""
    body: dict[str, object] = {"code": error.code, "message": str(error)}
    if error.data is not None:
        body["data"] = error.data
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (
        write_id(message_id),
        json.dumps(body).encode("ascii"),
    )
