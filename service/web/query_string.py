"""The parameters of a request's query string, decoded strictly; and the filled fields of a form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from service.characters import UNSTORABLE
from service.web.bodies import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import Request

    from service.web.operation import Parameter

NOT_UTF8: Final = "is not UTF-8, or has NUL."


def read_query_string(request: Request[Any]) -> dict[str, str]:
    """Return the parameters by name; of several with one name the last.

    Raises the Problem `invalid` for a parameter that is not UTF-8, for which Starlette's
    query_params has U+FFFD, and for NUL, which PostgreSQL refuses.
    """
    values: dict[str, str] = {}
    problems: dict[str, list[str]] = {}
    for field in request.scope["query_string"].replace(b"+", b" ").split(b"&"):
        name, _, value = field.partition(b"=")
        key = unquote_to_bytes(name).decode(errors="replace")
        try:
            values[key] = unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            problems[key] = [NOT_UTF8]
        else:
            if UNSTORABLE.search(values[key]):
                problems[key] = [NOT_UTF8]
    if problems:
        raise invalid(problems)
    return values


def read_form(request: Request[Any], *may_be_empty: str) -> dict[str, str]:
    """Return the parameters that a page's form has sent, without fields that were left empty.

    A browser sends those as well, and an empty field asks for nothing. `may_be_empty` names fields
    of which an empty value means something.
    """
    given = read_query_string(request)
    return {name: value for name, value in given.items() if value or name in may_be_empty}


def form_parameters(parameters: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """Return the documentation of parameters that read_form reads: each may be empty as well."""
    return tuple(
        {**each, "schema": {"anyOf": [each["schema"], {"type": "string", "maxLength": 0}]}}
        if each["in"] == "query"
        else each
        for each in parameters
    )
