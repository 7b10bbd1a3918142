"""How documents write a word: the index has create_pool also as one word, which nobody wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from service.documents.words import NOT_IN_WORD, fold, read_units

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from service.database.database import Connection
    from service.search.statements import Filters

# Parts of which the texts are read for a word.
MAX_PARTS: Final = 3


async def read_spellings(
    connection: Connection, forms: Sequence[str], filters: Filters
) -> list[str]:
    """Return each form as a person would type it: that of a compound as a document writes it.

    The documents are those within the filters.
    """
    rows = await connection.fetch(
        f"""
        with part as materialized (
            select place, document_id, body, headings
            from unnest($1::text[]) with ordinality as wanted (form, place)
            cross join lateral (
                select document_id, body, headings
                from document_part
                where vector @@ quote_literal(form)::tsquery and {filters.limits()}
                limit $6
            ) as found
        ),
        outline as materialized (
            select id, file_path, doc_metadata ->> 'title' as title,
                   doc_metadata -> 'headings' as headings
            from document
            where id = any(array(select document_id from part))
        )
        select place, file_path, title, body, array(
            select heading ->> 'text'
            from (
                select distinct number
                from string_to_table(array_to_string(part.headings, ' '), ' ') as each (number)
            ) as of_part
            cross join lateral (select outline.headings -> nullif(number, '')::integer)
                as heading_of_part (heading)
            -- A copy of old code, which writes no parts, may have left the document with fewer.
            where heading is not null
        ) as headings
        from part
        join outline on outline.id = document_id
        order by place, document_id
        """,
        forms,
        *filters,
        MAX_PARTS,
    )
    texts: list[list[str]] = [[] for _ in forms]
    for place, path, title, body, headings in rows:
        texts[place - 1] += [body, *headings, title, path]
    return [find_spelling(form, each) for form, each in zip(forms, texts, strict=True)]


def find_spelling(form: str, texts: Iterable[str]) -> str:
    """Return the form if one of the texts has it as a word, or else how a compound is written.

    Also returns the form if no text has it at all.
    """
    spelling = form
    for text in texts:
        for chunk in text.split():
            if form not in NOT_IN_WORD.sub("", fold(chunk)):
                continue
            for unit in read_units(chunk):
                if any(word.form == form for word in unit.parts):
                    return form
                if spelling == form:
                    spelling = next(
                        (chunk[word.start : word.end] for word in unit.joined if word.form == form),
                        form,
                    )
    return spelling
