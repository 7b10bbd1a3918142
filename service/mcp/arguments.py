"""Checks the arguments of a tool's call, with texts from which an agent can mend the call.

For the part of JSON Schema that the tools use: an object of strings, integers and booleans, with
`enum`, `minimum`, `maximum`, `minLength`, `maxLength`, `required` and no additional properties.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from service.characters import UNSTORABLE
from service.mcp.tool import ToolError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Of what was given, which may be as long as a body.
MAX_ECHO: Final = 60  # characters
MAX_FAULTS: Final = 8
MAX_DIGITS: Final = 9
INTEGER: Final = re.compile(rf"-?[0-9]{{1,{MAX_DIGITS}}}")


def check_arguments(schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments, which fit `schema`; raise ToolError with all that is wrong with them.

    An optional argument that is null counts as not given, since some clients send all of them. A
    value that can mean one thing only is taken for it, and costs no second call: the number of an
    epic for a string, "5" and 5.0 for an integer, "In progress" for one of an enum.
    """
    properties: Mapping[str, Mapping[str, Any]] = schema["properties"]
    required: Iterable[str] = schema.get("required", ())
    given = {
        name: value
        for name, value in arguments.items()
        if value is not None or name in required or name not in properties
    }
    faults = [
        f"{name} is missing: {_describe(properties[name])}."
        for name in required
        if name not in given
    ]
    # To look for what each of thousands of names may be a misspelling of would take a second.
    unknown = [name for name in given if name not in properties]
    checked: dict[str, Any] = {}
    for name in [name for name in given if name in properties]:
        value = given[name]
        checked[name] = _as_meant(properties[name], value)
        if fault := _find_fault(properties[name], checked[name]):
            faults.append(f"{name} {fault}")
    if faults or unknown:
        more = len(faults) + len(unknown) - MAX_FAULTS
        room = max(0, MAX_FAULTS - len(faults))
        faults += [_unknown(name, properties) for name in unknown[:room]]
        shown = [*faults[:MAX_FAULTS], *([f"And {more} more faults."] if more > 0 else [])]
        raise ToolError("The arguments do not fit. " + " ".join(shown))
    return checked


def find_near(name: str, names: Iterable[str]) -> str | None:
    """Return the one of `names` that `name` may be a misspelling of."""
    from difflib import get_close_matches  # which the first misspelt name needs

    near = get_close_matches(name[:MAX_ECHO].lower(), [*names], n=1)
    return near[0] if near else None


def quote_value(value: object) -> str:
    """Return a value as JSON, cut if it is long, for an error's text."""
    # A value may be as large as a body, and as deep as the parser allows.
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = json.dumps(value[:MAX_ECHO] if isinstance(value, str) else value)
    is_cut = len(text) > MAX_ECHO or (isinstance(value, str) and len(value) > MAX_ECHO)
    return f"{text[:MAX_ECHO]}…" if is_cut else text


def _as_meant(schema: Mapping[str, Any], value: object) -> object:
    """Return the value that is meant; one that may mean several things as it is."""
    if schema["type"] == "integer":
        if isinstance(value, str) and INTEGER.fullmatch(value):
            return int(value)
        return int(value) if isinstance(value, float) and value.is_integer() else value
    if schema["type"] == "string" and isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**MAX_DIGITS else value
    if isinstance(value, str) and value not in schema.get("enum", (value,)):
        # Texts that are as long as a body are none.
        folded = _fold(value[: MAX_ECHO + 1])
        return next((each for each in schema["enum"] if _fold(each) == folded), value)
    return value


def _fold(text: str) -> str:
    return re.sub(r"[-_ ]+", "_", text.strip()).lower()


def _find_fault(schema: Mapping[str, Any], value: object) -> str | None:
    """Return what is wrong with a value, as the end of a sentence; None if nothing is."""
    if not _fits(schema, value):
        near = find_near(value, schema.get("enum", ())) if isinstance(value, str) else None
        guess = f' Did you mean "{near}"?' if near else ""
        length = len(value) if isinstance(value, str) else 0
        is_long = length > schema.get("maxLength", length)
        found = f"a text of {length} characters" if is_long else quote_value(value)
        return f"must be {_describe(schema)}, not {found}.{guess}"
    if isinstance(value, str) and UNSTORABLE.search(value):
        return "must not hold NUL or half a character."
    return None


def _fits(schema: Mapping[str, Any], value: object) -> bool:
    if schema["type"] == "string":
        if not isinstance(value, str):
            return False
        length = len(value)
        if not schema.get("minLength", 0) <= length <= schema.get("maxLength", length):
            return False
    elif schema["type"] == "integer":
        if not isinstance(value, int) or isinstance(value, bool):
            return False
        if not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            return False
    elif not isinstance(value, bool):
        return False
    return "enum" not in schema or value in schema["enum"]


def _describe(schema: Mapping[str, Any]) -> str:
    """Return what a value must be: "an integer from 1 to 50"."""
    if "enum" in schema:
        return "one of " + ", ".join(json.dumps(value) for value in schema["enum"])
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "integer":
        return "an integer" + _describe_range(schema.get("minimum"), schema.get("maximum"))
    limits = _describe_range(schema.get("minLength"), schema.get("maxLength"))
    return f"a string{' of' + limits.removeprefix(' from') + ' characters' if limits else ''}"


def _describe_range(least: int | None, most: int | None) -> str:
    if least is not None and most is not None:
        return f" from {least} to {most}"
    if least is not None:
        return f" from {least}"
    return "" if most is None else f" up to {most}"


def _unknown(name: str, properties: Mapping[str, object]) -> str:
    near = find_near(name, properties)
    guess = f"did you mean {near}? " if near else ""
    allowed = f"The arguments are {', '.join(properties)}." if properties else "There are none."
    return f"There is no argument {quote_value(name)}{': ' + guess if guess else '. '}{allowed}"
