"""A term, as it is looked for in the tokens of documents."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING, Final

from service.documents.parts import DEFINED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.search.terms import Term

# What a term counts for by its stem, where it counts for 1 as it was typed.
LOOSE: Final = 0.85

MAX_PLACES: Final = 30  # of one sequence in one section, of which the closest are found

# What `in_section` returns for a section that has not the term.
NOWHERE: Final = (0.0, 0.0, 0.0)

# Letters by which the sequences of a term are grouped.
SAME_LETTERS: Final = 3


class Sought:
    """A term, as it is looked for in tokens.

    Its sequences are grouped by how many tokens they have and how they begin, since most texts have
    none of them: one look for the letters that are common to a group says so.
    """

    def __init__(self, term: Term) -> None:
        self.term = term
        self.definition = f"{DEFINED}{term.text}" if len(term.forms) > 1 else ""
        self._sequences = tuple(dict.fromkeys((*term.exact, *term.loose)))
        groups: dict[tuple[int, str], list[str]] = {}
        for sequence in self._sequences:
            beginning = sequence.strip(" |")[:SAME_LETTERS]
            groups.setdefault((len(sequence.split()), beginning), []).append(sequence)
        # Of each group the letters, and its sequences with how often each is in exact and in loose.
        self._groups = [
            (
                _common_letters([each.strip(" |") for each in group]),
                [(each, term.exact.count(each), term.loose.count(each)) for each in group],
            )
            for group in groups.values()
        ]

    def lines_with_letters(self, lines: Sequence[str]) -> set[int]:
        """Return the numbers of the lines that may have the term: others have not."""
        return {
            number
            for letters, _ in self._groups
            for number, line in enumerate(lines)
            if letters in line
        }

    def level(self, text: str) -> float:
        """Return what the term counts for in a heading or a path: 0 if it is not in it."""
        return max(
            [_level(sequences, text) for letters, sequences in self._groups if letters in text],
            default=0.0,
        )

    def in_section(self, own: str, above: str, text: str) -> tuple[float, float, float]:
        """Return the levels in a section's heading and above, and how often the text has it."""
        own_level = above_level = 0.0
        exact = loose = 0
        for letters, sequences in self._groups:
            if letters in own:
                own_level = max(own_level, _level(sequences, own))
            if letters in above:
                above_level = max(above_level, _level(sequences, above))
            if letters in text:
                for sequence, in_exact, in_loose in sequences:
                    count = text.count(sequence)
                    exact += count * in_exact
                    loose += count * in_loose
        # A word that is its own stem is counted by both.
        frequency = exact + LOOSE * (loose - exact) if loose > exact else exact
        return own_level, above_level, frequency

    def places(self, text: str) -> Iterator[int]:
        """Yield the first places of each sequence in a text."""
        for sequence in self._sequences:
            place = text.find(sequence)
            for _ in range(MAX_PLACES):
                if place == -1:
                    break
                yield place
                place = text.find(sequence, place + 1)


def _level(sequences: Sequence[tuple[str, int, int]], text: str) -> float:
    level = 0.0
    for sequence, in_exact, _ in sequences:
        if sequence in text:
            if in_exact:
                return 1.0
            level = LOOSE
    return level


def _common_letters(texts: Sequence[str]) -> str:
    """Return the letters with which all of the texts begin."""
    columns = takewhile(lambda column: len(set(column)) == 1, zip(*texts, strict=False))
    return "".join(column[0] for column in columns)
