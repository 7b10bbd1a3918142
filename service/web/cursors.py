"""Lists whose order has several values, such as a number and a text: their pages and cursors."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple, cast
from urllib.parse import urlencode

import orjson

from service.characters import UNSTORABLE
from service.problems import Problem
from service.web.bodies import json_response
from service.web.paging import (
    BAD_CURSOR,
    LIMIT_RANGE,
    MAX_LIMIT,
    MAX_PAGE_BYTES,
    fetch_fitting,
)
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from starlette.requests import Request
    from starlette.responses import Response

    from service.database.database import Queries, Row

# What a query selects from the rows of a page, `item` and `cursor`, in order: see fetch_sorted. No
# items where they have too many bytes. `last_cursor` is a JSON array of the values of the
# order.
SORTED_COLUMNS: Final[LiteralString] = """
    case when sum(octet_length(item)) <= $2::bigint or $1::bigint = 1
        then array_agg(item)
    end as items,
    sum(octet_length(item)) as bytes,
    (array_agg(cursor))[$1::bigint] as last_cursor
    """

# PostgreSQL's largest bigint.
MAX_NUMBER: Final = 2**63 - 1

Values = tuple[int | str, ...]


class SortedList(NamedTuple):
    """A list: its name, values before which no row sorts, and how many rows a page has.

    A cursor begins with the name, so that none of another list is taken. `first` has the types of
    all cursors of the list.
    """

    name: str
    first: Values
    per_page: int


class SortedPage(NamedTuple):
    """The requested part of a list: `limit` rows after the one with the values `after`."""

    list_name: str
    after: Values
    limit: int


class SortedItems(NamedTuple):
    """The items of a page as JSON, and its last row's cursor, which is None without a next page."""

    texts: list[str]
    last_cursor: str | None


def read_sorted_page(
    given: Mapping[str, str], wanted: SortedList, problems: MutableMapping[str, list[str]]
) -> SortedPage:
    """Return the page of a list that `limit` and `cursor` of a query string ask for.

    What is wrong with the two parameters is added to `problems`.
    """
    text = given.get("limit", str(wanted.per_page))
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        problems["limit"] = [LIMIT_RANGE]
        text = "1"
    after = _read_cursor(given["cursor"], wanted) if "cursor" in given else wanted.first
    if after is None:
        problems["cursor"] = [BAD_CURSOR]
    return SortedPage(wanted.name, after or wanted.first, int(text))


def _read_cursor(cursor: str, wanted: SortedList) -> Values | None:
    """Return the values of a cursor, or None where they are not of the list, or of other types."""
    try:
        name, _, written = base64.urlsafe_b64decode(cursor.encode("ascii")).partition(b" ")
        values = orjson.loads(written)
    except ValueError:
        return None
    if name.decode(errors="replace") != wanted.name or not isinstance(values, list):
        return None
    found = cast("list[object]", values)
    if [type(value) for value in found] != [type(value) for value in wanted.first]:
        return None
    for value in found:
        if isinstance(value, int) and not 0 <= value <= MAX_NUMBER:
            return None
        if isinstance(value, str) and UNSTORABLE.search(value):
            return None
    return tuple(cast("list[int | str]", found))


async def fetch_sorted(
    queries: Queries, query: LiteralString, page: SortedPage, missing: str, *more: object
) -> SortedItems:
    """Return the items of a page: fewer than its limit where they exceed MAX_PAGE_BYTES.

    The query selects SORTED_COLUMNS from rows in order, one more than the limit if there is one,
    and `is_there`: without that, raises the Problem `not_found` with `missing` as detail. $1 is the
    limit, $2 the most bytes, then come the values of the cursor, then `more`.
    """

    async def fetch(limit: int) -> Row | None:
        return await queries.fetch_row(query, limit, MAX_PAGE_BYTES, *page.after, *more)

    row, limit = await fetch_fitting(page.limit, fetch)
    if not row["is_there"]:
        raise Problem("not_found", missing)
    texts: list[str] = row["items"] or []
    last_cursor = f"{page.list_name} {row['last_cursor']}" if len(texts) > limit else None
    return SortedItems(texts[:limit], last_cursor)


def sorted_page_response(
    request: Request[Any], given: Mapping[str, str], items: SortedItems
) -> Response:
    """Return the response with a page, and a link to the next page if any.

    That has the parameters of this one, `given`, and its own cursor.
    """
    headers = next_link(request, given, items)
    return json_response(f"[{','.join(items.texts)}]", headers=headers)


def next_cursor(items: SortedItems) -> str | None:
    """Return the parameter `cursor` of the next page; None without one."""
    if items.last_cursor is None:
        return None
    return base64.urlsafe_b64encode(items.last_cursor.encode()).decode()


def next_link(
    request: Request[Any], given: Mapping[str, str], items: SortedItems
) -> dict[str, str]:
    """Return the header `Link` with the next page; no header without one."""
    cursor = next_cursor(items)
    if cursor is None:
        return {}
    query = urlencode({**given, "cursor": cursor})
    target = reference_to(request.scope, request.scope["path"])
    return {"Link": f'<{target}?{query}>; rel="next"'}
