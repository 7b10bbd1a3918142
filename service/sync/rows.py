"""A source's documents in the database: read, written, moved and removed by a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.sync.batches import ROWS_PER_STATEMENT, in_batches
from service.sync.plan import StoredFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from service.database.database import Connection, Database
    from service.sync.changes import Moves
    from service.sync.files import Contents, ReadFile


async def read_stored(database: Database, source_id: UUID) -> dict[str, StoredFile]:
    """Return the stored documents of a source, by path."""
    rows = await database.fetch(
        "select file_path, blob_id, file_size from document where project_doc_id = $1", source_id
    )
    return {path: StoredFile(blob_id, size) for path, blob_id, size in rows}


async def write_files(
    transaction: Connection, source_id: UUID, files: Sequence[ReadFile], contents: Contents
) -> None:
    """Insert or update documents; a row that would stay the same is not written."""
    for batch in in_batches([(file, file.size_in_row) for file in files]):
        await _write_batch(transaction, source_id, batch, contents)


async def _write_batch(
    transaction: Connection, source_id: UUID, files: Sequence[ReadFile], contents: Contents
) -> None:
    def read_batch() -> tuple[list[tuple[bytes, bytes | None]], list[str]]:
        texts = [contents.read_utf8(file.file.blob_id) for file in files]
        return texts, [contents.spool.read(file.metadata).decode() for file in files]

    texts, metadata = await asyncio.to_thread(read_batch)
    await transaction.execute(
        # Sent as bytes: asyncpg would take text only decoded, and encode it again.
        """
        insert into document
            (project_doc_id, file_path, file_type, file_size, blob_id, content, original,
             doc_metadata)
        select $1, file_path, file_type, file_size, blob_id, convert_from(utf8, 'UTF8'), original,
               doc_metadata::jsonb
        from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[],
                    $8::text[])
            as new (file_path, file_type, file_size, blob_id, utf8, original, doc_metadata)
        on conflict (project_doc_id, file_path) do update
        set file_type = excluded.file_type,
            file_size = excluded.file_size,
            blob_id = excluded.blob_id,
            content = excluded.content,
            original = excluded.original,
            doc_metadata = excluded.doc_metadata,
            updated_at = now()
        where (document.blob_id, document.file_type, document.doc_metadata, document.content,
               document.original)
            is distinct from (excluded.blob_id, excluded.file_type, excluded.doc_metadata,
                              excluded.content, excluded.original)
        """,
        source_id,
        [file.file.path for file in files],
        [file.file.file_type for file in files],
        [file.size for file in files],
        [file.file.blob_id for file in files],
        [text for text, _ in texts],
        [original for _, original in texts],
        metadata,
    )


async def move_files(transaction: Connection, source_id: UUID, moves: Moves) -> None:
    """Give the moved documents their new paths."""
    # A path that another document leaves in the same run is taken until that document has moved:
    # PostgreSQL checks each row at once. No path in git begins with a slash.
    parked = {old: f"/{number}" for number, old in enumerate(moves.values()) if old in moves}
    await _set_paths(transaction, source_id, parked)
    await _set_paths(
        transaction, source_id, {parked.get(old, old): new for new, old in moves.items()}
    )


async def _set_paths(transaction: Connection, source_id: UUID, paths: Mapping[str, str]) -> None:
    pairs = list(paths.items())
    for start in range(0, len(pairs), ROWS_PER_STATEMENT):
        old, new = zip(*pairs[start : start + ROWS_PER_STATEMENT], strict=True)
        await transaction.execute(
            """
            update document
            set file_path = moved.new_path, updated_at = now()
            from unnest($2::text[], $3::text[]) as moved (old_path, new_path)
            where project_doc_id = $1 and file_path = moved.old_path
            """,
            source_id,
            old,
            new,
        )


async def remove_files(transaction: Connection, source_id: UUID, paths: Sequence[str]) -> None:
    """Delete the documents at these paths."""
    for start in range(0, len(paths), ROWS_PER_STATEMENT):
        await transaction.execute(
            "delete from document where project_doc_id = $1 and file_path = any($2::text[])",
            source_id,
            paths[start : start + ROWS_PER_STATEMENT],
        )
