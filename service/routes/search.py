"""The search over all documents, and the suggestions for a box that completes what is typed."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from service.routes.shared import MISSING_PROJECT, UUID_TEXT
from service.schemas.search import (
    EXAMPLE_SEARCH,
    EXAMPLE_SUGGESTIONS,
    KINDS,
    SearchSchema,
    SuggestionsSchema,
)
from service.sync.queue import MISSING_SOURCE
from service.web.bodies import NOT_A_UUID, invalid, json_response
from service.web.operation import ResponseSpec, operation, parameter
from service.web.query_string import read_query_string
from service.web.references import reference_to
from service.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.responses import Response

    from service.database.database import Connection
    from service.search.matches import Result
    from service.state import Request, State

MAX_QUERY: Final = 256  # characters
MAX_PATH: Final = 1024
DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 50

# At once in a worker. To rank what was found takes the worker's time, a few milliseconds, in which
# other requests wait, such as those for health; and searches leave connections to others.
SEARCHES_AT_ONCE: Final = 3
WAIT_SECONDS: Final = 10.0
TOO_MANY_SEARCHES: Final = "Too many searches are under way."

NUMBER: Final = re.compile("[0-9]{1,6}")

# Where the page begins, and Result.lacking.
CURSOR: Final = re.compile("([0-9]{1,6})[.]([0-9]{1,3})")

QUERY_RULE: Final = f"must have 1 to {MAX_QUERY} characters."
LIMIT_RULE: Final = f"must be a number from 1 to {MAX_LIMIT}."
BOOLEAN_RULE: Final = "must be true or false."
KIND_RULE: Final = f"must be one of {', '.join(KINDS)}."
PATH_RULE: Final = "must be the beginning of a path."
CURSOR_RULE: Final = "is not one that a Link header gave: begin with the first page."


class Wanted(NamedTuple):
    """What a request asks for."""

    text: str
    filters: tuple[str | None, str | None, str | None, str | None]
    as_you_type: bool
    limit: int
    offset: int
    most_lacking: int | None  # Result.lacking of the first page; None for that itself


class FoundPage(NamedTuple):
    """A page of what a search found, as JSON: see SearchSchema. And the next page's cursor."""

    json: bytes
    next_cursor: str | None


ONLY_OF_PROJECT: Final = parameter(
    "project_id", "query", "Only of this project.", {"type": "string", "format": "uuid"}
)

SEARCH_RESPONSE: Final = ResponseSpec(
    description="What was found, a page of it.",
    schema=SearchSchema,
    headers={"Link": 'Leads to the next page, `rel="next"`, if there is one.'},
    examples={"found": EXAMPLE_SEARCH},
    parameters=(
        parameter(
            "q",
            "query",
            f'Words, `"exact phrases"`, `-not` and `or`: 1 to {MAX_QUERY} characters.',
            {"type": "string", "minLength": 1, "maxLength": MAX_QUERY},
            is_required=True,
            example="refund limits",
        ),
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
    ),
)

SUGGESTIONS_RESPONSE: Final = ResponseSpec(
    description="The titles and headings, grouped by document.",
    schema=SuggestionsSchema,
    examples={"completed": EXAMPLE_SUGGESTIONS},
    parameters=(
        parameter(
            "q",
            "query",
            f"What is typed so far: 1 to {MAX_QUERY} characters.",
            {"type": "string", "minLength": 1, "maxLength": MAX_QUERY},
            is_required=True,
            example="refu",
        ),
        ONLY_OF_PROJECT,
    ),
)


@operation(
    tag="search",
    responses={200: SEARCH_RESPONSE},
    problems={"invalid": f"q: {QUERY_RULE}", "not_found": MISSING_PROJECT},
)
async def search(request: Request) -> Response:
    """Search all documents.

    Words are found in any form, whatever their case and accents, and identifiers as written and by
    their parts. Documents that have all words in one section come first. Where too few have, those
    without one of the words are found as well; a word that none of them has is corrected, and
    `fuzzy` says so.
    """
    given = read_query_string(request)
    found = await run_search(request.state, read_wanted(given))
    headers: dict[str, str] = {}
    if found.next_cursor is not None:
        query = urlencode(given | {"cursor": found.next_cursor})
        target = reference_to(request.scope, request.scope["path"])
        headers["Link"] = f'<{target}?{query}>; rel="next"'
    return json_response(found.json, headers=headers)


async def run_search(state: State, wanted: Wanted) -> FoundPage:
    """Return a page of what a search finds.

    Raises the Problem `not_found` for a project or a source that is not there, and the Problem
    `unavailable` while there are too many searches.
    """
    # Imported here, for the stemmer takes memory that a service without searches does not need.
    from service.search.find import find, read_page
    from service.search.query import parse_query
    from service.search.results import read_results
    from service.search.statements import SETTINGS, Filters

    query = parse_query(wanted.text, as_you_type=wanted.as_you_type)
    filters = Filters(*wanted.filters)

    async def run(connection: Connection) -> tuple[Result, list[dict[str, Any]]]:
        result = await find(connection, query, filters, wanted.most_lacking)
        if not result.documents:
            await _refuse_missing(connection, filters.project_id, filters.source_id)
        found = await read_page(connection, result, filters, wanted.offset, wanted.limit)
        return result, await read_results(connection, result.query, found)

    async with state["search_turns"].take():
        result, results = await state["database"].run_repeatable(run, SETTINGS)
    end = wanted.offset + wanted.limit
    cursor = f"{end}.{result.lacking}" if end < result.total else None
    return FoundPage(
        orjson.dumps(_describe(wanted, result, results)),
        None if cursor is None else base64.urlsafe_b64encode(cursor.encode()).decode(),
    )


@operation(
    tag="search",
    responses={200: SUGGESTIONS_RESPONSE},
    problems={"invalid": f"q: {QUERY_RULE}", "not_found": MISSING_PROJECT},
)
async def suggest(request: Request) -> Response:
    """Complete what is typed.

    Titles and headings that begin with it, whatever its case, accents and punctuation: titles
    first, and of each the shorter ones first. Those that have it at a later word follow. A text
    that many documents have is there once, with a document that changed lately.
    """
    from service.search.statements import SETTINGS
    from service.search.suggest import suggest as find_suggestions

    given = read_query_string(request)
    text, (project_id,), problems = _read_text_and_ids(given, ("project_id",))
    if problems:
        raise invalid(problems)

    async def run(connection: Connection) -> list[dict[str, Any]]:
        found = await find_suggestions(connection, text, project_id)
        if not found:
            await _refuse_missing(connection, project_id, None)
        return found

    suggestions = await request.state["database"].run_repeatable(run, SETTINGS)
    return json_response(orjson.dumps({"query": text, "suggestions": suggestions}))


def search_turns() -> Turns:
    """Return the turns of a worker's searches."""
    return Turns(SEARCHES_AT_ONCE, WAIT_SECONDS, TOO_MANY_SEARCHES)


def _read_text_and_ids(
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


def read_wanted(given: Mapping[str, str]) -> Wanted:
    """Return what the parameters of a search ask for; raise the Problem `invalid`."""
    text, (project_id, source_id), problems = _read_text_and_ids(given, ("project_id", "source_id"))
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


def _read_cursor(cursor: str) -> tuple[int, int] | None:
    try:
        text = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except ValueError:
        return None
    match = CURSOR.fullmatch(text)
    return (int(match[1]), int(match[2])) if match else None


async def _refuse_missing(
    connection: Connection, project_id: str | None, source_id: str | None
) -> None:
    """Raise the Problem `not_found` if the search is limited to what is not there."""
    if project_id:
        await connection.fetch_row_or_404(
            "select id from project where id = $1", project_id, missing=MISSING_PROJECT
        )
    if source_id:
        await connection.fetch_row_or_404(
            "select id from project_doc where id = $1", source_id, missing=MISSING_SOURCE
        )


def _describe(wanted: Wanted, result: Result, results: list[dict[str, Any]]) -> dict[str, Any]:
    corrections = [{"from": word, "to": meant} for word, meant in result.corrections]
    return {
        "query": wanted.text,
        "total": {"value": result.total, "is_exact": result.is_exact},
        "fuzzy": corrections or None,
        "facets": {
            "project": orjson.Fragment(result.projects),
            "kind": orjson.Fragment(result.kinds),
        },
        "results": results,
    }
