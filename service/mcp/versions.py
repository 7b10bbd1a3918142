"""The versions of MCP, and which of them a message is of.

Up to 2025-11-25 a client begins with `initialize`, and later requests name the version in a header.
From 2026-07-28 on every request says all of that itself: in `_meta`, and again in headers, which
must say the same.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final, cast

from service.mcp.arguments import quote_value
from service.mcp.json_rpc import INVALID_PARAMS, INVALID_REQUEST, RpcError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Scope

    from service.mcp.json_rpc import RpcMessage

NEWEST: Final = "2026-07-28"
# With `initialize`, the newest first.
INITIALIZED: Final = ("2025-11-25", "2025-06-18")
VERSIONS: Final = (NEWEST, *INITIALIZED)

# A client that names none is one of before 2025-06-18, or a person with curl. No version that has
# that case in its specification is spoken here; this is the next to it.
UNNAMED: Final = INITIALIZED[-1]

# 2026-07-28, Base Protocol, Error Codes.
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_VERSION: Final = -32022

META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
META_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"

VERSION_HEADER: Final = "MCP-Protocol-Version"
METHOD_HEADER: Final = "Mcp-Method"
NAME_HEADER: Final = "Mcp-Name"
HEADERS: Final = frozenset(
    name.lower().encode() for name in (VERSION_HEADER, METHOD_HEADER, NAME_HEADER)
)

# The parameter that NAME_HEADER repeats, by method.
NAMED: Final = {"tools/call": "name", "resources/read": "uri"}

# How NAME_HEADER has a name that is no plain ASCII.
ENCODED: Final = re.compile(r"=\?base64\?(.*)\?=")


def read_version(scope: Scope, message: RpcMessage) -> str:
    """Return the version of a message, one of VERSIONS; raise RpcError where it is of none.

    `initialize` negotiates the version in its parameters, so its header does not count. Of a
    notification or a response only the header does.
    """
    try:
        return _choose(scope, message)
    except RpcError as error:
        error.message_id = message.id
        raise


def _choose(scope: Scope, message: RpcMessage) -> str:
    sent = _read_header(scope, VERSION_HEADER)
    declared = _read_meta(message).get(META_VERSION)
    if message.kind == "request":
        if (declared is not None and declared != sent) or sent == NEWEST:
            _check_envelope(scope, message)
        elif message.method == "initialize":
            return INITIALIZED[0]
    version = UNNAMED if sent is None else sent
    if version not in VERSIONS:
        data = {"supported": [*VERSIONS], "requested": version}
        raise RpcError(UNSUPPORTED_VERSION, f"The versions here are {', '.join(VERSIONS)}.", data)
    if message.kind == "response" and version == NEWEST:
        raise RpcError(INVALID_REQUEST, f"A client sends no response in {NEWEST}.")
    return version


def _check_envelope(scope: Scope, message: RpcMessage) -> None:
    """Raise RpcError unless `_meta` is complete, and the headers say what the body says.

    2026-07-28, Base Protocol, `_meta`; Streamable HTTP, Server Validation.
    """
    meta = _read_meta(message)
    missing = [name for name in (META_VERSION, META_CAPABILITIES) if name not in meta]
    if missing:
        raise RpcError(INVALID_PARAMS, f"params._meta lacks {' and '.join(missing)}.")
    if not isinstance(meta[META_CAPABILITIES], dict):
        raise RpcError(INVALID_PARAMS, f"params._meta: {META_CAPABILITIES} must be an object.")
    lines = [(name, value) for name, value in scope["headers"] if name in HEADERS]
    if len(lines) > len(dict(lines)):
        raise RpcError(HEADER_MISMATCH, "A header of MCP is there more than once.")
    if not all(value.isascii() for _, value in lines):
        raise RpcError(HEADER_MISMATCH, "A header of MCP has characters beyond ASCII.")
    _compare(VERSION_HEADER, _read_header(scope, VERSION_HEADER), meta[META_VERSION])
    _compare(METHOD_HEADER, _read_header(scope, METHOD_HEADER), message.method)
    name = message.params.get(NAMED[message.method]) if message.method in NAMED else None
    if isinstance(name, str):
        _compare(NAME_HEADER, _decode(_read_header(scope, NAME_HEADER)), name)


def _read_meta(message: RpcMessage) -> Mapping[str, Any]:
    meta = message.params.get("_meta")
    return cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}


def _compare(header: str, sent: str | None, value: object) -> None:
    if sent != value:
        said = "is missing" if sent is None else f"is {quote_value(sent)}"
        raise RpcError(HEADER_MISMATCH, f"{header} {said}, but the body has {quote_value(value)}.")


def _read_header(scope: Scope, name: str) -> str | None:
    value = scope["state"]["headers"].get(name.lower().encode())
    return None if value is None else value.strip().decode("latin-1")


def _decode(sent: str | None) -> str | None:
    """Return the value that a header stands for; one that is wrongly encoded as it is."""
    encoded = ENCODED.fullmatch(sent or "")
    if encoded is None:
        return sent
    try:
        return base64.b64decode(encoded[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return sent
