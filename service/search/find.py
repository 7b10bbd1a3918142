"""A search: it looks for what was asked, and if that is little, for other words or for less."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from service.search.corrections import correct
from service.search.matches import ENOUGH, Result, look_for
from service.search.query import MAX_TERMS, halve_words, split_compounds
from service.search.ranking import Candidate, rank_documents
from service.search.statements import (
    CANDIDATES,
    PARTS_OF_DOCUMENT,
    SUMMARY,
    Arguments,
    Preference,
    weighed_parts,
)

if TYPE_CHECKING:
    from service.database.database import Connection
    from service.search.corrections import Correction
    from service.search.query import Query
    from service.search.ranking import Found
    from service.search.statements import Filters

# With this many documents or fewer, words that no document has are corrected.
NEXT_TO_NOTHING: Final = 2

# A search that has taken so long finds what it has found.
SECONDS_TO_ASK_FOR_LESS: Final = 0.5


async def find(
    connection: Connection, query: Query, filters: Filters, most_lacking: int | None = None
) -> Result:
    """Return what the query found.

    Compounds and words of Chinese, Japanese or Korean are looked for as they are written, and by
    their parts if that is too little. While it still is, words are corrected, and then one word
    after the other may lack: up to as many as on the page before, or on the first page, until the
    search has taken long. The transaction of the connection needs the SETTINGS of statements.py.
    """
    if not query.alternatives:
        arguments = Arguments("", *filters, None, 0)
        preference = Preference(0, [], [], 0)
        return Result(query, [], arguments, True, 0, 0, "[]", "[]", [], [], preference, "true")
    started = time.monotonic()
    result, query, corrections = await _find_all_terms(connection, query, filters)
    terms = max(len(each.terms) for each in query.alternatives)
    for lacking in range(1, min(terms, MAX_TERMS)):
        if most_lacking is None:
            is_last = time.monotonic() - started > SECONDS_TO_ASK_FOR_LESS
        else:  # as the page before, however long that took, since the order may be another
            is_last = lacking > most_lacking
        if is_last or _is_enough(result, lacking, terms):
            break
        result = await look_for(connection, query, filters, lacking)
    result = result._replace(corrections=corrections)
    if result.is_ranked_whole and len(result.ranked) < result.documents:
        return await _count_ranked(connection, result)
    return result


async def _find_all_terms(
    connection: Connection, query: Query, filters: Filters
) -> tuple[Result, Query, list[Correction]]:
    """Return what has all terms, the query of which terms may lack next, and its corrections."""
    as_written = query.as_written()
    result = await look_for(connection, as_written, filters)
    if as_written != query and result.total < ENOUGH:
        result = await look_for(connection, query, filters)
    if result.total < ENOUGH and (halved := halve_words(query)) != query:
        query = halved
        result = await look_for(connection, query, filters)
    corrections: list[Correction] = []
    if result.total <= NEXT_TO_NOTHING:
        query, corrections = await correct(connection, query, filters)
        if corrections:
            result = await look_for(connection, query, filters)
    if not result.total and (split := split_compounds(query)) != query:
        query = split
        result = await look_for(connection, query, filters)
    return result, query, corrections


def _is_enough(result: Result, lacking: int, terms: int) -> bool:
    """Return whether documents that lack so many of the terms need not be looked for."""
    # Of two words one may lack, and of more than two words most, where nothing else is found.
    if terms == 2 or lacking > terms // 2:
        return result.total > 0
    return (result.full if lacking == 1 else result.total) >= ENOUGH


async def _count_ranked(connection: Connection, result: Result) -> Result:
    """Return the result with the facets of the ranked documents, of which its lexemes find more."""
    summary = await connection.fetch_row(
        f"""
        with matching as materialized (
            select document_id, project_doc_id, kind, is_only
            from document_part
            where document_id = any($1::uuid[])
        ),
        {SUMMARY}
        """,
        [found.document_id for found in result.ranked],
    )
    assert summary is not None
    return result._replace(projects=summary["projects"], kinds=summary["kinds"])


async def read_page(
    connection: Connection, result: Result, filters: Filters, offset: int, limit: int
) -> list[Found]:
    """Return the documents of the page."""
    ranked = result.ranked
    documents = ranked[offset : offset + limit]
    missing = limit - len(documents)
    if not missing or result.is_ranked_whole or offset + limit - missing >= result.total:
        return documents
    rows = await connection.fetch(
        f"""
        with {filters.matching(result.arguments)}, {weighed_parts(result.condition, "$7")},
        further as (
            select document_id, max(weight) as weight
            from placed
            -- PostgreSQL asks for the type of $11, which not every condition has.
            where document_id <> all($15::uuid[]) and $11::bigint is not null
            group by document_id
            order by max(weight) desc, document_id
            offset $16
            limit $17
        ),
        keys as (
            select document_id, number
            from placed
            where document_id in (select document_id from further) and place <= {PARTS_OF_DOCUMENT}
        )
        select candidate.*, further.weight
        from ({CANDIDATES}) as candidate
        join further using (document_id)
        """,
        *result.arguments.values(),
        *result.preference,
        result.candidates,
        max(0, offset - len(ranked)),
        missing,
    )
    weights = {row["document_id"]: row["weight"] for row in rows}
    candidates = [Candidate(*row[:4]) for row in rows]
    further = await rank_documents(result.query, candidates)
    further.sort(key=lambda found: (-weights[found.document_id], found.document_id.bytes))
    return [*documents, *further]
