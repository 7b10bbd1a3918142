"""The folders of a project's files, for its pages: what a folder has, and what a path may mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database.database import Queries, Row

# Documents whose paths are read to find the few beside one: those in subfolders are read as well.
NEAR: Final = 60
# Sorts after every path, however long.
AFTER_EVERY_PATH: Final = "\U0010ffff" * 1025
# The sources of a project that one path is looked up in.
MAX_FOUND: Final = 100


class Folder(NamedTuple):
    """What a folder has: its subfolders and documents in numbers, and a page of them.

    `total` counts the documents in it and below it: none where there is no such folder. Subfolders
    have `name` and `documents`, their number; documents have `name`, `title`, `kind`, `file_type`,
    `file_size`, `changed_at`, and of a story `status` and `story_id`. The other columns are null.
    """

    total: int
    folders: int
    files: int
    entries: Sequence[Row]


class NearDocuments(NamedTuple):
    """Names of documents of a folder, in order, and whether it has others before and after."""

    names: Sequence[str]
    has_more_before: bool
    has_more_after: bool


async def read_folder(
    queries: Queries, source_id: UUID, folder: str, *, offset: int, limit: int
) -> Folder:
    """Return `limit` entries of a folder after the first `offset` ones.

    Subfolders come first, then documents, each in the order of their names' bytes, as in git. The
    folder is a path from the repository's root; empty for that.
    """
    rows = await queries.fetch(
        """
        with below as materialized (
            -- Only paths, which the index has: there may be many documents below.
            select substr(file_path, char_length($2) + 1) as rest
            from document
            where project_doc_id = $1
                and file_path > $2 and file_path < $3
        ), entry as (
            select false as is_file, split_part(rest, '/', 1) as name, count(*) as documents
            from below
            where strpos(rest, '/') > 0
            group by name
            union all
            select true, rest, 1
            from below
            where strpos(rest, '/') = 0
        ), shown as (
            select *
            from entry
            order by is_file, name
            offset $4
            limit $5
        ), totals as (
            select coalesce(sum(documents), 0)::bigint as total,
                   count(*) filter (where not is_file) as folders,
                   count(*) filter (where is_file) as files
            from entry
        )
        select totals.*, shown.is_file, name, shown.documents,
               doc_metadata ->> 'title' as title, kind, file_type, file_size,
               coalesce(story.changed_at, document.updated_at) as changed_at, story.status,
               story.id as story_id
        from totals
        left join shown on true
        left join lateral (
            select id, file_path, doc_metadata, file_type, file_size, updated_at
            from document
            where shown.is_file and project_doc_id = $1 and file_path = $2 || name
            -- One by one by the index: PostgreSQL cannot know how few are shown.
            limit 1
        ) as document on true
        -- A document that no run has read since an upgrade has no parts.
        left join document_part on document_id = document.id and document_part.number = 0
        left join (
            select distinct on (file_path) file_path, id, status, changed_at
            from story
            where project_doc_id = $1 and file_path is not null
            order by file_path, place
        ) as story on story.file_path = document.file_path
        order by is_file, name
        """,
        source_id,
        *_limit_paths(folder),
        offset,
        limit,
    )
    first = rows[0]
    return Folder(
        first["total"],
        first["folders"],
        first["files"],
        [row for row in rows if row["name"] is not None],
    )


async def count_documents(queries: Queries, source_ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return the number of documents of each source that has any."""
    rows = await queries.fetch(
        """
        select project_doc_id as id, count(*) as documents
        from document
        where project_doc_id = any($1::uuid[])
        group by project_doc_id
        """,
        source_ids,
    )
    return {row["id"]: row["documents"] for row in rows}


async def find_sources_of_path(
    queries: Queries, source_ids: Sequence[UUID], path: str
) -> list[UUID]:
    """Return those of the sources that have a document or a folder at a path, MAX_FOUND at most."""
    rows = await queries.fetch(
        """
        select source.id
        from unnest($1::uuid[]) with ordinality as source (id, position)
        where exists (
            select
            from document
            where project_doc_id = source.id
                and (file_path = $2 or file_path > $3 and file_path < $4)
        )
        order by position
        limit $5
        """,
        source_ids,
        path,
        *_limit_paths(path),
        MAX_FOUND,
    )
    return [row["id"] for row in rows]


async def is_skipped(queries: Queries, source_id: UUID, path: str) -> bool:
    """Return whether the last completed run of a source skipped a file, and lists it."""
    return await queries.fetch_value(
        """
        select coalesce((
            select skipped_files @> jsonb_build_array(jsonb_build_object('path', $2::text))
            from sync_run
            where project_doc_id = $1 and status = 'completed'
            order by number desc
            limit 1
        ), false)
        """,
        source_id,
        path,
    )


async def read_near_documents(
    queries: Queries, source_id: UUID, path: str, count: int
) -> NearDocuments:
    """Return the names of up to `count` documents of the same folder before one, and after it.

    Its own name is between them. Of the documents in order, NEAR on each side are read, so that a
    few may be missing beside a folder with many.
    """
    first, last = _limit_paths(path.rpartition("/")[0])
    rows = await queries.fetch(
        """
        (
            select false as is_after, substr(file_path, char_length($3) + 1) as rest
            from document
            where project_doc_id = $1 and file_path < $2 and file_path > $3
            order by file_path desc
            limit $5
        )
        union all
        (
            select true, substr(file_path, char_length($3) + 1)
            from document
            where project_doc_id = $1 and file_path > $2 and file_path < $4
            order by file_path
            limit $5
        )
        """,
        source_id,
        path,
        first,
        last,
        NEAR,
    )
    sides: tuple[list[str], list[str]] = ([], [])
    for row in rows:
        sides[row["is_after"]].append(row["rest"])
    before, after = ([rest for rest in side if "/" not in rest] for side in sides)
    return NearDocuments(
        [*reversed(before[:count]), path[len(first) :], *after[:count]],
        has_more_before=len(before) > count or len(sides[0]) == NEAR,
        has_more_after=len(after) > count or len(sides[1]) == NEAR,
    )


def _limit_paths(folder: str) -> tuple[str, str]:
    """Return texts between which the paths below a folder are, and no others, in byte order."""
    # 0 follows the slash in ASCII, and so in UTF-8.
    return (f"{folder}/", f"{folder}0") if folder else ("", AFTER_EVERY_PATH)
