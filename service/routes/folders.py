"""The folders of a project's tree, for its pages: the sources at the top, and what a folder has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.tree import TreeSource, arrange_sources
from service.problems import Problem
from service.routes.shared import MISSING_PROJECT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database.database import Queries, Row
    from service.documents.tree import TopFolder

# Documents whose paths are read to find the few beside one: those in subfolders are read as well.
NEAR: Final = 60
# Sorts after every path, however long.
AFTER_EVERY_PATH: Final = "\U0010ffff" * 1025
# The sources of a project that one path is looked up in.
MAX_FOUND: Final = 100


class SourceInTree(NamedTuple):
    """A source of a project, and the folder at the top of the tree that has its documents.

    `top` is None for the only source with documents, and for those without. `commit` is the one
    that was synced from `url`; None before the first sync, and after the source was pointed
    elsewhere. `branch` is the default one where the source names none; None while it is not known.
    """

    id: UUID
    name: str
    url: str
    folder: str | None
    branch: str | None
    commit: str | None
    has_documents: bool
    top: TopFolder | None
    # Of all that the tree shows of the source, but for its own columns above.
    version: str


class ProjectTree(NamedTuple):
    """A project's name, and its sources in the order of the tree; those without documents last."""

    name: str
    sources: Sequence[SourceInTree]

    @property
    def has_tops(self) -> bool:
        """Whether each source is a folder at the top."""
        return any(source.top for source in self.sources)


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


async def read_project_tree(queries: Queries, project_id: UUID) -> ProjectTree:
    """Return the sources of a project; raise the Problem `not_found` without such a project."""
    rows = await queries.fetch(
        """
        select project.name as project_name, source.id, source.name, github_url as url,
               github_folder_path as folder, coalesce(branch, default_branch) as branch,
               case when tree_id is not null then last_commit end as commit,
               exists (
                   select from document where project_doc_id = source.id
               ) as has_documents,
               concat_ws(' ', documents_tag, tree_id, reader_version, history) as version
        from project
        left join project_doc as source on source.project_id = project.id
        left join lateral (
            -- The dates of stories.
            select concat_ws(' ', head, facts_version, commits, is_cut, is_partial) as history
            from work_history
            where project_doc_id = source.id
        ) as read on true
        where project.id = $1
        order by source.number
        """,
        project_id,
    )
    if not rows:
        raise Problem("not_found", MISSING_PROJECT)
    by_id = {row["id"]: row for row in rows if row["id"] is not None}
    arranged = arrange_sources(
        [TreeSource(id_, row["name"]) for id_, row in by_id.items() if row["has_documents"]]
    )
    tops = {source.id: top for source, top in arranged}
    order = [*tops, *(id_ for id_ in by_id if id_ not in tops)]
    return ProjectTree(
        rows[0]["project_name"],
        [
            SourceInTree(
                id=row["id"],
                name=row["name"],
                url=row["url"],
                folder=row["folder"],
                branch=row["branch"],
                commit=row["commit"],
                has_documents=row["has_documents"],
                top=tops.get(row["id"]),
                version=row["version"],
            )
            for row in (by_id[id_] for id_ in order)
        ],
    )


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
