"""The parameters of a search and of suggestions: their documentation, and how they are read."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from service.routes.shared import UUID_TEXT
from service.schemas.search import KINDS
from service.web.bodies import NOT_A_UUID, invalid
from service.web.operation import parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.web.operation import Parameter

MAX_QUERY: Final = 256  # characters
MAX_PATH: Final = 1024
DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 50

NUMBER: Final = re.compile("[0-9]{1,6}")

# As cursor_at writes it.
CURSOR: Final = re.compile("([0-9]{1,6})[.]([0-9]{1,3})")

QUERY_RULE: Final = f"must have 1 to {MAX_QUERY} characters."
LIMIT_RULE: Final = f"must be a number from 1 to {MAX_LIMIT}."
BOOLEAN_RULE: Final = "must be true or false."
KIND_RULE: Final = f"must be one of {', '.join(KINDS)}."
PATH_RULE: Final = "must be the beginning of a path."
CURSOR_RULE: Final = "is not one that a Link header gave: begin with the first page."


class Wanted(NamedTuple):
    """What the parameters of a search ask for."""

    text: str
    filters: tuple[str | None, str | None, str | None, str | None]
    as_you_type: bool
    limit: int
    offset: int
    most_lacking: int | None  # Result.lacking of the first page; None for that itself


def _query_parameter(description: str, *, example: str) -> Parameter:
    return parameter(
        "q",
        "query",
        f"{description}: 1 to {MAX_QUERY} characters.",
        {"type": "string", "minLength": 1, "maxLength": MAX_QUERY},
        is_required=True,
        example=example,
    )


ONLY_OF_PROJECT: Final = parameter(
    "project_id", "query", "Only of this project.", {"type": "string", "format": "uuid"}
)

SEARCH_PARAMETERS: Final = (
    _query_parameter('Words, `"exact phrases"`, `-not` and `or`', example="refund limits"),
    ONLY_OF_PROJECT,
    parameter(
        "source_id", "query", "Only of this project doc.", {"type": "string", "format": "uuid"}
    ),
    parameter("kind", "query", "Only of this kind.", {"type": "string", "enum": [*KINDS]}),
    parameter(
        "path",
        "query",
        "Only documents whose path begins so.",
        {"type": "string", "maxLength": MAX_PATH},
        example="docs/",
    ),
    parameter(
        "as_you_type",
        "query",
        "Whether the last word may be the beginning of a word.",
        {"type": "boolean", "default": False},
    ),
    parameter(
        "limit",
        "query",
        "How many documents at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
    ),
    parameter(
        "cursor", "query", "Where the page begins: from the `Link` header of the page before."
    ),
)
SUGGESTION_PARAMETERS: Final = (
    _query_parameter("What is typed so far", example="refu"),
    ONLY_OF_PROJECT,
)


def read_wanted(given: Mapping[str, str]) -> Wanted:
    """Return what the parameters of a search ask for; raise the Problem `invalid`."""
    text, (project_id, source_id), problems = read_text_and_ids(given, ("project_id", "source_id"))
    kind = given.get("kind")
    if kind is not None and kind not in KINDS:
        problems["kind"] = [KIND_RULE]
    path = given.get("path")
    if path is not None and len(path) > MAX_PATH:
        problems["path"] = [PATH_RULE]
    as_you_type = given.get("as_you_type", "false")
    if as_you_type not in {"true", "false"}:
        problems["as_you_type"] = [BOOLEAN_RULE]
    limit = given.get("limit", str(DEFAULT_LIMIT))
    if not NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MAX_LIMIT:
        problems["limit"] = [LIMIT_RULE]
    place = _read_cursor(given["cursor"]) if "cursor" in given else (0, None)
    if place is None:
        problems["cursor"] = [CURSOR_RULE]
    if problems:
        raise invalid(problems)
    assert place is not None
    path = path.removeprefix("/") if path else None
    filters = (project_id, source_id, kind, path or None)
    return Wanted(text, filters, as_you_type == "true", int(limit), *place)


def cursor_at(offset: int, lacking: int) -> str:
    """Return the cursor of the page that begins at `offset`; `lacking` is that of the Result."""
    return base64.urlsafe_b64encode(f"{offset}.{lacking}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[int, int] | None:
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except ValueError:
        return None
    match = CURSOR.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


def read_text_and_ids(
    given: Mapping[str, str], names: Sequence[str]
) -> tuple[str, list[str | None], dict[str, list[str]]]:
    """Return `q`, the ids with these names, and what is wrong with these parameters."""
    problems: dict[str, list[str]] = {}
    text = given.get("q", "")
    if not 1 <= len(text) <= MAX_QUERY:
        problems["q"] = [QUERY_RULE]
    ids = [given.get(name) for name in names]
    for name, value in zip(names, ids, strict=True):
        if value is not None and not UUID_TEXT.fullmatch(value):
            problems[name] = [NOT_A_UUID]
    return text, ids, problems
