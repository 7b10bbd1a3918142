"""What a search box completes: the titles and headings that begin with what is typed."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Final, LiteralString, NamedTuple

from service.documents.completions import MAX_FORM, beginning_of, find_beginning
from service.documents.parts import IN_HEADING
from service.documents.words import CJK, read_units, stem

if TYPE_CHECKING:
    from service.database.database import Connection, Row

MAX_SUGGESTIONS: Final = 10

# Titles and headings of one length that are looked for at once.
LENGTHS: Final = 2 * (MAX_FORM + 2)

# More texts than are shown: a title may also be a heading elsewhere.
MAX_TEXTS: Final = 2 * MAX_SUGGESTIONS

# Documents with one text, of which the one that changed last is shown.
MAX_COMPARED: Final = 50

# A shorter word is looked for only where a title or heading begins: too many have one.
SHORTEST_LATER_WORD: Final = 3

# Parts of documents that are looked at for headings that have a later word.
MAX_LOOKED_AT: Final = 300

# The last character in the order of the collation "C".
LAST: Final = "\U0010ffff"

ANYWHERE: Final[LiteralString] = "$3::uuid is null"
OF_PROJECT: Final[LiteralString] = "project_id = $3"
PART_OF_PROJECT: Final[LiteralString] = (
    "project_doc_id = any(array(select id from project_doc where project_id = $3))"
)


class _Text(NamedTuple):
    is_heading: bool
    form: str


async def suggest(
    connection: Connection, typed: str, project_id: str | None
) -> list[dict[str, Any]]:
    """Return the documents with their titles and headings as a response has them.

    Titles come before headings, and shorter ones first; then those that have what is typed at a
    later word. Each text is there once, with a document that has it. The transaction of the
    connection needs the SETTINGS of find.py.
    """
    beginning = beginning_of(typed)
    if not beginning:
        return []
    texts = await _find_beginnings(connection, beginning, project_id)
    if len({text.form for text in texts}) < MAX_SUGGESTIONS:
        texts += await _find_later_words(connection, beginning, project_id)
    if not texts:
        return []
    # A title may be a heading of another document.
    first = {text.form: text for text in reversed(texts)}
    shown = [text for text in texts if first[text.form] is text][:MAX_SUGGESTIONS]
    return _show(await _read_headings(connection, shown, project_id), beginning)


async def _find_beginnings(
    connection: Connection, beginning: str, project_id: str | None
) -> list[_Text]:
    """Return the first titles and headings that begin so."""
    scope = OF_PROJECT if project_id else ANYWHERE
    # Each step reads one entry of the index, however many documents have the same heading.
    some: LiteralString = f"""
        select text
        from document_heading
        where {scope} and (number > 0) = is_heading and char_length(text) = length
            and text < $2
        """
    rows = await connection.fetch(
        f"""
        with of_length as materialized (
            select place, place >= $4 / 2 as is_heading, place % ($4 / 2) as length
            from generate_series(0, $4::integer - 1) as each (place)
            where exists (
                select
                from document_heading
                where {scope} and (number > 0) = (place >= $4 / 2)
                    and char_length(text) = place % ($4 / 2) and text >= $1 and text < $2
            )
            limit $5
        )
        select is_heading, text
        from of_length
        cross join lateral (
            with recursive different as (
                ({some} and text >= $1 order by text limit 1)
                union all
                select next.text
                from different
                cross join lateral (
                    {some} and text > different.text order by text limit 1
                ) as next
            )
            select text from different limit $5
        ) as found
        order by place, text
        limit $5
        """,
        beginning,
        beginning + LAST,
        project_id,
        LENGTHS,
        MAX_TEXTS,
    )
    return [_Text(*row) for row in rows]


async def _find_later_words(
    connection: Connection, beginning: str, project_id: str | None
) -> list[_Text]:
    """Return titles and headings that have what is typed at a later word."""
    tsquery = _words_of_headings(beginning)
    if not tsquery:
        return []
    # Chinese, Japanese and Korean have no blanks between words.
    sequence = beginning if CJK.match(beginning) else f" {beginning}"
    rows = await connection.fetch(
        f"""
        with looked_at as materialized (
            select document_id
            from document_part
            where vector @@ $1::tsquery and {PART_OF_PROJECT if project_id else ANYWHERE}
            limit $4
        )
        select number > 0 as is_heading, text
        from (select distinct document_id from looked_at) as each
        cross join lateral (
            select number, text
            from document_heading
            where document_id = each.document_id
            offset 0  -- so that it is looked up for each document
        ) as heading
        where strpos(text, $2) > 1
        group by is_heading, text
        order by is_heading, char_length(text), text
        limit $5
        """,
        tsquery,
        sequence,
        project_id,
        MAX_LOOKED_AT,
        MAX_TEXTS,
    )
    return [_Text(*row) for row in rows]


def _words_of_headings(beginning: str) -> str:
    """Return the text of a tsquery for the parts whose headings may have what is typed.

    It is empty where too many have.
    """
    lexemes: list[str] = []
    last = ""
    for word in beginning.split():
        for unit in read_units(word):
            forms = [part.form for part in unit.parts]
            if unit.is_cjk and len(forms) > 1:
                forms.pop()  # the last character, which its pair has, too
            lexemes += [f"'{IN_HEADING}{stem(form)}'" for form in forms]
            last = forms[-1]
    if not beginning.endswith(" "):
        lexemes.pop()
        if len(last) >= SHORTEST_LATER_WORD or CJK.match(last):
            # A stem may be shorter than what is typed of its word.
            stems = [last[:length] for length in range(SHORTEST_LATER_WORD, len(last))]
            either = [f"'{IN_HEADING}{last}':*", *[f"'{IN_HEADING}{each}'" for each in stems]]
            lexemes.append(f"({'|'.join(either)})")
    return "&".join(lexemes)


def _only(select: LiteralString) -> LiteralString:
    """Return a join with one row for each row before it, so that the index of its table is used."""
    return f"cross join lateral ({select} limit 1)"


async def _read_headings(
    connection: Connection, texts: list[_Text], project_id: str | None
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
                    and exists (select from document where id = document_id)
                limit $4
            ) as same
            order by (select updated_at from document where id = document_id) desc, document_id
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


def _show(rows: list[Row], beginning: str) -> list[dict[str, Any]]:
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
