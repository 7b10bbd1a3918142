"""Corrections of misspelt words, by the vocabulary of all documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.vocabulary import closest, is_correctable, transpositions
from service.search.query import corrected, replace_terms, word_term

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.database import Connection
    from service.search.query import Query, Term

# Words of the vocabulary that are compared with a misspelt one.
MAX_SIMILAR: Final = 100

# Parts that are counted of a word: more do not make it a likelier correction.
MAX_COUNTED: Final = 100


class Correction(NamedTuple):
    """A word that no document has, and the one that it was probably meant for."""

    word: str
    meant: str


async def correct(connection: Connection, query: Query) -> tuple[Query, list[Correction]]:
    """Return the query with words that documents have in place of those that none has.

    Returns the corrections, too.
    """
    # A compound that no document has may have a misspelt part.
    counts = await _count(connection, [term for term in query.terms if term.forms])
    parts = {
        term: [word_term(form) for form in term.forms]
        for term, count in counts.items()
        if not count and len(term.forms) > 1
    }
    words = [term for term in counts if len(term.forms) == 1]
    counts |= await _count(connection, [word for each in parts.values() for word in each])
    words += [word for each in parts.values() for word in each]
    meant: dict[Term, Term] = {}
    corrections: list[Correction] = []
    for word in words:
        form = word.forms[0]
        if not counts[word] and is_correctable(form):
            similar = await _most_similar(connection, form)
            if similar is not None:
                meant[word] = corrected(word, similar)
                corrections.append(Correction(form, similar))
    replaced = {term: [term] for term in meant} | parts
    terms = {
        term: [meant.get(each, each) for each in terms]
        for term, terms in replaced.items()
        if any(each in meant for each in terms)
    }
    return replace_terms(query, terms), corrections


async def _count(connection: Connection, terms: Sequence[Term]) -> dict[Term, int]:
    """Return how many parts have each term, up to MAX_COUNTED."""
    rows = await connection.fetch(
        """
        select (
            select count(*)
            from (
                select from document_part where vector @@ wanted.query::tsquery limit $2
            ) as some_parts
        ) as count
        from unnest($1::text[]) with ordinality as wanted (query, place)
        order by place
        """,
        [term.tsquery() for term in terms],
        MAX_COUNTED,
    )
    return {term: row["count"] for term, row in zip(terms, rows, strict=True)}


async def _most_similar(connection: Connection, form: str) -> str | None:
    """Return the word that documents have and that a misspelt one was meant for, or None."""
    await connection.execute("set local pg_trgm.similarity_threshold = 0.2")
    rows = await connection.fetch(
        """
        select word
        from vocabulary
        where word % $1 or word = any($2::text[])
        order by word = any($2::text[]) desc, similarity(word, $1) desc, word
        limit $3
        """,
        form,
        transpositions(form),
        MAX_SIMILAR,
    )
    # The vocabulary also has words of documents that are gone.
    terms = [word_term(word) for word in closest(form, [row["word"] for row in rows])]
    counts = await _count(connection, terms)
    best = max(counts, key=counts.__getitem__, default=None)
    return best.forms[0] if best and counts[best] else None
