"""The history of a source's stories: read from git by a run, and kept in rows.

A run that brings in documents reads the commits that came since the last one. A history that cannot
be read fails no run: the burn-up then ends where it did, and the next run tries again.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog

from service.git.errors import GitError
from service.sync.batches import ROWS_PER_STATEMENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from service.bmad.past_record import Record
    from service.bmad.past_stories import BurnUpDay, PastStories
    from service.database.database import Connection, Database
    from service.git.history import History
    from service.git.objects import Tree
    from service.git.repository import GitRepository
    from service.sync.past_versions import ReadPast
    from service.sync.source import Source

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()

# The part of a run's time limit that its history may take.
HISTORY_TIME: Final = 0.5


NOT_READ: Final = (
    "{skipped:,} past versions of files were not read: they are too large, alone or all together."
)


class NewPast(NamedTuple):
    """What a run has read of a history, and to how many commits it was limited."""

    history: History
    read: ReadPast
    commits: int


class StoryDates(NamedTuple):
    """Since when a story has this status, and when its file changed last; None if it is older."""

    status: str
    status_since: datetime | None
    changed_at: datetime | None


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
    commits: int,
    seconds: float,
) -> NewPast | None:
    """Read what is new in the history of a source whose tree was fetched.

    At most `commits` are read, in a part of the run's `seconds`. Returns None if they are 0, or if
    the history cannot be read.
    """
    if not commits:
        return None
    # Imported here, for a run that changes nothing does not need them.
    from service.bmad.past_facts import may_be_work
    from service.sync.past_versions import read_past

    try:
        async with asyncio.timeout(HISTORY_TIME * seconds):
            stored = await _read_stored(database, source, commits)
            # Those that only their contents tell from other documents, too.
            paths = await _read_story_paths(database, source.id)
            history = await repository.fetch_history(
                source.url,
                tree.commit,
                source.folder,
                commits=commits,
                known=stored.known,
                is_wanted=lambda path: path in paths or may_be_work(path),
            )
            read = await read_past(repository, source.url, history, stored.record, {})
    except (GitError, TimeoutError) as error:
        reason = str(error) or "It took too long."
        log.warning("history_not_read", project_doc_id=str(source.id), error=reason)
        return None
    return NewPast(history, read, commits)


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


async def write_past(transaction: Connection, source: Source, past: NewPast) -> None:
    """Write what was read of a history, and its burn-up."""
    from service.bmad.past_facts import FACTS_VERSION

    history, read = past.history, past.read
    for table in ("work_commit", "work_fact"):
        await transaction.execute(
            f"delete from {table} where project_doc_id = $1 and position > $2",
            source.id,
            read.extension.kept,
        )
    await _insert_commits(transaction, source.id, read.extension.added)
    await _insert_facts(transaction, source.id, read.extension.added)
    await _write_days(transaction, source.id, read.stories.days)
    await transaction.execute(
        """
        insert into work_history
            (project_doc_id, github_url, branch, folder, facts_version, head, commits, is_cut,
             is_partial, note, skipped)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        on conflict (project_doc_id) do update
        set github_url = excluded.github_url, branch = excluded.branch, folder = excluded.folder,
            facts_version = excluded.facts_version, head = excluded.head,
            commits = case when $12 then excluded.commits else work_history.commits end,
            is_cut = case when $12 then excluded.is_cut else work_history.is_cut end,
            is_partial = excluded.is_partial, note = excluded.note,
            skipped = excluded.skipped + case when $12 then 0 else work_history.skipped end
        """,
        source.id,
        source.url,
        source.branch,
        source.folder,
        FACTS_VERSION,
        history.head,
        past.commits,
        history.is_cut,
        history.is_partial,
        history.note or (NOT_READ.format(skipped=read.skipped) if read.skipped else None),
        read.skipped,
        history.base is None,
    )


async def _insert_commits(transaction: Connection, source_id: UUID, added: Record) -> None:
    for columns in _columns(added.commits):
        await transaction.execute(
            """
            insert into work_commit (project_doc_id, position, commit_id, date, is_cut)
            select $1, position, commit_id, date, is_cut
            from unnest($2::bigint[], $3::text[], $4::timestamptz[], $5::boolean[])
                as new (position, commit_id, date, is_cut)
            """,
            source_id,
            *columns,
        )


async def _insert_facts(transaction: Connection, source_id: UUID, added: Record) -> None:
    rows = [
        (row.position, row.path, row.item, row.blob_id, *(row.fact or (None,) * 6))
        for row in added.facts
    ]
    for columns in _columns(rows):
        await transaction.execute(
            """
            insert into work_fact
                (project_doc_id, position, path, item, blob_id, kind, status, id, epic, story,
                 ticket)
            select $1, position, path, item, blob_id, kind, status, id, epic, story, ticket
            from unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                        $8::text[], $9::text[], $10::text[], $11::text[])
                as new (position, path, item, blob_id, kind, status, id, epic, story, ticket)
            """,
            source_id,
            *columns,
        )


async def _write_days(transaction: Connection, source_id: UUID, days: Sequence[BurnUpDay]) -> None:
    rows = await transaction.fetch(
        "select day, scope, done from burnup_day where project_doc_id = $1", source_id
    )
    stored = {*map(tuple, rows)}
    kept = {each.day for each in days}
    gone = [day for day, _, _ in stored if day not in kept]
    await transaction.execute(
        "delete from burnup_day where project_doc_id = $1 and day = any($2)", source_id, gone
    )
    for columns in _columns([each for each in days if tuple(each) not in stored]):
        await transaction.execute(
            """
            insert into burnup_day (project_doc_id, day, scope, done)
            select $1, day, scope, done
            from unnest($2::date[], $3::bigint[], $4::bigint[]) as new (day, scope, done)
            on conflict (project_doc_id, day) do update
            set scope = excluded.scope, done = excluded.done
            """,
            source_id,
            *columns,
        )


def _columns(rows: Sequence[Sequence[object]]) -> Iterator[Sequence[Sequence[object]]]:
    """Yield the columns of batches of rows."""
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        yield [*zip(*rows[start : start + ROWS_PER_STATEMENT], strict=True)]


def date_stories(stories: PastStories) -> dict[str, StoryDates]:
    """Return the dates of the stories that there are, by what a row of `story` has as its key."""
    dates: dict[str, StoryDates] = {}
    for story in stories.stories:
        if story.status is None:
            continue
        since = story.status_since if story.is_since_exact else None
        found = StoryDates(story.status, since, story.changed_at)
        keys = [story.path] if story.path else []
        for key in keys + [f"{path}\t{item}" for path, item in story.trackers]:
            dates.setdefault(key, found)
    return dates
