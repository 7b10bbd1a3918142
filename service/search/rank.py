"""The order of what a search found: how well the sections of a part match a query.

Scores have no unit. A document's score is that of its best section, with a share of the title's.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.parts import FIELD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.search.query import Alternative, Query, Term

# What a term counts for where it is, as it was typed. By its stem it counts for LOOSE of that.
OWN_HEADING: Final = 3.0
TITLE: Final = 1.4
HEADING_ABOVE: Final = 1.2
PATH: Final = 1.0
TEXT: Final = 2.2
LOOSE: Final = 0.85

# Of BM25: how soon further occurrences count for less, and how much the length matters.
SATURATION: Final = 1.0
LENGTH_SHARE: Final = 0.6
TYPICAL_LENGTH: Final = 900  # characters of a section's tokens

# For the words of a query side by side, and for a heading that has no others.
SEQUENCE_IN_HEADING: Final = 2.0
SEQUENCE_IN_TEXT: Final = 1.6
# For all terms in the path and in the file's name.
WHOLE_PATH: Final = 3.0
WHOLE_NAME: Final = 6.0
PAIR_IN_TEXT: Final = 0.5
WHOLE_HEADING: Final = 2.0

ROUNDING: Final = 1e-6

# A section with a share of the terms counts for this power of it.
COVERAGE_POWER: Final = 2.0


class SectionRank(NamedTuple):
    """How many terms a section or what is above it has, its score, and its line in the tokens."""

    matched: float
    score: float
    line: int


class PartRank(NamedTuple):
    """The rank of a part's best section, and its sections that match, best first.

    `has_all` says that the best one, with what is above it, has all terms.
    """

    has_all: bool
    matched: float
    score: float
    sections: list[SectionRank]


def rank_part(query: Query, tokens: str) -> PartRank:
    """Return the rank of a part by that alternative of the query which matches it best."""
    lines = tokens.split("\n")
    ranks = [_rank(each, query.sequence, lines) for each in query.alternatives]
    return max(ranks, key=lambda rank: (rank.has_all, rank.matched, rank.score))


def _rank(alternative: Alternative, sequence: str, lines: Sequence[str]) -> PartRank:
    terms = alternative.terms
    title, path, name = lines[0].split(FIELD)
    in_title = [_level(term, title) for term in terms]
    in_path = [_level(term, path) for term in terms]
    of_document = [
        TITLE * title_level + PATH * path_level
        for title_level, path_level in zip(in_title, in_path, strict=True)
    ]
    pairs = [*_pairs(terms)]
    weights = [term.weight for term in terms]
    sections: list[SectionRank] = []
    for number, line in enumerate(lines[1:], 1):
        if not any(_occurs(term, line) for term in terms):
            continue
        if any(_occurs(term, line) for term in alternative.excluded):
            continue
        own, above, text = line.split(FIELD)
        score = 0.0
        covered = matched = 0.0
        length = 1 - LENGTH_SHARE + LENGTH_SHARE * len(text) / TYPICAL_LENGTH
        own_hits = 0
        for index, (term, weight) in enumerate(zip(terms, weights, strict=True)):
            own_level = _level(term, own)
            above_level = _level(term, above)
            frequency = _frequency(term, text)
            here = (
                OWN_HEADING * own_level
                + HEADING_ABOVE * above_level
                + TEXT * frequency * (SATURATION + 1) / (frequency + SATURATION * length)
            )
            own_hits += own_level > 0
            if own_level or frequency:
                covered += weight
            elif above_level:
                covered += 0.9 * weight
            elif of_document[index]:
                covered += 0.8 * weight
            else:
                continue
            matched += weight
            score += weight * (here + of_document[index])
        if own_hits:
            words = own.count("|")
            score += WHOLE_HEADING * own_hits / max(words, len(terms))
        if len(terms) > 1 or sequence.count(" "):
            if f" {sequence} " in own:
                score += SEQUENCE_IN_HEADING
            if f" {sequence} " in text:
                score += SEQUENCE_IN_TEXT
            elif pairs:
                beside = sum(any(pair in text or pair in own for pair in two) for two in pairs)
                score += PAIR_IN_TEXT * beside
        score *= (covered / sum(weights)) ** COVERAGE_POWER
        sections.append(SectionRank(matched, score, number))
    if any(of_document) and not any(_occurs(term, lines[0]) for term in alternative.excluded):
        matched = sum(w for w, level in zip(weights, of_document, strict=True) if level)
        sections.append(SectionRank(matched, _rank_path(terms, path, name, of_document), 0))
    sections.sort(key=lambda each: (-each.matched, -each.score, each.line))
    best = sections[0].score if sections else 0.0
    title_share = sum(level > 0 for level in in_title) / len(terms)
    words = title.count("|")
    whole = sum(level > 0 for level in in_title) / max(words, len(terms))
    matched = sections[0].matched if sections else 0
    has_all = matched >= sum(weights) - ROUNDING
    return PartRank(has_all, matched, best + title_share**2 + whole, sections)


def _rank_path(terms: Sequence[Term], path: str, name: str, of_document: Sequence[float]) -> float:
    """Return the score of the document itself: of its title and its path."""
    score = sum(of_document) * (sum(map(bool, of_document)) / len(terms)) ** COVERAGE_POWER
    for text, weight in ((path, WHOLE_PATH), (name, WHOLE_NAME)):
        hits = [term for term in terms if _level(term, text)]
        if len(hits) == len(terms):
            words = sum(max(1, term.exact[0].count("|")) for term in hits)
            score += weight * min(1.0, words / max(1, text.count("|")))
    return score


def _occurs(term: Term, line: str) -> bool:
    return any(sequence in line for sequence in term.exact) or any(
        sequence in line for sequence in term.loose
    )


def _level(term: Term, text: str) -> float:
    if len(text) < 2:
        return 0.0
    if any(sequence in text for sequence in term.exact):
        return 1.0
    return LOOSE if any(sequence in text for sequence in term.loose) else 0.0


def _frequency(term: Term, text: str) -> float:
    exact = sum(text.count(sequence) for sequence in term.exact)
    loose = sum(text.count(sequence) for sequence in term.loose)
    # A word that is its own stem is counted by both.
    return exact + LOOSE * max(0, loose - exact)


def _pairs(terms: Sequence[Term]) -> Iterator[tuple[str, ...]]:
    for first, second in pairwise(terms):
        if len(first.forms) == len(second.forms) == 1:
            form = second.forms[0]
            yield (f" {first.forms[0]}| {form}|", f"{first.loose[0]}{form}|")
