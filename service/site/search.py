"""The page of a search: what was found, with links that narrow it, and how to ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import UUID

import orjson

from service.routes.file_tree import read_tops
from service.routes.search import run_search
from service.routes.search_parameters import MAX_QUERY, QUERY_RULE, SEARCH_PARAMETERS, read_wanted
from service.routes.shared import MISSING_PROJECT
from service.site.templating import page_spec_of, render_page
from service.web.entity_tags import NOT_MODIFIED_RESPONSE
from service.web.operation import operation, parameter
from service.web.page_addresses import files_page, search_page
from service.web.query_string import form_parameters, read_form

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from starlette.responses import Response

    from service.routes.search_parameters import Wanted
    from service.state import Request

# Of the parameters of the API's search those that a page has: how much is on it is not chosen.
FILTERS: Final = ("project_id", "source_id", "kind", "path")
NAMES: Final = ("q", *FILTERS, "cursor")
QUERY: Final = parameter(
    "q",
    "query",
    f"What to search for: {MAX_QUERY} characters at most. Without it the page says how to ask.",
    {"type": "string", "maxLength": MAX_QUERY},
    example="refund limits",
)
PARAMETERS: Final = (
    QUERY,
    *form_parameters(
        each for each in SEARCH_PARAMETERS if each["name"] in NAMES and each["name"] != "q"
    ),
)
PAGE: Final = page_spec_of("What was found, a page of it; without a query how to ask.")


class Choice(NamedTuple):
    """A link that narrows or widens the search: its text, its page, and whether it is followed."""

    text: str
    page: str
    documents: int | None
    is_chosen: bool


class FoundSection(NamedTuple):
    """A section, with the headings above it. `title` and `snippet` are HTML, with marks."""

    page: str
    above: list[str]
    title: str
    snippet: str


class FoundDocument(NamedTuple):
    """A document with its best sections."""

    page: str
    title: str
    path: str
    kind: str
    project_id: str
    project: str
    updated_at: str
    sections: list[FoundSection]


@operation(
    tag="pages",
    parameters=PARAMETERS,
    responses={200: PAGE, 304: NOT_MODIFIED_RESPONSE},
    problems={"invalid": f"q: {QUERY_RULE}", "not_found": MISSING_PROJECT},
)
async def show_search(request: Request) -> Response:
    """Look at what a search finds.

    Without a query, the page says how to ask. An empty parameter is none.
    """
    given = {name: value for name, value in read_form(request).items() if name in NAMES}
    # Without a query the other parameters are checked as well.
    wanted = read_wanted({**given, "q": given.get("q") or "any"})
    query = given.get("q", "").strip()
    filters = {name: given[name] for name in FILTERS if name in given}
    results: dict[str, Any] = {"found": None}
    if query:
        results = await _read_results(request, wanted, filters)
    return await render_page(
        request, "search.html", section="search", query=query, filters=filters, **results
    )


async def _read_results(
    request: Request, wanted: Wanted, filters: Mapping[str, str]
) -> dict[str, Any]:
    """Return the variables of the template for a search."""
    page = await run_search(request.state, wanted)
    found: dict[str, Any] = orjson.loads(page.json)
    results: list[dict[str, Any]] = found["results"]
    projects = {UUID(result["document"]["project"]["id"]) for result in results}
    tops = await read_tops(request.state["database"], list(projects)) if projects else {}
    following = None
    if page.next_cursor is not None:
        following = search_page(wanted.text, {**filters, "cursor": page.next_cursor})
    facets = found["facets"]
    return {
        "found": found,
        "documents": [_describe(result, tops) for result in results],
        "first": wanted.offset + 1,
        "beginning": search_page(wanted.text, filters) if wanted.offset else None,
        "following": following,
        "projects": _choices(
            wanted.text,
            filters,
            "project_id",
            "All projects",
            ((each["id"], each["name"], each["count"]) for each in facets["project"]),
        ),
        "kinds": _choices(
            wanted.text,
            filters,
            "kind",
            "All kinds",
            ((each["value"], each["value"], each["count"]) for each in facets["kind"]),
        ),
        "everywhere": search_page(wanted.text),
    }


def _choices(
    query: str,
    filters: Mapping[str, str],
    name: str,
    all_of_them: str,
    values: Iterable[tuple[str, str, int]],
) -> list[Choice]:
    """Return the links of a facet, the first of which leads to the search without it."""
    others = {each: value for each, value in filters.items() if each != name}
    chosen = filters.get(name)
    return [
        Choice(all_of_them, search_page(query, others), None, chosen is None),
        *(
            Choice(text, search_page(query, {**others, name: value}), count, value == chosen)
            for value, text, count in values
        ),
    ]


def _above(headings: Sequence[Mapping[str, Any]], title: str) -> list[str]:
    """Return the texts of the headings above a section, without the title, which stands above."""
    texts = [heading["text"] for heading in headings[:-1]]
    return texts[1:] if texts[:1] == [title] else texts


def _describe(result: Mapping[str, Any], tops: Mapping[str, str | None]) -> FoundDocument:
    document = result["document"]
    project, path = document["project"], document["path"]
    top = tops.get(document["source"]["id"])

    def page(anchor: str | None = None) -> str:
        return files_page(project["id"], path, top, anchor)

    return FoundDocument(
        page(),
        document["title"],
        path,
        document["kind"],
        project["id"],
        project["name"],
        document["updated_at"],
        [
            FoundSection(
                page(section["anchor"]),
                _above(section["headings"], document["title"]),
                section["title"],
                section["snippet"],
            )
            for section in result["sections"]
        ],
    )
