"""The order of the documents that a search found, from the ranks of their parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from service.search.rank import rank_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from service.search.query import Query

# Sections of a document that a result shows, if their scores are at least such a share of the best.
SECTIONS_SHOWN: Final = 3
SHARE_SHOWN: Final = 0.2


class Candidate(NamedTuple):
    """A part that matches by its lexemes: see documents/parts.py."""

    document_id: UUID
    number: int
    tokens: str
    headings: Sequence[str]


class Place(NamedTuple):
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
    sections: list[Place]


def rank_documents(query: Query, candidates: Iterable[Candidate]) -> list[Found]:
    """Return the documents of the candidates that match, best first; the order is total."""
    ranked = (rank_document(query, parts) for parts in by_document(candidates))
    return in_order(found for found in ranked if found is not None)


def by_document(candidates: Iterable[Candidate]) -> list[list[Candidate]]:
    """Return the candidates of each document."""
    documents: dict[UUID, list[Candidate]] = {}
    for candidate in candidates:
        documents.setdefault(candidate.document_id, []).append(candidate)
    return [*documents.values()]


def in_order(documents: Iterable[Found]) -> list[Found]:
    """Return the documents, best first; the order is total."""
    return sorted(documents, key=lambda each: (-each.has_all, -each.score, each.document_id.bytes))


def rank_document(query: Query, parts: Sequence[Candidate]) -> Found | None:
    """Return a document's rank by its parts, or None if none of them matches."""
    ranks = [(rank_part(query, part.tokens), part) for part in parts]
    sections = [(section, part) for rank, part in ranks for section in rank.sections]
    if not sections:
        return None
    if len(ranks) > 1:  # those of one part are in order
        sections.sort(
            key=lambda each: (-each[0].has_all, -each[0].score, each[1].number, each[0].line)
        )
    best = sections[0][0]
    shown: dict[str | Place | None, Place] = {}
    for section, part in sections:
        if len(shown) == SECTIONS_SHOWN or section.score < SHARE_SHOWN * best.score:
            break
        # Of the pieces of one long section the best is shown, and once the document's own line,
        # which all its parts have.
        place = Place(part.number, section.line)
        own = part.headings[section.line] or place if section.line else None
        shown.setdefault(own, place)
    score = max(rank.score for rank, _ in ranks if rank.has_all == best.has_all)
    return Found(parts[0].document_id, best.has_all, score, [*shown.values()])
