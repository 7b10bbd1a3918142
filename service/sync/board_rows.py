"""The rows of a source's stories, epics and problems.

They are made of what all documents of the source say, at the end of each run that changes some, in
the transaction that writes the documents. Only rows that differ are written.
"""

from __future__ import annotations

import json
from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, LiteralString

import orjson

from service.sync.activity import StoredStory, find_story_changes
from service.sync.batches import ROWS_PER_STATEMENT
from service.sync.in_thread import run_in_thread
from service.sync.link_targets import KnownPaths, find_paths, read_anchors
from service.sync.past_rows import StoryDates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from service.bmad.board import Board, ProblemRow, StoryRow
    from service.bmad.readings import Reading
    from service.database.database import Connection
    from service.git.objects import Entry
    from service.sync.activity import StoryChange
    from service.sync.changes import Moves
    from service.sync.skipped import SkippedFiles
    from service.sync.stored_readings import StoredReadings


INSERT_STORIES: Final = """
    insert into story
        (project_doc_id, digest, place, key, epic_place, epic, id, title, status, is_archived,
         file_path, item, status_since, changed_at)
    select $1, digest, place, key, epic_place, epic, id, title, status, is_archived, file_path,
           item::jsonb, status_since, changed_at
    from unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::boolean[], $11::text[], $12::text[],
                $13::timestamptz[], $14::timestamptz[])
        as new (digest, place, key, epic_place, epic, id, title, status, is_archived, file_path,
                item, status_since, changed_at)
    on conflict (project_doc_id, place) do update
    set digest = excluded.digest, key = excluded.key, epic_place = excluded.epic_place,
        epic = excluded.epic, id = excluded.id, title = excluded.title, status = excluded.status,
        is_archived = excluded.is_archived, file_path = excluded.file_path, item = excluded.item,
        status_since = excluded.status_since, changed_at = excluded.changed_at
    """
INSERT_EPICS: Final = """
    insert into epic (project_doc_id, digest, place, id, item)
    select $1, digest, place, id, item::jsonb
    from unnest($2::bytea[], $3::text[], $4::text[], $5::text[]) as new (digest, place, id, item)
    on conflict (project_doc_id, place) do update
    set digest = excluded.digest, id = excluded.id, item = excluded.item
    """
# The place of a problem has its digest: a row that is there does not differ.
INSERT_PROBLEMS: Final = """
    insert into problem
        (project_doc_id, digest, place, kind, severity, file_path, appears_on, item)
    select $1, digest, place, kind, severity, file_path, appears_on, item::jsonb
    from unnest($2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[],
                $8::text[])
        as new (digest, place, kind, severity, file_path, appears_on, item)
    """


async def write_board(
    transaction: Connection,
    source_id: UUID,
    readings: StoredReadings,
    entries: Iterable[Entry],
    folder: str | None,
    skipped: SkippedFiles,
    dates: Mapping[str, StoryDates],
    moves: Moves,
) -> list[StoryChange]:
    """Write the stories, epics and problems of a source, and return which stories changed.

    `entries` are those of the source's folder in git, `dates` those of stories, by their keys, and
    `moves` those of documents in this run.
    """
    # Imported here, for a run that changes nothing does not need it.
    from service.bmad.board import count_problems, count_stories, make_board

    anchors = await read_anchors(transaction, source_id, sorted(readings.with_fragment))

    def make() -> Board:
        paths = KnownPaths(folder, find_paths(entries, readings.wanted))
        refused = [(file.path, file.reason) for file in skipped.files]
        return make_board(
            readings.by_path, readings.links(), paths, anchors.get, refused, readings.trees
        )

    board = await run_in_thread(transaction, make)
    changes = await _write_stories(transaction, source_id, board.stories, dates, moves)
    epics = [(row.place, row.id, _dump(row.item)) for row in board.epics]
    await _write_rows(transaction, source_id, "epic", INSERT_EPICS, epics)
    await _write_problems(transaction, source_id, board.problems)
    await transaction.execute(
        """
        insert into source_progress (project_doc_id, documents, stories, problems)
        select $1, count(*), $2::text::jsonb, $3::text::jsonb
        from document
        where project_doc_id = $1
        on conflict (project_doc_id) do update
        set documents = excluded.documents, stories = excluded.stories,
            problems = excluded.problems
        where (source_progress.documents, source_progress.stories, source_progress.problems)
            is distinct from (excluded.documents, excluded.stories, excluded.problems)
        """,
        source_id,
        json.dumps(count_stories(board)),
        json.dumps(count_problems(board)),
    )
    await _promote(transaction, source_id, readings.by_path, board.promoted)
    return changes


async def _promote(
    transaction: Connection,
    source_id: UUID,
    readings: Mapping[str, Reading],
    promoted: Sequence[str],
) -> None:
    """Make stories of the documents that a tracker names, and of the others what they are alone."""
    named = {*promoted}
    candidates = {path: each["candidate"] for path, each in readings.items() if "candidate" in each}
    if not candidates:
        return
    kinds = {path: readings[path].get("candidate_kind", "other") for path in candidates}
    kinds |= dict.fromkeys(promoted, "story")
    await transaction.execute(
        """
        update document_part
        set kind = named.kind
        from document
        join unnest($2::text[], $3::text[]) as named (path, kind) on path = file_path
        where document.project_doc_id = $1 and document_id = document.id
            and document_part.kind <> named.kind
        """,
        source_id,
        [*kinds],
        [*kinds.values()],
    )
    await transaction.execute(
        """
        update document
        set doc_metadata = case when story is null then doc_metadata - 'story'
                           else jsonb_set(doc_metadata, '{story}', story::jsonb) end,
            updated_at = now()
        from unnest($2::text[], $3::text[]) as named (path, story)
        where project_doc_id = $1 and file_path = path
            and doc_metadata -> 'story' is distinct from story::jsonb
        """,
        source_id,
        [*candidates],
        [_dump(story) if path in named else None for path, story in candidates.items()],
    )


async def _write_stories(
    transaction: Connection,
    source_id: UUID,
    stories: Sequence[StoryRow],
    dates: Mapping[str, StoryDates],
    moves: Moves,
) -> list[StoryChange]:
    before = await transaction.fetch(
        """
        select key, place, id, title, file_path, status, status_since, changed_at
        from story
        where project_doc_id = $1
        order by place
        """,
        source_id,
    )
    if not dates:  # the history could not be read, and the stored dates are the last known
        dates = {row["key"]: StoryDates(*row[-3:]) for row in before}
    # The first run that writes a board would repeat all documents.
    had_board = await transaction.fetch_value(
        "select exists (select from source_progress where project_doc_id = $1)", source_id
    )
    changes = (
        find_story_changes((StoredStory(*row[:-2]) for row in before), stories, moves)
        if had_board
        else []
    )
    rows = [(*row[:-1], _dump(row.item), *_dates_of(row, dates)) for row in stories]
    await _write_rows(transaction, source_id, "story", INSERT_STORIES, rows)
    return changes


def _dates_of(
    row: StoryRow, dates: Mapping[str, StoryDates]
) -> tuple[datetime | None, datetime | None]:
    """Return since when a story has its status, and when it changed last.

    That is no earlier: a tracker alone may change the status.
    """
    found = dates.get(row.key)
    if found is None:
        return None, None
    # Where the history takes another source for the one that decides, its date says nothing.
    since = found.status_since if found.status == row.status else None
    return since, max(filter(None, (found.changed_at, since)), default=None)


async def _write_problems(
    transaction: Connection, source_id: UUID, problems: Iterable[ProblemRow]
) -> None:
    rows: dict[str, Sequence[object]] = {}
    counts = Counter[str]()
    for order, *columns, item in problems:
        # Of one kind and line, as several dead links are: in the order of the document.
        counts[order] += 1
        item_json = _dump(item)
        digest = blake2b(orjson.dumps([*columns, item_json]), digest_size=8).hexdigest()
        place = f"{order}\t{counts[order]:06}\t{digest}"
        rows[place] = (place, *columns, item_json)
    found = await transaction.fetch(
        "select place from problem where project_doc_id = $1", source_id
    )
    stored = {place for (place,) in found}
    await _delete_rows(transaction, source_id, "problem", [*(stored - rows.keys())])
    new = [(_digest(row), *row) for place, row in rows.items() if place not in stored]
    await _insert_rows(transaction, source_id, INSERT_PROBLEMS, new)


async def _write_rows(
    transaction: Connection,
    source_id: UUID,
    table: LiteralString,
    insert: LiteralString,
    rows: Sequence[Sequence[Any]],
) -> None:
    """Make the rows of a source in a table these rows, which begin with their places."""
    found = await transaction.fetch(
        f"select place, digest from {table} where project_doc_id = $1", source_id
    )
    stored: dict[str, bytes] = dict(map(tuple, found))
    gone = stored.keys() - {row[0] for row in rows}
    await _delete_rows(transaction, source_id, table, [*gone])
    with_digests = ((_digest(row), row) for row in rows)
    changed = [(digest, *row) for digest, row in with_digests if stored.get(row[0]) != digest]
    await _insert_rows(transaction, source_id, insert, changed)


async def _delete_rows(
    transaction: Connection, source_id: UUID, table: LiteralString, places: Sequence[str]
) -> None:
    if places:
        await transaction.execute(
            f"delete from {table} where project_doc_id = $1 and place = any($2)", source_id, places
        )


async def _insert_rows(
    transaction: Connection,
    source_id: UUID,
    insert: LiteralString,
    rows: Sequence[Sequence[object]],
) -> None:
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        columns = zip(*rows[start : start + ROWS_PER_STATEMENT], strict=True)
        await transaction.execute(insert, source_id, *columns)


def _digest(row: Sequence[Any]) -> bytes:
    return blake2b(orjson.dumps(row), digest_size=16).digest()


def _dump(item: Mapping[str, Any]) -> str:
    return orjson.dumps(item).decode()
