"""Lists of the documents of a project, for pages and for the tools of agents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.routes.board_sql import SOURCE
from service.routes.shared import MISSING_PROJECT
from service.web.cursors import SORTED_COLUMNS, SortedItems, SortedList, SortedPage, fetch_sorted

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Queries

DOCUMENTS: Final = SortedList("documents", (0, ""), 100)


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
