"""Lists of the documents and sources of projects, for pages and for the tools of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID

from service.routes.board_sql import SOURCE
from service.routes.shared import MISSING_PROJECT
from service.web.cursors import SORTED_COLUMNS, SortedItems, SortedList, SortedPage, fetch_sorted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.database import Queries, Row

DOCUMENTS: Final = SortedList("documents", (0, ""), 100)
ALL_DOCUMENTS: Final = SortedList("all_documents", (str(UUID(int=0)), ""), 100)


# Paths that are compared with one that is wrong. To compare 10,000 takes 30 ms.
MAX_COMPARED: Final = 5_000

# Documents of one path, each of another source.
MAX_AT_PATH: Final = 20


class DocumentFilter(NamedTuple):
    """Which documents of a project a list has: of a source, of a kind, with paths that begin so."""

    source_id: str | None = None
    kind: str | None = None
    path: str = ""


async def read_documents(
    queries: Queries, page: SortedPage, project_id: UUID, wanted: DocumentFilter
) -> SortedItems:
    """Return a page of the list DOCUMENTS of a project, as JSON.

    Source by source, by path: `id`, `path`, `source`, `kind`, `title`, `file_type`, `size` in bytes
    and `updated_at`. Raises the Problem `not_found` without such a project.
    """
    return await fetch_sorted(
        queries,
        f"""
        select exists (select from project where id = $5) as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(number, path)::text as cursor, json_build_object(
                'id', id, 'path', path, 'source', {SOURCE}, 'kind', kind, 'title', title,
                'file_type', file_type, 'size', file_size, 'updated_at', updated_at
            )::text as item
            from (
                select source.number, source.id as source_id, source.name as source_name, document.*
                from project_doc as source
                cross join lateral (
                    select id, file_path as path, file_type, file_size, updated_at, kind,
                           doc_metadata ->> 'title' as title
                    from document
                    -- A document that no run has read since an upgrade has no parts.
                    left join document_part on document_id = document.id and number = 0
                    where document.project_doc_id = source.id
                        and file_path > case when source.number = $3::bigint then $4 else '' end
                        and ($8 = '' or file_path >= $8 and starts_with(file_path, $8))
                        and ($7::text is null or kind = $7)
                    order by file_path
                    limit $1::bigint + 1
                ) as document
                where source.project_id = $5 and source.number >= $3::bigint
                    and ($6::uuid is null or source.id = $6)
                order by source.number, path
                limit $1::bigint + 1
            ) as found
            order by number, path
        ) as page
        """,
        page,
        MISSING_PROJECT,
        project_id,
        *wanted,
    )


async def read_synced_sources(
    queries: Queries, project_ids: Sequence[UUID], per_project: int | None = None
) -> list[Row]:
    """Return the sources of projects in their order, and which commit each has.

    `id`, `name`, `project_id`, `project`, `commit`, which is null before the first sync, and
    `synced_at`; the ids are text. With `per_project` only so many of each project, the first ones.
    """
    return await queries.fetch(
        """
        select source.id::text, source.name, project.id::text as project_id,
               project.name as project, last_commit as commit, last_synced_at as synced_at
        from project
        cross join lateral (
            select number, id, name, last_commit, last_synced_at
            from project_doc
            where project_id = project.id
            order by number
            limit $2
        ) as source
        where project.id = any($1)
        order by project.number, source.number
        """,
        project_ids,
        per_project,
    )


async def read_nearest_paths(
    queries: Queries, project_id: UUID, path: str, count: int
) -> list[str]:
    """Return paths of documents that may be meant by a path that has none, the nearest first.

    First those with the same file name, whatever its case; then similar ones, of MAX_COMPARED.
    """
    rows = await queries.fetch(
        """
        with named as (
            select distinct file_path
            from project_doc
            join document on document.project_doc_id = project_doc.id
            where project_id = $1
                and lower(substring(file_path from '[^/]*$')) = lower(substring($2 from '[^/]*$'))
            order by file_path
            limit $3
        ), compared as (
            select file_path
            from project_doc
            join document on document.project_doc_id = project_doc.id
            where project_id = $1
            limit $4
        )
        select file_path
        from (
            select file_path, 2 + similarity(file_path, $2) as nearness from named
            union all
            select file_path, similarity(file_path, $2)
            from compared
            where similarity(file_path, $2) >= 0.3
        ) as found
        group by file_path
        order by max(nearness) desc, file_path
        limit $3
        """,
        project_id,
        path,
        count,
        MAX_COMPARED,
    )
    return [row["file_path"] for row in rows]


async def find_documents(
    queries: Queries, project_id: UUID | None, path: str, document_id: str | None = None
) -> list[Row]:
    """Return the documents of a project at a path, one for each source that has it; or that by id.

    `id`, `path`, `file_type`, `file_size`, `kind`, which is null for one that no run has read
    since an upgrade, `source_id` and `project_id`; the ids are text. At most MAX_AT_PATH.
    """
    return await queries.fetch(
        """
        select document.id::text, file_path as path, file_type, file_size, kind,
               project_doc.id::text as source_id, project_id::text
        from document
        join project_doc on project_doc.id = document.project_doc_id
        left join document_part on document_id = document.id and document_part.number = 0
        where case
            when $3::uuid is null then project_id = $1 and file_path = $2
            else document.id = $3
        end
        order by project_doc.number
        limit $4
        """,
        project_id,
        path,
        document_id,
        MAX_AT_PATH,
    )


async def find_documents_by_ending(queries: Queries, project_id: UUID, ending: str) -> list[Row]:
    """Return documents of a project whose paths end with these folders and this file, at most two.

    The columns are those of find_documents.
    """
    return await queries.fetch(
        """
        select document.id::text, file_path as path, file_type, file_size, kind,
               document.project_doc_id::text as source_id, project_id::text
        from (
            select document.id, file_path, file_type, file_size, project_doc_id, project_id
            from project_doc
            join document on project_doc_id = project_doc.id
            where project_id = $1 and right(file_path, char_length($2::text) + 1) = '/' || $2::text
            limit 2
        ) as document
        left join document_part on document_id = document.id and document_part.number = 0
        """,
        project_id,
        ending,
    )


async def read_text(queries: Queries, document_id: str) -> Row | None:
    """Return `content` and `title` of a document; None if it has gone."""
    return await queries.fetch_row(
        """
        select content, doc_metadata ->> 'title' as title
        from document
        where id = $1
        """,
        document_id,
    )


async def read_all_documents(queries: Queries, page: SortedPage) -> SortedItems:
    """Return a page of the list ALL_DOCUMENTS, of all projects, as JSON.

    Source by source, in the order of their ids, by path: `id`, `path`, `project`, `source`,
    `title`, `file_type`, and `size` in bytes. The order is that of an index, so that a page costs
    the same however many documents there are.
    """
    return await fetch_sorted(
        queries,
        f"""
        select true as is_there, {SORTED_COLUMNS}
        from (
            select json_build_array(source.id, file_path)::text as cursor, json_build_object(
                'id', document.id, 'path', file_path, 'project', project.name,
                'source', source.name, 'title', title, 'file_type', file_type, 'size', file_size
            )::text as item
            from (
                select id, project_doc_id, file_path, file_type, file_size,
                       doc_metadata ->> 'title' as title
                from document
                where (project_doc_id, file_path) > ($3::text::uuid, $4)
                order by project_doc_id, file_path
                limit $1::bigint + 1
            ) as document
            join project_doc as source on source.id = project_doc_id
            join project on project.id = source.project_id
            order by project_doc_id, file_path
        ) as page
        """,
        page,
        "",
    )
