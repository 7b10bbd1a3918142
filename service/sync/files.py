"""A run's documents, from git to the database: keep and read contents, write and remove rows."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from service.documents.metadata import read_metadata
from service.documents.text import Unreadable, read_text
from service.git.contents import MAX_FILE_BYTES
from service.git.errors import GitError
from service.memory import trim_memory
from service.sync.claims import ClaimLostError
from service.sync.plan import StoredFile
from service.sync.skipped import SkippedFile
from service.sync.turns import Turn, take_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from service.database.database import Connection, Database, Row
    from service.git.objects import Blobs
    from service.sync.changes import Moves
    from service.sync.plan import WantedFile
    from service.sync.progress import Progress
    from service.sync.spool import Place, Spool

# The most documents, and the most bytes of them, that one statement reads or writes.
ROWS_PER_STATEMENT: Final = 500
BYTES_PER_STATEMENT: Final = 4_000_000

# Documents that a thread reads in one call, which goes on to its end when the run is cancelled.
READ_AT_ONCE: Final = 50

# A text of more bytes may take much memory, and is read in turn.
LARGE_TEXT: Final = 64 * 1024

Item = TypeVar("Item")


class ReadFile(NamedTuple):
    """A document that was read: the size of its content in bytes, and its metadata as JSON.

    `size_in_row` is that of all that its row stores.
    """

    file: WantedFile
    size: int
    metadata: Place
    size_in_row: int


async def read_stored(database: Database, source_id: UUID) -> dict[str, StoredFile]:
    """Return the stored documents of a source, by path."""
    rows = await database.fetch(
        "select file_path, blob_id, file_size from document where project_doc_id = $1", source_id
    )
    return {path: StoredFile(blob_id, size) for path, blob_id, size in rows}


class UnavailableError(Unreadable):
    """The repository's server cannot give a content that the repository lists."""

    def __init__(self) -> None:
        super().__init__("cannot be fetched: the repository's server does not give its content")


class Contents:
    """The contents of a run's documents, by git's ids, in files: they may not fit into memory.

    Fetched contents stay in git's file. Stored contents are copied to `spool`, because writing one
    document can overwrite the content that another one needs; after a rename of the source's
    folder every content is a stored one. The spool also has the UTF-8 of texts in other encodings,
    so that writing them decodes nothing again, and the metadata of each document.
    """

    def __init__(self, blobs: Blobs, spool: Spool) -> None:
        self._blobs = blobs
        self.spool = spool
        self._copies: dict[str, Place] = {}
        self._texts: dict[str, Place] = {}

    async def copy_stored(
        self, database: Database, source_id: UUID, stored: Mapping[str, StoredFile]
    ) -> None:
        """Copy the contents of stored documents, given by path, to the spool.

        Raises ClaimLostError if one is gone: only another run of the source changes its documents.
        """
        for batch in _in_batches([(path, file.size) for path, file in stored.items()]):
            rows = await database.fetch(
                """
                select blob_id, coalesce(original, convert_to(content, 'UTF8'))
                from document
                where project_doc_id = $1 and file_path = any($2::text[])
                """,
                source_id,
                batch,
            )
            await asyncio.to_thread(self._copy, rows)
        if any(file.blob_id not in self._copies for file in stored.values()):
            raise ClaimLostError

    def _copy(self, rows: Sequence[Row]) -> None:
        for blob_id, content in rows:
            self._copies[blob_id] = self.spool.keep(content)

    def read(self, blob_id: str) -> bytes:
        """Return a content; raise Unreadable if it was too large to fetch, or cannot be fetched."""
        if blob_id in self._copies:
            return self.spool.read(self._copies[blob_id])
        if blob_id in self._blobs.too_large:
            raise Unreadable(f"is larger than {MAX_FILE_BYTES / 1e6:g} MB")
        if blob_id in self._blobs.missing:
            raise UnavailableError
        return self._blobs.read(blob_id)

    def size(self, blob_id: str) -> int:
        """Return the size of a content that `read` returns, or 0."""
        copy = self._copies.get(blob_id)
        return copy.size if copy else self.fetched_size(blob_id)

    def fetched_size(self, blob_id: str) -> int:
        """Return the size of a content in bytes, or 0 if it was not fetched."""
        return self._blobs.sizes.get(blob_id, 0)

    def keep_text(self, blob_id: str, text: str) -> int:
        """Put the text of a content that is not UTF-8, or has a byte order mark, into the spool.

        Returns the size of its UTF-8 in bytes.
        """
        if blob_id not in self._texts:
            self._texts[blob_id] = self.spool.keep(text.encode())
        return self._texts[blob_id].size

    def read_utf8(self, blob_id: str) -> tuple[bytes, bytes | None]:
        """Return the UTF-8 of a content's text, and the content itself if it differs from that."""
        content = self.read(blob_id)
        if blob_id in self._texts:
            return self.spool.read(self._texts[blob_id]), content
        return content, None


async def read_files(
    files: Sequence[WantedFile],
    contents: Contents,
    max_bytes: int,
    progress: Progress,
    turns: int | None,
) -> tuple[list[ReadFile], list[SkippedFile]]:
    """Return the documents with their metadata, and the files without a readable text.

    The latter have no content's id if the server cannot give the content.

    Raises GitError if contents and metadata have more than `max_bytes` together. GitRepository's
    own limit counts a content once, even if many files have it.
    """
    read: list[ReadFile] = []
    skipped: list[SkippedFile] = []

    def read_batch(batch: Sequence[WantedFile]) -> int:
        size = 0
        for file in batch:
            try:
                content = contents.read(file.blob_id)
                size += len(content)
                size_in_row = len(content)
                text = read_text(content)
                if not text.is_exact:
                    size_in_row += contents.keep_text(file.blob_id, text.text)
                metadata = read_metadata(text.text, file.file_type, file.path)
                if text.encoding != "utf-8":
                    metadata["encoding"] = text.encoding  # the file's; the API sends UTF-8
                if text.replaced:
                    metadata["replaced_characters"] = text.replaced
                place = contents.spool.keep(json.dumps(metadata).encode())
                size += place.size
                read.append(ReadFile(file, len(content), place, size_in_row + place.size))
            except UnavailableError as error:
                # Without the content's id: the next run asks for it again.
                skipped.append(SkippedFile(file.path, str(error), None))
            except Unreadable as error:
                skipped.append(SkippedFile(file.path, str(error), file.blob_id))
            progress.files_done += 1
        return size

    total = 0
    for batch in _batches_to_read(files, contents):
        needs_turn = contents.size(batch[0].blob_id) > LARGE_TEXT
        async with take_turn(turns, Turn.TEXT) if needs_turn else nullcontext():
            total += await asyncio.to_thread(read_batch, batch)
            if needs_turn:
                trim_memory()  # before the next one has its turn
        if total > max_bytes:
            raise GitError(
                f"The new documents and what is listed of them have more than {max_bytes:,} bytes "
                "together: name a folder, or raise SYNC_MAX_BYTES."
            )
    return read, skipped


def _batches_to_read(
    files: Sequence[WantedFile], contents: Contents
) -> Iterator[Sequence[WantedFile]]:
    """Yield up to READ_AT_ONCE files together, and each large one alone."""
    batch: list[WantedFile] = []
    for file in files:
        if contents.size(file.blob_id) > LARGE_TEXT:
            yield [file]
            continue
        batch.append(file)
        if len(batch) == READ_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch


async def write_files(
    transaction: Connection, source_id: UUID, files: Sequence[ReadFile], contents: Contents
) -> None:
    """Insert or update documents; a row that would stay the same is not written."""
    for batch in _in_batches([(file, file.size_in_row) for file in files]):
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


def _in_batches(sized: Sequence[tuple[Item, int]]) -> Iterator[list[Item]]:
    """Yield the items, each given with its size in bytes, in batches for one statement each."""
    batch: list[Item] = []
    total = 0
    for item, size in sized:
        if batch and (len(batch) == ROWS_PER_STATEMENT or total + size > BYTES_PER_STATEMENT):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += size
    if batch:
        yield batch
