"""The rows of the history of a source's stories: its record, and the burn-up made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.sync.batches import ROWS_PER_STATEMENT
from service.sync.in_thread import run_in_thread
from service.sync.new_past import warn_of_history

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from service.bmad.past_record import Record, RecordChange
    from service.bmad.past_stories import BurnUpDay, PastStories
    from service.database.database import Connection
    from service.sync.new_past import NewPast
    from service.sync.source import Source
    from service.sync.stored_readings import StoredReadings

NOT_READ: Final = (
    "{skipped:,} past versions of files were not read: they are too large, alone or all together."
)


class StoryDates(NamedTuple):
    """Since when a story has this status, and when its file changed last; None if it is older."""

    status: str
    status_since: datetime | None
    changed_at: datetime | None


async def write_past(
    transaction: Connection, source: Source, past: NewPast, readings: StoredReadings
) -> dict[str, StoryDates]:
    """Write what was read of a history, and its burn-up; return the dates of the stories.

    The documents' readings are those that the run has stored. The dates are by what a row of
    `story` has as its key. There are none, and nothing is written, if the history changes too much.
    """
    from service.bmad.past_facts import FACTS_VERSION, facts_of
    from service.bmad.past_record import TooManyChangesError, extend_record, join_records
    from service.bmad.past_stories import replay

    history, read = past.history, past.read

    def extend() -> tuple[RecordChange, PastStories]:
        by_path = readings.by_path
        current = read.compared.current & by_path.keys()
        facts = {path: facts_of(by_path[path]) for path in current}
        extension = extend_record(read.compared, facts)
        return extension, replay(join_records(past.record, extension), by_path, readings.trees)

    try:
        extension, stories = await run_in_thread(transaction, extend)
    except TooManyChangesError as error:
        warn_of_history(source, error)
        return {}
    for table in ("work_commit", "work_fact"):
        await transaction.execute(
            f"delete from {table} where project_doc_id = $1 and position > $2",
            source.id,
            extension.kept,
        )
    await _insert_commits(transaction, source.id, extension.added)
    await _insert_facts(transaction, source.id, extension.added)
    await _write_days(transaction, source.id, stories.days)
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
    return _date_stories(stories)


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


def _date_stories(stories: PastStories) -> dict[str, StoryDates]:
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
