"""Documents as they are in the repository: their bytes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from starlette.responses import Response

from service.documents.text import MEDIA_TYPES, UNKNOWN
from service.routes.shared import (
    DOCUMENT_HEADERS,
    MISSING_DOCUMENT,
    VERSION,
    document_headers,
    read_id,
)
from service.schemas.documents import EXAMPLE_CONTENT
from service.web.entity_tags import NOT_MODIFIED_RESPONSE, not_modified, read_entity_tags
from service.web.operation import ResponseSpec, operation
from service.web.pieces import PieceResponse, cut

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Database, Row
    from service.state import Request
    from service.web.room import Share

# A document comes from outside. Opened in a browser it may run no script and load nothing.
SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
# The charset of `/raw` where it is not the encoding's name; a browser guesses an unknown one.
CHARSETS: Final = {
    None: "utf-8",
    "utf-8-sig": "utf-8",
    "utf-16-le": "utf-16",
    "utf-16-be": "utf-16",
    UNKNOWN: None,
}
RAW_RESPONSE: Final = ResponseSpec(
    description="The document's bytes. JSON, YAML and CSV come with their own media types.",
    schema={"type": "string"},
    media_type="text/markdown",
    headers={**DOCUMENT_HEADERS, "Content-Security-Policy": f"`{SANDBOX}`"},
    examples={"markdown": EXAMPLE_CONTENT},
)


@operation(tag="documents", responses={200: RAW_RESPONSE, 304: NOT_MODIFIED_RESPONSE})
async def get_raw_document(request: Request) -> Response:
    """Get a document as it is in the repository.

    The exact bytes, with their media type. A browser may display them, but runs and loads nothing.
    """
    sent = read_entity_tags(request)
    database = request.state["database"]
    document_id = read_id(request, "id")
    row = await database.fetch_row_or_404(
        f"""
        select tag, file_path, file_type, doc_metadata ->> 'encoding' as encoding,
               case when tag <> all($2::text[]) and is_large is not true
                   then coalesce(original, convert_to(content, 'UTF8'))
               end as bytes,
               case when is_large
                   then coalesce(octet_length(original), octet_length(content))
               end as large_bytes
        from document
        cross join lateral {VERSION}
        where id = $1
        """,
        document_id,
        list(sent.tags),
        missing=MISSING_DOCUMENT,
    )
    tag: str = row["tag"]
    matched = sent.match(tag)
    if matched is not None:
        return not_modified(matched, document_headers(tag, _raw_headers(row)))
    if row["large_bytes"] is None:
        return Response(
            row["bytes"], headers=document_headers(tag, _raw_headers(row), _content_type(row))
        )
    row = await request.state["large_bodies"].use(
        request.scope,
        ("raw document", document_id, tag),
        row["large_bytes"],
        partial(_read_large_raw, database, document_id),
    )
    content: bytes = row["bytes"]
    headers = document_headers(row["tag"], _raw_headers(row), _content_type(row))
    return PieceResponse(cut(content), len(content), headers=headers)


async def _read_large_raw(database: Database, document_id: UUID, share: Share) -> Row:
    row = await database.fetch_row_or_404(
        f"""
        select tag, file_path, file_type, doc_metadata ->> 'encoding' as encoding,
               coalesce(original, convert_to(content, 'UTF8')) as bytes
        from document
        cross join lateral {VERSION}
        where id = $1
        """,
        document_id,
        missing=MISSING_DOCUMENT,
    )
    share.shrink(len(row["bytes"]))
    return row


def _raw_headers(row: Row) -> dict[str, str]:
    name = row["file_path"].rpartition("/")[2]
    return {
        "Content-Security-Policy": SANDBOX,
        "Content-Disposition": f"inline; filename*=UTF-8''{quote(name, safe='')}",
    }


def _content_type(row: Row) -> dict[str, str]:
    media_type = MEDIA_TYPES[row["file_type"]]
    charset = CHARSETS.get(row["encoding"], row["encoding"])
    return {"Content-Type": f"{media_type}; charset={charset}" if charset else media_type}
