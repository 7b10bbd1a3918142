"""A run's work: compare a source's folder in git with its stored documents, write the difference.

The run fetches and reads everything first, and then writes it in one transaction, during which it
parses all documents but large ones. Readers see the old state or the new one, and a run that fails
before that changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import structlog

from service.git.errors import REFUSES_CREDENTIALS
from service.memory import trim_memory
from service.sync.activity import MAX_LISTED, write_activity
from service.sync.board_rows import write_board
from service.sync.changes import (
    find_moves,
    list_changes,
    name_changes,
)
from service.sync.claims import ClaimLostError
from service.sync.files import Contents, read_files
from service.sync.new_past import read_new_past
from service.sync.past_rows import write_past
from service.sync.plan import choose_files, compare
from service.sync.progress import finish_writing
from service.sync.pushes import read_awaited_pushes
from service.sync.quota import refuse_excess_documents
from service.sync.results import Counts, complete_run, read_skipped_files
from service.sync.rows import move_files, read_stored, remove_files, write_files
from service.sync.similar_moves import find_similar_moves
from service.sync.skipped import SkippedFiles
from service.sync.source import Revision, read_source, show_revision
from service.sync.spool import open_spool
from service.sync.stored_readings import read_readings
from service.sync.turns import Turn, take_turn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.database.database import Connection, Database
    from service.git.objects import Blobs, Tree
    from service.git.repository import GitRepository
    from service.sync.claims import Claim
    from service.sync.files import ReadFile
    from service.sync.messages import RunOptions
    from service.sync.plan import Plan, StoredFile, WantedFile
    from service.sync.progress import Progress
    from service.sync.source import Source

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# Entries of a tree whose lists may take more than 10 MB, and are made in turn.
LARGE_TREE: Final = 10_000


def _describe_refused_tokens(refused: Mapping[str, int]) -> str | None:
    """Return a sentence for each host that refused the service's token, or None."""
    sentences = (
        REFUSES_CREDENTIALS.format(host=host, status=status) for host, status in refused.items()
    )
    return " ".join(sentences) or None


class _Comparison(NamedTuple):
    """A tree's documents and skipped files, the stored documents by path, and the run's plan."""

    wanted: list[WantedFile]
    skipped: SkippedFiles
    stored: dict[str, StoredFile]
    plan: Plan


@dataclass(frozen=True)
class SourcePass:
    """A run's work on its source, which is done again if the source is changed meanwhile."""

    database: Database
    claim: Claim
    repository: GitRepository
    progress: Progress
    options: RunOptions

    async def sync(self) -> dict[str, Any]:
        """Bring the documents up to date, and return the fields of the run's log line."""
        source = await read_source(self.database, self.claim)
        skipped_before = await read_skipped_files(self.database, source.id)
        shown = source.shown
        commit = await self.repository.read_head(source.url, source.branch)
        if source.is_outdated or shown.tree_id is None or commit != shown.commit:
            tree = await self.repository.fetch_tree(source.url, source.branch, source.folder)
            if source.branch is not None and source.default_branch is None:
                await self.repository.read_default_branch(source.url)
            if source.is_outdated or shown.tree_id != tree.tree_id:
                return await self._write_difference(source, tree, skipped_before)
            is_dated = tree.is_date_exact or shown.date is None
            shown = Revision(
                tree.commit, tree.tree_id, tree.commit_date if is_dated else shown.date
            )
        found = await self._find_pushes(source, shown.commit)
        async with self.progress.writing(self.database, self.claim) as transaction:
            unchanged = await transaction.fetch_value(
                "select count(*) from document where project_doc_id = $1", source.id
            )
            return await self._complete(
                transaction, source, shown, Counts(0, 0, 0, unchanged, 0), skipped_before, found
            )

    async def _write_difference(
        self, source: Source, tree: Tree, skipped_before: SkippedFiles
    ) -> dict[str, Any]:
        async def compare_files() -> _Comparison:
            return await self._compare(source, tree, skipped_before)

        if len(tree.entries) <= LARGE_TREE:
            comparison = await compare_files()
            blobs = await self.repository.fetch_blobs(source.url, comparison.plan.to_fetch)
            return await self._apply(source, tree, comparison, blobs)
        # Made twice, since the turn is not kept, nor are the lists, while a server sends.
        turns = self.options.turns
        async with take_turn(turns, Turn.LISTS):
            # In one text meanwhile: any other string of a list could keep memory from the system.
            to_fetch = " ".join(dict.fromkeys((await compare_files()).plan.to_fetch))
            trim_memory()
        blobs = await self.repository.fetch_blobs(source.url, to_fetch.split())
        async with take_turn(turns, Turn.LISTS):
            comparison = await compare_files()
            # Only another run, or a deletion of the source, changes its documents.
            if not set(to_fetch.split()).issuperset(comparison.plan.to_fetch):
                raise ClaimLostError
            return await self._apply(source, tree, comparison, blobs)

    async def _compare(
        self, source: Source, tree: Tree, skipped_before: SkippedFiles
    ) -> _Comparison:
        wanted, skipped = await asyncio.to_thread(
            choose_files, tree.entries, self.options.max_files
        )
        self.progress.files_total = len(wanted)
        stored = await read_stored(self.database, source.id)
        plan = compare(wanted, stored, skipped_before.reasons(), read_all=source.is_outdated)
        self.progress.files_done = len(wanted) - len(plan.to_read)
        return _Comparison(wanted, skipped, stored, plan)

    async def _apply(
        self, source: Source, tree: Tree, comparison: _Comparison, blobs: Blobs
    ) -> dict[str, Any]:
        wanted, skipped, stored, plan = comparison
        with open_spool() as spool:
            contents = Contents(blobs, spool, self.options.max_bytes)
            await contents.copy_stored(self.database, source.id, plan.to_copy)
            read, unreadable = await read_files(
                plan.to_read, contents, self.progress, self.options.turns
            )
            # Files skipped for their contents come first: the row lists only the first files, and
            # the next run reads each content again that is not in the list.
            all_skipped = SkippedFiles([*plan.skipped, *unreadable])
            all_skipped.add_all(skipped)
            hidden = {file.path for file in (*plan.skipped, *unreadable)}
            unavailable = {file.path for file in unreadable if file.blob_id is None}
            shown = {file.path: file.blob_id for file in wanted if file.path not in hidden}
            # Files that the server cannot give stay documents, with their old contents.
            kept = {path: stored[path] for path in unavailable & stored.keys()}
            shown |= {path: file.blob_id for path, file in kept.items()}
            if source.is_outdated:
                read += await self._read_kept(source, wanted, kept, contents)
            moves = await asyncio.to_thread(find_moves, shown, stored)
            moves |= await find_similar_moves(
                self.database, self.repository, source.id, shown, stored, moves, contents
            )
            counts, removed = list_changes(shown, stored, moves)
            # Without a tree's id, the next run compares everything, and asks for these files again.
            shown_tree_id = None if unavailable else tree.tree_id
            found = await self._find_pushes(source, tree.commit)
            past = await read_new_past(
                self.database,
                self.repository,
                source,
                tree,
                shown=shown,
                story_like={each.file.path for each in read if each.is_story_like},
                commits=self.options.history_commits,
                seconds=self.options.seconds,
            )
            async with self.progress.writing(self.database, self.claim) as transaction:
                await move_files(transaction, source.id, moves)
                await write_files(transaction, source.id, read, contents, is_first=not stored)
                await remove_files(transaction, source.id, removed)
                if len(shown) > len(stored):
                    await refuse_excess_documents(
                        transaction, source.id, self.options.max_documents_per_project
                    )
                readings = await read_readings(transaction, source.id)
                dates = await write_past(transaction, source, past, readings) if past else {}
                stories = await write_board(
                    transaction,
                    source.id,
                    readings,
                    tree.entries,
                    source.folder,
                    all_skipped,
                    dates,
                    moves,
                )
                if counts.unchanged < len(shown) or removed:
                    await write_activity(
                        transaction,
                        self.claim,
                        counts=counts,
                        documents=name_changes(shown, stored, moves, removed, MAX_LISTED),
                        stories=stories,
                        tree=tree,
                    )
                return await self._complete(
                    transaction,
                    source,
                    Revision(tree.commit, shown_tree_id, tree.commit_date),
                    counts,
                    all_skipped,
                    found,
                )

    async def _read_kept(
        self,
        source: Source,
        wanted: Sequence[WantedFile],
        kept: Mapping[str, StoredFile],
        contents: Contents,
    ) -> list[ReadFile]:
        """Return documents whose new contents the server cannot give, read from their old ones."""
        await contents.copy_stored(self.database, source.id, kept)
        files = [
            file._replace(blob_id=kept[file.path].blob_id) for file in wanted if file.path in kept
        ]
        self.progress.files_done -= len(files)  # they count again
        read, _ = await read_files(files, contents, self.progress, self.options.turns)
        return read

    async def _find_pushes(self, source: Source, head: str | None) -> set[str]:
        """Return those of the awaited commits that the branch has, which is at `head`."""
        pushes = await read_awaited_pushes(self.database, source.id)
        commits = {push.commit for push in pushes if push.commit}
        # A head that a push replaced is the branch before that push: whether it has the commit says
        # nothing, since the push may have set the branch back.
        replaced = {push.commit for push in pushes if push.previous == head}
        if head is None or commits <= replaced | {head}:
            return commits & {head}
        history = await self.repository.read_history(source.url, source.branch, head)
        return commits & ({head} | history - replaced)

    async def _complete(
        self,
        transaction: Connection,
        source: Source,
        shown: Revision,
        counts: Counts,
        skipped: SkippedFiles,
        found: set[str],
    ) -> dict[str, Any]:
        """Record the source's new revision and the run's results; return the log line's fields."""
        await finish_writing(transaction, self.claim, source.state)
        await show_revision(
            transaction, self.claim.source_id, shown, self.repository.default_branch
        )
        awaited = await complete_run(
            transaction,
            self.claim,
            counts=counts,
            skipped=skipped,
            fetched_bytes=self.repository.fetched_bytes(),
            commit_id=shown.commit,
            warning=_describe_refused_tokens(self.repository.refused_tokens),
            found=found,
        )
        return {
            "status": "completed",
            **counts._asdict(),
            "skipped": skipped.total,
            "commit": shown.commit,
            **awaited,
        }
