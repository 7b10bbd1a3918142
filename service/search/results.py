"""What a search shows of the documents that it found: sections, with marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

import orjson

from service.search.marks import Marker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.database import Connection, Row
    from service.search.query import Query
    from service.search.ranking import Found

# The text of the sections at the lines $3 of the parts $2 of the documents $1, and the headings
# above each.
SECTIONS: Final[LiteralString] = """
    with wanted as materialized (
        select * from unnest($1::uuid[], $2::bigint[], $3::bigint[])
            with ordinality as each (document_id, number, line, place)
    ),
    outline as materialized (
        select id, file_path, doc_metadata ->> 'title' as title,
               doc_metadata -> 'headings' as headings, updated_at,
               (doc_metadata -> 'headings') @> jsonb_build_array(
                   jsonb_build_object('text', doc_metadata -> 'title')
               ) as is_heading
        from document
        where id = any($1)
    )
    select place, wanted.document_id::text, line, title, is_heading, file_path,
           outline.updated_at, kind, project_doc.id::text as source_id,
           project_doc.name as source, project.id::text as project_id, project.name as project,
           substr(
               body,
               coalesce(ends[line], 0)::integer + 1,
               (ends[line + 1] - coalesce(ends[line], 0))::integer
           ) as text,
           (
               -- A copy of old code, which writes no parts, may have left the document with fewer.
               select coalesce(jsonb_agg(heading order by step), '[]')
               from string_to_table(document_part.headings[line + 1], ' ')
                   with ordinality as each (number, step)
               cross join lateral (select outline.headings -> nullif(number, '')::integer)
                   as heading_of_part (heading)
               where heading is not null
           )::text as headings
    from wanted
    join outline on outline.id = document_id
    -- Each looked up by its id: of small tables PostgreSQL would else read all.
    cross join lateral (
        select project_doc_id, kind, body, headings, ends
        from document_part
        where document_id = wanted.document_id and number = wanted.number
        offset 0
    ) as document_part
    cross join lateral (
        select id, name, project_id
        from project_doc
        where id = document_part.project_doc_id
        offset 0
    ) as project_doc
    cross join lateral (
        select id, name from project where id = project_doc.project_id offset 0
    ) as project
    order by place
    """


async def read_results(
    connection: Connection, query: Query, documents: Sequence[Found]
) -> list[dict[str, Any]]:
    """Return the documents as a response has them: see schemas/search.py."""
    return _show(query, documents, await _read_sections(connection, documents))


async def _read_sections(connection: Connection, documents: Sequence[Found]) -> list[Row]:
    """Return the rows of the sections to show, in their order."""
    places = [(found.document_id, *place) for found in documents for place in found.sections]
    if not places:
        return []
    ids, numbers, lines = zip(*places, strict=True)
    return await connection.fetch(SECTIONS, ids, numbers, lines)


def _show(query: Query, documents: Sequence[Found], rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the results of the page."""
    marker = Marker(query)
    sections: dict[str, list[Row]] = {}
    for row in rows:
        sections.setdefault(row["document_id"], []).append(row)
    results: list[dict[str, Any]] = []
    for found in documents:
        own = sections.get(str(found.document_id))
        if own is None:  # a document whose row was lost, and its parts not
            continue
        first = own[0]
        results.append(
            {
                "document": {
                    "id": first["document_id"],
                    "title": first["title"],
                    "path": first["file_path"],
                    "kind": first["kind"],
                    "project": {"id": first["project_id"], "name": first["project"]},
                    "source": {"id": first["source_id"], "name": first["source"]},
                    "updated_at": first["updated_at"],
                },
                "score": round(found.score, 3),
                "sections": [_show_section(marker, row) for row in own],
            }
        )
    return results


def _show_section(marker: Marker, row: Row) -> dict[str, Any]:
    headings = [
        {"text": heading["text"], "anchor": heading["anchor"]}
        for heading in orjson.loads(row["headings"])
    ]
    # The title may be one of several headings at the top, which the others are not under.
    if not headings or (headings[0]["text"] != row["title"] and not row["is_heading"]):
        headings.insert(0, {"text": row["title"], "anchor": None})
    # The first line of a part is that of the document: its path was found, or its title.
    snippet = marker.snippet(row["text"] if row["line"] else row["file_path"])
    return {
        "anchor": headings[-1]["anchor"],
        "headings": headings,
        "title": marker.mark(headings[-1]["text"]).html,
        "snippet": snippet.html,
        "snippet_text": snippet.text,
    }
