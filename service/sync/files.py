"""A sync's documents: which files of a tree are some, what they say, and their rows."""

from __future__ import annotations

import asyncio
import json
from typing import IO, TYPE_CHECKING, Final, NamedTuple, TypeVar

from service.documents.metadata import read_metadata
from service.documents.text import Unreadable, file_type_of, read_text
from service.git.errors import DISK_FULL, GitError
from service.sync.queue import ClaimLostError, SkippedFile

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from service.database import Connection, Database, Row
    from service.git.objects import Blobs, Entry
    from service.sync.progress import Progress

# A statement reads or writes so many documents, or so many bytes of them.
ROWS_PER_STATEMENT: Final = 500
BYTES_PER_STATEMENT: Final = 4_000_000

# In a thread, so many documents at a time: between them the claim's renewal tells how far it is.
READ_AT_ONCE: Final = 50

# In UTF-8: PostgreSQL's index of paths takes no more than 2,704 bytes.
PATH_BYTES: Final = 1024
# Whoever shows a tree goes down it folder by folder, we included.
PATH_FOLDERS: Final = 100
PATH_SHOWN: Final = 200
REGULAR_FILES: Final = ("100644", "100755")
SYMBOLIC_LINK: Final = "120000"
SUBMODULE: Final = "160000"

Item = TypeVar("Item")


class WantedFile(NamedTuple):
    """A document in git: where it is, what it is, git's id of its content."""

    path: str
    file_type: str
    blob_id: str


class StoredFile(NamedTuple):
    """A document in the database: git's id of its content, and the content's bytes."""

    blob_id: str
    size: int


class ReadFile(NamedTuple):
    """A document that was read, without its content."""

    file: WantedFile
    size: int
    metadata: str


def choose_files(entries: Sequence[Entry]) -> tuple[list[WantedFile], list[SkippedFile]]:
    """Return which files of a tree are documents, and which look like some and are none."""
    wanted: list[WantedFile] = []
    skipped: list[SkippedFile] = []
    for entry in entries:
        path = entry.path.decode(errors="backslashreplace")
        shown = path if len(entry.path) <= PATH_BYTES else f"{path[:PATH_SHOWN]}…"
        file_type = file_type_of(path)
        if entry.mode == SUBMODULE:
            skipped.append(SkippedFile(shown, "is a submodule", None))
        elif file_type is None:
            continue
        elif entry.mode == SYMBOLIC_LINK:
            skipped.append(SkippedFile(shown, "is a symbolic link", None))
        elif entry.mode not in REGULAR_FILES:
            skipped.append(SkippedFile(shown, f"has the unknown mode {entry.mode}", None))
        elif path.encode() != entry.path:
            skipped.append(SkippedFile(shown, "has a name that is not valid UTF-8", None))
        elif len(entry.path) > PATH_BYTES:
            reason = f"has a path of more than {PATH_BYTES:,} bytes"
            skipped.append(SkippedFile(shown, reason, None))
        elif entry.path.count(b"/") > PATH_FOLDERS:
            reason = f"is more than {PATH_FOLDERS} folders deep"
            skipped.append(SkippedFile(shown, reason, None))
        else:
            wanted.append(WantedFile(path, file_type, entry.id))
    return wanted, skipped


async def read_stored(database: Database, project_doc_id: UUID) -> dict[str, StoredFile]:
    """Return what is stored of a source, by its path."""
    rows = await database.fetch(
        "select file_path, blob_id, file_size from document where project_doc_id = $1",
        project_doc_id,
    )
    return {path: StoredFile(blob_id, size) for path, blob_id, size in rows}


class Contents:
    """The bytes of documents: what git fetched, and what is stored already.

    The latter are copied to a file: they may be all that a source has, when its folder was moved,
    and to write one document may be to overwrite the one that another's content is from.
    """

    def __init__(self, blobs: Blobs, copies: IO[bytes]) -> None:
        """Begin with what git fetched; `copies` is an empty file for what is stored."""
        self._blobs = blobs
        self._copies = copies
        self._places: dict[str, tuple[int, int]] = {}

    async def copy_stored(
        self, database: Database, project_doc_id: UUID, stored: Mapping[str, StoredFile]
    ) -> None:
        """Copy the contents of stored documents, given by their paths."""
        sizes = [(path, file.size) for path, file in stored.items()]
        for batch in _in_batches(sizes):
            rows = await database.fetch(
                """
                select blob_id, coalesce(original, convert_to(content, 'UTF8'))
                from document
                where project_doc_id = $1 and file_path = any($2::text[])
                """,
                project_doc_id,
                batch,
            )
            await asyncio.to_thread(self._copy, rows)
        if any(file.blob_id not in self._places for file in stored.values()):
            raise ClaimLostError  # nobody else changes them

    def _copy(self, rows: Sequence[Row]) -> None:
        try:
            for blob_id, content in rows:
                self._places[blob_id] = (self._copies.seek(0, 2), len(content))
                self._copies.write(content)
        except OSError as error:
            raise GitError(DISK_FULL) from error

    def read(self, blob_id: str) -> bytes:
        """Return a content; raise Unreadable where it is too large to be fetched."""
        if blob_id in self._places:
            start, size = self._places[blob_id]
            self._copies.seek(start)
            return self._copies.read(size)
        if blob_id in self._blobs.too_large:
            raise Unreadable("is larger than 5 MB")
        return self._blobs.read(blob_id)


async def read_files(
    files: Sequence[WantedFile], contents: Contents, max_bytes: int, progress: Progress
) -> tuple[list[ReadFile], list[SkippedFile]]:
    """Return what the files say, and which cannot be shown.

    Raises GitError where they and what is listed of them have more than `max_bytes` together: git
    has counted each content once, but any number of files may have it.
    """
    read: list[ReadFile] = []
    skipped: list[SkippedFile] = []

    def read_some(some: Sequence[WantedFile]) -> int:
        size = 0
        for file in some:
            try:
                content = contents.read(file.blob_id)
                size += len(content)
                text = read_text(content)
                metadata = read_metadata(text.text, file.file_type, file.path)
                if text.encoding != "utf-8":
                    metadata["encoding"] = text.encoding  # it is not what is shown
                read.append(ReadFile(file, len(content), json.dumps(metadata)))
                size += len(read[-1].metadata)
            except Unreadable as error:
                skipped.append(SkippedFile(file.path, str(error), file.blob_id))
            progress.files_done += 1
        return size

    total = 0
    for start in range(0, len(files), READ_AT_ONCE):
        total += await asyncio.to_thread(read_some, files[start : start + READ_AT_ONCE])
        if total > max_bytes:
            raise GitError(
                f"The new documents and what is listed of them have more than {max_bytes:,} bytes "
                "together: name a folder, or raise SYNC_MAX_BYTES."
            )
    return read, skipped


async def write_files(
    transaction: Connection, project_doc_id: UUID, files: Sequence[ReadFile], contents: Contents
) -> None:
    """Write documents; those that are stored as they are keep their rows as they are."""
    for batch in _in_batches([(file, file.size) for file in files]):
        await _write_batch(transaction, project_doc_id, batch, contents)


async def _write_batch(
    transaction: Connection, project_doc_id: UUID, files: Sequence[ReadFile], contents: Contents
) -> None:
    read = await asyncio.to_thread(lambda: [contents.read(file.file.blob_id) for file in files])
    texts = [read_text(content) for content in read]
    await transaction.execute(
        """
        insert into document
            (project_doc_id, file_path, file_type, file_size, blob_id, content, original,
             doc_metadata)
        select $1, file_path, file_type, file_size, blob_id, content, original,
               doc_metadata::jsonb
        from unnest($2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::bytea[],
                    $8::text[])
            as new (file_path, file_type, file_size, blob_id, content, original, doc_metadata)
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
        project_doc_id,
        [file.file.path for file in files],
        [file.file.file_type for file in files],
        [file.size for file in files],
        [file.file.blob_id for file in files],
        [text.text for text in texts],
        [None if text.is_exact else content for text, content in zip(texts, read, strict=True)],
        [file.metadata for file in files],
    )


async def remove_files(transaction: Connection, project_doc_id: UUID, paths: Sequence[str]) -> None:
    """Delete the documents at these paths."""
    for start in range(0, len(paths), ROWS_PER_STATEMENT):
        await transaction.execute(
            "delete from document where project_doc_id = $1 and file_path = any($2::text[])",
            project_doc_id,
            paths[start : start + ROWS_PER_STATEMENT],
        )


def _in_batches(sized: Sequence[tuple[Item, int]]) -> Iterator[list[Item]]:
    """Yield the items, which come with their bytes, in the parts that a statement takes."""
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
