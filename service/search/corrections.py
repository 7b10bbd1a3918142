"""Corrections of misspelt words, by the vocabulary of all documents."""

from __future__ import annotations

from itertools import islice, product
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.vocabulary import (
    closest,
    is_correctable,
    least_similarity,
    most_errors,
    transpositions,
)
from service.documents.words import STOP_WORDS
from service.search.query import all_terms, replace_terms
from service.search.spelling import read_spellings
from service.search.terms import corrected, word_term

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.database.database import Connection
    from service.search.query import Query
    from service.search.statements import Filters
    from service.search.terms import Term

# Words of a query that are corrected: the first ones. Each takes up to 20 ms.
MAX_CORRECTED: Final = 8

# A lower similarity is not looked for: the words of a large vocabulary would take too long to find.
LEAST_SIMILARITY: Final = 0.2

# Words of the vocabulary that have enough trigrams of a misspelt one to be compared with it, and
# the most similar of them, whose errors are counted. Of 120,000 words about 1,000 are compared; a
# repository may have any number of words that are alike.
MAX_COMPARED: Final = 5_000
MAX_SIMILAR: Final = 100

# Words that a misspelt one may be meant for, and choices of one for each: of these the choice is
# made whose words occur together most.
MAX_MEANT: Final = 3
MAX_CHOICES: Final = 27

# Parts that are counted of a word: more do not make it a likelier correction.
MAX_COUNTED: Final = 100


class Correction(NamedTuple):
    """A word that no document has, and the one that it was probably meant for.

    `meant` is for people: of a compound it is what a document has, such as prd.md.
    """

    word: str
    meant: str


async def correct(
    connection: Connection, query: Query, filters: Filters
) -> tuple[Query, list[Correction]]:
    """Return the query with words that documents have in place of those that none has.

    Returns the corrections, too. The documents are those within the filters.
    """
    terms = [term for term in query.terms if term.forms or term.is_beginning]
    counts = dict(zip(terms, await _count(connection, terms, filters), strict=True))
    # A compound that no document has may have a misspelt part.
    parts = {
        term: [word_term(form) for form in term.forms if form not in STOP_WORDS]
        for term, count in counts.items()
        if not count and len(term.forms) > 1
    }
    words = [term for term, count in counts.items() if not count and len(term.forms) < 2]
    of_parts = [word for each in parts.values() for word in each]
    counts = dict(zip(of_parts, await _count(connection, of_parts, filters), strict=True))
    words += [word for word, count in counts.items() if not count]
    options: dict[Term, list[str]] = {}
    correctable = [word for word in dict.fromkeys(words) if is_correctable(word.form)]
    for word in correctable[:MAX_CORRECTED]:
        if similar := await _similar(connection, word.form, filters):
            options[word] = similar
    choices = [
        dict(zip(options, chosen, strict=True))
        for chosen in islice(product(*options.values()), MAX_CHOICES)
    ]
    if not options:
        return query, []
    queries = [_replace(query, parts, choice) for choice in choices]
    together = await _count_queries(connection, [all_terms(each) for each in queries], filters)
    best = max(range(len(choices)), key=together.__getitem__)
    chosen = choices[best]
    spellings = await read_spellings(connection, [*chosen.values()], filters)
    corrections = [
        Correction(word.form, spelling) for word, spelling in zip(chosen, spellings, strict=True)
    ]
    return queries[best], corrections


def _replace(
    query: Query, parts: Mapping[Term, Sequence[Term]], choice: Mapping[Term, str]
) -> Query:
    meant = {word: corrected(word, form) for word, form in choice.items()}
    of_compounds = {
        compound: [meant.get(word, word) for word in words]
        for compound, words in parts.items()
        if any(word in meant for word in words)
    }
    return replace_terms(query, {word: [term] for word, term in meant.items()} | of_compounds)


async def _count(connection: Connection, terms: Sequence[Term], filters: Filters) -> list[int]:
    return await _count_queries(connection, [term.tsquery() for term in terms], filters)


async def _count_queries(
    connection: Connection, queries: Sequence[str], filters: Filters
) -> list[int]:
    """Return how many parts match each tsquery, up to MAX_COUNTED."""
    if not queries:
        return []
    rows = await connection.fetch(
        f"""
        select (
            select count(*)
            from (
                select
                from document_part
                where vector @@ wanted.query::tsquery and {filters.limits()}
                limit $6
            ) as some_parts
        ) as count
        from unnest($1::text[]) with ordinality as wanted (query, place)
        order by place
        """,
        queries,
        *filters,
        MAX_COUNTED,
    )
    return [row["count"] for row in rows]


async def _similar(connection: Connection, form: str, filters: Filters) -> list[str]:
    """Return up to MAX_MEANT words that documents have and a misspelt one may be meant for.

    The most frequent one comes first.
    """
    rejected: set[str] = set()
    for errors in range(1, most_errors(form) + 1):
        similar = await _read_similar(connection, form, errors)
        similar = [word for word in similar if word not in rejected]
        while words := closest(form, similar, errors):
            counts = await _count(connection, [word_term(word) for word in words], filters)
            found = sorted(zip(counts, words, strict=True), key=lambda each: -each[0])
            if meant := [word for count, word in found if count]:
                return meant[:MAX_MEANT]
            # Words of documents that are gone, or that the filters leave out.
            rejected.update(words)
            similar = [word for word in similar if word not in rejected]
    return []


async def _read_similar(connection: Connection, form: str, errors: int) -> list[str]:
    """Return similar words of the vocabulary; they include those with up to so many errors."""
    await connection.execute(
        "select set_config('pg_trgm.similarity_threshold', $1, true)",
        str(max(LEAST_SIMILARITY, least_similarity(form, errors))),
    )
    # Without these scans, which would compare every word: those of a small table always, and of a
    # large one since few are wanted.
    await connection.execute(
        "set local enable_indexscan = off; set local enable_indexonlyscan = off"
    )
    rows = await connection.fetch(
        """
        select word
        from (
            (select word from vocabulary where word % $1 limit $3)
            union
            select word from vocabulary where word = any($2::text[])
        ) as compared
        order by word = any($2::text[]) desc, similarity(word, $1) desc, word
        limit $4
        """,
        form,
        transpositions(form),
        MAX_COMPARED,
        MAX_SIMILAR,
    )
    await connection.execute("set local enable_indexscan = on; set local enable_indexonlyscan = on")
    return [row["word"] for row in rows]
