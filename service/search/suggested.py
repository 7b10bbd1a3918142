"""What a suggestion shows: a document that has the text, its anchor, and marks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

from service.documents.completions import find_beginning

if TYPE_CHECKING:
    from service.database.database import Connection, Row

# Documents with one text, of which the one that changed last is shown.
MAX_COMPARED: Final = 50

ANYWHERE: Final[LiteralString] = "$3::uuid is null"
OF_PROJECT: Final[LiteralString] = "project_id = $3"


class SuggestedText(NamedTuple):
    """The form of a title or of a heading: see documents/completions.py."""

    is_heading: bool
    form: str


def _only(select: LiteralString) -> LiteralString:
    """Return a join with one row for each row before it, so that the index of its table is used."""
    return f"cross join lateral ({select} limit 1)"


async def read_headings(
    connection: Connection, texts: list[SuggestedText], project_id: str | None
) -> list[Row]:
    """Return a row for each text: its heading in a document that has it."""
    return await connection.fetch(
        f"""
        select chosen.document_id::text, doc_metadata ->> 'title' as title, file_path, kind,
               project_id, project, source_id, source,
               coalesce(heading ->> 'text', doc_metadata ->> 'title') as text,
               heading ->> 'anchor' as anchor
        from unnest($1::boolean[], $2::text[]) with ordinality as wanted (is_heading, text, place)
        {
            _only(f'''
            select document_id, number
            from (
                select document_id, number
                from document_heading
                where {OF_PROJECT if project_id else ANYWHERE}
                    and (number > 0) = wanted.is_heading
                    and char_length(text) = char_length(wanted.text) and text = wanted.text
                    -- The headings of a deleted source are removed some seconds later.
                    and (select true from document where id = document_id)
                limit $4
            ) as same
            order by (select updated_at from document where id = document_id) desc nulls last,
                     document_id
            ''')
        } as chosen
        {
            _only('''
            select project_doc_id, file_path, doc_metadata
            from document
            where id = chosen.document_id
            ''')
        } as document
        {
            _only('''
            select kind
            from document_part
            where document_id = chosen.document_id and number = 0
            ''')
        } as part
        {
            _only('''
            select id::text as source_id, name as source, project_doc.project_id as of_project
            from project_doc
            where id = document.project_doc_id
            ''')
        } as project_doc
        {
            _only('''
            select id::text as project_id, name as project from project where id = of_project
            ''')
        } as project
        -- Of a title, the first heading that is the same.
        left join lateral (
            select heading
            from jsonb_array_elements(doc_metadata -> 'headings')
                with ordinality as each (heading, number)
            where number = chosen.number
                or chosen.number = 0 and heading ->> 'text' = doc_metadata ->> 'title'
            order by number
            limit 1
        ) as own on true
        order by place
        """,
        [text.is_heading for text in texts],
        [text.form for text in texts],
        project_id,
        MAX_COMPARED,
    )


def show_suggestions(rows: list[Row], beginning: str) -> list[dict[str, Any]]:
    """Return the documents with their headings as a response has them: see schemas/search.py."""
    suggestions: dict[str, dict[str, Any]] = {}
    for row in rows:
        document = {
            "id": row["document_id"],
            "title": row["title"],
            "path": row["file_path"],
            "kind": row["kind"],
            "project": {"id": row["project_id"], "name": row["project"]},
            "source": {"id": row["source_id"], "name": row["source"]},
        }
        suggestion = suggestions.setdefault(
            row["document_id"], {"document": document, "headings": []}
        )
        suggestion["headings"].append(
            {
                "text": row["text"],
                "anchor": row["anchor"],
                "marked": _mark(row["text"], beginning),
            }
        )
    return [*suggestions.values()]


def _mark(text: str, beginning: str) -> str:
    place = find_beginning(text, beginning)
    if place is None:
        return html.escape(text)
    start, end = place
    before, match, after = text[:start], text[start:end], text[end:]
    return f"{html.escape(before)}<mark>{html.escape(match)}</mark>{html.escape(after)}"
