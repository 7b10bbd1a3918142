"""How well a part matches a query, by its sections.

Scores have no unit: they are only compared with those of the same query.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.parts import DEFINED, FIELD
from service.documents.words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from service.search.query import Alternative, Query, Term

# What a term counts for where it is, as it was typed; by its stem it counts for LOOSE of that.
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
SEQUENCE_IN_HEADING: Final = 3.0
HEADING_BEGINS_SO: Final = 1.5
SEQUENCE_IN_TEXT: Final = 1.6
PAIR_IN_TEXT: Final = 0.5
PAIR_IN_HEADING: Final = 2.0  # where only stop words are between
WHOLE_HEADING: Final = 2.0

# For a compound that a line of the text explains.
DEFINITION: Final = 2.5

# For all terms in the file's name, by the share that they are of it, and for the end of the path.
WHOLE_NAME: Final = 7.0
END_OF_PATH: Final = 7.0

# A section with a share of the terms counts for this power of it.
COVERAGE_POWER: Final = 3.0

# A section that has all terms so close together comes before those that lack one.
CLOSE: Final = 600  # characters of tokens
MAX_PLACES: Final = 30  # of one term in one section, of which the closest are found


class SectionRank(NamedTuple):
    """A section's rank. `line` is its line in the tokens of its part.

    `has_all` says that it has all terms close together, or in the headings above it.
    """

    has_all: bool
    score: float
    line: int


class PartRank(NamedTuple):
    """The rank of a part's best section, and its sections that match, best first."""

    has_all: bool
    score: float
    sections: list[SectionRank]


def rank_part(query: Query, tokens: str) -> PartRank:
    """Return the rank of a part by that alternative of the query which matches it best."""
    return max(_rank(each, query.sequence, tokens) for each in query.alternatives)


def _rank(alternative: Alternative, sequence: str, tokens: str) -> PartRank:
    terms = alternative.terms
    lines = tokens.split("\n")
    title, path, name = lines[0].split(FIELD)
    in_title = [_level(term, title) for term in terms]
    of_document = [
        TITLE * title_level + PATH * _level(term, path)
        for term, title_level in zip(terms, in_title, strict=True)
    ]
    pairs = [*_pairs(terms)]
    spaced = f" {sequence} " if len(terms) > 1 or " " in sequence else ""
    excluded = _lines_with(alternative.excluded, tokens, lines) if alternative.excluded else ()
    sections: list[SectionRank] = []
    for number in sorted(_lines_with(terms, tokens, lines)):
        if number == 0 or number in excluded:
            continue
        own, above, text = lines[number].split(FIELD)
        length = 1 - LENGTH_SHARE + LENGTH_SHARE * len(text) / TYPICAL_LENGTH
        score = covered = 0.0
        own_hits = lacking = 0
        only_in_text: list[Term] = []
        for term, outside in zip(terms, of_document, strict=True):
            own_level = _level(term, own)
            above_level = _level(term, above)
            frequency = _frequency(term, text)
            if own_level:
                own_hits += 1
                covered += 1
            elif above_level:
                covered += 1 if frequency else 0.9
            elif frequency:
                covered += 1
                only_in_text.append(term)
            elif outside:
                covered += 0.8
            else:
                lacking += 1
                continue
            if frequency:
                score += TEXT * frequency * (SATURATION + 1) / (frequency + SATURATION * length)
                if len(term.forms) > 1 and f"{DEFINED}{term.text}" in text:
                    score += DEFINITION
            score += OWN_HEADING * own_level + HEADING_ABOVE * above_level + outside
        own_words = _significant(own) if own_hits else ""
        if own_hits:
            score += WHOLE_HEADING * own_hits / max(own_words.count("|"), len(terms))
        if spaced:
            if spaced in own:
                score += SEQUENCE_IN_HEADING + HEADING_BEGINS_SO * own.startswith(spaced)
            if spaced in text:
                score += SEQUENCE_IN_TEXT
            for exact, loose in pairs:
                if exact in own_words or loose in own_words:
                    score += PAIR_IN_HEADING
                elif spaced not in text and (exact in text or loose in text):
                    score += PAIR_IN_TEXT
        score *= (covered / len(terms)) ** COVERAGE_POWER
        has_all = not lacking and _are_close(only_in_text, text)
        sections.append(SectionRank(has_all, score, number))
    if any(of_document) and 0 not in excluded:
        sections.append(
            SectionRank(all(of_document), _rank_path(terms, path, name, of_document), 0)
        )
    sections.sort(key=lambda each: (-each.has_all, -each.score, each.line))
    if not sections:
        return PartRank(has_all=False, score=0, sections=[])
    share = sum(level > 0 for level in in_title) / len(terms)
    whole = sum(level > 0 for level in in_title) / max(title.count("|"), len(terms))
    return PartRank(sections[0].has_all, sections[0].score + share**2 + whole, sections)


def _significant(heading: str) -> str:
    """Return the tokens of a heading that are no stop words; each between blanks."""
    tokens = heading.split()
    words = [token for token in tokens if token.partition("|")[0] not in STOP_WORDS]
    return f" {' '.join(words)} " if words else " "


def _rank_path(terms: Sequence[Term], path: str, name: str, of_document: Sequence[float]) -> float:
    """Return the score of the document itself: of its title and its path."""
    score = sum(of_document) * (sum(map(bool, of_document)) / len(terms)) ** COVERAGE_POWER
    whole = path.rstrip()
    ends = (whole, whole.rpartition(" ")[0])  # with the suffix, and without it
    for term in terms:
        if len(term.forms) > 1 and any(end.endswith(term.loose[0].rstrip()) for end in ends):
            score += END_OF_PATH
    if all(_level(term, name) for term in terms):
        words = sum(max(1, len(term.forms)) for term in terms)
        score += WHOLE_NAME * min(1.0, words / max(1, len(name.split()) // 2))
    return score


def _are_close(terms: Sequence[Term], text: str) -> bool:
    """Return whether a text has all of the terms, which it has, close together."""
    if len(terms) < 2 or len(text) <= CLOSE:
        return True
    places = sorted(
        (place, number) for number, term in enumerate(terms) for place in _places(term, text)
    )
    last: dict[int, int] = {}
    for place, number in places:
        last[number] = place
        if len(last) == len(terms) and place - min(last.values()) <= CLOSE:
            return True
    return False


def _places(term: Term, text: str) -> Iterator[int]:
    for sequence in (*term.exact, *term.loose):
        place = text.find(sequence)
        for _ in range(MAX_PLACES):
            if place == -1:
                break
            yield place
            place = text.find(sequence, place + 1)


def _lines_with(terms: Iterable[Term], tokens: str, lines: Sequence[str]) -> set[int]:
    """Return the numbers of the lines that have any of the terms."""
    starts = [0, *accumulate(len(line) + 1 for line in lines)]
    found: set[int] = set()
    for term in terms:
        for sequence in (*term.exact, *term.loose):
            place = tokens.find(sequence)
            while place != -1:
                line = bisect_right(starts, place) - 1
                found.add(line)
                place = tokens.find(sequence, starts[line + 1])
    return found


def _level(term: Term, text: str) -> float:
    for sequence in term.exact:
        if sequence in text:
            return 1.0
    for sequence in term.loose:
        if sequence in text:
            return LOOSE
    return 0.0


def _frequency(term: Term, text: str) -> float:
    exact = loose = 0
    for sequence in term.exact:
        exact += text.count(sequence)
    for sequence in term.loose:
        loose += text.count(sequence)
    # A word that is its own stem is counted by both.
    return exact + LOOSE * (loose - exact) if loose > exact else exact


def _pairs(terms: Sequence[Term]) -> Iterator[tuple[str, str]]:
    for first, second in pairwise(terms):
        if len(first.forms) == len(second.forms) == 1:
            form = second.forms[0]
            yield (f" {first.forms[0]}| {form}|", f"{first.loose[0]}{form}|")
