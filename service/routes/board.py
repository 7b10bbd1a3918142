"""The board of a project: the stories of each status, for its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.routes.board_sql import STORY

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Queries


async def read_columns(queries: Queries, project_id: UUID, shown: int) -> dict[str, list[str]]:
    """Return the first `shown` stories of each status of a project, as JSON: see StorySchema.

    In build order, but the finished ones with those first that were finished last. Archived stories
    are in none of the lists, and neither are statuses without stories.
    """
    rows = await queries.fetch(
        f"""
        with listed as materialized (
            -- Without `item`, which would be sorted with the rows that are not shown.
            select *, row_number() over (
                partition by status
                order by case when status in ('done', 'cancelled') then status_since end
                    desc nulls last, number, place
            ) as rank
            from (
                select source.number, source.id as source_id, source.name as source_name, place,
                       status, status_since
                from project_doc as source
                join story on story.project_doc_id = source.id
                where source.project_id = $1 and not is_archived
            ) as found
        )
        select status, array_agg({STORY}::text order by rank) as stories
        from (
            select listed.*, file_path, item, changed_at
            from listed
            join story on story.project_doc_id = source_id and story.place = listed.place
            where rank <= $2::bigint
        ) as found
        group by status
        """,
        project_id,
        shown,
    )
    return {row["status"]: row["stories"] for row in rows}
