"""Lists in pages, each with a link to the next."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple
from urllib.parse import urlencode

from service.web.bodies import invalid, json_response
from service.web.operation import ResponseSpec, parameter
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from marshmallow import Schema
    from starlette.requests import Request
    from starlette.responses import Response

    from service.database.database import Queries, Row

MAX_LIMIT: Final = 1000

# Bytes of the items of a page. A page with a larger one has only that. For as long as a page is
# decoded and joined, all other requests of the worker wait.
MAX_PAGE_BYTES: Final = 4 * 1024 * 1024

NUMBER: Final = re.compile("[0-9]{1,19}")

LIMIT_RANGE: Final = f"must be a number from 1 to {MAX_LIMIT}."

PAGE_PARAMETERS: Final = (
    parameter(
        "limit",
        "query",
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
    ),
    parameter(
        "cursor", "query", "Where the page begins: from the `Link` header of the page before."
    ),
)

# The first page's cursor, which sorts before every row. Null would need an `or` in the SQL, with
# which a generic plan scans from the first row even for a page near the end.
BEFORE_FIRST_ROW: Final = 2**63 - 1

# What a query selects from the rows of a page: see fetch_page. No items where they have too many
# bytes.
PAGE_COLUMNS: Final[LiteralString] = """
    case when sum(octet_length(item)) <= $3::bigint or $2::bigint = 1
        then array_agg(item)
    end as items,
    sum(octet_length(item)) as bytes,
    (array_agg(number))[$2::bigint] as last_number
    """

BAD_CURSOR: Final = (
    "is not one that a Link header gave, or is older than an upgrade of the service: "
    "begin with the first page."
)


class Page(NamedTuple):
    """The requested part of a list, newest first: `limit` rows whose number is below `before`."""

    before: int
    limit: int


class Items(NamedTuple):
    """The items of a page as JSON, and its last row's number, which is None without a next page."""

    texts: list[str]
    last_number: int | None


def page_spec(
    description: str, item: type[Schema], examples: Mapping[str, list[Any]]
) -> ResponseSpec:
    """Return the documentation of a page of items, and of the parameters that choose it."""
    return ResponseSpec(
        description=description,
        schema={"type": "array", "items": item},
        headers={"Link": 'Leads to the next page, `rel="next"`, if there is one.'},
        examples=examples,
        parameters=PAGE_PARAMETERS,
    )


def read_page(request: Request[Any], default_limit: int = MAX_LIMIT) -> Page:
    """Return the page that `?limit=` and `?cursor=` ask for.

    Raises the Problem `invalid` for a limit outside 1 to MAX_LIMIT, and for a cursor that no `Link`
    header had.
    """
    if not request.scope["query_string"]:  # most requests: parsing it would take longer
        return Page(BEFORE_FIRST_ROW, default_limit)
    text = request.query_params.get("limit", str(default_limit))
    # int() alone would also take "+1", "1_0" and the digits of other scripts.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid({"limit": [LIMIT_RANGE]})
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return Page(BEFORE_FIRST_ROW, int(text))
    before = read_cursor(cursor)
    if before is None:
        raise invalid({"cursor": [BAD_CURSOR]})
    return Page(before, int(text))


def read_cursor(cursor: str) -> int | None:
    """Return `before` of the page that cursor_after has named; None for any other text."""
    try:
        number = base64.urlsafe_b64decode(cursor.encode("ascii")).decode("ascii")
    except ValueError:
        return None
    # Of older versions the cursor was a time and an id.
    if not NUMBER.fullmatch(number) or int(number) > BEFORE_FIRST_ROW:
        return None
    return int(number)


async def fetch_page(queries: Queries, query: LiteralString, page: Page, *more: object) -> Items:
    """Return the items of a page: fewer than its limit where they exceed MAX_PAGE_BYTES.

    The query selects PAGE_COLUMNS from rows of `item` and `number`, one more than the limit if
    there is one. $1 and $2 are those of the page, $3 is the most bytes.
    """

    async def fetch(limit: int) -> Row | None:
        return await queries.fetch_row(query, page.before, limit, MAX_PAGE_BYTES, *more)

    row, limit = await fetch_fitting(page.limit, fetch)
    texts: list[str] = row["items"] or []
    return Items(texts[:limit], row["last_number"] if len(texts) > limit else None)


async def fetch_fitting(
    limit: int, fetch: Callable[[int], Awaitable[Row | None]]
) -> tuple[Row, int]:
    """Return what `fetch` returns for `limit`, or for fewer where that has too many bytes.

    And how many these are. `fetch` returns a row with PAGE_COLUMNS, or with those of cursors.py.
    """
    while True:
        row = await fetch(limit)
        assert row is not None
        if row["items"] is not None or row["bytes"] is None:
            return row, limit
        # As many as fit if all have the same size, besides the one after the page.
        fitting = (limit + 1) * MAX_PAGE_BYTES // int(row["bytes"]) - 1
        limit = max(1, min(limit // 2, fitting))


async def fetch_page_or_404(
    queries: Queries,
    query: LiteralString,
    page: Page,
    owner_id: UUID,
    *,
    owner: LiteralString,
    missing: str,
) -> Items:
    """Return the items of one owner, whose id is $4 in `query`: see fetch_page.

    Where the table `owner` has no such id, raises the Problem `not_found` with `missing` as detail.
    """
    items = await fetch_page(queries, query, page, owner_id)
    if not items.texts:
        await queries.fetch_row_or_404(
            f"select id from {owner} where id = $1", owner_id, missing=missing
        )
    return items


def cursor_after(items: Items) -> str | None:
    """Return the parameter `cursor` of the next page; None without one."""
    if items.last_number is None:
        return None
    return base64.urlsafe_b64encode(str(items.last_number).encode()).decode()


def page_response(request: Request[Any], page: Page, items: Items) -> Response:
    """Return the response with a page, and a link to the next page if any.

    PostgreSQL writes the JSON of each item, because with rows of columns the service would have
    four times the work for a list of 100.
    """
    headers: dict[str, str] = {}
    cursor = cursor_after(items)
    if cursor is not None:
        query = urlencode({"limit": page.limit, "cursor": cursor})
        target = reference_to(request.scope, request.scope["path"])
        headers["Link"] = f'<{target}?{query}>; rel="next"'
    return json_response(f"[{','.join(items.texts)}]", headers=headers)
