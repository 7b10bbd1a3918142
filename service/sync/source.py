"""The row of a source, as a run finds it, and the revision that its documents show."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from service.documents.metadata import READER_VERSION
from service.sync.claims import ClaimLostError

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from service.database.database import Connection, Database
    from service.sync.claims import Claim
    from service.sync.progress import SourceState


class Revision(NamedTuple):
    """A state of a source's folder: git's ids of commit and tree, the date of the last change."""

    commit: str | None
    tree_id: str | None
    date: datetime | None


class Source(NamedTuple):
    """A source: its location, and its documents' revision and READER_VERSION."""

    id: UUID
    url: str
    branch: str | None
    folder: str | None
    shown: Revision
    reader_version: int | None
    default_branch: str | None

    @property
    def state(self) -> SourceState:
        """The URL, the branch, the folder and the READER_VERSION."""
        return self.url, self.branch, self.folder, self.reader_version

    @property
    def is_outdated(self) -> bool:
        """Whether another READER_VERSION read the documents, so that all have to be read again."""
        return self.reader_version != READER_VERSION


async def read_source(database: Database, claim: Claim) -> Source:
    """Return the source of a claimed run; raises ClaimLostError where it was deleted."""
    row = await database.fetch_row(
        """
        select id, github_url, branch, github_folder_path,
               last_commit, tree_id, last_github_commit_date, reader_version,
               default_branch
        from project_doc
        where id = $1
        """,
        claim.source_id,
    )
    if row is None:
        raise ClaimLostError
    id_, url, branch, folder, commit, tree_id, date, reader_version, default_branch = row
    shown = Revision(commit, tree_id, date)
    return Source(id_, url, branch, folder, shown, reader_version, default_branch)


async def show_revision(
    transaction: Connection, source_id: UUID, shown: Revision, default_branch: str | None
) -> None:
    """Record the revision of a source's documents, in the transaction that wrote them.

    `default_branch` is None where the repository has none, or where the run did not read it.
    """
    await transaction.execute(
        """
        update project_doc
        -- Not now(), the transaction's start: a front end that asked for a sync after that, and
        -- got this run, waits for a later time.
        set last_synced_at = clock_timestamp(), last_commit = $2, tree_id = $3,
            last_github_commit_date = $4, reader_version = $5,
            default_branch = case
                when branch is null then $6 else coalesce($6, default_branch)
            end
        where id = $1
        """,
        source_id,
        *shown,
        READER_VERSION,
        default_branch,
    )
