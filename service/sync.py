"""One sync: what git has of a source is compared with what is stored, and the difference written.

Everything is fetched and read first. Then one short transaction writes it, so that readers see the
old state or the new one, and whatever fails before leaves the old state as it was.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.document_metadata import read_metadata
from service.document_text import Unreadable, file_type_of, read_text
from service.git import GitError, GitOptions, GitRepository, remove_leftovers
from service.sync_queue import (
    ClaimLostError,
    Counts,
    SkippedFile,
    complete_run,
    fail_run,
    hold_claim,
    read_skipped_before,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
    from uuid import UUID

    from service.database import Connection, Database
    from service.git import Blobs, Entry, Tree
    from service.settings import Settings
    from service.sync_queue import Claim

# A statement writes so many documents, or so many bytes of them.
ROWS_PER_STATEMENT: Final = 500
BYTES_PER_STATEMENT: Final = 4_000_000

# In a thread, so many documents at a time: between them the claim's renewal tells how far it is.
READ_AT_ONCE: Final = 50

# Files of all kinds in a folder, wanted or not, of which a list is held in memory.
ENTRIES_MAX: Final = 500_000

# In UTF-8: PostgreSQL's index of paths takes no more than 2,704 bytes.
PATH_BYTES: Final = 1024
# Whoever shows a tree goes down it folder by folder, we included.
PATH_FOLDERS: Final = 100
PATH_SHOWN: Final = 200
REGULAR_FILES: Final = ("100644", "100755")
SYMBOLIC_LINK: Final = "120000"
SUBMODULE: Final = "160000"

# When somebody points the source elsewhere in the middle of it.
TRIES: Final = 3


class SourceChangedError(Exception):
    """The source was pointed elsewhere while it was synced."""


class Source(NamedTuple):
    """What is to be brought in, and what was the last time."""

    id: UUID
    url: str
    branch: str | None
    folder: str | None
    last_commit: str | None
    tree_id: str | None

    @property
    def place(self) -> tuple[str, str | None, str | None]:
        """Where it is."""
        return self.url, self.branch, self.folder


class Progress:
    """How far a sync is. Written in its thread, read where the claim is renewed."""

    def __init__(self, claimed_at: float) -> None:
        self.files_total: int | None = None
        self.files_done = 0
        # By time.monotonic(), when it was last asked for successfully.
        self.claimed_at = claimed_at
        # Who renews the claim and who finishes the run change one row, so the one waits for the
        # other here and not in PostgreSQL, where both have a deadline.
        self.turn = asyncio.Lock()
        self.is_finishing = False
        self.is_finished = False

    @asynccontextmanager
    async def finishing(
        self, database: Database, claim: Claim, source: Source | None = None
    ) -> AsyncGenerator[Connection]:
        """Hold a transaction in which the run is ours, and its source as it was, to finish it.

        Raises ClaimLostError and SourceChangedError.
        """
        async with self.turn:
            self.is_finishing = True
            try:
                async with database.transaction() as transaction:
                    row = await hold_claim(transaction, claim)
                    if source and tuple(row) != source.place:
                        raise SourceChangedError
                    yield transaction
                self.is_finished = True
            finally:
                self.is_finishing = False


class WantedFile(NamedTuple):
    """A document in git: where it is, what it is, git's id of its content."""

    path: str
    file_type: str
    blob_id: str


class ReadFile(NamedTuple):
    """A document that was read, without its content."""

    file: WantedFile
    size: int
    metadata: str


def _git_options(settings: Settings) -> GitOptions:
    """Return how git is to be run, as the operator has set it."""
    return GitOptions(
        protocols=settings.git_protocols,
        private_networks=settings.git_private_networks,
        config_global=settings.git_config_global,
        token=settings.git_token,
        token_host=settings.git_token_host,
        seconds=settings.sync_timeout,
        max_bytes=settings.sync_max_bytes,
        max_files=ENTRIES_MAX,
    )


async def sync(
    database: Database, claim: Claim, settings: Settings, progress: Progress
) -> dict[str, Any]:
    """Bring in what a claimed run asks for, and note how it ended.

    Returns what to say of it in the log. Raises ClaimLostError where the run or its source is
    another's by now, and DatabaseUnavailable: then nothing is written, and the run is still to be
    done.
    """
    with suppress(OSError):  # without a place for such directories, the next line says so
        await asyncio.to_thread(remove_leftovers)
    async with GitRepository(_git_options(settings)) as repository:
        try:
            for _ in range(TRIES):
                try:
                    return await _sync_once(
                        database, claim, repository, progress, settings.sync_max_files
                    )
                except SourceChangedError:
                    continue
            raise GitError("The source was changed again and again while it was synced.")
        except GitError as error:
            fetched = repository.fetched_bytes()
            async with progress.finishing(database, claim) as transaction:
                await fail_run(transaction, claim, str(error), fetched)
            return {"status": "failed", "error": str(error)}


async def _sync_once(
    database: Database,
    claim: Claim,
    repository: GitRepository,
    progress: Progress,
    max_files: int,
) -> dict[str, Any]:
    source = await _read_source(database, claim)
    skipped_before, skipped_total = await read_skipped_before(database, source.id)
    tree: Tree | None = None
    commit = await repository.read_head(source.url, source.branch)
    if source.tree_id is None or commit != source.last_commit:
        tree = await repository.fetch_tree(source.url, source.branch, source.folder)
        commit = tree.commit
    if tree is None or tree.tree_id == source.tree_id:
        counts = await _note_nothing_new(
            database,
            claim,
            progress,
            source,
            commit,
            skipped_before,
            skipped_total,
            repository,
            tree,
        )
        return _summary(counts, skipped_total, commit)

    wanted, skipped = await asyncio.to_thread(choose_files, tree.entries)
    if len(wanted) > max_files:
        raise GitError(
            f"There are {len(wanted):,} documents, and {max_files:,} are the most that the service "
            "takes: name a folder, or raise SYNC_MAX_FILES."
        )
    progress.files_total = len(wanted)
    stored = await _read_stored(database, source.id)
    refused = {file.blob_id: file for file in skipped_before if file.blob_id}
    fresh = [file for file in wanted if stored.get(file.path) != file.blob_id]
    unreadable = [file for file in fresh if file.blob_id in refused]
    skipped += [
        SkippedFile(file.path, refused[file.blob_id].reason, file.blob_id) for file in unreadable
    ]
    new = [file for file in fresh if file.blob_id not in refused]
    progress.files_done = len(wanted) - len(new)

    known = set(stored.values())
    blobs = await repository.fetch_blobs(
        source.url, list({file.blob_id: None for file in new if file.blob_id not in known})
    )
    contents = Contents(blobs, await _read_contents(database, source.id, new, known))
    read, not_read = await _read_files(new, contents, progress)
    skipped += not_read

    # The contents first: of those that do not fit into the run's list all would be fetched again.
    skipped.sort(key=lambda file: file.blob_id is None)
    present = {file.path for file in wanted} - {file.path for file in skipped}
    removed = [path for path in stored if path not in present]
    counts = Counts(
        added=sum(file.file.path not in stored for file in read),
        changed=sum(file.file.path in stored for file in read),
        unchanged=len(present) - len(read),
        removed=len(removed),
    )
    async with progress.finishing(database, claim, source) as transaction:
        for rows in _in_batches(read):
            await _write(transaction, source.id, rows, contents)
        for start in range(0, len(removed), ROWS_PER_STATEMENT):
            await transaction.execute(
                "delete from document where project_doc_id = $1 and file_path = any($2::text[])",
                source.id,
                removed[start : start + ROWS_PER_STATEMENT],
            )
        await transaction.execute(
            """
            update project_doc
            set last_synced_at = now(), last_commit = $2, tree_id = $3,
                last_github_commit_date = $4
            where id = $1
            """,
            source.id,
            commit,
            tree.tree_id,
            tree.commit_date,
        )
        await complete_run(
            transaction,
            claim,
            counts=counts,
            skipped=skipped,
            skipped_total=len(skipped),
            fetched_bytes=repository.fetched_bytes(),
            commit_id=commit,
        )
    return _summary(counts, len(skipped), commit)


def _summary(counts: Counts, skipped: int, commit: str) -> dict[str, Any]:
    return {"status": "completed", **counts._asdict(), "skipped": skipped, "commit": commit}


async def _read_source(database: Database, claim: Claim) -> Source:
    row = await database.fetch_row(
        """
        select id, github_url, branch, github_folder_path, last_commit, tree_id
        from project_doc
        where id = $1
        """,
        claim.project_doc_id,
    )
    if row is None:
        raise ClaimLostError
    return Source(*row)


async def _note_nothing_new(
    database: Database,
    claim: Claim,
    progress: Progress,
    source: Source,
    commit: str,
    skipped: Sequence[SkippedFile],
    skipped_total: int,
    repository: GitRepository,
    tree: Tree | None,
) -> Counts:
    async with progress.finishing(database, claim, source) as transaction:
        await transaction.execute(
            """
            update project_doc
            set last_synced_at = now(), last_commit = $2,
                last_github_commit_date = coalesce($3, last_github_commit_date)
            where id = $1
            """,
            source.id,
            commit,
            tree.commit_date if tree else None,
        )
        unchanged = await transaction.fetch_value(
            "select count(*) from document where project_doc_id = $1", source.id
        )
        counts = Counts(0, 0, unchanged, 0)
        await complete_run(
            transaction,
            claim,
            counts=counts,
            skipped=skipped,
            skipped_total=skipped_total,
            fetched_bytes=repository.fetched_bytes(),
            commit_id=commit,
        )
    return counts


def choose_files(entries: Sequence[Entry]) -> tuple[list[WantedFile], list[SkippedFile]]:
    """Return which files of a tree are documents, and which look like some and are none."""
    wanted: list[WantedFile] = []
    skipped: list[SkippedFile] = []
    for entry in entries:
        shown = entry.path.decode(errors="backslashreplace")
        file_type = file_type_of(shown)
        if entry.mode == SUBMODULE:
            skipped.append(SkippedFile(shown, "is a submodule", None))
        elif file_type is None:
            continue
        elif entry.mode == SYMBOLIC_LINK:
            skipped.append(SkippedFile(shown, "is a symbolic link", None))
        elif entry.mode not in REGULAR_FILES:
            skipped.append(SkippedFile(shown, f"has the unknown mode {entry.mode}", None))
        elif shown.encode() != entry.path:
            skipped.append(SkippedFile(shown, "has a name that is not valid UTF-8", None))
        elif len(entry.path) > PATH_BYTES:
            reason = f"has a path of more than {PATH_BYTES:,} bytes"
            skipped.append(SkippedFile(f"{shown[:PATH_SHOWN]}…", reason, None))
        elif entry.path.count(b"/") > PATH_FOLDERS:
            reason = f"is more than {PATH_FOLDERS} folders deep"
            skipped.append(SkippedFile(shown, reason, None))
        else:
            wanted.append(WantedFile(shown, file_type, entry.id))
    return wanted, skipped


async def _read_stored(database: Database, project_doc_id: UUID) -> dict[str, str]:
    rows = await database.fetch(
        "select file_path, blob_id from document where project_doc_id = $1", project_doc_id
    )
    return {row["file_path"]: row["blob_id"] for row in rows}


async def _read_contents(
    database: Database, project_doc_id: UUID, files: Sequence[WantedFile], known: set[str]
) -> dict[str, bytes]:
    """Return the contents that are stored already, of files that were moved or copied."""
    wanted = list({file.blob_id: None for file in files if file.blob_id in known})
    contents = dict[str, bytes]()
    for start in range(0, len(wanted), ROWS_PER_STATEMENT):
        rows = await database.fetch(
            """
            select distinct on (blob_id)
                   blob_id, coalesce(original, convert_to(content, 'UTF8'))
            from document
            where project_doc_id = $1 and blob_id = any($2::text[])
            """,
            project_doc_id,
            wanted[start : start + ROWS_PER_STATEMENT],
        )
        contents.update((blob_id, content) for blob_id, content in rows)
    return contents


class Contents:
    """The bytes of new documents: from git, or from the database where they were there before."""

    def __init__(self, blobs: Blobs, stored: Mapping[str, bytes]) -> None:
        self._blobs = blobs
        self._stored = stored

    def read(self, blob_id: str) -> bytes:
        """Return a content; raise Unreadable where it is too large to be fetched."""
        if blob_id in self._stored:
            return self._stored[blob_id]
        if blob_id in self._blobs.too_large:
            raise Unreadable("is larger than 5 MB")
        return self._blobs.read(blob_id)


async def _read_files(
    files: Sequence[WantedFile], contents: Contents, progress: Progress
) -> tuple[list[ReadFile], list[SkippedFile]]:
    read: list[ReadFile] = []
    skipped: list[SkippedFile] = []

    def read_some(some: Sequence[WantedFile]) -> None:
        for file in some:
            try:
                content = contents.read(file.blob_id)
                text = read_text(content)
                metadata = read_metadata(text.text, file.file_type, file.path)
                if text.encoding != "utf-8":
                    metadata["encoding"] = text.encoding  # it is not what is shown
                read.append(ReadFile(file, len(content), json.dumps(metadata)))
            except Unreadable as error:
                skipped.append(SkippedFile(file.path, str(error), file.blob_id))
            progress.files_done += 1

    for start in range(0, len(files), READ_AT_ONCE):
        await asyncio.to_thread(read_some, files[start : start + READ_AT_ONCE])
    return read, skipped


def _in_batches(files: Sequence[ReadFile]) -> Iterator[list[ReadFile]]:
    batch: list[ReadFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == ROWS_PER_STATEMENT or size + file.size > BYTES_PER_STATEMENT):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


async def _write(
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
