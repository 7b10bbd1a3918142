"""Lists: their JSON is put together by PostgreSQL, page by page, each leading to the next."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

from service.web.bodies import invalid, json_response
from service.web.openapi import query_parameter

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from service.database import Row

MAX_LIMIT: Final = 1000

PAGE_PARAMETERS = (
    query_parameter(
        "limit",
        "How many at most.",
        {"type": "integer", "minimum": 1, "maximum": 1000},
    ),
    query_parameter(
        "cursor",
        "Where to go on: from the `Link` header of the page before.",
        {"type": "string"},
    ),
)
PAGE_HEADERS = {"Link": 'Leads to the next page, `rel="next"`, if there is one.'}

# Where the first page begins: before whatever there is. Not null, for then a plan that is made for
# all pages would read a list from its beginning to find a page near its end.
NEWEST: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class Page(NamedTuple):
    """Which part of a list is asked for: `limit` items of those after a time and an id."""

    after_time: datetime
    after_id: UUID
    limit: int


def read_page(request: Request[Any], default_limit: int = MAX_LIMIT) -> Page:
    """Return the page that `?limit=` and `?cursor=` ask for.

    Raises the Problem `invalid` for a limit outside 1 to MAX_LIMIT and a cursor that is not one of
    ours.
    """
    text = request.query_params.get("limit", str(default_limit))
    # Digits first: int() takes "+1", "1_0" and other scripts' digits as well.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid({"limit": [f"must be a number from 1 to {MAX_LIMIT}."]})
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return Page(*NEWEST, int(text))
    try:
        time, _, found_id = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().partition(" ")
        after = datetime.fromisoformat(time)
        if after.tzinfo is None:
            raise ValueError
        # In UTC, which is how asyncpg sends it: not every time has one.
        return Page(after.astimezone(UTC), UUID(found_id), int(text))
    except (ValueError, OverflowError):
        raise invalid({"cursor": ["is not one that a Link header gave."]}) from None


def page_query(query: LiteralString) -> LiteralString:
    """Return the query for one row: `items`, JSON of what `query` finds, and where that ends.

    `query` selects `id`, `created_at` and the rest of an item, in the order of both descending,
    after ($1, $2), and at most $3 + 1 rows.
    """
    return f"""
        select convert_to(
                   coalesce(json_agg(item order by place) filter (where place <= $3), '[]')::text,
                   'UTF8'
               ) as items,
               max(concat(to_json(created_at) #>> '{{}}', ' ', id))
                   filter (where place = $3 and has_more) as last
        from (
            select row_number() over () as place,
                   count(*) over () > $3 as has_more,
                   row_to_json(page) as item,
                   created_at,
                   id
            from ({query}) as page
        ) as numbered
        """


def page_response(request: Request[Any], page: Page, row: Row) -> Response:
    """Answer with a row of `page_query`, and with a link to the next page if there is one."""
    headers: dict[str, str] = {}
    if row["last"] is not None:
        cursor = base64.urlsafe_b64encode(row["last"].encode()).decode()
        query = urlencode({"limit": page.limit, "cursor": cursor})
        # Relative to the request (RFC 8288, section 3), so that it is right behind any proxy.
        headers["Link"] = f'<{request.scope["raw_path"].decode()}?{query}>; rel="next"'
    return json_response(row["items"], headers=headers)
