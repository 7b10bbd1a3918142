"""How well a part matches a query, by its sections.

Scores have no unit: they are only compared with those of the same query. The weights were chosen on
the queries of tests/search/test_quality.py.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

from service.documents.parts import FIELD
from service.documents.tokens import token_of
from service.documents.words import STOP_WORDS
from service.search.sought import NOWHERE, Sought

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.search.query import Alternative, Query
    from service.search.terms import Term

# What a term counts for where it is; sought.py has its share for a match by the stem.
OWN_HEADING: Final = 3.0
TITLE: Final = 1.4
HEADING_ABOVE: Final = 1.2
PATH: Final = 1.0
TEXT: Final = 2.2

# Where only one term is looked for, as it is written: in a heading it counts for more than any
# number of times in the text, and in the title for more than that.
ONLY_TERM_IN_HEADING: Final = 4.5
ONLY_TERM_IN_TITLE: Final = 5.0

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
WHOLE_NAME: Final = 11.0
END_OF_PATH: Final = 7.0

# A section with a share of the terms counts for this power of it. An optional term is such a part
# of a term.
COVERAGE_POWER: Final = 3.0
OPTIONAL: Final = 0.3

# A section whose terms are farther apart than CLOSE gets this share of its score.
CLOSE: Final = 300  # characters of tokens
FAR_APART: Final = 0.5


STOP_TOKENS: Final = frozenset(map(token_of, STOP_WORDS))


class SectionRank(NamedTuple):
    """A section's rank. `line` is its line in the tokens of its part.

    `has_all` says that no term lacks: each is in the section's text or heading, in those above, or
    in the document's title or path.
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
    return max([ranker.rank(tokens) for ranker in _rankers(query)])


@lru_cache(maxsize=16)  # the parts of one search are ranked one after the other
def _rankers(query: Query) -> list[_Ranker]:
    return [_Ranker(alternative, query.sequence) for alternative in query.alternatives]


class _Ranker:
    """Ranks parts by one alternative of a query."""

    def __init__(self, alternative: Alternative, sequence: str) -> None:
        self._terms = [Sought(term) for term in alternative.terms]
        is_one = len(self._terms) == 1
        self._in_heading = ONLY_TERM_IN_HEADING if is_one else OWN_HEADING
        self._in_title = ONLY_TERM_IN_TITLE if is_one else TITLE
        self._optional = [Sought(term) for term in alternative.optional]
        self._excluded = [Sought(term) for term in alternative.excluded]
        self._pairs = [*_pairs(alternative.terms)]
        self._spaced = f" {sequence} " if len(self._terms) > 1 or " " in sequence else ""

    def rank(self, tokens: str) -> PartRank:
        """Return the rank of a part."""
        terms = self._terms
        lines = tokens.split("\n")
        title, path, name = lines[0].split(FIELD)
        in_title = [term.level(title) for term in terms]
        of_document = [
            self._in_title * title_level + PATH * term.level(path)
            for term, title_level in zip(terms, in_title, strict=True)
        ]
        excluded = self._excluded_lines(lines)
        found_in = [term.lines_with_letters(lines) for term in terms]
        sections: list[SectionRank] = []
        for number in sorted(set[int]().union(*found_in).difference(excluded, [0])):
            section = self._rank_section(number, lines[number], found_in, of_document)
            if section is not None:
                sections.append(section)
        if any(of_document) and 0 not in excluded:
            score = _rank_path(terms, path, name, of_document)
            sections.append(SectionRank(all(of_document), score, 0))
        if not sections:
            return PartRank(has_all=False, score=0, sections=[])
        sections.sort(key=lambda each: (-each.has_all, -each.score, each.line))
        titled = sum(level > 0 for level in in_title)
        share = titled / len(terms)
        whole = titled / max(title.count("|"), len(terms))
        return PartRank(sections[0].has_all, sections[0].score + share**2 + whole, sections)

    def _excluded_lines(self, lines: Sequence[str]) -> set[int]:
        return {
            number
            for term in self._excluded
            for number in term.lines_with_letters(lines)
            if term.level(lines[number])
        }

    def _rank_section(
        self, number: int, line: str, found_in: Sequence[set[int]], of_document: Sequence[float]
    ) -> SectionRank | None:
        """Return the rank of a section, or None if it has no term.

        `found_in` has for each term the lines that it may be in.
        """
        terms = self._terms
        own, above, text = line.split(FIELD, 2)
        length = 1 - LENGTH_SHARE + LENGTH_SHARE * len(text) / TYPICAL_LENGTH
        score = covered = 0.0
        own_hits = text_hits = lacking = 0
        has_any = False
        only_in_text: list[Sought] = []
        for term, numbers, outside in zip(terms, found_in, of_document, strict=True):
            own_level, above_level, frequency = (
                term.in_section(own, above, text) if number in numbers else NOWHERE
            )
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
                score += outside
                continue
            else:
                lacking += 1
                continue
            has_any = True
            if frequency:
                text_hits += 1
                score += _rank_text(frequency, length)
                if term.definition and term.definition in text:
                    score += DEFINITION
            score += self._in_heading * own_level + HEADING_ABOVE * above_level + outside
        if not has_any:
            return None
        for term in self._optional:
            own_level, above_level, frequency = term.in_section(own, above, text)
            score += OWN_HEADING * own_level + HEADING_ABOVE * above_level
            score += _rank_text(frequency, length)
            covered += OPTIONAL * bool(own_level or above_level or frequency)
        if own_hits or text_hits > 1 or self._spaced:
            score += self._rank_side_by_side(own, text, own_hits, text_hits)
        score *= (covered / (len(terms) + OPTIONAL * len(self._optional))) ** COVERAGE_POWER
        if not (lacking or _are_close(only_in_text, text)):
            score *= FAR_APART
        return SectionRank(not lacking, score, number)

    def _rank_side_by_side(self, own: str, text: str, own_hits: int, text_hits: int) -> float:
        """Return what a section counts for how its words stand, given how many terms it has."""
        count = len(self._terms)
        spaced = self._spaced
        score = 0.0
        own_words = ""
        if own_hits:
            own_words = _significant(own)
            score += WHOLE_HEADING * own_hits / max(own_words.count("|"), count)
        if spaced and own_hits == count and spaced in own:
            score += SEQUENCE_IN_HEADING + HEADING_BEGINS_SO * own.startswith(spaced)
        is_in_text = bool(spaced) and text_hits == count and spaced in text
        if is_in_text:
            score += SEQUENCE_IN_TEXT
        if own_hits < 2 and (text_hits < 2 or is_in_text):
            return score
        for pair in self._pairs:
            if pair in own_words:
                score += PAIR_IN_HEADING
            elif not is_in_text and pair in text:
                score += PAIR_IN_TEXT
        return score


def _rank_text(frequency: float, length: float) -> float:
    """Return what a term counts for in a text of this length, by BM25."""
    return TEXT * frequency * (SATURATION + 1) / (frequency + SATURATION * length)


def _significant(heading: str) -> str:
    """Return the tokens of a heading that are no stop words; each between blanks."""
    tokens = heading.split()
    words = [token for token in tokens if token not in STOP_TOKENS]
    return f" {' '.join(words)} " if words else " "


def _rank_path(
    terms: Sequence[Sought], path: str, name: str, of_document: Sequence[float]
) -> float:
    """Return the score of the document itself: of its title and its path."""
    score = sum(of_document) * (sum(map(bool, of_document)) / len(terms)) ** COVERAGE_POWER
    whole = path.rstrip()
    ends = (whole, whole.rpartition(" ")[0])  # with the suffix, and without it
    for term in [sought.term for sought in terms]:
        if len(term.forms) > 1 and any(end.endswith(term.loose[0].rstrip()) for end in ends):
            score += END_OF_PATH
    if all(sought.level(name) for sought in terms):
        words = sum(max(1, len(sought.term.forms)) for sought in terms)
        score += WHOLE_NAME * min(1.0, words / max(1, len(name.split()) // 2))
    return score


def _are_close(terms: Sequence[Sought], text: str) -> bool:
    """Return whether a text has all of the terms, which it has, close together."""
    if len(terms) < 2 or len(text) <= CLOSE:
        return True
    places = sorted(
        (place, number) for number, term in enumerate(terms) for place in term.places(text)
    )
    last: dict[int, int] = {}
    for place, number in places:
        last[number] = place
        if len(last) == len(terms) and place - min(last.values()) <= CLOSE:
            return True
    return False


def _pairs(terms: Sequence[Term]) -> Iterator[str]:
    """Yield a sequence for each word as it was typed and its neighbour in any form."""
    for first, second in pairwise(terms):
        if len(first.forms) == len(second.forms) == 1:
            yield f"{first.exact[0]}{second.loose[0].lstrip()}"
