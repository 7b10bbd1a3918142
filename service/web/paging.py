"""Lists in pages, each with a link to the next."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple
from urllib.parse import urlencode
from uuid import UUID

import orjson

from service.web.bodies import invalid, json_response
from service.web.operation import ResponseSpec, parameter
from service.web.references import reference_to

if TYPE_CHECKING:
    from collections.abc import Mapping

    from marshmallow import Schema
    from starlette.requests import Request
    from starlette.responses import Response

    from service.database import Database

MAX_LIMIT: Final = 1000

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
BEFORE_FIRST_ROW: Final = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class Page(NamedTuple):
    """The requested part of a list: `limit` items after a time and an id."""

    after_time: datetime
    after_id: UUID
    limit: int


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
        return Page(*BEFORE_FIRST_ROW, default_limit)
    text = request.query_params.get("limit", str(default_limit))
    # int() alone would also take "+1", "1_0" and the digits of other scripts.
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
    if not is_number or not 1 <= int(text) <= MAX_LIMIT:
        raise invalid({"limit": [LIMIT_RANGE]})
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return Page(*BEFORE_FIRST_ROW, int(text))
    try:
        time, _, found_id = base64.urlsafe_b64decode(cursor.encode("ascii")).decode().partition(" ")
        after = datetime.fromisoformat(time)
        if after.tzinfo is None:
            raise ValueError
        # asyncpg sends times in UTC. For some times near year 1 or 9999 that raises OverflowError.
        return Page(after.astimezone(UTC), UUID(found_id), int(text))
    except (ValueError, OverflowError):
        raise invalid({"cursor": ["is not one that a Link header gave."]}) from None


async def fetch_page_or_404(
    database: Database,
    query: LiteralString,
    page: Page,
    owner_id: UUID,
    *,
    owner: LiteralString,
    missing: str,
) -> list[str] | None:
    """Return the items of one owner, whose id is $4 in `query`; None without items.

    Where the table `owner` has no such id, raises the Problem `not_found` with `missing` as detail.
    """
    items = await database.fetch_value(query, *page, owner_id)
    if items is None:
        await database.fetch_row_or_404(
            f"select id from {owner} where id = $1", owner_id, missing=missing
        )
    return items


def page_response(request: Request[Any], page: Page, items: list[str] | None) -> Response:
    """Return the response with a page, and a link to the next page if any.

    `items` are JSON objects with an `id` and a `created_at`, newest first. One item more than
    `page.limit` means that there is a next page. PostgreSQL writes each item, because with rows of
    columns the service would have four times the work for a list of 100.
    """
    items = items or []
    headers: dict[str, str] = {}
    if len(items) > page.limit:
        items = items[: page.limit]
        last = orjson.loads(items[-1])
        cursor = base64.urlsafe_b64encode(f"{last['created_at']} {last['id']}".encode()).decode()
        query = urlencode({"limit": page.limit, "cursor": cursor})
        target = reference_to(request.scope, request.scope["path"])
        headers["Link"] = f'<{target}?{query}>; rel="next"'
    return json_response(f"[{','.join(items)}]", headers=headers)
