"""A run's documents, read: their contents, kept in files, their metadata and their sections."""

from __future__ import annotations

import asyncio
import json
from contextlib import nullcontext
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from service.documents.kinds import kind_of
from service.documents.metadata import PARTS_VERSION
from service.documents.sections import read_document
from service.documents.text import Unreadable, read_text
from service.git.contents import MAX_FILE_BYTES
from service.git.errors import GitError
from service.memory import trim_memory
from service.sync.batches import in_batches
from service.sync.claims import ClaimLostError
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
    from service.sync.spool import Place, Spool

# Documents that a thread reads in one call, which goes on to its end when the run is cancelled.
READ_AT_ONCE: Final = 50

# A text of more bytes may take much memory, and is read in turn.
LARGE_TEXT: Final = 64 * 1024

# The rows of a document's parts take about so many times the memory of its sections: the text, its
# tokens and its lexemes, as they are made and as they are sent.
ROWS_PER_TEXT: Final = 8


class ReadFile(NamedTuple):
    """A document that was read: the size of its content in bytes, and its metadata as JSON.

    `sections` is JSON as well, with the fields of each section. A large document, whose rows for
    the search take long to make, has these rows in place of them. `digest` is that of all that
    they are made from. `size_in_rows` is about the size of all that its rows store.
    """

    file: WantedFile
    size: int
    metadata: Place
    kind: str
    sections: Place | None
    rows: Sequence[Place]
    digest: bytes
    size_in_rows: int


class UnavailableError(Unreadable):
    """The repository's server cannot give a content that the repository lists."""

    def __init__(self) -> None:
        super().__init__("cannot be fetched: the repository's server does not give its content")


class Contents:
    """The contents of a run's documents, by git's ids, in files: they may not fit into memory.

    Fetched contents stay in git's file. Stored contents are copied to `spool`, because writing one
    document can overwrite the content that another one needs; after a rename of the source's
    folder every content is a stored one. The spool also has the UTF-8 of texts in other encodings,
    so that writing them decodes nothing again, and the metadata and sections of each document.
    """

    def __init__(self, blobs: Blobs, spool: Spool) -> None:
        self._blobs = blobs
        self.spool = spool
        self._copies: dict[str, Place] = {}
        self._texts: dict[str, Place] = {}

    @cached_property
    def maker(self) -> SearchRowMaker:
        """What makes the rows for the search, and has the words of all of them."""
        # Imported here, for its stemmer takes memory that a run of no new documents does not need.
        from service.sync.search_rows import SearchRowMaker

        return SearchRowMaker()

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
                size_in_rows = len(content)
                text = read_text(content)
                if not text.is_exact:
                    size_in_rows += contents.keep_text(file.blob_id, text.text)
                document = read_document(text.text, file.file_type, file.path)
                metadata = document.metadata
                kind = kind_of(file.path, file.file_type, metadata, text.text)
                if text.encoding != "utf-8":
                    metadata["encoding"] = text.encoding  # the file's; the API sends UTF-8
                if text.replaced:
                    metadata["replaced_characters"] = text.replaced
                metadata_json = _dump(metadata)
                sections_json = orjson.dumps([[*each] for each in document.sections])
                size_in_rows += len(metadata_json) + ROWS_PER_TEXT * len(sections_json)
                metadata_place = contents.spool.keep(metadata_json)
                size += metadata_place.size
                sections, rows = None, []
                if len(content) > LARGE_TEXT:
                    rows = contents.maker.make(file.path, kind, metadata_json, sections_json)
                    rows = [*map(contents.spool.keep, rows)]
                else:
                    sections = contents.spool.keep(sections_json)
                digest = digest_of(file.path, kind, metadata_json, sections_json)
                read.append(
                    ReadFile(
                        file,
                        len(content),
                        metadata_place,
                        kind,
                        sections,
                        rows,
                        digest,
                        size_in_rows,
                    )
                )
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


def digest_of(path: str, kind: str, metadata_json: bytes, sections_json: bytes) -> bytes:
    """Return the digest of all that the parts of a document are made from."""
    # PostgreSQL's text and git's paths have no NUL.
    before = f"{PARTS_VERSION}\0{path}\0{kind}\0".encode()
    return blake2b(b"%b%b\0%b" % (before, metadata_json, sections_json), digest_size=16).digest()


def _dump(metadata: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(metadata)
    except TypeError:  # front matter may have a number of more than 64 bits
        return json.dumps(metadata).encode()


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
