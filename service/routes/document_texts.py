"""The texts of documents, for agents: by a document's id, or by its place in the file tree."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from service.routes.shared import MISSING_DOCUMENT, UUID_TEXT, VERSION
from service.web.pieces import count_some, escape_in_pieces
from service.web.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Mapping

    from service.database.database import Database, Queries, Row
    from service.state import Request
    from service.web.large_bodies import LargeBodies
    from service.web.room import Share

# A document of more bytes waits for a turn before a tool reads it. One of 5 MB takes 10 to 30 MB of
# memory meanwhile, and up to a second of a core.
READ_WITHOUT_TURN: Final = 250_000
READ_AT_ONCE: Final = 2
TURN_SECONDS: Final = 10.0
TOO_MANY: Final = "Too many large documents are being read: try again soon."


def reading_turns() -> Turns:
    """Return the turns to read large documents for agents, for the state of a worker."""
    return Turns(READ_AT_ONCE, TURN_SECONDS, TOO_MANY)


class LargeText(NamedTuple):
    """A text that is sent in pieces: its UTF-8, and how many bytes that has in a JSON string."""

    content: bytes
    length: int


async def read_whole_text(queries: Queries, document_id: str) -> Row:
    """Return `id`, `file_path`, `file_type`, `tag` and `content` of a document.

    A large one has `large_bytes` instead of the content: see share_large_text. Raises the Problem
    `not_found` without such a document, and for what is no id.
    """
    return await queries.fetch_row_or_404(
        f"""
        select document.id::text, file_path, file_type, tag,
               case when is_large is not true then content end as content,
               case when is_large then octet_length(content) end as large_bytes
        from document
        cross join lateral {VERSION}
        where document.id = $1
        """,
        UUID(document_id) if UUID_TEXT.fullmatch(document_id) else None,
        missing=MISSING_DOCUMENT,
    )


async def find_in_tree(queries: Queries, tops: Mapping[str, str | None], path: str) -> str:
    """Return the id of the document at a path of a file tree, whose `tops` read_tops returned.

    Raises the Problem `not_found` without one.
    """
    places = [
        (source_id, path if top is None else path.removeprefix(f"{top}/"))
        for source_id, top in tops.items()
        if top is None or path.startswith(f"{top}/")
    ]
    row = await queries.fetch_row_or_404(
        """
        select document.id::text
        from unnest($1::uuid[], $2::text[]) as place (source_id, path)
        join document on project_doc_id = source_id and file_path = place.path
        """,
        [source_id for source_id, _ in places],
        [path for _, path in places],
        missing=MISSING_DOCUMENT,
    )
    return row["id"]


async def share_large_text(request: Request, document: Row) -> LargeText:
    """Return the text of a large document; requests that want it at the same time share it."""
    large_bodies = request.state["large_bodies"]
    return await large_bodies.use(
        request.scope,
        ("text", document["id"], document["tag"]),
        document["large_bytes"],
        partial(_read_large_text, large_bodies, request.state["database"], document["id"]),
    )


async def _read_large_text(
    large_bodies: LargeBodies, database: Database, document_id: str, share: Share
) -> LargeText:
    row = await database.fetch_row_or_404(
        "select convert_to(content, 'UTF8') as content from document where id = $1",
        document_id,
        missing=MISSING_DOCUMENT,
    )
    content: bytes = row["content"]
    length, pieces = 0, escape_in_pieces(content)
    while count := await large_bodies.run(count_some, pieces):
        length += count
    share.shrink(len(content))
    return LargeText(content, length)
