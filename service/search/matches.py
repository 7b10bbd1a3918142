"""The documents that match the terms of a query: parts found by PostgreSQL, counted, and ranked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, LiteralString, NamedTuple

from service.documents.pairs import pairs_in
from service.documents.parts import IN_HEADING, IN_TITLE, OFTEN
from service.search.query import all_terms, some_terms
from service.search.ranking import Candidate, rank_documents
from service.search.statements import (
    ALL_KEYS,
    CANDIDATES,
    COUNT_MATCHING,
    HAS_PLACE,
    IS_MATCHING,
    OF_WORDS_AND_MATCHING,
    PARTS_OF_DOCUMENT,
    SUMMARY,
    Arguments,
    Filters,
    Preference,
    best_parts,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from service.database.database import Connection, Row
    from service.search.corrections import Correction
    from service.search.query import Query
    from service.search.ranking import Found

# Parts that are counted and grouped. Beyond them `total` is not exact.
MAX_MATCHES: Final = 10_000

# Parts whose rank is computed. Further documents follow, ordered by the weights that chose these.
MAX_RANKED: Final = 32

# If more parts match, weighted tsqueries choose which are ranked: all terms in the title, and each
# of the first MAX_PREFERRED_TERMS in headings and often. Of each, MAX_PREFERRED parts are read.
MAX_PREFERRED: Final = 1_000
MAX_PREFERRED_TERMS: Final = 6

# Parts with the words of a phrase whose tokens are read for it first. To read 1,000 takes 20 ms, so
# more are read only where too few of these have it.
MAX_READ: Final = 1_000

# So many if the phrase has pairs of tokens: of most parts these say, unread, that it is not there.
MAX_READ_BY_PAIRS: Final = 200_000

# Documents that are enough: with fewer, parts are read for longer, or documents that lack a term
# are found, too.
ENOUGH: Final = 5


class Result(NamedTuple):
    """What a query found.

    `query` is the corrected one, and `arguments` are those of the statements. `documents` counts
    those that match and `parts` their parts, of those that were read: of all, if `is_read_whole`.
    `projects` and `kinds` are the facets as JSON. Of the `candidates`, the documents whose rank was
    computed, `ranked` has those that match by their tokens, too, best first. `preference` and
    `condition` are those of `weighed_parts`. `lacking` is how many terms might lack, at most.
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
    candidates: list[UUID]
    preference: Preference
    condition: LiteralString
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
        rejected = len(self.candidates) - len(self.ranked)
        return len(self.ranked) if self.is_ranked_whole else max(0, self.documents - rejected)

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


class Attempt(NamedTuple):
    """What is looked for: the parts with the terms of a query, of which up to `lacking` may lack.

    A part that matches has the words of a tsquery, and, unless `sequences` is None, of each of
    these texts one of the sequences of tokens that are its lines. At most `most` parts that have
    the words are read.
    """

    query: Query
    filters: Filters
    lacking: int
    sequences: list[str] | None = None
    most: int = MAX_MATCHES

    def arguments(self) -> Arguments:
        """Return the arguments of the statements."""
        query = self.query
        tsquery = some_terms(query, self.lacking) if self.lacking else all_terms(query)
        pairs = (None, None, None) if self.sequences is None else _pairs(query)
        return Arguments(tsquery, *self.filters, self.sequences, self.most, pairs)


async def look_for(
    connection: Connection, query: Query, filters: Filters, lacking: int = 0
) -> Result:
    """Return the documents with the terms of a query, of which up to `lacking` may lack.

    They have all terms, and its phrases, if none may lack. The transaction of the connection needs
    the SETTINGS of statements.py.
    """
    attempt = Attempt(query, filters, lacking)
    sequences = None if lacking else _sequences(query)
    if sequences is None:
        result = await _run(connection, attempt)
        if lacking or result.is_ranked_whole or len(result.ranked) >= ENOUGH:
            return result
        # Many parts have the words of a compound, and the best of them not side by side.
        sequences = _sequences(query, of_compounds=True)
        if sequences is None:
            return result
    result = await _run(connection, attempt._replace(sequences=sequences, most=MAX_READ))
    if result.is_read_whole or result.documents >= ENOUGH:
        return result
    most = MAX_MATCHES if _pairs(query)[0] is None else MAX_READ_BY_PAIRS
    return await _run(connection, attempt._replace(sequences=sequences, most=most))


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


def _pairs(query: Query) -> tuple[int | None, int | None, int | None]:
    """Return three pairs of tokens that each match has beside each other, if there is one."""
    numbers = [number for term in query.terms for number in pairs_in(term.required)]
    if not numbers:
        return (None, None, None)
    return (numbers[0], numbers[len(numbers) // 2], numbers[-1])


async def _run(connection: Connection, attempt: Attempt) -> Result:
    query, filters, arguments = attempt.query, attempt.filters, attempt.arguments()
    preference = _preference(query, attempt.lacking)
    condition = filters.condition()
    if attempt.sequences is not None or any(term.prefix for term in query.terms):
        condition = IS_MATCHING if attempt.sequences is None else OF_WORDS_AND_MATCHING
        found = await _find_at_once(connection, attempt, arguments, preference, condition)
    else:
        found = await _find_counted(connection, filters, arguments, preference)
    return Result(
        query,
        [],
        arguments,
        found.read < attempt.most,
        found.summary["parts"],
        found.summary["documents"],
        found.summary["projects"],
        found.summary["kinds"],
        await rank_documents(query, [Candidate(*row) for row in found.rows]),
        [*dict.fromkeys(row["document_id"] for row in found.rows)],
        preference,
        condition,
        attempt.lacking,
    )


class _FoundParts(NamedTuple):
    """A SUMMARY, how many parts were read for it, and CANDIDATES."""

    summary: Row
    read: int
    rows: Sequence[Row]


async def _find_at_once(
    connection: Connection,
    attempt: Attempt,
    arguments: Arguments,
    preference: Preference,
    condition: LiteralString,
) -> _FoundParts:
    """Count the parts and choose those to rank in one statement, since they take long to find."""
    filters = attempt.filters
    count_read = COUNT_MATCHING if attempt.sequences is None else filters.count_read()
    summary = await connection.fetch_row(
        f"""
        with {filters.matching(arguments)}, {best_parts(condition, HAS_PLACE)}, {SUMMARY},
            {count_read} as read,
            (select array_agg(document_id) from keys) as documents_of_keys,
            (select array_agg(number) from keys) as numbers_of_keys
        """,
        *arguments.values(),
        *preference,
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
    connection: Connection, filters: Filters, arguments: Arguments, preference: Preference
) -> _FoundParts:
    """Count the parts, and then choose those to rank."""
    matching = filters.matching(arguments)
    summary = await connection.fetch_row(f"with {matching}, {SUMMARY}", *arguments.values())
    assert summary is not None
    if summary["parts"] > MAX_RANKED:
        keys = best_parts(filters.condition(), f"place <= {PARTS_OF_DOCUMENT}")
        rows = await connection.fetch(
            f"with {matching}, {keys} {CANDIDATES}", *arguments.values(), *preference
        )
    elif summary["parts"]:
        rows = await connection.fetch(
            f"with {matching}, {ALL_KEYS} {CANDIDATES}", *arguments.values()
        )
    else:
        rows = []
    return _FoundParts(summary, summary["parts"], rows)


def _preference(query: Query, lacking: int) -> Preference:
    """Return tsqueries for the parts that are likely to rank high, with a weight of each."""
    weights = {all_terms(query, IN_TITLE): 3}
    for term in query.terms[:MAX_PREFERRED_TERMS]:
        weights[term.tsquery(IN_HEADING)] = 2
        weights[term.tsquery(OFTEN)] = 1
    # Fewer terms lack before more do.
    for fewer in range(lacking)[:MAX_PREFERRED_TERMS]:
        tsquery = some_terms(query, fewer) if fewer else all_terms(query)
        weights[tsquery] = 3 * min(len(query.terms), MAX_PREFERRED_TERMS) + 3
    return Preference(MAX_RANKED, [*weights], [*weights.values()], MAX_PREFERRED)
