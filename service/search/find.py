"""The documents that match a query: found by PostgreSQL, and ranked."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from service.documents.pairs import pairs_in
from service.documents.parts import IN_HEADING, IN_TITLE, OFTEN
from service.search.corrections import Correction, correct
from service.search.query import all_terms, halve_words, some_terms, split_compounds
from service.search.ranking import Candidate, by_document, in_order, rank_document
from service.search.statements import (
    ALL_KEYS,
    CANDIDATES,
    COUNT_MATCHING,
    HAS_PLACE,
    IS_MATCHING,
    KEYS,
    PARTS_OF_DOCUMENT,
    SUMMARY,
    Arguments,
    Filters,
    best_parts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.database.database import Connection, Row
    from service.search.query import Query
    from service.search.ranking import Found

# Parts that are counted and grouped. Beyond them `total` is not exact.
MAX_MATCHES: Final = 10_000

# Parts whose rank is computed. Further documents come after theirs, in the order of their ids.
MAX_RANKED: Final = 32

# Documents whose rank is computed in one go, in which the worker does nothing else.
DOCUMENTS_IN_TURN: Final = 4

# Where more match, those are ranked that have most terms in headings or often: of so many parts for
# each term, and of so many terms.
MAX_PREFERRED: Final = 1_000
MAX_PREFERRED_TERMS: Final = 6

# Parts with the words of a phrase that are read for it first. To read 1,000 takes 20 ms, so all are
# read only where too few of these have it.
MAX_READ: Final = 1_000

# So many where the pairs of a phrase are known: of most parts these say that it is not there.
MAX_READ_BY_PAIRS: Final = 200_000

# With fewer documents that have all words in one section, those without one of them are found, too.
ENOUGH: Final = 5

# With this many documents or fewer, words that no document has are corrected.
NEXT_TO_NOTHING: Final = 2

# A search that has taken so long finds what it has found.
SECONDS_TO_ASK_FOR_LESS: Final = 0.5


class Result(NamedTuple):
    """What a query found.

    `query` is the corrected one, and `arguments` are those of the statements. `documents` counts
    those that match and `parts` their parts, of those that were read: of all, if `is_read_whole`.
    `projects` and `kinds` are the facets as JSON. `ranked` has the documents whose rank was
    computed, best first. `lacking` is how many terms might lack, at most.
    """

    query: Query
    corrections: list[Correction]
    arguments: Arguments
    is_read_whole: bool
    parts: int
    documents: int
    projects: str
    kinds: str
    ranked: list[Found]
    lacking: int = 0

    @property
    def full(self) -> int:
        """The number of documents that have all terms in one section."""
        return sum(found.has_all for found in self.ranked)

    @property
    def is_ranked_whole(self) -> bool:
        """Whether the rank of all documents that match was computed."""
        return self.is_read_whole and self.parts <= MAX_RANKED

    @property
    def total(self) -> int:
        """The number of documents that match."""
        return len(self.ranked) if self.is_ranked_whole else self.documents

    @property
    def is_exact(self) -> bool:
        """Whether `total` is exact."""
        if not self.is_read_whole:
            return False
        # Only of ranked documents it is known what an alternative excludes, whether the parts of
        # its compounds are side by side, and, unless a statement looked for them, its phrases.
        has_sequences = self.arguments.sequences is not None
        return self.is_ranked_whole or not (
            any(each.excluded for each in self.query.alternatives)
            or (not has_sequences and any(term.required for term in self.query.terms))
            or any(term.is_loose for term in self.query.terms)
        )


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
        return Result(query, [], arguments, True, 0, 0, "[]", "[]", [])
    started = time.monotonic()
    as_written = query.as_written()
    result = await _run(connection, as_written, filters, lacking=0)
    if as_written != query and result.total < ENOUGH:
        result = await _run(connection, query, filters, lacking=0)
    if result.total < ENOUGH and (halved := halve_words(query)) != query:
        query = halved
        result = await _run(connection, query, filters, lacking=0)
    corrections: list[Correction] = []
    if result.total <= NEXT_TO_NOTHING:
        query, corrections = await correct(connection, query)
        if corrections:
            result = await _run(connection, query, filters, lacking=0)
    if not result.total and (split := split_compounds(query)) != query:
        query = split
        result = await _run(connection, query, filters, lacking=0)
    terms = max(len(each.terms) for each in query.alternatives)
    for lacking in range(1, terms):
        # Of two words one may lack, and of more than two words most, where nothing else is found.
        if terms == 2 or lacking > terms // 2:
            is_enough = result.total > 0
        else:
            is_enough = (result.full if lacking == 1 else result.total) >= ENOUGH
        if most_lacking is None:
            is_late = time.monotonic() - started > SECONDS_TO_ASK_FOR_LESS
        else:  # as the page before, however long that took, since the order may be another
            is_late = lacking > most_lacking
        if is_enough or is_late:
            break
        result = await _run(connection, query, filters, lacking=lacking)
    result = result._replace(corrections=corrections)
    if result.is_ranked_whole and len(result.ranked) < result.documents:
        return await _count_ranked(connection, result)
    return result


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


def _sequences(query: Query, *, of_compounds: bool = False) -> list[str] | None:
    """Return what the tokens of each match must have; None where that depends on the alternative.

    Each is a text of sequences, one a line, of which any is enough. The rank of a part looks for
    these sequences, too.
    """
    if len(query.alternatives) > 1:
        return None
    required = [
        term.required or "\n".join((*term.exact, *term.loose))
        for term in query.terms
        if term.required or (of_compounds and len(term.forms) > 1)
    ]
    return required or None


def _pairs(query: Query, sequences: list[str] | None) -> tuple[int | None, int | None, int | None]:
    """Return three pairs of tokens that each match has beside each other, if there is one."""
    if sequences is None:
        return (None, None, None)
    numbers = [number for term in query.terms for number in pairs_in(term.required)]
    if not numbers:
        return (None, None, None)
    return (numbers[0], numbers[len(numbers) // 2], numbers[-1])


async def _run(connection: Connection, query: Query, filters: Filters, *, lacking: int) -> Result:
    tsquery = some_terms(query, lacking) if lacking else all_terms(query)
    sequences = None if lacking else _sequences(query)
    if sequences is None:
        result = await _run_within(connection, query, filters, tsquery, None, MAX_MATCHES, lacking)
        if lacking or result.is_ranked_whole or len(result.ranked) >= ENOUGH:
            return result
        # Many parts have the words of a compound, and the best of them not side by side.
        sequences = _sequences(query, of_compounds=True)
        if sequences is None:
            return result
    result = await _run_within(connection, query, filters, tsquery, sequences, MAX_READ, 0)
    if result.is_read_whole or result.documents >= ENOUGH:
        return result
    most = MAX_MATCHES if _pairs(query, sequences)[0] is None else MAX_READ_BY_PAIRS
    return await _run_within(connection, query, filters, tsquery, sequences, most, 0)


async def _run_within(
    connection: Connection,
    query: Query,
    filters: Filters,
    tsquery: str,
    sequences: list[str] | None,
    most: int,
    lacking: int,
) -> Result:
    """Return what a query finds in the first `most` parts that have the words."""
    arguments = Arguments(tsquery, *filters, sequences, most, _pairs(query, sequences))
    preferred = _preferred(query, is_lacking=lacking > 0)
    best = (MAX_RANKED, [*preferred], [*preferred.values()], MAX_PREFERRED)
    if sequences is not None:
        found = await _find_at_once(
            connection, filters, arguments, KEYS, filters.count_read(), (MAX_RANKED,)
        )
    elif any(term.prefix for term in query.terms):
        found = await _find_at_once(
            connection,
            filters,
            arguments,
            best_parts(IS_MATCHING, HAS_PLACE),
            COUNT_MATCHING,
            best,
        )
    else:
        found = await _find_counted(connection, filters, arguments, best)
    return Result(
        query,
        [],
        arguments,
        found.read < most,
        found.summary["parts"],
        found.summary["documents"],
        found.summary["projects"],
        found.summary["kinds"],
        await _rank(query, found.rows),
        lacking,
    )


class _FoundParts(NamedTuple):
    """A SUMMARY, how many parts were read for it, and CANDIDATES."""

    summary: Row
    read: int
    rows: Sequence[Row]


async def _find_at_once(
    connection: Connection,
    filters: Filters,
    arguments: Arguments,
    keys: LiteralString,
    count_read: LiteralString,
    others: Sequence[object],
) -> _FoundParts:
    """Count the parts and choose those to rank in one statement, since they take long to find."""
    summary = await connection.fetch_row(
        f"""
        with {filters.matching(arguments)}, {keys}, {SUMMARY},
            {count_read} as read,
            (select array_agg(document_id) from keys) as documents_of_keys,
            (select array_agg(number) from keys) as numbers_of_keys
        """,
        *arguments.values(),
        *others,
    )
    assert summary is not None
    rows = await connection.fetch(
        f"""
        with keys as (
            select * from unnest($1::uuid[], $2::bigint[]) as each (document_id, number)
        )
        {CANDIDATES}
        """,
        summary["documents_of_keys"],
        summary["numbers_of_keys"],
    )
    return _FoundParts(summary, summary["read"], rows)


async def _find_counted(
    connection: Connection, filters: Filters, arguments: Arguments, best: Sequence[object]
) -> _FoundParts:
    """Count the parts, and then choose those to rank; `best` are arguments of `best_parts`."""
    matching = filters.matching(arguments)
    summary = await connection.fetch_row(f"with {matching}, {SUMMARY}", *arguments.values())
    assert summary is not None
    if summary["parts"] > MAX_RANKED:
        keys = best_parts(filters.condition(), f"place <= {PARTS_OF_DOCUMENT}")
        rows = await connection.fetch(
            f"with {matching}, {keys} {CANDIDATES}", *arguments.values(), *best
        )
    elif summary["parts"]:
        rows = await connection.fetch(
            f"with {matching}, {ALL_KEYS} {CANDIDATES}", *arguments.values()
        )
    else:
        rows = []
    return _FoundParts(summary, summary["parts"], rows)


def _preferred(query: Query, *, is_lacking: bool) -> dict[str, int]:
    """Return tsqueries for the parts that are likely to rank high, with a weight of each."""
    weights = {all_terms(query, IN_TITLE): 3}
    if is_lacking:
        weights[all_terms(query)] = 2 * len(query.terms)
    for term in query.terms[:MAX_PREFERRED_TERMS]:
        weights[term.tsquery(IN_HEADING)] = 2
        weights[term.tsquery(OFTEN)] = 1
    return weights


async def _rank(query: Query, rows: Sequence[Row]) -> list[Found]:
    """Return the documents that match, best first."""
    ranked: list[Found] = []
    for number, parts in enumerate(by_document([Candidate(*row) for row in rows])):
        found = rank_document(query, parts)
        if found is not None:
            ranked.append(found)
        if number % DOCUMENTS_IN_TURN == 0:
            await asyncio.sleep(0)  # other requests, such as those for health, come between
    return in_order(ranked)


async def read_page(
    connection: Connection, result: Result, filters: Filters, offset: int, limit: int
) -> list[Found]:
    """Return the documents of the page."""
    ranked = result.ranked
    documents = ranked[offset : offset + limit]
    missing = limit - len(documents)
    if not missing or result.is_ranked_whole:
        return documents
    matching = filters.matching(result.arguments)
    rows = await connection.fetch(
        f"""
        with {matching},
        further as (
            select distinct document_id
            from matching
            where document_id <> all($11::uuid[])
            order by document_id
            offset $12
            limit $13
        ),
        keys as (
            select document_id, number
            from (
                select document_id, number,
                       row_number() over (partition by document_id order by number) as place
                from matching
                where document_id in (select document_id from further)
            ) as candidate
            where place <= {PARTS_OF_DOCUMENT}
        )
        {CANDIDATES}
        """,
        *result.arguments.values(),
        [found.document_id for found in ranked],
        max(0, offset - len(ranked)),
        missing,
    )
    further = await _rank(result.query, rows)
    return [*documents, *sorted(further, key=lambda found: found.document_id.bytes)]
