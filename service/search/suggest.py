"""What a search box completes: the titles and headings that begin with what is typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, LiteralString

from service.documents.completions import MAX_FORM, beginning_of
from service.documents.parts import IN_HEADING
from service.documents.words import CJK, read_units, stem
from service.search.statements import NOT_REMOVED
from service.search.suggested import (
    ANYWHERE,
    MAX_COMPARED,
    OF_PROJECT,
    SuggestedText,
    read_headings,
    show_suggestions,
)

if TYPE_CHECKING:
    from service.database.database import Connection

MAX_SUGGESTIONS: Final = 10

# The lengths that a form may have, for titles and for headings: the index has the length before the
# text, so each is looked up by itself.
LENGTHS: Final = 2 * (MAX_FORM + 2)

# More texts than are shown: a title may also be a heading elsewhere.
MAX_TEXTS: Final = 2 * MAX_SUGGESTIONS

# Texts of one length that are looked at. Those of deleted sources are removed some seconds later.
MAX_STEPS: Final = 200

# A shorter word is looked for only where a title or heading begins: too many have one.
SHORTEST_LATER_WORD: Final = 3

# Parts of documents that are looked at for headings that have a later word.
MAX_LOOKED_AT: Final = 300

# The last character in the order of the collation "C".
LAST: Final = "\U0010ffff"

# `is true`, so that PostgreSQL uses the index on words, and not that on sources.
PART_OF_PROJECT: Final[LiteralString] = (
    "(project_doc_id = any(array(select id from project_doc where project_id = $3))) is true"
)


async def suggest(
    connection: Connection, typed: str, project_id: str | None
) -> list[dict[str, Any]]:
    """Return the documents with their titles and headings as a response has them.

    Titles come before headings, and shorter ones first; then those that have what is typed at a
    later word. Each text is there once, with a document that has it. The transaction of the
    connection needs the SETTINGS of statements.py.
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
    return show_suggestions(await read_headings(connection, shown, project_id), beginning)


async def _find_beginnings(
    connection: Connection, beginning: str, project_id: str | None
) -> list[SuggestedText]:
    """Return the first titles and headings that begin so."""
    scope = OF_PROJECT if project_id else ANYWHERE
    # Each step reads one entry of the index, however many documents have the same heading.
    of_length: LiteralString = (
        f"{scope} and (number > 0) = is_heading and char_length(text) = length"
    )
    next_text: LiteralString = f"select text from document_heading where {of_length} and text < $2"
    rows = await connection.fetch(
        f"""
        with of_length as materialized (
            select place, place >= $4 / 2 as is_heading, place % ($4 / 2) as length
            from generate_series(0, $4::integer - 1) as each (place)
            -- Of `exists` PostgreSQL may make a join, which reads all headings that begin so.
            where (
                select true
                from document_heading
                where {scope} and (number > 0) = (place >= $4 / 2)
                    and char_length(text) = place % ($4 / 2) and text >= $1 and text < $2
                limit 1
            )
            limit $5
        )
        select is_heading, text
        from of_length
        cross join lateral (
            with recursive different as (
                ({next_text} and text >= $1 order by text limit 1)
                union all
                select next.text
                from different
                cross join lateral (
                    {next_text} and text > different.text order by text limit 1
                ) as next
            )
            select text
            from (select text from different limit $6) as different
            where exists (
                select
                from (
                    select document_id
                    from document_heading
                    where {of_length} and text = different.text
                    limit $7
                ) as same
                where (select true from document where id = same.document_id)
            )
            limit $5
        ) as found
        order by place, text
        limit $5
        """,
        beginning,
        beginning + LAST,
        project_id,
        LENGTHS,
        MAX_TEXTS,
        MAX_STEPS,
        MAX_COMPARED,
    )
    return [SuggestedText(*row) for row in rows]


async def _find_later_words(
    connection: Connection, beginning: str, project_id: str | None
) -> list[SuggestedText]:
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
            where vector @@ $1::tsquery and {NOT_REMOVED}
                and {PART_OF_PROJECT if project_id else ANYWHERE}
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
    return [SuggestedText(*row) for row in rows]


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
