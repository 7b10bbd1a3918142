"""A run's documents, read: their contents, kept in files, and what large ones are parsed to."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.story_signs import may_be_story
from service.documents.text import Unreadable, read_text
from service.git.contents import MAX_FILE_BYTES
from service.git.errors import GitError
from service.memory import trim_memory
from service.sync.batches import in_batches
from service.sync.claims import ClaimLostError
from service.sync.parsing import parse_file
from service.sync.skipped import SkippedFile
from service.sync.turns import Turn, take_turn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from service.database.database import Database, Row
    from service.git.objects import Blobs
    from service.sync.plan import StoredFile, WantedFile
    from service.sync.progress import Progress
    from service.sync.search_rows import SearchRowMaker
    from service.sync.spool import Spool, SpoolPlace

# Documents that a thread reads in one call, which goes on to its end when the run is cancelled.
READ_AT_ONCE: Final = 50

# A text of more bytes may take much memory and time. It is parsed in turn, before anything is
# written: PostgreSQL ends a transaction that waits for a run for 10 s.
LARGE_TEXT: Final = 64 * 1024

# The rows of a document's parts take about so many times the memory of its text: the text again,
# its tokens and its lexemes, as they are made and as they are sent.
ROWS_PER_TEXT: Final = 8


class KeptRows(NamedTuple):
    """What a large document was parsed to: JSON, and its rows for the search.

    `digest` is that of ParsedFile, `reading` None if the document says nothing of the work.
    """

    metadata: SpoolPlace
    reading: SpoolPlace | None
    rows: Sequence[SpoolPlace]
    digest: bytes


class ReadFile(NamedTuple):
    """A document whose content was read as a text of this encoding.

    `size` is that of the content in bytes, `replaced` how many of its characters cannot be stored,
    and `size_in_rows` about the size of all that its rows store. A document that is not large has
    no kept rows: it is parsed when it is written. `is_story_like` says that its text may be that of
    a story.
    """

    file: WantedFile
    size: int
    encoding: str
    replaced: int
    size_in_rows: int
    kept: KeptRows | None
    is_story_like: bool


class UnavailableError(Unreadable):
    """The repository's server cannot give a content that the repository lists."""

    def __init__(self) -> None:
        super().__init__("cannot be fetched: the repository's server does not give its content")


class Contents:
    """The contents of a run's documents, by git's ids, in files: they may not fit into memory.

    Fetched contents stay in git's file. Stored contents are copied to `spool`, because writing one
    document can overwrite the content that another one needs; after a rename of the source's
    folder every content is a stored one. The spool also has the UTF-8 of texts in other encodings,
    so that writing them decodes nothing again, and the rows of large documents.
    """

    def __init__(self, blobs: Blobs, spool: Spool, max_bytes: int) -> None:
        self._blobs = blobs
        self.spool = spool
        self._max_bytes = max_bytes
        self._bytes = 0
        self._copies: dict[str, SpoolPlace] = {}
        self._texts: dict[str, SpoolPlace] = {}

    @cached_property
    def maker(self) -> SearchRowMaker:
        """What makes the rows for the search, and has the words of all of them."""
        # Imported here, for its stemmer takes memory that a run of no new documents does not need.
        from service.sync.search_rows import SearchRowMaker

        return SearchRowMaker()

    def count(self, size: int) -> None:
        """Count the bytes of a document or of its metadata.

        Raises GitError if all of them are more than `max_bytes`. GitRepository's own limit counts a
        content once, even if many files have it.
        """
        self._bytes += size
        if self._bytes > self._max_bytes:
            raise GitError(
                "The new documents and what is listed of them have more than "
                f"{self._max_bytes:,} bytes together: name a folder, or raise SYNC_MAX_BYTES."
            )

    async def copy_stored(
        self, database: Database, source_id: UUID, stored: Mapping[str, StoredFile]
    ) -> None:
        """Copy the contents of stored documents, given by path, to the spool.

        Raises ClaimLostError if one is gone: only another run of the source changes its documents.
        """
        for batch in in_batches([(path, file.size) for path, file in stored.items()]):
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
    files: Sequence[WantedFile], contents: Contents, progress: Progress, turns: int | None
) -> tuple[list[ReadFile], list[SkippedFile]]:
    """Return the documents, of which the large ones are parsed, and the files without a text.

    The latter have no content's id if the server cannot give the content. Raises GitError as
    `Contents.count` does.
    """
    read: list[ReadFile] = []
    skipped: list[SkippedFile] = []

    def read_batch(batch: Sequence[WantedFile]) -> None:
        for file in batch:
            try:
                read.append(_read_file(file, contents))
            except UnavailableError as error:
                # Without the content's id: the next run asks for it again.
                skipped.append(SkippedFile(file.path, str(error), None))
            except Unreadable as error:
                skipped.append(SkippedFile(file.path, str(error), file.blob_id))
            progress.files_done += 1

    for batch in _batches_to_read(files, contents):
        needs_turn = contents.size(batch[0].blob_id) > LARGE_TEXT
        async with take_turn(turns, Turn.TEXT) if needs_turn else nullcontext():
            await asyncio.to_thread(read_batch, batch)
            if needs_turn:
                trim_memory()  # before the next one has its turn
    return read, skipped


def _read_file(file: WantedFile, contents: Contents) -> ReadFile:
    content = contents.read(file.blob_id)
    contents.count(len(content))
    text = read_text(content)
    size_in_rows = (1 + ROWS_PER_TEXT) * len(content)
    if not text.is_exact:
        size_in_rows += contents.keep_text(file.blob_id, text.text)
    kept = None
    if len(content) > LARGE_TEXT:
        parsed = parse_file(file, text)
        contents.count(len(parsed.metadata_json) + len(parsed.reading_json or b""))
        rows = contents.maker.make(file.path, parsed)
        keep = contents.spool.keep
        reading = None if parsed.reading_json is None else keep(parsed.reading_json)
        kept = KeptRows(keep(parsed.metadata_json), reading, [*map(keep, rows)], parsed.digest)
        size_in_rows += len(parsed.metadata_json) + len(parsed.reading_json or b"")
    is_story_like = file.file_type == "md" and may_be_story(text.text)
    return ReadFile(
        file, len(content), text.encoding, text.replaced, size_in_rows, kept, is_story_like
    )


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
