"""One sync: what git has of a source is compared with what is stored, and the difference written.

Everything is fetched and read first. Then one short transaction writes it, so that readers see the
old state or the new one, and whatever fails before leaves the old state as it was.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from service.documents.metadata import READER_VERSION
from service.git.errors import GitError
from service.git.folder import remove_leftovers
from service.git.options import GitOptions
from service.git.repository import GitRepository
from service.sync.files import (
    Contents,
    choose_files,
    read_files,
    read_stored,
    remove_files,
    write_files,
)
from service.sync.progress import SourceChangedError
from service.sync.queue import (
    ClaimLostError,
    Counts,
    Skipped,
    SkippedFile,
    complete_run,
    fail_run,
    read_skipped_before,
)

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from service.database import Connection, Database
    from service.git.objects import Tree
    from service.settings import Settings
    from service.sync.files import WantedFile
    from service.sync.progress import Place, Progress
    from service.sync.queue import Claim

# Files of all kinds in a folder, wanted or not, of which a list is held in memory.
ENTRIES_MAX: Final = 500_000

# Of the contents that are stored already and needed again; the rest is copied to a file.
COPIED_IN_MEMORY: Final = 4_000_000

# When somebody points the source elsewhere in the middle of it.
TRIES: Final = 3


class Version(NamedTuple):
    """Which state of its repository a source shows, or is to: git's ids, and when that was made."""

    commit: str | None
    tree_id: str | None
    date: datetime | None


class Source(NamedTuple):
    """What is to be brought in, what it shows now, and which code read that."""

    id: UUID
    url: str
    branch: str | None
    folder: str | None
    shown: Version
    reader_version: int | None

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.url, self.branch, self.folder

    @property
    def is_outdated(self) -> bool:
        """Whether what it shows was read by other code, so that all of it is to be read again."""
        return self.reader_version != READER_VERSION


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
    with suppress(OSError):  # without a place for such directories, GitRepository says so
        await asyncio.to_thread(remove_leftovers)
    fetched = 0
    try:
        async with GitRepository(_git_options(settings)) as repository:
            attempt = _Attempt(database, claim, repository, progress, settings)
            try:
                for _ in range(TRIES):
                    with suppress(SourceChangedError):
                        return await attempt.run()
                raise GitError("The source was changed again and again while it was synced.")
            finally:
                fetched = repository.fetched_bytes()
    except GitError as error:
        async with progress.finishing(database, claim) as transaction:
            await fail_run(transaction, claim, str(error), fetched)
        return {"status": "failed", "error": str(error)}


@dataclass(frozen=True)
class _Attempt:
    """One try of a run; another follows where the source is pointed elsewhere meanwhile."""

    database: Database
    claim: Claim
    repository: GitRepository
    progress: Progress
    settings: Settings

    async def run(self) -> dict[str, Any]:
        """Do the run, and return what to say of it in the log."""
        source = await self._read_source()
        skipped_before = await read_skipped_before(self.database, source.id)
        found = source.shown
        commit = await self.repository.read_head(source.url, source.branch)
        if source.is_outdated or found.tree_id is None or commit != found.commit:
            tree = await self.repository.fetch_tree(source.url, source.branch, source.folder)
            if source.is_outdated or found.tree_id != tree.tree_id:
                return await self._bring_in(source, tree, skipped_before)
            is_dated = tree.is_date_exact or found.date is None
            found = Version(tree.commit, tree.tree_id, tree.commit_date if is_dated else found.date)
        async with self.progress.finishing(self.database, self.claim, source.place) as transaction:
            unchanged = await transaction.fetch_value(
                "select count(*) from document where project_doc_id = $1", source.id
            )
            return await self._complete(
                transaction, found, Counts(0, 0, unchanged, 0), skipped_before
            )

    async def _bring_in(
        self, source: Source, tree: Tree, skipped_before: Skipped
    ) -> dict[str, Any]:
        wanted, skipped = await asyncio.to_thread(choose_files, tree.entries)
        max_files, max_bytes = self.settings.sync_max_files, self.settings.sync_max_bytes
        if len(wanted) > max_files:
            raise GitError(
                f"There are {len(wanted):,} documents, and {max_files:,} are the most that the "
                "service takes: name a folder, or raise SYNC_MAX_FILES."
            )
        self.progress.files_total = len(wanted)
        stored = await read_stored(self.database, source.id)
        current = {} if source.is_outdated else stored
        refused = {} if source.is_outdated else skipped_before.reasons()
        new: list[WantedFile] = []
        for file in wanted:
            if file.blob_id in refused:
                skipped.append(SkippedFile(file.path, refused[file.blob_id], file.blob_id))
            elif file.path not in current or current[file.path].blob_id != file.blob_id:
                new.append(file)
        self.progress.files_done = len(wanted) - len(new)

        paths = {file.blob_id: path for path, file in stored.items()}
        blobs = await self.repository.fetch_blobs(
            source.url, [file.blob_id for file in new if file.blob_id not in paths]
        )
        with SpooledTemporaryFile(COPIED_IN_MEMORY) as copies:
            contents = Contents(blobs, copies)
            copied = [paths[file.blob_id] for file in new if file.blob_id in paths]
            await contents.copy_stored(
                self.database, source.id, {path: stored[path] for path in copied}
            )
            read, unreadable = await read_files(new, contents, max_bytes, self.progress)
            skipped += unreadable
            not_shown = {file.path for file in skipped if file.blob_id}
            present = {file.path for file in wanted} - not_shown
            removed = [path for path in stored if path not in present]
            added = sum(path not in stored for path in present)
            changed = sum(
                file.path in stored and stored[file.path].blob_id != file.blob_id
                for file, _, _ in read
            )
            # Contents first: those that do not fit into the run's list are fetched again each time.
            skipped.sort(key=lambda file: file.blob_id is None)
            async with self.progress.finishing(
                self.database, self.claim, source.place
            ) as transaction:
                await write_files(transaction, source.id, read, contents)
                await remove_files(transaction, source.id, removed)
                return await self._complete(
                    transaction,
                    Version(tree.commit, tree.tree_id, tree.commit_date),
                    Counts(added, changed, len(present) - added - changed, len(removed)),
                    Skipped(skipped, len(skipped)),
                )

    async def _read_source(self) -> Source:
        row = await self.database.fetch_row(
            """
            select id, github_url, branch, github_folder_path,
                   last_commit, tree_id, last_github_commit_date, reader_version
            from project_doc
            where id = $1
            """,
            self.claim.project_doc_id,
        )
        if row is None:
            raise ClaimLostError
        id_, url, branch, folder, commit, tree_id, date, reader_version = row
        return Source(id_, url, branch, folder, Version(commit, tree_id, date), reader_version)

    async def _complete(
        self, transaction: Connection, shown: Version, counts: Counts, skipped: Skipped
    ) -> dict[str, Any]:
        """Note what the source shows now, and what the run did; return what to say of it."""
        await transaction.execute(
            """
            update project_doc
            -- Not now(), which is when the transaction began: a front end that asked for a sync
            -- meanwhile, and was told of this one, waits for a time after that.
            set last_synced_at = clock_timestamp(), last_commit = $2, tree_id = $3,
                last_github_commit_date = $4, reader_version = $5
            where id = $1
            """,
            self.claim.project_doc_id,
            *shown,
            READER_VERSION,
        )
        await complete_run(
            transaction,
            self.claim,
            counts=counts,
            skipped=skipped,
            fetched_bytes=self.repository.fetched_bytes(),
            commit_id=shown.commit,
        )
        return {
            "status": "completed",
            **counts._asdict(),
            "skipped": skipped.total,
            "commit": shown.commit,
        }
