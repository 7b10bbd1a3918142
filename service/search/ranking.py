"""The order of the documents that a search found, from the ranks of their parts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple

from service.search.rank import rank_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from service.search.query import Query
    from service.search.rank import PartRank

# Sections of a document that a result shows, if their scores are at least such a share of the best.
SECTIONS_SHOWN: Final = 3
SHARE_SHOWN: Final = 0.2

# Parts whose rank is computed in one go, in which the worker does nothing else.
PARTS_IN_TURN: Final = 4


class Candidate(NamedTuple):
    """A part that matches by its lexemes: see documents/parts.py."""

    document_id: UUID
    number: int
    tokens: str
    headings: Sequence[str]


class SectionPlace(NamedTuple):
    """A section: the line of a part."""

    number: int
    line: int


class Found(NamedTuple):
    """A document, and its best sections, best first.

    `has_all` says that one of them has all terms of the query: see rank.py.
    """

    document_id: UUID
    has_all: bool
    score: float
    sections: list[SectionPlace]


async def rank_documents(query: Query, candidates: Iterable[Candidate]) -> list[Found]:
    """Return the documents of the candidates that match, best first; the order is total."""
    ranks: dict[UUID, list[tuple[PartRank, Candidate]]] = {}
    for number, part in enumerate(candidates, 1):
        ranks.setdefault(part.document_id, []).append((rank_part(query, part.tokens), part))
        if number % PARTS_IN_TURN == 0:
            await asyncio.sleep(0)  # other requests, such as those for health, come between
    ranked = [found for parts in ranks.values() if (found := _rank_document(parts))]
    return sorted(ranked, key=lambda each: (-each.has_all, -each.score, each.document_id.bytes))


def _rank_document(ranks: Sequence[tuple[PartRank, Candidate]]) -> Found | None:
    """Return a document's rank by those of its parts, or None if none of them matches."""
    sections = [(section, part) for rank, part in ranks for section in rank.sections]
    if not sections:
        return None
    if len(ranks) > 1:  # those of one part are in order
        sections.sort(
            key=lambda each: (-each[0].has_all, -each[0].score, each[1].number, each[0].line)
        )
    best = sections[0][0]
    shown: dict[str | SectionPlace | None, SectionPlace] = {}
    for section, part in sections:
        if len(shown) == SECTIONS_SHOWN or section.score < SHARE_SHOWN * best.score:
            break
        # Of the pieces of one long section the best is shown, and once the document's own line,
        # which all its parts have.
        place = SectionPlace(part.number, section.line)
        own = part.headings[section.line] or place if section.line else None
        shown.setdefault(own, place)
    score = max(rank.score for rank, _ in ranks if rank.has_all == best.has_all)
    return Found(ranks[0][1].document_id, best.has_all, score, [*shown.values()])
