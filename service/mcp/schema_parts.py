"""Parts of the JSON Schemas of tools. Every agent reads them all: they are short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from service.documents.kind_names import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STRING: Final = {"type": "string"}
NULLABLE_STRING: Final = {"type": ["string", "null"]}
OBJECT: Final = {"type": "object"}

MAX_CURSOR: Final = 8_000
CURSOR: Final = {
    "type": "string",
    "maxLength": MAX_CURSOR,
    "description": "next_cursor of the answer before.",
}
KIND: Final = {"type": "string", "enum": [*KINDS]}


def make_limit(default: int, most: int) -> dict[str, Any]:
    """Return the schema of the argument `limit`."""
    return {"type": "integer", "minimum": 1, "maximum": most, "default": default}


def make_arguments(
    properties: Mapping[str, Mapping[str, Any]], required: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the schema of a tool's arguments."""
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": [*required]} if required else {})


def make_object(required: Sequence[str]) -> dict[str, Any]:
    """Return the schema of an object that has at least these properties."""
    return {"type": "object", "required": [*required]}


def make_list(
    name: str, item: Sequence[str], fields: Sequence[str] = (), *, names_sources: bool = True
) -> dict[str, Any]:
    """Return the schema of an answer with a list, as ListAnswer writes it.

    `item` are the properties that each of the list has, `fields` objects besides the list.
    """
    properties: dict[str, Any] = dict.fromkeys(fields, OBJECT)
    if names_sources:
        properties["sources"] = {"type": "array"}
    properties[name] = {"type": "array", "items": make_object(item)}
    properties |= {"next_cursor": NULLABLE_STRING, "hint": STRING}
    return {"type": "object", "properties": properties, "required": [*properties]}
