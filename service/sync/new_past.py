"""What is new in the history of a source: read from git by a run that brings in documents.

Such a run reads the commits that came since the last one. A history that cannot be read fails no
run: the burn-up then ends where it did, and the next run tries again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from service.git.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from service.bmad.past_record import Record
    from service.database.database import Database
    from service.git.history import History
    from service.git.objects import Tree
    from service.git.repository import GitRepository
    from service.sync.past_versions import ReadVersions
    from service.sync.source import Source

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# The part of a run's time limit that its history may take.
HISTORY_TIME: Final = 0.5


class NewPast(NamedTuple):
    """What a run has read of a history, and to how many commits it was limited."""

    history: History
    read: ReadVersions
    record: Record
    commits: int


class _StoredPast(NamedTuple):
    record: Record
    # The commits after which the next run goes on: none if it has to read all again.
    known: set[str]


async def read_new_past(
    database: Database,
    repository: GitRepository,
    source: Source,
    tree: Tree,
    *,
    shown: Mapping[str, str],
    story_like: Collection[str],
    commits: int,
    seconds: float,
) -> NewPast | None:
    """Read what is new in the history of a source whose tree was fetched.

    `shown` has the ids of the contents that the run stores, by path, and `story_like` the paths of
    those that look like stories only by what is in them. At most `commits` are read, in a part of
    the run's `seconds`. Returns None if they are 0, or if the history cannot be read.
    """
    if not commits:
        return None
    # Imported here, for a run that changes nothing does not need them.
    from service.bmad.past_facts import may_be_work
    from service.bmad.past_record import TooManyChangesError
    from service.sync.past_versions import read_versions

    try:
        async with asyncio.timeout(HISTORY_TIME * seconds):
            stored = await _read_stored(database, source, commits)
            paths = {*story_like, *await _read_story_paths(database, source.id)}
            history = await repository.fetch_history(
                source.url,
                tree.commit,
                source.folder,
                commits=commits,
                known=stored.known,
                is_wanted=lambda path: path in paths or may_be_work(path),
            )
            read = await read_versions(repository, source.url, history, stored.record, shown)
    except (GitError, TimeoutError, TooManyChangesError) as error:
        warn_of_history(source, error)
        return None
    return NewPast(history, read, stored.record, commits)


def warn_of_history(source: Source, error: Exception) -> None:
    """Log why a source's history was not read."""
    reason = str(error) or "It took too long."
    log.warning("history_not_read", project_doc_id=str(source.id), error=reason)


async def _read_stored(database: Database, source: Source, commits: int) -> _StoredPast:
    from service.bmad.past_facts import FACTS_VERSION, Fact
    from service.bmad.past_record import CommitRow, FactRow, Record

    row = await database.fetch_row(
        """
        select head, commits, is_cut, is_partial
        from work_history
        where project_doc_id = $1 and github_url = $2 and branch is not distinct from $3
            and folder is not distinct from $4 and facts_version = $5
        """,
        source.id,
        source.url,
        source.branch,
        source.folder,
        FACTS_VERSION,
    )
    if row is None:
        return _StoredPast(Record([], []), set())
    found_commits = await database.fetch(
        """
        select position, commit_id, date, is_cut
        from work_commit
        where project_doc_id = $1
        order by position
        """,
        source.id,
    )
    found_facts = await database.fetch(
        """
        select position, path, item, blob_id, kind, status, id, epic, story, ticket
        from work_fact
        where project_doc_id = $1
        order by position, path, item
        """,
        source.id,
    )
    record = Record(
        [CommitRow(*found) for found in found_commits],
        [
            FactRow(position, path, item, None if fact[0] is None else Fact(*fact), blob_id)
            for position, path, item, blob_id, *fact in found_facts
        ],
    )
    is_too_short = row["is_partial"] or (row["is_cut"] and row["commits"] < commits)
    known: set[str] = set()
    if not is_too_short:
        known = {row["head"], *(each.commit for each in record.commits)}
    return _StoredPast(record, known)


async def _read_story_paths(database: Database, source_id: UUID) -> set[str]:
    rows = await database.fetch(
        "select file_path from story where project_doc_id = $1 and file_path is not null", source_id
    )
    return {path for (path,) in rows}
