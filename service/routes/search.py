"""The search over all documents, and the suggestions for a box that completes what is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from service.routes.search_parameters import (
    QUERY_RULE,
    SEARCH_PARAMETERS,
    SUGGESTION_PARAMETERS,
    cursor_at,
    read_text_and_ids,
    read_wanted,
)
from service.routes.shared import MISSING_PROJECT
from service.schemas.search import (
    EXAMPLE_SEARCH,
    EXAMPLE_SUGGESTIONS,
    SearchSchema,
    SuggestionsSchema,
)
from service.sync.queue import MISSING_SOURCE
from service.web.bodies import invalid, json_response
from service.web.operation import ResponseSpec, operation
from service.web.query_string import read_query_string
from service.web.references import reference_to
from service.web.turns import Turns

if TYPE_CHECKING:
    from starlette.responses import Response

    from service.database.database import Connection
    from service.routes.search_parameters import Wanted
    from service.search.matches import Result
    from service.state import Request, State

# At once in a worker. To rank what was found takes the worker's time, a few milliseconds, in which
# other requests wait, such as those for health; and searches leave connections to others.
SEARCHES_AT_ONCE: Final = 3
WAIT_SECONDS: Final = 10.0
TOO_MANY_SEARCHES: Final = "Too many searches are under way."


class FoundPage(NamedTuple):
    """A page of what a search found, as JSON: see SearchSchema. And the next page's cursor."""

    json: bytes
    next_cursor: str | None


SEARCH_RESPONSE: Final = ResponseSpec(
    description="What was found, a page of it.",
    schema=SearchSchema,
    headers={"Link": 'Leads to the next page, `rel="next"`, if there is one.'},
    examples={"found": EXAMPLE_SEARCH},
    parameters=SEARCH_PARAMETERS,
)

SUGGESTIONS_RESPONSE: Final = ResponseSpec(
    description="The titles and headings, grouped by document.",
    schema=SuggestionsSchema,
    examples={"completed": EXAMPLE_SUGGESTIONS},
    parameters=SUGGESTION_PARAMETERS,
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
    return FoundPage(
        orjson.dumps(_describe(wanted, result, results)),
        cursor_at(end, result.lacking) if end < result.total else None,
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
    text, (project_id,), problems = read_text_and_ids(given, ("project_id",))
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
