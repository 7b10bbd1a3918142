"""What the page of a document shows besides its content: the work in it, and what changed it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from service.routes.board_sql import HAS_APPEARED
from service.routes.shared import MISSING_DOCUMENT
from service.sync.activity import MAX_LISTED

if TYPE_CHECKING:
    from uuid import UUID

    from service.database.database import Queries, Row

STORIES_SHOWN: Final = 20  # whose file is the document
PROBLEMS_SHOWN: Final = 50

# Of a row of `activity`: whether it lists the path $2 among the documents that a run changed; and
# JSON of it, whose `change` is null where the list was cut before the path.
NAMES_DOCUMENT: Final[LiteralString] = """
    documents @> jsonb_build_array(jsonb_build_object('path', $2::text))
    """
CHANGE: Final[LiteralString] = """
    json_build_object(
        'run_id', run_id, 'at', at, 'commit_id', commit_id, 'committed_at', committed_at,
        'change', jsonb_path_query_first(
            documents, '$[*] ? (@.path == $path).change', jsonb_build_object('path', $2::text)
        )
    )
    """


class DocumentContent(NamedTuple):
    """The text of a document, and git's id of its content."""

    blob_id: str
    file_type: str
    text: str


async def read_document_facts(queries: Queries, source_id: UUID, path: str) -> Row | None:
    """Return what there is to say of the document at a path of a source; None without one.

    `id`, `file_type`, `file_size`, `blob_id`, `created_at`, `updated_at`, `title`, `encoding`,
    `replaced_characters`, `front_matter_error` and `kind`, which may be null.

    As JSON: `stories`, those whose file it is, up to STORIES_SHOWN, in build order, each as it is
    stored with `last_changed_at`, `since` and `place`; `problems`, those of the document, the worst
    PROBLEMS_SHOWN, and their number as `problems_total`; and `change`, what last changed it, as
    `run_id`, `at`, `commit_id`, `committed_at` and `change`, null where the record does not
    list so many documents; all of it is null where nothing is recorded.
    """
    return await queries.fetch_row(
        f"""
        select document.id, file_type, file_size, blob_id, document.created_at,
               document.updated_at, kind, metadata.*, stories::text, problems::text,
               problems_total, coalesce(written.change, older.change)::text as change
        from document
        cross join lateral (
            -- Read once, since it may be large.
            select title, encoding, replaced_characters, front_matter_error
            from jsonb_to_record(doc_metadata) as metadata (
                title text, encoding text, replaced_characters bigint, front_matter_error text
            )
        ) as metadata
        -- A document that no run has read since an upgrade has no parts.
        left join document_part on document_id = document.id and number = 0
        cross join lateral (
            select coalesce(json_agg(item || jsonb_build_object(
                'last_changed_at', changed_at, 'since', status_since, 'place', place
            ) order by place), '[]') as stories
            from (
                select item, changed_at, status_since, place
                from story
                where project_doc_id = $1 and file_path = $2
                order by place
                limit $3
            ) as story
        ) as stories
        cross join lateral (
            select coalesce(json_agg(item order by place) filter (where rank <= $4), '[]')
                       as problems,
                   count(*) as problems_total
            from (
                select item, place, row_number() over (order by place) as rank
                from problem
                where project_doc_id = $1 and file_path = $2 and {HAS_APPEARED}
            ) as problem
        ) as problems
        left join lateral (
            -- The run that wrote the document recorded that in its transaction, a moment later;
            -- one that only read it anew recorded nothing.
            select {CHANGE} as change
            from (
                select *
                from activity
                where project_doc_id = $1 and at >= document.updated_at
                order by at
                limit 1
            ) as activity
            where {NAMES_DOCUMENT} or added + changed + moved + removed > $5
        ) as written on true
        left join lateral (
            select {CHANGE} as change
            from activity
            where written.change is null
                and project_doc_id = $1 and at < document.updated_at and {NAMES_DOCUMENT}
            order by at desc
            limit 1
        ) as older on true
        where document.project_doc_id = $1 and file_path = $2
        """,
        source_id,
        path,
        STORIES_SHOWN,
        PROBLEMS_SHOWN,
        MAX_LISTED,
    )


async def read_story_surroundings(queries: Queries, source_id: UUID, place: str) -> Row | None:
    """Return the epic of a story, and the stories before and after it in build order.

    As JSON, null where there is none: `epic`, as it is stored; `previous` and `next`, of the same
    product, archived or not like the story, and with a file of their own: `id`, `title`, `status`
    and `path`.
    """
    return await queries.fetch_row(
        """
        select epic.item::text as epic, previous::text, next::text
        from story as own
        left join epic
            on epic.project_doc_id = own.project_doc_id and epic.place = own.epic_place
        left join lateral (
            select json_build_object('id', id, 'title', title, 'status', status, 'path', file_path)
                       as previous
            from story
            where project_doc_id = $1 and place < own.place and file_path <> own.file_path
                and is_archived = own.is_archived
                and item -> 'tree' is not distinct from own.item -> 'tree'
            order by place desc
            limit 1
        ) as previous on true
        left join lateral (
            select json_build_object('id', id, 'title', title, 'status', status, 'path', file_path)
                       as next
            from story
            where project_doc_id = $1 and place > own.place and file_path <> own.file_path
                and is_archived = own.is_archived
                and item -> 'tree' is not distinct from own.item -> 'tree'
            order by place
            limit 1
        ) as next on true
        where own.project_doc_id = $1 and own.place = $2
        """,
        source_id,
        place,
    )


async def read_document_content(queries: Queries, document_id: UUID) -> DocumentContent:
    """Return the text of a document; raise the Problem `not_found` if it is gone."""
    row = await queries.fetch_row_or_404(
        "select blob_id, file_type, content from document where id = $1",
        document_id,
        missing=MISSING_DOCUMENT,
    )
    return DocumentContent(row["blob_id"], row["file_type"], row["content"])
