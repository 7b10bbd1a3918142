"""What a tool is: its description for agents, the schemas of its arguments and result, its code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from service.state import Request

    JsonSchema: TypeAlias = Mapping[str, Any]


# Of names that may be meant, in the text of a ToolError: those like the given one, else the first.
NEAREST_SHOWN: Final = 5
FIRST_SHOWN: Final = 20


class ToolError(Exception):
    """A call that cannot be done as it is; its text tells the agent how to mend the call."""


class ToolResult(NamedTuple):
    """What a tool answers: the text for the model, and the same as an object.

    With `is_error` the text says what the agent can do; the object is not sent then.
    """

    text: str
    structured: Mapping[str, Any]
    is_error: bool = False


class Tool(NamedTuple):
    """A tool, which only reads.

    `input_schema` and `output_schema` are JSON Schemas (2020-12) of an object. `run` gets arguments
    that fit `input_schema`, as arguments.py checks, and no others; a default is not filled in.
    It raises ToolError or Problem for a call that cannot be done.
    """

    name: str
    title: str
    description: str
    input_schema: JsonSchema
    output_schema: JsonSchema
    run: Callable[[Request, Mapping[str, Any]], Awaitable[ToolResult]]
