"""A source's documents in the database: read, written, moved and removed by a run.

Their parts and completions are written with them. A trigger deletes those of deleted documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.text import DocumentText
from service.sync.advisory_locks import VOCABULARY_LOCK
from service.sync.batches import ROWS_PER_STATEMENT, in_batches, use_batches
from service.sync.parsing import parse_file
from service.sync.plan import StoredFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet
    from uuid import UUID

    from service.database.database import Connection, Database
    from service.sync.changes import Moves
    from service.sync.files import Contents, ReadFile
    from service.sync.search_rows import DocumentRows, SearchRows

WORDS_PER_STATEMENT: Final = 10_000

# With about so many words, the vocabulary gets no more of them: only corrections need it.
MAX_VOCABULARY: Final = 1_000_000


async def read_stored(database: Database, source_id: UUID) -> dict[str, StoredFile]:
    """Return the stored documents of a source, by path."""
    rows = await database.fetch(
        "select file_path, blob_id, file_size from document where project_doc_id = $1", source_id
    )
    return {path: StoredFile(blob_id, size) for path, blob_id, size in rows}


async def write_files(
    transaction: Connection,
    source_id: UUID,
    files: Sequence[ReadFile],
    contents: Contents,
    *,
    is_first: bool,
) -> None:
    """Insert or update documents, and replace their parts and completions.

    Rows that would stay the same are not written. With `is_first`, the source has no documents
    before, so there is nothing to replace. Raises GitError as `Contents.count` does.
    """
    if not files:
        return
    # Imported here, for its stemmer takes memory that a run without new documents does not need.
    from service.sync.search_rows import SearchRows, read_rows

    digests = {} if is_first else await _read_digests(transaction, source_id)

    def make_rows(batch: Sequence[ReadFile]) -> _Rows:
        changed: dict[object, bytes] = {}
        documents: list[Sequence[object]] = []
        search: list[DocumentRows] = []
        for read in batch:
            file = read.file
            utf8, original = contents.read_utf8(file.blob_id)
            if read.kept:
                parsed, digest = None, read.kept.digest
                metadata = contents.spool.read(read.kept.metadata)
                place = read.kept.reading
                reading = None if place is None else contents.spool.read(place)
            else:
                text = DocumentText(utf8.decode(), original is None, read.encoding, read.replaced)
                parsed = parse_file(file, text)
                digest, metadata, reading = (
                    parsed.digest,
                    parsed.metadata_json,
                    parsed.reading_json,
                )
                contents.count(len(metadata) + len(reading or b""))
            columns = (file.path, file.file_type, read.size, file.blob_id, utf8, original)
            reading_text = None if reading is None else reading.decode()
            documents.append((*columns, metadata.decode(), reading_text))
            if digests.get(file.path) == digest:
                continue
            changed[file.path] = digest
            if parsed:
                search.append(contents.maker.make_rows(file.path, parsed))
            elif read.kept:
                search.append(read_rows(map(contents.spool.read, read.kept.rows)))
        return _Rows(changed, [*zip(*documents, strict=True)], SearchRows.of(search))

    async def write_rows(rows: _Rows) -> None:
        await _write_documents(transaction, source_id, rows.documents)
        if not rows.digests:
            return
        found = await transaction.fetch(
            "select file_path, id from document where project_doc_id = $1 and file_path = any($2)",
            source_id,
            [*rows.digests],
        )
        ids: dict[object, UUID] = dict(map(tuple, found))
        if not is_first:
            await _delete_search_rows(transaction, [*ids.values()])
        for parts in rows.search.parts:
            await _write_parts(transaction, source_id, ids, rows.digests, *parts)
        if rows.search.completions:
            await _write_completions(transaction, source_id, ids, *rows.search.completions)

    batches = in_batches([(file, file.size_in_rows) for file in files])
    # While PostgreSQL writes the rows of a batch, the next one is parsed and its rows are made.
    await use_batches(batches, make_rows, write_rows)
    await write_words(transaction, contents.maker.words)


class _Rows(NamedTuple):
    """The columns of a batch's rows, and the digests of the documents with new search rows."""

    digests: Mapping[object, bytes]
    documents: Sequence[Sequence[object]]
    search: SearchRows


async def _read_digests(transaction: Connection, source_id: UUID) -> dict[str, bytes]:
    """Return what the parts of each document were made from, by path."""
    rows = await transaction.fetch(
        """
        select file_path, digest
        from document
        join document_part on document_id = id and number = 0
        where document.project_doc_id = $1
        """,
        source_id,
    )
    return dict(map(tuple, rows))


async def _write_documents(
    transaction: Connection, source_id: UUID, columns: Sequence[Sequence[object]]
) -> None:
    await transaction.execute(
        # Sent as bytes: asyncpg would take text only decoded, and encode it again.
        """
        insert into document
            (project_doc_id, file_path, file_type, file_size, blob_id, content, original,
             doc_metadata, reading)
        select $1, file_path, file_type, file_size, blob_id, convert_from(utf8, 'UTF8'), original,
               doc_metadata::jsonb, reading::jsonb
        from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::bytea[],
                    $8::text[], $9::text[])
            as new (file_path, file_type, file_size, blob_id, utf8, original, doc_metadata, reading)
        on conflict (project_doc_id, file_path) do update
        set file_type = excluded.file_type,
            file_size = excluded.file_size,
            blob_id = excluded.blob_id,
            content = excluded.content,
            original = excluded.original,
            doc_metadata = excluded.doc_metadata,
            reading = excluded.reading,
            updated_at = now()
        where (document.blob_id, document.file_type, document.doc_metadata, document.reading,
               document.content, document.original)
            is distinct from (excluded.blob_id, excluded.file_type, excluded.doc_metadata,
                              excluded.reading, excluded.content, excluded.original)
        """,
        source_id,
        *columns,
    )


async def _delete_search_rows(transaction: Connection, ids: Sequence[UUID]) -> None:
    for table in ("document_part", "document_heading"):
        await transaction.execute(
            f"delete from {table} where document_id = any($1::uuid[])",
            ids,
        )


async def _write_parts(
    transaction: Connection,
    source_id: UUID,
    ids: Mapping[object, UUID],
    digests: Mapping[object, bytes],
    paths: Sequence[object],
    *columns: Sequence[object],
) -> None:
    await transaction.execute(
        """
        insert into document_part
            (document_id, number, is_only, project_doc_id, kind, vector, tokens, body, headings,
             ends, pairs, digest)
        select document_id, number, is_only, $1, kind, vector::tsvector, tokens, body,
               headings::text[], ends::bigint[], decode(pairs, 'hex'), digest
        from unnest($2::uuid[], $3::bytea[], $4::bigint[], $5::boolean[], $6::text[], $7::text[],
                    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[])
            as new (document_id, digest, number, is_only, kind, vector, tokens, body, headings,
                    ends, pairs)
        """,
        source_id,
        [ids[path] for path in paths],
        [digests[path] for path in paths],
        *columns,
    )


async def _write_completions(
    transaction: Connection,
    source_id: UUID,
    ids: Mapping[object, UUID],
    paths: Sequence[object],
    *columns: Sequence[object],
) -> None:
    await transaction.execute(
        """
        insert into document_heading (document_id, number, project_id, text)
        select document_id, completion.number, (select project_id from project_doc where id = $1),
               completion.text
        from unnest($2::uuid[], $3::text[], $4::text[]) as new (document_id, numbers, texts)
        cross join lateral unnest(numbers::bigint[], string_to_array(texts, chr(10)))
            as completion (number, text)
        """,
        source_id,
        [ids[path] for path in paths],
        *columns,
    )


async def write_words(transaction: Connection, words: AbstractSet[str]) -> None:
    """Add words to the vocabulary."""
    await transaction.execute(f"select pg_advisory_xact_lock_shared({VOCABULARY_LOCK})")
    is_full = await transaction.fetch_value(
        "select reltuples > $1 from pg_class where oid = 'vocabulary'::regclass", MAX_VOCABULARY
    )
    if is_full:  # perhaps with words that no document has any more
        await transaction.execute(
            "insert into vocabulary_check default values on conflict do nothing"
        )
        return
    # In one order, so that two runs that add the same words wait for each other in turn.
    ordered = sorted(words)
    for start in range(0, len(ordered), WORDS_PER_STATEMENT):
        await transaction.execute(
            """
            insert into vocabulary (word)
            select word from unnest($1::text[]) as new (word)
            on conflict (word) do nothing
            """,
            ordered[start : start + WORDS_PER_STATEMENT],
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
